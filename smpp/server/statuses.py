"""What an ESME hears of a refusal, as one table; what a faulty password and our own faults come to.

Most clients try again after RTHROTTLED, RMSGQFUL and RSYSERR, and after nothing else. RINVPASWD and RINVSYSID are never
said: some clients give up for good then, and a wrong password may be mended. Not here: faults of a PDU itself
(smpp.wire, reading). Standard: SMPP 3.4 §5.1.3.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from smpp.wire.statuses import Status
from sms.outcome import Refusal

REFUSALS: Mapping[Refusal, Status] = MappingProxyType(
    {
        Refusal.AUTHENTICATION_REQUIRED: Status.RBINDFAIL,
        Refusal.AUTHENTICATION_FAILED: Status.RBINDFAIL,
        Refusal.TLS_REQUIRED: Status.RBINDFAIL,
        Refusal.SENDER_NOT_AUTHORISED: Status.RBINDFAIL,
        Refusal.PROOF_UNAVAILABLE: Status.RSYSERR,
        Refusal.RELAY_DENIED: Status.RINVDSTADR,
        Refusal.ADDRESS_MALFORMED: Status.RINVDSTADR,
        Refusal.ADDRESS_UNKNOWN: Status.RINVDSTADR,
        Refusal.NUMBER_MALFORMED: Status.RINVDSTADR,
        Refusal.NUMBER_IMPOSSIBLE: Status.RINVDSTADR,
        Refusal.NUMBER_INVALID: Status.RINVDSTADR,
        Refusal.NUMBER_CANNOT_RECEIVE: Status.RINVDSTADR,
        Refusal.NOT_CONTRACTED: Status.RBINDFAIL,
        Refusal.SUSPENDED: Status.RBINDFAIL,
        Refusal.COUNTRY_NOT_ALLOWED: Status.RINVDSTADR,
        Refusal.NUMBER_TYPE_NOT_ALLOWED: Status.RINVDSTADR,
        Refusal.STOP_LIST: Status.RINVDSTADR,
        Refusal.NO_ROUTE: Status.RINVDSTADR,
        Refusal.SENDER_ID_NOT_PERMITTED: Status.RINVSRCADR,
        Refusal.SENDER_ID_IMPOSSIBLE: Status.RINVSRCADR,
        Refusal.SENDER_ID_UNREGISTERED: Status.RINVSRCADR,
        Refusal.CONTENT_NOT_ALLOWED: Status.RSUBMITFAIL,
        Refusal.SETTING_NOT_PERMITTED: Status.RSUBMITFAIL,
        Refusal.OPTION_MALFORMED: Status.RSUBMITFAIL,
        Refusal.TEMPLATE_INCOMPLETE: Status.RSUBMITFAIL,
        Refusal.NO_TEXT: Status.RINVMSGLEN,
        Refusal.NOT_ENCODABLE: Status.RSUBMITFAIL,
        Refusal.TOO_MANY_PARTS: Status.RINVMSGLEN,
        Refusal.DUPLICATE: Status.RSUBMITFAIL,
        Refusal.KEY_REUSED: Status.RSUBMITFAIL,
        Refusal.TOO_LATE: Status.RCANCELFAIL,
        Refusal.MAIL_MALFORMED: Status.RSUBMITFAIL,
        Refusal.MAIL_TOO_LARGE: Status.RINVMSGLEN,
        Refusal.MAIL_LOOP: Status.RSUBMITFAIL,
        Refusal.AUTOMATIC_MAIL: Status.RSUBMITFAIL,
        Refusal.TOO_MANY_RECIPIENTS: Status.RINVNUMDESTS,
        Refusal.JOB_TOO_LARGE: Status.RINVNUMDESTS,
        Refusal.RATE_LIMITED: Status.RTHROTTLED,
        Refusal.LIMIT_REACHED: Status.RMSGQFUL,
        Refusal.LIMIT_TOO_SMALL: Status.RSUBMITFAIL,
        Refusal.NO_STORAGE: Status.RMSGQFUL,
        Refusal.INTERNAL: Status.RSYSERR,
    }
)
"""For a bind and for a submit."""

ERRORS: Mapping[str, int] = MappingProxyType(
    {
        "validity-ended": 901,
        "no-receipt": 902,
        "no-answer": 903,
        "restarted": 903,
        "state-unknown": 904,
        "cancelled": 905,
        "deleted": 905,
        "stop-list": 906,
        "no-route": 907,
        "number-refused": 908,
        "sender-refused": 909,
        "content-refused": 910,
        "carrier-refused": 911,
        "not-delivered": 912,
        "parts-incomplete": 913,
        "retries-exhausted": 914,
    }
)
"""`err:` of a receipt where no network named an error: our own reason as three digits."""

OTHER_ERROR: Final = 999


def error_digits(error: str, reason: str) -> str:
    """Return exactly three digits: the network's own error where it has as many or less, else ours, 000 for none."""
    if error.isascii() and error.isdecimal() and len(error) <= 3:
        return error.zfill(3)
    if error or reason:
        return f"{ERRORS.get(reason, OTHER_ERROR):03}"
    return "000"
