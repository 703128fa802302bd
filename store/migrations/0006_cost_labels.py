"""Each part's cost label, and smaller indexes. Its models are copies of that day's: whatever the program's become."""

# ruff: noqa: D101, D106 - what the tables mean is said at the program's models

from typing import Any

import peewee

_STATEMENTS = (
    """ALTER TABLE "part" ADD COLUMN "cost_label" TEXT NOT NULL DEFAULT ''""",
    'DROP INDEX "message_number"',
    'DROP INDEX "part_carrier_id"',
)


class Message(peewee.Model):
    key = peewee.BigIntegerField(primary_key=True)
    number = peewee.TextField()
    state = peewee.TextField()
    parts = peewee.SmallIntegerField()
    updated_at = peewee.BigIntegerField()

    class Meta:
        table_name = "message"
        legacy_table_names = False


Message.add_index(
    Message.index(Message.number, Message.updated_at, name="message_lost").where(
        peewee.SQL("state NOT IN ('submitted', 'delivered') AND (parts > 1 OR state NOT IN ('queued', 'submitting'))")
    )
)


class Part(peewee.Model):
    key = peewee.BigIntegerField(primary_key=True)
    carrier_id = peewee.TextField(default="")

    class Meta:
        table_name = "part"
        legacy_table_names = False


Part.add_index(Part.index(Part.carrier_id, name="part_carrier_id").where(Part.carrier_id != ""))


def up(_migrator: Any, db: peewee.Database) -> None:
    """Add the column, empty for what is there; index only what statements look for."""
    for statement in _STATEMENTS:
        db.execute_sql(statement)  # type: ignore[no-untyped-call]  # peewee has no types here
    with db.bind_ctx([Message, Part]):
        peewee.SchemaManager(Message, db).create_indexes()
        peewee.SchemaManager(Part, db).create_indexes()
