"""A table that somebody attached or imports: CSV or XLSX → rows of values by column, or what is wrong with it.

Strict, since money follows: a damaged or ragged file gives no rows at all. The only file that knows python-calamine;
hostile files are read in a process that may die (mta.words.confined_reader). Not here: whose numbers these are. RFC
4180.
"""

import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import PurePath
from typing import Any, Final

from python_calamine import CalamineError, CalamineWorkbook

from sms.outcome import Refusal, Refused
from sms.personalise import COLUMNS_LIMIT, NUMBER_COLUMNS, VALUE_LIMIT, Table, TableRow, canonical_column

FILE_LIMIT: Final = 10_000_000
ROWS_LIMIT: Final = 100_000
_UNPACKED_LIMIT: Final = 100_000_000
_ENTRIES_LIMIT: Final = 500
_DELIMITERS: Final = (",", ";", "\t", "|")
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_CSV_TYPES: Final = frozenset({"text/csv", "text/comma-separated-values", "text/tab-separated-values"})
_XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_XLSX_MAGIC: Final = b"PK\x03\x04"
_XLS_MAGIC: Final = b"\xd0\xcf\x11\xe0"
_CONTROLS: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]+")
_LOOKS_LIKE_NUMBER: Final = re.compile(r"[+0-9][0-9 ()./-]{5,}")
_NAMED: Final = 10

_Record = tuple[int, Sequence[str]]


class _DamagedError(Exception):
    """The file gives no rows; the argument says why, to its author."""


def is_table_file(name: str, media_type: str) -> bool:
    """Tell whether a file of this name and type is meant as a table; mail clients often get the type wrong."""
    suffix = PurePath(name).suffix.lower()
    return suffix in {".csv", ".tsv", ".xlsx", ".xls"} or media_type in _CSV_TYPES or media_type == _XLSX_TYPE


def read_table(content: bytes) -> Table | Refused:
    """Return the rows of a table whose first row names the columns; TEMPLATE_INCOMPLETE says what is wrong with it.

    The number is in the first column whose name says so (`number`, `phone`, `mobile`, …), else in the first column.
    """
    try:
        return _table_of(_read_records(content))
    except _DamagedError as damaged:
        return Refused(refusal=Refusal.TEMPLATE_INCOMPLETE, detail=f"the table: {damaged}")


def _read_records(content: bytes) -> list[_Record]:
    if len(content) > FILE_LIMIT:
        raise _DamagedError(f"it is larger than {FILE_LIMIT // 1_000_000} MB")
    if content.startswith(_XLS_MAGIC):
        raise _DamagedError("this kind of Excel file (.xls) is not read; save it as .xlsx or CSV")
    return _read_xlsx(content) if content.startswith(_XLSX_MAGIC) else _read_csv(content)


def _table_of(records: Sequence[_Record]) -> Table:
    records = [(line, cells) for line, cells in records if any(cell.strip() for cell in cells)]
    if len(records) < 2:
        raise _DamagedError("it has no rows below the names of its columns")
    columns = _read_columns(*records[0])
    ragged = [line for line, cells in records[1:] if len(cells) != len(columns)]
    if ragged:
        lines = ", ".join(map(str, ragged[:_NAMED])) + (", …" if len(ragged) > _NAMED else "")
        raise _DamagedError(f"line {lines}: not {len(columns)} columns as in the first line")
    place = next((index for index, name in enumerate(columns) if name in NUMBER_COLUMNS), 0)
    rows = []
    for line, cells in records[1:]:
        values = {name: _clean(cell) for name, cell in zip(columns, cells, strict=True)}
        overlong = [name for name, value in values.items() if len(value) > VALUE_LIMIT]
        if overlong:
            raise _DamagedError(f"line {line}, {overlong[0]}: longer than {VALUE_LIMIT} characters")
        rows.append(TableRow(line=line, number=values[columns[place]].removeprefix("'"), values=values))
    return Table(columns=columns, rows=tuple(rows))


def _read_columns(line: int, cells: Sequence[str]) -> tuple[str, ...]:
    while cells and not cells[-1].strip():
        cells = cells[:-1]  # Excel writes as many delimiters as its widest row ever had
    if len(cells) > COLUMNS_LIMIT:
        raise _DamagedError(f"it has more than {COLUMNS_LIMIT} columns")
    for cell in cells:
        if _LOOKS_LIKE_NUMBER.fullmatch(cell.strip()):
            raise _DamagedError(f"line {line} holds a phone number where the names of the columns are expected")
    columns = tuple(map(canonical_column, cells))
    nameless = [index for index, name in enumerate(columns, start=1) if not name]
    if nameless:
        raise _DamagedError(f"line {line}, column {nameless[0]}: a name of letters, digits and blanks is expected")
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise _DamagedError(f"line {line}: the column {twice[0]} is there twice")
    return columns


def _clean(cell: str) -> str:
    return _CONTROLS.sub(" ", cell.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _read_csv(content: bytes) -> list[_Record]:
    text = _decode(content)
    first, _, rest = text.partition("\n")
    line = 1
    told = ""
    if first.lower().startswith("sep=") and first[4:].strip("\r ") in _DELIMITERS:
        told, text, line = first[4], rest, 2
        first = rest.partition("\n")[0]
    delimiter, found = Counter({item: first.count(item) for item in _DELIMITERS}).most_common(1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=told or (delimiter if found else ","), strict=True)
    records: list[_Record] = []
    before = 0
    try:
        for cells in reader:
            records.append((line + before, cells))
            before = reader.line_num
            if len(records) > ROWS_LIMIT:
                raise _DamagedError(f"it has more than {ROWS_LIMIT} rows")
    except csv.Error as error:
        raise _DamagedError(f"line {line + before}: {error}") from None
    return _with_one_width(records)


def _with_one_width(records: list[_Record]) -> list[_Record]:
    """Drop the empty cells that stand behind the last named column in every row."""
    if not records:
        return records
    width = len("\0".join(records[0][1]).rstrip(" \0").split("\0"))
    return [
        (line, cells[:width] if not any(cell.strip() for cell in cells[width:]) else cells) for line, cells in records
    ]


def _decode(content: bytes) -> str:
    """Return the text: by its byte order mark, else as UTF-8, else as the Windows-1252 of Western Excel."""
    tried: tuple[str, ...] = ("utf-8", "cp1252")
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            content, tried = content[len(mark) :], (encoding,)
            break
    for encoding in tried:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise _DamagedError("it is neither text nor an Excel workbook (.xlsx)")


def _read_xlsx(content: bytes) -> list[_Record]:
    _check_archive(content)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheet = workbook.get_sheet_by_index(0)
        if (sheet.total_height or 0) > ROWS_LIMIT or (sheet.total_width or 0) > 4 * COLUMNS_LIMIT:
            raise _DamagedError(f"it has more than {ROWS_LIMIT} rows or {COLUMNS_LIMIT} columns")
        rows = sheet.to_python(skip_empty_area=False)
    except (CalamineError, OSError, ValueError, IndexError) as error:
        raise _DamagedError(f"the workbook cannot be read ({type(error).__name__})") from None
    return _with_one_width([(line, [_cell_text(cell) for cell in cells]) for line, cells in enumerate(rows, start=1)])


def _check_archive(content: bytes) -> None:
    """Refuse an archive that unpacks to more than any table needs, before anything of it is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError):
        raise _DamagedError("the workbook is damaged") from None
    if len(entries) > _ENTRIES_LIMIT or sum(entry.file_size for entry in entries) > _UNPACKED_LIMIT:
        raise _DamagedError("the workbook is too large when it is unpacked")


def _cell_text(cell: Any) -> str:
    """Return a cell as its author reads it: whole numbers without a fraction, dates as ISO 8601."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(" ", "minutes")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, time):
        return cell.isoformat("minutes")
    return str(cell)
