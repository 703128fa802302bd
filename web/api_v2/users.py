"""Users, profiles and their settings over REST version 2, each value with where it comes from.

Not here: what may be set, and who wins (gateway.admin, addressbook.hierarchy).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from addressbook.api_keys import Scope
from addressbook.canonical import canonical_address, canonical_application
from addressbook.senders import Principal, Sender
from gateway.admin.explained import explain_user
from gateway.admin.faults import AdminFault
from gateway.admin.office import AdminOffice
from gateway.admin.settings import ProfileScope, UserScope, set_settings
from gateway.admin.settings import Scope as SettingsScope
from gateway.admin.views import list_profiles, list_users_after, show_profile
from sms.message import Origin
from web.api_v2.answers import answer, no_such, refuse_fields
from web.api_v2.calls import CURSOR, LIMIT, Answer, CallParameter, Operation
from web.api_v2.faults import refuse_fault
from web.api_v2.problem_types import BASE
from web.api_v2.request import check_names, read_body, read_list
from web.problems import BadField

_CURSORS: Final = re.compile(r"[^\x00-\x1f]{1,320}")


class UserAnswer(Struct, frozen=True, kw_only=True):
    """A user: a person, or an application."""

    address: Annotated[str, Meta(description="The address of a person, the name of an application.")]
    name: str
    phone: str
    profile: Annotated[str, Meta(description="Empty for the default one.")]
    active: bool
    in_directory: Annotated[str, Meta(description="What its directory says: yes, off, gone; empty without one.")]


class UserPage(Struct, frozen=True, kw_only=True):
    """Users by address."""

    users: list[UserAnswer]
    next: Annotated[str | None, Meta(description="The cursor of what follows, null at the end.")]


class ShadowedSetting(Struct, frozen=True, kw_only=True):
    """A value that a stronger layer overruled."""

    value: str
    layer: str
    owner: str
    origin: str
    why: str
    set_at: datetime | None = None
    set_by: str = ""


class SettingInForce(Struct, frozen=True, kw_only=True):
    """A setting in force, as it is typed, and where it comes from."""

    value: str
    layer: Annotated[str, Meta(description="The layer that decided it.")]
    owner: str
    origin: Annotated[str, Meta(description="Where that layer has it from.")]
    explicit_none: Annotated[bool, Meta(description="Whether a layer says that nothing of weaker layers holds.")]
    locked_by: Annotated[str, Meta(description="Whose constraint keeps it from being set for a user; else empty.")]
    shadowed: Annotated[list[ShadowedSetting], Meta(description="What was overruled, the strongest first.")]
    set_at: datetime | None = None
    set_by: str = ""


class UserSettings(Struct, frozen=True, kw_only=True):
    """What is in force for a user's submissions through a service."""

    address: str
    customer: str
    profile: str
    service: str
    settings: dict[str, SettingInForce]
    refused: Annotated[list[str], Meta(description="Sentences: what is set and not permitted.")]
    clamped: Annotated[list[str], Meta(description="What constraints made smaller, and whose.")]


class OwnSetting(Struct, frozen=True, kw_only=True):
    """A value that is set for a profile itself."""

    value: str
    origin: str
    set_by: str
    set_at: datetime


class ListedProfile(Struct, frozen=True, kw_only=True):
    """A profile in a list."""

    name: str
    default: bool
    users: int


class ProfileList(Struct, frozen=True, kw_only=True):
    """The profiles by name."""

    profiles: list[ListedProfile]


class ProfileAnswer(ListedProfile, frozen=True, kw_only=True):
    """A profile with what is set for it."""

    customer: str
    settings: dict[str, OwnSetting]


class SettingsToChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings by name, as in a job; null takes a value away, so that weaker layers decide. All or none is changed."""

    settings: Annotated[
        dict[str, str | int | bool | None],
        Meta(min_length=1, examples=[{"sender_id": "ACME", "max_parts": None}]),
    ]


class ClampedSetting(Struct, frozen=True, kw_only=True):
    """A value that is stored, and in force only as another one."""

    setting: str
    value: str
    by: str


class SettingsChanged(Struct, frozen=True, kw_only=True):
    """What is stored now; an empty text is what was taken away."""

    settings: dict[str, str]
    clamped: list[ClampedSetting]


_USER: Final = CallParameter(
    name="user",
    place="path",
    schema={"type": "string", "maxLength": 320},
    description="The address of a person or the name of an application.",
)
_PROFILE: Final = CallParameter(
    name="profile", place="path", schema={"type": "string", "maxLength": 320}, description="The name of a profile."
)
USER_CALLS: Final = (
    Operation(
        name="listUsers",
        method="GET",
        path=f"{BASE}/users",
        scope=Scope.USERS,
        summary="List the users by address",
        status=200,
        answer=UserPage,
        parameters=(CURSOR, LIMIT),
        problems=(400,),
    ),
    Operation(
        name="getUserSettings",
        method="GET",
        path=f"{BASE}/users/{{user}}/settings",
        scope=Scope.USERS,
        summary="Say what is in force for a user, where each value comes from, and what it overrules",
        status=200,
        answer=UserSettings,
        parameters=(
            _USER,
            CallParameter(
                name="service",
                place="query",
                schema={"type": "string", "enum": list(Origin), "default": "mail"},
                description="Through which service.",
            ),
        ),
        problems=(400, 404),
    ),
    Operation(
        name="changeUserSettings",
        method="PATCH",
        path=f"{BASE}/users/{{user}}/settings",
        scope=Scope.USERS,
        summary="Set and unset settings of a user, which no directory changes then",
        status=200,
        answer=SettingsChanged,
        body=SettingsToChange,
        parameters=(_USER,),
        problems=(400, 404, 413),
    ),
    Operation(
        name="listProfiles",
        method="GET",
        path=f"{BASE}/profiles",
        scope=Scope.USERS,
        summary="List the profiles",
        status=200,
        answer=ProfileList,
    ),
    Operation(
        name="getProfile",
        method="GET",
        path=f"{BASE}/profiles/{{profile}}",
        scope=Scope.USERS,
        summary="Return a profile with its settings",
        status=200,
        answer=ProfileAnswer,
        parameters=(_PROFILE,),
        problems=(404,),
    ),
    Operation(
        name="changeProfileSettings",
        method="PATCH",
        path=f"{BASE}/profiles/{{profile}}/settings",
        scope=Scope.USERS,
        summary="Set and unset settings of a profile",
        status=200,
        answer=SettingsChanged,
        body=SettingsToChange,
        parameters=(_PROFILE,),
        problems=(400, 404, 413),
    ),
)


class Users:
    """What answers them."""

    def __init__(self, office: AdminOffice) -> None:
        self._office = office

    def answers(self) -> Mapping[str, Answer]:
        """Return what answers each call."""
        return {
            "listUsers": self._list,
            "getUserSettings": self._explain,
            "changeUserSettings": self._change_user,
            "listProfiles": self._list_profiles,
            "getProfile": self._get_profile,
            "changeProfileSettings": self._change_profile,
        }

    async def _list(self, request: Request, _: Principal, sender: Sender) -> Response:
        wanted = read_list(request.query_params, _CURSORS)
        if isinstance(wanted, list):
            return refuse_fields(wanted)
        found = await self._office.look(
            partial(list_users_after, customer=sender.customer.name, after=wanted.cursor, limit=wanted.limit + 1)
        )
        users = msgspec.convert(found[: wanted.limit], list[UserAnswer])
        return answer(UserPage(users=users, next=users[-1].address if len(found) > wanted.limit else None))

    async def _explain(self, request: Request, _: Principal, sender: Sender) -> Response:
        bad = check_names(request.query_params, ("service",))
        if bad:
            return refuse_fields(bad)
        address = self._address_of(request, sender)
        if address is None:
            return no_such("user")
        snapshot, service = self._office.snapshot, request.query_params.get("service", Origin.MAIL.value)
        directory, layers = snapshot.directory, snapshot.layers
        try:
            told = await self._office.look(lambda tx: explain_user(tx, directory, layers, address, service, ()))
        except AdminFault as fault:
            return refuse_fault(fault)
        return answer(msgspec.convert(told.view(), UserSettings))

    async def _change_user(self, request: Request, principal: Principal, sender: Sender) -> Response:
        address = self._address_of(request, sender)
        return no_such("user") if address is None else await self._change(request, principal, UserScope(address))

    async def _list_profiles(self, _: Request, __: Principal, sender: Sender) -> Response:
        found = await self._office.look(partial(list_profiles, customer=sender.customer.name))
        return answer(ProfileList(profiles=msgspec.convert(found, list[ListedProfile])))

    async def _get_profile(self, request: Request, _: Principal, sender: Sender) -> Response:
        name = request.path_params["profile"]
        if not name.isprintable():
            return no_such("profile")
        try:
            found = await self._office.look(partial(show_profile, customer=sender.customer.name, name=name))
        except AdminFault as fault:
            return refuse_fault(fault)
        return answer(msgspec.convert(found, ProfileAnswer))

    async def _change_profile(self, request: Request, principal: Principal, sender: Sender) -> Response:
        name = request.path_params["profile"]
        if not name.isprintable():
            return no_such("profile")
        return await self._change(request, principal, ProfileScope(sender.customer.name, name))

    def _address_of(self, request: Request, sender: Sender) -> str | None:
        """Return the address of a user of the customer; None for anybody else, as for nobody."""
        given: str = request.path_params["user"]
        canonical = canonical_application(given) or canonical_address(given)
        found = self._office.snapshot.directory.user(canonical) if canonical is not None else None
        return found.address if found is not None and found.customer_id == sender.customer.key else None

    async def _change(self, request: Request, principal: Principal, scope: SettingsScope) -> Response:
        given = read_body(await request.body(), SettingsToChange)
        if isinstance(given, list):
            return refuse_fields(given)
        texts = {name: _text(value) for name, value in given.settings.items()}
        bad = [
            BadField(field=f"settings.{name[:80]}", expected="no character U+0000")
            for name, text in texts.items()
            if "\0" in text
        ]
        if bad:
            return refuse_fields(bad)
        try:
            (done,) = await self._office.change(principal.login, lambda edit: set_settings(edit, scope, texts))
        except AdminFault as fault:
            return refuse_fault(fault)
        cells = msgspec.convert(done.facts["cells"], list[tuple[str, str]])
        clamped = msgspec.convert(done.facts["clamped"], list[tuple[str, str, str]])
        return answer(
            SettingsChanged(
                settings=dict(cells),
                clamped=[ClampedSetting(setting=name, value=value, by=by) for name, value, by in clamped],
            )
        )


def _text(value: object) -> str:
    """Return a value as it is typed; an empty text unsets."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else str(value)
