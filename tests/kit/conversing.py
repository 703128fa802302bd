"""Numbers of ours, actions and conversations in a database, for tests that answer inbound SMS."""

from typing import Any

import peewee

from addressbook.numbers import NumberKind, Sharing
from inbound.actions import ActionKind, MailAction
from inbound.reply_token import Conversation, write_reply_token
from store.engine.statements import Insert
from store.inbound_rules import write_settings
from store.inbound_tables import ActionRow, ConversationRow, NumberRow, NumberShareRow
from tests.kit.testbed import HouseCore

PHONE = "447700900123"
DEDICATED, SECOND, SHARED, RIVALS, BLOCKED = (f"44770090090{digit}" for digit in range(5))
SHORT = "60300"


def put(core: HouseCore, model: type[peewee.Model], **columns: Any) -> None:
    """Store one row."""
    statement = Insert(model)

    def write(tx, rows):
        tx.insert(statement, rows)
        return [None] * len(rows)

    core.database.write_now(write, statement.row(**columns))


def add_numbers(core: HouseCore) -> None:
    """Add numbers of acme and rival, and a shared one that acme has a part of."""
    acme, rival = _key(core, "acme"), _key(core, "rival")
    facts: dict[str, Any] = {"kind": NumberKind.LONG, "country": "GB", "state": "active", "sharing": Sharing.DEDICATED}
    put(core, NumberRow, key=1, digits=DEDICATED, customer_key=acme, carriers=min(core.routes.known), **facts)
    put(core, NumberRow, key=2, digits=SECOND, customer_key=acme, **facts)
    put(core, NumberRow, key=3, digits=SHARED, **facts | {"sharing": Sharing.PREFIX})
    put(core, NumberShareRow, number_key=3, word="acme", customer_key=acme)
    put(core, NumberRow, key=4, digits=RIVALS, customer_key=rival, **facts)
    put(core, NumberRow, key=5, digits=BLOCKED, customer_key=acme, **facts | {"state": "blocked"})
    put(core, NumberRow, key=6, digits=SHORT, customer_key=acme, **facts | {"kind": NumberKind.SHORT})
    core.book.load_now()


def add_desk(core: HouseCore, profile: str, *addresses: str) -> None:
    """Add an action of acme that mails to some addresses with the settings of a profile."""
    acme = _key(core, "acme")
    named = core.book.current.directory.profile_named(acme, profile)
    assert named is not None
    settings = write_settings(MailAction(addresses=addresses, profile_key=named.key))
    put(
        core,
        ActionRow,
        key=1,
        customer_key=acme,
        name="desk",
        canonical="desk",
        kind=ActionKind.MAIL,
        settings=settings,
        number_key=1,
    )
    core.book.load_now()


def converse(
    core: HouseCore, key: int, own: str, *, customer: str = "acme", phone: str = PHONE, used_at: int = 0
) -> None:
    """Add a conversation."""
    facts = {"customer_key": _key(core, customer), "phone": phone, "own_number": own, "used_at": used_at or key}
    put(core, ConversationRow, key=key, **facts)


def token(core: HouseCore, own: str = DEDICATED, *, customer: str = "acme", phone: str = PHONE) -> str:
    """Return the local part of a reply address."""
    assert core.conversations.secret is not None
    conversation = Conversation(customer_key=_key(core, customer), phone=phone, own_number=own)
    return write_reply_token(core.conversations.secret, conversation)


def _key(core: HouseCore, customer: str) -> int:
    found = core.book.current.directory.customer_named(customer)
    assert found is not None
    return found.key
