"""What handsets write by national language shift tables is read as they wrote it (3GPP TS 23.038 annex A)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp.dialect.dialect import Dialect, WireAlphabet
from smpp.dialect.fragments import FragmentPlace, read_fragment, read_message
from smpp.wire.bodies import DeliverSm
from smpp.wire.packing import pack_septets
from smpp.wire.pdu import Pdu
from sms.alphabet import STANDARD, decode_gsm7
from sms.national import national_tables

TURKISH, SPANISH, PORTUGUESE, HINDI, URDU = 1, 2, 3, 6, 13
INDIAN = {
    4: "\u0995",
    5: "\u0a95",
    6: "\u0915",
    7: "\u0c95",
    8: "\u0d15",
    9: "\u0b15",
    10: "\u0a15",
    11: "\u0b95",
    12: "\u0c15",
}


def pdu_of(octets: bytes, *elements: bytes) -> Pdu:
    """Return a deliver_sm whose header has these information elements."""
    header = b"".join(elements)
    return Pdu(DeliverSm(esm_class=0x40, short_message=bytes([len(header)]) + header + octets), 1)


@pytest.mark.parametrize(
    ("locking", "single", "septets", "text"),
    [
        (0, TURKISH, b"I\x1bs\x1bik \x1bG\x1bS\x1bc\x1bI", "Işık ĞŞçİ"),
        (TURKISH, 0, b"I\x1d\x07k \x0b\x1c`@ \x04", "Işık ĞŞçİ €"),
        (0, SPANISH, b"\x1bAlava, ma\x7dana, \x1bu", "Álava, mañana, ú"),
        (SPANISH, 0, b"\x07\x04", "ìè"),
        (PORTUGUESE, PORTUGUESE, b"cora\x09{o \x15 \x1b\x12 \x18", "coração \u221e \u03a6 €"),
        (HINDI, HINDI, b"M_\x50O \x1b\x1c\x1b\x1d", "ह्ाऽ ०१"),
        (URDU, URDU, b"\x00\x53 \x1b\x1c", "\u0627\u0648 \u06f0"),
        (0, URDU, b"\x1b?\x1b;\x1b\x27", "\u06d4\u06cd\u060d"),
    ],
)
def test_a_text_in_each_kind_of_table(locking, single, septets, text):
    assert decode_gsm7(septets, national_tables(locking, single)) == text


@pytest.mark.parametrize("language", [1, *range(3, 14)])
def test_a_locking_table_has_a_character_for_each_septet_that_it_uses_and_letters_and_digits_where_all_have_them(
    language,
):
    locking = national_tables(language, 0).locking
    assert len(locking) == 128
    assert locking[0x61:0x7B] == "abcdefghijklmnopqrstuvwxyz"
    assert locking[0x30:0x3A] == "0123456789"
    used = [char for char in locking if char != "\ufffd"]
    assert len(set(used)) == len(used)


@pytest.mark.parametrize(("language", "ka"), INDIAN.items())
def test_the_scripts_of_india_have_their_letters_at_the_same_places(language, ka):
    tables = national_tables(language, language)
    assert tables.locking[0x15] == ka
    assert tables.single[0x41] == "A"
    assert tables.single[0x65] == "€"


@given(st.binary(max_size=40), st.integers(0, 255), st.integers(0, 255))
def test_any_octets_in_any_tables_are_a_text(octets, locking, single):
    decode_gsm7(octets, national_tables(locking, single))


def test_a_language_that_is_not_known_is_the_default_alphabet():
    assert national_tables(14, 200) == STANDARD
    assert national_tables(0, 0) is STANDARD


def test_the_tables_are_named_by_the_header_of_each_fragment():
    place = b"\x00\x03\x07\x02\x01"
    turkish = pdu_of(b"I\x1bs\x1bik \x0b", b"\x24\x01\x01", b"\x25\x01\x01", place)
    assert read_message(turkish, Dialect()) == ("Işık Ğ", FragmentPlace(7, 1, 2))
    assert read_fragment(turkish, "alpha", Dialect()).text == "Işık Ğ"
    plain = pdu_of(b"\x0b", place)
    assert read_message(plain, Dialect())[0] == "Ø"


def test_packed_septets_are_read_by_the_tables_too():
    header = b"\x24\x01\x01"
    octets = pack_septets(b"I\x1bs\x1bik", after_octets=1 + len(header))
    packed = Dialect(default_alphabet=WireAlphabet.GSM7_PACKED)
    assert read_message(pdu_of(octets, header), packed)[0] == "Işık"
