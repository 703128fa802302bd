"""Counters of references. Its model is a copy of that day's: whatever the program's becomes, this stays."""

# ruff: noqa: D101, D106 - what the table means is said at the program's model

from typing import Any

import peewee


class Concatenation(peewee.Model):
    number = peewee.TextField(primary_key=True)
    reference = peewee.IntegerField()
    until = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "concatenation"
        legacy_table_names = False


def up(_migrator: Any, db: peewee.Database) -> None:
    """Make the table of counters."""
    with db.bind_ctx([Concatenation]):
        db.create_tables([Concatenation])
