"""What the settings of an action are called, what their texts mean, and how they are shown.

Not here: storing an action (actions), what it does (inbound.planning).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import time
from types import MappingProxyType
from typing import Any, Final

from addressbook.canonical import canonical_address
from gateway.admin.faults import AdminFault, FaultCode
from inbound.actions import (
    ActionKind,
    ActionSettings,
    AnswerAction,
    ListAction,
    ListMode,
    MailAction,
    MailTo,
    PushAction,
    PushForm,
    PushLogin,
    SmppAction,
    StopScope,
)
from sms.facts import Fact
from sms.message import Origin

Find = Callable[[str], int | None]
"""Returns the key of the customer's profile of a name, None where there is none."""

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
_MOST_ADDRESSES: Final = 50
_LONGEST_TEXT: Final = 1_000
_ANSWERED: Final = AnswerAction()
_EMPTY: Final[Mapping[ActionKind, ActionSettings]] = MappingProxyType(
    {
        ActionKind.MAIL: MailAction(),
        ActionKind.REPLY: _ANSWERED,
        ActionKind.STOP: _ANSWERED,
        ActionKind.START: _ANSWERED,
        ActionKind.HELP: _ANSWERED,
        ActionKind.LIST: ListAction(addresses=()),
        ActionKind.PUSH: PushAction(url=""),
        ActionKind.SMPP: SmppAction(login=""),
    }
)


def _addresses(text: str) -> tuple[str, ...]:
    given = [word.strip() for word in text.split(",") if word.strip()]
    found = [canonical_address(word) for word in given]
    if None in found or len(found) > _MOST_ADDRESSES:
        raise ValueError
    return tuple(dict.fromkeys(word for word in found if word is not None))


def _time(text: str) -> time:
    if not re.fullmatch(r"[0-2]?[0-9]:[0-5][0-9]", text):
        raise ValueError
    hour, minute = text.split(":")
    return time(int(hour), int(minute))


def _text(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise ValueError
    return text


def _words(kind: type[MailTo | ListMode | StopScope | PushForm | PushLogin]) -> tuple[Callable[[str], Any], str]:
    return kind, ", ".join(kind)


_ADDRESSES: Final = (_addresses, f"up to {_MOST_ADDRESSES} mail addresses with commas between them")
_PLAIN: Final = (_text, f"a text of at most {_LONGEST_TEXT} characters")
_ANSWER: Final = {"text": _PLAIN}
_SCOPED: Final = {**_ANSWER, "scope": _words(StopScope)}
FIELDS: Final[Mapping[ActionKind, Mapping[str, tuple[Callable[[str], Any], str]]]] = MappingProxyType(
    {
        ActionKind.MAIL: {"to": _words(MailTo), "addresses": _ADDRESSES, "profile": (str, "a profile's name")},
        ActionKind.REPLY: _ANSWER,
        ActionKind.STOP: _SCOPED,
        ActionKind.START: _SCOPED,
        ActionKind.HELP: _ANSWER,
        ActionKind.LIST: {
            "addresses": _ADDRESSES,
            "at": (_time, "a time of the day in UTC such as 10:00"),
            "mode": _words(ListMode),
        },
        ActionKind.PUSH: {
            "url": _PLAIN,
            "method": (str.upper, "POST or PUT"),
            "form": _words(PushForm),
            "login": _words(PushLogin),
            "user": _PLAIN,
            "password_file": _PLAIN,
            "header": _PLAIN,
            "template": (str, "a template"),
        },
        ActionKind.SMPP: {"login": (str.lower, "a login of the customer")},
    }
)
"""What may be set, by kind: how a text is read, and what is expected. Texts and headers have names behind a dot."""
_NEEDED: Final[Mapping[ActionKind, str]] = MappingProxyType(
    {ActionKind.LIST: "addresses", ActionKind.PUSH: "url", ActionKind.SMPP: "login"}
)


def read_settings(
    kind: ActionKind, before: ActionSettings | None, assignments: Mapping[str, str], find_profile: Find
) -> ActionSettings:
    """Return settings with these fields changed; an empty text is the default again. Raises AdminFault."""
    settings = before or _EMPTY[kind]
    for typed, text in assignments.items():
        settings = _changed(kind, settings, typed.strip().replace("-", "_"), text.strip(), find_profile)
    needed = _NEEDED.get(kind, "")
    if isinstance(settings, MailAction) and settings.to is MailTo.STATIC:
        needed = "addresses"
    if needed and not getattr(settings, needed):
        raise AdminFault(FaultCode.ACTION_INCOMPLETE, kind=kind.value, field=needed)
    return settings


def show_settings(action_kind: ActionKind, settings: ActionSettings, profiles: Mapping[int, str]) -> tuple[Fact, ...]:
    """Return what is set beside the defaults, as it is typed: `addresses=a@example.com`."""
    said: dict[str, str] = {}
    default = _EMPTY[action_kind]
    for name in FIELDS[action_kind]:
        if name == "text" and isinstance(settings, AnswerAction):
            said |= {f"text{_dotted(place)}": text for place, text in sorted(settings.texts.items())}
        elif name == "header" and isinstance(settings, PushAction):
            said |= {f"header.{header}": value for header, value in sorted(settings.headers.items())}
        elif name == "profile" and isinstance(settings, MailAction):
            said["profile"] = profiles.get(settings.profile_key or 0, "")
        elif getattr(settings, name) != getattr(default, name):
            said[name] = _shown(getattr(settings, name))
    return tuple(f"{name}={text}" for name, text in said.items() if text)


def _changed(kind: ActionKind, settings: ActionSettings, name: str, text: str, find_profile: Find) -> ActionSettings:
    field, _, place = name.partition(".")
    known = FIELDS[kind].get(field)
    if known is None or (place and field not in {"text", "header"}):
        raise AdminFault(FaultCode.NO_ACTION_FIELD, kind=kind.value, field=name, known=tuple(FIELDS[kind]))
    parse, expected = known
    try:
        value = parse(text) if text else None
    except ValueError:
        raise AdminFault(FaultCode.BAD_ACTION_VALUE, field=name, given=text, expected=expected) from None
    if isinstance(settings, AnswerAction) and field == "text":
        return replace(settings, texts=_put(settings.texts, _place(name, place), value))
    if isinstance(settings, PushAction) and field == "header":
        if not place:
            raise AdminFault(FaultCode.NO_ACTION_FIELD, kind=kind.value, field=name, known=("header.NAME",))
        return replace(settings, headers=_put(settings.headers, place.replace("_", "-"), value))
    if isinstance(settings, MailAction) and field == "profile":
        key = find_profile(text) if text else None
        return replace(settings, profile_key=key)
    return replace(settings, **{field: getattr(_EMPTY[kind], field) if value is None else value})


def _put(values: Mapping[str, str], key: str, value: str | None) -> dict[str, str]:
    others = {name: text for name, text in values.items() if name != key}
    return others if value is None else {**others, key: value}


def _place(name: str, place: str) -> str:
    """Return `service/language` of `.mail.de`, `.mail`, `.de`, or nothing."""
    service = language = ""
    for word in filter(None, place.lower().replace("_", "-").split(".")):
        if word in set(Origin) and not service and not language:
            service = word
        elif _LANGUAGE.fullmatch(word) and word not in set(Origin) and not language:
            language = word
        else:
            raise AdminFault(
                FaultCode.BAD_ACTION_VALUE, field=name, given=word, expected="text.SERVICE.LANGUAGE, such as mail.de"
            )
    return f"{service}/{language}"


def _dotted(place: str) -> str:
    return "".join(f".{word}" for word in place.split("/") if word)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return value.strftime("%H:%M") if isinstance(value, time) else str(value)
