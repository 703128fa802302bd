"""Our numbers, which handsets write to: who owns or shares each, and who may have it as its sender ID.

Not here: whose an inbound SMS is and what follows from it (inbound), numbers of recipients (sms.number).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

JOIN_WITHIN = timedelta(minutes=10)


class NumberKind(StrEnum):
    """A long code is an E.164 number, a short code means something in its country only."""

    LONG = "long"
    SHORT = "short"


class NumberState(StrEnum):
    """`REQUESTED` is not served yet; what comes to a `BLOCKED` number is kept and nobody's."""

    REQUESTED = "requested"
    ACTIVE = "active"
    BLOCKED = "blocked"


class Sharing(StrEnum):
    """How a number's customer is found.

    `PREFIX`: the word that opens each text, which is then taken off; `KEYWORD`: the same word stays; `DYNAMIC`: the
    customer that last contacted the handset.
    """

    DEDICATED = "dedicated"
    PREFIX = "prefix"
    KEYWORD = "keyword"
    DYNAMIC = "dynamic"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberShare:
    """A customer's part of a number shared by prefix or keyword; `word` is folded (inbound.words)."""

    customer_key: int
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNumber:
    """One of our numbers. `digits` is E.164 without plus, or the short code; `country` two letters.

    `customer_key` owns a dedicated number, None any other. `carriers` serve it, any carrier where it names none.
    Fragments of one text are waited for no longer than `join_within`.
    """

    key: int
    digits: str
    kind: NumberKind
    country: str
    state: NumberState = NumberState.ACTIVE
    sharing: Sharing = Sharing.DEDICATED
    customer_key: int | None = None
    carriers: tuple[str, ...] = ()
    shares: tuple[NumberShare, ...] = ()
    join_within: timedelta = JOIN_WITHIN

    def serves(self, carrier: str) -> bool:
        """Return whether this carrier serves the number."""
        return not self.carriers or carrier in self.carriers


class OwnNumbers:
    """All our numbers, as of one version of the address book."""

    __slots__ = ("_by_digits", "_by_key")

    def __init__(self, numbers: Iterable[OwnNumber] = ()) -> None:
        by_digits: dict[str, list[OwnNumber]] = defaultdict(list)
        for number in numbers:
            by_digits[number.digits].append(number)
        self._by_digits = {digits: tuple(found) for digits, found in by_digits.items()}
        self._by_key = {number.key: number for found in self._by_digits.values() for number in found}

    def with_key(self, key: int) -> OwnNumber | None:
        """Return the number with this key."""
        return self._by_key.get(key)

    def named(self, address: str) -> Sequence[OwnNumber]:
        """Return the numbers of this address, with or without plus: a short code may be several countries'."""
        return self._by_digits.get(address.removeprefix("+"), ())

    def reached_by(self, address: str, carrier: str) -> OwnNumber | None:
        """Return the number that an inbound SMS of this carrier came to, best one that names the carrier."""
        found = [number for number in self.named(address) if number.serves(carrier)]
        return max(found, key=lambda number: carrier in number.carriers, default=None)

    def everyone(self) -> Iterable[OwnNumber]:
        """Return all numbers."""
        return self._by_key.values()
