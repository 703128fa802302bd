"""A setting is read from text, written as text, and read again as the same."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.message import Alphabet, Priority
from sms.number import SenderId, SenderKind
from sms.settings import (
    FIELDS,
    NONE,
    UNSET,
    ReportFormat,
    SettingProblem,
    Settings,
    StatusChannel,
    StatusReport,
    TextSource,
    Unencodable,
    format_setting,
    parse_setting,
)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("sender_id", "+44 7700 900123", SenderId(value="447700900123", kind=SenderKind.NUMERIC)),
        ("sender_id", "+6834002", SenderId(value="6834002", kind=SenderKind.NUMERIC)),
        ("sender_id", "72975", SenderId(value="72975", kind=SenderKind.SHORT_CODE)),
        ("sender_id", "Shop 24", SenderId(value="Shop 24", kind=SenderKind.ALPHANUMERIC)),
        ("priority", "EXPRESS", Priority.EXPRESS),
        ("cost_centre", " 4711 ", "4711"),
        ("cost_centre", "x" * 70, "x" * 70),
        ("status_report", "on-failure", StatusReport.ON_FAILURE),
        ("status_channel", "Push", StatusChannel.PUSH),
        ("push_url", "https://app.example.com/sms?of=us", "https://app.example.com/sms?of=us"),
        ("push_url", " https://[2001:db8::1]:8443/ ", "https://[2001:db8::1]:8443/"),
        ("push_url", "http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
        ("push_url", "http://[::1]/", "http://[::1]/"),
        ("push_url", "http://10.0.0.1/", "http://10.0.0.1/"),
        ("push_url", "http://localhost/sms", "http://localhost/sms"),
        ("report_format", "dsn", ReportFormat.DSN),
        ("first_report", "Yes", True),
        ("preview", "off", False),
        ("inbound_history", "0", 0),
        ("flash", "1", True),
        ("flash", "0", False),
        ("validity", "90m", timedelta(minutes=90)),
        ("validity", "90", timedelta(minutes=90)),
        ("validity", " 12 h ", timedelta(hours=12)),
        ("validity", "7d", timedelta(days=7)),
        ("validity", "5min", timedelta(minutes=5)),
        ("coding", "ucs2", Alphabet.UCS2),
        ("unencodable", "switch", Unencodable.SWITCH),
        ("max_parts", " 20 ", 20),
        ("language", "de-AT", "de-AT"),
        ("language", "DE_at", "de-AT"),
        ("flash", "Y", True),
        ("flash", "n", False),
        ("time_zone", "Europe/Madrid", "Europe/Madrid"),
        ("text_source", "both", TextSource.BOTH),
        ("end_marker", "##", "##"),
        ("disclaimers", "This e-mail, Diese E-Mail ,", ("This e-mail", "Diese E-Mail")),
        ("default_country", "gb", "GB"),
        ("address_prefixes", "sms,text", ("SMS", "TEXT")),
        ("max_recipients", "100000", 100000),
    ],
)
def test_a_setting_is_read_from_text_and_back(name, text, value):
    assert parse_setting(name, text) == value
    assert parse_setting(name, format_setting(value)) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sender_id", "Twelve chars"),
        ("sender_id", "07700900123"),
        ("priority", "urgent"),
        ("cost_centre", "x" * 71),
        ("cost_centre", "a\nb"),
        ("cost_centre", "a\x7fb"),
        ("flash", "maybe"),
        ("status_channel", "sms"),
        ("push_url", "ftp://127.0.0.1/"),
        ("push_url", "app.example.com/sms"),
        ("push_url", "https:///sms"),
        ("push_url", "https://"),
        ("push_url", "https://anna:secret@app.example.com/"),
        ("push_url", "https://@app.example.com/"),
        ("push_url", "https://app.example.com/#top"),
        ("push_url", "https://app.example.com/#"),
        ("push_url", "https://app.example.com:99999/"),
        ("push_url", "https://app.example.com:x/"),
        ("push_url", "https://app.example.com/a b"),
        ("push_url", "https://app.example.com/\r\nX: y"),
        ("push_url", "https://müller.example.com/"),
        ("push_url", "https://app.example.com/" + "x" * 500),
        ("push_url", "https://[::1"),
        ("validity", "4m"),
        ("validity", "8d"),
        ("validity", "-5m"),
        ("validity", "1.5h"),
        ("validity", "2w"),
        ("validity", "٩٠"),
        ("max_parts", "0"),
        ("max_parts", "21"),
        ("max_parts", "٤"),
        ("max_parts", "1_0"),
        ("max_parts", "+4"),
        ("max_parts", "4.0"),
        ("max_parts", "9" * 5000),
        ("language", "english"),
        ("time_zone", "Madrid"),
        ("time_zone", "Europe"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", "/etc/passwd"),
        ("time_zone", "a\x00b"),
        ("time_zone", "\ud83d"),
        ("default_country", "DEU"),
        ("default_country", "UK"),
        ("default_country", "ДЕ"),
        ("disclaimers", ","),
        ("address_prefixes", "SMS=X"),
        ("address_prefixes", "1SMS"),
    ],
)
def test_text_that_is_no_value_says_what_is_expected(name, text):
    problem = parse_setting(name, text)
    assert isinstance(problem, SettingProblem)
    assert problem == SettingProblem(field=name, given=text[:80], expected=FIELDS[name].expected)
    assert str(problem) == f"{name}: {text[:80]!r} is not {FIELDS[name].expected}"


@pytest.mark.parametrize("name", list(FIELDS))
@pytest.mark.parametrize(
    ("text", "cell"), [("", UNSET), (" ", UNSET), ("<unset>", UNSET), ("<none>", NONE), (" <none> ", NONE)]
)
def test_two_cells_hold_no_value_in_every_field(name, text, cell):
    assert parse_setting(name, text) is cell


@pytest.mark.parametrize("cell", [UNSET, NONE])
def test_the_two_cells_are_written_so_that_they_are_read_back(cell):
    assert parse_setting("cost_centre", format_setting(cell)) is cell


@pytest.mark.parametrize("name", list(FIELDS))
def test_every_default_is_written_so_that_it_means_itself(name):
    default = getattr(Settings(), name)
    read = parse_setting(name, format_setting(default))
    assert read == default or (read, default) in {(NONE, None), (UNSET, ""), (UNSET, ())}


@pytest.mark.parametrize("name", list(FIELDS))
def test_every_neutral_value_is_one_that_the_field_may_have(name):
    neutral = FIELDS[name].neutral
    read = parse_setting(name, format_setting(neutral))
    assert read == neutral or (read, neutral) in {(NONE, None), (UNSET, ""), (UNSET, ())}


@pytest.mark.parametrize("name", list(FIELDS))
def test_every_field_says_what_it_is_and_what_it_takes(name):
    field = FIELDS[name]
    assert field.name == name
    assert field.doc.endswith(".")
    assert field.expected


def test_the_built_in_layer_is_as_promised():
    settings = Settings()
    assert settings.coding is Alphabet.GSM7
    assert settings.unencodable is Unencodable.AUTO
    assert settings.priority is Priority.NORMAL
    assert settings.max_parts == 4
    assert settings.status_report is StatusReport.ALWAYS
    assert settings.delivery_receipt is False
    assert settings.sender_id is None


def test_a_neutral_value_can_differ_from_the_default():
    assert FIELDS["status_report"].neutral is StatusReport.NEVER
    assert FIELDS["sender_id"].neutral is None
    assert FIELDS["max_parts"].neutral == 4


def test_a_message_cannot_ask_for_what_is_the_customers_to_decide():
    assert {name for name, field in FIELDS.items() if field.message_may_set} == {
        "sender_id",
        "use_case",
        "priority",
        "cost_centre",
        "status_report",
        "delivery_receipt",
        "validity",
        "coding",
        "unencodable",
        "max_parts",
        "flash",
        "duplicate_detection",
        "parameters",
    }


def test_an_unknown_field_is_an_error():
    with pytest.raises(KeyError):
        parse_setting("colour", "red")


@given(st.sampled_from(list(FIELDS)), st.text(max_size=90))
def test_any_text_has_an_answer_and_values_are_read_back(name, text):
    value = parse_setting(name, text)
    if not isinstance(value, SettingProblem):
        assert parse_setting(name, format_setting(value)) == value
