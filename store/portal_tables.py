"""The tables of the portal: accounts, their roles at customers, sessions, links that are used once, rules of customers.

Instants are microseconds since 1970, UTC. Not here: what is read and written (portal_accounts, portal_sessions).
"""

# ruff: noqa: D106 - peewee's Meta is configuration, the docstring is its model's

import peewee

from store.tables import KeyedRow, StoredRow


class PortalAccountRow(KeyedRow):
    """Who signs in; `verifier` is argon2's, empty where there is no password.

    `totp_step` is the last time step of which a code was taken, `recovery` the digests of recovery codes not yet used,
    with blanks between them. The secret of the codes itself is kept, since a code is computed from it.
    """

    address = peewee.TextField(unique=True)
    name = peewee.TextField(default="")
    language = peewee.TextField(default="")
    zone = peewee.TextField(default="")
    verifier = peewee.TextField(default="")
    totp_secret = peewee.TextField(default="")
    totp_step = peewee.BigIntegerField(default=0)
    recovery = peewee.TextField(default="")
    state = peewee.TextField()
    created_at = peewee.BigIntegerField()
    signed_in_at = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "portal_account"


class PortalMembershipRow(StoredRow):
    """A role of an account at a customer; `customer_key` 0 is the operator's."""

    account_key = peewee.BigIntegerField()
    customer_key = peewee.BigIntegerField(index=True)
    role = peewee.TextField()

    class Meta:
        table_name = "portal_membership"
        primary_key = peewee.CompositeKey("account_key", "customer_key")


class PortalSessionRow(KeyedRow):
    """Somebody who has signed in, by the SHA-256 of the token that the browser has."""

    digest = peewee.TextField(unique=True)
    account_key = peewee.BigIntegerField(index=True)
    stage = peewee.TextField()
    created_at = peewee.BigIntegerField()
    used_at = peewee.BigIntegerField()
    expires_at = peewee.BigIntegerField(index=True)
    client = peewee.TextField(default="")
    agent = peewee.TextField(default="")

    class Meta:
        table_name = "portal_session"


class PortalLinkRow(KeyedRow):
    """A link that was given to an account; what it may do is signed in the link itself."""

    account_key = peewee.BigIntegerField(index=True)
    kind = peewee.TextField()
    made_by = peewee.TextField()
    expires_at = peewee.BigIntegerField()
    used_at = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "portal_link"


class PortalRuleRow(StoredRow):
    """What a customer asks of its accounts, and its identity provider's client for the portal.

    `oidc_role` is that of somebody who signs in there first; empty: nobody gets an account by that.
    """

    customer_key = peewee.BigIntegerField(primary_key=True)
    totp_required = peewee.BooleanField(default=False)
    oidc_client = peewee.TextField(default="")
    oidc_secret = peewee.TextField(default="")
    oidc_role = peewee.TextField(default="")

    class Meta:
        table_name = "portal_rule"
