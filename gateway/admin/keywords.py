"""Changes to the keywords that replace a customer's default actions, and a view of them.

Not here: what is done for a keyword (actions), comparing words (inbound.words).
"""

from collections.abc import Mapping
from dataclasses import replace

from addressbook.people import Customer
from gateway.admin.demanded_answers import check_answers
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from gateway.admin.numbers import check_reached, folded_word, get_number, name_of, numbers_of
from inbound.actions import Keyword
from inbound.opt_words import OptKind
from inbound.words import fold, read_opt_request, split_words
from sms.facts import Fact
from store.directory_lookup import all_customers
from store.engine.database import Transaction
from store.inbound_rules import actions_of, keywords_of, load_numbers, put_keyword, remove_keyword


def get_keyword(tx: Transaction, customer: Customer, word: str, number: str = "") -> Keyword:
    """Return a customer's keyword, for one of its numbers if that is named. Raises AdminFault."""
    number_key = get_number(tx, number).key if number else None
    folded = fold(word)
    for keyword in keywords_of(tx, customer.key):
        if (keyword.folded, keyword.number_key) == (folded, number_key):
            return keyword
    raise AdminFault(FaultCode.NO_KEYWORD, customer=customer.name, word=word, number=number)


def make_keyword(edit: Edit, word: str, customer: str, number: str = "", *, alone: bool = False) -> Changed:
    """Add a keyword, for one of the customer's numbers or all; `alone`: nothing but courtesy may follow it.

    A stop goes through whatever keyword there is; a word that starts again or asks for help is no keyword, nor is an
    ordinary one that asks for help where a country demands its answer.
    """
    owner = get_customer(edit.tx, customer)
    folded = folded_word(word)
    found = get_number(edit.tx, number) if number else None
    if found is not None:
        check_reached(found, owner)
    asked = read_opt_request(split_words(word))
    if asked is not None and asked.kind is not OptKind.STOP and not asked.is_ordinary:
        raise AdminFault(FaultCode.KEYWORD_ANSWERED, word=word, action=asked.kind.value)
    key = found.key if found is not None else None
    reached = [found] if found is not None else numbers_of(edit.tx, owner)
    check_answers(edit, reached, owner.name, [word])
    if any((item.folded, item.number_key) == (folded, key) for item in keywords_of(edit.tx, owner.key)):
        raise AdminFault(FaultCode.KEYWORD_EXISTS, customer=owner.name, word=word, number=number)
    made = Keyword(
        key=edit.stored.new_key(),
        customer_key=owner.key,
        word=word.strip(),
        folded=folded,
        number_key=key,
        trailing=not alone,
    )
    return _store(edit, AuditAction.ADD_KEYWORD, owner, made, name_of(found) if found is not None else "", {})


def change_keyword(edit: Edit, word: str, customer: str, number: str = "", *, alone: bool) -> Changed:
    """Say whether more words may follow a keyword."""
    owner = get_customer(edit.tx, customer)
    found = get_keyword(edit.tx, owner, word, number)
    before = {"alone": not found.trailing}
    return _store(edit, AuditAction.SET_KEYWORD, owner, replace(found, trailing=not alone), number, before)


def drop_keyword(edit: Edit, word: str, customer: str, number: str = "") -> Changed:
    """Remove a keyword that no action has."""
    owner = get_customer(edit.tx, customer)
    found = get_keyword(edit.tx, owner, word, number)
    bound = tuple(action.name for action in actions_of(edit.tx, owner.key) if action.keyword_key == found.key)
    if bound:
        raise AdminFault(FaultCode.KEYWORD_IN_USE, word=word, actions=bound)
    remove_keyword(edit.tx, found.key)
    edit.stored.touch_inbound()
    target, facts = f"{owner.name}/{found.word}", {"customer": owner.name, "word": found.word}
    return edit.done(AuditAction.REMOVE_KEYWORD, Subject(target, owner.key), **facts)


def list_keywords(tx: Transaction, customer: str = "") -> list[Mapping[str, object]]:
    """Return keywords, of one customer if named, with the actions that they have, as rows."""
    numbers = load_numbers(tx)
    rows: list[Mapping[str, object]] = []
    for owner in [get_customer(tx, customer)] if customer else all_customers(tx):
        actions = actions_of(tx, owner.key)
        for keyword in keywords_of(tx, owner.key):
            number = numbers.with_key(keyword.number_key) if keyword.number_key is not None else None
            rows.append(
                {
                    "keyword": keyword.word,
                    "customer": owner.name,
                    "number": name_of(number) if number is not None else "all",
                    "compared_as": keyword.folded,
                    "more_words": keyword.trailing,
                    "actions": [action.name for action in actions if action.keyword_key == keyword.key],
                }
            )
    return rows


def _store(  # noqa: PLR0913, PLR0917 - what is stored, and what the audit has
    edit: Edit, action: AuditAction, owner: Customer, keyword: Keyword, number: str, before: Mapping[str, object]
) -> Changed:
    put_keyword(edit.tx, keyword)
    edit.stored.touch_inbound()
    facts: dict[str, Fact] = {
        "customer": owner.name,
        "word": keyword.word,
        "number": number,
        "alone": not keyword.trailing,
    }
    values = differences(before, {"alone": not keyword.trailing})
    return edit.done(action, Subject(f"{owner.name}/{keyword.word}", owner.key, number, values=values), **facts)
