"""The cookies that hold secrets: the token of a session, and what a browser keeps while it is at an issuer.

Not here: sessions (gateway.portal.sessions), what proves somebody (gateway.portal.issuers).
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.portal.issuers import AWAY
from gateway.portal.sessions import LONGEST

SESSION: Final = "portal"
DEPARTURE: Final = "portal-issuer"
_SECONDS: Final = {SESSION: int(LONGEST.total_seconds()), DEPARTURE: int(AWAY.total_seconds())}


def token_of(request: Request) -> str:
    """Return the token of a session that the browser has, empty where it has none."""
    return read_cookie(request, SESSION)


def give_token(answer: Response, request: Request, token: str) -> Response:
    """Have the browser keep a token in the place of the one before."""
    return give_cookie(answer, request, SESSION, token)


def drop_token(answer: Response, request: Request) -> Response:
    """Have the browser forget its token."""
    return drop_cookie(answer, request, SESSION)


def read_cookie(request: Request, name: str) -> str:
    """Return what the browser keeps under a name, empty where that is nothing."""
    return request.cookies.get(_cookie_of(request, name), "")


def give_cookie(answer: Response, request: Request, name: str, value: str) -> Response:
    """Have the browser keep a value, for as long as it is good for."""
    answer.set_cookie(
        _cookie_of(request, name),
        value,
        max_age=_SECONDS[name],
        path="/",
        secure=_is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return answer


def drop_cookie(answer: Response, request: Request, name: str) -> Response:
    """Have the browser forget what it keeps under a name."""
    cookie = _cookie_of(request, name)
    answer.delete_cookie(cookie, path="/", secure=_is_secure(request), httponly=True, samesite="lax")
    return answer


def _cookie_of(request: Request, name: str) -> str:
    """Return the name of a cookie; under HTTPS one that no other host of the domain can set (`__Host-`)."""
    return f"__Host-{name}" if _is_secure(request) else name


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"
