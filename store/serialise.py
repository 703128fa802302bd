"""Settings as JSON and back: what a job freezes at acceptance is read again exactly, whatever changed since.

A field that a later version added reads as its built-in value; one that it dropped is ignored.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

import msgspec

from sms.message import Replacement
from sms.number import SenderId
from sms.schedule import Blackout
from sms.settings import FIELDS, Settings, format_setting
from store.engine.keys import to_instant, to_stored

_BUILT_IN = Settings()


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, SenderId):
        return format_setting(value)  # a number with its plus: by its digits alone a short one reads as a short code
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def freeze_settings(settings: Settings) -> str:
    """Return the settings that differ from the built-in ones, as JSON."""
    differing = {
        item.name: _plain(getattr(settings, item.name))
        for item in fields(Settings)
        if getattr(settings, item.name) != getattr(_BUILT_IN, item.name)
    }
    return msgspec.json.encode(differing).decode()


def thaw_settings(frozen: str) -> Settings:
    """Return the settings that `freeze_settings` wrote."""
    values: dict[str, Any] = {}
    for name, plain in msgspec.json.decode(frozen).items():
        if name not in FIELDS:
            continue
        built_in = getattr(_BUILT_IN, name)
        if isinstance(built_in, timedelta):
            values[name] = timedelta(seconds=plain)
        elif isinstance(plain, str):
            values[name] = FIELDS[name].parse(plain) if plain else plain
        else:
            values[name] = tuple(plain) if isinstance(plain, list) else plain
    return Settings(**values)


def freeze_origins(origins: Mapping[str, tuple[str, str]]) -> str:
    """Return layer and origin per field as JSON."""
    return msgspec.json.encode(dict(origins)).decode()


def thaw_origins(frozen: str) -> dict[str, tuple[str, str]]:
    """Return what `freeze_origins` wrote."""
    return msgspec.json.decode(frozen, type=dict[str, tuple[str, str]])


def freeze_replaced(replaced: tuple[Replacement, ...]) -> str:
    """Return replacements as JSON triples; empty text for none."""
    if not replaced:
        return ""
    return msgspec.json.encode([(item.index, item.old, item.new) for item in replaced]).decode()


def thaw_replaced(frozen: str) -> tuple[Replacement, ...]:
    """Return what `freeze_replaced` wrote."""
    if not frozen:
        return ()
    triples = msgspec.json.decode(frozen, type=list[tuple[int, str, str]])
    return tuple(Replacement(index=index, old=old, new=new) for index, old, new in triples)


def freeze_blackouts(blackouts: tuple[Blackout, ...]) -> str | None:
    """Return periods as JSON pairs of stored instants; None for none."""
    if not blackouts:
        return None
    return msgspec.json.encode([(to_stored(item.start_at), to_stored(item.end_at)) for item in blackouts]).decode()


def thaw_blackouts(frozen: str | None) -> tuple[Blackout, ...]:
    """Return what `freeze_blackouts` wrote."""
    if not frozen:
        return ()
    pairs = msgspec.json.decode(frozen, type=list[tuple[int, int]])
    return tuple(Blackout(start_at=to_instant(start), end_at=to_instant(end)) for start, end in pairs)


def end_of_blackout(frozen: str, now: int) -> int | None:
    """Return when the period that holds `now` ends, None outside of all; instants as stored, without a detour."""
    pairs = msgspec.json.decode(frozen, type=list[tuple[int, int]])
    return next((end for start, end in pairs if start <= now < end), None)
