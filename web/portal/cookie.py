"""The cookie that holds the token of a session. Not here: sessions (gateway.portal.sessions)."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.portal.sessions import LONGEST


def cookie_of(request: Request) -> str:
    """Return the name of the cookie; under HTTPS one that no other host of the domain can set (`__Host-`)."""
    return "__Host-portal" if _is_secure(request) else "portal"


def token_of(request: Request) -> str:
    """Return the token that the browser has, empty where it has none."""
    return request.cookies.get(cookie_of(request), "")


def give_token(answer: Response, request: Request, token: str) -> Response:
    """Have the browser keep a token in the place of the one before."""
    answer.set_cookie(
        cookie_of(request),
        token,
        max_age=int(LONGEST.total_seconds()),
        path="/",
        secure=_is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return answer


def drop_token(answer: Response, request: Request) -> Response:
    """Have the browser forget its token."""
    answer.delete_cookie(cookie_of(request), path="/", secure=_is_secure(request), httponly=True, samesite="lax")
    return answer


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"
