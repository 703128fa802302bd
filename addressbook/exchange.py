"""The address book file: reads CSV as rows with faults, writes stored users as CSV.

Two forms: the headerless file of 15 columns (`COLUMNS_15`), and a headed one with any of `HEADED_COLUMNS` and of the
15, in any order. A missing column leaves its field; an empty cell removes the earlier value of the file; `<none>` stops
inheritance. A cell that cannot be read is a fault with line and column. A file that is damaged as a whole (cut, ragged,
wrong delimiter, not text) gives no rows at all. The column `pinned` names the settings of a row that an administrator
pinned, so that an export is complete.

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

from addressbook.changes import ADDRESS, PROFILE, ChangeFault, ChangeFaultCode, UserChange
from addressbook.people import canonical_address
from sms.facts import Fact
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

NAME: Final = "name"
ACTIVE: Final = "active"
CUSTOMER_NUMBER: Final = "customer-no"
PINNED: Final = "pinned"
_USER_COLUMNS: Final = (ADDRESS, NAME, ACTIVE, PROFILE, CUSTOMER_NUMBER, PINNED)
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
_DELIMITERS: Final = (",", ";", "\t", "|")
_LONGEST_SOURCE: Final = 120
_DIALLING_CODE = re.compile(r"(?:\+|00)?([1-9][0-9]{0,2})", re.ASCII)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

_Record = tuple[int, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """The declared format of a file. Without a delimiter the header decides it, and a headerless file has commas.

    `fallback` is the encoding of a file that is not UTF-8, empty for none; `end_marker` is the text of the last line
    that proves the file whole, empty if none was agreed.
    """

    headed: bool = True
    delimiter: str = ""
    fallback: str = "cp1252"
    end_marker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFile:
    """A file as read; `source` is its name for people.

    `damaged`: it must not be applied, since its faults concern the whole file.
    """

    digest: str
    source: str
    rows: tuple[UserChange, ...] = ()
    faults: tuple[ChangeFault, ...] = ()
    damaged: bool = False

    def origin(self, row: UserChange, field_name: str) -> str:
        """Return the origin of a cell: `file:people.csv 2026-11-29 14:40 UTC, line 3, max-parts`."""
        return f"file:{self.source}, line {row.place}, {row.columns[field_name]}"


class _DamagedFileError(Exception):
    """The file cannot be applied at all."""

    def __init__(self, code: ChangeFaultCode, line: int = 0, **facts: Fact) -> None:
        super().__init__(code)
        self.fault = ChangeFault(place=line, code=code, facts=facts)


def read_user_file(content: bytes, declared: FileFormat, source: str = "") -> UserFile:
    """Return the rows and faults of an address book file; never raises.

    `source` is its name and time in words; the default is half of its SHA-256.
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
        return UserFile(digest=digest, source=source, faults=(damaged.fault,), damaged=True)
    rows, faults = _read_rows(data, columns)
    return UserFile(digest=digest, source=source, rows=rows, faults=faults)


def _decode(content: bytes, fallback: str) -> str:
    """Return the text: by its byte order mark, else strictly UTF-8, else entirely in the declared fallback."""
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
            raise _DamagedFileError(ChangeFaultCode.NUL_CHARACTERS)
        return text
    raise _DamagedFileError(ChangeFaultCode.NOT_TEXT, encodings=tried)


def _find_delimiter(text: str, declared: FileFormat) -> tuple[str, str, int]:
    """Return the delimiter, the text after a `sep=` line of Excel, and the number of the next line."""
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
    """Return the records with their first line's number, without blank ones, which may have delimiters."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[_Record] = []
    before = 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                records.append((before + first_line, cells))
            before = reader.line_num
    except csv.Error as error:
        raise _DamagedFileError(ChangeFaultCode.NOT_CSV, before + first_line, cause=str(error)) from None
    return records


def _take_end_marker(records: list[_Record], end_marker: str) -> None:
    if end_marker and (not records or records.pop()[1] != [end_marker]):
        raise _DamagedFileError(ChangeFaultCode.CUT, end_marker=end_marker)
    if not records:
        raise _DamagedFileError(ChangeFaultCode.EMPTY)


def _check_widths(data: Sequence[_Record], width: int, delimiter: str) -> None:
    ragged = [line for line, cells in data if len(cells) != width]
    if ragged:
        first = next(cells for line, cells in data if line == ragged[0])
        others = [other for other in _DELIMITERS if len(first) == 1 and first[0].count(other) >= width - 1]
        fits = others[0] if others else ""
        raise _DamagedFileError(
            ChangeFaultCode.RAGGED, lines=tuple(ragged), width=width, delimiter=delimiter, fits=fits
        )


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


def _read_header(record: _Record, declared: FileFormat) -> tuple[str, ...]:
    """Return the columns that the first record names, or the 15 of a headerless file."""
    line, first = record
    named = [_column_of(title) for title in first]
    has_address = any(canonical_address(cell) for cell in first)
    if not declared.headed:
        if any(named) and not has_address:
            raise _DamagedFileError(ChangeFaultCode.UNEXPECTED_HEADER, line)
        return COLUMNS_15
    if has_address:
        raise _DamagedFileError(ChangeFaultCode.NO_HEADER, line)
    columns = tuple(column for column in named if column is not None)
    if len(columns) < len(named):
        unknown = [title for title, column in zip(first, named, strict=True) if column is None]
        raise _DamagedFileError(ChangeFaultCode.UNKNOWN_COLUMNS, line, columns=tuple(unknown[:10]))
    meanings = Counter(_field_of(column) or column for column in columns)
    doubled = [meaning for meaning, count in meanings.items() if count > 1]
    if doubled:
        raise _DamagedFileError(ChangeFaultCode.COLUMNS_TWICE, line, columns=tuple(doubled))
    if ADDRESS not in columns:
        raise _DamagedFileError(ChangeFaultCode.NO_COLUMN, line, column=ADDRESS)
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
    return cell[1:] if cell[:1] == "'" and cell[1:2] in (*_FORMULA, "'") else cell


class _RowReader:
    """Reads the rows of one file; equal texts of a column are parsed once."""

    def __init__(self, columns: tuple[str, ...]) -> None:
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
            pinned=self._pinned(line, fixed.get(PINNED, ""), cells),
        )

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


def _read_rows(
    data: Iterable[_Record], columns: tuple[str, ...]
) -> tuple[tuple[UserChange, ...], tuple[ChangeFault, ...]]:
    reader = _RowReader(columns)
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
    times = Counter(row.address for row in rows)
    faults = reader.faults + [
        ChangeFault(
            place=row.place,
            column=ADDRESS,
            code=ChangeFaultCode.ADDRESS_TWICE,
            facts={"address": row.address, "rows": times[row.address]},
        )
        for row in rows
        if times[row.address] > 1
    ]
    # If two rows have one address, neither counts.
    kept = tuple(row for row in rows if times[row.address] == 1)
    return kept, tuple(sorted(faults, key=lambda fault: fault.place))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedUser:
    """One user to write: profile by name, cells as text; `pinned` names those of an administrator."""

    address: str
    name: str = ""
    active: bool = True
    profile: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)
    pinned: frozenset[str] = frozenset()


def formula_safe(cell: str) -> str:
    """Return a cell that no spreadsheet reads as a formula; `_literal` undoes it."""
    return f"'{cell}" if cell[:1] in (*_FORMULA, "'") else cell


def write_user_file(users: Iterable[ExportedUser], delimiter: str = ",") -> str:
    """Return a headed file with every column and CRLF (RFC 4180 §2) for `read_user_file`."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    columns = tuple(column for column in HEADED_COLUMNS if column != CUSTOMER_NUMBER)
    writer.writerow(columns)
    for user in users:
        fixed = {
            ADDRESS: user.address,
            NAME: user.name,
            ACTIVE: "on" if user.active else "off",
            PROFILE: user.profile,
            PINNED: " ".join(sorted(name.replace("_", "-") for name in user.pinned)),
        }
        writer.writerow(
            formula_safe(fixed[column] if column in fixed else user.cells.get(column.replace("-", "_"), ""))
            for column in columns
        )
    return out.getvalue()
