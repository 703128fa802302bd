"""Traces of dropped mail. Its model is a copy of that day's: whatever the program's becomes, this stays."""

# ruff: noqa: D101, D106 - what the table means is said at the program's model

from typing import Any

import peewee


class DroppedMailRow(peewee.Model):
    key = peewee.BigIntegerField(primary_key=True)
    customer = peewee.TextField()
    reverse_path = peewee.TextField()
    header_from = peewee.TextField()
    mail_id = peewee.TextField()
    client = peewee.TextField()
    reason = peewee.TextField()
    mark = peewee.TextField()
    dropped_at = peewee.BigIntegerField()

    class Meta:
        table_name = "dropped_mail"
        legacy_table_names = False


DroppedMailRow.add_index(DroppedMailRow.index(DroppedMailRow.dropped_at, name="dropped_mail_at"))


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the table with its index."""
    with db.bind_ctx([DroppedMailRow]):
        db.create_tables([DroppedMailRow])
