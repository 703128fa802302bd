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
    its first stop entry: nobody looks for entries of a customer that never had one. `admin_address` is told of its
    directories, limits and reports; empty: the operator's is. `tls_required`: no mail of it is taken in clear. `proofs`
    are the kinds that it takes, comma-separated; null: all. The `oidc` fields are empty where it has no issuer.
    `arc_sealers` are the domains of sealers that it trusts, comma-separated.
    """

    name = peewee.TextField()
    canonical = peewee.TextField(unique=True)
    default_profile_key = peewee.BigIntegerField(null=True)
    active = peewee.BooleanField(default=True)
    options = peewee.TextField(null=True)
    stop_listed = peewee.BooleanField(default=False)
    admin_address = peewee.TextField(default="")
    tls_required = peewee.BooleanField(default=False)
    proofs = peewee.TextField(null=True)
    oidc_issuer = peewee.TextField(default="")
    oidc_audience = peewee.TextField(default="")
    oidc_claim = peewee.TextField(default="")
    arc_sealers = peewee.TextField(default="")

    class Meta:
        table_name = "customer"


class CustomerDomainRow(StoredRow):
    """A sender domain as A-labels; nobody else can have it."""

    domain = peewee.TextField(primary_key=True)
    customer_key = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "customer_domain"


class DomainClaimRow(StoredRow):
    """A domain that a customer says is its own, until the TXT record with this token proves it."""

    customer_key = peewee.BigIntegerField()
    domain = peewee.TextField()
    token = peewee.TextField()
    claimed_at = peewee.BigIntegerField()

    class Meta:
        table_name = "domain_claim"
        primary_key = peewee.CompositeKey("customer_key", "domain")


class ProfileRow(KeyedRow):
    """A profile of one customer."""

    customer_key = peewee.BigIntegerField()
    name = peewee.TextField()
    canonical = peewee.TextField()

    class Meta:
        table_name = "profile"
        indexes = ((("customer_key", "canonical"), True),)


class UserRow(KeyedRow):
    """One version of a user. `user_key` is the user's own, whatever version; `address` is canonical.

    A version is in force if the directory run of `since_run` was applied, and that of `until_run` was not (null: no
    run). `source` says who speaks of it: `manual`, `file` or `directory`; `directory_key` and `anchor` by which entry.
    An administrator decides `active`; its directory says that it is `disabled`. `unseen_at`: a complete reading did not
    have it; `missing_at`: it may not send, since its entry is gone.
    """

    user_key = peewee.BigIntegerField(index=True)
    customer_key = peewee.BigIntegerField(index=True)
    profile_key = peewee.BigIntegerField(null=True, index=True)
    address = peewee.TextField(index=True)
    name = peewee.TextField(default="")
    phone = peewee.TextField(default="")
    active = peewee.BooleanField(default=True)
    source = peewee.TextField(default="manual")
    directory_key = peewee.BigIntegerField(null=True, index=True)
    anchor = peewee.TextField(default="")
    disabled = peewee.BooleanField(default=False)
    unseen_at = peewee.BigIntegerField(null=True)
    missing_at = peewee.BigIntegerField(null=True)
    since_run = peewee.BigIntegerField(null=True, index=True)
    until_run = peewee.BigIntegerField(null=True, index=True)

    class Meta:
        table_name = "mail_user"


class CredentialRow(KeyedRow):
    """A login of a customer or of one of its users; the verifier is never the secret, nor is that of SCRAM.

    `service` is that of its mails, empty where they say it; `profile_key` that of senders who are no users. `scopes`,
    `expires_at` and `sandbox` are those of an API key.
    """

    login = peewee.TextField(unique=True)
    customer_key = peewee.BigIntegerField(index=True)
    user_key = peewee.BigIntegerField(null=True, index=True)
    kind = peewee.TextField()
    verifier = peewee.TextField()
    active = peewee.BooleanField(default=True)
    scram = peewee.TextField(default="")
    service = peewee.TextField(default="")
    profile_key = peewee.BigIntegerField(null=True)
    scopes = peewee.TextField(default="")
    expires_at = peewee.BigIntegerField(null=True)
    sandbox = peewee.BooleanField(default=False)

    class Meta:
        table_name = "credential"


class ApiKeyUseRow(StoredRow):
    """When an API key was used last, by its login; written once in a while."""

    login = peewee.TextField(primary_key=True)
    used_at = peewee.BigIntegerField()

    class Meta:
        table_name = "api_key_use"


class AddressRangeRow(StoredRow):
    """Client addresses in CIDR form that prove a customer, alone only where they are not `shared` with strangers.

    Only a shared network may be of several customers. `service` and `profile_key` are as those of a credential.
    `tls_required`: no mail is taken from them in clear.
    """

    network = peewee.TextField()
    customer_key = peewee.BigIntegerField(index=True)
    shared = peewee.BooleanField(default=False)
    tls_required = peewee.BooleanField(default=False)
    service = peewee.TextField(default="")
    profile_key = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "address_range"
        primary_key = peewee.CompositeKey("network", "customer_key")


class SettingRow(KeyedRow):
    """One cell of one layer: `scope` is a LayerKind, `owner_key` 0 the system's, `value` what `parse_setting` reads.

    The runs are as in `UserRow`: of a field, one cell is in force.
    """

    scope = peewee.TextField()
    owner_key = peewee.BigIntegerField()
    service = peewee.TextField(default="")
    field = peewee.TextField()
    value = peewee.TextField()
    origin = peewee.TextField()
    set_at = peewee.BigIntegerField()
    set_by = peewee.TextField()
    since_run = peewee.BigIntegerField(null=True, index=True)
    until_run = peewee.BigIntegerField(null=True, index=True)

    class Meta:
        table_name = "setting"
        indexes = ((("owner_key", "scope", "service", "field"), False),)


class ConstraintRow(StoredRow):
    """What the system (owner 0), a customer, a profile or a user allows; lists are comma-separated, null means any.

    `usage` are its limits of use, as `sms.usage.parse_limit` reads them.
    """

    owner_key = peewee.BigIntegerField(primary_key=True)
    locked = peewee.TextField(default="")
    sender_ids = peewee.TextField(null=True)
    max_parts = peewee.IntegerField(null=True)
    express = peewee.BooleanField(default=True)
    flash = peewee.BooleanField(default=True)
    countries = peewee.TextField(null=True)
    number_types = peewee.TextField(null=True)
    usage = peewee.TextField(default="")

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
    """Who changed what, in words; never a secret. `field` with `before` and `after` where it was one value.

    A line of a directory run is what the run would change, and counts once it was applied.
    """

    at = peewee.BigIntegerField(index=True)
    who = peewee.TextField()
    action = peewee.TextField()
    target = peewee.TextField(index=True)
    detail = peewee.TextField(default="")
    customer_key = peewee.BigIntegerField(null=True, index=True)
    field = peewee.TextField(default="")
    before = peewee.TextField(default="")
    after = peewee.TextField(default="")
    run_key = peewee.BigIntegerField(null=True, index=True)

    class Meta:
        table_name = "audit"


class DirectoryRow(KeyedRow):
    """A customer's directory: an LDAP server or a watched folder. `options` are JSON for `addressbook.sources`.

    `cookie` is where the next delta begins, `digest` that of the options by which the users in force were read.
    """

    customer_key = peewee.BigIntegerField()
    name = peewee.TextField()
    canonical = peewee.TextField()
    kind = peewee.TextField()
    options = peewee.TextField(default="{}")
    active = peewee.BooleanField(default=True)
    cookie = peewee.TextField(default="")
    digest = peewee.TextField(default="")
    full_at = peewee.BigIntegerField(null=True)
    synced_at = peewee.BigIntegerField(null=True)
    due_at = peewee.BigIntegerField(null=True)
    failures = peewee.IntegerField(default=0)

    class Meta:
        table_name = "directory"
        indexes = ((("customer_key", "canonical"), True),)


class DirectoryRunRow(KeyedRow):
    """One reading of a directory and what came of it: `state` is a RunState, `mode` full or delta.

    `counts`, `problem` (why it failed), `faults` (the first entries that were left as they were) and `held_for` (why it
    waits for approval) are JSON. `base_version` is the directory version that it was planned upon; `cookie` and
    `options_digest` are taken over with it. `list_sets` are the lists' new members. `ready_at`: all is
    staged, so that readers can prepare for it. `swept`: no row names the run any more but those of the audit.
    """

    directory_key = peewee.BigIntegerField(index=True)
    customer_key = peewee.BigIntegerField()
    state = peewee.TextField(index=True)
    mode = peewee.TextField()
    began_at = peewee.BigIntegerField()
    ended_at = peewee.BigIntegerField(null=True)
    asked_by = peewee.TextField(default="")
    source = peewee.TextField(default="")
    digest = peewee.TextField(default="")
    counts = peewee.TextField(default="{}")
    problem = peewee.TextField(default="null")
    faults = peewee.TextField(default="[]")
    held_for = peewee.TextField(default="[]")
    base_version = peewee.BigIntegerField(default=0)
    cookie = peewee.TextField(default="")
    options_digest = peewee.TextField(default="")
    list_sets = peewee.TextField(default="[]")
    approved_by = peewee.TextField(default="")
    ready_at = peewee.BigIntegerField(null=True)
    swept = peewee.BooleanField(default=False)

    class Meta:
        table_name = "directory_run"
