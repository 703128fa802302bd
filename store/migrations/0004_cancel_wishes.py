"""Wishes to cancel at the carrier. Its model is a copy of that day's: whatever the program's becomes, this stays."""

# ruff: noqa: D101, D106 - what the table means is said at the program's model

from typing import Any

import peewee


class CancelWishRow(peewee.Model):
    message_key = peewee.BigIntegerField(primary_key=True)
    asked_at = peewee.BigIntegerField()

    class Meta:
        table_name = "cancel_wish"
        legacy_table_names = False


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the table."""
    with db.bind_ctx([CancelWishRow]):
        db.create_tables([CancelWishRow])
