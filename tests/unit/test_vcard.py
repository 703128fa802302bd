"""dirsync.vcard: address books as vCards of every version, and what is wrong with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addressbook.exchange import FileFormat, UserFile
from addressbook.sources import FileForm
from cli.words import file_fault_sentence
from dirsync.vcard import read_vcard_file

OUTLOOK = (
    "BEGIN:VCARD\r\nVERSION:2.1\r\nN;LANGUAGE=de;CHARSET=Windows-1252;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6rg\r\n"
    "FN;CHARSET=Windows-1252;ENCODING=QUOTED-PRINTABLE:J=F6rg=\r\n M=FCller\r\nORG:Example\r\n"
    "TEL;WORK;VOICE:+44 20 7946 0018\r\nTEL;CELL;VOICE:+44 7700 900123\r\n"
    "ADR;WORK;PREF;ENCODING=QUOTED-PRINTABLE:;;1 High Street=0D=0A=\r\nSecond floor;London\r\n"
    "EMAIL;PREF;INTERNET:Joerg@Example.com\r\nPHOTO;ENCODING=BASE64;TYPE=JPEG:\r\n /9j/4AAQSkZJRgABAQEA\r\n\r\n"
    "REV:20261129T120000Z\r\nEND:VCARD\r\n"
)
CONTACTS = (
    "BEGIN:VCARD\nVERSION:3.0\nPRODID:-//Apple Inc.//iOS 17//EN\nN:Keller;Anna;;;\nFN:Anna Keller\\, Dr.\n"
    "item1.EMAIL;type=INTERNET;type=HOME:private@example.org\nEMAIL;type=INTERNET,WORK;type=pref:anna@exam\n ple.com\n"
    "TEL;type=WORK;type=VOICE:02079460018\nTEL;type=CELL;type=VOICE;type=pref:07700 900123\nTEL;type=IPHONE:07700900124\n"
    'X-NOTE;X-P="a;b:c":d\nUID:0A1B\nEND:VCARD\n'
)
MODERN = (
    "BEGIN:VCARD\nVERSION:4.0\nFN:Bert\nUID:urn:uuid:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6\n"
    "EMAIL;PREF=2:other@example.com\nEMAIL;PREF=1:bert@example.com\n"
    'TEL;VALUE=uri;PREF=1;TYPE="voice,work":tel:+44-20-7946-0018\nTEL;VALUE=uri;TYPE="cell,text":tel:+44-7700-900125\n'
    "END:VCARD\n"
)
GROUP = (
    "BEGIN:VCARD\nVERSION:4.0\nKIND:group\nFN:Night crew\nUID:urn:uuid:1\n"
    "MEMBER:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6\nMEMBER:mailto:Anna@example.com\nMEMBER:tel:+447700900199\n"
    "MEMBER:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6\nEND:VCARD\n"
)


def read(text: str | bytes, country: str = "GB", **declared: str) -> UserFile:
    content = text if isinstance(text, bytes) else text.encode()
    return read_vcard_file(content, FileFormat(form=FileForm.VCARD, country=country, **declared), "book.vcf")


def faults(book: UserFile) -> list[str]:
    return [file_fault_sentence(fault) for fault in book.faults]


@pytest.mark.parametrize(
    ("text", "address", "name", "phone", "anchor"),
    [
        (OUTLOOK, "joerg@example.com", "Jörg Müller", "447700900123", ""),
        (CONTACTS, "anna@example.com", "Anna Keller, Dr.", "447700900123", "0a1b"),
        (MODERN, "bert@example.com", "Bert", "447700900125", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
    ],
)
def test_a_card_of_every_version_is_a_user(text: str, address: str, name: str, phone: str, anchor: str) -> None:
    book = read(text)
    (row,) = book.rows
    assert (row.place, row.address, row.name, row.phone, row.anchor) == (1, address, name, phone, anchor)
    assert (row.cells, row.profile, row.active, book.faults) == ({}, None, None, ())


def card(*lines: str) -> str:
    return "\n".join(["BEGIN:VCARD", "VERSION:3.0", "EMAIL:anna@example.com", *lines, "END:VCARD", ""])


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (("N:Keller;Anna",), "Anna Keller"),
        (("ORG:Example\\; Sons;Sales",), "Example; Sons"),
        (("N:Keller;Anna", "ORG:Example", "FN:The boss"), "The boss"),
        (("FN:two\\nlines",), "two lines"),
        ((), ""),
    ],
)
def test_a_name_is_taken_from_what_the_card_has(lines: tuple[str, ...], name: str) -> None:
    assert read(card(*lines)).rows[0].name == name


@pytest.mark.parametrize(
    ("lines", "phone"),
    [
        (("TEL:+447700900123",), "447700900123"),
        (("TEL:+447700900123", "TEL:+447700900124"), ""),
        (("TEL;TYPE=work:+442079460018",), ""),
        (("TEL;TYPE=home,cell:+447700900124", "TEL;TYPE=cell;TYPE=pref:+447700900123"), "447700900123"),
        ((), ""),
    ],
)
def test_the_number_of_a_handset_is_chosen_and_never_guessed(lines: tuple[str, ...], phone: str) -> None:
    assert read(card(*lines)).rows[0].phone == phone


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("TEL;TYPE=cell:07700 900123 x12", "line 1, TEL: '07700 900123 x12' is no number of a handset"),
        ("TEL;TYPE=cell:tel:+442079460018;ext=12", "extension or parameters"),
        ("TEL;TYPE=cell:+34912345678", "fixed line"),
    ],
)
def test_a_number_that_cannot_be_read_is_a_fault_of_its_card(line: str, told: str) -> None:
    book = read(card(line))
    assert told in faults(book)[0]
    assert book.rows[0].phone is None


def test_a_group_is_a_list_of_its_members_with_a_number() -> None:
    book = read(GROUP + MODERN + CONTACTS)
    (crew,) = book.lists
    assert crew.name == "Night-crew"
    assert [(member.number, member.values["name"]) for member in crew.members] == [
        ("447700900125", "Bert"),
        ("447700900123", "Anna Keller, Dr."),
        ("447700900199", ""),
    ]
    assert [row.address for row in book.rows] == ["bert@example.com", "anna@example.com"]


def test_a_group_of_the_time_before_version_4_is_one() -> None:
    group = (
        "BEGIN:VCARD\nVERSION:3.0\nFN:crew\nX-ADDRESSBOOKSERVER-KIND:group\n"
        "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:0a1b\nEND:VCARD\n"
    )
    (crew,) = read(CONTACTS + group).lists
    assert [member.number for member in crew.members] == ["447700900123"]


def test_a_group_with_a_member_that_nobody_knows_changes_no_list() -> None:
    book = read(GROUP)
    assert book.lists == ()
    assert faults(book)[0] == (
        "line 1, MEMBER: the member 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6' has no card in the file"
    )


def test_each_group_with_a_member_whose_number_is_at_fault_stays_as_it_was() -> None:
    group = "BEGIN:VCARD\nVERSION:4.0\nKIND:group\nFN:crew\nMEMBER:mailto:bert@example.com\nEND:VCARD\n"
    book = read(MODERN.replace("7700-900125", "12") + group + group.replace("crew", "night"))
    assert book.lists == ()
    assert [(fault.place, fault.column) for fault in book.faults] == [(1, "TEL")]


def test_a_group_whose_name_no_address_can_have_is_a_fault() -> None:
    book = read("BEGIN:VCARD\nVERSION:4.0\nKIND:group\nFN:Crew & Co\nEND:VCARD\n")
    assert "'Crew & Co' cannot be a list's name" in faults(book)[0]


def test_a_member_without_an_address_is_no_user_and_a_person_without_one_is_a_fault() -> None:
    nameless = "BEGIN:VCARD\nVERSION:4.0\nFN:Carl\nUID:c\nTEL;TYPE=cell:+447700900126\nEND:VCARD\n"
    group = "BEGIN:VCARD\nVERSION:4.0\nKIND:group\nFN:crew\nMEMBER:c\nEND:VCARD\n"
    book = read(nameless + group)
    assert (book.rows, book.faults) == ((), ())
    assert [member.number for member in book.lists[0].members] == ["447700900126"]
    assert faults(read(nameless)) == ["line 1, e-mail: '' is not a mail address"]


def test_places_and_devices_are_no_people() -> None:
    assert read(card("KIND:location")).rows == ()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty"),
        (MODERN[:-12], "line 1: what begins here has no END:VCARD, so the file may be cut"),
        (MODERN + "BEGIN:VCARD\nBEGIN:VCARD\n", "line 10: what begins here has no END:VCARD"),
        ("name,e-mail\nAnna,anna@example.com\n", "line 1: 'name,e-mail' is nothing of a vCard"),
        (MODERN + "FN:lost\n", "line 10: 'FN:lost' is nothing of a vCard"),
        (MODERN.replace("4.0", "5.0"), "line 1: '5.0' is no known version"),
        (MODERN.replace("Bert", "Bert\0"), "NUL characters"),
        (MODERN.encode() + card("FN:J\xf6rg").encode("cp1252") + card("FN:J\xf6rg").encode(), "some cp1252"),
        (OUTLOOK.replace("Windows-1252", "klingon"), "it is not text in klingon, in lines 3"),
        (card("FN;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:=FF"), "not text in utf-8"),
    ],
)
def test_a_damaged_file_of_cards_gives_nobody(content: str | bytes, told: str) -> None:
    book = read(content)
    assert book.damaged
    assert (book.rows, book.lists) == ((), ())
    assert told in faults(book)[0]


def test_an_end_marker_proves_a_file_of_cards_whole() -> None:
    assert len(read(MODERN + "#END\r\n", end_marker="#END").rows) == 1
    assert read(MODERN, end_marker="#END").damaged


def test_two_cards_of_one_address_both_lose_it() -> None:
    assert faults(read(card() + card())) == [
        "line 1, e-mail: anna@example.com stands in 2 rows",
        "line 5, e-mail: anna@example.com stands in 2 rows",
    ]


@given(st.binary(max_size=300))
def test_any_bytes_give_an_answer(content: bytes) -> None:
    assert isinstance(read(content), UserFile)


@given(st.lists(st.sampled_from(OUTLOOK.split("\r\n") + MODERN.split("\n") + GROUP.split("\n")), max_size=20))
def test_lines_in_any_order_give_an_answer(lines: list[str]) -> None:
    book = read("\n".join(lines))
    assert not book.damaged or not book.rows
