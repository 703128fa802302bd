"""TOML text → any frozen dataclass: by its type hints, with every error at once and each at its line.

A dataclass may have a method `complaints()` for what only several of its fields together show. Not here: how single
values look (config_shapes), which options there are (config), and the example file (config_example).
"""

import difflib
import json
import os
import re
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import (
    Any,
    NoReturn,
    Protocol,
    TypeVar,
    get_args,
    get_origin,
    runtime_checkable,
)
from zoneinfo import ZoneInfo

from config.field_types import (
    FieldType,
    PathKind,
    TableType,
    choices,
    expected,
    hints_of,
    is_choice,
    is_mapping,
    is_table,
    item_hint,
    key_of,
    options_of,
    parse_duration,
    parse_key,
    parse_zone,
    unwrap,
    words,
)
from config.lines import KeyPath, line_of, locate

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem:
    """One thing wrong in the operator's file, or worth a warning: where it stands and what is expected there."""

    file: Path
    line: int
    message: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {'warning: ' if self.warning else ''}{self.message}"


@dataclass(frozen=True, slots=True)
class ConfigIssue:
    """What a dataclass says of its fields taken together; `key`, seen from there, is what the operator would change."""

    key: str | KeyPath
    message: str
    warning: bool = False


@runtime_checkable
class Checked(Protocol):
    """A dataclass with rules across its fields."""

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield what is wrong with the fields taken together."""


def twice(table: str, key: str, values: Sequence[str]) -> Iterator[ConfigIssue]:
    """Yield a complaint for each table of an array whose key repeats an earlier one's value."""
    for index, value in enumerate(values):
        if value in values[:index]:
            yield ConfigIssue((table, index, key), f'"{value}" stands twice')


def unknown_key(key: str, known: Sequence[str]) -> str:
    """Return what to say of a key that there is not: the nearest right one, or all of them where none is near."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.55)
    return f'unknown key, did you mean "{near[0]}"?' if near else f"unknown key, expected {words(sorted(known))}"


class _Wrong(Exception):  # noqa: N818 - not an error of ours: it carries what to tell the operator
    def __init__(self, expected: str, *, repeat: bool = True) -> None:
        super().__init__(expected)
        self.expected = expected
        self.repeat = repeat


def _wrong(expected: str) -> NoReturn:
    raise _Wrong(expected)


class Reader:
    """Reads tables of one file into dataclasses, and gathers what is wrong on the way in `problems`."""

    def __init__(self, file: Path, lines: Mapping[KeyPath, int]) -> None:
        self.file = file
        self.lines = lines
        self.problems: list[ConfigProblem] = []

    def tell(self, path: KeyPath, message: str, *, warning: bool = False) -> None:
        """Gather one problem at the line of a path."""
        where = _spoken(path)
        text = f"{where}: {message}" if where else message
        line = line_of(self.lines, path)
        self.problems.append(ConfigProblem(file=self.file, line=line, message=text, warning=warning))

    def read(self, kind: type[T], table: Mapping[str, object], path: KeyPath = ()) -> T | None:
        """Return the dataclass that a table describes, or None after telling everything that is wrong with it."""
        before = len(self.problems)
        hints = hints_of(kind)
        known = {key_of(item): item for item in options_of(kind)}
        for key in table:
            if key not in known:
                self.tell((*path, key), unknown_key(key, list(known)))
        values: dict[str, object] = {}
        for key, item in known.items():
            if key in table:
                values[item.name] = self._value(hints[item.name], table[key], (*path, key))
            elif item.default is MISSING and item.default_factory is MISSING:
                self.tell(path, f'"{key}" is missing: expected {expected(hints[item.name])}')
        if any(not problem.warning for problem in self.problems[before:]):
            return None
        try:
            result = kind(**values)
        except ValueError as error:
            self.tell(path, str(error))
            return None
        if isinstance(result, Checked):
            for complaint in result.complaints():
                inner = (complaint.key,) if isinstance(complaint.key, str) else complaint.key
                self.tell((*path, *inner), complaint.message, warning=complaint.warning)
        return result

    def _value(self, hint: Any, value: object, path: KeyPath) -> object:
        """Return one field's value; after telling what is wrong with it, None."""
        try:
            return self._right_value(hint, value, path)
        except _Wrong as wrong:
            given = f", got {_shown(value)}" if wrong.repeat else ""
            self.tell(path, f"expected {wrong.expected}{given}")
            return None

    def _right_value(self, hint: Any, value: object, path: KeyPath) -> object:
        kind, field_type = unwrap(hint)
        if isinstance(field_type, PathKind):
            return self._path(field_type, value, path)
        if isinstance(field_type, FieldType) or not (
            isinstance(field_type, TableType) or is_table(kind) or item_hint(kind)
        ):
            return _scalar(kind, field_type, value)
        element = item_hint(kind)
        if element is not None:
            items = value if isinstance(value, list) else _wrong(expected(hint))
            return get_origin(kind)(self._value(element, item, (*path, at)) for at, item in enumerate(items))
        table = value if isinstance(value, dict) else _wrong("a table")
        if isinstance(field_type, TableType):
            return self._free_table(field_type, table, path)
        return self._mapping(kind, table, path) if is_mapping(kind) else self.read(kind, table, path)

    def _free_table(self, field_type: TableType, table: Mapping[str, object], path: KeyPath) -> object:
        result, wrong = field_type.read(table)
        for key, message in wrong:
            self.tell((*path, key), message)
        return result

    def _mapping(self, kind: Any, table: Mapping[str, object], path: KeyPath) -> Mapping[object, object]:
        key_kind, value_hint = get_args(kind)
        result: dict[object, object] = {}
        for text, value in table.items():
            try:
                key = parse_key(key_kind, text)
            except ValueError:
                self.tell((*path, text), 'expected a whole number as the key, such as "69" or "0x45"')
                continue
            result[key] = self._value(value_hint, value, (*path, text))
        return MappingProxyType(result)

    def _path(self, kind: PathKind, value: object, path: KeyPath) -> Path:
        if not isinstance(value, str) or not value or "\0" in value:
            _wrong(f"the path of {kind.value}")
        found = Path(os.path.abspath(self.file.parent / Path(value).expanduser()))  # noqa: PTH100 - links stay links
        if kind is PathKind.FOLDER or kind is PathKind.HOME:
            if not found.is_dir() and (kind is PathKind.HOME or found.exists()):
                self.tell(path, f"expected {kind.value}, {found} is none")
            return found
        try:
            with found.open("rb") as opened:
                status = os.fstat(opened.fileno())
        except OSError as error:
            self.tell(path, f"expected {kind.value}, {found}: {error.strerror}")
            return found
        if status.st_size == 0:
            self.tell(path, f"expected {kind.value}, {found} is empty")
        if kind is PathKind.SECRET and status.st_mode & (stat.S_IROTH | stat.S_IWOTH):
            self.tell(path, f"everybody on this machine can read {found}: chmod o-rwx it", warning=True)
        return found


_PARSERS: Mapping[Any, Callable[[object], object]] = MappingProxyType({timedelta: parse_duration, ZoneInfo: parse_zone})


def _scalar(kind: Any, field_type: FieldType | TableType | None, value: object) -> object:
    if isinstance(field_type, FieldType):
        try:
            return field_type.parse(value)
        except ValueError:
            raise _Wrong(field_type.expected, repeat=not field_type.secret) from None
    if kind in _PARSERS:
        try:
            return _PARSERS[kind](value)
        except ValueError:
            raise _Wrong(expected(kind)) from None
    if is_choice(kind):
        by_word = choices(kind)
        return by_word[value] if isinstance(value, str) and value in by_word else _wrong(words(list(by_word)))
    if kind is float and type(value) is int:
        return float(value)
    return value if type(value) is kind else _wrong(expected(kind))


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value, ensure_ascii=False, default=str)[:80]


def _spoken(path: KeyPath) -> str:
    """Return a path as an operator reads it, counted from 1: listener[2].timeouts.command."""
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def read_toml(path: Path) -> tuple[Reader, dict[str, object]] | ConfigProblem:
    """Return the tables of a file with who reads them into dataclasses, or why it is no TOML."""
    file = Path(os.path.abspath(path))  # noqa: PTH100 - links stay links, so that a message names what was given
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        return ConfigProblem(file=file, line=1, message=f"expected a TOML file that can be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return ConfigProblem(file=file, line=line, message="expected text in UTF-8")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return _syntax_problem(file, text, str(error))
    return Reader(file, locate(text)), table


def _syntax_problem(file: Path, text: str, message: str) -> ConfigProblem:
    """Return what tomllib says, with its «(at line 3, column 5)» or «(at end of document)» as a line of ours."""
    match = re.search(r" \(at (?:line ([0-9]+), column [0-9]+|end of document)\)", message)
    line = int(match[1]) if match and match[1] else text.count("\n") + 1
    said = message[: match.start()] if match else message
    return ConfigProblem(file=file, line=line, message=f"expected TOML: {said}")
