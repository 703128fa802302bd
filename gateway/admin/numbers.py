"""Changes to our numbers, whom they belong to, and the words that share them; and views of them.

Not here: what is done with what comes to them (actions, keywords), whose an SMS is (inbound.routing).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from addressbook.numbers import JOIN_WITHIN, NumberKind, NumberShare, NumberState, OwnNumber, Sharing
from addressbook.people import Customer
from gateway.admin.demanded_answers import check_answers
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from inbound.words import fold, read_opt_request, split_words
from sms.number import MobileNumber, SenderKind, country_of, is_country, parse_sender_id
from store.directory_lookup import all_customers, find_customer_by_key
from store.engine.database import Transaction
from store.inbound_rules import (
    count_uses,
    keywords_of,
    load_numbers,
    put_number,
    put_share,
    remove_number,
    remove_share,
)

NOBODY = ""
_LONGEST_JOIN = timedelta(days=1)
_BY_WORD = frozenset({Sharing.PREFIX, Sharing.KEYWORD})


def name_of(number: OwnNumber) -> str:
    """Return a number as people write it: `+447700900123`, or a short code with its country, `12345 (GB)`."""
    return f"+{number.digits}" if number.kind is NumberKind.LONG else f"{number.digits} ({number.country})"


def get_number(tx: Transaction, text: str, country: str = "") -> OwnNumber:
    """Return the number that an administrator names; a short code that is several countries' with its country."""
    sender = parse_sender_id(text)
    digits = sender.value if sender is not None else text
    wanted = country.strip().upper()
    found = [item for item in load_numbers(tx).named(digits) if wanted in {"", item.country}]
    if not found:
        raise AdminFault(FaultCode.NO_NUMBER, number=text)
    if len(found) > 1:
        countries = tuple(item.country for item in found)
        raise AdminFault(FaultCode.NUMBER_AMBIGUOUS, number=text, countries=countries)
    return found[0]


def make_number(  # noqa: PLR0913 - all that is known of a number
    edit: Edit,
    number: str,
    *,
    known_carriers: Collection[str],
    country: str = "",
    state: str = NumberState.ACTIVE.value,
    sharing: str = Sharing.DEDICATED.value,
    customer: str = NOBODY,
    carriers: Sequence[str] = (),
    join_within: timedelta = JOIN_WITHIN,
) -> Changed:
    """Add a number: E.164 with plus is a long code, three to eight digits are a short code of its country."""
    sender = parse_sender_id(number)
    if sender is None or sender.kind is SenderKind.ALPHANUMERIC:
        raise AdminFault(FaultCode.BAD_NUMBER, given=number)
    kind = NumberKind.LONG if sender.kind is SenderKind.NUMERIC else NumberKind.SHORT
    own_country = country_of(MobileNumber(digits=sender.value)) if kind is NumberKind.LONG else ""
    wanted = country.strip().upper() or own_country
    if not is_country(wanted):
        raise AdminFault(FaultCode.NUMBER_WITHOUT_COUNTRY, number=number, given=country)
    made = OwnNumber(key=edit.stored.new_key(), digits=sender.value, kind=kind, country=wanted)
    if any(item.country == wanted for item in load_numbers(edit.tx).named(sender.value)):
        raise AdminFault(FaultCode.NUMBER_EXISTS, number=name_of(made))
    owner = get_customer(edit.tx, customer) if customer else None
    made = replace(
        made,
        state=NumberState(state),
        sharing=Sharing(sharing),
        customer_key=owner.key if owner is not None else None,
        carriers=_carriers(carriers, known_carriers),
        join_within=_checked_join(join_within),
    )
    return _store(edit, AuditAction.ADD_NUMBER, made, None)


def change_number(  # noqa: PLR0913 - all that may change
    edit: Edit,
    number: str,
    *,
    known_carriers: Collection[str],
    country: str = "",
    state: str | None = None,
    sharing: str | None = None,
    customer: str | None = None,
    carriers: Sequence[str] = (),
    any_carrier: bool = False,
    join_within: timedelta | None = None,
) -> Changed:
    """Change a number; None leaves as it is, an empty `customer` makes it nobody's."""
    before = get_number(edit.tx, number, country)
    owner_key = before.customer_key
    if customer is not None:
        owner_key = get_customer(edit.tx, customer).key if customer else None
    after = replace(
        before,
        state=NumberState(state) if state else before.state,
        sharing=Sharing(sharing) if sharing else before.sharing,
        customer_key=owner_key,
        carriers=_carriers(carriers, known_carriers) if carriers or any_carrier else before.carriers,
        join_within=_checked_join(join_within) if join_within is not None else before.join_within,
    )
    if after.sharing not in _BY_WORD and after.shares:
        raise AdminFault(FaultCode.NUMBER_HAS_SHARES, number=name_of(after), shares=len(after.shares))
    return _store(edit, AuditAction.SET_NUMBER, after, before)


def drop_number(edit: Edit, number: str, country: str = "") -> Changed:
    """Remove a number that no keyword or action names; what came to it stays."""
    found = get_number(edit.tx, number, country)
    uses = count_uses(edit.tx, found.key)
    if uses:
        raise AdminFault(FaultCode.NUMBER_IN_USE, number=name_of(found), uses=uses)
    remove_number(edit.tx, found.key)
    edit.stored.touch_inbound()
    return edit.done(AuditAction.REMOVE_NUMBER, Subject(name_of(found), found.customer_key), number=name_of(found))


def share_number(edit: Edit, number: str, customer: str, word: str, country: str = "") -> Changed:
    """Give a customer the texts to a shared number that a word opens."""
    found = get_number(edit.tx, number, country)
    owner = get_customer(edit.tx, customer)
    if found.sharing not in _BY_WORD:
        raise AdminFault(FaultCode.NOT_SHARED, number=name_of(found), sharing=found.sharing.value)
    folded = folded_word(word)
    if read_opt_request(split_words(word)) is not None:
        raise AdminFault(FaultCode.OPT_WORD, word=word)
    for share in found.shares:
        if share.word == folded and share.customer_key == owner.key:
            raise AdminFault(FaultCode.WORD_TAKEN, number=name_of(found), word=word, owner=owner.name)
        if share.customer_key != owner.key and _one_opens_the_other(share.word, folded):
            holder = find_customer_by_key(edit.tx, share.customer_key)
            taken, name = name_of(found), holder.name if holder is not None else ""
            if share.word == folded:
                raise AdminFault(FaultCode.WORD_TAKEN, number=taken, word=word, owner=name)
            raise AdminFault(FaultCode.WORD_OPENS, number=taken, word=word, other=share.word, owner=name)
    _check_keywords(edit, found, owner.key)
    put_share(edit.tx, found.key, NumberShare(customer_key=owner.key, word=folded))
    edit.stored.touch_inbound()
    facts = {"number": name_of(found), "customer": owner.name, "word": folded}
    return edit.done(AuditAction.SHARE_NUMBER, Subject(name_of(found), owner.key, folded), **facts)


def unshare_number(edit: Edit, number: str, word: str, country: str = "") -> Changed:
    """Take a word of a shared number from its customer."""
    found = get_number(edit.tx, number, country)
    folded = fold(word)
    owner_key = next((share.customer_key for share in found.shares if share.word == folded), None)
    if owner_key is None:
        raise AdminFault(FaultCode.NO_SHARE, number=name_of(found), word=word)
    remove_share(edit.tx, found.key, folded)
    edit.stored.touch_inbound()
    facts = {"number": name_of(found), "word": folded}
    return edit.done(AuditAction.UNSHARE_NUMBER, Subject(name_of(found), owner_key, folded), **facts)


def list_numbers(tx: Transaction, customer: str = "") -> list[Mapping[str, object]]:
    """Return our numbers, those that a customer owns or shares if it is named, as rows."""
    names = {item.key: item.name for item in all_customers(tx)}
    wanted = get_customer(tx, customer).key if customer else None
    numbers = load_numbers(tx).everyone()
    return [
        {
            "number": f"+{number.digits}" if number.kind is NumberKind.LONG else number.digits,
            "kind": number.kind.value,
            "country": number.country,
            "state": number.state.value,
            "sharing": number.sharing.value,
            "customer": names.get(number.customer_key or 0, ""),
            "carriers": list(number.carriers) or ["any"],
            "words": [f"{share.word} = {names.get(share.customer_key, '')}" for share in number.shares],
            "join_within": f"{int(number.join_within.total_seconds())} s",
        }
        for number in numbers
        if wanted is None or wanted == number.customer_key or any(s.customer_key == wanted for s in number.shares)
    ]


def numbers_of(tx: Transaction, customer: Customer) -> list[OwnNumber]:
    """Return the numbers by which something can come to a customer, once they are in service."""
    everyone = load_numbers(tx).everyone()
    return [item for item in everyone if replace(item, state=NumberState.ACTIVE).serves_customer(customer.key)]


def folded_word(word: str) -> str:
    """Return the compared form of a word. Raises AdminFault for one without letters and digits, or over 50 of them."""
    folded = fold(word)
    if not folded or len(folded) > 50:
        raise AdminFault(FaultCode.BAD_WORD, given=word)
    return folded


def check_reached(number: OwnNumber, customer: Customer) -> None:
    """Raise AdminFault where nothing that comes to a number can be this customer's."""
    if not replace(number, state=NumberState.ACTIVE).serves_customer(customer.key):
        raise AdminFault(FaultCode.NUMBER_OF_OTHERS, number=name_of(number), customer=customer.name)


def _store(edit: Edit, action: AuditAction, number: OwnNumber, before: OwnNumber | None) -> Changed:
    if number.customer_key is not None and number.sharing is not Sharing.DEDICATED:
        raise AdminFault(FaultCode.SHARED_HAS_NO_OWNER, number=name_of(number), sharing=number.sharing.value)
    if number.customer_key is not None:
        _check_keywords(edit, number, number.customer_key)
    put_number(edit.tx, number)
    edit.stored.touch_inbound()
    after = _told(edit.tx, number)
    values = differences(_told(edit.tx, before) if before is not None else {}, after)
    facts = {name: after[name] or "" for name in ("state", "sharing", "customer")}
    whose = number.customer_key or (before.customer_key if before is not None else None)
    return edit.done(
        action,
        Subject(name_of(number), whose, values=values),
        number=name_of(number),
        carriers=number.carriers,
        **facts,
    )


def _check_keywords(edit: Edit, number: OwnNumber, customer_key: int) -> None:
    """Raise AdminFault where a customer's keywords take words that the number's country wants answered."""
    owner, keywords = find_customer_by_key(edit.tx, customer_key), keywords_of(edit.tx, customer_key)
    words = [item.word for item in keywords if item.number_key in (None, number.key)]
    check_answers(edit, [number], owner.name if owner is not None else "", words)


def _told(tx: Transaction, number: OwnNumber) -> dict[str, str | None]:
    """Return what is set of a number, as the audit has it."""
    owner = find_customer_by_key(tx, number.customer_key) if number.customer_key is not None else None
    return {
        "state": number.state.value,
        "sharing": number.sharing.value,
        "customer": owner.name if owner is not None else None,
        "carriers": ",".join(number.carriers) or None,
        "join_within": f"{number.join_within.total_seconds():g} s",
    }


def _carriers(names: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise AdminFault(FaultCode.NO_CARRIER, name=name, known=tuple(sorted(known)))
    return tuple(dict.fromkeys(names))


def _checked_join(within: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= within <= _LONGEST_JOIN:
        raise AdminFault(FaultCode.BAD_JOIN, given=f"{within.total_seconds():g} s")
    return within


def _one_opens_the_other(one: str, other: str) -> bool:
    shorter, longer = sorted((one.split(), other.split()), key=len)
    return longer[: len(shorter)] == shorter
