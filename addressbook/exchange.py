"""The address book file: reads a table as rows with faults, writes stored users as CSV.

Two forms, as CSV or as a workbook (XLSX): the headerless file of 15 columns (`COLUMNS_15`), and a headed one with any
of `HEADED_COLUMNS` and of the 15, in any order. A missing column leaves its field; an empty cell removes the earlier
value of the file; `<none>` stops inheritance. A cell that cannot be read is a fault with line and column. A file that
is damaged as a whole (cut, ragged, wrong delimiter, not text) gives no rows at all. The column `pinned` names the
settings of a row that an administrator pinned, so that an export is complete.

Not here: the rows of a file (sheets), other forms (dirsync: LDIF, vCard), what a file changes (sync_plan).
"""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import Final, NamedTuple

from addressbook.canonical import canonical_address
from addressbook.changes import ADDRESS, PROFILE, ChangeFault, ChangeFaultCode, DamagedFileError, ReadList, UserChange
from addressbook.sheets import (
    DELIMITERS,
    MOST_LINES_NAMED,
    Record,
    SheetLimits,
    decode_text,
    find_delimiter,
    is_workbook,
    read_csv,
    read_workbook,
    with_one_width,
)
from addressbook.sources import FileForm
from sms.facts import Fact
from sms.number import country_of_dialling_code, parse_stored_number
from sms.outcome import Refused
from sms.settings import FIELDS, NONE, UNSET, SettingProblem, Unencodable, parse_setting

COLUMNS_15: Final = (
    "e-mail",
    "sms-id",
    "billing-code",
    "default-country-code",
    "sms-source",
    "max-parts",
    "e-mail-as-prefix",
    "language",
    "customer-no",
    "replace-with-spaces",
    "send-as-flash",
    "status-polling",
    "report-mail-format",
    "suppress-first-status-mail",
    "profile",
)

NAME: Final = "name"
PHONE: Final = "phone"
ACTIVE: Final = "active"
CUSTOMER_NUMBER: Final = "customer-no"
PINNED: Final = "pinned"
_USER_COLUMNS: Final = (ADDRESS, NAME, PHONE, ACTIVE, PROFILE, CUSTOMER_NUMBER, PINNED)
HEADED_COLUMNS: Final = (*_USER_COLUMNS, *(name.replace("_", "-") for name in FIELDS))

_FIELD_OF_15: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sms-id": "sender_id",
        "billing-code": "cost_centre",
        "default-country-code": "default_country",
        "sms-source": "text_source",
        "max-parts": "max_parts",
        "e-mail-as-prefix": "sender_prefix",
        "language": "language",
        "replace-with-spaces": "unencodable",
        "send-as-flash": "flash",
        "status-polling": "delivery_receipt",
        "report-mail-format": "report_format",
        "suppress-first-status-mail": "first_report",
    }
)
_LONGEST_SOURCE: Final = 120
_DIALLING_CODE = re.compile(r"(?:\+|00)?([1-9][0-9]{0,2})", re.ASCII)
_FORMULA: Final = re.compile(r"[\s\x00-\x1f\u200b\ufeff]*[=+@\uff1d\uff0b\uff0d\uff20-]|[\t\r\n]")
"""How a cell begins that a spreadsheet calculates: some skip blanks before a sign, which may be full width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """The declared format of a file. Without a delimiter the header decides it; a file of 15 columns has commas.

    `fallback` is the encoding of a file that is not UTF-8, empty for none; `end_marker` is the text of the last line
    that proves the file whole, empty if none was agreed. `country` (ISO 3166) is that of numbers without a plus.
    """

    form: FileForm = FileForm.HEADED
    delimiter: str = ""
    fallback: str = "cp1252"
    end_marker: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFile:
    """A file as read; `source` is its name for people.

    `damaged`: it must not be applied, since its faults concern the whole file. `faulty` are the anchors or addresses of
    entries that are left out for a fault.
    """

    digest: str
    source: str
    rows: tuple[UserChange, ...] = ()
    faults: tuple[ChangeFault, ...] = ()
    faulty: frozenset[str] = frozenset()
    lists: tuple[ReadList, ...] = ()
    damaged: bool = False

    def origin(self, row: UserChange, field_name: str) -> str:
        """Return the origin of a cell: `file:people.csv 2026-11-29 14:40 UTC, line 3, max-parts`."""
        return f"file:{self.source}, line {row.place}, {row.columns[field_name]}"


class Rows(NamedTuple):
    """What a file says, row by row."""

    rows: Sequence[UserChange]
    faults: Sequence[ChangeFault]
    lists: Sequence[ReadList] = ()
    faulty: Collection[str] = ()


def whole_file(content: bytes, source: str, read: Callable[[], Rows]) -> UserFile:
    """Return what `read` makes of a file, or its damage; of rows with the same address none counts.

    `source` is its name and time in words; the default is half of its SHA-256.
    """
    digest = hashlib.sha256(content).hexdigest()
    source = "".join(each for each in source if each.isprintable())[:_LONGEST_SOURCE] or digest[:32]
    try:
        rows, faults, lists, faulty = read()
    except DamagedFileError as damaged:
        return UserFile(digest=digest, source=source, faults=(damaged.fault,), damaged=True)
    times = Counter(row.address for row in rows)
    twice = [
        ChangeFault(
            place=row.place,
            column=ADDRESS,
            code=ChangeFaultCode.ADDRESS_TWICE,
            facts={"address": row.address, "rows": times[row.address]},
        )
        for row in rows
        if times[row.address] > 1
    ]
    return UserFile(
        digest=digest,
        source=source,
        rows=tuple(row for row in rows if times[row.address] == 1),
        faults=tuple(sorted([*faults, *twice], key=lambda fault: fault.place)),
        faulty=frozenset(faulty).union(row.anchor or row.address for row in rows if times[row.address] > 1),
        lists=tuple(lists),
    )


def take_last_line(text: str, end_marker: str) -> str:
    """Return a text without its last line, which must be the marker, if one was agreed; raises DamagedFileError."""
    whole, _, last = text.rstrip().rpartition("\n")
    if end_marker and last.strip() != end_marker:
        raise DamagedFileError(ChangeFaultCode.CUT, end_marker=end_marker)
    return whole if end_marker else text


def read_user_file(content: bytes, declared: FileFormat, source: str = "") -> UserFile:
    """Return the rows and faults of a table of users; never raises but LookupError for an unknown encoding."""
    return whole_file(content, source, lambda: _read_table(content, declared))


def _read_table(content: bytes, declared: FileFormat) -> Rows:
    delimiter = ""
    if is_workbook(content):
        records = list(with_one_width(read_workbook(content, SheetLimits())))
    elif declared.form is FileForm.XLSX:
        raise DamagedFileError(ChangeFaultCode.ANOTHER_FORM, form=FileForm.XLSX.value)
    else:
        found, told, text, first_line = find_delimiter(decode_text(content, declared.fallback))
        usual = found if told or declared.form is not FileForm.FIFTEEN else ","
        delimiter = declared.delimiter or usual
        records = read_csv(text, delimiter, first_line, SheetLimits())
    _take_end_marker(records, declared.end_marker)
    columns = _read_header(records[0], declared.form)
    if columns is not None:
        data: Sequence[Record] = with_one_width(records)[1:]
    else:
        columns, data = COLUMNS_15, records
        if not delimiter:  # a workbook is as wide as its longest row
            data = [(line, [*cells, *[""] * (len(columns) - len(cells))]) for line, cells in records]
    _check_widths(data, len(columns), delimiter)
    return _read_rows(data, columns, declared.country)


def _take_end_marker(records: list[Record], end_marker: str) -> None:
    if end_marker and (not records or [cell for cell in records.pop()[1] if cell] != [end_marker]):
        raise DamagedFileError(ChangeFaultCode.CUT, end_marker=end_marker)
    if not records:
        raise DamagedFileError(ChangeFaultCode.EMPTY)


def _check_widths(data: Sequence[Record], width: int, delimiter: str) -> None:
    ragged = [line for line, cells in data if len(cells) != width]
    if ragged:
        first = next(cells for line, cells in data if line == ragged[0])
        others = [other for other in DELIMITERS if len(first) == 1 and first[0].count(other) >= width - 1]
        fits = others[0] if others else ""
        lines = tuple(ragged[: MOST_LINES_NAMED + 1])
        raise DamagedFileError(ChangeFaultCode.RAGGED, lines=lines, width=width, delimiter=delimiter, fits=fits)


def _column_of(title: str) -> str | None:
    """Return what a header cell names: a column of users, a setting, or a setting by its name in the 15 columns."""
    name = "-".join(title.strip().lower().replace("_", "-").split())
    if name in _USER_COLUMNS or name in _FIELD_OF_15:
        return name
    return name if name.replace("-", "_") in FIELDS else None


def _field_of(column: str) -> str:
    """Return the setting of a column, empty for a column of users."""
    if column in _USER_COLUMNS:
        return ""
    return _FIELD_OF_15.get(column) or column.replace("-", "_")


def _read_header(record: Record, form: FileForm) -> tuple[str, ...] | None:
    """Return the columns that the first record names, None if the file is one of 15 columns."""
    line, first = record
    cells = with_one_width([record])[0][1]
    named = [_column_of(title) for title in cells]
    has_address = any(canonical_address(cell) for cell in first)
    if form is FileForm.FIFTEEN or (form is FileForm.AUTO and has_address):
        if any(named) and not has_address:
            raise DamagedFileError(ChangeFaultCode.UNEXPECTED_HEADER, line)
        return None
    if has_address:
        raise DamagedFileError(ChangeFaultCode.NO_HEADER, line)
    columns = tuple(column for column in named if column is not None)
    if len(columns) < len(named):
        unknown = [title for title, column in zip(cells, named, strict=True) if column is None]
        raise DamagedFileError(ChangeFaultCode.UNKNOWN_COLUMNS, line, columns=tuple(unknown[:10]))
    meanings = Counter(_field_of(column) or column for column in columns)
    doubled = [meaning for meaning, count in meanings.items() if count > 1]
    if doubled:
        raise DamagedFileError(ChangeFaultCode.COLUMNS_TWICE, line, columns=tuple(doubled))
    if ADDRESS not in columns:
        raise DamagedFileError(ChangeFaultCode.NO_COLUMN, line, column=ADDRESS)
    return columns


def _read_bool(text: str) -> bool | None:
    value = parse_setting("flash", text)
    return value if isinstance(value, bool) else None


def _parse_cell(column: str, text: str) -> object:
    """Return a cell's value, NONE, UNSET, a SettingProblem, or the code of what only a file can have wrong."""
    name = _field_of(column)
    if column in ("suppress-first-status-mail", "replace-with-spaces"):
        if not text.strip() or text.strip() == NONE:
            return parse_setting(name, text)
        value = _read_bool(text)
        if value is None:
            return ChangeFaultCode.NOT_ON_OR_OFF
        if column == "suppress-first-status-mail":
            return not value
        return Unencodable.SIMPLE if value else Unencodable.SMART
    if column == "default-country-code" and (code := _DIALLING_CODE.fullmatch(text.strip())):
        return country_of_dialling_code(int(code[1])) or ChangeFaultCode.NO_COUNTRY
    return parse_setting(name, text)


def _literal(cell: str) -> str:
    """Return a cell without the apostrophe against calculation by spreadsheets (see `formula_safe`)."""
    return cell[1:] if cell[:1] == "'" and (cell[1:2] == "'" or _FORMULA.match(cell, 1)) else cell


def read_phone(text: str, country: str) -> str | tuple[ChangeFaultCode, Mapping[str, Fact]]:
    """Return the digits of a person's number, or why it is none; a lost plus or zero is never guessed."""
    number = parse_stored_number(text, country)
    if isinstance(number, Refused):
        return ChangeFaultCode.BAD_NUMBER, {"given": text[:80], "cause": number.detail.removesuffix(".")}
    return number.digits


class _RowReader:
    """Reads the rows of one file; equal texts of a column are parsed once."""

    def __init__(self, columns: tuple[str, ...], country: str) -> None:
        self._country = country
        self._columns = columns
        self._fields = [(index, column, _field_of(column)) for index, column in enumerate(columns) if _field_of(column)]
        self._named = {name: column for _, column, name in self._fields}
        self._parse: Callable[[str, str], object] = lru_cache(maxsize=10_000)(_parse_cell)
        self.faults: list[ChangeFault] = []

    def read(self, line: int, texts: Sequence[str]) -> UserChange | None:
        """Return the row, None if it names no user; adds unreadable cells to `faults`."""
        fixed = {column: _literal(text.strip()) for column, text in zip(self._columns, texts, strict=True)}
        address = canonical_address(fixed[ADDRESS])
        if address is None:
            self._fault(line, ADDRESS, ChangeFaultCode.BAD_ADDRESS, given=fixed[ADDRESS][:80])
            return None
        cells: dict[str, object] = {}
        for index, column, name in self._fields:
            text = _literal(texts[index])
            value = self._parse(column, text)
            if isinstance(value, SettingProblem):
                self._fault(line, column, ChangeFaultCode.BAD_VALUE, given=value.given, field=name)
            elif isinstance(value, ChangeFaultCode):
                self._fault(line, column, value, given=text[:80])
            else:
                cells[name] = value
        active = fixed.get(ACTIVE) or None
        is_active = None if active is None else _read_bool(active)
        if active is not None and is_active is None:
            self._fault(line, ACTIVE, ChangeFaultCode.NOT_ON_OR_OFF, given=active[:80])
        name_text = fixed.get(NAME)
        return UserChange(
            place=line,
            address=address,
            cells=cells,
            columns=self._named,
            profile=fixed.get(PROFILE),
            name=None if name_text is None else " ".join(name_text.split())[:200],
            active=is_active,
            phone=self._phone(line, fixed.get(PHONE), cells.get("default_country")),
            pinned=self._pinned(line, fixed.get(PINNED, ""), cells),
        )

    def _phone(self, line: int, text: str | None, country: object) -> str | None:
        """Return the number; that of the row's own country, if it names one, else of the file's."""
        if not text or text == NONE:
            return None if text is None else ""
        number = read_phone(text, country if isinstance(country, str) and country != NONE else self._country)
        if isinstance(number, str):
            return number
        self._fault(line, PHONE, number[0], **number[1])
        return None

    def _pinned(self, line: int, text: str, cells: Mapping[str, object]) -> frozenset[str]:
        """Return the fields in the column `pinned`; each must have a cell that is not empty."""
        names = [word.lower().replace("-", "_") for word in text.replace(",", " ").split()]
        for name in names:
            if name not in FIELDS:
                self._fault(line, PINNED, ChangeFaultCode.NO_SETTING, name=name[:80])
            elif name not in self._named or cells.get(name) is UNSET:
                self._fault(line, PINNED, ChangeFaultCode.PINNED_WITHOUT_VALUE, name=name)
        return frozenset(names)

    def _fault(self, line: int, column: str, code: ChangeFaultCode, **facts: Fact) -> None:
        self.faults.append(ChangeFault(place=line, column=column, code=code, facts=facts))


def _read_rows(data: Iterable[Record], columns: tuple[str, ...], country: str) -> Rows:
    reader = _RowReader(columns, country)
    rows: list[UserChange] = []
    number_column = columns.index(CUSTOMER_NUMBER) if CUSTOMER_NUMBER in columns else None
    customer_number = ""
    for line, texts in data:
        number = texts[number_column].strip() if number_column is not None else ""
        customer_number = customer_number or number
        if number and number != customer_number:
            facts = {"number": number[:40], "above": customer_number[:40]}
            code = ChangeFaultCode.ANOTHER_CUSTOMER
            reader.faults.append(ChangeFault(place=line, column=CUSTOMER_NUMBER, code=code, facts=facts))
            continue
        row = reader.read(line, texts)
        if row is not None:
            rows.append(row)
    return Rows(rows, reader.faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedUser:
    """One user to write: profile by name, phone as digits, cells as text; `pinned` names those of an administrator."""

    address: str
    name: str = ""
    phone: str = ""
    active: bool = True
    profile: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)
    pinned: frozenset[str] = frozenset()


def formula_safe(cell: str) -> str:
    """Return a cell that no spreadsheet reads as a formula; `_literal` undoes it."""
    if cell[:1].isalnum():  # most cells; looking for a formula in each takes longer than all else of a line
        return cell
    return f"'{cell}" if cell[:1] == "'" or _FORMULA.match(cell) else cell


SPREADSHEET: Final = "utf-8-sig"
"""The encoding of a file for a spreadsheet: without the byte order mark it is taken for another than UTF-8."""


def separator_for(language: str) -> str:
    """Return what stands between the cells of a file whose heads are in a language: what its Excel splits lines at.

    Where the comma is the decimal sign, which is everywhere but in English, that is the semicolon.
    """
    return "," if language == "en" else ";"


def write_csv(columns: Sequence[str], rows: Iterable[Iterable[object]], delimiter: str = ",") -> str:
    """Return a headed table with CRLF (RFC 4180 §2) that no spreadsheet reads as formulas."""
    return "".join(csv_lines(columns, rows, delimiter))


def csv_lines(columns: Sequence[str] | None, rows: Iterable[Iterable[object]], delimiter: str = ",") -> Iterator[str]:
    """Yield the same line by line, of however many rows; None is a table that goes on, without heads."""
    line = io.StringIO(newline="")
    writer = csv.writer(line, delimiter=delimiter)
    for row in rows if columns is None else chain([columns], rows):
        writer.writerow([cell if type(cell) is int else formula_safe(str(cell)) for cell in row])
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def write_user_file(users: Iterable[ExportedUser], delimiter: str = ",") -> str:
    """Return a headed file with every column for `read_user_file`."""
    columns = tuple(column for column in HEADED_COLUMNS if column != CUSTOMER_NUMBER)
    rows = ({name.replace("_", "-"): text for name, text in user.cells.items()} | _fixed(user) for user in users)
    return write_csv(columns, ([row.get(column, "") for column in columns] for row in rows), delimiter)


def _fixed(user: ExportedUser) -> dict[str, str]:
    return {
        ADDRESS: user.address,
        NAME: user.name,
        PHONE: f"+{user.phone}" if user.phone else "",
        ACTIVE: "on" if user.active else "off",
        PROFILE: user.profile,
        PINNED: " ".join(sorted(name.replace("_", "-") for name in user.pinned)),
    }
