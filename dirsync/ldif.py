"""A dump of a directory as LDIF → its entries, as if they were read by LDAP.

Whole entries are taken, with the trailer of `ldapsearch`, which says whether the search was, and `changetype: add`,
with which Active Directory's `ldifde` writes every entry. Other changes are refused, and so are values in files and at
addresses: nothing but the file is read. Not here: what an entry says of a user (mapping). Standard: RFC 2849.
"""

import binascii
import re
from collections.abc import Iterator
from typing import Final

from addressbook.changes import ChangeFaultCode, DamagedFileError
from addressbook.exchange import FileFormat, take_last_line
from addressbook.sheets import decode_text
from dirsync.source import LdapEntry

_LINE: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9.-]*(?:;[A-Za-z0-9-]+)*):([:<]?) *(.*)", re.ASCII | re.DOTALL)
_UUID: Final = re.compile(r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})")
_GUID_OCTETS: Final = 16
_Pair = tuple[int, str, bytes]
"""A line's number, the attribute in lower case, and a value."""


def read_entries(content: bytes, declared: FileFormat) -> Iterator[tuple[int, LdapEntry]]:
    """Yield each entry with the number of its first line; raises DamagedFileError."""
    text = take_last_line(decode_text(content, declared.fallback), declared.end_marker)
    count = 0
    for number, record in enumerate(_read_records(text)):
        line, name, value = record[0]
        if number == 0 and name == "version":
            if value.strip() != b"1":
                raise DamagedFileError(ChangeFaultCode.UNKNOWN_VERSION, line, given=_shown(value))
            record = record[1:]  # noqa: PLW2901 - the version stands before the first entry, also without a blank line
            if not record:
                continue
            line, name, value = record[0]
        if name == "search" and all(key in ("search", "result") for _, key, _ in record):
            result = next((value for _, key, value in record if key == "result"), b"")
            if result.split()[:1] != [b"0"]:
                raise DamagedFileError(ChangeFaultCode.SEARCH_INCOMPLETE, line, result=_shown(result))
            continue
        if name != "dn":
            raise DamagedFileError(ChangeFaultCode.NO_LDIF, line, given=f"{name}: {_shown(value)}")
        count += 1
        yield line, _entry_of(record)
    if not count:
        raise DamagedFileError(ChangeFaultCode.EMPTY)


def _entry_of(record: list[_Pair]) -> LdapEntry:
    attributes: dict[str, list[bytes]] = {}
    for line, name, value in record[1:]:
        if name == "changetype":
            if value.strip().lower() != b"add":
                raise DamagedFileError(ChangeFaultCode.LDIF_CHANGE, line, changetype=_shown(value))
        elif name in ("dn", "control"):
            raise DamagedFileError(ChangeFaultCode.NO_LDIF, line, given=f"{name}: {_shown(value)}")
        else:
            attributes.setdefault(name, []).append(value)
    values = {name: tuple(several) for name, several in attributes.items()}
    return LdapEntry(dn=record[0][2].decode(errors="replace"), anchor=_anchor_of(values), attributes=values)


def _anchor_of(attributes: dict[str, tuple[bytes, ...]]) -> str:
    """Return the entry's UUID in lower-case text (RFC 4530; Active Directory: MS-DTYP §2.3.4.2), empty for none."""
    guid = attributes.get("objectguid", (b"",))[0]
    if len(guid) == _GUID_OCTETS:  # the first three fields have their low octets first
        text = (guid[3::-1] + guid[5:3:-1] + guid[7:5:-1] + guid[8:]).hex()
    else:
        text = attributes.get("entryuuid", (b"",))[0].decode("ascii", "replace").strip().lower()
    match = _UUID.fullmatch(text)
    return "-".join(match.groups()) if match else ""


def _read_records(text: str) -> Iterator[list[_Pair]]:
    record: list[_Pair] = []
    for line, written in _unfold(text):
        if written:
            record.append(_read_line(line, written))
        elif record:
            yield record
            record = []
    if record:
        yield record


def _unfold(text: str) -> Iterator[tuple[int, str]]:
    """Yield whole lines with the numbers of their first ones, without comments; an empty one ends an entry."""
    begin, pieces = 1, list[str]()
    for number, line in enumerate([*re.split(r"\r\n?|\n", text), ""], start=1):
        if line.startswith(" ") and pieces:
            pieces.append(line[1:])
            continue
        if pieces and not pieces[0].startswith("#"):
            yield begin, "".join(pieces)
        begin, pieces = number, [line] if line else []
        if not line:
            yield number, ""


def _read_line(line: int, written: str) -> _Pair:
    match = _LINE.fullmatch(written)
    if match is None:
        raise DamagedFileError(ChangeFaultCode.NO_LDIF, line, given=written[:80])
    name, kind, text = match[1].lower(), match[2], match[3]
    if kind == "<":
        raise DamagedFileError(ChangeFaultCode.LDIF_URL, line, attribute=match[1])
    if not kind:
        return line, name, text.encode()
    try:
        return line, name, binascii.a2b_base64(text.strip(), strict_mode=bool(text.strip()))
    except ValueError:
        raise DamagedFileError(ChangeFaultCode.NO_LDIF, line, given=written[:80]) from None


def _shown(value: bytes) -> str:
    return value.decode(errors="replace")[:80]
