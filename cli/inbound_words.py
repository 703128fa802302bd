"""What the command line says of numbers, keywords, actions and stop lists: rows of the tables in cli.words."""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.admin.edit import AuditAction
from gateway.admin.faults import FaultCode

INBOUND_FAULTS: Final[Mapping[FaultCode, str | Callable[..., str]]] = {
    FaultCode.NO_NUMBER: "«{number}» is none of our numbers; «number list» names all.",
    FaultCode.NUMBER_AMBIGUOUS: "«{number}» is a short code in {countries}; --country says which is meant.",
    FaultCode.BAD_NUMBER: "«{given}» is neither a long code such as +447700900123 nor a short code of 3 to 8 digits.",
    FaultCode.NUMBER_WITHOUT_COUNTRY: (
        "The country of {number} is needed, two letters such as GB{given:|; «{given}» is none}: --country."
    ),
    FaultCode.NUMBER_EXISTS: "There is already a number {number}.",
    FaultCode.NUMBER_IN_USE: "The number {number} has {uses:keyword or action}; remove them first.",
    FaultCode.NUMBER_HAS_SHARES: (
        "The number {number} is shared by {shares:word}; «number unshare» takes them away, or keep it shared by words."
    ),
    FaultCode.NUMBER_OF_OTHERS: (
        "Nothing that comes to {number} can be for «{customer}»: it is neither its own nor shared with it."
    ),
    FaultCode.SHARED_HAS_NO_OWNER: (
        "The number {number} is shared ({sharing}) and has no owner; «number share» gives customers words of it."
    ),
    FaultCode.NO_CARRIER: "There is no carrier «{name}» in the operator's file; there are: {known}.",
    FaultCode.BAD_JOIN: "Parts are waited for from 1 second to 1 day, not {given}.",
    FaultCode.NOT_SHARED: (
        "The number {number} is {sharing}; only one that is shared by prefix or keyword has words of customers."
    ),
    FaultCode.NO_SHARE: "Nobody has the word «{word}» of {number}; «number list» names all.",
    FaultCode.BAD_WORD: "«{given}» is no word to compare: up to 50 letters, digits and blanks are expected.",
    FaultCode.WORD_TAKEN: "The word «{word}» of {number} is already that of «{owner}».",
    FaultCode.WORD_OPENS: (
        "«{word}» and «{other}», which is that of «{owner}», can open the same text to {number}; take another word."
    ),
    FaultCode.OPT_WORD: "«{word}» stops, starts or asks for help, and is no word of one customer; take another.",
    FaultCode.KEYWORD_EXISTS: (
        "The customer «{customer}» already has the keyword «{word}» for {number:all its numbers|{number}}."
    ),
    FaultCode.KEYWORD_ANSWERED: (
        "«{word}» is answered for every customer; «action set {action}» changes what with. It can be no keyword."
    ),
    FaultCode.ANSWER_DEMANDED: (
        "«{word}» asks for help, and {country} demands that it is answered on numbers of that country (rule {rule};"
        " {sources}): no keyword may have it there. Name another number with"
        " --number; the operator can decide otherwise for {country} in the rules file."
    ),
    FaultCode.KEYWORD_IN_USE: "The keyword «{word}» has the actions {actions}; remove them or give them another.",
    FaultCode.NO_KEYWORD: (
        "The customer «{customer}» has no keyword «{word}» for {number:all its numbers|{number}};"
        " «keyword list» names all."
    ),
    FaultCode.NO_ACTION: "The customer «{customer}» has no action «{name}»; «action list» names all.",
    FaultCode.BAD_ACTION_NAME: (
        "«{name}» cannot be the name of a new action: 1 to 100 visible characters are expected,"
        " and neither reply, stop, start nor help."
    ),
    FaultCode.ACTION_EXISTS: "The customer «{customer}» already has an action «{name}».",
    FaultCode.BUILT_IN_ACTION: (
        "Every customer has one action {kind}, for all its numbers; «action set {kind}» changes its texts and scope."
    ),
    FaultCode.ACTION_IS_STANDARD: "The action «{name}» of «{customer}» is the standard one, which stays.",
    FaultCode.NO_ACTION_FIELD: "An action of the kind {kind} has no setting «{field}»; it has: {known}.",
    FaultCode.BAD_ACTION_VALUE: "{field}: «{given}» is not {expected}.",
    FaultCode.ACTION_INCOMPLETE: "An action of the kind {kind} needs {field}=….",
    FaultCode.BAD_HANDSET: "«{given}» is no number of a phone: {cause}.",
    FaultCode.NO_STOP: "On the stop list of «{customer}» there is no {numbers}.",
}


def _number(number: str, state: str, sharing: str, customer: str, carriers: tuple[str, ...]) -> str:
    whose = f"of «{customer}»" if customer else "nobody's" if sharing == "dedicated" else "shared"
    by = ", ".join(carriers) or "any carrier"
    return f"The number {number} is {state}, {sharing}, {whose}, by {by}."


def _keyword(customer: str, word: str, number: str, *, alone: bool) -> str:
    more = "nothing but courtesy" if alone else "any words"
    return f"The keyword «{word}» of «{customer}» counts for {number or 'all its numbers'}; {more} may follow it."


def _stops(customer: str, service: str, numbers: int, messages: int) -> str:
    what = f"the service {service}" if service else "all services"
    ended = f" {messages} waiting SMS ended." if messages else ""
    return f"{numbers} more on the stop list of «{customer}» for {what}.{ended}"


INBOUND_DONE: Final[Mapping[AuditAction, str | Callable[..., str]]] = {
    AuditAction.ADD_NUMBER: _number,
    AuditAction.SET_NUMBER: _number,
    AuditAction.REMOVE_NUMBER: "The number {number} was removed.",
    AuditAction.SHARE_NUMBER: "Texts to {number} that begin with «{word}» are for «{customer}».",
    AuditAction.UNSHARE_NUMBER: "The word «{word}» of {number} is nobody's.",
    AuditAction.ADD_KEYWORD: _keyword,
    AuditAction.SET_KEYWORD: _keyword,
    AuditAction.REMOVE_KEYWORD: "The keyword «{word}» of «{customer}» was removed.",
    AuditAction.ADD_ACTION: "The action «{name}» ({kind}) of «{customer}» was added.",
    AuditAction.SET_ACTION: "The action «{name}» ({kind}) of «{customer}» is {active:inactive|active} as set.",
    AuditAction.REMOVE_ACTION: "The action «{name}» of «{customer}» was removed.",
    AuditAction.ADD_STOPS: _stops,
    AuditAction.END_STOPS: (
        "{numbers:entry} of the stop list of «{customer}» ended{service:| for the service {service}}."
    ),
    AuditAction.IMPORT_STOPS: lambda customer, numbers, known, messages: (
        f"{numbers} more on the stop list of «{customer}», {known} were on it already."
        + (f" {messages} waiting SMS ended." if messages else "")
    ),
}
