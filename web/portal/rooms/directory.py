"""Who may send: users and profiles by hand, a file with a look at what it changes, and what directories wait to change.

Not here: settings of users and profiles (settings).
"""

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.exchange import UserFile
from addressbook.options import Option
from addressbook.people import Profile, User
from addressbook.rights import Right
from addressbook.sync_plan import SyncPlan
from gateway.admin import profiles, users
from gateway.admin.directories import DirectoryState, list_directories, waiting_lines
from gateway.admin.faults import AdminFault
from gateway.admin.stop_list import parse_handsets
from gateway.admin.user_import import import_users, preview_import
from sms.message import Origin
from web.portal.page import CUSTOMER, POST, Page
from web.portal.visit import Visit, or_again

_ROWS: Final = 100
_MOST_LINES: Final = 500
_MOST_OCTETS: Final = 8 << 20
_FIELD_OF: Final = {
    "bad-address": "address", "user-exists": "address", "outside-domains": "address", "domain-of-another": "address",
    "address-awaited": "address", "bad-handset": "phone", "no-profile": "profile", "profile-exists": "name",
    "bad-profile-name": "name",
}  # fmt: skip


async def show_users(visit: Visit) -> Response:
    """Show the users that fit the words asked for, by address, and the profiles."""
    directory, at = visit.desk.snapshot.directory, visit.customer.key
    words, after = visit.asked("q").strip().casefold(), visit.asked("after")
    fitting = sorted(
        (
            user
            for user in directory.users(at)
            if user.address > after and (words in user.address.casefold() or words in user.name.casefold())
        ),
        key=lambda user: user.address,
    )
    shown = fitting[:_ROWS]
    return visit.show(
        "rooms/directory/users",
        rows=[(user, _profile_name(visit, user)) for user in shown],
        asked=visit.asked("q"),
        after=shown[-1].address if len(fitting) > _ROWS else "",
        total=len(directory.users(at)),
        profiles=directory.profiles(at),
    )


async def ask_for_user(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show the form of a new user."""
    return visit.show("rooms/directory/add", errors=errors, profiles=_profile_choices(visit))


@or_again(ask_for_user, _FIELD_OF)
async def add_user(visit: Visit) -> Response:
    """Make a user."""
    form = visit.form
    await visit.change(
        partial(
            users.add_user,
            customer=visit.customer.name,
            address=form.line("address"),
            profile=form.text("profile"),
            name=form.line("name"),
            phone=_phone(visit),
        )
    )
    return visit.go(f"{visit.here}/directory", "directory.user.added", address=form.line("address"))


async def show_user(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show one user with the form that changes it."""
    user = _user(visit)
    return visit.show(
        "rooms/directory/user",
        errors=errors,
        user=user,
        profile=_profile_name(visit, user) if user.profile_id is not None else "",
        profiles=_profile_choices(visit),
    )


@or_again(show_user, _FIELD_OF)
async def change_user(visit: Visit) -> Response:
    """Change what a form says of a user: all of it, or nothing."""
    user, form = _user(visit), visit.form
    await visit.change(
        partial(users.set_user_name, address=user.address, name=form.line("name")),
        partial(users.set_user_profile, address=user.address, name=form.text("profile")),
        partial(users.set_user_active, address=user.address, active=form.ticked("active")),
        partial(users.set_user_phone, address=user.address, phone=_phone(visit)),
    )
    return visit.go(f"{visit.here}/directory", "directory.user.changed", address=user.address)


async def remove_user(visit: Visit) -> Response:
    """Remove a user with its settings and logins."""
    user = _user(visit)
    await visit.change(partial(users.remove_user, address=user.address))
    return visit.go(f"{visit.here}/directory", "directory.user.removed", address=user.address)


async def show_profiles(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show the profiles with the number of their users."""
    return visit.show("rooms/directory/profiles", errors=errors, rows=_profile_rows(visit))


@or_again(show_profiles, _FIELD_OF)
async def add_profile(visit: Visit) -> Response:
    """Make a profile."""
    name = visit.form.line("name")
    await visit.change(partial(profiles.add_profile, customer=visit.customer.name, name=name))
    return visit.go(f"{visit.here}/directory/profiles", "directory.profile.added", name=name)


@or_again(show_profiles)
async def choose_default(visit: Visit) -> Response:
    """Make a profile the one of all who have no other, or none."""
    name = visit.form.text("name")
    await visit.change(partial(profiles.set_default_profile, customer=visit.customer.name, name=name))
    return visit.go(f"{visit.here}/directory/profiles", "directory.profile.default")


@or_again(show_profiles)
async def remove_profile(visit: Visit) -> Response:
    """Remove a profile."""
    name = visit.form.text("name")
    await visit.change(partial(profiles.remove_profile, customer=visit.customer.name, name=name))
    return visit.go(f"{visit.here}/directory/profiles", "directory.profile.removed", name=name)


async def ask_for_file(visit: Visit) -> Response:
    """Show the form that takes a file of users."""
    return visit.show("rooms/directory/import", plan=None)


async def take_file(visit: Visit) -> Response:
    """Say what a file of users would change; with `seen`, change it."""
    upload = visit.form.file("file")
    name = upload.name if upload is not None else visit.form.line("file_name")
    content = upload.content if upload is not None else _kept(visit)
    if not content:
        return visit.show("rooms/directory/import", errors={"file": visit.say("directory.import.no-file")}, plan=None)
    snapshot, now = visit.desk.snapshot, visit.desk.now()
    country = snapshot.layers.resolve(visit.customer.key, Origin.MAIL).settings.default_country
    read = await asyncio.to_thread(visit.desk.read_users, content, name, now, country)
    skip = visit.form.ticked("skip")
    if visit.form.ticked("seen"):
        try:
            await visit.change(partial(import_users, customer=visit.customer.name, user_file=read, skip_faulty=skip))
        except AdminFault as fault:
            return _preview(visit, await _plan(visit, read), name, content, {"": visit.fault(fault)})
        return visit.go(f"{visit.here}/directory", "directory.import.done")
    return _preview(visit, await _plan(visit, read), name, content)


async def show_directories(visit: Visit) -> Response:
    """Show the directories that are read by themselves, with what waits for approval."""
    return visit.show("rooms/directory/sources", rows=await _sources(visit))


async def show_difference(visit: Visit) -> Response:
    """Show what a run would change, and why it waits."""
    return await _difference(visit, await _waiting(visit))


async def approve(visit: Visit) -> Response:
    """Put exactly the difference in force that was looked at."""
    state = await _waiting(visit)
    assert state.held is not None
    if visit.form.text("digest") != state.held.digest:
        return await _difference(visit, state, {"": visit.say("directory.source.stale")})
    done = await visit.desk.approve(state.held.digest, visit.account.address)
    said = "directory.source.approved" if done else "directory.source.stale"
    return visit.go(f"{visit.here}/directory/sources", said, name=state.stored.directory.name)


async def _difference(visit: Visit, state: DirectoryState, errors: dict[str, str] | None = None) -> Response:
    held = state.held
    assert held is not None
    lines = await visit.desk.look(partial(waiting_lines, run=held, most=_MOST_LINES + 1))
    return visit.show(
        "rooms/directory/difference",
        errors=errors,
        state=state,
        result=held.result(),
        lines=lines[:_MOST_LINES],
        more=len(lines) > _MOST_LINES,
    )


async def _sources(visit: Visit) -> Sequence[DirectoryState]:
    return await visit.desk.look(partial(list_directories, customer=visit.customer.name))


async def _waiting(visit: Visit) -> DirectoryState:
    """Return the directory that the path names, which must have a run that waits."""
    for state in await _sources(visit):
        if str(state.stored.directory.key) == visit.parameter("directory") and state.held is not None:
            return state
    raise HTTPException(404)


async def _plan(visit: Visit, read: UserFile) -> SyncPlan:
    return await visit.desk.look(partial(preview_import, customer=visit.customer.name, user_file=read))


def _preview(visit: Visit, plan: SyncPlan, name: str, content: bytes, errors: dict[str, str] | None = None) -> Response:
    return visit.show(
        "rooms/directory/import",
        errors=errors,
        plan=plan,
        lines=plan.lines[:_MOST_LINES],
        more=len(plan.lines) > _MOST_LINES,
        faults=plan.faults[:_MOST_LINES],
        file_name=name,
        content=base64.b64encode(content).decode(),
    )


def _kept(visit: Visit) -> bytes:
    """Return the file that the page before showed, which its form brings back."""
    try:
        return base64.b64decode(visit.form.text("content"), validate=True)
    except binascii.Error:
        return b""


def _user(visit: Visit) -> User:
    user = visit.desk.snapshot.directory.user_with_id(int(visit.parameter("user")))
    if user is None or user.customer_id != visit.customer.key:
        raise HTTPException(404)
    return user


def _profile_name(visit: Visit, user: User) -> str:
    profile = visit.desk.snapshot.directory.profile_in_force(user.customer_id, user)
    return profile.name if profile is not None else ""


def _profile_choices(visit: Visit) -> list[tuple[str, str]]:
    found = visit.desk.snapshot.directory.profiles(visit.customer.key)
    return [("", visit.say("directory.user.default-profile")), *((item.name, item.name) for item in found)]


def _profile_rows(visit: Visit) -> list[tuple[Profile, int, bool]]:
    directory = visit.desk.snapshot.directory
    chosen = [directory.profile_in_force(visit.customer.key, user) for user in directory.users(visit.customer.key)]
    default = directory.profile_in_force(visit.customer.key, None)
    return [
        (
            item,
            sum(one is not None and one.key == item.key for one in chosen),
            default is not None and default.key == item.key,
        )
        for item in directory.profiles(visit.customer.key)
    ]


def _phone(visit: Visit) -> str:
    """Return the digits of the phone that was typed. Raises AdminFault where it is none."""
    typed = visit.form.line("phone")
    settings = visit.desk.snapshot.layers.resolve(visit.customer.key, Origin.MAIL).settings
    return parse_handsets([typed], settings.default_country)[0] if typed else ""


_ROOT = f"{CUSTOMER}/directory"
_USER = f"{_ROOT}/users/{{user:int}}"
_SOURCE = f"{_ROOT}/sources/{{directory:int}}"
_READ = frozenset({Option.DIRECTORY})

PAGES = (
    Page(path=_ROOT, handler=show_users, right=Right.SEE_DIRECTORY, menu="directory.menu"),
    Page(path=f"{_ROOT}/users", handler=ask_for_user, right=Right.CHANGE_DIRECTORY),
    Page(path=f"{_ROOT}/users", methods=POST, handler=add_user, right=Right.CHANGE_DIRECTORY),
    Page(path=_USER, handler=show_user, right=Right.CHANGE_DIRECTORY),
    Page(path=_USER, methods=POST, handler=change_user, right=Right.CHANGE_DIRECTORY),
    Page(path=f"{_USER}/remove", methods=POST, handler=remove_user, right=Right.CHANGE_DIRECTORY),
    Page(path=f"{_ROOT}/profiles", handler=show_profiles, right=Right.SEE_DIRECTORY),
    Page(path=f"{_ROOT}/profiles", methods=POST, handler=add_profile, right=Right.CHANGE_DIRECTORY),
    Page(path=f"{_ROOT}/profiles/default", methods=POST, handler=choose_default, right=Right.CHANGE_DIRECTORY),
    Page(path=f"{_ROOT}/profiles/remove", methods=POST, handler=remove_profile, right=Right.CHANGE_DIRECTORY),
    Page(path=f"{_ROOT}/import", handler=ask_for_file, right=Right.CHANGE_DIRECTORY),
    Page(path=f"{_ROOT}/import", methods=POST, handler=take_file, right=Right.CHANGE_DIRECTORY, most=_MOST_OCTETS),
    Page(path=f"{_ROOT}/sources", handler=show_directories, right=Right.SEE_DIRECTORY, options=_READ),
    Page(path=_SOURCE, handler=show_difference, right=Right.SEE_DIRECTORY, options=_READ),
    Page(path=f"{_SOURCE}/approve", methods=POST, handler=approve, right=Right.CHANGE_DIRECTORY, options=_READ),
)
