"""Where a customer's application is told by push, and with which key it can tell that it was us.

Not here: how a push is signed and sent (web.push), and when (notify).
"""

from functools import partial

from addressbook.people import Customer
from gateway.admin.customers import Answer, Change, Edit, all_of, with_customer
from gateway.admin.settings import of_customer, set_settings
from store.engine.database import Database
from store.push_keys import find_push_key, keep_push_key


class PushKeys:
    """Finds the key of a customer, afresh for each push: a new key is in use at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def key_of(self, customer: str) -> bytes | None:
        """Return the key of the customer of this name, None where it has none."""
        return await self._database.read(partial(find_push_key, customer=customer))


def set_push(customer: str, url: str, secret: bytes) -> Change:
    """Set the customer's push_url and its key, which takes the place of the one before."""
    return all_of(set_settings(of_customer(customer), {"push_url": url}), _new_key(customer, secret))


def _new_key(name: str, secret: bytes) -> Change:
    def run(edit: Edit, customer: Customer) -> Answer:
        keep_push_key(edit.tx, customer.id, secret, edit.who)
        return edit.done("push.key", customer.name, f"«{customer.name}» has a new key for its pushes.")

    return with_customer(name, run)
