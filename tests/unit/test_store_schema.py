"""A migrated database is what the models say, on both databases, with every index that they declare."""

import pkgutil
from collections import Counter
from importlib import import_module
from pathlib import Path

import peewee
import pytest
from playhouse.migrations import Runner

import store
from store.engine.database import Database, StorageError, connect, migrate
from store.engine.statements import Insert, Update, columns_of, table_of
from store.engine.transaction import Transaction
from store.views import find_job

MODULES = [import_module(f"store.{module.name}") for module in pkgutil.iter_modules(store.__path__) if not module.ispkg]
MIGRATIONS = sorted(path.stem for path in (Path(store.__path__[0]) / "migrations").glob("[0-9]*.py"))
MODELS = tuple(
    value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, peewee.Model) and value.__module__ == module.__name__
    if value.__name__ != "Row"
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
    assert migrate(connect(new_database_url)) == MIGRATIONS
    assert migrate(connect(new_database_url)) == []
    database = connect(new_database_url)
    with database.connection_context():
        migrated = schema_of(database)
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
        database.execute_sql(
            "INSERT INTO schema_migration (name, applied) VALUES ('9999_later', '2026-11-23 16:00:00')"
        )
    with pytest.raises(StorageError, match="9999_later"):
        Database(new_database_url).open()


@pytest.mark.parametrize("name", MIGRATIONS)
def test_a_migration_stays_as_it_is_whatever_the_program_becomes(name):
    source = (Path(store.__path__[0]) / "migrations" / f"{name}.py").read_text()
    assert "import store" not in source
    assert "from store" not in source


def test_what_was_sent_before_there_were_cost_labels_keeps_its_parts_and_has_none(new_database_url):
    database = connect(new_database_url)
    with database.connection_context():
        Runner(database, directory=str(Path(store.__path__[0]) / "migrations")).up("0005_notice_channel")
        old = "key, message_key, idx, total, body, udh, payload, state, attempt, carrier, carrier_id, error"
        database.execute_sql(
            f"INSERT INTO part ({old}) VALUES (1, 2, 1, 1, 'x', '', 'x', 'submitted', 1, 'a', '7', '')"
        )
    assert "0006_cost_labels" in migrate(database)
    with database.connection_context():
        found = database.execute_sql("SELECT carrier_id, cost_label FROM part WHERE carrier_id <> ''").fetchall()
    assert [tuple(row) for row in found] == [("7", "")]


@pytest.mark.parametrize("later", [False, True], ids=["in order", "after 0008"])
def test_what_was_accepted_before_the_indexes_were_put_in_order_is_found_as_before(new_database_url, later):
    database = connect(new_database_url)
    migrations = str(Path(store.__path__[0]) / "migrations")
    with database.connection_context():
        Runner(database, directory=migrations).up("0006_cost_labels")
        if later:
            module = import_module("store.migrations.0008_forwarded_mail")
            with database.atomic():
                module.up(None, database)
                database.execute_sql(
                    "INSERT INTO schema_migration (name, applied) VALUES ('0008_forwarded_mail', '2026-11-23 16:00:00')"
                )
        mark = "?" if isinstance(database, peewee.SqliteDatabase) else "%s"
        columns = "key, public_id, customer_key, customer, profile, person, service, reference, accepted_at"
        columns += ", open_messages, report, settings, origins, from_mail, reverse_path, header_from, mail_id"
        columns += ", mail_references, subject, envid, ret, helo, header, corrected"
        for key, mail_id in ((1, "<a@x>"), (2, "<b@x>"), (3, "<a@x>")):
            values = [key, f"J.{key}", 1, "acme", "", "", "mail", "", key * 1000, 0, "never", "{}", "{}", True]
            values += ["a@example.com", "", mail_id, "", "", "", "", "", b"", False]
            database.execute_sql(f"INSERT INTO job ({columns}) VALUES ({', '.join([mark] * len(values))})", values)
        digests = [(bytes([n]) * 16, 1 + n % 3, n) for n in range(9)]
        for row in digests:
            database.execute_sql(f"INSERT INTO seen (digest, job_key, until) VALUES ({mark}, {mark}, {mark})", row)
    assert "0007_orderly_indexes" in migrate(database)
    with database.connection_context():
        tx = Transaction(database)
        assert [find_job(tx, name) for name in ("<a@x>", "<b@x>", "J.1", "<c@x>")] == [3, 2, 1, None]
        rows = tx.rows("SELECT digest, job_key, until FROM seen ORDER BY until")
        assert [(bytes(digest), job_key, until) for digest, job_key, until in rows] == digests
        with pytest.raises(peewee.IntegrityError), database.atomic():
            database.execute_sql(f"INSERT INTO seen (digest, job_key, until) VALUES ({mark}, 1, 1)", (digests[0][0],))
        if isinstance(database, peewee.SqliteDatabase):
            assert tx.rows("SELECT wr FROM pragma_table_list WHERE name = 'seen'") == [(1,)]


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
