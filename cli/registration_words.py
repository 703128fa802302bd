"""What the command line says of registrations of sender IDs: rows of the tables in cli.words."""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.admin.edit import AuditAction
from gateway.admin.faults import FaultCode

Words = str | Callable[..., str]

REGISTRATION_FAULTS: Final[Mapping[FaultCode, Words]] = {
    FaultCode.NO_REGISTRATION: "There is no registration {registration}; «senderid list» names them.",
    FaultCode.BAD_REGISTERED_NAME: (
        "«{given}» is not to be registered as a name: up to 11 letters, digits and blanks with at least one letter are"
        " expected; a code has no value until it is assigned."
    ),
    FaultCode.NO_USE_CASE: "«{given}» is no use case; there are {known}.",
    FaultCode.BAD_REGISTRATION_TEXT: (
        "{field} is too large: at most {most} are expected (characters of a text, SMS in a month; ten sample texts)."
    ),
    FaultCode.REGISTRATION_EXISTS: "The same «{value}» in {country} stands in {registration} already.",
    FaultCode.REGISTRATION_INCOMPLETE: (
        "{country} asks for more: {missing}. «senderid edit» adds it, «senderid evidence --letter» a letter of"
        " authorisation."
    ),
    FaultCode.SENDER_ID_HAS_NO_WAY: "A registration would not help: {why}.",
    FaultCode.REGISTRATION_NOT_SO: "The registration {registration} is {state}; this is for one that is {states}.",
    FaultCode.REGISTERED_BY_OTHERS: (
        "«{value}» is registered in {country} for {customers}; --also gives it to this customer too."
    ),
    FaultCode.CODE_MISSING: "The registration {registration} is of a number: --code says which one is assigned.",
    FaultCode.CODE_NOT_ASKED: "The registration {registration} is of a name: it has no code.",
    FaultCode.CODE_TAKEN: "{number} is a number of ours already, and was not requested for this customer.",
    FaultCode.CODE_OF_OTHER_KIND: "{number} is no {kind} of {country}.",
    FaultCode.BAD_PAPER: "«{name}» is neither PDF nor PNG nor JPEG, or has no name.",
    FaultCode.PAPER_TOO_LARGE: "«{name}» is too large: {most} MB are allowed.",
    FaultCode.TOO_MANY_PAPERS: "A registration has {most} papers at most, and all of a customer {most_octets} MB.",
    FaultCode.NO_PAPER: "The registration {registration} has no paper «{name}».",
}
REGISTRATION_DONE: Final[Mapping[AuditAction, Words]] = {
    AuditAction.REQUEST_REGISTRATION: (
        "The draft {registration} of {customer:everybody|a customer} is for «{what}» in {country}."
    ),
    AuditAction.EDIT_REGISTRATION: "The draft {registration} was changed: «{what}» in {country}.",
    AuditAction.SUBMIT_REGISTRATION: "{registration} is submitted: «{what}» in {country}.",
    AuditAction.APPROVE_REGISTRATION: (
        "{registration} is approved: «{what}» in {country}, last day: {until:none|}{until}."
    ),
    AuditAction.REFUSE_REGISTRATION: "{registration} is refused: «{what}» in {country}: {reason}.",
    AuditAction.RENEW_REGISTRATION: (
        "{registration} is renewed: «{what}» in {country}, last day: {until:none|}{until}."
    ),
    AuditAction.ASK_RENEWAL: "The renewal of {registration} is asked for: «{what}» in {country}.",
    AuditAction.WITHDRAW_REGISTRATION: "{registration} is withdrawn: «{what}» in {country}.",
    AuditAction.DROP_REGISTRATION: "{registration} was dropped by its register: «{what}» in {country}: {reason}.",
    AuditAction.EXPIRE_REGISTRATION: "Expired.",
    AuditAction.REMIND_OF_REGISTRATION: "Reminded.",
    AuditAction.WARN_OF_IDLE_REGISTRATION: "Warned.",
    AuditAction.FOLLOW_UP_REGISTRATIONS: "{registrations:registration} looked at.",
    AuditAction.ADD_PAPER: "{registration} has the paper «{name}».",
    AuditAction.REMOVE_PAPER: "{registration} no longer has the paper «{name}».",
}
