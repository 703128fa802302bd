"""Why there is no bind, in words for the operator. Not here: what is done about it (client)."""

import ssl

from smpp.wire.statuses import Status, status_name

_REFUSALS: dict[int, str] = {
    Status.RINVPASWD: "the password is wrong",
    Status.RINVSYSID: "the system_id is wrong",
    Status.RALYBND: "it says that this account is bound already, perhaps by another gateway",
    Status.RINVSYSTYP: "the system_type of the dialect is wrong",
    Status.RTHROTTLED: "it takes no more binds at the moment",
    Status.RBINDFAIL: "system_id, password, address or kind of bind is wrong",
}


def of_connecting(error: Exception, seconds: float) -> str:
    """Return why connecting failed; `seconds` was its time limit."""
    match error:
        case ssl.SSLCertVerificationError():
            cause = f"TLS: its certificate is not proven: {error.verify_message}"
        case ssl.SSLError():
            reason = (error.reason or "the handshake failed").lower().replace("_", " ")
            cause = f"TLS: {reason}; is this port one for TLS?"
        case TimeoutError():
            cause = f"no answer within {seconds:g} s"
        case ConnectionRefusedError():
            cause = "connection refused: nothing listens there, or a firewall is between"
        case ConnectionError():
            cause = "it closed the connection at once"
        case OSError() if error.strerror:
            cause = error.strerror[0].lower() + error.strerror[1:]
        case _:
            cause = str(error) or type(error).__name__
    return cause


def of_refusal(status: int) -> str:
    """Return why a bind was refused."""
    meaning = _REFUSALS.get(status, "")
    return f"it refuses the bind with {status_name(status)}" + (f": {meaning}" if meaning else "")


ENDED = "it closed the connection without an answer to the bind"
LOST = "the link was lost"
UNDER_WAY = "it has not answered yet"
