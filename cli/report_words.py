"""What commands of the archive and of erasure say. Not here: all other words (words)."""

from collections.abc import Callable, Mapping
from typing import Final

from cli.printed import count
from gateway.admin.edit import AuditAction
from gateway.admin.faults import FaultCode


def _not_over(what: str, messages: int, untold: int, fragments: int, *, cancelled: bool) -> str:
    parts = [
        *([f"{count(messages, 'SMS')} not ended"] if messages else []),
        *([f"{untold} of its mails and pushes still wait"] if untold else []),
        *([f"parts of an SMS from it wait for others ({fragments})"] if fragments else []),
    ]
    how = (
        "what waited was cancelled, and carriers are asked for the rest: erase again once it has ended"
        if cancelled
        else "erase again once that is over, or with --cancel, which ends what waits"
    )
    return f"Nothing was erased, since not all of the {what} is over: {'; '.join(parts)}. To mend it: {how}."


REPORT_FAULTS: Final[Mapping[FaultCode, str | Callable[..., str]]] = {
    FaultCode.NO_MONTH: "«{given}» is no month: write it as 2026-11.",
    FaultCode.NOT_OVER: _not_over,
}

REPORT_DONE: Final[Mapping[AuditAction, str | Callable[..., str]]] = {
    AuditAction.ERASE: "What is known of the {what} is erased ({name}).",
    AuditAction.CANCEL_FOR_ERASURE: lambda name, what, cancelled, asked: (
        f"{cancelled} SMS of the {what} cancelled, {asked} asked for at carriers ({name})."
    ),
}
