"""What is known of handsets when they write: who wrote to them, their stop entries, and our automatic answers.

Nothing is kept for it: contacts are asked of the messages themselves. Not here: what follows (inbound.planning).
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from inbound.planning import MOST_ANSWERS, Past
from inbound.sms import Contact
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_stored
from store.engine.rows import decode, query
from store.stop_list import stops_in_force

# Of a handset that is texted all the time: so many of its last SMS are looked at.
_LOOKED_AT = 1_000
ANSWERS_KEPT = max(span for span, _ in MOST_ANSWERS)
"""So long an automatic answer counts."""


class _Contact(Struct, frozen=True, array_like=True):
    customer_key: int
    user_address: str
    service: str
    sender_id: str
    reverse_path: str
    at: int


class _Answer(Struct, frozen=True, array_like=True):
    phone: str
    customer_key: int
    at: int


# From the instant at which a carrier took the first part; no dry run counts, no sandbox, nothing cancelled.
_CONTACTS = query(
    _Contact,
    "FROM (SELECT job_key, sender, (SELECT min(submitted_at) FROM part WHERE message_key = message.key) AS taken_at,"
    " state FROM message WHERE number = ? ORDER BY key DESC LIMIT ?) AS m JOIN job j ON j.key = m.job_key"
    " WHERE m.taken_at IS NOT NULL AND m.state <> 'cancelled' AND NOT j.sandbox"
    " GROUP BY j.customer_key, j.user_address, j.service, m.sender, j.reverse_path",
    "j",
    sender_id="m.sender",
    at="max(m.taken_at)",
)
_ANSWERS = query(_Answer, "FROM automatic_answer WHERE phone IN (??) AND at > ?")


def read_past(tx: Transaction, phones: Iterable[str], now: datetime) -> dict[str, Past]:
    """Return what is known of each handset, by its digits."""
    wanted = list(dict.fromkeys(phones))
    contacts = tx.rows_each(_CONTACTS, [(phone, _LOOKED_AT) for phone in wanted])
    stops: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for entry in stops_in_force(tx, wanted):
        stops[entry.number].append((entry.customer_key, entry.service))
    answers: dict[str, list[tuple[int, timedelta]]] = defaultdict(list)
    for row in tx.select_in(_Answer, _ANSWERS, wanted, (to_stored(now - ANSWERS_KEPT),)):
        answers[row.phone].append((row.customer_key, now - to_instant(row.at)))
    return {
        phone: Past(
            contacts=[_contact(row) for row in decode(_Contact, rows)], stops=stops[phone], answers=answers[phone]
        )
        for phone, rows in zip(wanted, contacts, strict=True)
    }


def _contact(row: _Contact) -> Contact:
    return Contact(
        customer_key=row.customer_key,
        user_address=row.user_address,
        service=row.service,
        sender_id=row.sender_id,
        at=to_instant(row.at),
        reverse_path=row.reverse_path,
    )
