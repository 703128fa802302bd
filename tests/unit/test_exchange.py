"""addressbook.exchange and sync_plan: the address book file and what it changes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addressbook.changes import ADDRESS, Reading
from addressbook.exchange import (
    COLUMNS_15,
    HEADED_COLUMNS,
    ExportedUser,
    FileFormat,
    UserFile,
    read_user_file,
    write_user_file,
)
from addressbook.people import Profile
from addressbook.senders import DomainBar
from addressbook.sources import FileForm
from addressbook.sync_plan import SyncPlan, plan_sync
from addressbook.user_plan import PlannedUser, PlanRules, StoredUser, UserAction
from cli.words import file_fault_sentence
from sms.number import SenderId, SenderKind
from sms.settings import FIELDS, NONE, UNSET, TextSource, Unencodable, format_setting, parse_setting
from tests.unit.test_table_file import xlsx

HEADED = FileFormat()
HEADLESS = FileFormat(form=FileForm.FIFTEEN)
SHOP = SenderId(value="Shop", kind=SenderKind.ALPHANUMERIC)


def read(text: str, declared: FileFormat = HEADED) -> UserFile:
    return read_user_file(text.encode(), declared)


def faults(read_file: UserFile) -> list[str]:
    return [file_fault_sentence(fault) for fault in read_file.faults]


def test_the_headerless_file_of_15_columns_is_read() -> None:
    line = "Anna@Example.com,Shop,4711,DE,both,3,true,de,88001,true,false,true,html,true,Alarm"
    (row,) = read(line, HEADLESS).rows
    assert (row.place, row.address, row.profile, row.name, row.active) == (1, "anna@example.com", "Alarm", None, None)
    assert {name: format_setting(value) for name, value in row.cells.items()} == {
        "sender_id": "Shop",
        "cost_centre": "4711",
        "default_country": "DE",
        "text_source": "both",
        "max_parts": "3",
        "sender_prefix": "on",
        "language": "de",
        "unencodable": "simple",
        "flash": "off",
        "delivery_receipt": "on",
        "report_format": "html",
        "first_report": "off",
    }
    assert row.columns["sender_id"] == "sms-id"


def test_empty_cells_say_nothing_and_none_says_none() -> None:
    line = "anna@example.com,<none>,,,,,,,,,,,,,"
    (row,) = read(line, HEADLESS).rows
    assert row.cells.pop("sender_id") is NONE  # type: ignore[attr-defined]
    assert set(row.cells.values()) == {UNSET}
    assert row.profile == ""


@pytest.mark.parametrize(
    ("column", "cell", "field", "value"),
    [
        ("replace-with-spaces", "yes", "unencodable", Unencodable.SIMPLE),
        ("replace-with-spaces", "no", "unencodable", Unencodable.SMART),
        ("suppress-first-status-mail", "1", "first_report", False),
        ("suppress-first-status-mail", "0", "first_report", True),
        ("replace-with-spaces", "N", "unencodable", Unencodable.SMART),
        ("default-country-code", "49", "default_country", "DE"),
        ("default-country-code", "+44", "default_country", "GB"),
        ("default-country-code", "0034", "default_country", "ES"),
        ("default-country-code", "de", "default_country", "DE"),
        ("language", "DE", "language", "de"),
        ("sms-source", "SUBJECT", "text_source", TextSource.SUBJECT),
        ("Max_Parts", "5", "max_parts", 5),
        ("max parts", "5", "max_parts", 5),
        ("sms-id", "Shop", "sender_id", SHOP),
        ("sender-id", "Shop", "sender_id", SHOP),
    ],
)
def test_a_headed_file_may_use_either_name_of_a_setting(column: str, cell: str, field: str, value: object) -> None:
    (row,) = read(f"E-Mail,{column}\nanna@example.com,{cell}\n").rows
    assert row.cells == {field: value}


def test_a_headed_file_has_columns_in_any_order_and_absent_ones_are_unmanaged() -> None:
    (row,) = read("profile;name;e-mail;active\nAlarm;Anna  Keller;anna@example.com;off\n").rows
    assert (row.profile, row.name, row.active, dict(row.cells)) == ("Alarm", "Anna Keller", False, {})


def test_a_cell_that_cannot_be_read_is_a_fault_of_its_field_only() -> None:
    text = "e-mail,max-parts,language,active\nanna@example.com,99,de,perhaps\nbert@example.com,2,de,\n"
    user_file = read(text)
    assert not user_file.damaged
    anna, bert = user_file.rows
    assert "max_parts" not in anna.cells
    assert anna.cells["language"] == "de"
    assert anna.active is None
    assert bert.cells["max_parts"] == 2
    assert faults(user_file) == [
        "line 2, max-parts: '99' is not a number from 1 to 20",
        "line 2, active: 'perhaps' is not on or off",
    ]


def test_a_row_without_an_address_is_left_out_and_told() -> None:
    user_file = read("e-mail,language\nnobody,de\nanna@example.com,de\n")
    assert [row.address for row in user_file.rows] == ["anna@example.com"]
    assert faults(user_file) == ["line 2, e-mail: 'nobody' is not a mail address"]


def test_two_rows_that_claim_one_address_both_lose_it() -> None:
    user_file = read("e-mail\nanna@example.com\nbert@example.com\nANNA@example.com\n")
    assert [row.address for row in user_file.rows] == ["bert@example.com"]
    assert [fault.place for fault in user_file.faults] == [2, 4]


def test_rows_of_another_customer_number_are_left_out() -> None:
    user_file = read("e-mail,customer-no\nanna@example.com,88001\nbert@example.com,88002\ncarl@example.com,\n")
    assert [row.address for row in user_file.rows] == ["anna@example.com", "carl@example.com"]
    assert faults(user_file) == ["line 3, customer-no: '88002' is another customer than '88001' above"]


def test_line_numbers_count_lines_and_not_records() -> None:
    user_file = read('e-mail,name\nanna@example.com,"Anna\nKeller"\n\nnobody,x\n')
    assert [row.place for row in user_file.rows] == [2]
    assert [fault.place for fault in user_file.faults] == [5]
    assert user_file.rows[0].name == "Anna Keller"


@pytest.mark.parametrize(
    ("content", "declared", "part_of_fault"),
    [
        (b"", HEADED, "empty"),
        (b"e-mail,language\nanna@example.com\n", HEADED, "lines have another number: 2"),
        (b"e-mail\n" + b"a@example.com,x\n" * 25, HEADED, ", 20, 21 …"),
        (b'e-mail,name\nanna@example.com,"Anna\n', HEADED, "cannot be read as CSV"),
        (b'e-mail,name\nanna@example.com,"An"na\n', HEADED, "cannot be read as CSV"),
        (b"e-mail\nanna@example.com\0\n", HEADED, "NUL characters and is no text, in lines 2"),
        (b"e-mail,name\na@example.com,J\xc3\xb6rg\nb@example.com,J\xf6rg\n", HEADED, "some cp1252, in lines 3"),
        (b"e-mail,name\n" + b"a@example.com,\x81\n" * 25, HEADED, ", 20, 21 …; save it as UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1old", HEADED, "(.xls) is not read"),
        (b"PK\x03\x04 no archive", HEADED, "the workbook is damaged"),
        (xlsx([["e-mail"], ["a@example.com"]], sheet_extra=b" " * 300_000_000), HEADED, "larger than 250 MB"),
        (xlsx([["e-mail", "name"], ["a@example.com", "Anna"]]), FileFormat(end_marker="#END"), "the last line is not"),
        (xlsx([["a@example.com", "Anna"]]), HEADED, "has a mail address where the header"),
        (b"e-mail\na@example.com\n", FileFormat(form=FileForm.XLSX), "not of the declared form \u00abxlsx\u00bb"),
        (b"e-mail\n" + b'"' + b"a@example.com\n" * 1_100, HEADED, "a quote is not closed within 1000 lines"),
        (b"e-mail,name\nanna@example.com,J\xf6rg\n", FileFormat(fallback=""), "not text in utf-8"),
        (b"\xff\xfee\x00-\x00", HEADED, "unknown columns"),
        (b"\xff\xfee\x00-\x00\x00\xd8", HEADED, "not text in utf-16-le"),
        (b"anna@example.com,de\n", HEADED, "has a mail address where the header"),
        (b"e-mail,langage\nanna@example.com,de\n", HEADED, "unknown columns: 'langage'"),
        (b"e-mail,sms-id,sender-id\na@example.com,A,B\n", HEADED, "columns given twice: sender_id"),
        (b"name,language\nAnna,de\n", HEADED, "the column e-mail is missing"),
        (",".join(COLUMNS_15).encode() + b"\n", HEADLESS, "it is a header"),
        (b"anna@example.com;de\n", HEADLESS, "15 columns are expected"),
        (b"anna@example.com" + 14 * b";" + b"\n", HEADLESS, "divided by ';' instead of ',' they would fit"),
        (b"e-mail\nanna@example.com\n", FileFormat(end_marker="#END"), "the last line is not '#END'"),
        (b"e-mail,name\nanna@example.com," + b"x" * 200_000, HEADED, "field larger than field limit"),
    ],
)
def test_a_damaged_file_gives_no_rows(content: bytes, declared: FileFormat, part_of_fault: str) -> None:
    user_file = read_user_file(content, declared)
    assert user_file.damaged
    assert user_file.rows == ()
    assert part_of_fault in faults(user_file)[0]


def test_an_end_marker_proves_a_file_whole() -> None:
    user_file = read("e-mail,language\nanna@example.com,de\n#END\n", FileFormat(end_marker="#END"))
    assert [row.address for row in user_file.rows] == ["anna@example.com"]


@pytest.mark.parametrize(
    "content",
    [
        "e-mail,name\njörg@example.com,Jörg\n".encode(),
        "\ufeffe-mail,name\njörg@example.com,Jörg\n".encode(),
        "\ufeffe-mail,name\njörg@example.com,Jörg\n".encode("utf-16-le"),
        "\ufeffe-mail,name\njörg@example.com,Jörg\n".encode("utf-16-be"),
        "e-mail,name\njörg@example.com,Jörg\n".encode("cp1252"),
        b"e-mail;name\r\nj\xc3\xb6rg@example.com;J\xc3\xb6rg\r\n",
        b"sep=;\r\ne-mail;name\r\nj\xc3\xb6rg@example.com;J\xc3\xb6rg\r\n",
        b"e-mail\tname\nj\xc3\xb6rg@example.com\tJ\xc3\xb6rg\n",
        b"e-mail|name\nj\xc3\xb6rg@example.com|J\xc3\xb6rg\n",
    ],
)
def test_encodings_and_delimiters_are_recognised(content: bytes) -> None:
    (row,) = read_user_file(content, HEADED).rows
    assert (row.address, row.name) == ("jörg@example.com", "Jörg")


def test_a_workbook_is_read_like_the_same_csv() -> None:
    rows = [
        ["e-mail", "max-parts", "phone"],
        ["anna@example.com", 3, 447700900101.0],
        ["", "", ""],
        ["bert@example.com", 2, ""],
    ]
    for form in (FileForm.HEADED, FileForm.XLSX, FileForm.AUTO):
        anna, bert = read_user_file(xlsx(rows), FileFormat(form=form, country="GB")).rows
        assert (anna.place, anna.cells, anna.phone) == (2, {"max_parts": 3}, "447700900101")
        assert (bert.place, bert.cells, bert.phone) == (4, {"max_parts": 2}, "")


def test_a_workbook_of_15_columns_may_end_where_its_rows_do() -> None:
    for form in (FileForm.FIFTEEN, FileForm.AUTO):
        (row,) = read_user_file(xlsx([["anna@example.com", "Shop"]]), FileFormat(form=form)).rows
        assert (row.address, row.cells["sender_id"], row.profile) == ("anna@example.com", SHOP, "")


def test_a_marked_workbook_is_whole() -> None:
    content = xlsx([["e-mail", "name"], ["anna@example.com", "Anna"], ["#END", ""]])
    assert len(read_user_file(content, FileFormat(end_marker="#END")).rows) == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_form_of_a_table_is_recognised(delimiter: str) -> None:
    auto = FileFormat(form=FileForm.AUTO)
    (headed,) = read(f"name{delimiter}e-mail\nAnna{delimiter}anna@example.com\n", auto).rows
    assert headed.name == "Anna"
    (headless,) = read(delimiter.join(["anna@example.com", "Shop", *[""] * 13]) + "\n", auto).rows
    assert headless.cells["sender_id"] == SHOP


@pytest.mark.parametrize(
    ("text", "country", "digits"),
    [
        ("+44 7700 900123", "", "447700900123"),
        ("'+447700900123", "", "447700900123"),
        ("0044 7700 900123", "", "447700900123"),
        ("tel:+44-7700-900123", "", "447700900123"),
        ("07700 900123", "GB", "447700900123"),
        ("7700900123", "GB", "447700900123"),
        ("447700900123", "GB", "447700900123"),
        ("", "", ""),
        ("<none>", "", ""),
    ],
)
def test_a_phone_of_a_file_is_read(text: str, country: str, digits: str) -> None:
    (row,) = read(f"e-mail;phone\nanna@example.com;{text}\n", FileFormat(country=country)).rows
    assert row.phone == digits


def test_a_row_says_of_which_country_its_phone_is() -> None:
    (row,) = read("e-mail,phone,default-country-code\nanna@example.com,07700900123,44\n").rows
    assert row.phone == "447700900123"


@pytest.mark.parametrize(
    ("text", "country", "told"),
    [
        ("6,12345678E+11", "ES", "rounded by a spreadsheet"),
        ("612345678.0", "ES", "rounded by a spreadsheet"),
        ("7700900123", "", "lack its country code"),
        ("34612345678", "", "has neither plus nor zero"),
        ("447700900123", "", "has neither plus nor zero"),
        ("07700 900123", "", "national, without country code"),
        ("+447700900123 +447700900124", "", "more than one number"),
        ("+447700900123x12", "", "extension"),
        ("+34912345678", "", "fixed line"),
    ],
)
def test_a_phone_that_must_be_guessed_is_a_fault_of_its_row(text: str, country: str, told: str) -> None:
    user_file = read(f"e-mail;phone\nanna@example.com;{text}\n", FileFormat(country=country))
    (fault,) = faults(user_file)
    assert fault.startswith("line 2, phone: ")
    assert told in fault
    assert user_file.rows[0].phone is None


def test_a_file_in_chinese_is_no_mixture_though_a_line_of_it_looks_like_utf_8() -> None:
    content = "e-mail,name\na@example.com,模\nb@example.com,啊\n".encode("gb18030")
    user_file = read_user_file(content, FileFormat(fallback="gb18030"))
    assert [row.name for row in user_file.rows] == ["模", "啊"]


def test_rows_that_a_spreadsheet_left_blank_are_no_rows() -> None:
    user_file = read("e-mail,name\r\n\r\n,\r\nanna@example.com,Anna\r\n , \r\n")
    assert [(row.place, row.address) for row in user_file.rows] == [(4, "anna@example.com")]
    assert user_file.faults == ()


def test_a_country_that_no_number_is_of_is_a_fault() -> None:
    file = read("e-mail,default-country-code\na@example.com,UK\nb@example.com,999\nc@example.com,800\n")
    assert [(fault.place, fault.column) for fault in file.faults] == [
        (2, "default-country-code"),
        (3, "default-country-code"),
        (4, "default-country-code"),
    ]


def test_a_comma_in_data_does_not_change_the_delimiter_of_the_header() -> None:
    (row,) = read("e-mail;name;disclaimers\nanna@example.com;Keller, Anna;a,b,c,d\n").rows
    assert row.name == "Keller, Anna"
    assert row.cells["disclaimers"] == ("a", "b", "c", "d")


def test_a_cell_remembers_file_line_and_column() -> None:
    user_file = read("e-mail,sms-id\n\nanna@example.com,Shop\n")
    origin = user_file.origin(user_file.rows[0], "sender_id")
    assert origin == f"file:{user_file.digest[:32]}, line 3, sms-id"


def test_a_cell_remembers_its_file_by_name_and_time() -> None:
    user_file = read_user_file(b"e-mail,sms-id\nanna@example.com,Shop\n", HEADED, "people\n.csv 2026-11-29 14:40 UTC")
    origin = user_file.origin(user_file.rows[0], "sender_id")
    assert origin == "file:people.csv 2026-11-29 14:40 UTC, line 2, sms-id"


@given(st.binary(max_size=300), st.sampled_from([FileForm.HEADED, FileForm.FIFTEEN, FileForm.XLSX, FileForm.AUTO]))
def test_any_bytes_give_an_answer(content: bytes, form: FileForm) -> None:
    user_file = read_user_file(content, FileFormat(form=form))
    assert not user_file.damaged or (user_file.faults and not user_file.rows)


CELL_TEXTS = {
    "sender_id": st.sampled_from(["+447700900123", "Shop", "<none>"]),
    "cost_centre": st.text(
        st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["Cc"]), min_size=1, max_size=20
    ),
    "end_marker": st.sampled_from(["=end", "'=x", "-- ", "@", "'"]),
    "validity": st.sampled_from(["90m", "2d"]),
    "disclaimers": st.sampled_from(["a,b", "=x,y"]),
    "preview": st.sampled_from(["on", "off"]),
}


@given(
    st.fixed_dictionaries({}, optional=CELL_TEXTS),
    st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["Cc"]), max_size=20),
    st.sampled_from(",;\t|"),
)
def test_what_is_exported_is_read_back(cells: dict[str, str], name: str, delimiter: str) -> None:
    values = {field: parse_setting(field, text) for field, text in cells.items()}
    texts = {field: format_setting(value) for field, value in values.items() if value is not UNSET}
    user = ExportedUser(
        address="anna@example.com", phone="447700900123", name=name, active=False, profile="Alarm", cells=texts
    )
    text = write_user_file([user], delimiter)
    user_file = read(text, FileFormat(delimiter=delimiter))
    (row,) = user_file.rows
    assert user_file.faults == ()
    assert (row.name, row.active, row.profile) == (" ".join(name.split()), False, "Alarm")
    assert row.phone == "447700900123"
    assert {field: value for field, value in row.cells.items() if value is not UNSET} == {
        field: parse_setting(field, text) for field, text in texts.items()
    }


@pytest.mark.parametrize("address", ["+night@example.com", "=1@example.com", "'x@example.com", "-a@example.com"])
def test_an_address_that_begins_like_a_formula_stays_the_same_person(address: str) -> None:
    (row,) = read(write_user_file([ExportedUser(address=address, profile="-alarm")])).rows
    assert (row.address, row.profile) == (address, "-alarm")


@pytest.mark.parametrize("cell", ["=1+1", "+44 7700", "-x", "@SUM(A1)"])
def test_an_exported_cell_is_never_a_formula(cell: str) -> None:
    text = write_user_file([ExportedUser(address="anna@example.com", name=cell)])
    assert f",'{cell}," in text
    assert read(text).rows[0].name == cell


def test_the_export_has_every_setting() -> None:
    header = write_user_file([]).splitlines()[0].split(",")
    assert set(header) == set(HEADED_COLUMNS) - {"customer-no"}
    assert {column.replace("-", "_") for column in header} >= set(FIELDS)
    assert header[0] == ADDRESS


def stored(address: str, key: int, customer: int = 1, **cells: str) -> StoredUser:
    return StoredUser(key=key, customer_id=customer, address=address, profile_id=11, cells=cells)


def plan(text: str, *users: StoredUser, barred: Mapping[str, DomainBar] = MappingProxyType({})) -> SyncPlan:
    user_file = read(text)
    reading = Reading(source="people.csv", complete=False, changes=user_file.rows, faults=user_file.faults)
    rules = PlanRules(
        customer_id=1,
        profiles=[Profile(key=11, customer_id=1, name="Standard"), Profile(key=12, customer_id=1, name="Alarm")],
        barred_domains=barred,
    )
    return plan_sync(reading, users, rules)


def added_of(made: SyncPlan) -> tuple[PlannedUser, ...]:
    return made.of(UserAction.ADD)


def changed_of(made: SyncPlan) -> tuple[PlannedUser, ...]:
    return tuple(planned for planned in made.users if not planned.is_new)


def test_a_plan_adds_changes_and_leaves_alone() -> None:
    made = plan(
        "e-mail,language,profile\nanna@example.com,de,Standard\nbert@example.com,,Standard\ncarl@example.com,es,alarm\n",
        stored("anna@example.com", 1, language="de", max_parts="3"),
        stored("bert@example.com", 2, language="de"),
        stored("dora@example.com", 4),
        stored("eve@example.org", 5, customer=2),
    )
    (added,), (changed,) = added_of(made), changed_of(made)
    assert (added.after.address, added.cells, added.after.profile_id) == ("carl@example.com", {"language": "es"}, 12)
    assert (changed.after.address, changed.cells) == ("bert@example.com", {"language": None})
    assert (made.unchanged, made.left_alone, made.faults) == (1, 1, ())


def test_a_profile_that_does_not_exist_never_becomes_the_default() -> None:
    text = "e-mail,profile,language\nanna@example.com,Nope,es\nbert@example.com,Nope,es\n"
    made = plan(text, stored("anna@example.com", 1))
    assert (added_of(made), changed_of(made), made.left_alone) == ((), (), 0)
    assert [file_fault_sentence(fault) for fault in made.faults] == [
        "line 2, profile: there is no profile 'Nope'",
        "line 3, profile: there is no profile 'Nope'",
    ]


def test_an_empty_profile_means_the_default_one() -> None:
    (changed,) = plan("e-mail,profile\nanna@example.com,\n", stored("anna@example.com", 1)).users
    assert changed.after.profile_id is None


def test_the_users_and_domains_of_other_customers_stay_theirs() -> None:
    made = plan(
        "e-mail\nanna@example.org\nnew@example.net\n",
        stored("anna@example.org", 1, customer=2),
        barred={"example.net": DomainBar.OF_ANOTHER},
    )
    assert (added_of(made), changed_of(made)) == ((), ())
    assert [fault.place for fault in made.faults] == [2, 3]


def test_a_row_with_a_faulty_cell_changes_nobody_by_half() -> None:
    text = "e-mail,max-parts,language\nanna@example.com,99,es\nnew@example.com,99,es\nbert@example.com,2,es\n"
    made = plan(text, stored("anna@example.com", 1, max_parts="3"))
    assert ([item.after.address for item in added_of(made)], changed_of(made), made.unchanged) == (
        ["bert@example.com"],
        (),
        0,
    )
    assert [fault.place for fault in made.faults] == [2, 3]


def test_a_pinned_setting_is_named_and_has_a_value() -> None:
    text = (
        "e-mail,max-parts,language,pinned\n"
        "anna@example.com,3,es,max-parts\n"
        "bert@example.com,,es,max-parts\n"
        "carl@example.com,3,es,flash colour\n"
    )
    made = plan(text, stored("anna@example.com", 1, max_parts="9", language="es"))
    (anna,) = changed_of(made)
    assert (anna.cells, anna.pinned) == ({}, {"max_parts": "3"})
    assert [file_fault_sentence(fault) for fault in made.faults] == [
        "line 3, pinned: max_parts is pinned without a value",
        "line 4, pinned: flash is pinned without a value",
        "line 4, pinned: there is no setting 'colour'",
    ]


def test_a_damaged_file_plans_nothing() -> None:
    made = plan("e-mail,langage\nanna@example.com,de\n", stored("bert@example.com", 1))
    assert (added_of(made), changed_of(made), made.unchanged) == ((), (), 0)
    assert made.faults


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["", "de", "<none>", "??"]),
        st.sampled_from(["", "Standard", "Alarm", "Nope"]),
    ),
    max_size=5,
)


@given(ROWS, ROWS)
def test_a_plan_applied_twice_changes_nothing(
    first: list[tuple[str, str, str]], second: list[tuple[str, str, str]]
) -> None:
    users: dict[str, StoredUser] = {}

    def apply(rows: list[tuple[str, str, str]]) -> SyncPlan:
        text = "e-mail,language,profile\n" + "".join(f"{who}@example.com,{lang},{prof}\n" for who, lang, prof in rows)
        made = plan(text, *users.values())
        for planned in made.users:
            users[planned.after.address] = replace(planned.after, key=planned.after.key or len(users) + 1)
        return made

    apply(first)
    apply(second)
    again = apply(second)
    assert again.users == ()


def test_csv_is_written_in_one_place_where_no_cell_becomes_a_formula() -> None:
    house = Path(__file__).parents[2]
    writers = [
        file.relative_to(house).as_posix()
        for room in (
            "addressbook",
            "cli",
            "gateway",
            "inbound",
            "mta",
            "process",
            "reports",
            "store",
            "templates",
            "web",
            "dirsync",
        )
        for file in (house / room).rglob("*.py")
        if "csv.writer" in file.read_text("utf-8") or "csv.DictWriter" in file.read_text("utf-8")
    ]
    assert writers == ["addressbook/exchange.py"]
