"""Counts of what is sent again, whose id is missing, receipts' own words, and when to ask again for a cancelling."""

# ruff: noqa: D101, D106 - what the tables mean is said at the program's models

from typing import Any

import peewee

_TYPES = {"boolean": "BOOLEAN", "small": "SMALLINT", "big": "BIGINT"}
_STATEMENTS = (
    'ALTER TABLE "message" ADD COLUMN "throttled" INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE "message" ADD COLUMN "id_missing" {boolean} NOT NULL DEFAULT FALSE',
    'ALTER TABLE "part" ADD COLUMN "resends" {small} NOT NULL DEFAULT 0',
    """ALTER TABLE "receipt" ADD COLUMN "word" TEXT NOT NULL DEFAULT ''""",
    'ALTER TABLE "cancel_wish" ADD COLUMN "attempts" INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE "cancel_wish" ADD COLUMN "due_at" {big} NOT NULL DEFAULT 0',
    """UPDATE "message" SET "id_missing" = TRUE WHERE "key" IN
    (SELECT "message_key" FROM "part" WHERE "carrier_id" = '' AND "state" IN ('submitted', 'unknown'))""",
    'DROP INDEX "message_lost"',
)


class Message(peewee.Model):
    key = peewee.BigIntegerField(primary_key=True)
    number = peewee.TextField()
    updated_at = peewee.BigIntegerField()

    class Meta:
        table_name = "message"
        legacy_table_names = False


Message.add_index(
    Message.index(Message.number, Message.updated_at, name="message_id_missing").where(peewee.SQL("id_missing"))
)


def up(_migrator: Any, db: peewee.Database) -> None:
    """Add the columns; mark the messages whose carrier owes an id, and index them in the place of what was guessed."""
    sqlite = isinstance(db, peewee.SqliteDatabase)
    kinds = dict.fromkeys(_TYPES, "INTEGER") if sqlite else _TYPES
    for statement in _STATEMENTS:
        db.execute_sql(statement.format(**kinds))  # type: ignore[no-untyped-call]  # peewee has no types here
    with db.bind_ctx([Message]):
        peewee.SchemaManager(Message, db).create_indexes()
