"""The key by which an application can tell that a push is from us: a customer's, or that of one of its users.

Not here: how a push is signed and sent (web.push), and when (notify), webhooks (webhooks).
"""

from datetime import timedelta
from functools import partial

from gateway.admin.edit import AuditAction, Changed, Edit, Subject
from gateway.admin.lookup import get_customer, get_user_of
from store.engine.database import Database
from store.push_keys import PushTerms, find_push_terms, keep_push_key

_BESIDE = timedelta(hours=24)


class PushKeys:
    """Finds what counts for a push, afresh for each: a new key is in use at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def terms_of(self, customer: str, user: str) -> PushTerms:
        """Return it for the customer of this name, and for its user of this address where the push is to the user's."""
        return await self._database.read(partial(find_push_terms, customer=customer, user=user))


def set_push_key(edit: Edit, customer: str, secret: bytes, beside: timedelta = _BESIDE, user: str = "") -> Changed:
    """Make this the key that signs pushes of the customer, or to the URL of its user.

    The one before signs as well for as long as `beside`.
    """
    owner = get_customer(edit.tx, customer)
    of_user = get_user_of(edit.tx, owner, user) if user else None
    named, key = (owner.name, owner.key) if of_user is None else (of_user.address, of_user.key)
    keep_push_key(edit.tx, key, secret, customer_key=owner.key, who=edit.who, beside=beside)
    return edit.done(AuditAction.SET_PUSH_KEY, Subject(named, owner.key), owner=named)
