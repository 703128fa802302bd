"""Network and price as carriers say them: in parameters of their own, as texts or numbers, or in words."""

import pytest

from smpp.dialect.charges import NO_CHARGES, Charges, read_charges
from smpp.dialect.dialect import Dialect
from smpp.wire.tlv import Tlv

TWO = Dialect(network_tags=(0x1403, 0x1404), price_tags=(0x1405, 0x1406))
ONE = Dialect(network_tags=(0x1403,), price_tags=(0x1405,))
PATTERN = Dialect(receipt_pattern="(?P<id>.)")


@pytest.mark.parametrize(
    ("dialect", "values", "words", "charges"),
    [
        (TWO, {0x1403: b"262\0", 0x1404: b"02\0", 0x1405: b"0.045\0", 0x1406: b"EUR\0"}, {}, ("26202", "0.045 EUR")),
        (TWO, {0x1403: b"\x01\x06", 0x1404: b"\x02"}, {}, ("26202", "")),
        (TWO, {0x1403: b"\x01\x36", 0x1404: b"\x01\x04"}, {}, ("310260", "")),
        (TWO, {0x1403: b"\x00\xca", 0x1404: b"A"}, {}, ("20265", "")),  # 65 is a number, though it reads as A
        (TWO, {0x1403: b"\x00\xd6", 0x1404: b"3"}, {}, ("21451", "")),
        (ONE, {0x1403: b"310260", 0x1405: b"0.02 USD"}, {}, ("310260", "0.02 USD")),
        (ONE, {0x1403: b"262-02"}, {}, ("", "")),
        (ONE, {0x1403: b"", 0x1405: b""}, {}, ("", "")),
        (ONE, {0x1405: b"\0"}, {}, ("", "0")),
        (ONE, {0x9999: b"x"}, {}, ("", "")),
        (Dialect(), {0x1403: b"26202"}, {"network": "26202"}, ("", "")),
        (PATTERN, {}, {"mcc": "262", "mnc": "02", "price": "1", "currency": "EUR"}, ("26202", "1 EUR")),
        (PATTERN, {}, {"network": "262 02", "price": " 0.1  EUR "}, ("26202", "0.1 EUR")),
        (PATTERN, {}, {"network": "o2"}, ("", "")),
    ],
)
def test_network_and_price_are_read_as_carriers_write_them(dialect, values, words, charges):
    assert read_charges([Tlv(tag, value) for tag, value in values.items()], dialect, words) == Charges(*charges)


def test_a_carrier_that_is_said_to_say_neither_says_neither():
    assert read_charges([Tlv(0x1403, b"26202")], Dialect(), {}) is NO_CHARGES
