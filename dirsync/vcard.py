"""Users and lists of an address book as vCards: 2.1 as Outlook writes it, 3.0 and 4.0.

A person is a user with the preferred EMAIL, FN (else N, else ORG) and the TEL of a handset: the preferred one of type
cell, else the only one without a type. A group (KIND) is a list of its members that have such a number. Not here: the
settings of users, of which a vCard says nothing. Standards: RFC 6350; RFC 2426 for 3.0; versit vCard 2.1.
"""

import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from addressbook.canonical import canonical_address
from addressbook.changes import ADDRESS, ChangeFault, ChangeFaultCode, DamagedFileError, ReadList, UserChange
from addressbook.exchange import FileFormat, Rows, UserFile, read_phone, take_last_line, whole_file
from addressbook.lists import ListMember, is_list_name
from addressbook.sheets import decode_text
from sms.facts import Fact

_VERSIONS: Final = frozenset({"2.1", "3.0", "4.0"})
_PROPERTY: Final = re.compile(r'(?:[A-Za-z0-9-]+\.)?([A-Za-z0-9-]+)((?:[^:"]|"[^"]*")*+):(.*)', re.DOTALL)
_PARAMETER: Final = re.compile(r'(?:[^;"]|"[^"]*")++')
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_BETWEEN: Final = re.compile(r"(?<!\\);")
_QUOTED_PRINTABLE: Final = "QUOTED-PRINTABLE"
_HANDSETS: Final = frozenset({"cell", "mobile", "iphone"})
_LEAST_PREFERRED: Final = 101  # RFC 6350 §5.3: 1 to 100
_PEOPLE: Final = frozenset({"individual", "org"})
_APPLE: Final = "X-ADDRESSBOOKSERVER-"  # groups before RFC 6350


@dataclass(frozen=True, slots=True, kw_only=True)
class _Property:
    value: str
    types: frozenset[str]
    preference: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Card:
    """One vCard; `line` is that of its BEGIN."""

    line: int
    properties: Mapping[str, Sequence[_Property]] = field(default_factory=dict)

    def first(self, name: str) -> str:
        """Return the preferred value of a property, empty if it has none."""
        found = sorted(self.properties.get(name, ()), key=lambda item: item.preference)
        return found[0].value.strip() if found else ""

    @property
    def kind(self) -> str:
        return (self.first("KIND") or "individual").lower()

    @property
    def name(self) -> str:
        family, given, *_ = [*_BETWEEN.split(self.first("N")), ""]
        organisation = _BETWEEN.split(self.first("ORG"))[0]
        name = self.first("FN") or f"{given} {family}".strip() or organisation
        return " ".join(_unescaped(name).split())[:200]

    @property
    def address(self) -> str:
        return _unescaped(self.first("EMAIL")).removeprefix("mailto:")

    @property
    def uid(self) -> str:
        return _plain_uid(self.first("UID"))

    @property
    def phone(self) -> str:
        """The number of the handset as written, empty if none is one."""
        numbers = sorted(self.properties.get("TEL", ()), key=lambda item: item.preference)
        handsets = [item for item in numbers if item.types & _HANDSETS]
        untyped = [item for item in numbers if not item.types]
        chosen = handsets[:1] or (untyped if len(untyped) == 1 else [])
        return _unescaped(chosen[0].value.strip()) if chosen else ""


def read_vcard_file(content: bytes, declared: FileFormat, source: str = "") -> UserFile:
    """Return the users and lists of a file of vCards; never raises but LookupError for an unknown encoding."""
    return whole_file(content, source, lambda: _read(content, declared))


def _read(content: bytes, declared: FileFormat) -> Rows:
    text = take_last_line(decode_text(content, declared.fallback), declared.end_marker)
    cards = list(_read_cards(text, declared.fallback or "utf-8"))
    if not cards:
        raise DamagedFileError(ChangeFaultCode.EMPTY)
    people = [card for card in cards if card.kind in _PEOPLE]
    groups = [card for card in cards if card.kind == "group"]
    book = _Book(people, declared.country)
    lists = [made for group in groups if (made := book.list_of(group)) is not None]
    in_groups = {card.line for group in groups for _, card in book.members_of(group) if card is not None}
    rows = [row for card in people if (row := book.user_of(card, is_member=card.line in in_groups)) is not None]
    return Rows(rows, book.faults, lists)


class _Book:
    """The people of a file by what groups call them, and the faults in them."""

    def __init__(self, people: Iterable[_Card], country: str) -> None:
        self._country = country
        self._by_name: dict[str, _Card] = {}
        for card in people:
            if card.uid:
                self._by_name[card.uid] = card
            if address := canonical_address(card.address):
                self._by_name[f"mailto:{address}"] = card
        self.faults: list[ChangeFault] = []
        self._told: set[tuple[int, str]] = set()

    def user_of(self, card: _Card, *, is_member: bool) -> UserChange | None:
        """Return the user that a card is; a member of a group without an address is only that."""
        address = canonical_address(card.address)
        if address is None:
            if card.address or not is_member:
                self._fault(card, ADDRESS, ChangeFaultCode.BAD_ADDRESS, given=card.address[:80])
            return None
        return UserChange(
            place=card.line,
            address=address,
            cells={},
            columns={},
            name=card.name,
            phone=self._number_of(card),
            anchor=card.uid,
        )

    def members_of(self, group: _Card) -> list[tuple[str, _Card | None]]:
        """Return what a group calls its members, each with its card if it has one (RFC 6350 §6.6.5)."""
        return [
            (name, self._by_name.get(_member_key(name)))
            for member in group.properties.get("MEMBER", ())
            if (name := member.value.strip())
        ]

    def list_of(self, group: _Card) -> ReadList | None:
        """Return the list that a group is, None if it has a fault: the list stays as it was."""
        name = group.name.replace(" ", "-")
        if not is_list_name(name):
            self._fault(group, "FN", ChangeFaultCode.BAD_LIST_NAME, given=group.name[:80])
            return None
        members: dict[str, ListMember] = {}
        is_whole = True
        for written, card in self.members_of(group):
            number: str | None = None
            if card is not None:
                number = self._number_of(card)
            elif written.lower().startswith("tel:"):
                number = self._read_number(group, "MEMBER", written)
            else:
                self._fault(group, "MEMBER", ChangeFaultCode.NO_MEMBER, given=written[:80])
            is_whole = is_whole and number is not None
            if number:
                values = {"number": f"+{number}", "name": card.name if card is not None else ""}
                members.setdefault(number, ListMember(number=number, values=values))
        return ReadList(name=name, members=tuple(members.values())) if is_whole else None

    def _number_of(self, card: _Card) -> str | None:
        return self._read_number(card, "TEL", card.phone) if card.phone else ""

    def _read_number(self, card: _Card, column: str, text: str) -> str | None:
        number = read_phone(text, self._country)
        if isinstance(number, str):
            return number
        self._fault(card, column, number[0], **number[1])
        return None

    def _fault(self, card: _Card, column: str, code: ChangeFaultCode, **facts: Fact) -> None:
        if column == "MEMBER" or (card.line, column) not in self._told:  # a member of two groups has each fault once
            self._told.add((card.line, column))
            self.faults.append(ChangeFault(place=card.line, column=column, code=code, facts=facts))


def _member_key(member: str) -> str:
    is_mail = member.lower().startswith("mailto:")
    return f"mailto:{canonical_address(member[7:])}" if is_mail else _plain_uid(member)


def _plain_uid(text: str) -> str:
    return text.lower().removeprefix("urn:uuid:")


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)  # RFC 6350 §3.4


def _read_cards(text: str, charset: str) -> Iterator[_Card]:
    line_of_card, properties = 0, dict[str, list[_Property]]()
    for line, written in _unfold(text):
        name, found = _read_property(line, written, charset)
        if name == "BEGIN" and found.value.strip().upper() == "VCARD":
            if line_of_card:
                raise DamagedFileError(ChangeFaultCode.NOT_ENDED, line_of_card, end="END:VCARD")
            line_of_card, properties = line, {}
        elif not line_of_card:
            raise DamagedFileError(ChangeFaultCode.NO_VCARD, line, given=written[:80])
        elif name == "END":
            card = _Card(line=line_of_card, properties=properties)
            if card.first("VERSION") not in _VERSIONS:
                raise DamagedFileError(ChangeFaultCode.UNKNOWN_VERSION, line_of_card, given=card.first("VERSION")[:80])
            yield card
            line_of_card = 0
        else:
            properties.setdefault(name, []).append(found)
    if line_of_card:
        raise DamagedFileError(ChangeFaultCode.NOT_ENDED, line_of_card, end="END:VCARD")


def _unfold(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of properties with the numbers of their first ones (RFC 6350 §3.2)."""
    begin, pieces, is_soft, is_old = 0, list[str](), False, False
    for number, line in enumerate(re.split(r"\r\n?|\n", text), start=1):
        if pieces and is_soft:
            pieces[-1] = pieces[-1][:-1]
            pieces.append(line)
        elif pieces and line[:1] in (" ", "\t"):
            pieces.append(line if is_old else line[1:])  # 2.1 §2.1.3: the blank belongs to the value
        else:
            if pieces:
                yield begin, "".join(pieces)
            begin, pieces = number, [line] if line.strip() else []
            is_old = line.strip().upper() == "VERSION:2.1" or (is_old and not line.upper().startswith("BEGIN:"))
        is_soft = bool(pieces) and line.endswith("=") and _QUOTED_PRINTABLE in pieces[0].partition(":")[0].upper()
    if pieces:
        yield begin, "".join(pieces)


def _read_property(line: int, written: str, charset: str) -> tuple[str, _Property]:
    match = _PROPERTY.fullmatch(written)
    if match is None:
        raise DamagedFileError(ChangeFaultCode.NO_VCARD, line, given=written[:80])
    parameters: dict[str, list[str]] = {}
    for parameter in _PARAMETER.findall(match[2]):
        key, is_named, value = parameter.partition("=")
        key, value = (key, value) if is_named else (_parameter_of(key), key)  # 2.1 §2.1.2: `TEL;CELL;VOICE`
        parameters.setdefault(key.strip().upper(), []).extend(value.replace('"', "").lower().split(","))
    types = frozenset(map(str.strip, parameters.get("TYPE", ())))
    preference = next((int(value) for value in parameters.get("PREF", ()) if value.isdecimal()), _LEAST_PREFERRED)
    value = match[3]
    if _QUOTED_PRINTABLE.lower() in parameters.get("ENCODING", ()):
        encoding = parameters.get("CHARSET", [charset])[0]
        try:
            value = binascii.a2b_qp(value.encode()).decode(encoding)
        except (UnicodeDecodeError, LookupError):
            raise DamagedFileError(ChangeFaultCode.NOT_TEXT, encodings=(encoding,), lines=(line,)) from None
    return match[1].upper().removeprefix(_APPLE), _Property(
        value=value, types=types - {"pref"}, preference=1 if "pref" in types else preference
    )


def _parameter_of(bare: str) -> str:
    return "ENCODING" if bare.strip().upper() in (_QUOTED_PRINTABLE, "BASE64", "8BIT", "7BIT") else "TYPE"
