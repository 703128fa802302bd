"""The tables around outgoing mail: TLS rules, MTA-STS policies, customers' templates and graphics, alerts.

Instants are microseconds since 1970, UTC. Not here: notices and what came of them (tables).
"""

# ruff: noqa: D106 - peewee's Meta is configuration, the docstring is its model's

import peewee

from store.tables import StoredRow


class TlsRuleRow(StoredRow):
    """How safe mail for a domain must travel. `customer` is empty for the system, `domain` for the scope's default.

    Lists are comma-separated; `authorities` holds PEM. A rule goes by the customer's name, as jobs do, so that it
    outlives the customer for mail that still waits.
    """

    customer = peewee.TextField()
    domain = peewee.TextField()
    level = peewee.TextField()
    names = peewee.TextField(default="")
    pins = peewee.TextField(default="")
    authorities = peewee.TextField(default="")
    minimum_version = peewee.TextField()
    set_at = peewee.BigIntegerField()
    set_by = peewee.TextField()
    require_tls = peewee.BooleanField(default=False)

    class Meta:
        table_name = "tls_rule"
        primary_key = peewee.CompositeKey("customer", "domain")


class StsPolicyRow(StoredRow):
    """The MTA-STS policy that a domain last published; `max_age` in seconds, `mx` comma-separated."""

    domain = peewee.TextField(primary_key=True)
    policy_id = peewee.TextField()
    mode = peewee.TextField()
    mx = peewee.TextField()
    max_age = peewee.BigIntegerField()
    fetched_at = peewee.BigIntegerField()

    class Meta:
        table_name = "sts_policy"


class MailTemplateRow(StoredRow):
    """A customer's own template for one form of status mail; `profile_key` 0 stands for all its profiles."""

    customer_key = peewee.BigIntegerField()
    profile_key = peewee.BigIntegerField(default=0)
    form = peewee.TextField()
    source = peewee.TextField()
    set_at = peewee.BigIntegerField()
    set_by = peewee.TextField()

    class Meta:
        table_name = "mail_template"
        primary_key = peewee.CompositeKey("customer_key", "profile_key", "form")


class TemplateVersionRow(StoredRow):
    """What a template was at some time: `number` counts from 1, `source` is empty where there was no own one.

    `form` is a word of templates.forms, `push`, or that of an inbound action (gateway.admin.actions): a push's body
    has the form `push_form` (such as push-xml, or xml of an action).
    """

    customer_key = peewee.BigIntegerField()
    profile_key = peewee.BigIntegerField()
    form = peewee.TextField()
    number = peewee.IntegerField()
    source = peewee.TextField()
    push_form = peewee.TextField(default="")
    set_at = peewee.BigIntegerField()
    set_by = peewee.TextField()

    class Meta:
        table_name = "template_version"
        primary_key = peewee.CompositeKey("customer_key", "profile_key", "form", "number")


class MailGraphicRow(StoredRow):
    """A graphic that a customer's templates show as `cid:NAME`."""

    customer_key = peewee.BigIntegerField()
    name = peewee.TextField()
    media_type = peewee.TextField()
    content = peewee.BlobField()
    set_at = peewee.BigIntegerField()
    set_by = peewee.TextField()

    class Meta:
        table_name = "mail_graphic"
        primary_key = peewee.CompositeKey("customer_key", "name")
