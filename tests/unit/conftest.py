"""The house of tests.kit.testbed in a database of each kind."""

import pytest

from store.engine.database import connect, migrate
from tests.kit.testbed import add_people, make_house


@pytest.fixture(scope="session")
def people_on_postgresql(postgresql_databases, tmp_path_factory):
    """Return the URL of a PostgreSQL database that holds the people of the house."""
    url = postgresql_databases.create()
    add_people(tmp_path_factory.mktemp("people") / "house", url)
    return url


@pytest.fixture
def house(request, tmp_path, gateway_database):
    """Return the configuration of a house of the test's own, once for each kind of database."""
    people = request.getfixturevalue("people_on_postgresql") if gateway_database.startswith("postgresql:") else ""
    return make_house(tmp_path / "house", gateway_database, people)


@pytest.fixture(scope="module")
def module_house(request, tmp_path_factory, module_database):
    """Return the same for all tests of a module."""
    people = ""
    if module_database.startswith("postgresql:"):
        people = request.getfixturevalue("people_on_postgresql")
        migrate(connect(module_database))
    return make_house(tmp_path_factory.mktemp("module") / "house", module_database, people)
