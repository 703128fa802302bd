"""Which parts to ask a carrier about: those it has, whose receipt has not come and is about to be given up.

They are found by the time at which silence ends them, in the order of it; who asks keeps the place where it stands, so
that no part is asked about twice and nothing is written down. Not here: giving up on them (progress).
"""

from dataclasses import dataclass

from msgspec import Struct

from store.engine.database import Transaction
from store.engine.rows import query


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierLook:
    """A look at one carrier's parts that end by `until`, behind the place `after`; instants are microseconds.

    `expired_by` bounds the end of the validity: before it a part may still be waited for, whatever its message awaits.
    """

    carrier: str
    after: tuple[int, int]
    until: int
    expired_by: int
    most: int


class Unreported(Struct, frozen=True, array_like=True):
    """A part without its receipt; `ends_at` is when silence ends it, in microseconds."""

    ends_at: int
    part_key: int
    message_id: str
    carrier_id: str
    sender: str

    @property
    def place(self) -> tuple[int, int]:
        """Its own in the order of looking."""
        return self.ends_at, self.part_key


# The first bound is for the index (message_watched); many messages of one job have the same time.
_UNREPORTED = query(
    Unreported,
    "FROM message m JOIN part p ON p.message_key = m.key"
    " WHERE NOT m.ended AND m.watch_at >= ? AND m.watch_at <= ? AND (m.watch_at > ? OR p.key > ?)"
    " AND m.receipt_wanted AND m.expires_at <= ? AND p.state = 'submitted' AND p.carrier = ? AND p.carrier_id <> ''"
    " ORDER BY m.watch_at, p.key LIMIT ?",
    "m",
    ends_at="m.watch_at",
    part_key="p.key",
    message_id="m.public_id",
    carrier_id="p.carrier_id",
)


def find_unreported(tx: Transaction, look: CarrierLook) -> list[Unreported]:
    """Return the next parts to ask about."""
    after, key = look.after
    values = (after, look.until, after, key, look.expired_by, look.carrier, look.most)
    return tx.select(Unreported, _UNREPORTED, values)
