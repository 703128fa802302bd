"""A table is the same in CSV and in a workbook, and no cell of it is calculated."""

import csv
import io
import tracemalloc
from datetime import UTC, datetime
from zipfile import ZipFile

import pytest

from addressbook.sheets import SheetLimits, read_workbook
from reports import tables
from reports.tables import TableForm, write_table

HEADS = ("when", "text", "parts", "flash", "end")
AT = datetime(2026, 7, 1, 22, 30, 5, 400_000, tzinfo=UTC)
EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "'=1", "http://example.com/x", "mailto:a@example.com"]


def whole(form, rows, zone="UTC"):
    return b"".join(write_table(form, HEADS, rows, zone))


def csv_of(content):
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_instants_are_in_the_zone_and_what_is_not_there_is_empty():
    rows = [(AT, "Grüße", 2, True, None)]
    assert csv_of(whole(TableForm.CSV, rows, "Europe/Berlin")) == [
        list(HEADS),
        ["2026-07-02 00:30:05", "Grüße", "2", "yes", ""],
    ]


@pytest.mark.parametrize("evil", EVIL)
def test_no_cell_of_a_workbook_is_a_formula_or_a_link(evil):
    content = whole(TableForm.XLSX, [(AT, evil, 1, False, None)])
    with ZipFile(io.BytesIO(content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet
        assert "hyperlink" not in sheet
        assert not [name for name in book.namelist() if "rels" in name and "sheet1" in name]


@pytest.mark.parametrize("evil", EVIL[:-2])
def test_no_cell_of_csv_begins_like_a_formula(evil):
    ((_, text, *_),) = csv_of(whole(TableForm.CSV, [(AT, evil, 1, False, None)]))[1:]
    assert text == f"'{evil}"


@pytest.mark.parametrize("before", [" ", "\n", "\r", "\t", "\u00a0", "\u3000", "\ufeff", "\x00", " \u200b"])
def test_what_some_spreadsheets_skip_hides_no_formula(before):
    ((_, text, *_),) = csv_of(whole(TableForm.CSV, [(AT, f"{before}=1+1", 1, False, None)]))[1:]
    assert text == f"'{before}=1+1"


@pytest.mark.parametrize("text", ["a = b", "1-2", " blank", "", "00123", "\u200bword"])
def test_what_no_spreadsheet_calculates_stays_as_it_is(text):
    ((_, written, *_),) = csv_of(whole(TableForm.CSV, [(AT, text, 1, False, None)]))[1:]
    assert written == text


def test_a_workbook_says_what_the_csv_says():
    rows = [(AT, f"text {number}", number, number % 2 == 0, None) for number in range(1200)]
    read = read_workbook(whole(TableForm.XLSX, rows), SheetLimits())
    assert [tuple(cells[1:4]) for _, cells in read] == [tuple(row[1:4]) for row in csv_of(whole(TableForm.CSV, rows))]


def test_rows_that_a_sheet_has_no_room_for_stand_on_the_next_one(monkeypatch):
    monkeypatch.setattr(tables, "_SHEET", 2)
    content = whole(TableForm.XLSX, [(AT, f"row-{number}", 1, False, None) for number in range(4)])
    with ZipFile(io.BytesIO(content)) as book:
        sheets = sorted(name for name in book.namelist() if name.startswith("xl/worksheets/sheet"))
        assert len(sheets) == 2
        assert [f"row-{number}" in book.read(sheets[1]).decode() for number in range(4)] == [False, False, True, True]


@pytest.mark.parametrize("form", TableForm)
def test_an_empty_table_has_its_heads(form):
    assert whole(form, [])


@pytest.mark.parametrize("form", TableForm)
def test_the_memory_that_a_table_takes_does_not_grow_with_its_rows(form):
    def peak(rows):
        tracemalloc.start()
        for _ in write_table(form, HEADS, ((AT, f"text {n}" * 10, n, True, None) for n in range(rows))):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(20_000) < 2 * peak(2_000)
