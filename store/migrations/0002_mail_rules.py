"""Tables around outgoing mail. Its models are copies of that day's: whatever the program's become, this stays."""

# ruff: noqa: D101, D106 - what the tables mean is said at the program's models

from typing import Any

import peewee


class Row(peewee.Model):
    key = peewee.BigIntegerField(primary_key=True)

    class Meta:
        legacy_table_names = False


class TlsRuleRow(peewee.Model):
    customer = peewee.TextField()
    domain = peewee.TextField()
    level = peewee.TextField()
    names = peewee.TextField(default="")
    pins = peewee.TextField(default="")
    authorities = peewee.TextField(default="")
    minimum_version = peewee.TextField()
    set_at = peewee.BigIntegerField()
    set_by = peewee.TextField()

    class Meta:
        table_name = "tls_rule"
        primary_key = peewee.CompositeKey("customer", "domain")


class StsPolicyRow(peewee.Model):
    domain = peewee.TextField(primary_key=True)
    policy_id = peewee.TextField()
    mode = peewee.TextField()
    mx = peewee.TextField()
    max_age = peewee.BigIntegerField()
    fetched_at = peewee.BigIntegerField()

    class Meta:
        table_name = "sts_policy"


class MailTemplateRow(peewee.Model):
    customer_key = peewee.BigIntegerField()
    profile_key = peewee.BigIntegerField(default=0)
    form = peewee.TextField()
    source = peewee.TextField()
    set_at = peewee.BigIntegerField()
    set_by = peewee.TextField()

    class Meta:
        table_name = "mail_template"
        primary_key = peewee.CompositeKey("customer_key", "profile_key", "form")


class MailGraphicRow(peewee.Model):
    customer_key = peewee.BigIntegerField()
    name = peewee.TextField()
    media_type = peewee.TextField()
    content = peewee.BlobField()
    set_at = peewee.BigIntegerField()
    set_by = peewee.TextField()

    class Meta:
        table_name = "mail_graphic"
        primary_key = peewee.CompositeKey("customer_key", "name")


class AlarmRow(Row):
    topic = peewee.TextField()
    subject = peewee.TextField()
    body = peewee.TextField()
    state = peewee.TextField()
    attempts = peewee.IntegerField(default=0)
    repeats = peewee.IntegerField(default=0)
    due_at = peewee.BigIntegerField()
    created_at = peewee.BigIntegerField(index=True)
    ended_at = peewee.BigIntegerField(null=True)
    problem = peewee.TextField(default="")

    class Meta:
        table_name = "alarm"


AlarmRow.add_index(AlarmRow.index(AlarmRow.due_at, AlarmRow.key, name="alarm_queued").where(AlarmRow.state == "queued"))
AlarmRow.add_index(AlarmRow.index(AlarmRow.topic, AlarmRow.created_at, name="alarm_topic"))


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the tables with their indexes."""
    tables = [TlsRuleRow, StsPolicyRow, MailTemplateRow, MailGraphicRow, AlarmRow]
    with db.bind_ctx(tables):
        db.create_tables(tables)
