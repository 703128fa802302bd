"""What every HTTP answer of ours has in common, whichever application gives it.

A request id, one log line, the headers that keep a browser from doing more than it was given, the check of Host against
DNS rebinding, and a plain 500. Not here: routes, logins, limits of time and size (web.connection). RFC 9110.
"""

import re
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from time import monotonic, time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from addressbook.people import IpNetwork
from web.forwarded import read_forwarded, without_forwarded

log = structlog.get_logger()

Seen = Callable[[str, int, float], None]
_LONGEST_PATH = 200
_ENDS = "ends"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CONTENT_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
# An application may set its own content policy and caching; the others are the same for all.
_DEFAULT_HEADERS = {"Content-Security-Policy": _CONTENT_POLICY, "Cache-Control": "no-store"}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(slots=True)
class _Answer:
    """What the log says of one request."""

    request_id: str
    began: float
    status: int = 0


class Front:
    """The outermost ASGI application. `hosts` are the names under which it answers, without port.

    `seen` hears the method, the status and the seconds of each answer. `forwarded_from` are proxies that may
    say who their client is.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        seen: Seen = lambda *_: None,
        forwarded_from: Sequence[IpNetwork] = (),
    ) -> None:
        self._forwarded_from = forwarded_from
        self._app = app
        self._seen = seen
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = _Answer(secrets.token_hex(8), monotonic())
        self._find_client(scope)
        scope["state"]["request_id"] = answer.request_id

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                _add_headers(message, answer.request_id)
            await send(message)

        try:
            if _host_of(scope) in self._hosts:
                await self._app(scope, receive, send_on)
            else:
                # RFC 9110 §15.5.20; a page of a foreign name whose address is ours must read nothing of ours.
                refusal = "This server does not answer under that name.\n"
                await PlainTextResponse(refusal, status_code=421)(scope, receive, send_on)
        except Exception as error:
            # Starlette has answered with `answer_failure`, unless the answer had begun; then uvicorn cuts it.
            log.exception("http_failed", request=answer.request_id, cause=f"{type(error).__name__}: {error}"[:300])
        finally:
            for end in scope["state"].get(_ENDS, ()):
                end()
            _log(scope, answer)
            self._seen(scope["method"], answer.status, monotonic() - answer.began)

    def _find_client(self, scope: Scope) -> None:
        """Put the client that a trusted proxy names in the place of the proxy."""
        peer = scope.get("client") or ("", 0)
        client, scheme = read_forwarded(scope["headers"], peer[0], self._forwarded_from)
        if client != peer[0]:
            scope["client"] = (client, 0)
        scope["scheme"] = scheme or scope["scheme"]
        scope["headers"] = without_forwarded(scope["headers"])


def at_the_end(request: Request, end: Callable[[], None]) -> None:
    """Call `end` when the request has been answered, whatever comes of it."""
    request.scope["state"].setdefault(_ENDS, []).append(end)


async def answer_failure(request: Request, _: Exception) -> PlainTextResponse:
    """Return 500; the cause is the log's alone."""
    said = f"Something failed here; the log says what, under {request.state.request_id}.\n"
    return PlainTextResponse(said, status_code=500)


def require_same_origin(request: Request) -> None:
    """Raise HTTPException 403 unless a page of ours, or a program that says so, makes this request.

    Under no-referrer a form's Origin is `null`, so the browser's own word about the site counts first.
    """
    site = request.headers.get("sec-fetch-site")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if site == "same-origin" or (site is None and request.headers.get("origin") == own):
        return
    raise HTTPException(403, "Only pages of this server may do that: the header Origin must be its own address.\n")


def _host_of(scope: Scope) -> str:
    """Return Host in lower case without its port; an IPv6 address keeps its brackets."""
    host = Headers(scope=scope).get("host", "").lower()
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _add_headers(message: Message, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _DEFAULT_HEADERS.items():
        headers.setdefault(name, value)
    headers.update(_HEADERS)
    headers["X-Request-Id"] = request_id
    headers["Date"] = formatdate(time(), usegmt=True)  # RFC 9110 §6.6.1


def _log(scope: Scope, answer: _Answer) -> None:
    """Write one line, without the query, which may hold secrets; reading that went well is of little interest."""
    quiet = scope["method"] in {"GET", "HEAD"} and answer.status < 400
    client = scope.get("client")
    (log.debug if quiet else log.info)(
        "http",
        method=scope["method"],
        path=scope["raw_path"].decode("ascii", "replace")[:_LONGEST_PATH],
        status=answer.status,
        ms=round((monotonic() - answer.began) * 1000),
        rip=client[0] if client else "",
        request=answer.request_id,
        **_asked_as(scope),
    )


def _asked_as(scope: Scope) -> dict[str, str]:
    """Return the client's own id of a request for the log, where it can break nothing there."""
    given = Headers(scope=scope).get("x-request-id", "")
    return {"asked_as": given} if _REQUEST_ID.fullmatch(given) else {}
