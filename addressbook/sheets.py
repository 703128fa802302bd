"""The rows of a file as its author sees them: CSV or a workbook (XLSX) → records of texts, without blank ones.

The only user of python-calamine. Hostile files are read in a child process (mta.reading.confined_reader) or in one of
the directory's own. Not here: what a record means (exchange: a user; table_file: a recipient). Standard: RFC 4180.
"""

import csv
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final

from python_calamine import CalamineError, CalamineWorkbook

from addressbook.changes import ChangeFaultCode, DamagedFileError

Record = tuple[int, Sequence[str]]
"""The line or row at which a record begins, from 1, and its cells."""

DELIMITERS: Final = (",", ";", "\t", "|")
MOST_LINES_NAMED: Final = 20
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_XLSX_MAGIC: Final = b"PK\x03\x04"
_XLS_MAGIC: Final = b"\xd0\xcf\x11\xe0"
_RECORD_LINES: Final = 1_000
_ENTRIES_LIMIT: Final = 500
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_FAR_PLACE: Final = re.compile(rb"""\br\s*=\s*["'](?:[A-Za-z]{2}|[A-Za-z]?[0-9]{5})""")
_CELL: Final = re.compile(rb"""<(?:\w{1,20}:)?(?:c|row)(?=[\s/>])((?:[^<>"']|"[^"<]*"|'[^'<]*')*+)>""")
_CELL_START: Final = re.compile(rb"<(?:\w{1,20}:)?c[\s>/]")
_ROW_PLACE: Final = re.compile(rb"""\br\s*=\s*["'][A-Za-z]{0,20}([0-9]{1,20})""")
_COLUMN_PLACE: Final = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{1,20})[0-9]""")
_PLACE: Final = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,20})([0-9]{1,20})""")


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetLimits:
    """How much is read of a file. `unpacked` is in octets; CSV may have more cells than a workbook, which is costly."""

    rows: int = 1_000_000
    columns: int = 100
    cells: int = 20_000_000
    workbook_cells: int = 4_000_000
    unpacked: int = 250_000_000

    def exceeded(self, cells: int) -> DamagedFileError:
        """Return the fault of a file that has more."""
        return DamagedFileError(ChangeFaultCode.TOO_LARGE, rows=self.rows, columns=self.columns, cells=cells)


def is_workbook(content: bytes) -> bool:
    """Return whether this is a workbook; raises DamagedFileError for the older kind, which nobody reads here."""
    if content.startswith(_XLS_MAGIC):
        raise DamagedFileError(ChangeFaultCode.OLD_WORKBOOK)
    return content.startswith(_XLSX_MAGIC)


def decode_text(content: bytes, fallback: str) -> str:
    """Return the text: by its byte order mark, else strictly UTF-8, else entirely in the fallback, empty for none.

    A file of which some lines can only be UTF-8 and some are not is in no encoding. Raises DamagedFileError.
    """
    marked = next(((mark, encoding) for mark, encoding in _MARKS if content.startswith(mark)), None)
    tried: tuple[str, ...] = ("utf-8", fallback) if fallback else ("utf-8",)
    if marked is not None:
        content, tried = content[len(marked[0]) :], (marked[1],)
    for encoding in tried:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == fallback and encoding != tried[0]:
            _refuse_mixture(content, fallback)
        if "\0" in text:
            raise DamagedFileError(
                ChangeFaultCode.NUL_CHARACTERS, lines=_numbers(text.split("\n"), lambda line: "\0" in line)
            )
        return text
    lines = content.split(b"\n") if marked is None else []
    strange = _numbers(lines, lambda line: not any(_is_text(line, encoding) for encoding in tried))
    raise DamagedFileError(ChangeFaultCode.NOT_TEXT, encodings=tried, lines=strange)


def _refuse_mixture(content: bytes, fallback: str) -> None:
    if len(bytes(range(256)).decode(fallback, "replace")) < 256:
        return  # two octets of Chinese or Japanese look like UTF-8 by chance, two letters of others do not
    lines = content.split(b"\n")
    if any(not line.isascii() and _is_text(line, "utf-8") for line in lines):
        others = _numbers(lines, lambda line: not _is_text(line, "utf-8"))
        raise DamagedFileError(ChangeFaultCode.MIXED_ENCODINGS, encoding=fallback, lines=others)


def _is_text(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _numbers(lines: Sequence[Any], wanted: Callable[[Any], bool]) -> tuple[int, ...]:
    """Return the numbers of the lines that are wanted: of the first ones, and one more to tell that there are more."""
    found = (number for number, line in enumerate(lines, start=1) if wanted(line))
    return tuple(number for number, _ in zip(found, range(MOST_LINES_NAMED + 1), strict=False))


def find_delimiter(text: str) -> tuple[str, bool, str, int]:
    """Return the delimiter, whether a `sep=` line of Excel tells it, the text after that line, and where that begins.

    Otherwise the delimiter is the most frequent one of the first line.
    """
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and first[4:].strip("\r\n ") in DELIMITERS:
        return first[4], True, rest, 2
    delimiter, found = Counter({item: first.count(item) for item in DELIMITERS}).most_common(1)[0]
    return (delimiter if found else ","), False, text, 1


def read_csv(text: str, delimiter: str, first_line: int, limits: SheetLimits) -> list[Record]:
    """Return the records of a text that begins at a line; raises DamagedFileError."""
    lines = _Lines(text, delimiter, limits)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    records: list[Record] = []
    before = count = 0
    try:
        for rows, cells in enumerate(reader, start=1):
            if any(map(str.strip, cells)):
                records.append((first_line + before, cells))
            before = reader.line_num
            lines.in_record = 0
            count += len(cells)
            if rows > limits.rows or count > limits.cells:
                raise limits.exceeded(limits.cells)
    except csv.Error as error:
        raise DamagedFileError(ChangeFaultCode.NOT_CSV, first_line + before, cause=str(error)) from None
    return records


class _Lines:
    """The lines of a text with their ends; bounds the cells of a line and the lines of a record."""

    def __init__(self, text: str, delimiter: str, limits: SheetLimits) -> None:
        self._lines = _LINE.finditer(text)
        self._delimiter = delimiter
        self._limits = limits
        self.in_record = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)[0]
        self.in_record += 1
        if self.in_record > _RECORD_LINES:
            raise csv.Error(f"a quote is not closed within {_RECORD_LINES} lines")
        if line.count(self._delimiter) > 4 * self._limits.columns:
            raise self._limits.exceeded(self._limits.cells)
        return line


def with_one_width(records: Sequence[Record]) -> Sequence[Record]:
    """Drop the empty cells behind the last named column, which Excel writes as far as the widest row ever went."""
    if not records:
        return records
    width = len("\0".join(records[0][1]).rstrip(" \0").split("\0"))
    return [(line, cells[:width] if not any(map(str.strip, cells[width:])) else cells) for line, cells in records]


def read_workbook(content: bytes, limits: SheetLimits) -> list[Record]:
    """Return the rows of the first sheet; raises DamagedFileError, for one that unpacks to too much before it does."""
    _check_archive(content, limits)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheet = workbook.get_sheet_by_index(0)
        height, width = sheet.total_height or 0, sheet.total_width or 0
        if height > limits.rows or width > 4 * limits.columns or height * width > limits.workbook_cells:
            raise limits.exceeded(limits.workbook_cells)
        rows = [[_cell_text(cell) for cell in cells] for cells in sheet.iter_rows()]
    except (CalamineError, OSError, ValueError, IndexError) as error:
        raise DamagedFileError(ChangeFaultCode.WORKBOOK_DAMAGED, cause=type(error).__name__) from None
    return [(line, cells) for line, cells in enumerate(rows, start=1) if any(map(str.strip, cells))]


def _check_archive(content: bytes, limits: SheetLimits) -> None:
    """Refuse an archive that unpacks to too much, or has a cell far from all others.

    calamine allocates every place from the first cell to the last, and ends the process if it cannot.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > _ENTRIES_LIMIT or sum(entry.file_size for entry in entries) > limits.unpacked:
                raise DamagedFileError(ChangeFaultCode.WORKBOOK_TOO_LARGE, megabytes=limits.unpacked // 1_000_000)
            far = any(_reaches_far(_part(archive, entry), limits.workbook_cells) for entry in entries)
    except (
        zipfile.BadZipFile,
        ValueError,
        OSError,
        RuntimeError,
        NotImplementedError,
        EOFError,
        zlib.error,
    ) as error:
        raise DamagedFileError(ChangeFaultCode.WORKBOOK_DAMAGED, cause=type(error).__name__) from None
    if far:
        raise limits.exceeded(limits.workbook_cells)


def _part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return one file of an archive up to its declared length; reading without a length would unpack everything."""
    with archive.open(entry) as file:
        return file.read(entry.file_size)


def _reaches_far(part: bytes, most: int) -> bool:
    """Return whether a sheet spans too many places for a table; cells with only a style do not count."""
    if not _FAR_PLACE.search(part):
        return False
    height = max(map(int, _ROW_PLACE.findall(part)), default=0)
    width = max(map(_column_number, set(_COLUMN_PLACE.findall(part))), default=0)
    if height * width <= most and len(_CELL_START.findall(part)) <= len(_COLUMN_PLACE.findall(part)):
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
    return height * width > most


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
