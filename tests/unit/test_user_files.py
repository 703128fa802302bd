"""dirsync.files: a file of users in any form, and a file of a watched folder as the reading of a directory."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addressbook.changes import Reading
from addressbook.exchange import UserFile
from addressbook.source_options import read_options
from addressbook.sources import CustomerDirectory, FileForm, SourceKind
from cli.words import file_fault_sentence
from dirsync.files import form_of, read_folder_file, read_users
from dirsync.folder import FolderFile, RefusedFileError, series_of
from tests.unit.test_ldif import LDAPSEARCH, LDIFDE
from tests.unit.test_table_file import xlsx
from tests.unit.test_vcard import GROUP, MODERN, OUTLOOK

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
PLAIN = "e-mail,name,phone\nanna@example.com,Anna,+447700900123\nbert@example.com,Bert,\n"


def folder(**options: str) -> CustomerDirectory:
    made = read_options(
        SourceKind.FOLDER, {"folder": "/in"} | {key.replace("__", "."): options[key] for key in options}
    )
    assert isinstance(made, CustomerDirectory), made
    return made


def read(content: str | bytes, name: str = "users", **options: str) -> UserFile:
    given = content if isinstance(content, bytes) else content.encode()
    return read_users(given, folder(**options), name, name, now=NOW, country="GB")


def take(content: str | bytes, name: str = "users.csv", **options: str) -> Reading:
    given = content if isinstance(content, bytes) else content.encode()
    file = FolderFile(name=name, series=series_of(name), modified_at=NOW, content=given, cookie="{}")
    return read_folder_file(file, folder(**options), now=NOW, country="GB")


def refuse(content: str | bytes, name: str = "users.csv", **options: str) -> list[str]:
    with pytest.raises(RefusedFileError) as refused:
        take(content, name, **options)
    assert refused.value.name == name
    return [file_fault_sentence(fault) for fault in refused.value.faults]


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("users.csv", b"e-mail\n", FileForm.AUTO),
        ("users.xlsx", b"PK\x03\x04", FileForm.AUTO),
        ("users.csv", MODERN.encode(), FileForm.VCARD),
        ("book.vcf", OUTLOOK.encode("utf-16"), FileForm.VCARD),
        ("book.VCF", b"", FileForm.VCARD),
        ("dump", LDAPSEARCH.encode(), FileForm.LDIF),
        ("dump", LDIFDE.encode("utf-16"), FileForm.LDIF),
        ("dump", b"\xef\xbb\xbfdn:: dWlk\n", FileForm.LDIF),
        ("dump.ldif", b"", FileForm.LDIF),
        ("dn.csv", b"dn;e-mail\n", FileForm.AUTO),
        ("users", b"#" * 4_000 + b"\n" * 100_000, FileForm.AUTO),
    ],
)
def test_the_form_of_a_file_is_recognised_by_its_content_else_by_its_name(
    name: str, content: bytes, form: FileForm
) -> None:
    assert form_of(name, content) is form


@pytest.mark.parametrize(
    ("content", "phone"),
    [
        (PLAIN, "447700900123"),
        (PLAIN.replace(",", ";"), "447700900123"),
        (xlsx([["e-mail", "name", "phone"], ["anna@example.com", "Anna", 7700900123]]), "447700900123"),
        ("anna@example.com" + 14 * "," + "\n", None),
        (LDIFDE + "mobile: 07700 900123\ncn: Anna\n", "447700900123"),
        (MODERN.replace("bert@", "anna@"), "447700900125"),
    ],
)
def test_every_form_gives_the_same_users(content: str | bytes, phone: str | None) -> None:
    book = read(content)
    assert (book.damaged, book.faults) == (False, ())
    assert (book.rows[0].address, book.rows[0].phone) == ("anna@example.com", phone)


@pytest.mark.parametrize("form", ["headed", "15-columns", "xlsx", "ldif", "vcard"])
def test_a_file_of_another_form_than_was_declared_is_refused(form: str) -> None:
    samples = {"headed": PLAIN, "15-columns": "a@example.com" + 14 * ",", "ldif": LDIFDE, "vcard": MODERN}
    for other, content in samples.items():
        assert read(content, form=form).damaged is (form != other)


def test_an_entry_of_a_dump_is_mapped_as_one_of_ldap() -> None:
    dump = LDIFDE + "departmentNumber: 4711\nemployeeStatus: off\nobjectClass: user\n"
    book = read(
        "dn: DC=example,DC=com\nobjectClass: domain\n\n" + dump,
        map__cost_centre="departmentNumber",
        map__active="employeeStatus",
    )
    (row,) = book.rows
    assert (row.place, row.anchor, row.active) == (4, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", False)
    assert row.cells == {"cost_centre": "4711"}
    assert book.origin(row, "cost_centre") == "file:users, line 4, departmentNumber"


def test_an_entry_that_cannot_be_read_is_a_fault_with_its_line_and_counts_as_there() -> None:
    dump = LDIFDE.replace("mail: anna@example.com", "mail: anna") + "objectClass: user\n"
    reading = take(dump + "\ndn: CN=Bert\nmail: bert@example.com\nmobile: x\n", "dump.ldif")
    assert [row.address for row in reading.changes] == ["bert@example.com"]
    assert [(fault.place, fault.column, fault.code.value) for fault in reading.faults] == [
        (1, "mail", "bad-address"),
        (7, "mobile", "bad-number"),
    ]
    assert reading.faulty == {"f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "bert@example.com"}


def test_a_dump_without_people_is_no_empty_directory() -> None:
    assert read("dn: DC=example,DC=com\nobjectClass: domain\n").damaged
    assert read("dn: CN=PC1\nobjectClass: user\nobjectClass: computer\n").damaged


def test_a_file_of_a_folder_is_a_complete_reading_unless_it_is_declared_otherwise() -> None:
    reading = take(PLAIN)
    assert (reading.complete, reading.source, reading.cookie) == (True, "users.csv 2026-11-29 12:00 UTC", "{}")
    assert [(row.address, row.anchor) for row in reading.changes] == [
        ("anna@example.com", "anna@example.com"),
        ("bert@example.com", "bert@example.com"),
    ]
    assert not take(PLAIN, complete="off").complete


def test_a_user_whose_rows_contradict_counts_as_there() -> None:
    reading = take(PLAIN + "ANNA@example.com,Anna,\n")
    assert [row.address for row in reading.changes] == ["bert@example.com"]
    assert reading.faulty == {"anna@example.com"}


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        (PLAIN, {"end_marker": "#END"}, "the last line is not '#END'"),
        (PLAIN + "carl@example.com\n", {}, "these lines have another number: 4"),
        (PLAIN.replace("Bert", '"Bert'), {}, "cannot be read as CSV"),
        (PLAIN.replace(",", ";"), {"delimiter": ","}, "unknown columns"),
        (PLAIN.replace("name", "nmae"), {}, "unknown columns: 'nmae'"),
        (PLAIN.replace("name", "phone"), {}, "columns given twice"),
        (PLAIN.replace("Bert", "B\0"), {}, "NUL characters and is no text, in lines 3"),
        (PLAIN.encode() + "jörg@example.com,J,\n".encode() + b"x@example.com,J\xf6rg,\n", {}, "in lines 5"),
        (b"", {}, "it is empty"),
    ],
)
def test_a_damaged_file_is_refused_whole(content: str | bytes, options: dict[str, str], told: str) -> None:
    (fault,) = refuse(content, **options)
    assert told in fault


LIST = {"form": "list", "authors": "anna@example.com, @example.org"}


def test_a_file_may_be_a_list_of_its_name() -> None:
    reading = take("number;name\n07700 900123;Anna\n+447700900124;Bert\n07700900123;Twice\n", "crew-7.csv", **LIST)
    (crew,) = reading.lists
    assert (reading.complete, reading.changes, crew.name) == (False, (), "crew")
    assert crew.authors == ("anna@example.com", "@example.org")
    assert [(member.number, member.values["name"]) for member in crew.members] == [
        ("447700900123", "Anna"),
        ("447700900124", "Bert"),
    ]


def test_a_list_may_be_a_workbook_and_have_an_end_marker() -> None:
    assert len(take(xlsx([["number"], ["+447700900123"]]), "crew.xlsx", **LIST).lists[0].members) == 1
    assert len(take("number\n+447700900123\n#END\n", "crew.csv", **LIST, end_marker="#END").lists[0].members) == 1


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        ("number\n12\n+447700900123\n0\n", "crew.csv", ["line 2: '12' is no number", "line 4: '0' is no number"]),
        ("number\n", "crew.csv", ["the table: it has no rows"]),
        ("number\n+447700900123\n", "night crew.csv", ["'night crew' cannot be a list's name"]),
    ],
)
def test_a_list_with_a_single_bad_row_is_refused_whole(content: str, name: str, told: list[str]) -> None:
    found = refuse(content, name, **LIST)
    assert len(found) == len(told)
    for sentence, part in zip(found, told, strict=True):
        assert part in sentence


def test_a_list_without_its_end_marker_is_cut() -> None:
    (fault,) = refuse("number\n+447700900123\n", "crew.csv", **LIST, end_marker="#END")
    assert "the last line is not '#END'" in fault


def test_the_groups_among_cards_are_lists_with_the_authors_of_the_folder() -> None:
    people = MODERN + MODERN.replace("F81D", "0A1B").replace("bert@", "anna@")
    (crew,) = take(GROUP + people, "book.vcf", authors="*").lists
    assert (crew.name, crew.authors, len(crew.members)) == ("Night-crew", ("*",), 2)


@given(st.binary(max_size=200), st.sampled_from([form.value for form in FileForm]))
def test_any_bytes_give_a_reading_or_a_refusal(content: bytes, form: str) -> None:
    try:
        reading = take(content, form=form)
    except RefusedFileError:
        return
    assert isinstance(reading, Reading)
