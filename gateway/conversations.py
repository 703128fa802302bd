"""What an answer by mail answers: the conversation that its reply address names, or that a handset's number alone has.

Not here: who may answer (addressbook.senders), the form of a reply address (inbound.reply_token).
"""

from collections.abc import Collection, Iterable, Mapping

from inbound.reply_token import Conversation, read_reply_token
from inbound.thread import read_thread
from store.conversations import own_numbers_of
from store.engine.database import Database, Transaction
from store.secrets import find_secret, secret_named

_KEY = "reply"


class Conversations:
    """Finds conversations; `domain` is that of our Message-IDs. Until a key is loaded no reply address is known.

    `secret` is the key that all nodes sign reply addresses with.
    """

    def __init__(self, database: Database, domain: str) -> None:
        self._database = database
        self._domain = domain
        self.secret: bytes | None = None

    async def load(self) -> None:
        """Read the key; the first node of all makes it."""
        self.secret = await self._database.write(_make_secrets, _KEY)

    def load_now(self) -> None:
        """Read the key where there is one, for a caller that writes nothing."""
        self.secret = self._database.read_now(lambda tx: find_secret(tx, _KEY))

    def named_by(self, token: str) -> Conversation | None:
        """Return the conversation that a reply address names, None where we did not make it."""
        return None if self.secret is None else read_reply_token(self.secret, token)

    def names_ours(self, message_ids: Iterable[str]) -> bool:
        """Return whether Message-IDs have one of the mail of an inbound SMS."""
        thread = read_thread(message_ids, self._domain)
        return bool(thread.roots or thread.mails)

    def own_numbers_now(self, customer_key: int, phones: Collection[str], answered: Iterable[str]) -> Mapping[str, str]:
        """Return the number of ours that a customer converses with each handset by, where it does.

        `answered` are the Message-IDs that the mail names; waits for the database, so not for the event loop.
        """
        thread = read_thread(answered, self._domain)
        return self._database.read_now(lambda tx: own_numbers_of(tx, customer_key, phones, thread))


def _make_secrets(tx: Transaction, names: list[str]) -> list[bytes]:
    return [secret_named(tx, name) for name in names]
