"""Receipts as rows: which part each names, those that fit nothing yet, and how many of one part are kept.

Not here: what a receipt does to its part (progress).
"""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter

from msgspec import Struct

from sms.message import Receipt, ReceiptState
from store.engine.keys import Keys, to_stored
from store.engine.rows import query
from store.engine.statements import Insert, Update
from store.engine.transaction import Row, Transaction
from store.tables import ReceiptRow

ERROR_KEPT = 80
_ORPHAN_LIFE = int(timedelta(hours=48).total_seconds()) * 1_000_000
# No validity is longer than 7 days, no orphan lives longer than 2: for an older part there is no receipt to come.
_ID_MISSING_LIFE = int(timedelta(days=10).total_seconds()) * 1_000_000
# Of one part, beside those that moved it: with the same news, and in all.
_MOST_ALIKE = 3
_MOST_KEPT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One receipt and when it came, in microseconds."""

    receipt: Receipt
    at: int


class Orphan(Struct, frozen=True, kw_only=True, array_like=True):
    """A receipt that fits nothing yet; `received_at` in microseconds."""

    key: int
    carrier: str
    carrier_id: str
    state: ReceiptState
    error: str
    number: str
    received_at: int
    word: str
    network: str
    price: str


class NamedPart(Struct, frozen=True, kw_only=True, array_like=True):
    """A part that its carrier has named, and the number that it is to."""

    key: int
    carrier: str
    carrier_id: str
    number: str


# The key of a part and of its message.
Named = tuple[int, int]
# A receipt with the key of its part, None for an orphan.
Fitted = tuple[Arrived, int | None]

_NOTHING: Named = (0, 0)
_RECEIPTS = Insert(ReceiptRow)
_ADOPTED = Update(ReceiptRow, "part_key")
_KEPT = "SELECT part_key, state, error, count(*) FROM receipt WHERE part_key IN (??) GROUP BY part_key, state, error"
_ORPHAN = query(Orphan, "FROM receipt WHERE part_key IS NULL")
_ORPHAN_BY_ID = _ORPHAN + " AND carrier_id IN (??)"
_ORPHAN_BY_NUMBER = _ORPHAN + " AND number IN (??)"
_PART_BY_ID = "SELECT key, carrier, carrier_id, message_key FROM part WHERE carrier_id <> '' AND carrier_id IN (??)"
_ATTEMPT_BY_ID = (
    "SELECT a.part_key, a.carrier, a.carrier_id, p.message_key FROM part_attempt a JOIN part p ON p.key = a.part_key"
    " WHERE a.carrier_id <> '' AND a.carrier_id IN (??)"
)
_NAMED = query(
    NamedPart,
    "FROM part p JOIN message m ON m.key = p.message_key WHERE p.carrier_id <> '' AND p.carrier_id IN (??)",
    "p",
    number="m.number",
)
# As store.message_update.LoadedPart.id_missing says it.
_ID_MISSING = (
    "SELECT p.key, m.key, p.carrier, m.number FROM"
    " (SELECT key, number FROM message WHERE number IN (??) AND updated_at > ? AND id_missing) AS m"
    " JOIN part p ON p.message_key = m.key WHERE p.carrier_id = ''"
    " AND (p.state IN ('submitted', 'unknown') OR (p.state = 'queued' AND p.resends > 0))"
)


def name_parts(tx: Transaction, arrived: Sequence[Arrived], whole: AbstractSet[str]) -> list[Named]:
    """Return the part that each receipt names: the newest with that id, or the only one without id to its number.

    It may be of a carrier that gave the part back before (part_attempt).
    With a carrier of `whole`, which gives one receipt for a text, it may be any part of the only text.
    """
    found: dict[tuple[str, str], Named] = {}
    wanted = {item.receipt.carrier_id for item in arrived}
    for key, carrier, carrier_id, message_key in tx.rows_in(_PART_BY_ID, wanted):
        found[carrier, carrier_id] = max((key, message_key), found.get((carrier, carrier_id), _NOTHING))
    earlier = wanted - {carrier_id for _, carrier_id in found}
    for key, carrier, carrier_id, message_key in tx.rows_in(_ATTEMPT_BY_ID, earlier):
        found[carrier, carrier_id] = key, message_key
    strange = [item for item in arrived if (item.receipt.carrier, item.receipt.carrier_id) not in found]
    since = min((item.at for item in strange), default=0)
    without_id = find_without_id(tx, {item.receipt.number for item in strange}, since)
    named = []
    for item in arrived:
        fitting = without_id.get((item.receipt.carrier, item.receipt.number), [])
        is_whole = item.receipt.carrier in whole and len({message_key for _, message_key in fitting}) == 1
        alone = fitting[0] if len(fitting) == 1 or is_whole else _NOTHING
        named.append(found.get((item.receipt.carrier, item.receipt.carrier_id), alone))
    return named


def find_parts_named(tx: Transaction, carrier_ids: AbstractSet[str]) -> list[NamedPart]:
    """Return the parts that have one of these ids, of whatever carrier."""
    return tx.select_in(NamedPart, _NAMED, carrier_ids)


def find_without_id(tx: Transaction, numbers: AbstractSet[str], at: int) -> dict[tuple[str, str], list[Named]]:
    """Return the parts whose id their carrier owes, by carrier and number: its answer was lost, or had none."""
    found: dict[tuple[str, str], list[Named]] = {}
    for key, message_key, carrier, number in tx.rows_in(_ID_MISSING, numbers - {""}, (at - _ID_MISSING_LIFE,)):
        found.setdefault((carrier, number), []).append((key, message_key))
    return found


def find_orphans(tx: Transaction, carrier_ids: AbstractSet[str]) -> list[Orphan]:
    """Return the orphans with these ids, of whatever carrier, oldest first."""
    return _oldest_first(tx.select_in(Orphan, _ORPHAN_BY_ID, carrier_ids))


def find_orphans_of(tx: Transaction, carriers: AbstractSet[str], most: int) -> list[Orphan]:
    """Return the newest orphans of these carriers, oldest first."""
    return _oldest_first(tx.select_in(Orphan, _ORPHAN + " AND carrier IN (??)", carriers))[-most:]


def find_orphans_to(tx: Transaction, numbers: AbstractSet[str]) -> list[Orphan]:
    """Return the orphans to these numbers, oldest first."""
    return _oldest_first(tx.select_in(Orphan, _ORPHAN_BY_NUMBER, numbers))


def _oldest_first(orphans: list[Orphan]) -> list[Orphan]:
    return sorted(orphans, key=attrgetter("key"))


def adopt(tx: Transaction, adopted: Sequence[Named]) -> None:
    """Give orphans to their parts: the key of the part and of the receipt."""
    tx.update(_ADOPTED, adopted)


def worth_keeping(tx: Transaction, idle: Sequence[Fitted]) -> list[Fitted]:
    """Return those receipts that moved nothing which are not kept often enough: a carrier may repeat news for days."""
    alike: Counter[tuple[int | None, str, str]] = Counter()
    of_part: Counter[int | None] = Counter()
    for key, state, error, count in tx.rows_in(_KEPT, {key for _, key in idle}):
        alike[key, state, error] = count
        of_part[key] += count
    kept = []
    for item, key in idle:
        news = (key, item.receipt.state.value, item.receipt.error[:ERROR_KEPT])
        if alike[news] < _MOST_ALIKE and of_part[key] < _MOST_KEPT:
            alike[news] += 1
            of_part[key] += 1
            kept.append((item, key))
    return kept


def keep(tx: Transaction, keys: Keys, receipts: Sequence[Fitted]) -> None:
    """Write receipts down."""
    tx.insert(_RECEIPTS, [_row(keys.take(), item, part_key) for item, part_key in receipts])


def _row(key: int, item: Arrived, part_key: int | None) -> Row:
    receipt = item.receipt
    return _RECEIPTS.row(
        key=key,
        carrier=receipt.carrier,
        carrier_id=receipt.carrier_id,
        state=receipt.state.value,
        error=receipt.error[:ERROR_KEPT],
        number=receipt.number,
        done_at=to_stored(receipt.done_at) if receipt.done_at else None,
        received_at=item.at,
        part_key=part_key,
        word=receipt.word[:ERROR_KEPT],
        network=receipt.network,
        price=receipt.price,
    )


def forget_orphans(tx: Transaction, nows: list[int]) -> list[int]:
    """Delete receipts that fitted nothing for 48 hours; returns how many."""
    return [
        tx.execute("DELETE FROM receipt WHERE part_key IS NULL AND received_at <= ?", (now - _ORPHAN_LIFE,))
        for now in nows
    ]
