"""Mail to the postmaster. Its model is a copy of that day's: whatever the program's becomes, this stays."""

# ruff: noqa: D101, D106 - what the table means is said at the program's model

from typing import Any

import peewee


class ForwardedMailRow(peewee.Model):
    key = peewee.BigIntegerField(primary_key=True)
    sender = peewee.TextField()
    recipients = peewee.TextField()
    client = peewee.TextField()
    helo = peewee.TextField()
    octets = peewee.IntegerField()
    content = peewee.BlobField()
    compressed = peewee.BooleanField()
    state = peewee.TextField()
    owner = peewee.TextField(default="")
    attempts = peewee.IntegerField(default=0)
    due_at = peewee.BigIntegerField()
    received_at = peewee.BigIntegerField()
    ended_at = peewee.BigIntegerField(null=True)
    last_reply = peewee.TextField(default="")

    class Meta:
        table_name = "forwarded_mail"
        legacy_table_names = False


ForwardedMailRow.add_index(
    ForwardedMailRow.index(ForwardedMailRow.due_at, ForwardedMailRow.key, name="forwarded_mail_waiting").where(
        peewee.SQL("ended_at IS NULL")
    )
)
ForwardedMailRow.add_index(
    ForwardedMailRow.index(ForwardedMailRow.ended_at, ForwardedMailRow.key, name="forwarded_mail_ended").where(
        peewee.SQL("ended_at IS NOT NULL")
    )
)


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the table with its indexes."""
    with db.bind_ctx([ForwardedMailRow]):
        db.create_tables([ForwardedMailRow])
