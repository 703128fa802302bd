"""What commands of the queue say. Not here: all other words (words)."""

from collections.abc import Callable, Mapping
from typing import Final

from cli.printed import count
from gateway.admin.edit import AuditAction
from gateway.admin.faults import FaultCode


def _cancelled(name: str, cancelled: int, asked: int) -> str:
    if not cancelled and not asked:
        return f"{name}: everything of it has ended already."
    told = f"{name}: {count(cancelled, 'message')} cancelled."
    if asked:
        what, them = ("1 message is", "it") if asked == 1 else (f"{asked} messages are", "them")
        told += f"\n{name}: {what} with a carrier; the running gateway asks for {them} back."
    return told


QUEUE_FAULTS: Final[Mapping[FaultCode, str | Callable[..., str]]] = {
    FaultCode.NOTHING_OF_THIS_ID: "{name}: there is no job, message or notice of this id.",
    FaultCode.NO_SUCH_ROUTE: "No carriers of the operator's file form the route {route}; there are: {known}.",
    FaultCode.NOTHING_CHOSEN: "Say which messages: --from CARRIER, --customer NAME, --country CC, or the id of a job.",
}

QUEUE_DONE: Final[Mapping[AuditAction, str | Callable[..., str]]] = {
    AuditAction.HOLD: "{name}: {held} held.",
    AuditAction.RELEASE: "{name}: {released} released.",
    AuditAction.DELETE: "{name}: {cancelled:message} cancelled, {dropped:notice} dropped.",
    AuditAction.CANCEL: _cancelled,
    AuditAction.FLUSH: "{due} made due.",
    AuditAction.REROUTE: "{messages:message} to be given to {to}.",
}
