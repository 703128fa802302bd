"""Whose an inbound SMS is: by its number, the word that opens it, or who last contacted the handset.

Not here: what follows from it (planning), comparing words (words).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from addressbook.numbers import NumberState, OwnNumber, OwnNumbers, Sharing
from inbound.effects import Untold
from inbound.sms import Contact, InboundSms
from inbound.words import OptRequest, Word, opens, read_opt_request, read_opt_text, split_words
from sms.message import Origin

_SEPARATORS: Final = " \t\r\n:;,.-–—/|"  # noqa: RUF001 - a dash is one
_AUTOMATIC: Final = Origin.INBOUND.value


class Via(StrEnum):
    """How the customer was found."""

    DEDICATED = "dedicated"
    PREFIX = "prefix"
    KEYWORD = "keyword"
    LAST_CONTACT = "last-contact"
    LATE_PART = "late-part"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRoute:
    """Where an inbound SMS belongs. `customer_key` is None where it is nobody's, and `untold` says why.

    `text` is without the prefix of a shared number, `words` are its words; `request` is set for a text that asks to
    stop, to start or for help.
    """

    number: OwnNumber | None
    text: str
    words: Sequence[Word]
    request: OptRequest | None
    customer_key: int | None = None
    via: Via | None = None
    untold: Untold | None = None


def find_route(sms: InboundSms, numbers: OwnNumbers, contacts: Sequence[Contact]) -> InboundRoute:
    """Return whose an SMS is. `contacts` are those of its handset, in any order.

    A bare stop, start or help on a number that is not one customer's goes to who last contacted the handset, under
    whatever sender ID; so it does on a number that we don't have.
    """
    number = numbers.reached_by(sms.destination, sms.carrier)
    words = split_words(sms.text)
    bare = InboundRoute(number=number, text=sms.text, words=words, request=read_opt_text(sms.text))
    if sms.late is not None:
        return _owned(bare, sms.late.customer_key, Via.LATE_PART)
    if number is None or number.state is not NumberState.ACTIVE:
        owner = number.customer_key if number is not None else None
        untold = Untold.NO_NUMBER if number is None else Untold.NUMBER_BLOCKED
        return _of_request(bare, contacts, untold, owner)
    if number.sharing is Sharing.DEDICATED:
        if number.customer_key is None:
            return _of_request(bare, contacts, Untold.NO_SHARE)
        return _owned(bare, number.customer_key, Via.DEDICATED)
    if number.sharing is Sharing.DYNAMIC:
        last = last_contact(contacts)
        return _owned(bare, last.customer_key, Via.LAST_CONTACT) if last else _nobodys(bare, Untold.NO_CONTACT)
    return _of_share(bare, number) or _of_request(bare, contacts, Untold.NO_SHARE)


def last_contact(contacts: Iterable[Contact], customer_key: int | None = None) -> Contact | None:
    """Return the newest contact, of one customer if named; an automatic answer is none."""
    found = (item for item in contacts if customer_key in {None, item.customer_key} and item.service != _AUTOMATIC)
    return max(found, key=lambda item: item.at, default=None)


def _of_share(bare: InboundRoute, number: OwnNumber) -> InboundRoute | None:
    """Return the route of the share whose word opens the text, the longest; a stop may also stand before the word."""
    shares = sorted(number.shares, key=lambda share: -len(share.word))
    for share in shares:
        length = opens(bare.words, share.word)
        if not length:
            continue
        if number.sharing is Sharing.KEYWORD:
            rest = read_opt_request(bare.words[length:])
            return _owned(bare, share.customer_key, Via.KEYWORD, request=rest)
        text = bare.text[bare.words[length - 1].end :].lstrip(_SEPARATORS)
        words = split_words(text)
        return _owned(
            InboundRoute(number=number, text=text, words=words, request=read_opt_text(text)),
            share.customer_key,
            Via.PREFIX,
        )
    for share in shares:
        before, behind = _around(bare.words, share.word)
        request = read_opt_request([*before, *behind]) if before else None
        if request is not None:
            return _owned(bare, share.customer_key, Via(number.sharing.value), request=request)
    return None


def _around(words: Sequence[Word], folded: str) -> tuple[Sequence[Word], Sequence[Word]]:
    """Return the words before and behind those of a share; none before where it is not among them."""
    for index in range(1, len(words)):
        length = opens(words[index:], folded)
        if length:
            return words[:index], words[index + length :]
    return (), ()


def _of_request(
    bare: InboundRoute, contacts: Sequence[Contact], untold: Untold, owner: int | None = None
) -> InboundRoute:
    """Return the route of a bare stop, start or help; any other text is nobody's."""
    if bare.request is None:
        return _nobodys(bare, untold)
    if owner is not None:
        return _owned(bare, owner, Via.DEDICATED)
    last = last_contact(contacts)
    return _nobodys(bare, untold) if last is None else _owned(bare, last.customer_key, Via.LAST_CONTACT)


def _owned(bare: InboundRoute, customer_key: int, via: Via, *, request: OptRequest | None = None) -> InboundRoute:
    return InboundRoute(
        number=bare.number,
        text=bare.text,
        words=bare.words,
        request=request or bare.request,
        customer_key=customer_key,
        via=via,
    )


def _nobodys(bare: InboundRoute, untold: Untold) -> InboundRoute:
    return InboundRoute(number=bare.number, text=bare.text, words=bare.words, request=bare.request, untold=untold)
