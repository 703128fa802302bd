"""The house of tests.kit.testbed in a database of each kind, and children that get their CPU on a busy machine."""

import pytest

from tests.kit.testbed import make_house


@pytest.fixture
def house(tmp_path, gateway_database):
    """Return the configuration of a house of the test's own, once for each kind of database."""
    return make_house(tmp_path / "house", gateway_database)


@pytest.fixture(scope="module")
def module_house(tmp_path_factory, module_database):
    """Return the same for all tests of a module."""
    return make_house(tmp_path_factory.mktemp("module") / "house", module_database)


@pytest.fixture
def patient(monkeypatch):
    """Let a child of templates.child wait for its CPU time as long as the machine takes: only the CPU time is bounded."""
    monkeypatch.setattr("templates.child._PATIENCE", 1000)
