"""The forms in which a recipient address carries a number, a list or a dry run; and those that carry nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.reading.addresses import RecipientAddress, RecipientKind, read_recipient
from sms.outcome import Refusal, Refused


def taken(address, *, prefixes):
    found = read_recipient(address, prefixes=prefixes)
    assert isinstance(found, RecipientAddress), found
    return found


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("+447700900123@sms.example.net", "+447700900123"),
        ("00447700900123@sms.example.net", "00447700900123"),
        ("447700900123@sms.example.net", "447700900123"),
        ("07700900123@sms.example.net", "07700900123"),
        ("07700-900.123@sms.example.net", "07700-900.123"),
        ("SMS=+447700900123@sms.example.net", "+447700900123"),
        ("sms=+447700900123@sms.example.net", "+447700900123"),
        ("Pager=07700900123@sms.example.net", "07700900123"),
        ("SMS=+447700900123/X=1/Y=2@sms.example.net", "+447700900123"),
        ("IMCEASMS-+2B447700900123@sms.example.net", "+447700900123"),
        ("imceasms-+2b44+207700+20900123@sms.example.net", "+44 7700 900123"),
        ("IMCEASMS-00447700900123@sms.example.net", "00447700900123"),
        ("IMCEASMS-SMS+3A+2B447700900123@sms.example.net", "+447700900123"),
        ("IMCEASMS+3A+2B447700900123@sms.example.net", "+447700900123"),
        ("IMCEASMS-0770_900123@sms.example.net", "0770/900123"),
        ('"sms:+44 7700 900123"@sms.example.net', "+44 7700 900123"),
        ('"SMS: +447700900123"@sms.example.net', "+447700900123"),
        ('"[SMS:+44 7700 900123]"@sms.example.net', "+44 7700 900123"),
        ('"+44 (0) 7700 900123"@sms.example.net', "+44 (0) 7700 900123"),
        (r'"\+447700900123"@sms.example.net', "+447700900123"),
        ("@relay.example.org,@b.example.org:+447700900123@sms.example.net", "+447700900123"),
        ("+447700900123@SMS.Example.NET.", "+447700900123"),
    ],
)
def test_every_form_of_a_number_is_read(address, number):
    found = read_recipient(address, prefixes=("SMS", "pager"))
    assert not isinstance(found, Refused), found
    assert (found.kind, found.number, found.domain) == (RecipientKind.NUMBER, number, "sms.example.net")


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        ("", Refusal.ADDRESS_MALFORMED),
        ("+447700900123", Refusal.ADDRESS_MALFORMED),
        ("@sms.example.net", Refusal.ADDRESS_MALFORMED),
        ("+447700900123@", Refusal.ADDRESS_MALFORMED),
        ("+447700900123@sms..example.net", Refusal.ADDRESS_MALFORMED),
        ("+447700900123@sms example.net", Refusal.ADDRESS_MALFORMED),
        ("+4477\r\n00900123@sms.example.net", Refusal.ADDRESS_MALFORMED),
        ("+4477\x0000900123@sms.example.net", Refusal.ADDRESS_MALFORMED),
        ('"+447700900123@sms.example.net', Refusal.ADDRESS_MALFORMED),
        ('"+4477"00900123"@sms.example.net', Refusal.ADDRESS_MALFORMED),
        ("1" * 65 + "@sms.example.net", Refusal.ADDRESS_MALFORMED),
        ("1" * 200 + "@" + "a" * 200, Refusal.ADDRESS_MALFORMED),
        ("IMCEASMS@sms.example.net", Refusal.ADDRESS_MALFORMED),
        ("IMCEASMS-+2B44+0D+0A7700@sms.example.net", Refusal.ADDRESS_MALFORMED),
        ("IMCEASMTP-user+40victim.example.org@sms.example.net", Refusal.RELAY_DENIED),
        ("IMCEAFAX-+2B447700900123@sms.example.net", Refusal.RELAY_DENIED),
        ("victim%other.example.org@sms.example.net", Refusal.ADDRESS_UNKNOWN),
        ("other.example.org!victim@sms.example.net", Refusal.ADDRESS_UNKNOWN),
        ("FAX=+447700900123@sms.example.net", Refusal.ADDRESS_UNKNOWN),
        ("anna.keller@sms.example.net", Refusal.ADDRESS_UNKNOWN),
        ("lista+../etc@sms.example.net", Refusal.ADDRESS_UNKNOWN),
        ("+44770090012³@sms.example.net", Refusal.NUMBER_MALFORMED),
        ("+44770090012x@sms.example.net", Refusal.NUMBER_MALFORMED),
        ("+447700900123?user=x&pass=y@sms.example.net", Refusal.NUMBER_MALFORMED),
    ],
)
def test_what_is_no_number_is_refused(address, refusal):
    found = read_recipient(address, prefixes=("SMS",))
    assert isinstance(found, Refused)
    assert found.refusal is refusal
    assert found.detail


def test_a_prefix_that_the_customer_does_not_have_is_named_with_those_it_has():
    found = read_recipient("FAX=+447700900123@sms.example.net", prefixes=("SMS", "PAGER"))
    assert isinstance(found, Refused)
    assert found.detail == "FAX= is not a prefix of this service; expected SMS= or PAGER="


def test_a_list_has_a_name_in_lower_case_and_no_number():
    found = taken("Lista+Night-Shift@sms.example.net", prefixes=())
    assert (found.kind, found.list_name, found.number) == (RecipientKind.LIST, "night-shift", "")


@pytest.mark.parametrize(
    ("local", "number", "name"),
    [
        ("explain++447700900123", "+447700900123", ""),
        ("EXPLAIN+07700900123", "07700900123", ""),
        ("explain+SMS=+447700900123", "+447700900123", ""),
        ("explain+lista+night", "", "night"),
    ],
)
def test_a_dry_run_carries_what_it_is_about(local, number, name):
    found = taken(f"{local}@sms.example.net", prefixes=("SMS",))
    assert (found.kind, found.number, found.list_name) == (RecipientKind.EXPLAIN, number, name)


@pytest.mark.parametrize("local", ["explain+", "explain+explain++447700900123", "explain+anna"])
def test_a_dry_run_of_nothing_is_refused(local):
    assert isinstance(read_recipient(f"{local}@sms.example.net", prefixes=("SMS",)), Refused)


def test_a_domain_in_other_letters_becomes_its_ascii_form():
    assert taken("+447700900123@sms.müller.example", prefixes=()).domain == "sms.xn--mller-kva.example"


@given(st.text(alphabet="+0123456789 ()./-", min_size=1, max_size=30).filter(lambda text: any(map(str.isdigit, text))))
def test_imcea_gives_back_what_exchange_encoded(number):
    encoded = "".join(
        char if char.isalnum() or char in "=-" else "_" if char == "/" else f"+{ord(char):02X}" for char in number
    )
    if len(encoded) <= 55:
        assert taken(f"IMCEASMS-{encoded}@sms.example.net", prefixes=()).number == number.strip()
