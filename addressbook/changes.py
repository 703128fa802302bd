"""The changes of users from any source, and the faults in them.

Not here: reading a source (exchange, dirsync), the effect on the stored users (user_plan, sync_plan), words for
faults (cli.words).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from addressbook.lists import ListMember
from sms.facts import Code, Fact

ADDRESS: Final = "e-mail"
PROFILE: Final = "profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChange:
    """The change of one user; `place` is its place in the source, from 1: a file's line.

    `cells` has field → value, NONE or UNSET; `columns` has the source's name of each field. `profile`, `name`, `active`
    and `phone` (E.164 without the plus, or empty) are None if the source does not have them; an empty profile is the
    customer's default one. `pinned` names the fields whose cells are an administrator's. `anchor` stays with an entry
    of a directory, whatever its address is; `entry` is what the directory calls it, its DN.
    """

    place: int
    address: str
    cells: Mapping[str, object]
    columns: Mapping[str, str]
    profile: str | None = None
    name: str | None = None
    active: bool | None = None
    pinned: frozenset[str] = frozenset()
    anchor: str = ""
    entry: str = ""
    phone: str | None = None


class ChangeFaultCode(Code):
    """What is wrong with a source of users, or with one change."""

    NUL_CHARACTERS = "nul-characters", "lines"
    NOT_TEXT = "not-text", "encodings", "lines"
    MIXED_ENCODINGS = "mixed-encodings", "encoding", "lines"
    OLD_WORKBOOK = ("old-workbook",)
    WORKBOOK_DAMAGED = "workbook-damaged", "cause"
    WORKBOOK_TOO_LARGE = "workbook-too-large", "megabytes"
    TOO_LARGE = "too-large", "rows", "columns", "cells"
    ANOTHER_FORM = "another-form", "form"
    NOT_ENDED = "not-ended", "end"
    NO_VCARD = "no-vcard", "given"
    UNKNOWN_VERSION = "unknown-version", "given"
    NO_LDIF = "no-ldif", "given"
    LDIF_CHANGE = "ldif-change", "changetype"
    LDIF_URL = "ldif-url", "attribute"
    SEARCH_INCOMPLETE = "search-incomplete", "result"
    BAD_LIST_NAME = "bad-list-name", "given"
    NO_MEMBER = "no-member", "given"
    BAD_TABLE = "bad-table", "cause"
    NO_FILE = "no-file", "kind"
    CHECKSUM = "checksum", "told"
    FILE_TOO_LARGE = "file-too-large", "megabytes"
    OLDER_FILE = "older-file", "last"
    NOT_CSV = "not-csv", "cause"
    CUT = "cut", "end_marker"
    EMPTY = ("empty",)
    RAGGED = "ragged", "lines", "width", "delimiter", "fits"
    UNEXPECTED_HEADER = ("unexpected-header",)
    NO_HEADER = ("no-header",)
    UNKNOWN_COLUMNS = "unknown-columns", "columns"
    COLUMNS_TWICE = "columns-twice", "columns"
    NO_COLUMN = "no-column", "column"

    BAD_ADDRESS = "bad-address", "given"
    NO_ADDRESS = ("no-address",)
    ADDRESS_TWICE = "address-twice", "address", "rows"
    ADDRESS_TAKEN = "address-taken", "address"
    OF_DIRECTORY = "of-directory", "address"
    FOREIGN_ADDRESS = "foreign-address", "address"
    OUTSIDE_DOMAINS = "outside-domains", "address"
    ANOTHER_CUSTOMER = "another-customer", "number", "above"
    BAD_NUMBER = "bad-number", "given", "cause"
    BAD_VALUE = "bad-value", "field", "given"
    NOT_ON_OR_OFF = "not-on-or-off", "given"
    NO_COUNTRY = "no-country", "given"
    NO_SETTING = "no-setting", "name"
    PINNED_WITHOUT_VALUE = "pinned-without-value", "name"
    NO_PROFILE = "no-profile", "name"
    LIST_TAKEN = "list-taken", "name"

    NO_ATTRIBUTE = ("no-attribute",)
    NOT_UTF8 = ("not-utf8",)
    CONTROL_CHARACTERS = ("control-characters",)
    TOO_LONG = "too-long", "most"
    NOT_LISTED = "not-listed", "given"
    UNREADABLE = "unreadable", "given", "transform"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFault:
    """A fault at a place of a source, 0 for the whole source, and in a column, if it concerns one.

    `entry` is the DN of a directory's entry. The code is a `ChangeFaultCode`, or that of the bar of a value.
    """

    place: int
    code: Code
    facts: Mapping[str, Fact]
    column: str = ""
    entry: str = ""

    def __post_init__(self) -> None:
        self.code.check(self.facts)


class DamagedFileError(Exception):
    """A file cannot be applied at all; nothing of it is used."""

    def __init__(self, code: ChangeFaultCode, place: int = 0, **facts: Fact) -> None:
        super().__init__(code)
        self.fault = ChangeFault(place=place, code=code, facts=facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadList:
    """A group of a directory as a distribution list: all of its members, each number once, and who may write to it."""

    name: str
    members: tuple[ListMember, ...]
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one reading of a directory says: `changes` with the faults in them, and the lists that were read.

    A `complete` one has every entry, whatever changed: who is not in it is not in the directory. Another has what
    changed, and `gone`, the anchors of entries that are no more. `cookie` is where the next delta begins, `source` what
    people call it: `ldap:NAME`, or a file's name. An entry with a fault counts as there: its anchor is in `faulty`.
    """

    source: str
    complete: bool
    changes: tuple[UserChange, ...] = ()
    gone: frozenset[str] = frozenset()
    faults: tuple[ChangeFault, ...] = ()
    faulty: frozenset[str] = frozenset()
    lists: tuple[ReadList, ...] = ()
    cookie: str = ""

    def origin(self, change: UserChange, name: str) -> str:
        """Return the origin of a value: `ldap:head-office:departmentNumber`, or `file:NAME, line 3, max-parts`."""
        column = change.columns[name]
        if self.source.startswith("ldap:"):
            return f"{self.source}:{column}"
        return f"file:{self.source}, line {change.place}, {column}"
