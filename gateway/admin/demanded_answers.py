"""Where a country demands that our numbers there answer STOP and HELP: no keyword may take their words.

A stop stops whatever keyword has its word, and every customer has the answers (inbound.answers); what can be lost is a
word that asks for help and is an ordinary one beside, such as INFO. Not here: the words (inbound.opt_words).
"""

from collections.abc import Iterable

from addressbook.numbers import OwnNumber
from countries.rules import Rule, RuleName
from gateway.admin.countries import find_country
from gateway.admin.faults import AdminFault, FaultCode
from inbound.opt_words import OptKind
from inbound.words import read_opt_request, split_words


def find_demand(letters: str) -> Rule | None:
    """Return the rule by which a country demands the answers, None where it has none."""
    country = find_country(letters)
    said = country.said(RuleName.STOP_HELP) if country is not None else ()
    return said[0] if said else None


def check_answers(numbers: Iterable[OwnNumber], words: Iterable[str]) -> None:
    """Raise AdminFault where keywords take a word that must be answered on one of the numbers."""
    help_words = [word for word in words if _asks_for_help(word)]
    for number in numbers if help_words else ():
        demand = find_demand(number.country)
        if demand is not None:
            raise AdminFault(
                FaultCode.ANSWER_DEMANDED,
                word=help_words[0],
                country=number.country,
                rule=demand.name.value,
                sources=tuple(source.name for source in demand.sources),
                as_of=demand.as_of,
            )


def _asks_for_help(word: str) -> bool:
    asked = read_opt_request(split_words(word))
    return asked is not None and asked.kind is OptKind.HELP
