"""What the command line says of suspensions, declarations, support and downloads: rows of the tables in cli.words."""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.admin.edit import AuditAction
from gateway.admin.faults import FaultCode

Words = str | Callable[..., str]

CARE_FAULTS: Final[Mapping[FaultCode, Words]] = {
    FaultCode.NOT_SUSPENDED: "{option:Nothing|Nothing like the option {option}} of «{customer}» is suspended.",
    FaultCode.BAD_REASON: "«{reason}» cannot be told to the refused: one line of 1 to {most} visible characters.",
    FaultCode.ENDS_BEFORE: (
        "A suspension from {since} cannot end at {until}: it must end later than it begins, and later than now."
    ),
    FaultCode.BAD_DECLARATION_NAME: "«{name}» cannot name a declaration: small letters, digits and «-», up to 50.",
    FaultCode.BAD_DECLARATION: (
        "The text in «{language}» is no declaration: two letters for its language, a title of up to 100 characters in"
        " its first line (here «{title}»), and {most} characters in all are expected."
    ),
    FaultCode.NO_DECLARATION: "There is no declaration «{name}» yet: --text gives its words.",
    FaultCode.NOTHING_TO_CONFIRM: "«{customer}» is asked for no declaration «{name}» that it has not confirmed.",
    FaultCode.DUE_IS_PAST: "{due} is over: a later time is expected.",
    FaultCode.NO_REQUEST: "There is no support request {request}; «support list» names those that are open.",
    FaultCode.REQUEST_IS_CLOSED: "The support request {request} is closed; a new one can be opened.",
    FaultCode.BAD_SUBJECT: "A subject of 1 to {most} characters is expected.",
    FaultCode.BAD_TEXT: "A text of 1 to {most} characters is expected.",
    FaultCode.NO_SUCH_JOB: "The customer has no job {job}.",
    FaultCode.DOWNLOADS_WAIT: "{most} downloads of the customer are not written yet; another one has to wait for them.",
    FaultCode.DOWNLOADS_FULL: "The files of the customer's downloads have {most} MiB, which is all that they may have.",
}


def _suspended(customer: str, option: str, reason: str, since: str, until: str) -> str:
    what = f"The option {option} of «{customer}»" if option else f"The customer «{customer}»"
    span = f" from {since}" if since else ""
    span += f" until {until}" if until else ""
    return f"{what} is suspended{span}: {reason}. What was accepted before is sent; «queue hold» holds that too."


CARE_DONE: Final[Mapping[AuditAction, Words]] = {
    AuditAction.SUSPEND: _suspended,
    AuditAction.RESUME: "No longer suspended of «{customer}»: {options}.",
    AuditAction.ADD_DECLARATION: "Version {version} of «{name}» is asked of {customers:nobody} by {due}.",
    AuditAction.ASK_DECLARATION: "Asked.",
    AuditAction.CONFIRM_DECLARATION: "Version {version} of «{name}» is confirmed for «{customer}» by {by}.",
    AuditAction.FOLLOW_UP_DECLARATIONS: "{requests:customer} reminded or suspended.",
    AuditAction.OPEN_REQUEST: "The support request {request} of «{customer}» was opened.",
    AuditAction.ANSWER_REQUEST: "The support request {request} is answered, and is now {state}.",
    AuditAction.CLOSE_REQUEST: "The support request {request} is now {state}.",
    AuditAction.ASK_DOWNLOAD: "The download {download} of «{customer}» is asked for.",
    AuditAction.END_DOWNLOAD: "The download {download} of «{customer}» is deleted.",
    AuditAction.APPLY_SUSPENSIONS: "{suspensions:suspension} began or ended.",
}
