"""Somebody's own account: name, language, password, authenticator, sessions, and what was done with it.

Not here: what proves somebody (gateway.portal.sign_in).
"""

from collections.abc import Mapping
from functools import partial
from zoneinfo import available_timezones

from starlette.responses import Response

from gateway.admin import own_account
from gateway.admin.audit import audit_lines
from gateway.portal.codes import address_of, new_recovery_codes, new_secret, step_of_code
from gateway.portal.passwords import SHORTEST, Weakness
from sms.outcome import Refusal
from web.portal.cookie import drop_token, give_token
from web.portal.gate import AUTHENTICATOR, SIGN_IN
from web.portal.page import POST, Page
from web.portal.qr import draw_qr
from web.portal.sign_in import browser_of, status_of
from web.portal.visit import Visit, or_again

_ACCOUNT = "/account"
_PASSWORD = f"{_ACCOUNT}/password"
_LAST_LINES = 30


async def show_account(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show all of it."""
    sessions = await visit.desk.sign_in.sessions.of(visit.account)
    lines = await visit.desk.look(partial(audit_lines, target=visit.account.address, most=_LAST_LINES))
    zones = sorted(available_timezones())
    return visit.show(
        "rooms/own/account",
        errors=errors,
        sessions=sessions,
        lines=lines,
        zones=zones,
        zone_owner=visit.zone_owner,
        own=visit.session.key,
    )


@or_again(show_account, {"": "zone"})
async def take_person(visit: Visit) -> Response:
    """Change name, language and zone."""
    form = visit.form
    language = form.text("language") if form.text("language") in visit.look.languages else ""
    await visit.change(
        partial(
            own_account.set_person,
            account=visit.account,
            name=form.line("name"),
            language=language,
            zone=form.line("zone"),
        )
    )
    return visit.go(_ACCOUNT, "own.saved")


async def ask_new_password(visit: Visit) -> Response:
    """Ask for the password of before, and the new one."""
    return visit.show("rooms/own/password", least=SHORTEST)


async def take_new_password(visit: Visit) -> Response:
    """Change the password; every other session ends, and this one goes on with a new token."""
    wrong = await _check_password(visit)
    if wrong is not None:
        return visit.show("rooms/own/password", status=wrong[0], errors={"password": wrong[1]}, least=SHORTEST)
    token = await visit.desk.sign_in.change_password(visit.account, visit.form.text("new"), browser_of(visit))
    if isinstance(token, Weakness):
        said = visit.say(f"password.{token}", least=SHORTEST)
        return visit.show("rooms/own/password", errors={"new": said}, least=SHORTEST)
    return give_token(visit.go(_ACCOUNT, "own.password.done"), visit.request, token)


async def ask_authenticator(visit: Visit) -> Response:
    """Show the QR code of a new authenticator, or what can be done with the one that there is."""
    return _show_authenticator(visit, new_secret())


async def take_authenticator(visit: Visit) -> Response:
    """Store an authenticator whose code was right, and show its recovery codes once."""
    if visit.account.has_totp:
        return visit.go(AUTHENTICATOR)
    secret, errors = visit.form.line("secret"), {}
    wrong = await _check_password(visit)
    if wrong is not None:
        errors["password"] = wrong[1]
    step = _step(secret, visit)
    if step is None:
        errors["code"] = visit.say("code.wrong")
    if errors or step is None:
        return _show_authenticator(visit, secret, errors, status=wrong[0] if wrong is not None else 422)
    codes = new_recovery_codes()
    change = partial(own_account.set_authenticator, account=visit.account, secret=secret, codes=codes, step=step)
    await visit.change(change, partial(own_account.end_other_sessions, account=visit.account, own=visit.session.key))
    return visit.show("rooms/own/codes", codes=codes)


async def remove_authenticator(visit: Visit) -> Response:
    """Take the authenticator away, where no customer asks for one."""
    wrong = await _check_password(visit)
    if wrong is not None:
        return _show_authenticator(visit, new_secret(), {"password": wrong[1]}, status=wrong[0])
    await visit.change(partial(own_account.set_authenticator, account=visit.account, secret="", codes=[], step=0))
    return visit.go(_ACCOUNT, "own.authenticator.removed")


async def end_session(visit: Visit) -> Response:
    """End one session, which may be this one."""
    key = int(visit.parameter("session"))
    await visit.change(partial(own_account.end_own_session, account=visit.account, session_key=key))
    if key == visit.session.key:
        return drop_token(visit.go(SIGN_IN, "sign-in.signed-out"), visit.request)
    return visit.go(_ACCOUNT, "own.sessions.ended")


async def end_others(visit: Visit) -> Response:
    """End all sessions but this one."""
    await visit.change(partial(own_account.end_other_sessions, account=visit.account, own=visit.session.key))
    return visit.go(_ACCOUNT, "own.sessions.ended")


def _show_authenticator(
    visit: Visit, secret: str, errors: dict[str, str] | None = None, *, status: int = 200
) -> Response:
    try:
        address = address_of(secret, visit.account.address)
    except ValueError:  # a form that was given back comes without its secret
        secret = new_secret()
        address = address_of(secret, visit.account.address)
    qr = draw_qr(address) if not visit.account.has_totp else None
    needed = visit.session.needs_authenticator
    return visit.show("rooms/own/authenticator", status=status, errors=errors, secret=secret, qr=qr, needed=needed)


def _step(secret: str, visit: Visit) -> int | None:
    """Return the time step of the code that was typed; a secret that is none of ours has no code."""
    try:
        return step_of_code(secret, visit.form.line("code"), visit.desk.now())
    except ValueError:
        return None


async def _check_password(visit: Visit) -> tuple[int, str] | None:
    """Return why the present password was not proved: what the answer's status is, and what is said.

    Who has none, since it came by a link or from an issuer, need not prove one.
    """
    if not visit.account.has_password:
        return None
    refusal = await visit.desk.sign_in.proves(visit.account, visit.form.text("password"), visit.client)
    if refusal is None:
        return None
    kind = "own.password.wrong" if refusal is Refusal.AUTHENTICATION_FAILED else "sign-in.busy"
    return status_of(refusal), visit.say(kind)


PAGES = (
    Page(path=_ACCOUNT, handler=show_account, right=None),
    Page(path=_ACCOUNT, methods=POST, handler=take_person, right=None),
    Page(path=_PASSWORD, handler=ask_new_password, right=None),
    Page(path=_PASSWORD, methods=POST, handler=take_new_password, right=None),
    Page(path=AUTHENTICATOR, handler=ask_authenticator, right=None, is_before_authenticator=True),
    Page(path=AUTHENTICATOR, methods=POST, handler=take_authenticator, right=None, is_before_authenticator=True),
    Page(path=f"{AUTHENTICATOR}/remove", methods=POST, handler=remove_authenticator, right=None),
    Page(path=f"{_ACCOUNT}/sessions/{{session:int}}/end", methods=POST, handler=end_session, right=None),
    Page(path=f"{_ACCOUNT}/sessions/end", methods=POST, handler=end_others, right=None),
)
