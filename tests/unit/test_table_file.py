"""Tables of recipients: every way in which Excel writes them, and that a damaged one gives nothing."""

import io
import zipfile
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addressbook.table_file import is_table_file, read_table
from sms.outcome import Refusal, Refused
from sms.personalise import Table

ROWS = [{"number": "+447700900101", "name": "Zoë"}, {"number": "+447700900102", "name": "Bob"}]


def xlsx(rows, *, sheet_extra: bytes = b"") -> bytes:
    """Return a workbook as Excel writes it, reduced to what is needed: texts inline, numbers as numbers."""

    def cell(column, line, value):
        place = f"{chr(65 + column)}{line}"
        if isinstance(value, float | int):
            return f'<c r="{place}"><v>{value}</v></c>'
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'

    lines = "".join(
        f'<row r="{line}">' + "".join(cell(i, line, value) for i, value in enumerate(row)) + "</row>"
        for line, row in enumerate(rows, start=1)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>',
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content.encode() + (sheet_extra if "sheet1" in name else b""))
    return packed.getvalue()


def read(content: bytes) -> Table:
    table = read_table(content)
    assert isinstance(table, Table), table
    return table


def why(content: bytes) -> str:
    table = read_table(content)
    assert isinstance(table, Refused)
    assert table.refusal is Refusal.TEMPLATE_INCOMPLETE
    return table.detail


PLAIN = "number,name\r\n+447700900101,Zoë\r\n+447700900102,Bob\r\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("cp1252"),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode("utf-16"),
        ("sep=|\r\n" + PLAIN.replace(",", "|")).encode(),
        PLAIN.replace("\r\n", "\n").encode(),
        PLAIN.replace("+447700900101", "'+447700900101").encode(),
        PLAIN.replace("\r\n", ",,\r\n").encode(),
        PLAIN.replace("Zoë", '"Zoë"').encode() + b"\r\n,\r\n",
        xlsx([["number", "name"], ["+447700900101", "Zoë"], ["+447700900102", "Bob"]]),
    ],
)
def test_every_usual_way_to_write_a_table_is_read(content):
    table = read(content)
    assert table.columns == ("number", "name")
    assert [row.number for row in table.rows] == [row["number"] for row in ROWS]
    assert [row.values["name"] for row in table.rows] == [row["name"] for row in ROWS]


@pytest.mark.parametrize(
    ("header", "number"),
    [("Name,Handynummer", "b"), ("Mobile Phone,Name", "a"), ("a,b", "a"), ("Teléfono,x", "a"), ("x,Téléphone", "b")],
)
def test_the_number_is_in_the_column_that_says_so_else_in_the_first(header, number):
    assert read(f"{header}\na,b\n".encode()).rows[0].number == number


def test_lines_are_those_of_the_file_and_empty_ones_are_left_out():
    table = read(b'number,note\n1,"two\nlines"\n\n2,b\n,\n3,c\n')
    assert [(row.line, row.number) for row in table.rows] == [(2, "1"), (5, "2"), (7, "3")]
    assert table.rows[0].values["note"] == "two\nlines"


def test_numbers_of_a_workbook_lose_their_fraction_and_nothing_else():
    table = read(xlsx([["phone", "amount"], [447700900101.0, 12.5], [447700900102, 3]]))
    assert [(row.number, row.values["amount"]) for row in table.rows] == [
        ("447700900101", "12.5"),
        ("447700900102", "3"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no rows"),
        (b"number,name\n", "no rows"),
        (b"+447700900101,Anna\n+447700900102,Bob\n", "line 1 holds a phone number"),
        (b"number,number\n1,2\n", "twice"),
        (b"number,Number \n1,2\n", "twice"),
        (b"number,,name\n1,2,3\n", "column 2"),
        (b"number,?!\n1,2\n", "column 2"),
        (b"number,name\n1,2\n1,2,3\n4\n", "line 3, 4: not 2 columns"),
        (b'number,name\n1,"never closed\n2,b\n', "line 2"),
        (b'number,name\n1,"a"b\n', "line 2"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1old", ".xls"),
        (b"PK\x03\x04 no archive", "damaged"),
        (b"number\n1\0\n", "neither text nor"),
        (b"number\n" + b"1" * 2_001 + b"\n", "longer than"),
        (b"\n" + b"a\n" * 100_002, "more than 100000 rows"),
        (b"a,b,c\n" * 70_000, "200000 cells"),
        (b"number," + b"a," * 1_000, "100 columns"),
        (b'number,name\n1,"' + b"x\n" * 2_000, "a quote is not closed"),
        (b"number\n" + b"1" * 5_000_000, "larger than 5 MB"),
        ((",".join(f"c{n}" for n in range(101)) + "\n1\n").encode(), "100 columns"),
    ],
)
def test_a_table_that_cannot_be_trusted_gives_nothing(content, said):
    assert said in why(content)


def test_a_workbook_that_unpacks_without_bound_is_refused_before_it_is_unpacked():
    bomb = xlsx([["number"], ["1"]], sheet_extra=b" " * 120_000_000)
    assert len(bomb) < 200_000
    assert "too large when it is unpacked" in why(bomb)


def test_a_workbook_that_lies_about_its_size_is_damaged():
    whole = bytearray(xlsx([["number"], ["1"]], sheet_extra=b" " * 60_000_000))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        place = archive.getinfo("xl/worksheets/sheet1.xml").header_offset
    told = whole.rindex(b"xl/worksheets/sheet1.xml") - 46
    whole[place + 22 : place + 26] = whole[told + 24 : told + 28] = (1_000).to_bytes(4, "little")
    assert "damaged" in why(bytes(whole))


def far_cell(cells: str) -> bytes:
    """Return a workbook with these cells beside the usual ones."""
    usual = xlsx([["number", "name"], ["1", "Anna"]])
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(usual)) as source, zipfile.ZipFile(out, "w") as target:
        for item in source.infolist():
            content = source.read(item).replace(b"</sheetData>", cells.encode() + b"</sheetData>")
            target.writestr(item.filename, content)
    return out.getvalue()


@pytest.mark.parametrize(
    "cells",
    [
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        "<row r='99999'><c r = 'ZZ99999'><v>1</v></c></row>",
        '<row r="9"><c x="a>b" r="XFD9"><v>1</v></c></row><row r="99999"><c r="A99999"><v>1</v></c></row>',
        '<row r="9"><c x:r="A9" r="XFD9"><v>1</v></c></row><row r="99999"><c r="A99999"><v>1</v></c></row>',
        '<row r="9">' + "<c><v>1</v></c>" * 300 + '</row><row r="99999"><c r="A99999"><v>1</v></c></row>',
        '<row r="9"><c r="AAAAAAAAAAAAAAA9"><v>1</v></c></row>',
    ],
)
def test_a_cell_far_from_all_others_is_refused_before_room_is_made_for_all_between(cells):
    assert "more than 100000 rows" in why(far_cell(cells))


def test_a_far_cell_that_only_carries_a_style_is_no_harm():
    table = read(far_cell('<row r="1048576" ht="15"/>'))
    assert [row.number for row in table.rows] == ["1"]


@pytest.mark.parametrize(
    ("name", "media_type", "yes"),
    [
        ("list.csv", "application/vnd.ms-excel", True),
        ("LIST.XLSX", "application/octet-stream", True),
        ("", "text/csv", True),
        ("old.xls", "application/vnd.ms-excel", True),
        ("logo.png", "image/png", False),
        ("note.txt", "text/plain", False),
    ],
)
def test_a_table_is_known_by_its_name_or_type(name, media_type, yes):
    assert is_table_file(name, media_type) is yes


@given(st.binary(max_size=400))
def test_any_bytes_give_an_answer(content):
    assert isinstance(read_table(content), Table | Refused)


@given(st.binary(max_size=60), st.integers(0, 900))
def test_any_damage_to_a_workbook_gives_an_answer(damage, place):
    whole = xlsx([["number", "name"], ["1", "a"]])
    assert isinstance(read_table(whole[:place] + damage + whole[place + len(damage) :]), Table | Refused)
