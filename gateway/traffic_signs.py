"""Signs that somebody sends for the sake of sending: artificially inflated traffic, which its victim pays.

Pure: one customer's SMS of late give the signs that they bear. Numbers that the customer wrote to before are no sign,
whatever they are, nor are a few. Not here: reading them (store.traffic), when they are looked at (traffic_watch).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from sms.number import MobileNumber, country_of

FEWEST: Final = 40
"""So many new numbers must there be before they can be a sign."""
_NEAR: Final = 2
_SHARE: Final = 0.8
_PREFIX_DIGITS: Final = 6
_FEWEST_ENDED, _FEWEST_BEFORE = 30, 50
_GOOD, _FALL = 0.6, 0.5


class Sign(StrEnum):
    """What is seen.

    SEQUENCE: new numbers lie side by side. PREFIX: nearly all new numbers begin alike. CONVERSION: of the SMS to one
    country far fewer are delivered than before. SHARE: of the SMS of all customers to one country few are delivered.
    VOLUME: there are very many of them.
    """

    SEQUENCE = "sequence"
    PREFIX = "prefix"
    CONVERSION = "conversion"
    SHARE = "share"
    VOLUME = "volume"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentSms:
    """One SMS of late: its number (digits), whether it is of the last hour, has ended, and was delivered.

    `reported`: the network said what became of it, or should have.
    """

    number: str
    fresh: bool
    ended: bool = False
    delivered: bool = False
    reported: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSign:
    """One sign: how many SMS or numbers bear it, and where (a prefix, a country)."""

    sign: Sign
    count: int
    of: int
    where: str = ""


def new_numbers(sent: Iterable[SentSms], known: Collection[str]) -> list[str]:
    """Return the numbers of the last hour that the customer did not write to before."""
    return sorted({sms.number for sms in sent if sms.fresh and sms.number not in known})


def find_signs(sent: Sequence[SentSms], numbers: Sequence[str]) -> list[TrafficSign]:
    """Return the signs of a customer's SMS, of which `numbers` are the new ones in order."""
    signs = []
    if len(numbers) >= FEWEST:
        beside = _beside(numbers)
        if beside >= _SHARE * len(numbers):
            signs.append(TrafficSign(sign=Sign.SEQUENCE, count=beside, of=len(numbers)))
        prefix, count = Counter(number[:_PREFIX_DIGITS] for number in numbers).most_common(1)[0]
        if count >= _SHARE * len(numbers) and beside < _SHARE * len(numbers):
            signs.append(TrafficSign(sign=Sign.PREFIX, count=count, of=len(numbers), where=prefix))
    return signs + _falling(sent)


def _beside(numbers: Sequence[str]) -> int:
    """Return how many numbers have another one beside them."""
    values = sorted(map(int, numbers))
    near = [after - before <= _NEAR for before, after in pairwise(values)]
    return sum(before or after for before, after in zip([False, *near], [*near, False], strict=True))


def _falling(sent: Iterable[SentSms]) -> list[TrafficSign]:
    ended: dict[str, list[Counter[bool]]] = defaultdict(lambda: [Counter(), Counter()])
    for sms in sent:
        if sms.ended:
            ended[country_of(MobileNumber(digits=sms.number))][sms.fresh][sms.delivered] += 1
    signs = []
    for country, (before, late) in sorted(ended.items()):
        if before.total() < _FEWEST_BEFORE or late.total() < _FEWEST_ENDED:
            continue
        was, share = before[True] / before.total(), late[True] / late.total()
        if was >= _GOOD and share < _FALL * was:
            signs.append(TrafficSign(sign=Sign.CONVERSION, count=late[True], of=late.total(), where=country))
    return signs


def find_country_signs(sent: Iterable[SentSms], least_delivered: int, most_sent: int) -> list[TrafficSign]:
    """Return what is seen of all customers' SMS to each country.

    That is less than `least_delivered` percent of a day's, or `most_sent` within an hour; 0 asks for neither.
    """
    fresh, reported, delivered = Counter[str](), Counter[str](), Counter[str]()
    for sms in sent:
        country = country_of(MobileNumber(digits=sms.number))
        fresh[country] += sms.fresh
        reported[country] += sms.reported
        delivered[country] += sms.reported and sms.delivered
    signs = [
        TrafficSign(sign=Sign.SHARE, count=delivered[country], of=total, where=country)
        for country, total in sorted(reported.items())
        if total >= _FEWEST_BEFORE and 100 * delivered[country] < least_delivered * total
    ]
    return signs + [
        TrafficSign(sign=Sign.VOLUME, count=count, of=most_sent, where=country)
        for country, count in sorted(fresh.items())
        if 0 < most_sent <= count
    ]
