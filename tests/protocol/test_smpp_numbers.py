"""Numbers in the forms of carriers, out and back again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp.dialect.dialect import Dialect, NumberForm
from smpp.dialect.fragments import read_fragment
from smpp.dialect.numbers import read_number, write_number
from smpp.simulator.deliveries import write_inbound
from smpp.wire.pdu import Pdu
from tests.kit.smpp import encoded

PLAIN = Dialect()
DOUBLE_ZERO = Dialect(destination_form=NumberForm.DOUBLE_ZERO)
BRITISH = Dialect(destination_form=NumberForm.NATIONAL, numeric_form=NumberForm.NATIONAL, country_code="44")
RUSSIAN = Dialect(destination_form=NumberForm.NATIONAL, country_code="7", trunk_prefix="8")
SPANISH = Dialect(destination_form=NumberForm.NATIONAL, country_code="34", trunk_prefix="")


@pytest.mark.parametrize(
    ("dialect", "ton", "address", "number"),
    [
        (PLAIN, 1, "447700900123", "+447700900123"),
        (PLAIN, 0, "447700900123", "447700900123"),
        (PLAIN, 1, "+447700900123", "+447700900123"),
        (PLAIN, 0, "00447700900123", "00447700900123"),
        (PLAIN, 2, "07700900123", "07700900123"),
        (DOUBLE_ZERO, 0, "00447700900123", "+447700900123"),
        (DOUBLE_ZERO, 1, "00447700900123", "+447700900123"),
        (DOUBLE_ZERO, 1, "447700900123", "+447700900123"),
        (DOUBLE_ZERO, 0, "07700900123", "07700900123"),
        (BRITISH, 2, "07700900123", "+447700900123"),
        (BRITISH, 0, "07700900123", "+447700900123"),
        (BRITISH, 1, "07700900123", "+447700900123"),
        (BRITISH, 2, "7700900123", "+447700900123"),
        (BRITISH, 1, "447700900123", "+447700900123"),
        (BRITISH, 0, "0012025550100", "+12025550100"),
        (BRITISH, 1, "12025550100", "+12025550100"),
        (BRITISH, 3, "60777", "60777"),
        (BRITISH, 0, "0777", "0777"),
        (BRITISH, 5, "Acme", "Acme"),
        (RUSSIAN, 0, "89585000123", "+79585000123"),
        (RUSSIAN, 1, "819000000123", "+819000000123"),
        (SPANISH, 0, "600000123", "+34600000123"),
        (SPANISH, 1, "34600000123", "+34600000123"),
        (SPANISH, 0, "5757", "5757"),
        (SPANISH, 0, "00447700900123", "+447700900123"),
    ],
)
def test_an_address_is_read_in_the_form_of_its_carrier(dialect, ton, address, number):
    assert read_number(ton, address, dialect) == number


@given(
    digits=st.from_regex(r"[1-9][0-9]{9,14}", fullmatch=True) | st.from_regex(r"44[1-9][0-9]{9}", fullmatch=True),
    form=st.sampled_from(NumberForm),
    trunk=st.sampled_from(["", "0", "8"]),
)
def test_a_number_comes_back_as_it_went(digits, form, trunk):
    dialect = Dialect(destination_form=form, numeric_form=form, country_code="44", trunk_prefix=trunk)
    written = write_number(digits, form, dialect)
    is_national = form is NumberForm.NATIONAL and digits.startswith("44")
    assert read_number(2 if is_national else 1, written, dialect) == f"+{digits}"


@pytest.mark.parametrize("dialect", [PLAIN, DOUBLE_ZERO, BRITISH])
def test_an_inbound_sms_has_numbers_in_one_form_whatever_its_carrier_writes(dialect):
    ((body, tlvs),) = write_inbound("+447700900123", "+447700900700", encoded("Hi"), dialect)
    fragment = read_fragment(Pdu(body, 1, 0, tlvs), "alpha", dialect)
    assert (fragment.source, fragment.destination) == ("+447700900123", "+447700900700")


def test_a_short_code_stays_one():
    ((body, tlvs),) = write_inbound("+447700900123", "60777", encoded("Hi"), BRITISH)
    assert read_fragment(Pdu(body, 1, 0, tlvs), "alpha", BRITISH).destination == "60777"
