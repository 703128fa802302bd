"""The address book file: CSV to rows with faults, and stored people to CSV.

Two shapes: the headerless file of 15 columns (`COLUMNS_15`), and a headed one with any of `HEADED_COLUMNS` and of the
15, in any order.
A column that is absent says nothing of its field; an empty cell takes away what the file said before; `<none>` stops
inheritance. A cell that cannot be read is a fault with line and column.
A file that is damaged as a whole (cut, ragged, wrong delimiter, not text) gives no rows at all.
The column `pinned` names the settings of a row that an administrator pinned, so that an export says everything.

Not here: what a file changes (import_plan). Standard: RFC 4180, with the delimiter and quotes as declared.
"""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from addressbook.people import canonical_address
from sms.number import country_of_dialling_code
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

ADDRESS: Final = "e-mail"
NAME: Final = "name"
ACTIVE: Final = "active"
PROFILE: Final = "profile"
CUSTOMER_NUMBER: Final = "customer-no"
PINNED: Final = "pinned"
_PEOPLE_COLUMNS: Final = (ADDRESS, NAME, ACTIVE, PROFILE, CUSTOMER_NUMBER, PINNED)
HEADED_COLUMNS: Final = (*_PEOPLE_COLUMNS, *(name.replace("_", "-") for name in FIELDS))

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
_DELIMITERS: Final = (",", ";", "\t", "|")
_LONGEST_SOURCE: Final = 120
_DIALLING_CODE = re.compile(r"(?:\+|00)?([1-9][0-9]{0,2})", re.ASCII)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_MOST_LINES_NAMED: Final = 20

_Record = tuple[int, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """What was declared of a file. Without a delimiter the header tells it, and a headerless file has commas.

    `fallback` is the encoding of a file that is not UTF-8, empty for none; `end_marker` is the text of the last line
    that proves the file whole, empty where none was agreed.
    """

    headed: bool = True
    delimiter: str = ""
    fallback: str = "cp1252"
    end_marker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFault:
    """What is wrong with a file, or with a row or cell of it: `line` counts from 1, 0 is the whole file."""

    line: int
    column: str
    text: str

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else "the file"
        return f"{where}, {self.column}: {self.text}" if self.column else f"{where}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """One person of a file. `cells` has field → value, NONE or UNSET; `columns` names the file's column per field.

    `profile`, `name`, `active` are None where the file does not speak of them; no profile, the empty text, is the
    customer's default one. `pinned` names the fields whose cells are an administrator's.
    """

    line: int
    address: str
    cells: Mapping[str, object]
    columns: Mapping[str, str]
    profile: str | None = None
    name: str | None = None
    active: bool | None = None
    pinned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleFile:
    """A file as read, by the name that people know it by: `source`.

    `damaged` says that it must not be applied: its faults are of the file as a whole.
    """

    digest: str
    source: str
    rows: tuple[FileRow, ...] = ()
    faults: tuple[FileFault, ...] = ()
    damaged: bool = False

    def origin(self, row: FileRow, field_name: str) -> str:
        """Return where a cell came from: `file:people.csv 2026-11-29 14:40 UTC, line 3, max-parts`."""
        return f"file:{self.source}, line {row.line}, {row.columns[field_name]}"


class _DamagedFileError(Exception):
    """The file cannot be applied at all."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.fault = FileFault(line=line, column="", text=text)


def read_people_file(content: bytes, declared: FileFormat, source: str = "") -> PeopleFile:
    """Return the rows and faults of an address book file; any bytes give an answer.

    `source` is its name and time in words; without one it goes by half of its SHA-256.
    """
    digest = hashlib.sha256(content).hexdigest()
    source = "".join(each for each in source if each.isprintable())[:_LONGEST_SOURCE] or digest[:32]
    try:
        text = _decode(content, declared.fallback)
        delimiter, text, first_line = _find_delimiter(text, declared)
        records = _read_records(text, delimiter, first_line)
        _take_end_marker(records, declared.end_marker)
        columns = _read_header(records[0], declared)
        data = records[1:] if declared.headed else records
        _check_widths(data, len(columns), delimiter)
    except _DamagedFileError as damaged:
        return PeopleFile(digest=digest, source=source, faults=(damaged.fault,), damaged=True)
    rows, faults = _read_rows(data, columns)
    return PeopleFile(digest=digest, source=source, rows=rows, faults=faults)


def _decode(content: bytes, fallback: str) -> str:
    """Return the text: by its byte order mark, else strictly UTF-8, else wholly in the declared fallback."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if content.startswith(mark):
            tried: tuple[str, ...] = (encoding,)
            content = content[len(mark) :]
            break
    else:
        tried = ("utf-8", fallback) if fallback else ("utf-8",)
    for encoding in tried:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise _DamagedFileError("it contains NUL characters and is no text")
        return text
    raise _DamagedFileError(f"it is not text in {' or '.join(tried)}")


def _find_delimiter(text: str, declared: FileFormat) -> tuple[str, str, int]:
    """Return the delimiter, the text after a `sep=` line of Excel, and the number of the first line left."""
    first, _, rest = text.partition("\n")
    told, line = "", 1
    if first.lower().startswith("sep=") and first[4:].strip("\r\n ") in _DELIMITERS:
        told, text, line = first[4], rest, 2
        first = rest.partition("\n")[0]
    if declared.delimiter or told:
        return declared.delimiter or told, text, line
    if not declared.headed:
        return ",", text, line
    counts = Counter({delimiter: first.count(delimiter) for delimiter in _DELIMITERS})
    delimiter, found = counts.most_common(1)[0]
    return (delimiter if found else ","), text, line


def _read_records(text: str, delimiter: str, first_line: int) -> list[_Record]:
    """Return the records that are not blank, of which a spreadsheet leaves delimiters, by their first line's number."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[_Record] = []
    before = 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                records.append((before + first_line, cells))
            before = reader.line_num
    except csv.Error as error:
        raise _DamagedFileError(f"it cannot be read as CSV: {error}", before + first_line) from None
    return records


def _take_end_marker(records: list[_Record], end_marker: str) -> None:
    if end_marker and (not records or records.pop()[1] != [end_marker]):
        raise _DamagedFileError(f"the last line is not {end_marker!r}, so the file may be cut")
    if not records:
        raise _DamagedFileError("it is empty")


def _check_widths(data: Sequence[_Record], width: int, delimiter: str) -> None:
    ragged = [line for line, cells in data if len(cells) != width]
    if ragged:
        named = ", ".join(map(str, ragged[:_MOST_LINES_NAMED])) + (" …" if len(ragged) > _MOST_LINES_NAMED else "")
        first = next(cells for line, cells in data if line == ragged[0])
        others = [other for other in _DELIMITERS if len(first) == 1 and first[0].count(other) >= width - 1]
        advice = f"; divided by {others[0]!r} instead of {delimiter!r} they would fit" if others else ""
        raise _DamagedFileError(f"{width} columns are expected, and these lines have another number: {named}{advice}")


def _column_of(title: str) -> str | None:
    """Return what a header cell names: a column of people, a setting, or a setting by its name of the 15 columns."""
    name = "-".join(title.strip().lower().replace("_", "-").split())
    if name in _PEOPLE_COLUMNS or name in _FIELD_OF_15:
        return name
    return name if name.replace("-", "_") in FIELDS else None


def _field_of(column: str) -> str:
    """Return the setting that a column fills, empty for a column of people."""
    if column in _PEOPLE_COLUMNS:
        return ""
    return _FIELD_OF_15.get(column) or column.replace("-", "_")


def _read_header(record: _Record, declared: FileFormat) -> tuple[str, ...]:
    """Return the columns that the first record names, or the 15 of a headerless file."""
    line, first = record
    named = [_column_of(title) for title in first]
    has_address = any(canonical_address(cell) for cell in first)
    if not declared.headed:
        if any(named) and not has_address:
            raise _DamagedFileError("it is a header, but a file of 15 columns was declared, which has none", line)
        return COLUMNS_15
    if has_address:
        raise _DamagedFileError("it has a mail address where the header must be: is it a file of 15 columns?", line)
    columns = tuple(column for column in named if column is not None)
    if len(columns) < len(named):
        unknown = [title for title, column in zip(first, named, strict=True) if column is None]
        raise _DamagedFileError("unknown columns: " + ", ".join(map(repr, unknown[:10])), line)
    meanings = Counter(_field_of(column) or column for column in columns)
    doubled = [meaning for meaning, count in meanings.items() if count > 1]
    if doubled:
        raise _DamagedFileError("columns given twice: " + ", ".join(doubled), line)
    if ADDRESS not in columns:
        raise _DamagedFileError(f"the column {ADDRESS} is missing", line)
    return columns


def _read_bool(text: str) -> bool | None:
    value = parse_setting("flash", text)
    return value if isinstance(value, bool) else None


def _parse_cell(column: str, text: str) -> object:
    """Return a cell's value, NONE, UNSET or a SettingProblem."""
    name = _field_of(column)
    if column in ("suppress-first-status-mail", "replace-with-spaces"):
        if not text.strip() or text.strip() == NONE:
            return parse_setting(name, text)
        value = _read_bool(text)
        if value is None:
            return SettingProblem(field=name, given=text[:80], expected="on or off")
        if column == "suppress-first-status-mail":
            return not value
        return Unencodable.SIMPLE if value else Unencodable.SMART
    if column == "default-country-code" and (code := _DIALLING_CODE.fullmatch(text.strip())):
        country = country_of_dialling_code(int(code[1]))
        return country or SettingProblem(field=name, given=text[:80], expected="a country or its dialling code")
    return parse_setting(name, text)


def _literal(cell: str) -> str:
    """Return a cell without the apostrophe that keeps spreadsheets from calculating it (see `_escaped`)."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in (*_FORMULA, "'") else cell


class _RowReader:
    """Reads the rows of one file; equal texts of a column are parsed once."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = columns
        self._fields = [(index, column, _field_of(column)) for index, column in enumerate(columns) if _field_of(column)]
        self._named = {name: column for _, column, name in self._fields}
        self._parse: Callable[[str, str], object] = lru_cache(maxsize=10_000)(_parse_cell)
        self.faults: list[FileFault] = []

    def read(self, line: int, texts: Sequence[str]) -> FileRow | None:
        """Return the row, None where it names no person; what cannot be read is added to `faults`."""
        people = {column: _literal(text.strip()) for column, text in zip(self._columns, texts, strict=True)}
        address = canonical_address(people[ADDRESS])
        if address is None:
            self._fault(line, ADDRESS, f"{people[ADDRESS][:80]!r} is not a mail address")
            return None
        cells: dict[str, object] = {}
        for index, column, name in self._fields:
            value = self._parse(column, _literal(texts[index]))
            if isinstance(value, SettingProblem):
                self._fault(line, column, f"{value.given!r} is not {value.expected}")
            else:
                cells[name] = value
        active = people.get(ACTIVE) or None
        is_active = None if active is None else _read_bool(active)
        if active is not None and is_active is None:
            self._fault(line, ACTIVE, f"{active[:80]!r} is not on or off")
        name_text = people.get(NAME)
        return FileRow(
            line=line,
            address=address,
            cells=cells,
            columns=self._named,
            profile=people.get(PROFILE),
            name=None if name_text is None else " ".join(name_text.split())[:200],
            active=is_active,
            pinned=self._pinned(line, people.get(PINNED, ""), cells),
        )

    def _pinned(self, line: int, text: str, cells: Mapping[str, object]) -> frozenset[str]:
        """Return the fields that the column `pinned` names; each must have a cell with something in it."""
        names = [word.lower().replace("-", "_") for word in text.replace(",", " ").split()]
        for name in names:
            if name not in FIELDS:
                self._fault(line, PINNED, f"there is no setting {name[:80]!r}")
            elif name not in self._named or cells.get(name) is UNSET:
                self._fault(line, PINNED, f"{name} is pinned without a value")
        return frozenset(names)

    def _fault(self, line: int, column: str, text: str) -> None:
        self.faults.append(FileFault(line=line, column=column, text=text))


def _read_rows(data: Iterable[_Record], columns: tuple[str, ...]) -> tuple[tuple[FileRow, ...], tuple[FileFault, ...]]:
    reader = _RowReader(columns)
    rows: list[FileRow] = []
    number_column = columns.index(CUSTOMER_NUMBER) if CUSTOMER_NUMBER in columns else None
    customer_number = ""
    for line, texts in data:
        number = texts[number_column].strip() if number_column is not None else ""
        customer_number = customer_number or number
        if number and number != customer_number:
            text = f"{number[:40]!r} is another customer than {customer_number[:40]!r} above"
            reader.faults.append(FileFault(line=line, column=CUSTOMER_NUMBER, text=text))
            continue
        row = reader.read(line, texts)
        if row is not None:
            rows.append(row)
    times = Counter(row.address for row in rows)
    faults = reader.faults + [
        FileFault(line=row.line, column=ADDRESS, text=f"{row.address} stands in {times[row.address]} rows")
        for row in rows
        if times[row.address] > 1
    ]
    # Two rows that claim one address: neither gets it.
    kept = tuple(row for row in rows if times[row.address] == 1)
    return kept, tuple(sorted(faults, key=lambda fault: fault.line))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedPerson:
    """One person to write: profile by name, cells as text; `pinned` names those of an administrator."""

    address: str
    name: str = ""
    active: bool = True
    profile: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)
    pinned: frozenset[str] = frozenset()


def _escaped(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; `_literal` undoes it."""
    return f"'{cell}" if cell[:1] in (*_FORMULA, "'") else cell


def write_people_file(people: Iterable[ExportedPerson], delimiter: str = ",") -> str:
    """Return a headed file with every column, CRLF as RFC 4180 §2 has it, that `read_people_file` reads back."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    columns = tuple(column for column in HEADED_COLUMNS if column != CUSTOMER_NUMBER)
    writer.writerow(columns)
    for person in people:
        fixed = {
            ADDRESS: person.address,
            NAME: person.name,
            ACTIVE: "on" if person.active else "off",
            PROFILE: person.profile,
            PINNED: " ".join(sorted(name.replace("_", "-") for name in person.pinned)),
        }
        writer.writerow(
            _escaped(fixed[column] if column in fixed else person.cells.get(column.replace("-", "_"), ""))
            for column in columns
        )
    return out.getvalue()
