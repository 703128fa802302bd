"""How HTTP answers a refusal: its status, and a body that says what is wrong and how to mend it (RFC 9457).

Not here: which refusal it is (gateway), the words of a refusal's detail (where it arises).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import msgspec
from starlette.responses import Response

from gateway.limits import whole_seconds
from sms.outcome import Refusal, Refused
from web.basic import CHALLENGE

PROBLEM_TYPE: Final = "application/problem+json"
_LATER: Final = "60"

STATUS_OF_REFUSAL: Final[Mapping[Refusal, int]] = MappingProxyType(
    {
        Refusal.AUTHENTICATION_REQUIRED: 401,
        Refusal.AUTHENTICATION_FAILED: 401,
        Refusal.TLS_REQUIRED: 403,
        Refusal.SENDER_NOT_AUTHORISED: 403,
        Refusal.PROOF_UNAVAILABLE: 503,
        Refusal.RELAY_DENIED: 403,
        Refusal.ADDRESS_MALFORMED: 422,
        Refusal.ADDRESS_UNKNOWN: 422,
        Refusal.NUMBER_MALFORMED: 422,
        Refusal.NUMBER_IMPOSSIBLE: 422,
        Refusal.NUMBER_INVALID: 422,
        Refusal.NUMBER_CANNOT_RECEIVE: 422,
        Refusal.NOT_CONTRACTED: 403,
        Refusal.SUSPENDED: 403,
        Refusal.COUNTRY_NOT_ALLOWED: 403,
        Refusal.NUMBER_TYPE_NOT_ALLOWED: 403,
        Refusal.STOP_LIST: 422,
        Refusal.NO_ROUTE: 422,
        Refusal.SENDER_ID_NOT_PERMITTED: 403,
        Refusal.SENDER_ID_IMPOSSIBLE: 422,
        Refusal.SENDER_ID_UNREGISTERED: 422,
        Refusal.CONTENT_NOT_ALLOWED: 422,
        Refusal.SETTING_NOT_PERMITTED: 403,
        Refusal.OPTION_MALFORMED: 400,
        Refusal.TEMPLATE_INCOMPLETE: 422,
        Refusal.NO_TEXT: 400,
        Refusal.NOT_ENCODABLE: 422,
        Refusal.TOO_MANY_PARTS: 422,
        Refusal.DUPLICATE: 409,
        Refusal.KEY_REUSED: 422,
        Refusal.TOO_LATE: 409,
        Refusal.MAIL_MALFORMED: 400,
        Refusal.MAIL_TOO_LARGE: 413,
        Refusal.MAIL_LOOP: 400,
        Refusal.AUTOMATIC_MAIL: 400,
        Refusal.TOO_MANY_RECIPIENTS: 400,
        Refusal.JOB_TOO_LARGE: 400,
        Refusal.RATE_LIMITED: 429,
        Refusal.LIMIT_REACHED: 429,
        Refusal.LIMIT_TOO_SMALL: 403,
        Refusal.NO_STORAGE: 503,
        Refusal.INTERNAL: 503,
    }
)

_SAID: Final[Mapping[Refusal, str]] = MappingProxyType(
    {
        Refusal.AUTHENTICATION_REQUIRED: "Log in by HTTP Basic.",
        Refusal.AUTHENTICATION_FAILED: "Login or password is wrong.",
        Refusal.TLS_REQUIRED: "This customer's requests are taken under TLS only: use https.",
        Refusal.NO_TEXT: "There is no text: each message needs one that is not blank.",
        Refusal.RATE_LIMITED: "Too many requests, try again later.",
        Refusal.LIMIT_REACHED: "A limit is reached, try again later.",
        Refusal.NO_STORAGE: "There is no room to keep a job, try again later.",
        Refusal.INTERNAL: "The gateway can't answer now, try again later.",
        Refusal.PROOF_UNAVAILABLE: "The login can't be proven now, try again later.",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadField:
    """A field of a request that can't be read: where it stands, such as `messages[0].text`, and what is expected."""

    field: str
    expected: str


def say_refusal(refused: Refused) -> tuple[int, str]:
    """Return the status of a refusal, and its sentence."""
    return STATUS_OF_REFUSAL[refused.refusal], refused.detail or _SAID.get(refused.refusal, "The request was refused.")


def say_fields(bad: Sequence[BadField]) -> str:
    """Return a sentence that names each field with what is expected there."""
    return "; ".join(f"{item.field}: {item.expected} is expected" for item in bad)


def retry_after(status: int, wait: timedelta | None = None) -> dict[str, str]:
    """Return the header that says when to try again, nothing where that changes nothing (RFC 9110 §10.2.3)."""
    return {"Retry-After": _LATER if wait is None else str(whole_seconds(wait))} if status in {429, 503} else {}


def refuse(refused: Refused) -> Response:
    """Return the answer to what was refused."""
    status, detail = say_refusal(refused)
    headers = {"WWW-Authenticate": CHALLENGE} if status == 401 else {}
    headers |= retry_after(status, refused.wait)
    return problem(status, detail, reason=refused.refusal.value, headers=headers)


def refuse_fields(bad: Sequence[BadField]) -> Response:
    """Return 400, which names each field with what is expected there."""
    detail = say_fields(bad)
    errors = [{"field": item.field, "expected": item.expected} for item in bad]
    return problem(400, detail, reason=Refusal.OPTION_MALFORMED.value, errors=errors)


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """Return an answer with the members of RFC 9457 §3.1, and `message` and `code`, which older clients read."""
    body = {"message": detail, "code": status, "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(msgspec.json.encode(body | more), status, dict(headers or {}), PROBLEM_TYPE)
