"""Our numbers, which handsets write to: who owns or shares each, who may have it as its sender ID, who is answered.

Not here: whose an inbound SMS is and what follows from it (inbound), numbers of recipients (sms.number).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sms.number import MobileNumber, SenderId, SenderKind, country_of
from sms.outcome import Refusal, Refused

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


class Unanswerable(StrEnum):
    """Why no answer to a sender ID comes to its customer: it is no number, or no active one of ours, or of others."""

    NAME = "name"
    NOT_OURS = "not-ours"
    NOT_ACTIVE = "not-active"
    NOT_SHARED = "not-shared"


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

    @property
    def sender_id(self) -> SenderId:
        """The number as a sender ID."""
        kind = SenderKind.NUMERIC if self.kind is NumberKind.LONG else SenderKind.SHORT_CODE
        return SenderId(value=self.digits, kind=kind)

    def may_send(self, customer_key: int) -> bool:
        """Return whether it may be this customer's sender ID: a dedicated number is its owner's only."""
        return self.sharing is not Sharing.DEDICATED or self.customer_key == customer_key

    def serves_customer(self, customer_key: int) -> bool:
        """Return whether what handsets write to it may come to this customer, and be answered by it."""
        if self.state is not NumberState.ACTIVE:
            return False
        if self.sharing in {Sharing.DEDICATED, Sharing.DYNAMIC}:
            return self.may_send(customer_key)
        return any(share.customer_key == customer_key for share in self.shares)


class OwnNumbers:
    """All our numbers, as of one version of the address book; each of `carrier_choices` serves some of them."""

    __slots__ = ("_by_digits", "_by_key", "_customers", "_is_dynamic", "carrier_choices")

    def __init__(self, numbers: Iterable[OwnNumber] = ()) -> None:
        by_digits: dict[str, list[OwnNumber]] = defaultdict(list)
        for number in numbers:
            by_digits[number.digits].append(number)
        self._by_digits = {digits: tuple(found) for digits, found in by_digits.items()}
        self._by_key = {number.key: number for found in self._by_digits.values() for number in found}
        everyone = self._by_key.values()
        self.carrier_choices = frozenset(number.carriers for number in everyone if number.carriers)
        self._is_dynamic = any(number.sharing is Sharing.DYNAMIC for number in everyone)
        self._customers = {number.customer_key for number in everyone} | {
            share.customer_key for number in everyone for share in number.shares
        }

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

    def may_answer(self, customer_key: int) -> bool:
        """Return whether a handset may have written to the customer: it has a number, or a part of one."""
        return self._is_dynamic or customer_key in self._customers

    def carriers_for(
        self, sender_id: SenderId | None, customer_key: int, phone: MobileNumber
    ) -> tuple[str, ...] | Refused:
        """Return the carriers that may take a customer's SMS with this sender ID, none where any may.

        A short code that is ours in several countries is that of the handset's, if it is one of them.
        """
        found = self._by_digits.get(sender_id.value) if sender_id is not None else None
        if not found or sender_id is None:
            return ()
        refused = self.refuse_sender(sender_id, customer_key)
        if refused is not None:
            return refused
        mine = [number for number in found if number.may_send(customer_key)]
        return max(mine, key=lambda number: number.country == country_of(phone)).carriers

    def refuse_sender(self, sender_id: SenderId, customer_key: int) -> Refused | None:
        """Return why a customer may not have a sender ID: it is a dedicated number of ours, and not its own."""
        found = self._by_digits.get(sender_id.value)
        if not found or any(number.may_send(customer_key) for number in found):
            return None
        detail = f"The sender ID {sender_id.value} is a dedicated number of this service and not this customer's."
        return Refused(refusal=Refusal.SENDER_ID_NOT_PERMITTED, detail=detail)

    def answered_by(self, address: str, customer_key: int) -> OwnNumber | None:
        """Return the number of ours that a customer answers by to who wrote to it; None where it serves it no more."""
        return next((item for item in self.named(address) if item.serves_customer(customer_key)), None)

    def judge_answers(self, sender_id: SenderId | None, customer_key: int) -> Unanswerable | None:
        """Return why no answer to a sender ID reaches its customer, None where one does or the carrier chooses it."""
        if sender_id is None:
            return None
        if sender_id.kind is SenderKind.ALPHANUMERIC:
            return Unanswerable.NAME
        found = self._by_digits.get(sender_id.value)
        if not found:
            return Unanswerable.NOT_OURS
        if any(number.serves_customer(customer_key) for number in found):
            return None
        is_active = any(number.state is NumberState.ACTIVE for number in found)
        return Unanswerable.NOT_SHARED if is_active else Unanswerable.NOT_ACTIVE

    def everyone(self) -> Iterable[OwnNumber]:
        """Return all numbers, by digits and country."""
        return sorted(self._by_key.values(), key=lambda number: (number.digits, number.country))
