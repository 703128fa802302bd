"""The settings of a customer, at each level: what is in force, from where, and what a change would do.

Not here: templates of mails (templates), users and profiles themselves (directory).
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.options import SERVICE_OPTIONS
from addressbook.rights import Right
from gateway.admin.constraints import ConstraintLimits, limit
from gateway.admin.faults import AdminFault
from gateway.admin.levels import Foreseen, Level, LevelSetting, foresee, show_level
from gateway.admin.settings import CustomerScope, ListScope, ProfileScope, Scope, UserScope, set_settings
from gateway.admin.views import spoken_value
from sms.message import Origin
from sms.settings import FIELDS, NONE, SettingProblem, parse_setting
from web.portal.page import CUSTOMER, POST, Page
from web.portal.visit import Visit, or_again

GROUPS: Final = {
    "sms": (
        "sender_id", "fallback_sender_id", "use_case", "brand", "opt_out_text",
        "priority", "flash", "coding", "unencodable", "national_languages", "max_parts", "overlong",
        "validity", "delivery_receipt", "duplicate_detection", "parameters",
    ),
    "mail": (
        "text_source", "subject_fallback", "sender_prefix", "subject_options", "end_marker", "disclaimers",
        "automatic_mail", "address_prefixes",
    ),
    "numbers": ("default_country", "strict_numbers", "max_recipients"),
    "status": (
        "status_report", "first_report", "status_channel", "status_address", "report_format", "acceptance_is_delivery",
        "preview", "push_url", "push_states",
    ),
    "inbound": ("inbound_preview", "inbound_history"),
    "bill": ("cost_centre", "summary_addresses", "text_days"),
    "look": ("language", "time_zone", "logo", "accent", "contact"),
}  # fmt: skip
"""The settings by subject, in the order of the page."""

_ON_OFF: Final = ("on", "off")
_MOST_USERS: Final = 8  # users that a look for one shows


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsLevel:
    """A level as the path names it. `path` begins below the settings of the customer, empty for itself."""

    scope: Scope
    kind: str
    name: str
    path: str


async def show_settings(visit: Visit) -> Response:
    """Show all settings of a level, and the ways to the others."""
    place = _place(visit)
    service = _service(visit)
    level = await _level(visit, place, service)
    settings = {item.name: item for item in level.settings}
    return visit.show(
        "rooms/settings/list",
        place=place,
        groups=[(group, [settings[name] for name in names]) for group, names in GROUPS.items()],
        places=list(_places(visit)),
        service=service,
        services=list(_services(visit)) if place.kind in {"profile", "user", "list"} else [],
        asked=visit.asked("user"),
        found=_find_users(visit),
    )


async def show_setting(visit: Visit) -> Response:
    """Show one setting: what is in force, what it shadows, and the form that changes it."""
    place = _place(visit)
    level = await _level(visit, place, _service(visit))
    return _edit(visit, place, _setting(visit, level))


async def _show_setting_again(visit: Visit, errors: Mapping[str, str]) -> Response:
    place = _place(visit)
    return _edit(visit, place, _setting(visit, await _level(visit, place, _service(visit))), errors)


@or_again(_show_setting_again, {"": "value"})
async def change_setting(visit: Visit) -> Response:
    """Say first whom a change reaches, and then change it."""
    place = _place(visit)
    level = await _level(visit, place, _service(visit))
    setting = _setting(visit, level)
    text = _typed(visit, setting.own)
    value = parse_setting(setting.name, text)
    if isinstance(value, SettingProblem):
        expected = visit.say(f"settings.hints.{setting.name}")
        return _edit(visit, place, setting, {"value": visit.say("settings.bad-value", expected=expected)})
    if not visit.form.ticked("seen"):
        foreseen = await asyncio.to_thread(
            foresee, visit.desk.snapshot, level.found, level.service, setting.name, value
        )
        if foreseen.reached:
            return _edit(visit, place, setting, foreseen=foreseen)
    await visit.change(partial(set_settings, scope=place.scope, assignments={setting.name: text}))
    return visit.go(
        f"{visit.here}/settings{place.path}", "settings.changed", name=visit.say(f"settings.names.{setting.name}")
    )


@or_again(_show_setting_again, {"": ""})
async def change_lock(visit: Visit) -> Response:
    """Let levels below the customer decide a setting, or not."""
    place = _place(visit)
    if place.kind != "customer":
        raise HTTPException(404)
    setting = _setting(visit, await _level(visit, place, ""))
    locks = visit.form.text("lock") == "yes"
    names = (setting.name,)
    change = ConstraintLimits(lock=names) if locks else ConstraintLimits(unlock=names)
    await visit.change(partial(limit, scope=place.scope, limits=change))
    said = "settings.lock.locked" if locks else "settings.lock.unlocked"
    return visit.go(f"{visit.here}/settings/-/{setting.name}", said, name=visit.say(f"settings.names.{setting.name}"))


def _edit(
    visit: Visit,
    place: SettingsLevel,
    setting: LevelSetting,
    errors: Mapping[str, str] | None = None,
    *,
    foreseen: Foreseen | None = None,
) -> Response:
    locked = {name for rules in visit.desk.snapshot.layers.constraints(visit.customer.key) for name in rules.locked}
    return visit.show(
        "rooms/settings/edit",
        errors=errors,
        place=place,
        setting=setting,
        choices=_choices(setting.name),
        foreseen=foreseen,
        service=_service(visit),
        is_locked=setting.name in locked,
        typed=spoken_value,
    )


async def _level(visit: Visit, place: SettingsLevel, service: str) -> Level:
    try:
        return await visit.desk.look(lambda tx: show_level(tx, visit.desk.snapshot, place.scope, service))
    except AdminFault as fault:  # it was removed a moment ago
        raise HTTPException(404) from fault


def _setting(visit: Visit, level: Level) -> LevelSetting:
    try:
        return level.setting(visit.parameter("name"))
    except KeyError:
        raise HTTPException(404) from None


def _place(visit: Visit) -> SettingsLevel:
    """Return the level that the path names. Raises HTTPException 404 where the customer has none of it."""
    customer, directory = visit.customer, visit.desk.snapshot.directory
    kind, of = visit.parameter("kind"), visit.parameter("of")
    path = f"/{kind}/{of}"
    number = int(of) if of.isdecimal() and len(of) < 20 else 0
    match kind:
        case "":
            return SettingsLevel(scope=CustomerScope(customer.name), kind="customer", name=customer.name, path="")
        case "service" if of in dict(_services(visit)):
            return SettingsLevel(
                scope=CustomerScope(customer.name, of), kind=kind, name=visit.say(f"settings.services.{of}"), path=path
            )
        case "profile":
            profile = directory.profile(number)
            if profile is not None and profile.customer_id == customer.key:
                return SettingsLevel(
                    scope=ProfileScope(customer.name, profile.name), kind=kind, name=profile.name, path=path
                )
        case "user":
            user = directory.user_with_id(number)
            if user is not None and user.customer_id == customer.key:
                return SettingsLevel(scope=UserScope(user.address), kind=kind, name=user.address, path=path)
        case "list":
            for item in visit.desk.snapshot.lists.of_customer(customer.key):
                if item.key == number:
                    return SettingsLevel(
                        scope=ListScope(customer.name, item.name), kind=kind, name=item.name, path=path
                    )
    raise HTTPException(404)


def _places(visit: Visit) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield the kinds of levels with the path and the name of each, but for users, of whom there may be thousands."""
    customer, snapshot = visit.customer, visit.desk.snapshot
    yield "customer", [("", customer.name)]
    yield (
        "service",
        [(f"/service/{service}", visit.say(f"settings.services.{service}")) for service, _ in _services(visit)],
    )
    yield "profile", [(f"/profile/{item.key}", item.name) for item in snapshot.directory.profiles(customer.key)]
    yield "list", [(f"/list/{item.key}", item.name) for item in snapshot.lists.of_customer(customer.key)]


def _services(visit: Visit) -> Iterator[tuple[str, str]]:
    """Yield the customer's services with their words."""
    for service in Origin:
        option = SERVICE_OPTIONS.get(service)
        if option is None or visit.has(option):
            yield service.value, visit.say(f"settings.services.{service}")


def _service(visit: Visit) -> str:
    """Return the service for which a level is shown; the first one of the customer where none is asked for."""
    services = [service for service, _ in _services(visit)]
    asked = visit.asked("service") or visit.form.text("service")
    kind = visit.parameter("kind")
    if kind in {"", "service"}:
        return ""
    return asked if asked in services else services[0]


def _find_users(visit: Visit) -> list[tuple[str, str]]:
    """Return path and address of the first users whose address or name has the words that were typed."""
    words = visit.asked("user").strip().casefold()
    if not words:
        return []
    users = visit.desk.snapshot.directory.users(visit.customer.key)
    fitting = (user for user in users if words in user.address.casefold() or words in user.name.casefold())
    return [(f"/user/{user.key}", user.address) for _, user in zip(range(_MOST_USERS), fitting, strict=False)]


def _choices(name: str) -> list[str]:
    """Return the values of a setting that has few, as they are typed."""
    neutral = FIELDS[name].neutral
    if isinstance(neutral, bool):
        return list(_ON_OFF)
    return [str(item) for item in type(neutral)] if isinstance(neutral, StrEnum) else []


def _typed(visit: Visit, own: str) -> str:
    """Return what the form says, as it is typed at the command line: a text, `<none>`, or nothing.

    Who typed another value means it, whatever else is chosen.
    """
    value, said = visit.form.text("value").strip(), visit.form.text("say")
    if said == "value" or (value and value != own):
        return value or str(NONE)
    return {"inherit": "", "none": str(NONE)}.get(said, said)


_ROOT = f"{CUSTOMER}/settings"
_AT = f"{_ROOT}/{{kind:str}}/{{of:str}}"

PAGES = (
    Page(path=_ROOT, handler=show_settings, right=Right.SEE_SETTINGS, menu="settings.menu"),
    Page(path=f"{_ROOT}/-/{{name:str}}", handler=show_setting, right=Right.SEE_SETTINGS),
    Page(path=f"{_ROOT}/-/{{name:str}}", methods=POST, handler=change_setting, right=Right.CHANGE_SETTINGS),
    Page(path=f"{_ROOT}/-/{{name:str}}/lock", methods=POST, handler=change_lock, right=Right.CHANGE_SETTINGS),
    Page(path=_AT, handler=show_settings, right=Right.SEE_SETTINGS),
    Page(path=f"{_AT}/{{name:str}}", handler=show_setting, right=Right.SEE_SETTINGS),
    Page(path=f"{_AT}/{{name:str}}", methods=POST, handler=change_setting, right=Right.CHANGE_SETTINGS),
)
