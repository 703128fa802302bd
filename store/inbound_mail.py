"""Mails of inbound SMS that were not delivered: who gets the SMS instead.

Nothing is kept about it beside the rows of the outbox. Not here: how those live (outbox), whom a mail is for first
(inbound.planning), which SMS nobody got (inbound_views).
"""

from typing import Final

import msgspec

from addressbook.canonical import canonical_address
from inbound.actions import ActionKind, MailAction
from store.engine.database import Transaction

INBOUND_MAIL: Final = "inbound-mail"
INBOUND_LIST: Final = "inbound-list"
"""The kinds of rows of the outbox that bring an inbound SMS, or a list of them, to a mailbox."""

_SETTINGS = "SELECT settings FROM inbound_action WHERE key = ? AND kind = ?"
# Locked, so that of two processes that end mails of one SMS the later one sees whom the earlier one chose.
_LOCK = "SELECT key FROM inbound_sms WHERE key = ? FOR UPDATE"
_TOLD = "SELECT recipient FROM outbox WHERE sms_key = ? AND kind = ?"


def find_fallback(tx: Transaction, action_key: int, sms_key: int) -> list[str]:
    """Return the addresses of an action to which no mail of this SMS was written, as they are set now."""
    settings = tx.value(_SETTINGS, (action_key, ActionKind.MAIL.value))
    if settings is None:
        return []
    tx.rows(_LOCK, (sms_key,))
    told = {canonical_address(recipient) or recipient for (recipient,) in tx.rows(_TOLD, (sms_key, INBOUND_MAIL))}
    addresses = msgspec.json.decode(settings, type=MailAction).addresses
    return [address for address in dict.fromkeys(addresses) if (canonical_address(address) or address) not in told]
