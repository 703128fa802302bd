"""A migrated database is what the models say, on both databases, with every index that they declare."""

import pkgutil
from collections import Counter
from hashlib import sha256
from importlib import import_module
from pathlib import Path

import peewee
import pytest

import store
from store.engine.database import Database, StorageError, connect, migrate
from store.engine.statements import Insert, Update, columns_of, table_of

MODULES = [import_module(f"store.{module.name}") for module in pkgutil.iter_modules(store.__path__) if not module.ispkg]
MIGRATIONS = sorted((Path(store.__path__[0]) / "migrations").glob("[0-9]*.sql"))
FROZEN = {
    "0001_tables": "498efbb2b233c037",
    "0002_inbound": "cf2aeaee03b3d422",
    "0003_directories": "cbf18cdbb7cd7742",
    "0004_search": "2d9425fdce1196f9",
    "0005_carriers": "e482c3af102042fb",
    "0006_trust": "9b5ec8838be8f386",
    "0007_tls": "30443e441485aed4",
    "0008_applications": "2cc13565734b955b",
    "0009_ranges": "f0f42d33a65f1426",
    "0010_webhooks": "3c2e1fd8a7285236",
    "0011_portal": "6d58a4d71cef5d37",
    "0012_reports": "f62b136ba00d9ed6",
    "0013_care": "cff23606841dbcfd",
    "0014_details": "e433ab0bb9858efb",
    "0015_by_hand": "cc112922274935ad",
    "0016_countries": "0e5be13f0e3eb8a8",
    "0017_registrations": "2b61bd647e40f47b",
    "0019_portal": "118889e210d81957",
    "0018_downloads": "9d915b89e89f6593",
    "0020_growth": "6fbc11373f7cd9f1",
}
MODELS = tuple(
    value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, peewee.Model) and value.__module__ == module.__name__
    if value.__name__ not in ("StoredRow", "KeyedRow")
)


def schema_of(database):
    """Return every column with type and nullability, in any order, and every index with its whole definition."""
    if isinstance(database, peewee.SqliteDatabase):
        columns = database.execute_sql(
            'SELECT m.name, c.name, c.type, c."notnull", c.pk FROM sqlite_master m JOIN pragma_table_info(m.name) c'
            " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'schema_migration'"
        )
        indexes = database.execute_sql(
            "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            " AND tbl_name <> 'schema_migration'"
        )
    else:
        columns = database.execute_sql(
            "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name <> 'schema_migration'"
        )
        indexes = database.execute_sql(
            "SELECT tablename, indexname, indexdef FROM pg_indexes"
            " WHERE schemaname = 'public' AND tablename <> 'schema_migration'"
        )
    return sorted(map(str, [*columns, *indexes]))


def test_a_migrated_database_equals_the_models(new_database_url):
    assert migrate(connect(new_database_url)) == [migration.stem for migration in MIGRATIONS]
    assert migrate(connect(new_database_url)) == []
    database = connect(new_database_url)
    with database.connection_context():
        migrated = schema_of(database)
        if isinstance(database, peewee.SqliteDatabase):  # a model cannot say it for one database alone
            assert list(database.execute_sql("SELECT wr FROM pragma_table_list WHERE name = 'seen'")) == [(1,)]
        names = [row[0] for row in database.execute_sql(_NAMES[isinstance(database, peewee.SqliteDatabase)])]
        with database.bind_ctx(MODELS):
            database.drop_tables(MODELS)
            database.create_tables(MODELS)
        assert schema_of(database) == migrated
    declared = [index.__sql__(peewee.Context()).query()[0].split('"')[1] for index in declared_indexes()]
    assert set(declared) <= set(names)


_NAMES = {
    True: "SELECT name FROM sqlite_master WHERE type = 'index'",
    False: "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'",
}


def declared_indexes():
    return [index for model in MODELS for index in model._meta.fields_to_index()]


def test_no_two_models_or_indexes_share_a_name():
    # peewee names an index after the class and creates it IF NOT EXISTS: a second one of the name is silently left out.
    names = [model.__name__ for model in MODELS] + [index._name for index in declared_indexes()]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert len(declared_indexes()) > 30


def test_a_database_that_a_later_version_migrated_is_refused(new_database_url):
    database = connect(new_database_url)
    migrate(database)
    with database.connection_context():
        database.execute_sql("INSERT INTO schema_migration (name) VALUES ('9999_later')")
    with pytest.raises(StorageError, match="9999_later"):
        Database(new_database_url).open()


def test_a_migration_stays_as_it_is_whatever_the_program_becomes():
    """A change to the tables is a migration of its own: databases have these in them already."""
    assert {path.stem: sha256(path.read_bytes()).hexdigest()[:16] for path in MIGRATIONS} == FROZEN


def all_statements():
    return {
        (module.__name__, name): value
        for module in MODULES
        for name, value in vars(module).items()
        if isinstance(value, (Insert, Update))
    }


@pytest.mark.parametrize("name", sorted(all_statements()), ids=".".join)
def test_a_written_statement_names_columns_that_exist_and_leaves_out_none_that_needs_a_value(name):
    statement = all_statements()[name]
    (model,) = [model for model in MODELS if table_of(model) == statement.table]
    columns = columns_of(model)
    assert set(statement.columns) <= set(columns)
    assert len(set(statement.columns)) == len(statement.columns)
    if isinstance(statement, Insert):
        assert {name for name, field in columns.items() if not field.null} <= set(statement.columns)


def test_rows_come_back_as_they_were_written_in_both_dialects(database_url):
    database = Database(database_url)
    database.open()
    rows = [
        (1, "a", 2, b"\x00\xff", None, 1 << 61, True),
        (2, "é\\,{}\"' ü€😀", -5, b"", b"x", 0, False),
        (3, "", 0, b"abc", None, 1, True),
    ]
    columns = ("key", "public_id", "open_messages", "header", "body", "accepted_at", "corrected")
    rest = {"customer_key": 1, "from_mail": False}
    model = next(model for model in MODELS if table_of(model) == "job")
    others = [name for name, field in columns_of(model).items() if not field.null and name not in columns]
    insert = Insert(model, *columns, *others)
    update = Update(model, "body", "corrected", also="open_messages = open_messages + 1")

    def write(tx, items):
        tx.insert(insert, [row + tuple(rest.get(name, "") for name in others) for row in rows])
        tx.insert(insert, [])
        tx.update(update, [(b"new", False, 1), (None, True, 2)])
        return items

    database.write_now(write, None)
    found = database.read_now(lambda tx: tx.rows(f"SELECT {', '.join(columns)} FROM job ORDER BY key"))
    database.close()
    assert [(*row[:6], bool(row[6])) for row in found] == [
        (1, "a", 3, b"\x00\xff", b"new", 1 << 61, False),
        (2, "é\\,{}\"' ü€😀", -4, b"", None, 0, True),
        rows[2],
    ]
