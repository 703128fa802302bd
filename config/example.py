"""The operator's file as text with all its documentation, made from the types: the example, and what `init` writes.

Options that `values` names stand as they are; all others stand as comments, with their default or an example. Run as a
program it prints the example file.
"""

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, get_args

from config.field_types import (
    FieldType,
    TableType,
    choices,
    docs_of,
    format_duration,
    hints_of,
    is_choice,
    is_mapping,
    is_table,
    item_hint,
    key_of,
    options_of,
    unwrap,
)
from config.model import Config
from sms.settings import FIELDS, Settings, format_setting

_WIDTH = 110

EXAMPLE: Mapping[str, object] = {
    "server": {"hostname": "gateway.example.net", "domains": ["sms.example.net"], "data_dir": "/var/lib/mail2sms"},
    "listener": [{"name": "submission", "address": "127.0.0.1:2525"}],
    "carrier": [{"name": "sandbox", "kind": "sandbox"}],
}


def render_config(values: Mapping[str, object]) -> str:
    """Return a whole operator's file in which the given values are in force and every other option is described."""
    head = textwrap.dedent(
        """\
        # mail2sms: the operator's file. TOML 1.0; «mail2sms check --config FILE» says what is wrong, and where.
        # A commented line shows an option's default, or an example where nothing is the default.
        # Secrets stand in files of their own, options named …_file. Relative paths count from this file's folder.
        # Durations: "500ms", "90s", "5m", "2h", "7d". Sizes: octets, or "512K", "10M", "1G".
        """
    )
    body = "\n".join(_render_tables(Config, values, ()))
    return f"{head}{body}\n"


def example_toml() -> str:
    """Return mail2sms.example.toml."""
    return render_config(EXAMPLE)


def _render_tables(
    kind: type, values: Mapping[str, object], path: tuple[str, ...], *, live: bool = True
) -> Iterator[str]:
    """Render the keys of a table, then its sub-tables: TOML wants them in this order."""
    hints = hints_of(kind)
    docs = docs_of(kind)
    tables = []
    for item in options_of(kind):
        bare, field_type = unwrap(hints[item.name])
        inner, inner_shape = unwrap(item_hint(bare)) if item_hint(bare) else (bare, field_type)
        if isinstance(field_type, TableType) or (inner_shape is None and is_table(inner)):
            tables.append((item, inner, field_type))
        else:
            yield from _render_option(item, hints[item.name], docs[item.name], values, live=live)
    for item, inner, field_type in tables:
        key = key_of(item)
        name = ".".join((*path, key))
        given = values.get(key)
        if isinstance(field_type, TableType):
            yield from ("", *_comment(docs[item.name]), *_render_settings(name, given))
        elif is_mapping(inner):
            yield from ("", *_comment(docs[item.name]), *_render_mapping(name, inner, given))
        elif item_hint(unwrap(hints[item.name])[0]):
            yield from ("", *_comment(inner.__doc__))
            for entry in given if isinstance(given, Sequence) else [None]:
                yield from _render_table(f"[[{name}]]", inner, entry, (*path, key), live=live)
        else:
            yield from ("", *_comment(inner.__doc__))
            yield from _render_table(f"[{name}]", inner, given, (*path, key), live=live)


def _render_table(header: str, kind: type, values: object, path: tuple[str, ...], *, live: bool) -> Iterator[str]:
    given = values if isinstance(values, Mapping) else {}
    live = live and (isinstance(values, Mapping) or (not header.startswith("[[") and len(path) == 1))
    yield header if live else f"#{header}"
    yield from _render_tables(kind, given, path, live=live)


def _render_option(item: Any, hint: Any, doc: str, values: Mapping[str, object], *, live: bool) -> Iterator[str]:
    key = key_of(item)
    yield from _comment(_documented(item, hint, doc))
    default = item.default if item.default is not MISSING else None
    if item.default_factory is not MISSING:
        default = item.default_factory()
    shown = item.metadata.get("example") if default in (None, "", ()) or isinstance(default, Path) else None
    value = values.get(key, default if shown is None else shown)
    kind = unwrap(hint)[0]
    if value is None and is_choice(kind):
        value = next(iter(kind))
    mark = "" if live and key in values else "#"
    yield f"{mark}{key} = {_toml(value, hint)}"


def _documented(item: Any, hint: Any, doc: str) -> str:
    """Return a field's doc, with the choices of an enum where the doc doesn't explain them itself."""
    kind = unwrap(hint)[0]
    if is_choice(kind):
        names = list(choices(kind))
        if not all(f"{name}:" in doc or f"{name} (" in doc or f"{name}, " in doc for name in names):
            doc = f"{doc} One of: {', '.join(names)}.".strip()
    needed = item.default is MISSING and item.default_factory is MISSING
    return f"{doc} Required.".strip() if needed else doc


def _render_settings(name: str, given: object) -> Iterator[str]:
    values = given if isinstance(given, Mapping) else {}
    yield f"[{name}]"
    for field in FIELDS.values():
        yield from _comment(f"{field.doc} Takes {field.expected}.")
        default = getattr(Settings(), field.name)
        text = "" if default is None else format_setting(default)
        value = values.get(field.name, default if isinstance(default, bool | int) else text)
        yield f"{'' if field.name in values else '#'}{field.name} = {_toml(value, None)}"


def _render_mapping(name: str, hint: Any, given: object) -> Iterator[str]:
    """Render a table with keys of the operator's own as it was given, else one example of a key and its value."""
    key_kind, value_hint = get_args(hint)
    value_kind = unwrap(value_hint)[0]
    values = given if isinstance(given, Mapping) else {}
    example = "0x0045" if key_kind is int else "name" if is_table(value_kind) else "WORD"
    mark = "" if values else "#"
    if is_table(value_kind):
        for key in values or (example,):
            yield f"{mark}[{name}.{key}]"
            yield from _render_tables(value_kind, values.get(key, {}), (name, key), live=bool(values))
    else:
        yield f"{mark}[{name}]"
        for key in values or (example,):
            yield f"{mark}{key} = {_toml(values.get(key, next(iter(choices(value_kind)))), value_hint)}"


def _comment(text: str | None) -> Iterator[str]:
    """Yield a paragraph as comment lines."""
    for line in textwrap.wrap(" ".join((text or "").split()), _WIDTH, break_on_hyphens=False):
        yield f"# {line}"


def _toml(value: object, hint: Any) -> str:
    """Return a value as TOML text that the reader takes for the same value."""
    kind, field_type = unwrap(hint)
    if isinstance(value, list | tuple | frozenset):
        return f"[{', '.join(_toml(item, item_hint(kind)) for item in value)}]"
    if isinstance(field_type, FieldType) and not isinstance(value, str | None):
        value = field_type.show(value)
    if isinstance(value, timedelta):
        value = format_duration(value)
    if isinstance(value, Enum):
        value = next(word for word, member in choices(type(value)).items() if member is value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else json.dumps(str(value or ""), ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write(example_toml())
