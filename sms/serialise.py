"""Settings as JSON and back: a job's settings at acceptance are read exactly, whatever changed since.

A field added by a later version has its built-in value; a removed one is ignored.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

import msgspec

from sms.number import SenderId
from sms.settings import FIELDS, Settings, format_setting

_BUILT_IN = Settings()


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, SenderId):
        return format_setting(value)  # a number with its plus: without it a short one reads as a short code
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
