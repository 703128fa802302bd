"""What the customer's applications log in with: logins and API keys. A secret is shown once, when it is made.

Not here: logins as they are proven (gateway.auth), where pushes go (webhooks).
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.api_keys import Scope, digest_of
from addressbook.options import Option
from addressbook.people import CredentialKind, Verifiers
from addressbook.rights import Right
from gateway.admin import logins, users
from gateway.admin.edit import Change
from gateway.admin.logins import OwnLogin
from gateway.auth.authenticator import make_verifiers
from web.portal.page import POST, Page
from web.portal.rooms.interface_tabs import LOGINS, ROOT, WEBHOOKS, tabs
from web.portal.visit import Visit, or_again

_KEYS: Final = frozenset({Option.REST})

_ROWS: Final = 100  # of a page of the list
_FIRST_SCOPES: Final = (Scope.SEND, Scope.READ)
_DAYS: Final = ("30", "90", "365", "")
_HOURS: Final = ("24", "168", "0")
_FIELD_OF: Final = {
    "bad-login": "login",
    "bad-application-name": "login",
    "user-exists": "login",
    "address-awaited": "login",
    "login-taken": "login",
    "no-user": "user",
    "no-profile": "profile",
}
_FIELD_OF_KEY: Final = {"bad-login": "name", "login-taken": "name", "no-scope": "scope"}


async def show_logins(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show the logins of the customer; who has none contracted comes to its webhooks."""
    if not any(map(visit.has, LOGINS)):
        return visit.go(f"{visit.here}/interfaces/webhooks")
    words, after = visit.asked("find").strip(), visit.asked("after")
    rows = [own for own in await _own_logins(visit) if own.login.login > after and _fits(own, words.casefold())]
    older = urlencode({"find": words, "after": rows[_ROWS - 1].login.login}) if len(rows) > _ROWS else ""
    return visit.show(
        "rooms/interfaces/logins",
        errors=errors,
        shown_tabs=tabs(visit),
        rows=rows[:_ROWS],
        older=older,
        find=words,
        profiles=[("", visit.say("interfaces.default-profile"))]
        + [(item.name, item.name) for item in visit.desk.snapshot.directory.profiles(visit.customer.key)],
        state=partial(_state, visit),
    )


@or_again(show_logins, _FIELD_OF)
async def add_login(visit: Visit) -> Response:
    """Make a login with a random password, and without a user a new application whose login it is."""
    form, customer = visit.form, visit.customer.name
    login, user = form.line("login"), form.line("user")
    changes: list[Change] = []
    if not user:
        changes.append(partial(users.add_application, customer=customer, name=login, profile=form.line("profile")))
    password, made = await _new_password()
    changes.append(
        partial(
            logins.add_login,
            login=login,
            verifier=made.password,
            scram=made.scram,
            customer=customer,
            user=user or login,
            must_be_new=True,
        )
    )
    done = await visit.change(*changes)
    return _show_secret(visit, str(done[-1].facts["login"]), password, "password")


async def show_login(visit: Visit) -> Response:
    """Show one login, and the API keys of its user."""
    return await _one(visit, await _find(visit, visit.asked("login")))


async def _show_login_again(visit: Visit, errors: Mapping[str, str]) -> Response:
    return await _one(visit, await _find(visit), errors)


@or_again(_show_login_again)
async def rotate(visit: Visit) -> Response:
    """Give a login a new password, or a key another one beside the old."""
    own = await _find(visit)
    login = own.login.login
    if own.login.kind is not CredentialKind.KEY:
        password, made = await _new_password()
        await visit.change(partial(logins.rotate_login, login=login, verifier=made.password, scram=made.scram))
        return _show_secret(visit, login, password, "password")
    key = logins.random_key()
    asked = visit.form.text("keep")
    keep = timedelta(hours=int(asked)) if asked in _HOURS else timedelta()
    until = visit.desk.now() + keep if keep else None
    await visit.change(partial(logins.rotate_key, name=login, digest=digest_of(key), keep_until=until))
    return _show_secret(visit, login, key, "key")


@or_again(_show_login_again)
async def switch(visit: Visit) -> Response:
    """Let a login prove somebody again, or stop it."""
    own = await _find(visit)
    active = visit.form.text("active") == "yes"
    login = own.login.login
    await visit.change(partial(logins.set_login_active, login=login, active=active))
    said = "interfaces.enabled" if active else "interfaces.disabled"
    return visit.go(f"{visit.here}{_href(login)}", said, login=login)


@or_again(_show_login_again)
async def remove(visit: Visit) -> Response:
    """Remove a login, or revoke a key."""
    own = await _find(visit)
    await visit.change(partial(logins.remove_login, login=own.login.login))
    return visit.go(f"{visit.here}/interfaces", "interfaces.removed", login=own.login.login)


@or_again(_show_login_again, _FIELD_OF_KEY)
async def add_key(visit: Visit) -> Response:
    """Give the user of a login an API key."""
    own, form = await _find(visit), visit.form
    key, asked = logins.random_key(), form.text("expires")
    ends = visit.desk.now() + timedelta(days=int(asked)) if asked in filter(None, _DAYS) else None
    change = partial(
        logins.add_key,
        name=form.line("name"),
        digest=digest_of(key),
        login=own.login.login,
        scopes=[scope for scope in Scope if scope.value in form.texts("scope")],
        expires_at=ends,
        sandbox=form.ticked("sandbox"),
    )
    (done,) = await visit.change(change)
    return _show_secret(visit, str(done.facts["login"]), key, "key")


async def _new_password() -> tuple[str, Verifiers]:
    password = logins.random_password()
    return password, await asyncio.to_thread(make_verifiers, password)


def _show_secret(visit: Visit, login: str, secret: str, kind: str) -> Response:
    """Show a new secret. It stands in the answer to the form alone: in no cookie, and in no address."""
    return visit.show("rooms/interfaces/secret", name=login, secret=secret, kind=kind, back=_href(login))


async def _one(visit: Visit, own: OwnLogin, errors: Mapping[str, str] | None = None) -> Response:
    user, keys = own.user, list[OwnLogin]()
    is_key = own.login.kind is CredentialKind.KEY
    if user is not None and not is_key:
        keys = [
            item
            for item in await _own_logins(visit)
            if item.login.user_id == user.key and item.login.kind is CredentialKind.KEY
        ]
    profile = visit.desk.snapshot.directory.profile_in_force(visit.customer.key, user)
    return visit.show(
        "rooms/interfaces/login",
        errors=errors,
        own=own,
        is_key=is_key,
        profile=own.profile or (profile.name if profile is not None else ""),
        keys=keys,
        takes_keys=user is not None and not is_key and any(map(visit.has, _KEYS)),
        scopes=[(scope.value, visit.say(f"interfaces.scopes.{scope}")) for scope in Scope],
        chosen=visit.form.texts("scope") or [] if errors else _FIRST_SCOPES,
        days=[(days, visit.say(f"interfaces.days.d{days or '0'}")) for days in _DAYS],
        hours=[(hours, visit.say(f"interfaces.hours.h{hours}")) for hours in _HOURS],
        state=partial(_state, visit),
    )


async def _own_logins(visit: Visit) -> Sequence[OwnLogin]:
    return await visit.desk.look(lambda tx: list(logins.find_logins(tx, visit.customer.key)))


async def _find(visit: Visit, login: str | None = None) -> OwnLogin:
    """Return the login that the form names, which is the customer's; any other one is not there."""
    name = visit.form.text("login") if login is None else login
    found = next((own for own in await _own_logins(visit) if own.login.login == name), None)
    if found is None:
        raise HTTPException(404)
    return found


def _state(visit: Visit, own: OwnLogin) -> str:
    ends = own.login.expires_at
    if own.login.active and ends is not None and ends <= visit.desk.now():
        return "expired"
    return "active" if own.login.active else "disabled"


def _fits(own: OwnLogin, words: str) -> bool:
    user = own.user
    return words in own.login.login.casefold() or (
        user is not None and (words in user.address.casefold() or words in user.name.casefold())
    )


def _href(login: str) -> str:
    # A login may have a slash or dots, which browsers would take for steps of a path.
    return f"/interfaces/login?{urlencode({'login': login})}"


_CHANGE = Right.CHANGE_INTERFACES

PAGES = (
    Page(
        path=ROOT,
        handler=show_logins,
        right=Right.SEE_INTERFACES,
        menu="interfaces.menu",
        options=LOGINS | WEBHOOKS,
    ),
    Page(path=f"{ROOT}/logins", methods=POST, handler=add_login, right=_CHANGE, options=LOGINS),
    Page(path=f"{ROOT}/login", handler=show_login, right=Right.SEE_INTERFACES, options=LOGINS),
    Page(path=f"{ROOT}/login/rotate", methods=POST, handler=rotate, right=_CHANGE, options=LOGINS),
    Page(path=f"{ROOT}/login/active", methods=POST, handler=switch, right=_CHANGE, options=LOGINS),
    Page(path=f"{ROOT}/login/remove", methods=POST, handler=remove, right=_CHANGE, options=LOGINS),
    Page(path=f"{ROOT}/login/key", methods=POST, handler=add_key, right=_CHANGE, options=_KEYS),
)
