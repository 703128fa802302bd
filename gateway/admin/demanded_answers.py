"""Where a country demands that our numbers there answer STOP and HELP: no keyword may take their words.

A stop stops whatever keyword has its word, and every customer has the answers (inbound.answers); what can be lost is a
word that asks for help and is an ordinary one beside, such as INFO. Not here: the words (inbound.opt_words).
"""

from collections.abc import Iterable
from datetime import date

from addressbook.numbers import OwnNumber
from countries.book import Mode, RuleBook, RuleInForce, RuleSubject
from countries.rules import RuleName
from gateway.admin.edit import Edit
from gateway.admin.faults import AdminFault, FaultCode
from inbound.opt_words import OptKind
from inbound.words import read_opt_request, split_words
from sms.settings import UseCase


def find_demand(book: RuleBook, number: OwnNumber, customer: str, day: date) -> RuleInForce | None:
    """Return the rule by which the country of a customer's number demands the answers on a day, None where none does.

    It is one that is applied, for whatever purpose and by any carrier of the number.
    """
    places = (
        RuleSubject(country=number.country, customer=customer, use_case=use_case, carrier=carrier)
        for use_case in UseCase
        for carrier in number.carriers or ("",)
    )
    return next((rule for place in places for rule in book.rules_at(place) if _demands(rule, day)), None)


def check_answers(edit: Edit, numbers: Iterable[OwnNumber], customer: str, words: Iterable[str]) -> None:
    """Raise AdminFault where keywords of a customer take a word that must be answered on one of the numbers."""
    help_words = [word for word in words if asks_for_help(word)]
    for number in numbers if help_words else ():
        demand = find_demand(edit.judge.book, number, customer, edit.now.date())
        if demand is not None:
            raise AdminFault(
                FaultCode.ANSWER_DEMANDED,
                word=help_words[0],
                country=number.country,
                rule=demand.name.value,
                sources=sources_of(demand),
            )


def _demands(rule: RuleInForce, day: date) -> bool:
    is_in_force = (rule.in_force_at is None or rule.in_force_at <= day) and not rule.has_ended(day)
    return rule.name is RuleName.STOP_HELP and rule.mode is Mode.APPLY and is_in_force


def sources_of(rule: RuleInForce) -> tuple[str, ...]:
    """Return who says a rule and when it was read; the operator's own stands in a file."""
    known = rule.rule
    return (rule.by,) if known is None else (*(source.name for source in known.sources), known.as_of)


def asks_for_help(word: str) -> bool:
    """Return whether a text of this word alone asks for help."""
    asked = read_opt_request(split_words(word))
    return asked is not None and asked.kind is OptKind.HELP
