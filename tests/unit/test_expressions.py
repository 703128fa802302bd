"""addressbook.expressions: which attribute says something of a user, and what is made of it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addressbook.changes import ChangeFaultCode
from addressbook.expressions import (
    TRANSFORMS,
    Circumstances,
    ExpressionError,
    FoundValue,
    UnreadableError,
    parse_expression,
)

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
FILETIME_OF_NOON = 134_405_136_000_000_000


def read(expression: str, country: str = "GB", **attributes: str | list[str] | bytes) -> str | None:
    found = find(expression, country, **attributes)
    return None if found is None else found.text


def find(expression: str, country: str = "GB", **attributes: str | list[str] | bytes) -> FoundValue | None:
    raw = {}
    for name, given_values in attributes.items():
        values = given_values if isinstance(given_values, list) else [given_values]
        raw[name.lower()] = tuple(each.encode() if isinstance(each, str) else each for each in values)
    return parse_expression(expression).read(raw, Circumstances(now=NOON, country=country))


CASES = [
    ("mail", {"mail": "anna@example.com"}, "anna@example.com"),
    ("mail", {"mail": "  anna@example.com "}, "anna@example.com"),
    ("Mail", {"mail": "a"}, "a"),
    ("mail", {}, None),
    ("mail", {"mail": "  "}, None),
    ("displayName || cn", {"cn": "Anna"}, "Anna"),
    ("displayName || cn", {"displayName": " ", "cn": "Anna"}, "Anna"),
    ("displayName || cn", {"displayName": "A. Doe", "cn": "Anna"}, "A. Doe"),
    ('department || "none of || them"', {}, "none of || them"),
    (r'"say \"yes\""', {}, 'say "yes"'),
    ("mail", {"mail": ["a", "b"]}, "a"),
    ("mail | last", {"mail": ["a", "b"]}, "b"),
    ("mail | first", {"mail": ["a", "b"]}, "a"),
    ("cn | lower", {"cn": "ANNA"}, "anna"),
    ("cn | upper", {"cn": "anna"}, "ANNA"),
    ("cn | trim", {"cn": " Anna   Doe "}, "Anna Doe"),
    ("cn | prefix(Dr )", {"cn": "Doe"}, "Dr Doe"),
    ('cn | prefix("(a) ")', {"cn": "Doe"}, "(a) Doe"),
    ("cn | default(Unknown) | upper", {}, "UNKNOWN"),
    ("cn | default(Unknown)", {"cn": "Anna"}, "Anna"),
    ("ou | map(Sales=100, Support=200)", {"ou": "sales"}, "100"),
    ("ou | map(Sales=100, *=900)", {"ou": "Legal"}, "900"),
    ("ou | map(Sales=100, *=)", {"ou": "Legal"}, None),
    ("ou | map(Sales=<none>)", {"ou": "Sales"}, "<none>"),
    ("memberOf | match(^CN=SMS-([^,]+))", {"memberOf": ["CN=All,DC=x", "CN=SMS-Sales,DC=x"]}, "Sales"),
    ("ou | match([0-9]{4})", {"ou": "Room 1234"}, "1234"),
    (r"ou | match((a|b)\)$)", {"ou": "xb)"}, "b"),
    ("dn | match(OU=([^,]+))", {"dn": "CN=Anna,OU=Sales,DC=x"}, "Sales"),
    ("mobile | number", {"mobile": "07700 900123"}, "+447700900123"),
    ("mobile | number", {"mobile": "+44 (0) 7700 900123"}, "+447700900123"),
    ("mobile | number", {"mobile": "447700900123"}, "+447700900123"),
    ("mobile | number", {"mobile": "7700900123"}, "+447700900123"),
    ("proxyAddresses | primary", {"proxyAddresses": ["smtp:old@x.y", "x500:/o=", "SMTP:Anna@x.y"]}, "Anna@x.y"),
    ("proxyAddresses | primary || mail", {"proxyAddresses": ["smtp:old@x.y"], "mail": "m@x.y"}, "m@x.y"),
]


@pytest.mark.parametrize(("expression", "entry", "text"), CASES)
def test_an_expression_reads_an_entry(expression: str, entry: dict, text: str | None) -> None:
    assert read(expression, **entry) == text


def test_a_value_comes_with_the_attribute_that_it_is_of() -> None:
    assert find("displayName || cn", cn="Anna") == FoundValue("Anna", "cn")
    assert find('cn || "x"') == FoundValue("x", "")


STOPPED = [
    ("userAccountControl | disabled", {"userAccountControl": "514"}, "off"),
    ("userAccountControl | disabled", {"userAccountControl": "512"}, None),
    ("accountExpires | expires", {"accountExpires": str(FILETIME_OF_NOON)}, "off"),
    ("accountExpires | expires", {"accountExpires": str(FILETIME_OF_NOON + 10_000_000)}, None),
    ("accountExpires | expires", {"accountExpires": "0"}, None),
    ("accountExpires | expires", {"accountExpires": "9223372036854775807"}, None),
    ("shadowExpire | expires", {"shadowExpire": "20787"}, "off"),  # 2026-11-30
    ("shadowExpire | expires", {"shadowExpire": "20788"}, None),
    ("shadowExpire | expires", {"shadowExpire": "-1"}, None),
    ("ends | expires", {"ends": "20261130120000Z"}, "off"),
    ("ends | expires", {"ends": "20261130120001.5Z"}, None),
    ("pwdAccountLockedTime | locked", {"pwdAccountLockedTime": "000001010000Z"}, "off"),
    ("pwdAccountLockedTime | locked", {"pwdAccountLockedTime": "20261130115900Z"}, None),
    ("nsAccountLock | map(true=off, false=on)", {"nsAccountLock": "TRUE"}, "off"),
]


@pytest.mark.parametrize(("expression", "entry", "text"), STOPPED)
def test_a_disabled_or_expired_or_locked_account_is_off(expression: str, entry: dict, text: str | None) -> None:
    assert read(expression, **entry) == text


FAULTS = [
    ("cn", {"cn": b"\xff\xfe"}, ChangeFaultCode.NOT_UTF8),
    ("cn", {"cn": "a\0b"}, ChangeFaultCode.CONTROL_CHARACTERS),
    ("cn", {"cn": "a\nb"}, ChangeFaultCode.CONTROL_CHARACTERS),
    ("cn", {"cn": "a" * 1001}, ChangeFaultCode.TOO_LONG),
    ("cn", {"cn": b"a" * 9_000_000}, ChangeFaultCode.TOO_LONG),
    ("cn | match(a)", {"cn": "a" * 257}, ChangeFaultCode.TOO_LONG),
    ("ou | map(a=b)", {"ou": "c"}, ChangeFaultCode.NOT_LISTED),
    ("userAccountControl | disabled", {}, ChangeFaultCode.NO_ATTRIBUTE),
    ("userAccountControl | disabled", {"userAccountControl": "x"}, ChangeFaultCode.UNREADABLE),
    ("accountExpires | expires", {"accountExpires": "9" * 40}, ChangeFaultCode.UNREADABLE),
    ("ends | expires", {"ends": "20261330120000Z"}, ChangeFaultCode.UNREADABLE),
]


@pytest.mark.parametrize(("expression", "entry", "code"), FAULTS, ids=range(len(FAULTS)))
def test_what_cannot_be_read_is_a_fault(expression: str, entry: dict, code: ChangeFaultCode) -> None:
    with pytest.raises(UnreadableError) as raised:
        read(expression, **entry)
    assert raised.value.code is code
    code.check(raised.value.facts)


NUMBERS = [
    ("an exponent of a spreadsheet", "6,12345678E+11", "ES", "rounded by a spreadsheet"),
    ("a float of a spreadsheet", "34600000000.0", "ES", "rounded by a spreadsheet"),
    ("a lost zero without a country", "7700900123", "", "lack its country code"),
    ("a lost plus without a country", "447700900123", "", "neither plus nor zero"),
    ("a lost plus of another country", "447700900123", "ES", "neither plus nor zero"),
    ("a landline", "020 7946 0018", "GB", "fixed line"),
    ("an extension", "+44 7700 900123 x12", "GB", "extension"),
    ("two numbers with a plus", "+44 7700 900123 / +44 7700 900124", "GB", "more than one number"),
    ("two numbers without a plus", "07700 900123 / 07700 900124", "GB", "digits"),
    ("no country", "07700 900123", "", "without country code"),
    ("words", "ask Anna", "GB", "contains U+"),
]


@pytest.mark.parametrize(
    ("given_text", "country", "cause"), [row[1:] for row in NUMBERS], ids=[row[0] for row in NUMBERS]
)
def test_a_number_is_never_guessed(given_text: str, country: str, cause: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        read("mobile | number", country, mobile=given_text)
    assert raised.value.code is ChangeFaultCode.BAD_NUMBER
    assert cause in str(raised.value.facts["cause"])


def test_an_expression_knows_whether_it_gives_numbers() -> None:
    given = [
        parse_expression(text).gives_numbers
        for text in ("mobile | number", "mobile", "a | number || b", "a | number | prefix(0)")
    ]
    assert given == [True, False, False, False]


BAD = [
    ("", "«» is neither an attribute"),
    ("mail ||", "«» is neither an attribute"),
    ("two words", "«two words» is neither an attribute"),
    ("cn | uper", "There is no transform «uper»; did you mean «upper»?"),
    ("cn | nonsense", "the transforms are number, lower"),
    ("cn | lower(x)", "«lower» is written as lower, without brackets."),
    ("cn | match", "«match» is written as match(REGEX)."),
    ("cn | match((a)", "A quote or a bracket is not closed."),
    ('cn || "x', "A quote or a bracket is not closed."),
    ("cn | map(a)", "«map» is written as map(A=B, C=D)."),
    ("cn | map(=b)", "«map» is written as map(A=B, C=D)."),
    ("cn | match(*)", "The regular expression cannot be read: nothing to repeat at position 0."),
    ("cn | match([a)", "The regular expression cannot be read: "),
    ("c" * 2001, "at most 2000 characters"),
]


@pytest.mark.parametrize(("expression", "expected"), BAD)
def test_an_expression_that_cannot_be_read_says_why(expression: str, expected: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse_expression(expression)
    assert expected in str(raised.value)


ENDLESS = [
    "(a+)+$",
    "(a|aa)+$",
    "(a*)*b",
    "(?:a|a)*b",
    "((a)?)+b",
    "((a{0,9})){9,}",
    "a*a*a*b",
    "a?" * 25 + "a" * 25,
    "(a|a)" * 20,
    "a{0,16}" * 8,
    r"(a)\1",
    "(?=a)b",
    "(?i)a",
    "(?P<n>a)",
    "b" * 101,
]


@pytest.mark.parametrize("pattern", ENDLESS)
def test_a_regular_expression_that_could_take_long_is_refused(pattern: str) -> None:
    with pytest.raises(ExpressionError):
        parse_expression(f"cn | match({pattern})")


@pytest.mark.parametrize(
    "pattern", [r"^\+?([0-9 ]+)$", "CN=([^,]+),OU=([^,]+)", "(?:a|b)?c", "[0-9]{4,6}", r"\(x\)*", "[a*+]b"]
)
def test_an_ordinary_regular_expression_is_taken(pattern: str) -> None:
    parse_expression(f"cn | match({pattern})")


@given(st.text(alphabet='abc|"()\\{}*+?[]^$=,.<> 09mapmatch', max_size=60))
def test_no_text_is_more_than_an_expression_or_a_fault(text: str) -> None:
    try:
        expression = parse_expression(text)
    except ExpressionError:
        return
    found = expression.read({"a": (b"aab",)}, Circumstances(now=NOON))
    assert found is None or found.text


@given(
    st.sampled_from(sorted(TRANSFORMS)), st.lists(st.binary(max_size=40), max_size=3), st.sampled_from(["GB", "ES", ""])
)
def test_no_value_is_more_than_read_or_a_fault(name: str, values: list[bytes], country: str) -> None:
    argument = {"match": "(a.)", "map": "(a=b)", "default": "(x)", "prefix": "(x)"}.get(name, "")
    try:
        found = parse_expression(f"cn | {name}{argument}").read(
            {"cn": tuple(values)}, Circumstances(now=NOON, country=country)
        )
    except UnreadableError as error:
        error.code.check(error.facts)
    else:
        assert found is None or found.text.strip()
