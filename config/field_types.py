"""How the values of the operator's file look: durations, sizes, domains, paths, and what each of them expects in words.

`option(...)` declares a field with its documentation; the `Annotated` types below are its shapes. Not here: reading a
table (config_reader).
"""

import ast
import inspect
import ipaddress
import re
import textwrap
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import timedelta
from enum import Enum, StrEnum
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from addressbook.canonical import canonical_address, canonical_domain


def option(doc: str, *, default: Any = MISSING, example: object = None, key: str = "") -> Any:
    """Declare a field of the operator's file, required where it has no default; a class as default is called for one.

    `example` is shown by the example file where the default says nothing.
    """
    metadata = {"doc": doc, "example": example, "key": key}
    if default is MISSING:
        return field(metadata=metadata)
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class FieldType:
    """How a TOML value becomes a field's value (ValueError where it can't), in words: `expected`.

    `secret` values are never repeated in a message. `show` turns a value back into one that TOML writes.
    """

    expected: str
    parse: Callable[[object], object]
    secret: bool = False
    show: Callable[[Any], object] = str


@dataclass(frozen=True, slots=True)
class TableType:
    """How a whole table with keys of its own becomes a value: (value, [(key, what is wrong), …])."""

    read: Callable[[Mapping[str, object]], tuple[object, Sequence[tuple[str, str]]]]


class PathKind(Enum):
    """What must be true of a path; relative ones count from the folder of the operator's file."""

    FILE = "a file that can be read"
    SECRET = "a file that can be read, and by nobody else"  # noqa: S105 - a sentence, not a secret
    FOLDER = "a folder (it is created when missing)"
    HOME = "a folder that is there"


_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"([0-9]{1,18})([KMG]?)")
_OCTETS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

DURATION_EXPECTED = 'a duration such as "500ms", "90s", "5m", "2h" or "7d"'


def parse_duration(value: object) -> timedelta:
    """Return a duration from its text, such as "90s"; ValueError for anything else."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError
    try:
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    except OverflowError:
        raise ValueError from None


def _parse_wait(value: object) -> timedelta:
    duration = parse_duration(value)
    if not duration:
        raise ValueError
    return duration


def format_duration(value: timedelta) -> str:
    """Return the shortest text that `parse_duration` reads as this duration, to the millisecond."""
    milliseconds = round(value.total_seconds() * 1000)
    units = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
    unit, size = next((unit, size) for unit, size in units if milliseconds % size == 0)
    return "0s" if milliseconds == 0 else f"{milliseconds // size}{unit}"


def parse_size(value: object) -> int:
    """Return octets from a number or a text such as "10M"; ValueError for anything else."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        return int(match[1]) * _OCTETS[match[2]]
    return _whole(value, 0, None)


def format_size(octets: int) -> int | str:
    """Return octets in the largest unit that divides them."""
    units = ((unit, factor) for unit, factor in reversed(_OCTETS.items()) if unit)
    return next((f"{octets // factor}{unit}" for unit, factor in units if octets and octets % factor == 0), octets)


def _whole(value: object, low: int, high: int | None) -> int:
    if type(value) is not int or value < low or (high is not None and value > high):
        raise ValueError
    return value


def _parse_domain(value: object) -> str:
    domain = canonical_domain(value) if isinstance(value, str) else None
    if domain is None:
        raise ValueError
    return domain


def _parse_mail_address(value: object) -> str:
    address = canonical_address(value) if isinstance(value, str) else None
    if address is None:
        raise ValueError
    return address


def _parse_domain_pattern(value: object) -> str:
    if value == "*":
        return "*"
    if isinstance(value, str) and value.startswith("."):
        return "." + _parse_domain(value[1:])
    return _parse_domain(value)


def _parse_ip_address(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - the reader turns ValueError alone into a message
    return str(ipaddress.ip_address(value))


def parse_network(value: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return an address or a network; ValueError for anything else, and for one with bits set behind its length."""
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - the reader turns ValueError alone into a message
    return ipaddress.ip_network(value)


def _parse_host(value: object) -> str:
    try:
        return _parse_ip_address(value)
    except ValueError:
        return _parse_domain(value)


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host name or address with a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_host_port(value: object) -> HostPort:
    """Return an address with its port, an IPv6 one in brackets; ValueError for anything else."""
    match = (
        re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):([0-9]{1,5})", value) if isinstance(value, str) else None
    )
    if match is None or int(match[3]) > 65535:
        raise ValueError
    return HostPort(match[1] or match[2], int(match[3]))


def parse_centre(value: object) -> HostPort:
    """Return a host with its port, 0 where it names none; ValueError for anything else."""
    try:
        return parse_host_port(value)
    except ValueError:
        return HostPort(_parse_host(value), 0)


def parse_dns_server(value: object) -> HostPort:
    """Return the address of a DNS server with its port, 53 where it names none; ValueError for anything else."""
    try:
        return HostPort(_parse_ip_address(value), 53)
    except ValueError:
        server = parse_host_port(value)
        return HostPort(_parse_ip_address(server.host), server.port)


def whole_number(low: int, high: int | None = None) -> FieldType:
    """Return the shape of a whole number between two bounds, both allowed."""
    bounds = f"from {low} to {high}" if high is not None else f"of {low} or more"
    return FieldType(f"a whole number {bounds}", lambda value: _whole(value, low, high), show=int)


def text_like(pattern: str, expected: str) -> FieldType:
    """Return the shape of a text that a regular expression matches whole."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
            raise ValueError
        return value

    return FieldType(expected, parse)


Name = Annotated[str, text_like(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "a name of letters, digits, - _ and .")]
ShortText = Annotated[str, text_like(r"[^\x00-\x1f\x7f]{0,200}", "one line of text")]
Size = Annotated[int, FieldType('a size such as "10M" or "512K", or a number of octets', parse_size, show=format_size)]
Port = Annotated[int, whole_number(1, 65535)]
Count = Annotated[int, whole_number(0)]
Positive = Annotated[int, whole_number(1)]
Wait = Annotated[timedelta, FieldType(f"{DURATION_EXPECTED}, more than 0", _parse_wait, show=format_duration)]
Domain = Annotated[str, FieldType('a domain name such as "sms.example.net"', _parse_domain)]
DomainPattern = Annotated[
    str, FieldType('"example.com", ".example.com" for its sub-domains or "*" for all', _parse_domain_pattern)
]
MailAddress = Annotated[str, FieldType('a mail address such as "sms@example.net"', _parse_mail_address)]
CipherList = Annotated[str, text_like(r"[A-Za-z0-9+:!@=_.-]{0,500}", 'an OpenSSL list such as "ECDHE+AESGCM"')]
HostName = Annotated[str, FieldType("a host name or address", _parse_host)]
IpAddress = Annotated[str, FieldType('an address such as "192.0.2.25" or "2001:db8::25"', _parse_ip_address)]
Network = Annotated[
    ipaddress.IPv4Network | ipaddress.IPv6Network,
    FieldType('an address or a network such as "192.0.2.7", "10.0.0.0/8" or "2001:db8::/32"', parse_network),
]
Listen = Annotated[
    HostPort, FieldType('an address with a port such as "127.0.0.1:2525" or "[::1]:2525"', parse_host_port)
]
Centre = Annotated[
    HostPort, FieldType('a host such as "smsc.example.net", "smsc.example.net:2775" or "192.0.2.7"', parse_centre)
]
DnsServer = Annotated[
    HostPort, FieldType('an address such as "192.0.2.53", "127.0.0.1:5353" or "[::1]:5353"', parse_dns_server)
]
ReadableFile = Annotated[Path, PathKind.FILE]
PrivateFile = Annotated[Path, PathKind.SECRET]
Folder = Annotated[Path, PathKind.FOLDER]
HomeFolder = Annotated[Path, PathKind.HOME]


def read_secret(path: Path) -> str:
    """Return the secret that a file holds, without the line's end; OSError or UnicodeError where it can't."""
    return path.read_text("utf-8").rstrip("\r\n")


def key_of(item: Any) -> str:
    """Return the key under which a dataclass field stands in the file."""
    return item.metadata.get("key") or str(item.name)


def options_of(kind: Any) -> list[Any]:
    """Return the fields of a dataclass that stand in the file: all but those declared `hidden` in their metadata."""
    return [item for item in fields(kind) if not item.metadata.get("hidden")]


@cache
def docs_of(kind: type) -> Mapping[str, str]:
    """Return what each field says about itself: the doc of its `option`, or the text below it in the source."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    below = {
        statement.target.id: text.value.value
        for statement, text in pairwise(body.body)
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
    return {item.name: item.metadata.get("doc") or below.get(item.name, "") for item in options_of(kind)}


def hints_of(kind: type) -> dict[str, Any]:
    """Return the type hints of a dataclass with their shapes."""
    return get_type_hints(kind, include_extras=True)


def unwrap(hint: Any) -> tuple[Any, FieldType | TableType | PathKind | None]:
    """Return the bare type of a hint, without `| None`, and its shape if it has one."""
    if get_origin(hint) in {Union, types.UnionType}:
        kinds = [kind for kind in get_args(hint) if kind is not type(None)]
        return unwrap(kinds[0])
    if get_origin(hint) is Annotated:
        kind, *marks = get_args(hint)
        return kind, next((mark for mark in marks if isinstance(mark, FieldType | TableType | PathKind)), None)
    return hint, None


def item_hint(kind: Any) -> Any | None:
    """Return the hint of the elements where the type is a tuple or set of any length, None elsewhere."""
    return get_args(kind)[0] if get_origin(kind) in {tuple, frozenset} else None


def is_table(kind: Any) -> bool:
    """Return whether a value of this type is a table: a dataclass or a mapping."""
    return is_dataclass(kind) or is_mapping(kind)


def is_mapping(kind: Any) -> bool:
    """Return whether a value of this type is a table with keys of the operator's own."""
    return get_origin(kind) is Mapping


def is_choice(kind: Any) -> bool:
    """Return whether a value of this type is one of a few words."""
    return isinstance(kind, type) and issubclass(kind, Enum)


def parse_zone(value: object) -> ZoneInfo:
    """Return a time zone by its IANA name; ValueError for anything else."""
    try:
        return ZoneInfo(value if isinstance(value, str) else "")
    except (KeyError, OSError):
        raise ValueError from None


def parse_key(kind: Any, text: str) -> object:
    """Return the key of a mapping: a text as it stands, or a whole number, 0x before a hexadecimal one."""
    return int(text, 0) if kind is int else text


def words(values: Sequence[str]) -> str:
    """Return values as a phrase: a, b or c."""
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"


def choices(kind: type[Enum]) -> dict[str, Enum]:
    """Return the members by the word that stands for them in the file."""
    if issubclass(kind, StrEnum):
        return {member.value: member for member in kind}
    return {member.name.lower().replace("_", "-"): member for member in kind}


def _plain(kind: Any) -> str:
    plain = {
        timedelta: DURATION_EXPECTED,
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text in quotes",
        ZoneInfo: 'a time zone such as "Europe/Madrid"',
    }
    return plain.get(kind, str(kind))


def expected(hint: Any) -> str:
    """Return what a field takes, in words."""
    kind, field_type = unwrap(hint)
    element = item_hint(kind)
    if isinstance(field_type, FieldType):
        return field_type.expected
    if isinstance(field_type, PathKind):
        return f"the path of {field_type.value}"
    if element is not None:
        tables = is_dataclass(unwrap(element)[0]) and unwrap(element)[1] is None
        return "at least one such table" if tables else f"a list in brackets, each {expected(element)}"
    if is_choice(kind):
        return words(list(choices(kind)))
    return "a table" if isinstance(field_type, TableType) or is_table(kind) else _plain(kind)
