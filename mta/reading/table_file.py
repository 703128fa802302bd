"""An attached or imported table: CSV or XLSX → rows of values by column, or what is wrong with it.

Strict, since each row costs money: a damaged or ragged file gives no rows at all. The only user of python-calamine;
hostile files are read in a child process (mta.reading.confined_reader). Not here: checking the numbers. RFC 4180.
"""

import csv
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from pathlib import PurePath
from typing import Any, Final

from python_calamine import CalamineError, CalamineWorkbook

from sms.outcome import Refusal, Refused
from sms.personalise import COLUMNS_LIMIT, NUMBER_COLUMNS, VALUE_LIMIT, Table, TableRow, canonical_column

FILE_LIMIT: Final = 5_000_000
ROWS_LIMIT: Final = 100_000
MAIL_ROWS_LIMIT: Final = 50_000
"""A table from a mail is read within a second and 64 MB; an operator's own list may be longer."""
CELLS_LIMIT: Final = 200_000
_WIDTH_LIMIT: Final = 4 * COLUMNS_LIMIT
_RECORD_LINES: Final = 1_000
_UNPACKED_LIMIT: Final = 8_000_000
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
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_FAR_PLACE: Final = re.compile(rb"""\br\s*=\s*["'](?:[A-Za-z]{2}|[A-Za-z]?[0-9]{5})""")
_CELL: Final = re.compile(rb"""<(?:\w{1,20}:)?(?:c|row)(?=[\s/>])((?:[^<>"']|"[^"<]*"|'[^'<]*')*+)>""")
_CELL_START: Final = re.compile(rb"<(?:\w{1,20}:)?c[\s>/]")
_ROW_PLACE: Final = re.compile(rb"""\br\s*=\s*["'][A-Za-z]{0,20}([0-9]{1,20})""")
_COLUMN_PLACE: Final = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{1,20})[0-9]""")
_PLACE: Final = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,20})([0-9]{1,20})""")

_Record = tuple[int, Sequence[str]]


class _DamagedTableError(Exception):
    """The file gives no rows; the argument tells its author why."""


def is_table_file(name: str, media_type: str) -> bool:
    """Return whether a file with this name and type is a table; mail clients often send the wrong type."""
    suffix = PurePath(name).suffix.lower()
    return suffix in {".csv", ".tsv", ".xlsx", ".xls"} or media_type in _CSV_TYPES or media_type == _XLSX_TYPE


def read_table(
    content: bytes, *, rows_limit: int = ROWS_LIMIT, cells_limit: int = CELLS_LIMIT, octets_limit: int = FILE_LIMIT
) -> Table | Refused:
    """Return the rows of a table whose first row names the columns; TEMPLATE_INCOMPLETE says what is wrong with it.

    The number is in the first column with such a name (`number`, `phone`, `mobile`, …), else in the first column. An
    XLSX file has no more than `CELLS_LIMIT` cells, whatever is allowed to CSV.
    """
    try:
        return _table_of(_read_records(content, rows_limit, cells_limit, octets_limit))
    except _DamagedTableError as damaged:
        return Refused(refusal=Refusal.TEMPLATE_INCOMPLETE, detail=f"the table: {damaged}")


def _read_records(content: bytes, rows_limit: int, cells_limit: int, octets_limit: int) -> Sequence[_Record]:
    if len(content) > octets_limit:
        raise _DamagedTableError(f"it is larger than {octets_limit // 1_000_000} MB")
    if content.startswith(_XLS_MAGIC):
        raise _DamagedTableError("this kind of Excel file (.xls) is not read; save it as .xlsx or CSV")
    if content.startswith(_XLSX_MAGIC):
        return _read_xlsx(content, rows_limit)
    return _read_csv(content, rows_limit, cells_limit)


def _table_of(records: Sequence[_Record]) -> Table:
    records = [(line, cells) for line, cells in records if any(cell.strip() for cell in cells)]
    if len(records) < 2:
        raise _DamagedTableError("it has no rows below the names of its columns")
    columns = _read_columns(*records[0])
    ragged = [line for line, cells in records[1:] if len(cells) != len(columns)]
    if ragged:
        lines = ", ".join(map(str, ragged[:_NAMED])) + (", …" if len(ragged) > _NAMED else "")
        raise _DamagedTableError(f"line {lines}: not {len(columns)} columns as in the first line")
    place = next((index for index, name in enumerate(columns) if name in NUMBER_COLUMNS), 0)
    rows = []
    for line, cells in records[1:]:
        values = {name: _clean(cell) for name, cell in zip(columns, cells, strict=True)}
        overlong = [name for name, value in values.items() if len(value) > VALUE_LIMIT]
        if overlong:
            raise _DamagedTableError(f"line {line}, {overlong[0]}: longer than {VALUE_LIMIT} characters")
        rows.append(TableRow(line=line, number=values[columns[place]].removeprefix("'"), values=values))
    return Table(columns=columns, rows=tuple(rows))


def _read_columns(line: int, cells: Sequence[str]) -> tuple[str, ...]:
    while cells and not cells[-1].strip():
        cells = cells[:-1]  # Excel writes as many delimiters as the widest row ever had
    if len(cells) > COLUMNS_LIMIT:
        raise _DamagedTableError(f"it has more than {COLUMNS_LIMIT} columns")
    for cell in cells:
        if _LOOKS_LIKE_NUMBER.fullmatch(cell.strip()):
            raise _DamagedTableError(f"line {line} holds a phone number where the names of the columns are expected")
    columns = tuple(map(canonical_column, cells))
    nameless = [index for index, name in enumerate(columns, start=1) if not name]
    if nameless:
        raise _DamagedTableError(f"line {line}, column {nameless[0]}: a name of letters, digits and blanks is expected")
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise _DamagedTableError(f"line {line}: the column {twice[0]} is there twice")
    return columns


def _clean(cell: str) -> str:
    if cell.isprintable():
        return cell.strip()
    return _CONTROLS.sub(" ", cell.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _read_csv(content: bytes, rows_limit: int, cells_limit: int) -> Sequence[_Record]:
    text = _decode(content)
    first, _, rest = text.partition("\n")
    line = 1
    told = ""
    if first.lower().startswith("sep=") and first[4:].strip("\r ") in _DELIMITERS:
        told, text, line = first[4], rest, 2
        first = rest.partition("\n")[0]
    delimiter, found = Counter({item: first.count(item) for item in _DELIMITERS}).most_common(1)[0]
    delimiter = told or (delimiter if found else ",")
    lines = _Lines(text, delimiter)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    records: list[_Record] = []
    before = count = 0
    try:
        for cells in reader:
            records.append((line + before, cells))
            before = reader.line_num
            lines.in_record = 0
            count += len(cells)
            if len(records) > rows_limit or count > cells_limit:
                raise _DamagedTableError(f"it has more than {rows_limit} rows or {cells_limit} cells")
    except csv.Error as error:
        raise _DamagedTableError(f"line {line + before}: {error}") from None
    return _with_one_width(records)


class _Lines:
    """The lines of a text with their ends; bounds the cells of a line and the lines of a record."""

    def __init__(self, text: str, delimiter: str) -> None:
        self._lines = _LINE.finditer(text)
        self._delimiter = delimiter
        self.in_record = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)[0]
        self.in_record += 1
        if self.in_record > _RECORD_LINES:
            raise csv.Error(f"a quote is not closed within {_RECORD_LINES} lines")
        if line.count(self._delimiter) > _WIDTH_LIMIT:
            raise _DamagedTableError(f"it has more than {COLUMNS_LIMIT} columns")
        return line


def _with_one_width(records: Sequence[_Record]) -> Sequence[_Record]:
    """Drop the empty cells behind the last named column in every row."""
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
    raise _DamagedTableError("it is neither text nor an Excel workbook (.xlsx)")


def _read_xlsx(content: bytes, rows_limit: int) -> Sequence[_Record]:
    _check_archive(content)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheet = workbook.get_sheet_by_index(0)
        height, width = sheet.total_height or 0, sheet.total_width or 0
        if height > rows_limit or width > _WIDTH_LIMIT or height * width > CELLS_LIMIT:
            raise _DamagedTableError(
                f"it has more than {rows_limit} rows, {COLUMNS_LIMIT} columns or {CELLS_LIMIT} cells"
            )
        rows = [(line, [_cell_text(cell) for cell in cells]) for line, cells in enumerate(sheet.iter_rows(), start=1)]
    except (CalamineError, OSError, ValueError, IndexError) as error:
        raise _DamagedTableError(f"the workbook cannot be read ({type(error).__name__})") from None
    return _with_one_width(rows)


def _check_archive(content: bytes) -> None:
    """Refuse an archive that unpacks to too much, or has a cell far from all others.

    calamine allocates every place from the first cell to the last, and ends the process if it cannot.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > _ENTRIES_LIMIT or sum(entry.file_size for entry in entries) > _UNPACKED_LIMIT:
                raise _DamagedTableError("the workbook is too large when it is unpacked")
            far = any(_reaches_far(_part(archive, entry)) for entry in entries)
    except (zipfile.BadZipFile, ValueError, OSError, RuntimeError, NotImplementedError, EOFError, zlib.error):
        raise _DamagedTableError("the workbook is damaged") from None
    if far:
        raise _DamagedTableError(f"it has more than {ROWS_LIMIT} rows, {COLUMNS_LIMIT} columns or {CELLS_LIMIT} cells")


def _part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return one file of an archive up to its declared length; reading without a length would unpack everything."""
    with archive.open(entry) as file:
        return file.read(entry.file_size)


def _reaches_far(part: bytes) -> bool:
    """Return whether a sheet spans too many places for a table; cells with only a style do not count."""
    if not _FAR_PLACE.search(part):
        return False
    height = max(map(int, _ROW_PLACE.findall(part)), default=0)
    width = max(map(_column_number, set(_COLUMN_PLACE.findall(part))), default=0)
    if height * width <= CELLS_LIMIT and len(_CELL_START.findall(part)) <= len(_COLUMN_PLACE.findall(part)):
        return False
    height = unplaced = 0
    columns: set[bytes] = set()
    for cell in _CELL.finditer(part):
        attributes = cell[1]
        if attributes.endswith(b"/"):
            continue
        places = _PLACE.findall(attributes)
        unplaced += not places
        for letters, digits in places:
            columns.add(letters)
            height = max(height, int(digits))
    width = max(unplaced, *map(_column_number, columns), 1)
    return height * width > CELLS_LIMIT


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _cell_text(cell: Any) -> str:
    """Return a cell as its author sees it: whole numbers without a fraction, dates as ISO 8601."""
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
