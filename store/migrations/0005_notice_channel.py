"""By which channel a job is told of, and the keys that sign pushes. Its models are copies of that day's, for good."""

# ruff: noqa: D101, D106 - what the tables mean is said at the program's models

from typing import Any

import peewee

_COLUMNS = (
    """"job" ADD COLUMN "channel" TEXT NOT NULL DEFAULT 'mail'""",
    """"job" ADD COLUMN "push_url" TEXT NOT NULL DEFAULT ''""",
    """"notice" ADD COLUMN "channel" TEXT NOT NULL DEFAULT 'mail'""",
)


class NoticeRow(peewee.Model):
    key = peewee.BigIntegerField(primary_key=True)
    state = peewee.TextField()
    due_at = peewee.BigIntegerField()
    channel = peewee.TextField()

    class Meta:
        table_name = "notice"
        legacy_table_names = False


NoticeRow.add_index(
    NoticeRow.index(NoticeRow.channel, NoticeRow.due_at, NoticeRow.key, name="notice_queued").where(
        NoticeRow.state == "queued"
    )
)


class PushKeyRow(peewee.Model):
    customer_key = peewee.BigIntegerField(primary_key=True)
    secret = peewee.TextField()
    made_at = peewee.BigIntegerField()
    made_by = peewee.TextField()

    class Meta:
        table_name = "push_key"
        legacy_table_names = False


def up(_migrator: Any, db: peewee.Database) -> None:
    """Add the columns, with mail for everything that is there; find due notices by channel; create the table."""
    for statement in (*(f"ALTER TABLE {column}" for column in _COLUMNS), 'DROP INDEX "notice_queued"'):
        db.execute_sql(statement)  # type: ignore[no-untyped-call]  # peewee has no types here
    with db.bind_ctx([NoticeRow, PushKeyRow]):
        peewee.SchemaManager(NoticeRow, db).create_indexes()
        db.create_tables([PushKeyRow])
