"""How LDAP writes names and filters as text: names compared, values put into filters.

Standards: RFC 4514 (distinguished names), RFC 4515 (filters).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

_BATCH: Final = 100
_PLAIN: Final = re.compile(r'[^\\"+#;]*\Z')
_SEPARATOR: Final = re.compile(r"((?:\\.|[^\\,;+])*)([,;+]|\Z)", re.DOTALL)
_HEX_PAIRS: Final = re.compile(r"(?:\\[0-9A-Fa-f]{2})+")
_ESCAPED: Final = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)
_SPECIAL: Final = re.compile(r'([,+"\\<>;=])')
_IN_FILTER: Final = re.compile(rb"[^A-Za-z0-9.,=@_-]")


def normal_dn(dn: str) -> str:
    """Return one spelling for all spellings of a name: case, spaces, escapes and the order of a relative name."""
    if _PLAIN.match(dn):
        return ",".join(_normal_pair(*rdn.partition("=")[::2]) for rdn in dn.split(","))
    relative_names: list[list[str]] = [[]]
    for pair, separator in _SEPARATOR.findall(dn):
        kind, _, value = pair.partition("=")
        relative_names[-1].append(_normal_pair(kind, _SPECIAL.sub(r"\\\1", _unescaped(value))))
        if not separator:
            break
        if separator != "+":
            relative_names.append([])
    return ",".join("+".join(sorted(pairs)) for pairs in relative_names)


def is_within(dn: str, base: str) -> bool:
    """Whether a name is the base or below it; both as `normal_dn` gives them."""
    return not base or dn == base or dn.endswith("," + base)


def in_filter(value: str | bytes) -> str:
    """Return a value as it is written in a filter (RFC 4515 §3); spaces are escaped too: ldap3 strips others."""
    octets = value.encode() if isinstance(value, str) else value
    return _IN_FILTER.sub(lambda found: b"\\%02x" % found[0][0], octets).decode("ascii")


def out_of_filter(text: str) -> str:
    """Return the value that stands in a filter, without the escapes of RFC 4515 §3."""
    return _HEX_PAIRS.sub(_octets_of, text)


def any_of(attribute: str, values: Iterable[str | bytes]) -> Iterator[str]:
    """Yield filters that each match any of at most a hundred of the values."""
    parts = [f"({attribute}={in_filter(value)})" for value in values]
    for at in range(0, len(parts), _BATCH):
        yield f"(|{''.join(parts[at : at + _BATCH])})"


def _normal_pair(kind: str, value: str) -> str:
    return f"{kind.strip().lower()}={' '.join(unicodedata.normalize('NFKC', value).casefold().split())}"


def _unescaped(value: str) -> str:
    """Return a value of a name without the escapes of RFC 4514 §2.4."""
    return _ESCAPED.sub(lambda found: _octets_of(found) if found[1] else found[2], value)


def _octets_of(escaped: re.Match[str]) -> str:
    return bytes.fromhex(escaped[0].replace("\\", "")).decode("utf-8", "replace")
