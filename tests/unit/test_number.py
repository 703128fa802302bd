"""Every way to write a number comes to one E.164 number or to a sentence that says how to mend it."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.number import (
    MobileNumber,
    SenderId,
    SenderKind,
    country_of,
    mask_number,
    parse_number,
    parse_sender_id,
    parse_stored_number,
)
from sms.outcome import Refusal, Refused

MANY_COUNTRIES = ("", "GB", "DE", "US", "FR", "AT", "IN", "ES", "AU", "JP", "RU", "BR", "SG")


def refusal_of(text: str, country: str = "", *, strict: bool = False) -> Refusal:
    outcome = parse_number(text, country, strict=strict)
    assert isinstance(outcome, Refused), outcome
    assert outcome.detail.isascii()
    assert outcome.detail.isprintable()
    assert outcome.detail.endswith(".")
    return outcome.refusal


@pytest.mark.parametrize(
    "text",
    [
        "+447700900123",
        "00447700900123",
        "447700900123",
        "+44 7700 900123",
        "+44-7700-900123",
        "+44.7700.900.123",
        "+44/7700/900123",
        "(+44) 7700 900123",
        "+44 (0) 7700 900123",
        "+44(0)7700900123",
        "+4407700900123",
        "0044 (0)7700 900123",
        "44 (0) 7700 900123",
        "tel:+44-7700-900123",
        "TEL: +447700900123",
        "  +447700900123  ",
    ],
)
@pytest.mark.parametrize("country", MANY_COUNTRIES)
def test_an_international_number_is_the_same_whatever_the_default_country(text, country):
    assert parse_number(text, country) == MobileNumber(digits="447700900123")


@pytest.mark.parametrize(
    ("text", "country", "digits"),
    [
        ("07700900102", "GB", "447700900102"),
        ("07700 900102", " gb ", "447700900102"),
        ("(07700) 900102", "GB", "447700900102"),
        ("7700900102", "GB", "447700900102"),
        ("2025550123", "US", "12025550123"),
        ("(202) 555-0123", "US", "12025550123"),
        ("1-202-555-0123", "US", "12025550123"),
        ("12025550123", "GB", "12025550123"),
        ("017612345678", "DE", "4917612345678"),
        ("0176/123 45-678", "DE", "4917612345678"),
        ("8 912 345 67 89", "RU", "79123456789"),
        ("06 20 123 4567", "HU", "36201234567"),
        ("3331234567", "IT", "393331234567"),
        ("91234567", "SG", "6591234567"),
    ],
)
def test_a_national_number_gets_the_default_country(text, country, digits):
    assert parse_number(text, country) == MobileNumber(digits=digits)


@pytest.mark.parametrize(
    ("text", "country", "digits", "why"),
    [
        ("15123456789", "DE", "4915123456789", "both are valid: the national one wins"),
        ("12025550123", "DE", "12025550123", "a valid one wins over a fixed line of Lower Saxony"),
        ("491701234567", "DE", "491701234567", "a valid mobile wins over the fixed line 0491 701234567"),
        ("491701234567", "GB", "491701234567", "too long as a British number"),
        ("4915112345678", "US", "4915112345678", "too long as a number of the +1 plan"),
        ("447700900105", "DE", "447700900105", "a possible one wins over the fixed line 04477 00900105"),
        ("447700900105", "AT", "447700900105", "both are only possible, and the trunk 0 is not there"),
        ("2115550123", "US", "12115550123", "no trunk 0 in this plan: ten digits are national"),
        ("34612345678", "ES", "34612345678", "the default country's own code is seen"),
    ],
)
def test_digits_that_can_be_read_twice_are_read_by_rule(text, country, digits, why):
    assert parse_number(text, country) == MobileNumber(digits=digits), why


@pytest.mark.parametrize(
    ("text", "country", "digits"),
    [
        ("011 44 7700 900123", "US", "447700900123"),
        ("0011 44 7700 900123", "AU", "447700900123"),
        ("010 44 7700 900123", "JP", "447700900123"),
        ("00447700900123", "AU", "447700900123"),
    ],
)
def test_the_international_prefix_of_the_default_country_is_known_beside_00(text, country, digits):
    assert parse_number(text, country) == MobileNumber(digits=digits)


def test_the_bracketed_zero_falls_where_the_country_has_none():
    assert parse_number("+34 (0) 612 345 678", "") == MobileNumber(digits="34612345678")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "+",
        "tel:",
        "anna",
        "max.x",
        "0800FLOWERS",
        "+447700900123x12",
        "+447700900123 ext. 12",
        "+447700900123;ext=12",
        "+447700900123;phone-context=+44",
        "+447700900123#1",
        "+447700900123, +447700900124",
        "+447700900123 +447700900124",
        "+447700900123;+447700900124",
        "+44+7700900123",
        "6,1E+11",
        "4.4E+11",
        "6E11",
        "34600000000.0",
        "34600000000.00",
        "٤٤٧٧٠٠٩٠٠١٢٣",
        "+44٧٧٠٠900123",
        "4٤7700900123",
        "＋447700900123",
        "+44\t7700900123",
        "+44\n7700900123",
        "+447700900123\x00",
        "+44\u00a07700900123",
        "\u202a+447700900123\u202c",
        "'+447700900123",
        "-447700900123",
        "/447700900123",
        "447700900123+",
        "9" * 200,
    ],
)
@pytest.mark.parametrize("country", ["", "GB"])
def test_what_is_not_one_number_is_malformed(text, country):
    assert refusal_of(text, country) is Refusal.NUMBER_MALFORMED


@pytest.mark.parametrize(
    ("text", "country", "says"),
    [
        ("+4477", "", "too short for country code +44"),
        ("+4477009", "", "lacks its area code"),
        ("+447700900123456", "", "too long for country code +44"),
        ("+999123456789", "", "no known country code"),
        ("+12345", "", "too short for country code +1"),
        ("5550123", "US", "lacks its area code"),
        ("07700900102", "", "default country"),
        ("07700900102", "UK", "default country"),
        ("7700900102", "", "default country"),
        ("0176", "DE", "too short for country code +49"),
        ("+490176", "", "too short for country code +49"),
        ("0", "DE", "too short"),
        ("00", "DE", "too short"),
        ("000447700900123", "DE", "no known country code"),
        ("+49176123456789012", "", "more than 15 digits"),
        ("+491761234567890123456", "", "more than 15 digits"),
        ("07700900102 / 07700900103", "GB", "more than 15 digits"),
    ],
)
def test_an_impossible_number_is_refused_with_what_is_wrong(text, country, says):
    outcome = parse_number(text, country)
    assert isinstance(outcome, Refused)
    assert outcome.refusal is Refusal.NUMBER_IMPOSSIBLE
    assert says in outcome.detail


@pytest.mark.parametrize("text", ["112", "999", "11833", "72975", "123456"])
@pytest.mark.parametrize("country", ["", "DE", "GB", "US"])
def test_a_short_code_is_no_recipient(text, country):
    outcome = parse_number(text, country)
    assert isinstance(outcome, Refused)
    assert outcome.refusal is Refusal.NUMBER_IMPOSSIBLE
    assert "short codes cannot receive SMS" in outcome.detail


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("+442079460000", "fixed line"),
        ("+4930123456", "fixed line"),
        ("+390612345678", "fixed line"),
        ("+449098790000", "premium-rate"),
        ("+448001111111", "toll-free"),
        ("+447012345678", "call-forwarding"),
        ("+447640123456", "pager"),
        ("+443001231234", "access number"),
        ("+491801234567", "shared-cost"),
    ],
)
def test_a_type_that_cannot_receive_sms_is_refused(text, says):
    outcome = parse_number(text, "")
    assert isinstance(outcome, Refused)
    assert outcome.refusal is Refusal.NUMBER_CANNOT_RECEIVE
    assert says in outcome.detail


def test_a_fixed_line_without_its_zero_is_not_taken_for_a_number_abroad():
    assert refusal_of("30123456", "DE") is Refusal.NUMBER_CANNOT_RECEIVE


@pytest.mark.parametrize("text", ["+447400123456", "+12025550123", "+445612345678"])
def test_mobile_ambiguous_and_voip_numbers_are_taken_even_strictly(text):
    assert parse_number(text, "", strict=True) == MobileNumber(digits=text[1:])


def test_a_possible_number_that_no_plan_has_is_refused_only_by_strict_checking():
    assert isinstance(parse_number("+447700900123", ""), MobileNumber)
    assert refusal_of("+447700900123", "", strict=True) is Refusal.NUMBER_INVALID


@pytest.mark.parametrize("country", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_mobile_number_of_every_country_is_read_as_people_there_write_it(country):
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    if example is None:
        assert country == "TA", "Tristan da Cunha has no mobile network"
        return
    number = MobileNumber(digits=f"{example.country_code}{phonenumbers.national_significant_number(example)}")
    forms = phonenumbers.PhoneNumberFormat
    for form in (forms.E164, forms.INTERNATIONAL, forms.NATIONAL, forms.RFC3966):
        assert parse_number(phonenumbers.format_number(example, form), country, strict=True) == number
    for text in (number.digits, f"00{number.digits}", phonenumbers.national_significant_number(example)):
        assert parse_number(text, country, strict=True) == number
    assert parse_number(number.digits, "") == number
    assert country_of(number) == phonenumbers.region_code_for_number(example)


@given(st.text(max_size=70), st.sampled_from(MANY_COUNTRIES), st.booleans())
def test_any_text_has_an_answer(text, country, strict):
    outcome = parse_number(text, country, strict=strict)
    if isinstance(outcome, Refused):
        assert outcome.detail.isascii()
        assert outcome.detail.isprintable()
    else:
        assert outcome.digits.isascii()
        assert outcome.digits.isdigit()
        assert len(outcome.digits) <= 15


@given(st.from_regex(r"\A[+0-9 ./()-]{1,20}\Z"), st.sampled_from(MANY_COUNTRIES))
def test_a_number_taken_once_is_taken_again_in_its_e164_form(text, country):
    number = parse_number(text, country)
    if isinstance(number, MobileNumber):
        assert parse_number(number.e164, "") == number
        assert parse_number(number.e164, "US") == number
        assert parse_number(f"00{number.digits}", country) == number


@given(st.integers(0, 999), st.lists(st.sampled_from(" -./()"), min_size=12, max_size=12))
def test_separators_change_nothing(last, separators):
    digits = f"447700900{last:03d}"
    written = "+" + digits[0] + "".join(a + b for a, b in zip(separators, digits[1:], strict=False))
    if "(0)" not in written:
        assert parse_number(written, "DE") == MobileNumber(digits=digits)


@pytest.mark.parametrize(
    ("digits", "country"),
    [
        ("447700900123", "GB"),
        ("12025550123", "US"),
        ("14165550123", "CA"),
        ("18765550123", "JM"),
        ("4917612345678", "DE"),
        ("881612345678", ""),
        ("882131234567", ""),
        ("447781123456", "GG"),
        ("999123456789", ""),
    ],
)
def test_a_number_belongs_to_a_country_or_to_none(digits, country):
    assert country_of(MobileNumber(digits=digits)) == country


NUMERIC, SHORT_CODE, ALPHANUMERIC = SenderKind.NUMERIC, SenderKind.SHORT_CODE, SenderKind.ALPHANUMERIC


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("+447700900123", "447700900123", NUMERIC),
        ("447700900123", "447700900123", NUMERIC),
        ("00447700900123", "447700900123", NUMERIC),
        ("+44 (7700) 900-123", "447700900123", NUMERIC),
        ("+6834002", "6834002", NUMERIC),
        ("123456789", "123456789", NUMERIC),
        ("123456789012345", "123456789012345", NUMERIC),
        ("123", "123", SHORT_CODE),
        ("72975", "72975", SHORT_CODE),
        ("12345678", "12345678", SHORT_CODE),
        ("Retailer", "Retailer", ALPHANUMERIC),
        (" Shop 24/7 ", "Shop 24/7", ALPHANUMERIC),
        ("A&B-Shop.de", "A&B-Shop.de", ALPHANUMERIC),
        ("A", "A", ALPHANUMERIC),
        ("1a", "1a", ALPHANUMERIC),
    ],
)
def test_a_sender_id_is_a_number_a_short_code_or_a_name(text, value, kind):
    assert parse_sender_id(text) == SenderId(value=value, kind=kind)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "12",
        "+12345",
        "1234567890123456",
        "+1234567890123456",
        "07700900123",
        "Twelve chars",
        "Grüße",
        "A_B",
        "A@B",
        "$hop",
        "A{B}",
        "`A`",
        "1-2",
        "!?",
        "A\nB",
        "A\n",
        "A\tB",
        "٤٤٧",
        "АВС",
    ],
)
def test_what_a_phone_may_not_show_is_no_sender_id(text):
    assert parse_sender_id(text) is None


@given(st.text(max_size=20))
def test_a_sender_id_is_read_back_as_itself(text):
    sender = parse_sender_id(text)
    if sender is not None:
        written = f"+{sender.value}" if sender.kind is NUMERIC else sender.value
        assert parse_sender_id(written) == sender


def test_a_masked_number_keeps_its_country_but_cannot_be_called():
    assert mask_number("+447700900123") == "+447700…23"
    assert mask_number("447700900123") == "+447700…23"


@pytest.mark.parametrize("text", ["", "+", "12345", "+1234567"])
def test_of_a_short_number_the_mask_shows_nothing(text):
    assert mask_number(text) == "+…"


@pytest.mark.parametrize(
    ("text", "country", "digits"),
    [
        ("+44 7700 900123", "", "447700900123"),
        ("0044 7700 900123", "ES", "447700900123"),
        ("07700 900123", "GB", "447700900123"),
        ("447700900123", "GB", "447700900123"),
        ("7700900123", "GB", "447700900123"),
        ("612 345 678", "ES", "34612345678"),
    ],
)
def test_a_stored_number_is_read_where_nothing_of_it_is_in_doubt(text, country, digits):
    assert parse_stored_number(text, country) == MobileNumber(digits=digits)


@pytest.mark.parametrize(("text", "country"), [("447700900123", "ES"), ("34612345678", ""), ("447700900123", "XX")])
def test_a_stored_number_without_plus_and_zero_is_of_the_default_country_or_none(text, country):
    refused = parse_stored_number(text, country)
    assert isinstance(refused, Refused)
    assert "neither plus nor zero" in refused.detail
