"""The references that join the parts of long texts: counted up for each number, so that none comes twice within a day.

Standard: 3GPP TS 23.040 §9.2.3.24.1 and §9.2.3.24.8: a modulo 256 (or 65536) counter. Every process counts in the
database, in the transaction that stores the text. Not here: the headers (sms.parts).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from zlib import crc32

from store.engine.database import Transaction

_DAY = 24 * 3600 * 1_000_000
_KEPT = 2 * _DAY
_MODULUS = 65536
_SQLITE = (
    "INSERT INTO concatenation (number, reference, until) VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE SET"
    " reference = (concatenation.reference + excluded.reference) % 65536, until = excluded.until"
    " RETURNING number, reference"
)
_POSTGRESQL = _SQLITE.replace("VALUES (?, ?, ?)", "SELECT n, r, ? FROM unnest(?::text[], ?::integer[]) AS u (n, r)")


def count_references(tx: Transaction, numbers: Iterable[str], now: int) -> dict[str, Iterator[int]]:
    """Return by number as many references of 16 bits as it is named, each one more than the last, modulo 65536.

    Each number begins elsewhere, so that those of a job do not all have the same.
    """
    wanted = sorted(Counter(numbers).items())
    if not wanted:
        return {}
    if tx.postgresql:
        texts, counts = map(list, zip(*wanted, strict=True))
        rows = tx.rows(_POSTGRESQL, (now + _KEPT, texts, counts))
    else:
        rows = [row for number, count in wanted for row in tx.rows(_SQLITE, (number, count, now + _KEPT))]
    last: dict[str, int] = dict(rows)
    return {
        number: iter([(crc32(number.encode()) + last[number] - behind) % _MODULUS for behind in reversed(range(count))])
        for number, count in wanted
    }


def forget_references(tx: Transaction, now: int) -> int:
    """Delete up to 5,000 counters that nobody used for two days; returns how many."""
    old = "DELETE FROM concatenation WHERE number IN (SELECT number FROM concatenation WHERE until <= ? LIMIT 5000)"
    return tx.execute(old, (now,))
