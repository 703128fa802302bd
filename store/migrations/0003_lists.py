"""Distribution lists, and blackout periods of messages. Its models are copies of that day's: this stays as it is."""

# ruff: noqa: D101, D106 - what the tables mean is said at the program's models

from typing import Any

import peewee


class Row(peewee.Model):
    key = peewee.BigIntegerField(primary_key=True)

    class Meta:
        legacy_table_names = False


class ListRow(Row):
    customer_key = peewee.BigIntegerField()
    name = peewee.TextField()
    canonical = peewee.TextField()
    columns = peewee.TextField(default="[]")

    class Meta:
        table_name = "distribution_list"
        indexes = ((("customer_key", "canonical"), True),)


class ListMemberRow(peewee.Model):
    list_key = peewee.BigIntegerField()
    number = peewee.TextField()
    seq = peewee.IntegerField()
    content = peewee.TextField(default="{}")

    class Meta:
        table_name = "list_member"
        primary_key = peewee.CompositeKey("list_key", "number")


class ListAuthorRow(peewee.Model):
    list_key = peewee.BigIntegerField()
    author = peewee.TextField()

    class Meta:
        table_name = "list_author"
        primary_key = peewee.CompositeKey("list_key", "author")


def up(_migrator: Any, db: Any) -> None:
    """Create the tables with their indexes, and add the column to the messages."""
    tables = [ListRow, ListMemberRow, ListAuthorRow]
    with db.bind_ctx(tables):
        db.create_tables(tables)
    db.execute_sql('ALTER TABLE "message" ADD COLUMN "blackouts" TEXT')
