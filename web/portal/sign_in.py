"""The pages before and after a session: signing in and out, links that are used once, a forgotten password.

Not here: what proves somebody (gateway.portal.sign_in), signing in at an issuer (issuer).
"""

import re
from collections.abc import Mapping
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from addressbook.accounts import LinkKind, SessionStage
from gateway.portal.passwords import SHORTEST, Weakness
from gateway.portal.sign_in import Browser, Linked
from sms.outcome import Refusal
from web.portal.cookie import drop_token, give_token, token_of
from web.portal.gate import SIGN_IN
from web.portal.page import POST, OpenPage, Page
from web.portal.visit import Guest, Visit

_CODE = f"{SIGN_IN}/code"
_LINK = "/link"
_FORGOTTEN = "/forgotten"
# Only lists of a customer have a query, which is their filter.
_OWN_PATH = re.compile(r"/portal(/[A-Za-z0-9._~-]+)+/?|/portal/c(/[A-Za-z0-9._~-]+)+\?[A-Za-z0-9._~%+=&*-]*")


async def ask_password(guest: Guest) -> Response:
    """Ask for address and password."""
    return await show_sign_in(guest, guest.asked("next"))


async def take_password(guest: Guest) -> Response:
    """Begin a session, or ask for the code of the authenticator."""
    sign_in, back = guest.desk.sign_in, guest.form.line("next")
    token = await sign_in.by_password(guest.form.line("address"), guest.form.text("password"), browser_of(guest))
    if isinstance(token, Refusal):
        said = guest.say(f"sign-in.{'wrong' if token is Refusal.AUTHENTICATION_FAILED else 'busy'}")
        return await show_sign_in(guest, back, status=status_of(token), errors={"address": said})
    return await enter(guest, token, back)


async def ask_code(guest: Guest) -> Response:
    """Ask for the code of the authenticator."""
    session = await guest.desk.sign_in.sessions.find(token_of(guest.request))
    if session is None or session.stage is not SessionStage.CODE:
        return guest.go(SIGN_IN)
    return guest.show("code", next=guest.asked("next"))


async def take_code(guest: Guest) -> Response:
    """Begin the session whose password was right."""
    sign_in, back = guest.desk.sign_in, guest.form.line("next")
    session = await sign_in.sessions.find(token_of(guest.request))
    if session is None or session.stage is not SessionStage.CODE:
        return guest.go(SIGN_IN, "sign-in.too-late")
    token = await sign_in.by_code(session, guest.form.line("code"), browser_of(guest))
    if isinstance(token, Refusal):
        said = guest.say(f"code.{'wrong' if token is Refusal.AUTHENTICATION_FAILED else 'busy'}")
        return guest.show("code", status=status_of(token), errors={"code": said}, next=back)
    return await enter(guest, token, back)


async def open_link(guest: Guest) -> Response:
    """Show what a link does; it is used by the form alone, since programs that read mail follow links."""
    linked = await guest.desk.sign_in.find_link(guest.asked("link"))
    session = await guest.desk.sign_in.sessions.find(token_of(guest.request))
    if linked is None and session is not None and session.stage.is_open:
        return guest.go("/")
    return _show_link(guest, linked, guest.asked("link"))


async def take_link(guest: Guest) -> Response:
    """Do what a link is for."""
    text, sign_in = guest.form.line("link"), guest.desk.sign_in
    linked = await sign_in.find_link(text)
    if linked is None:
        return _show_link(guest, None, "")
    token: str | Weakness | None
    if linked.kind is LinkKind.SIGN_IN:
        token = await sign_in.by_link(linked, browser_of(guest))
    else:
        token = await sign_in.set_password(linked, guest.form.text("password"), browser_of(guest))
    if isinstance(token, Weakness):
        return _show_link(guest, linked, text, {"password": guest.say(f"password.{token}", least=SHORTEST)})
    return _show_link(guest, None, "") if token is None else await enter(guest, token, "")


async def ask_address(guest: Guest) -> Response:
    """Ask whose password was forgotten."""
    return guest.show("forgotten")


async def take_address(guest: Guest) -> Response:
    """Say the same whether there is such an account or not."""
    guest.desk.sign_in.forget(guest.form.line("address"), guest.language)
    return guest.go(SIGN_IN, "forgotten.done")


async def sign_out(visit: Visit) -> Response:
    """End the session."""
    await visit.desk.sign_in.sessions.end(visit.session)
    return drop_token(visit.go(SIGN_IN, "sign-in.signed-out"), visit.request)


async def show_sign_in(
    guest: Guest, back: str, *, status: int = 200, errors: Mapping[str, str] | None = None, anew: bool = False
) -> Response:
    """Return the page that asks for address and password, or sends to an issuer where some customer has one.

    `anew` has the issuer ask again who somebody is.
    """
    at_issuer = await guest.desk.issuers.is_offered()
    return guest.show("sign-in", status=status, errors=errors, next=back, at_issuer=at_issuer, anew=anew)


async def enter(guest: Guest, token: str, back: str) -> Response:
    """Give the browser a new token in place of the one before, whose session ends, and lead it on."""
    sessions = guest.desk.sign_in.sessions
    before = await sessions.find(token_of(guest.request))
    if before is not None:
        await sessions.end(before)
    begun = await sessions.find(token)
    waits = begun is not None and begun.stage is SessionStage.CODE
    answer = (
        guest.go(f"{_CODE}?next={quote(own_path(back), safe='/')}")
        if waits
        else RedirectResponse(own_path(back), status_code=303)
    )
    return give_token(answer, guest.request, token)


def browser_of(guest: Guest) -> Browser:
    """Return where somebody signs in."""
    return Browser(client=guest.client, agent=guest.request.headers.get("user-agent", ""))


def status_of(refusal: Refusal) -> int:
    """Return the HTTP status of a sign-in that was refused. RFC 6585 §4."""
    return 422 if refusal is Refusal.AUTHENTICATION_FAILED else 429 if refusal is Refusal.RATE_LIMITED else 503


def own_path(text: str) -> str:
    """Return a path of the portal that a request names, the portal itself for anything else."""
    return text if _OWN_PATH.fullmatch(text) and ".." not in text else "/portal/"


def _show_link(guest: Guest, linked: Linked | None, text: str, errors: dict[str, str] | None = None) -> Response:
    status = 200 if linked is not None else 410
    return guest.show("link", status=422 if errors else status, errors=errors, linked=linked, link=text, least=SHORTEST)


OPEN_PAGES = (
    OpenPage(path=SIGN_IN, handler=ask_password),
    OpenPage(path=SIGN_IN, methods=POST, handler=take_password),
    OpenPage(path=_CODE, handler=ask_code),
    OpenPage(path=_CODE, methods=POST, handler=take_code),
    OpenPage(path=_LINK, handler=open_link),
    OpenPage(path=_LINK, methods=POST, handler=take_link),
    OpenPage(path=_FORGOTTEN, handler=ask_address),
    OpenPage(path=_FORGOTTEN, methods=POST, handler=take_address),
)
PAGES = (Page(path="/sign-out", methods=POST, right=None, handler=sign_out, is_before_authenticator=True),)
