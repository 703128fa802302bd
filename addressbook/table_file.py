"""A table of recipients: CSV or XLSX → rows of values by column, or what is wrong with it.

Strict, since each row costs money: a damaged or ragged file gives no rows at all. Not here: the rows of a file
(sheets), checking the numbers.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from types import MappingProxyType
from typing import Final

from addressbook.changes import ChangeFaultCode, DamagedFileError
from addressbook.sheets import (
    Record,
    SheetLimits,
    decode_text,
    find_delimiter,
    is_workbook,
    read_csv,
    read_workbook,
    with_one_width,
)
from sms.outcome import Refusal, Refused
from sms.personalise import COLUMNS_LIMIT, NUMBER_COLUMNS, VALUE_LIMIT, Table, TableRow, canonical_column
from sms.typed_numbers import clean_number

FILE_LIMIT: Final = 5_000_000
ROWS_LIMIT: Final = 100_000
MAIL_ROWS_LIMIT: Final = 50_000
"""A table from a mail is read within a second and 64 MB; an operator's own list may be longer."""
CELLS_LIMIT: Final = 200_000
_UNPACKED_LIMIT: Final = 8_000_000
_CSV_TYPES: Final = frozenset({"text/csv", "text/comma-separated-values", "text/tab-separated-values"})
_XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CONTROLS: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]+")
_LOOKS_LIKE_NUMBER: Final = re.compile(r"[+0-9][0-9 ()./-]{5,}")
_SIGNS: Final = re.compile(r"[^\w\s-]+")
_NAMED: Final = 10
_NO_TEXT: Final = "it is neither text nor an Excel workbook (.xlsx)"
_WORDS: Final[Mapping[object, str]] = MappingProxyType(
    {
        ChangeFaultCode.NUL_CHARACTERS: _NO_TEXT,
        ChangeFaultCode.NOT_TEXT: _NO_TEXT,
        ChangeFaultCode.MIXED_ENCODINGS: "its lines have different encodings; save it as UTF-8",
        ChangeFaultCode.NOT_CSV: "{cause}",
        ChangeFaultCode.OLD_WORKBOOK: "this kind of Excel file (.xls) is not read; save it as .xlsx or CSV",
        ChangeFaultCode.WORKBOOK_DAMAGED: "the workbook is damaged ({cause})",
        ChangeFaultCode.WORKBOOK_TOO_LARGE: "the workbook is too large when it is unpacked",
        ChangeFaultCode.TOO_LARGE: "it has more than {rows} rows, {columns} columns or {cells} cells",
    }
)
"""What `sheets` finds, for the author of a mail."""


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


def _read_records(content: bytes, rows_limit: int, cells_limit: int, octets_limit: int) -> Sequence[Record]:
    if len(content) > octets_limit:
        raise _DamagedTableError(f"it is larger than {octets_limit // 1_000_000} MB")
    limits = SheetLimits(
        rows=rows_limit,
        columns=COLUMNS_LIMIT,
        cells=cells_limit,
        workbook_cells=CELLS_LIMIT,
        unpacked=_UNPACKED_LIMIT,
    )
    try:
        if is_workbook(content):
            return with_one_width(read_workbook(content, limits))
        delimiter, _, text, line = find_delimiter(decode_text(content, "cp1252"))
        return with_one_width(read_csv(text, delimiter, line, limits))
    except DamagedFileError as damaged:
        place = f"line {damaged.fault.place}: " if damaged.fault.place else ""
        raise _DamagedTableError(place + _WORDS[damaged.fault.code].format(**damaged.fault.facts)) from None


def _table_of(records: Sequence[Record]) -> Table:
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
        rows.append(TableRow(line=line, number=clean_number(values[columns[place]]), values=values))
    return Table(columns=columns, rows=tuple(rows))


def _read_columns(line: int, cells: Sequence[str]) -> tuple[str, ...]:
    while cells and not cells[-1].strip():
        cells = cells[:-1]  # Excel writes as many delimiters as the widest row ever had
    if len(cells) > COLUMNS_LIMIT:
        raise _DamagedTableError(f"it has more than {COLUMNS_LIMIT} columns")
    for cell in cells:
        if _LOOKS_LIKE_NUMBER.fullmatch(cell.strip()):
            raise _DamagedTableError(f"line {line} holds a phone number where the names of the columns are expected")
    columns = tuple(canonical_column(_SIGNS.sub(" ", cell)) for cell in cells)  # Tel., Handy-Nr., PLZ/Ort
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
