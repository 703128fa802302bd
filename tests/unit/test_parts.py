"""A text becomes parts of exactly the standard's sizes, cut where a reader sees no cut."""

import json
import unicodedata

import pytest
import regex
import smpplib.gsm
from hypothesis import assume, given
from hypothesis import strategies as st

from sms.alphabet import decode_gsm7, decode_ucs2, encode_gsm7, gsm7_without
from sms.message import Alphabet, EncodedText
from sms.outcome import Refusal, Refused
from sms.parts import encode_text, encoded_parts, graphemes, parts_again
from sms.settings import Unencodable

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
GSM7 = "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !#¤%&'()*+,-./0189:;<=>?¡AZÄÖÑÜ§¿azäöñüà"
EXTENDED = "^{}\\[~]|€\f"
GSM7_TEXT = st.text(alphabet=st.one_of(st.sampled_from(GSM7), st.sampled_from(EXTENDED)), min_size=1, max_size=700)
ANY_TEXT = st.lists(
    st.one_of(
        st.sampled_from(["a", "b ", "e\u0301", "🙂", FAMILY, "🇩🇪", "東", "นี้", "\r\n", "\u200d", "1\ufe0f\u20e3", "€"]),
        st.characters(exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=250,
).map("".join)


def encode(
    text: str,
    *,
    coding: Alphabet = Alphabet.GSM7,
    unencodable: Unencodable = Unencodable.SMART,
    max_parts: int = 20,
    wide: bool = False,
) -> EncodedText:
    encoded = encode_text(text, coding=coding, unencodable=unencodable, max_parts=max_parts, wide_reference=wide)
    assert isinstance(encoded, EncodedText), encoded
    return encoded


def lengths(encoded: EncodedText) -> list[int]:
    divisor = 1 if encoded.alphabet is Alphabet.GSM7 else 2
    return [len(part.payload) // divisor for part in encoded_parts(encoded)]


@pytest.mark.parametrize(
    ("text", "wide", "expected"),
    [
        ("a" * 160, False, [160]),
        ("a" * 161, False, [153, 8]),
        ("a" * 306, False, [153, 153]),
        ("a" * 307, False, [153, 153, 1]),
        ("a" * 160, True, [160]),
        ("a" * 161, True, [152, 9]),
        ("a" * 305, True, [152, 152, 1]),
        ("€" * 80, False, [160]),
        ("€" * 81, False, [152, 10]),
        ("a" * 152 + "€" + "b" * 10, False, [152, 12]),
        ("a" * 151 + "€" + "b" * 10, False, [153, 10]),
        ("a" * 151 + "€" + "b" * 10, True, [151, 12]),
    ],
)
def test_gsm7_parts_have_the_septets_of_the_standard(text, wide, expected):
    assert lengths(encode(text, wide=wide)) == expected


@pytest.mark.parametrize(
    ("text", "wide", "expected"),
    [
        ("ж" * 70, False, [70]),
        ("ж" * 71, False, [67, 4]),
        ("ж" * 134, False, [67, 67]),
        ("ж" * 135, False, [67, 67, 1]),
        ("ж" * 70, True, [70]),
        ("ж" * 71, True, [66, 5]),
        ("🙂" * 35, False, [70]),
        ("🙂" * 36, False, [66, 6]),
        ("ж" * 66 + "🙂" + "ж" * 10, False, [66, 12]),
        ("ж" * 60 + FAMILY + "ж", False, [60, 12]),
        ("ж" * 66 + "x\u0301" + "ж" * 10, False, [66, 12]),
        ("ж" * 66 + "🇩🇪" + "ж" * 10, False, [66, 14]),
        ("x" + "\u0301" * 200, False, [67, 67, 67]),
        ("🙂" + "\U0001f3fd\u200d🙂" * 40, False, [67, 67, 66, 2]),
    ],
)
def test_ucs2_parts_have_the_units_of_the_standard(text, wide, expected):
    encoded = encode(text, coding=Alphabet.UCS2, wide=wide)
    assert encoded.alphabet is Alphabet.UCS2
    assert lengths(encoded) == expected
    assert "".join(part.text for part in encoded_parts(encoded)) == text


def test_one_part_alone_has_no_header():
    (part,) = encoded_parts(encode("Hello"), 77)
    assert (part.text, part.udh, part.payload) == ("Hello", b"", b"Hello")


def test_parts_carry_an_eight_bit_reference():
    parts = encoded_parts(encode("a" * 400), 0xAB)
    assert [part.udh.hex() for part in parts] == ["050003ab0301", "050003ab0302", "050003ab0303"]


def test_parts_carry_a_sixteen_bit_reference_where_asked():
    parts = encoded_parts(encode("a" * 161, wide=True), 0xABCD)
    assert [part.udh.hex() for part in parts] == ["060804abcd0201", "060804abcd0202"]


@given(ANY_TEXT, st.integers(1, 6), st.booleans(), st.sampled_from(list(Alphabet)), st.integers(0, 65535))
def test_each_of_several_parts_has_the_reference_and_its_place(text, max_parts, wide, coding, reference):
    encoded = encode_text(text, coding=coding, unencodable=Unencodable.AUTO, max_parts=max_parts, wide_reference=wide)
    if isinstance(encoded, EncodedText):
        total = len(encoded.lengths)
        begin = b"\x06\x08\x04" + reference.to_bytes(2, "big") if wide else bytes((5, 0, 3, reference & 0xFF))
        headers = [begin + bytes((total, index)) for index in range(1, total + 1)] if total > 1 else [b""]
        assert [part.udh for part in encoded_parts(encoded, reference)] == headers
        assert encoded.wide == (wide and total > 1)


def test_a_wide_split_takes_a_narrow_reference():
    wide = encode("a" * 161, wide=True)
    narrow = parts_again(wide.text, wide.alphabet, wide.lengths, 9, wide=False)
    assert [part.udh.hex() for part in narrow] == ["050003090201", "050003090202"]


@pytest.mark.parametrize("reference", [-1, 65536])
def test_a_reference_that_does_not_fit_is_an_error(reference):
    with pytest.raises(OverflowError):
        encoded_parts(encode("a" * 161, wide=True), reference)


@pytest.mark.parametrize("max_parts", [0, -1, 256])
def test_a_number_of_parts_that_no_header_can_hold_is_an_error(max_parts):
    with pytest.raises(ValueError, match="max_parts"):
        encode("a", max_parts=max_parts)


@pytest.mark.parametrize(
    ("text", "coding", "max_parts", "sent"),
    [
        ("a" * 200, Alphabet.GSM7, 1, 160),
        ("a" * 159 + "€", Alphabet.GSM7, 1, 159),
        ("a" * 400, Alphabet.GSM7, 2, 306),
        ("a" * 152 + "€" * 100, Alphabet.GSM7, 2, 152 + 76),
        ("ж" * 100, Alphabet.UCS2, 1, 70),
        ("ж" * 69 + "🙂", Alphabet.UCS2, 1, 69),
        ("ж" * 200, Alphabet.UCS2, 2, 134),
        ("ж" * 133 + "🙂" + "ж", Alphabet.UCS2, 2, 133),
    ],
)
def test_a_long_text_is_cut_and_the_cut_is_kept(text, coding, max_parts, sent):
    encoded = encode(text, coding=coding, max_parts=max_parts)
    assert len(encoded.lengths) == max_parts
    assert encoded.text == text[:sent]
    assert encoded.cut == text[sent:]
    assert all(
        part.udh[-2:] == bytes((max_parts, index)) for index, part in enumerate(encoded_parts(encoded), 1) if part.udh
    )


def test_only_replacements_within_the_sent_text_are_told():
    encoded = encode("“" + "a" * 158 + "”" + "…", max_parts=1)
    assert [(one.index, one.new) for one in encoded.replaced] == [(0, '"'), (159, '"')]
    assert encoded.cut == "..."


@pytest.mark.parametrize("text", ["", " ", "\r\n \t\n", "\u00a0\u3000", "\x00\x07", "\u200b"])
@pytest.mark.parametrize("unencodable", list(Unencodable))
@pytest.mark.parametrize("coding", list(Alphabet))
def test_a_text_that_shows_nothing_is_refused(text, unencodable, coding):
    outcome = encode_text(text, coding=coding, unencodable=unencodable, max_parts=4)
    assert isinstance(outcome, Refused)
    assert outcome.refusal is Refusal.NO_TEXT or (outcome.refusal is Refusal.NOT_ENCODABLE and "\u00a0" in text)


def test_smart_keeps_a_text_of_seventy_characters_in_one_part():
    text = "Treffpunkt 9–10 Uhr am Tor"
    assert encode(text).text == "Treffpunkt 9-10 Uhr am Tor"
    assert encode(text).alphabet is Alphabet.GSM7


def test_switch_sends_the_whole_text_in_ucs2_as_it_was():
    encoded = encode("9–10 Grüße", unencodable=Unencodable.SWITCH)
    assert encoded.alphabet is Alphabet.UCS2
    assert encoded.text == "9–10 Grüße"
    assert encoded.replaced == ()


def test_ucs2_is_kept_where_it_is_set_even_where_gsm7_would_do():
    assert encoded_parts(encode("Hello", coding=Alphabet.UCS2))[0].payload == "Hello".encode("utf-16-be")


def test_reject_refuses_and_sends_nothing():
    outcome = encode_text("9–10", coding=Alphabet.GSM7, unencodable=Unencodable.REJECT, max_parts=4)
    assert isinstance(outcome, Refused)
    assert outcome.refusal is Refusal.NOT_ENCODABLE


def test_line_ends_become_one_character():
    assert encoded_parts(encode("a\r\nb\rc"))[0].payload == b"a\nb\nc"


def decoded(encoded: EncodedText) -> str:
    decode = decode_gsm7 if encoded.alphabet is Alphabet.GSM7 else decode_ucs2
    return "".join(decode(part.payload) for part in encoded_parts(encoded))


@given(GSM7_TEXT, st.integers(1, 6), st.booleans())
def test_gsm7_parts_join_to_the_text(text, max_parts, wide):
    assume(not text.isspace())
    encoded = encode(text, max_parts=max_parts, wide=wide)
    assert encoded.text + encoded.cut == text
    assert "".join(part.text for part in encoded_parts(encoded)) == encoded.text == decoded(encoded)
    limit = 160 if len(encoded.lengths) == 1 else 152 if wide else 153
    assert max(lengths(encoded)) <= limit
    assert len(encoded.lengths) == max_parts or not encoded.cut
    rests = [part.text for part in encoded_parts(encoded)[1:]] + ([encoded.cut] if encoded.cut else [])
    for part, rest in zip(encoded_parts(encoded), rests, strict=False):
        first = encode_gsm7(rest[0])
        assert first is not None
        assert len(part.payload) + len(first) > limit, "a part ends only where the next character does not fit"


@given(ANY_TEXT, st.integers(1, 6), st.booleans(), st.sampled_from(list(Alphabet)), st.sampled_from(list(Unencodable)))
def test_parts_of_any_text_join_and_end_between_what_a_reader_sees(text, max_parts, wide, coding, unencodable):
    encoded = encode_text(text, coding=coding, unencodable=unencodable, max_parts=max_parts, wide_reference=wide)
    if isinstance(encoded, Refused):
        return
    single = len(encoded.lengths) == 1
    whole = encoded.text + encoded.cut
    assert "".join(part.text for part in encoded_parts(encoded)) == encoded.text == decoded(encoded)
    if encoded.alphabet is Alphabet.GSM7:
        limit = 160 if single else 152 if wide else 153
    else:
        limit = 70 if single else 66 if wide else 67
    assert max(lengths(encoded)) <= limit
    borders = {0}
    for cluster in regex.findall(r"\X", whole):
        units = len(cluster.encode("utf-16-be")) // 2
        start = max(borders)
        borders |= set(range(start, start + len(cluster) + 1)) if units > limit else {start + len(cluster)}
    end = 0
    for part in encoded_parts(encoded):
        end += len(part.text)
        assert end in borders


@given(st.text(alphabet=GSM7.replace("§", ""), min_size=1, max_size=700).filter(lambda text: not text.isspace()))
def test_smpplib_agrees_where_no_escape_can_be_split(text):
    """Intended differences: smpplib splits escape pairs, surrogate pairs and clusters, and lacks §."""
    theirs, _, _ = smpplib.gsm.make_parts(text)
    ours = encode(text)
    headers = [part[:6] if len(theirs) > 1 else b"" for part in theirs]
    assert [part.payload for part in encoded_parts(ours)] == [
        part[len(header) :] for part, header in zip(theirs, headers, strict=True)
    ]
    assert [part.udh[:3] + part.udh[4:] for part in encoded_parts(ours)] == [
        header[:3] + header[4:] for header in headers
    ]


@given(ANY_TEXT)
def test_what_is_recorded_can_be_stored(text):
    encoded = encode_text(text + "\ud83d\x00x", coding=Alphabet.GSM7, unencodable=Unencodable.SWITCH, max_parts=20)
    if isinstance(encoded, EncodedText):
        stored = json.dumps([encoded.text, encoded.cut, [one.old for one in encoded.replaced]], ensure_ascii=False)
        assert "\\u0000" not in stored
        stored.encode()


def test_clusters_are_what_a_reader_takes_for_one_character():
    assert graphemes("e\u0301🇩🇪" + FAMILY + "\r\nนี้") == ["e\u0301", "🇩🇪", FAMILY, "\r\n", "นี้"]


ALARM = "⚠ Pump 2 stopped, ✅ pump 3 runs"


def test_auto_keeps_emoji_in_ucs2_where_the_text_fits():
    encoded = encode(ALARM, unencodable=Unencodable.AUTO, max_parts=1)
    assert (encoded.alphabet, encoded.text, encoded.replaced) == (Alphabet.UCS2, ALARM, ())


def test_auto_leaves_emoji_out_where_ucs2_would_cut_the_text():
    encoded = encode(ALARM + "." * 60, unencodable=Unencodable.AUTO, max_parts=1)
    assert (encoded.alphabet, encoded.text) == (Alphabet.GSM7, "Pump 2 stopped, pump 3 runs" + "." * 60)
    assert [(one.old, one.new) for one in encoded.replaced] == [("⚠ ", ""), ("✅ ", "")]
    assert encoded.cut == ""


@pytest.mark.parametrize("text", ["Ворота 4 🙂 " * 10, "🙂 " * 60])
def test_auto_cuts_ucs2_where_letters_or_the_whole_text_would_be_left_out(text):
    encoded = encode(text, unencodable=Unencodable.AUTO, max_parts=1)
    assert encoded.alphabet is Alphabet.UCS2
    assert encoded.text + encoded.cut == text


def test_a_decomposed_text_takes_no_more_parts_than_a_composed_one():
    text = "한국어" * 22
    assert encode(unicodedata.normalize("NFD", text), coding=Alphabet.UCS2) == encode(text, coding=Alphabet.UCS2)


def test_what_a_carrier_lacks_is_replaced_before_the_text_is_split():
    encoded = encode_text(
        "€" * 60, coding=Alphabet.GSM7, unencodable=Unencodable.AUTO, max_parts=2, lacking=gsm7_without("latin-1")
    )
    assert isinstance(encoded, EncodedText)
    assert encoded.text == "EUR" * 60
    assert [part.payload for part in encoded_parts(encoded)] == [b"EUR" * 51, b"EUR" * 9]
