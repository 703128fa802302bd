"""The key by which a customer's application can tell that a push is from us.

Not here: how a push is signed and sent (web.push), and when (notify).
"""

from datetime import timedelta
from functools import partial

from gateway.admin.edit import AuditAction, Changed, Edit, Subject
from gateway.admin.lookup import get_customer
from store.engine.database import Database
from store.push_keys import find_push_keys, keep_push_key

_BESIDE = timedelta(hours=24)


class PushKeys:
    """Finds the keys of a customer, afresh for each push: a new key is in use at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keys_of(self, customer: str) -> tuple[bytes, ...]:
        """Return the keys that sign for the customer of this name, the newest first."""
        return await self._database.read(partial(find_push_keys, customer=customer))


def set_push_key(edit: Edit, customer: str, secret: bytes, beside: timedelta = _BESIDE) -> Changed:
    """Make this the key that signs the customer's pushes; the one before signs as well for as long as `beside`."""
    owner = get_customer(edit.tx, customer)
    keep_push_key(edit.tx, owner.id, secret, edit.who, beside)
    return edit.done(AuditAction.SET_PUSH_KEY, Subject(owner.name, owner.id), customer=owner.name)
