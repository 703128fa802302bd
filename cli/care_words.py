"""What the command line says of the care of customers: suspensions. Rows of the tables in cli.words."""

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
}


def _suspended(customer: str, option: str, reason: str, since: str, until: str) -> str:
    what = f"The option {option} of «{customer}»" if option else f"The customer «{customer}»"
    span = f" from {since}" if since else ""
    span += f" until {until}" if until else ""
    return f"{what} is suspended{span}: {reason}. What was accepted before is sent; «queue hold» holds that too."


CARE_DONE: Final[Mapping[AuditAction, Words]] = {
    AuditAction.SUSPEND: _suspended,
    AuditAction.RESUME: "No longer suspended of «{customer}»: {options}.",
    AuditAction.APPLY_SUSPENSIONS: "{suspensions:suspension} began or ended.",
}
