"""The page of `mail2sms demo`: the phone on the left, the mailbox on the right, both ways.

The page is rendered here whole, also for its own live updates: its script asks for it again and takes over what is new.
A mail's HTML is a page of its own, in a frame without scripts, and may load nothing. Not here: what happened and what
is done (the desk, cli.demo_desk), how the page looks (templates.pages).
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from web.front import require_same_origin

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 10
_FILES = {"demo.css": "text/css", "demo.js": "text/javascript", "icon.svg": "image/svg+xml"}
# A mail's HTML: no script, nothing from elsewhere, no form, and its pictures only from the mail itself.
_MAIL_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    """One SMS on a phone: to it, or typed on it. `sent_by_phone` says which; `about` is its parts and alphabet."""

    key: str
    phone: str
    other: str
    text: str
    at: datetime
    about: str
    sent_by_phone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMail:
    """A mail that came to the mailbox, or was sent from the page: then `answer` is what the gateway said."""

    key: str
    sender: str
    recipients: str
    subject: str
    at: datetime
    text: str
    html: str = ""
    headers: str = ""
    tls: str = ""
    answer: str = ""
    refused: bool = False
    can_reply: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoView:
    """What the page shows; the newest mail first, the newest SMS last. `portal` is a link that signs in there once."""

    bubbles: Sequence[Bubble]
    mails: Sequence[DemoMail]
    phones: Sequence[str]
    own_number: str
    commands: Sequence[tuple[str, str]]
    sandbox_numbers: Sequence[tuple[str, str]]
    portal: str = ""


class Unusable(Exception):  # noqa: N818  (reads as the sentence it carries)
    """What was typed can't be used; the message says why and how to write it."""


class DemoOperations(Protocol):
    """What happens in the demo, and what can be done there."""

    def version(self) -> str:
        """Return a word that changes when the view does."""

    def view(self) -> DemoView:
        """Return what the page shows now."""

    async def type_sms(self, phone: str, text: str) -> None:
        """Send an SMS from a phone to our number. Raises Unusable."""

    async def send_mail(self, to: str, subject: str, text: str) -> None:
        """Send a mail to the gateway, whose answer is then in the view. Raises Unusable."""

    async def reply(self, key: str, text: str) -> None:
        """Answer a mail of the view. Raises Unusable."""


def demo_routes(desk: DemoOperations, render: Callable[..., str], read: Callable[[str], str]) -> list[BaseRoute]:
    """Return the routes; `render` makes the page, `read` has the files that it names."""
    page = _DemoPage(desk, render, read)
    return [
        Route("/", page.show),
        *(Route(f"/{name}", page.show_file) for name in _FILES),
        Route("/mails/{key}", page.show_mail),
        Route("/sms", page.type_sms, methods=["POST"]),
        Route("/mails", page.send_mail, methods=["POST"]),
        Route("/mails/{key}/reply", page.reply, methods=["POST"]),
    ]


class _DemoPage:
    def __init__(self, desk: DemoOperations, render: Callable[..., str], read: Callable[[str], str]) -> None:
        self._desk = desk
        self._render = render
        self._read = read

    async def show(self, request: Request) -> Response:
        version = f'"{self._desk.version()}"'
        if request.headers.get("if-none-match") == version:
            return Response(status_code=304, headers={"ETag": version})
        return HTMLResponse(self._render("demo", view=self._desk.view()), headers={"ETag": version})

    async def show_file(self, request: Request) -> Response:
        name = request.url.path.removeprefix("/")
        return Response(self._read(name), media_type=_FILES[name])

    async def show_mail(self, request: Request) -> Response:
        key = request.path_params["key"]
        html = next((mail.html for mail in self._desk.view().mails if mail.key == key), "")
        if not html:
            raise HTTPException(404)
        return HTMLResponse(html, headers={"Content-Security-Policy": _MAIL_POLICY})

    async def type_sms(self, request: Request) -> Response:
        form = await _read_form(request)
        return await _do(self._desk.type_sms(form.get("phone", ""), form.get("text", "")))

    async def send_mail(self, request: Request) -> Response:
        form = await _read_form(request)
        return await _do(self._desk.send_mail(form.get("to", ""), form.get("subject", ""), form.get("text", "")))

    async def reply(self, request: Request) -> Response:
        form = await _read_form(request)
        return await _do(self._desk.reply(request.path_params["key"], form.get("text", "")))


async def _do(action: Coroutine[Any, Any, None]) -> Response:
    """Do what was asked, then lead back to the page; what can't be used is said in words."""
    try:
        await action
    except Unusable as error:
        return PlainTextResponse(f"{error}\n", status_code=422)
    return RedirectResponse("/", status_code=303)


async def _read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form that a page of ours has sent."""
    require_same_origin(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise HTTPException(415, f"Expected a form: Content-Type {_FORM}.\n")
    try:
        fields = parse_qsl((await request.body()).decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(400, "Expected a form of a few fields in UTF-8, percent-encoded.\n") from error
    return {name: value.replace("\r\n", "\n") for name, value in fields}
