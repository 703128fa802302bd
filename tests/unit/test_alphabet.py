"""GSM-7 is the table of 3GPP TS 23.038, and what it lacks is answered in ways that never surprise."""

import unicodedata
from dataclasses import replace

import gsm0338
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.alphabet import (
    Became,
    Fitted,
    decode_gsm7,
    decode_ucs2,
    encode_gsm7,
    encode_ucs2,
    find_strange,
    fit_gsm7,
    fit_ucs2,
    gsm7_without,
    what_became,
)
from sms.message import Replacement
from sms.outcome import Refusal, Refused
from sms.parts import graphemes
from sms.settings import Unencodable

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ"
    "ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"
GSM7_TEXT = st.text(alphabet=BASIC + EXTENSION, max_size=300)
LOOSE_TEXT = st.text(
    alphabet=st.one_of(
        st.sampled_from(BASIC + EXTENSION), st.sampled_from("“”–…ôëáçœ\u0301\u200d🙂\t\x00東Жб"), st.characters()
    ),
    max_size=60,
)


def fit(text: str, answer: Unencodable) -> Fitted | Refused | None:
    return fit_gsm7(graphemes(text), answer)


def smart(text: str) -> Fitted:
    fitted = fit(text, Unencodable.SMART)
    assert isinstance(fitted, Fitted)
    return fitted


@pytest.mark.parametrize(
    ("text", "septets"),
    [
        ("@", "00"),
        ("£$¥", "010203"),
        ("\n\r", "0a0d"),
        ("Δ_Ω", "101115"),
        ("ÆæßÉ", "1c1d1e1f"),
        ("¤", "24"),
        ("¡Az§", "40417a5f"),
        ("¿à", "607f"),
        ("Hello", "48656c6c6f"),
        ("€", "1b65"),
        ("[]{}", "1b3c1b3e1b281b29"),
        ("\\^~|\f", "1b2f1b141b3d1b401b0a"),
        ("", ""),
    ],
)
def test_characters_have_the_septets_of_the_standard(text, septets):
    assert encode_gsm7(text) == bytes.fromhex(septets)
    assert decode_gsm7(bytes.fromhex(septets)) == text


def test_every_septet_is_one_character_and_back():
    for septet in set(range(128)) - {0x1B}:
        assert encode_gsm7(decode_gsm7(bytes((septet,)))) == bytes((septet,))
    assert len(set(BASIC + EXTENSION)) == 127 + 10


@pytest.mark.parametrize("text", ["`", "\t", "\x1b", "\x7f", "\x00", "ç", "á", "“", "\ud83d", "a`", "ä`"])
def test_what_gsm7_lacks_is_not_encoded(text):
    assert encode_gsm7(text) is None


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\x1b\x41", "A"),
        (b"\x1b", " "),
        (b"a\x1b", "a "),
        (b"\x1b\x1be", " e"),
        (b"\x1b\x1b\x1be", " €"),
        (b"\x80a", "\ufffda"),
        (b"\x1b\xff", "\ufffd"),
    ],
)
def test_a_stray_escape_or_octet_is_decoded_to_something(octets, text):
    assert decode_gsm7(octets) == text


@given(GSM7_TEXT)
def test_gsm7_text_survives_septets(text):
    septets = encode_gsm7(text)
    assert septets is not None
    assert decode_gsm7(septets) == text


@given(st.binary(max_size=200))
def test_any_octets_decode(octets):
    decode_gsm7(octets)
    decode_ucs2(octets)


@given(GSM7_TEXT)
def test_an_independent_codec_agrees(text):
    codec = gsm0338.Codec()
    assert encode_gsm7(text) == codec.encode(text)[0]


@given(st.text(max_size=100))
def test_ucs2_is_utf16_with_stand_ins_for_lone_surrogates(text):
    assert decode_ucs2(encode_ucs2(text)) == text
    assert encode_ucs2(text + "\ud83d") == encode_ucs2(text + "\ufffd")


@pytest.mark.parametrize(
    ("given_text", "sent"),
    [
        ("“Hi” ‘you’ „da“ «et»", '"Hi" \'you\' "da" "et"'),
        ("9–17 — 1‑2 − •", "9-17 - 1-2 - -"),
        ("wait…", "wait..."),
        ("a\u00a0b\u2009c\u3000d\u202fe", "a b c d e"),
        ("ôëáçâêîûÁÈŷŁđ", "oeaaeiuAEyLd".replace("oeaa", "oeaca")),
        ("éñü£Ö§ßÆø¿€", "éñü£Ö§ßÆø¿€"),
        ("ﬁﬂ œuvre Œ", "fifl oeuvre Oe"),
        ("½ ² ™ ① ⅔ №", "1/2 2 TM 1 2/3 No"),
        ("5 µm, 20 °C, ₤", "5 um, 20 oC, £"),
        ("it´s `so`", "it's 'so'"),
        ("© ®", "(C) (R)"),
        ("Привет", "Privet"),
        ("東京", "DongJing"),
        ("Γειά σου Κόσμε", "ΓEIA ΣOY KOΣME"),
        ("ＡＢＣ１２３", "ABC123"),
        ("ok 🙂", "ok ?"),
        ("ok 👨\u200d👩\u200d👧!", "ok ?!"),
        ("ok 👍🏽", "ok ?"),
        ("ok ✈\ufe0f", "ok ?"),
        ("1\ufe0f\u20e3 🇩🇪", "1 DE"),
        ("soft\u00adhy\u200bphen\ufeff", "softhyphen"),
        ("x\ue000", "x?"),
        ("x\ud83d", "x?"),
    ],
)
def test_smart_takes_the_nearest_relative_of_only_what_gsm7_lacks(given_text, sent):
    fitted = smart(given_text)
    assert fitted.text == sent
    assert encode_gsm7(fitted.text) is not None
    kept = [char for char in given_text if char in BASIC + EXTENSION]
    assert all(char in fitted.text for char in kept)


def test_a_replacement_says_where_in_the_text_as_given():
    fitted = smart("a…\r\n“e\u0301o\u0302”")
    assert fitted.text == 'a...\n"éo"'
    assert fitted.replaced == (
        Replacement(index=1, old="…", new="..."),
        Replacement(index=4, old="“", new='"'),
        Replacement(index=7, old="o\u0302", new="o"),
        Replacement(index=9, old="”", new='"'),
    )
    assert fitted.positions == (1, 5, 7, 8)


@pytest.mark.parametrize(
    ("given_text", "sent"),
    [
        ("e\u0301a\u0300n\u0303", "éàñ"),
        ("A\u030a\u212b\u2126", "ÅÅΩ"),
        ("a\r\nb\rc\u2028d\x85e\vf", "a\nb\nc\nd\ne\nf"),
    ],
)
@pytest.mark.parametrize("answer", list(Unencodable))
def test_composition_and_line_ends_are_no_replacement(given_text, sent, answer):
    assert fit(given_text, answer) == Fitted(text=sent)


@pytest.mark.parametrize("answer", list(Unencodable))
def test_invisible_characters_never_cost_an_alphabet(answer):
    assert fit("a\tb\x07c\u00add\u200be\u200df\x7f", answer) == Fitted(
        text="a bcdef",
        replaced=(
            Replacement(index=1, old="\t", new=" "),
            Replacement(index=3, old="\x07", new=""),
            Replacement(index=5, old="\u00ad", new=""),
            Replacement(index=7, old="\u200b", new=""),
            Replacement(index=8, old="e\u200d", new="e"),
            Replacement(index=11, old="\x7f", new=""),
        ),
        positions=(1, 3, 4, 5, 5, 7),
    )


@pytest.mark.parametrize(("old", "text"), [("\x00", "a\x00"), ("\ud83d", "a\ud83d")])
def test_what_no_database_takes_is_recorded_as_the_replacement_character(old, text):
    assert smart(text).replaced[0].old == "\ufffd"
    assert fit_ucs2(text).replaced[0].old == "\ufffd"
    assert old not in fit_ucs2(text).text


@pytest.mark.parametrize(
    ("given_text", "sent"),
    [("“Hi” …", " Hi   "), ("ô\u0323x", " x"), ("ok 👨\u200d👩\u200d👧!", "ok  !"), ("tel 東京 12", "tel    12")],
)
def test_simple_puts_one_blank_for_each_character_a_reader_sees(given_text, sent):
    fitted = fit(given_text, Unencodable.SIMPLE)
    assert isinstance(fitted, Fitted)
    assert fitted.text == sent


def test_switch_gives_up_gsm7_only_where_it_lacks_something():
    assert fit("Grüße für 5 €", Unencodable.SWITCH) == Fitted(text="Grüße für 5 €")
    assert fit("“Grüße”", Unencodable.SWITCH) is None


def test_reject_names_the_first_characters_and_their_places():
    refused = fit("ab “c” e\u0302 🙂 …", Unencodable.REJECT)
    assert refused == Refused(
        refusal=Refusal.NOT_ENCODABLE,
        detail="The GSM-7 alphabet lacks U+201C LEFT DOUBLE QUOTATION MARK (character 4), "
        "U+201D RIGHT DOUBLE QUOTATION MARK (character 6), U+00EA LATIN SMALL LETTER E WITH CIRCUMFLEX (character 8) "
        "and 2 more: change the text or send it in UCS-2.",
    )


@pytest.mark.parametrize("text", ["東京", "Привет, мир!", "  🙂 …", "🙂"])
def test_a_text_of_which_simple_would_leave_nothing_is_refused(text):
    refused = fit(text, Unencodable.SIMPLE)
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.NOT_ENCODABLE


@pytest.mark.parametrize("text", ["🙂", "🙂🙂!", "\ue000 ..."])
def test_a_text_of_which_smart_would_leave_only_stand_ins_is_refused(text):
    refused = fit(text, Unencodable.SMART)
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.NOT_ENCODABLE


def test_a_text_of_punctuation_alone_is_not_refused():
    assert fit("?!", Unencodable.SMART) == Fitted(text="?!")
    assert smart("5 € 🙂").text == "5 € ?"
    assert smart("€🙂").text == "€?"


@pytest.mark.parametrize(
    ("given_text", "sent"),
    [
        ("Zażółć gęślą jaźń – „tak”…", 'Zazolc gesla jazn - "tak"...'),
        ("İstanbul'da kapı açık, güvenliğe uğrayın", "Istanbul'da kapi acik, güvenlige ugrayin"),
        ("Ærøskøbing, þú, đường, œuf, ﬁn", "Ærøskøbing, thu, duong, oeuf, fin"),
        ("ΑΘΗΝΑ ΓΔ", "AΘHNA ΓΔ"),
        ("x\u030cy, e\u0301, 1\ufe0f\u20e3", "xy, é, 1"),
        ("\u200eHi\u200f", "Hi"),
        ("½ × 3 → 5 ≠ 6, 7 ₽ © ™", "1/2 x 3 -> 5 <> 6, 7 RUB (C) TM"),
        ("٤ ４ ؟", "4 4 ?"),
        ("…", "..."),
    ],
)
def test_auto_takes_the_relatives_of_letters_and_signs(given_text, sent):
    fitted = fit(given_text, Unencodable.AUTO)
    assert isinstance(fitted, Fitted)
    assert fitted.text == sent
    assert {what_became(one) for one in fitted.replaced} <= {Became.RELATIVE, Became.LEFT_OUT}


OTHER_SCRIPTS = ["Привет", "Γειά σου", "مرحبا", "שלום", "四号门", "한국어", "ไทย", "गेट 4", "\u0301a"]
SYMBOLS = ["🙂", "👩\u200d💻 ok", "🇩🇪", "👍🏽", "❤\ufe0f", "✓ done", "\uf04a", "⚠ Pump 2"]


@pytest.mark.parametrize("text", OTHER_SCRIPTS + SYMBOLS)
def test_auto_gives_up_gsm7_for_another_script_or_an_emoji(text):
    assert fit(text, Unencodable.AUTO) is None


@pytest.mark.parametrize("text", [f"Gate 4 {text} é" for text in OTHER_SCRIPTS[:-1]])
def test_letters_of_another_script_are_never_left_out(text):
    assert fit_gsm7(graphemes(text), Unencodable.AUTO, leave_out=True) is None


@pytest.mark.parametrize("symbol", ["🙂", "👩\u200d💻", "🇩🇪", "👍🏽", "❤\ufe0f", "✓", "\uf04a"])
def test_emoji_and_symbols_can_be_left_out_where_something_remains(symbol):
    fitted = fit_gsm7(graphemes(f"ô{symbol}!"), Unencodable.AUTO, leave_out=True)
    assert isinstance(fitted, Fitted)
    assert fitted.text == "o!"
    assert [what_became(one) for one in fitted.replaced] == [Became.RELATIVE, Became.LEFT_OUT]
    assert fit_gsm7(graphemes(f"{symbol} {symbol}!"), Unencodable.AUTO, leave_out=True) is None


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("a 🙂 ô", "a o"),
        ("a 🙂🙂 ❤ ô", "a o"),
        ("a🙂 ô", "a o"),
        ("🙂 ô 🙂", "o "),
        ("a  🙂 ô\n🙂 b", "a  o\nb"),
    ],
)
def test_what_is_left_out_leaves_no_blanks_side_by_side(given, text):
    fitted = fit_gsm7(graphemes(given), Unencodable.AUTO, leave_out=True)
    assert isinstance(fitted, Fitted)
    assert fitted.text == text


@pytest.mark.parametrize("answer", [Unencodable.AUTO, Unencodable.SMART])
@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("3½ l, ½ l", "3 1/2 l, 1/2 l"),
        ("5 m² C₆H₁₂O₆ 10\u2009²", "5 m2 C6H12O6 10 2"),
        ("5‰", "5 0/00"),
        ("① A", "1 A"),
    ],
)
def test_a_number_is_never_read_as_one_with_the_digit_beside_it(given, text, answer):
    fitted = fit(given, answer)
    assert isinstance(fitted, Fitted)
    assert fitted.text == text


@pytest.mark.parametrize("given", ["10³ kg", "Note 1²", "7①", "①5 Uhr", "10²³"])
def test_a_raised_or_circled_digit_beside_a_digit_has_no_relative(given):
    assert fit(given, Unencodable.AUTO) is None
    fitted = fit(given, Unencodable.SMART)
    assert isinstance(fitted, Fitted)
    assert "?" in fitted.text
    assert find_strange(graphemes(given), Unencodable.AUTO) == (next(c for c in given if not c.isascii()),)


@pytest.mark.parametrize(
    ("old", "new", "became"),
    [
        ("á", "a", Became.RELATIVE),
        ("\u00a0", " ", Became.RELATIVE),
        ("\t", " ", Became.RELATIVE),
        ("？", "?", Became.RELATIVE),
        ("؟", "?", Became.RELATIVE),
        ("🎉", "?", Became.STAND_IN),
        ("\ufffd", "\ufffd", Became.STAND_IN),
        ("🎉", " ", Became.BLANK),
        ("🎉", "", Became.LEFT_OUT),
    ],
)
def test_a_question_mark_is_a_relative_of_question_marks_alone(old, new, became):
    assert what_became(Replacement(index=0, old=old, new=new)) is became


@pytest.mark.parametrize(
    ("codec", "answer", "given_text", "sent"),
    [
        ("latin-1", Unencodable.AUTO, "Grüße, 5 €", "Grüße, 5 EUR"),
        ("latin-1", Unencodable.SMART, "Grüße, 5 € Ω", "Grüße, 5 EUR O"),
        ("latin-1", Unencodable.SIMPLE, "Grüße, 5 €", "Grüße, 5  "),
        ("latin-1", Unencodable.SWITCH, "Grüße, 5 €", None),
        ("latin-1", Unencodable.AUTO, "5 Ω", None),
        ("ascii", Unencodable.AUTO, "Grüße, ¿5 £ [ok]?", "Grusse, ?5 GBP [ok]?"),
    ],
)
def test_what_a_carrier_lacks_of_gsm7_is_answered_as_what_gsm7_lacks(codec, answer, given_text, sent):
    fitted = fit_gsm7(graphemes(given_text), answer, lacking=gsm7_without(codec))
    assert sent == (fitted.text if isinstance(fitted, Fitted) else fitted)
    if isinstance(fitted, Fitted):
        fitted.text.encode(codec)


@given(GSM7_TEXT, st.sampled_from(["latin-1", "ascii"]), st.sampled_from(Unencodable))
def test_no_answer_leaves_what_the_carrier_lacks(text, codec, answer):
    fitted = fit_gsm7(graphemes(text), answer, lacking=gsm7_without(codec))
    if isinstance(fitted, Fitted):
        assert fitted.text.encode(codec).decode(codec) == fitted.text


@pytest.mark.parametrize(
    ("decomposed", "composed"),
    [
        ("".join(map(chr, (0x1112, 0x1161, 0x11AB))), "한"),
        ("Воро\u0438\u0306 e\u0301", "Ворой é"),
        ("q\u0323\u0307", "q\u0323\u0307"),
        ("\u0915\u093c \u05e9\u05c1", "\u0915\u093c \u05e9\u05c1"),  # excluded from composition
        ("\u0958 \ufb2a", "\u0958 \ufb2a"),  # would become longer
        ("\ufa19", "\ufa19"),  # NFC takes another form of the ideograph
    ],
)
def test_ucs2_composes_what_is_decomposed_and_changes_nothing_else(decomposed, composed):
    assert fit_ucs2(decomposed, clusters_of=graphemes) == Fitted(text=composed)


def test_ucs2_loses_only_controls():
    fitted = fit_ucs2("a\r\nb\tc\x00d\x85“🙂”\u200d\f")
    assert fitted.text == "a\nb cd\n“🙂”\u200d\f"
    assert fitted.replaced == (Replacement(index=4, old="\t", new=" "), Replacement(index=6, old="\ufffd", new=""))
    assert fitted.positions == (3, 5)


@given(LOOSE_TEXT, st.sampled_from(list(Unencodable)))
def test_replacements_explain_the_whole_difference(text, answer):
    fitted = fit(text, answer)
    if not isinstance(fitted, Fitted):
        assert answer is not Unencodable.SWITCH or fitted is None
        return
    assert encode_gsm7(fitted.text) is not None
    assert "\r" not in fitted.text
    rebuilt, end = "", 0
    for one, position in zip(fitted.replaced, fitted.positions, strict=True):
        before = unicodedata.normalize(
            "NFC",
            "".join("\n" if part in "\r\n\v\x85\u2028\u2029" else part for part in graphemes(text[end : one.index])),
        )
        rebuilt += before
        assert len(rebuilt) == position
        rebuilt += one.new
        end = one.index + len(one.old)
    rebuilt += unicodedata.normalize(
        "NFC", "".join("\n" if part in "\r\n\v\x85\u2028\u2029" else part for part in graphemes(text[end:]))
    )
    assert rebuilt == fitted.text


def one_by_one(text: str, answer: Unencodable) -> Fitted | None:
    """Fit each cluster on its own, beside a letter so that no text is without meaning."""
    fitted, index = Fitted(text=""), 0
    for cluster in graphemes(text):
        alone = fit_gsm7((cluster, "a"), answer)
        if not isinstance(alone, Fitted):
            return None
        fitted = Fitted(
            text=fitted.text + alone.text[:-1],
            replaced=fitted.replaced + tuple(replace(one, index=index) for one in alone.replaced),
            positions=fitted.positions + (len(fitted.text),) * len(alone.replaced),
        )
        index += len(cluster)
    return fitted


LONG_CLUSTER = "e" + "\u0301" * 10


@given(st.lists(st.one_of(LOOSE_TEXT, st.just(LONG_CLUSTER)), max_size=5).map("".join), st.sampled_from(Unencodable))
def test_a_text_is_fitted_as_its_clusters_are_one_by_one(text, answer):
    text += "\na"  # with a meaning, whatever is before
    fitted = fit(text, answer)
    assert (fitted if isinstance(fitted, Fitted) else None) == one_by_one(text, answer)


@given(LOOSE_TEXT, st.integers(0, 60))
def test_replacements_are_recorded_as_far_as_they_are_wanted(text, reach):
    fitted = fit(text, Unencodable.SMART)
    if isinstance(fitted, Fitted):
        near = [pair for pair in zip(fitted.replaced, fitted.positions, strict=True) if pair[1] <= reach]
        assert fit_gsm7(graphemes(text), Unencodable.SMART, reach=reach) == Fitted(
            text=fitted.text,
            replaced=tuple(one for one, _ in near),
            positions=tuple(position for _, position in near),
        )


@given(LOOSE_TEXT)
def test_fitting_twice_changes_nothing_more(text):
    fitted = fit(text, Unencodable.SMART)
    if isinstance(fitted, Fitted):
        again = fit(fitted.text, Unencodable.REJECT)
        assert again == Fitted(text=fitted.text)
    wide = fit_ucs2(text)
    assert fit_ucs2(wide.text) == Fitted(text=wide.text)


@given(GSM7_TEXT.filter(lambda text: "\r" not in text), st.sampled_from(list(Unencodable)))
def test_what_gsm7_has_is_never_touched(text, answer):
    assert fit(text, answer) == Fitted(text=text)
