"""The key by which a customer's application can tell that a push is from us.

Not here: how a push is signed and sent (web.push), and when (notify).
"""

from functools import partial

from gateway.admin.edit import AuditAction, Changed, Edit, Subject
from gateway.admin.lookup import get_customer
from store.engine.database import Database
from store.push_keys import find_push_key, keep_push_key


class PushKeys:
    """Finds the key of a customer, afresh for each push: a new key is in use at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def key_of(self, customer: str) -> bytes | None:
        """Return the key of the customer of this name, None where it has none."""
        return await self._database.read(partial(find_push_key, customer=customer))


def set_push_key(edit: Edit, customer: str, secret: bytes) -> Changed:
    """Make this the key that signs the customer's pushes, in place of the one before."""
    owner = get_customer(edit.tx, customer)
    keep_push_key(edit.tx, owner.id, secret, edit.who)
    return edit.done(AuditAction.SET_PUSH_KEY, Subject(owner.name, owner.id), customer=owner.name)
