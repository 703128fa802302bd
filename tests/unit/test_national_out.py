"""Texts that go out in national language shift tables: which tables, how many septets, and that they are read as meant."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp.dialect.dialect import Dialect, LongMessages, WireAlphabet
from smpp.dialect.fragments import read_message
from smpp.dialect.submissions import write_part
from smpp.wire.bodies import DeliverSm, SubmitSm
from smpp.wire.fields import PduError
from smpp.wire.pdu import Pdu
from sms.message import NO_SHIFTS, Alphabet, EncodedText, NationalLanguage, Shifts
from sms.national import characters_of, languages_of
from sms.outcome import Refused
from sms.parts import encode_text, encoded_parts, narrow_header
from sms.settings import Unencodable
from tests.kit.smpp import NOW, parts_of

TURKISH, SPANISH, PORTUGUESE = NationalLanguage.TURKISH, NationalLanguage.SPANISH, NationalLanguage.PORTUGUESE
HINDI, URDU = NationalLanguage.HINDI, NationalLanguage.URDU
NATIONAL = Dialect(national_shift=True)


def encode(text, *languages, unencodable=Unencodable.AUTO, max_parts=20, wide=False) -> EncodedText:
    encoded = encode_text(
        text,
        coding=Alphabet.GSM7,
        unencodable=unencodable,
        max_parts=max_parts,
        wide_reference=wide,
        languages=languages,
    )
    assert isinstance(encoded, EncodedText), encoded
    return encoded


def shown(encoded: EncodedText) -> str:
    """Return what a phone shows of the parts."""
    bodies = [DeliverSm(esm_class=0x40, short_message=part.udh + part.payload) for part in encoded_parts(encoded, 9)]
    return "".join(read_message(Pdu(body, 1, 0, ()), Dialect())[0] for body in bodies)


def submitted(part, dialect) -> tuple[SubmitSm, str]:
    """Return the submit_sm of a part, and the text that a centre reads in it."""
    body, tlvs = write_part(part, dialect, NOW)
    assert isinstance(body, SubmitSm)
    return body, read_message(Pdu(body, 1, 0, tlvs), dialect)[0]


@pytest.mark.parametrize(
    ("text", "languages", "shifts"),
    [
        ("Grüße für 5 €", (TURKISH, SPANISH), NO_SHIFTS),
        ("Işık ĞŞçİ", (TURKISH,), Shifts(locking=1)),
        ("ş", (TURKISH, SPANISH), Shifts(locking=1)),
        ("Ø ile ş", (TURKISH,), Shifts(single=1)),  # the locking table lacks Ø
        ("¿Está allí?", (SPANISH,), Shifts(single=2)),
        ("¿Está allí?", (TURKISH, SPANISH), Shifts(single=2)),
        ("coração", (PORTUGUESE,), Shifts(locking=3)),
        ("हिन्दी", (HINDI,), Shifts(locking=6)),
        ("०१ ह", (HINDI,), Shifts(locking=6, single=6)),
        ("\u0627\u0648", (URDU,), Shifts(locking=13)),
        ("ş", (), NO_SHIFTS),
        ("Жş", (TURKISH,), NO_SHIFTS),
        ("ş \U0001f6d1", (TURKISH,), NO_SHIFTS),
    ],
)
def test_a_text_has_the_tables_that_keep_it_and_cost_the_least(text, languages, shifts):
    encoded = encode(text, *languages)
    assert encoded.shifts == shifts
    if shifts != NO_SHIFTS:
        assert (encoded.text, encoded.replaced, encoded.alphabet) == (text, (), Alphabet.GSM7)
        assert shown(encoded) == text


def test_what_the_tables_lack_too_is_replaced_as_in_the_default_alphabet():
    encoded = encode("\u201cŞişli\u201d", TURKISH)
    assert (encoded.text, languages_of(encoded.shifts)) == ('"Şişli"', "turkish")
    assert [(item.old, item.new) for item in encoded.replaced] == [("\u201c", '"'), ("\u201d", '"')]


@pytest.mark.parametrize("unencodable", [Unencodable.REJECT, Unencodable.SWITCH, Unencodable.SIMPLE, Unencodable.SMART])
def test_whatever_would_become_of_the_letters_else_the_tables_have_them(unencodable):
    assert encode("Işık", TURKISH, unencodable=unencodable).text == "Işık"


def test_a_character_that_no_table_has_is_refused_where_it_is_to_be_refused():
    refused = encode_text(
        "ş Ж", coding=Alphabet.GSM7, unencodable=Unencodable.REJECT, max_parts=1, languages=(TURKISH,)
    )
    assert isinstance(refused, Refused)


def test_the_customers_ucs2_stays_ucs2():
    encoded = encode_text("ş", coding=Alphabet.UCS2, unencodable=Unencodable.AUTO, max_parts=1, languages=(TURKISH,))
    assert isinstance(encoded, EncodedText)
    assert (encoded.alphabet, encoded.shifts) == (Alphabet.UCS2, NO_SHIFTS)


@pytest.mark.parametrize(
    ("begin", "alone", "joined", "wide", "shifts"),
    [
        ("ş", 155, 149, 148, Shifts(locking=1)),
        ("०ह", 152, 146, 145, Shifts(locking=6, single=6)),
    ],
)
def test_a_header_leaves_the_septets_that_the_standard_says(begin, alone, joined, wide, shifts):
    language = next(one for one in NationalLanguage if one.identifier == shifts.locking)
    septets = len(encoded_parts(encode(begin, language))[0].payload)
    full = begin + "x" * (alone - septets)
    assert encode(full, language).lengths == (len(full),)
    assert encode(full, language).shifts == shifts
    more = encode(full + "x", language)
    assert len(encoded_parts(more)[0].payload) == joined
    assert len(encoded_parts(encode(full + "x", language, wide=True))[0].payload) == wide
    for part in (*encoded_parts(more), *encoded_parts(encode(full, language))):
        assert 8 * len(part.udh) + 7 * len(part.payload) <= 8 * 140


LETTERS = {
    language: sorted(characters_of(Shifts(language.identifier, language.identifier))) for language in NationalLanguage
}


@given(
    st.sampled_from(NationalLanguage).flatmap(
        lambda language: st.tuples(st.just(language), st.text(LETTERS[language], min_size=1, max_size=400))
    ),
    st.booleans(),
    st.integers(1, 9),
)
def test_what_goes_out_is_what_a_phone_shows_whole_and_within_its_parts(drawn, wide, max_parts):
    language, text = drawn
    encoded = encode_text(
        text,
        coding=Alphabet.GSM7,
        unencodable=Unencodable.AUTO,
        max_parts=max_parts,
        wide_reference=wide,
        languages=(language,),
    )
    if isinstance(encoded, Refused) or encoded.alphabet is Alphabet.UCS2:
        return
    if encoded.shifts != NO_SHIFTS:
        assert shown(encoded) == encoded.text
    for part in encoded_parts(encoded, 0xABCD):
        assert 8 * len(part.udh) + 7 * len(part.payload) <= 8 * 140
    assert len(encoded.lengths) <= max_parts


@pytest.mark.parametrize("wire", [WireAlphabet.GSM7, WireAlphabet.GSM7_PACKED])
@pytest.mark.parametrize("long_messages", [LongMessages.UDH, LongMessages.MESSAGE_PAYLOAD])
@pytest.mark.parametrize("length", [9, 40])
def test_a_carrier_that_takes_the_tables_gets_them_with_their_header(length, long_messages, wire):
    dialect = Dialect(national_shift=True, default_alphabet=wire, long_messages=long_messages)
    text = "Işık ĞŞç" * length
    submits = [submitted(part, dialect) for part in parts_of(text, languages=(TURKISH,))]
    assert "".join(read for _, read in submits) == text
    assert {(body.data_coding, body.esm_class) for body, _ in submits} == {(0, 0x40)}


def test_a_carrier_without_the_tables_gets_the_same_text_in_ucs2_if_it_fits_and_else_nothing():
    (part,) = parts_of("Işık ĞŞç", languages=(TURKISH,))
    assert part.shifts == Shifts(locking=1)
    body, read = submitted(part, Dialect())
    assert (body.data_coding, body.esm_class, read) == (8, 0, "Işık ĞŞç")
    (long,) = parts_of("ş" * 155, languages=(TURKISH,))
    with pytest.raises(PduError, match="UCS-2 has no room"):
        write_part(long, Dialect(), NOW)
    joined = parts_of("ş" * 60 + "x" * 100, languages=(TURKISH,))[1]
    body, _ = submitted(joined, Dialect())
    assert (body.data_coding, body.short_message[:6]) == (8, b"\x05\0\x03\x07\x02\x02")


def test_a_carrier_that_splits_texts_itself_gets_the_whole_text_in_ucs2():
    part = parts_of("ş" * 60 + "x" * 100, languages=(TURKISH,))[0]
    whole = replace(part, udh=b"", payload=part.payload * 2)
    body, read = submitted(whole, Dialect(long_messages=LongMessages.WHOLE))
    assert (body.data_coding, read[:60]) == (8, "ş" * 60)


def test_the_reference_is_narrowed_and_the_tables_stay():
    assert narrow_header(bytes.fromhex("09080412340201250101")) == bytes.fromhex("080003340201250101")
