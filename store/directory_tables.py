"""The tables of who may send and how: people, credentials, layers of settings, constraints, and who changed what.

Every change writes what it touched to `directory_change` under the new directory version, so that another process reads
only that. Instants are microseconds since 1970, UTC. Not here: jobs and what follows from them (tables).
"""

# ruff: noqa: D106 - peewee's Meta is configuration, the docstring is its model's

import peewee

from store.tables import KeyedRow, StoredRow


class CustomerRow(KeyedRow):
    """A customer. `canonical` is its name as compared; `default_profile_key` applies to users without a profile.

    `options` are what it has contracted, comma-separated; null: those of the operator's file. `stop_listed` is set with
    its first stop entry: nobody looks for entries of a customer that never had one.
    """

    name = peewee.TextField()
    canonical = peewee.TextField(unique=True)
    default_profile_key = peewee.BigIntegerField(null=True)
    active = peewee.BooleanField(default=True)
    options = peewee.TextField(null=True)
    stop_listed = peewee.BooleanField(default=False)

    class Meta:
        table_name = "customer"


class CustomerDomainRow(StoredRow):
    """A sender domain as A-labels; nobody else can have it."""

    domain = peewee.TextField(primary_key=True)
    customer_key = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "customer_domain"


class ProfileRow(KeyedRow):
    """A profile of one customer."""

    customer_key = peewee.BigIntegerField()
    name = peewee.TextField()
    canonical = peewee.TextField()

    class Meta:
        table_name = "profile"
        indexes = ((("customer_key", "canonical"), True),)


class UserRow(KeyedRow):
    """A user. `address` is canonical; `source` says who speaks of it: `manual` or `file`."""

    customer_key = peewee.BigIntegerField(index=True)
    profile_key = peewee.BigIntegerField(null=True, index=True)
    address = peewee.TextField(unique=True)
    name = peewee.TextField(default="")
    active = peewee.BooleanField(default=True)
    source = peewee.TextField(default="manual")

    class Meta:
        table_name = "mail_user"


class CredentialRow(KeyedRow):
    """A login of a customer or of one of its users; the verifier is never the secret."""

    login = peewee.TextField(unique=True)
    customer_key = peewee.BigIntegerField(index=True)
    user_key = peewee.BigIntegerField(null=True, index=True)
    kind = peewee.TextField()
    verifier = peewee.TextField()
    active = peewee.BooleanField(default=True)

    class Meta:
        table_name = "credential"


class AddressRangeRow(StoredRow):
    """Client addresses in CIDR form that prove a customer."""

    network = peewee.TextField(primary_key=True)
    customer_key = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "address_range"


class SettingRow(KeyedRow):
    """One cell of one layer: `scope` is a LayerKind, `owner_key` 0 the system's, `value` what `parse_setting` reads."""

    scope = peewee.TextField()
    owner_key = peewee.BigIntegerField()
    service = peewee.TextField(default="")
    field = peewee.TextField()
    value = peewee.TextField()
    origin = peewee.TextField()
    set_at = peewee.BigIntegerField()
    set_by = peewee.TextField()

    class Meta:
        table_name = "setting"
        indexes = ((("owner_key", "scope", "service", "field"), True),)


class ConstraintRow(StoredRow):
    """What the system (owner 0) or a customer allows; lists are comma-separated, null means any."""

    owner_key = peewee.BigIntegerField(primary_key=True)
    locked = peewee.TextField(default="")
    sender_ids = peewee.TextField(null=True)
    max_parts = peewee.IntegerField(null=True)
    express = peewee.BooleanField(default=True)
    flash = peewee.BooleanField(default=True)
    countries = peewee.TextField(null=True)

    class Meta:
        table_name = "constraint_set"


class DirectoryChangeRow(KeyedRow):
    """One record that a version of the directory touched: its kind and key, with the login of a credential."""

    version = peewee.BigIntegerField(index=True)
    kind = peewee.TextField()
    target = peewee.BigIntegerField()
    name = peewee.TextField(default="")

    class Meta:
        table_name = "directory_change"


class AuditRow(KeyedRow):
    """Who changed what, in words; never a secret."""

    at = peewee.BigIntegerField(index=True)
    who = peewee.TextField()
    action = peewee.TextField()
    target = peewee.TextField(index=True)
    detail = peewee.TextField(default="")

    class Meta:
        table_name = "audit"
