"""Words that stop, start and help, and keywords, as they are recognised in what people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbound.actions import ActionKind, AnswerAction
from inbound.answers import STANDARD_ANSWERS, answer_text
from inbound.opt_words import OPT_WORDS, OptKind
from inbound.words import fold, is_courtesy, opens, read_opt_request, read_opt_text, split_words
from tests.kit.effort import cost_of


def asked(text):
    request = read_opt_request(split_words(text))
    return None if request is None else request.kind


ALL_WORDS = [
    pytest.param(kind, word, id=f"{kind}-{language}-{word}")
    for kind, by_language in OPT_WORDS.items()
    for language, words in by_language.items()
    for word in words
]


@pytest.mark.parametrize(("kind", "word"), ALL_WORDS)
def test_each_word_of_each_language_counts_in_any_case_with_any_punctuation(kind, word):
    for text in (
        word,
        word.lower(),
        word.title(),
        f" {word}. ",
        f"“{word}”!",
        f"«{word}»",
        f"'{word}'\r\n",
        f"*{word}*",
    ):
        assert asked(text) is kind, text


@pytest.mark.parametrize(
    "text",
    [
        "Stop, thanks", "STOP please", "please stop", "Stop texting me", "stop sending me messages", "STOP STOP STOP",
        "ＳＴＯＰ", "S\u200bTOP", "stop 🙏", "Stop. Thank you", "opt-out", "Opt Out please", "arrêt merci", "ARRET svp",
        "bitte stopp", "STOP bitte", "στοπ", "ΣΤΟΠ παρακαλώ", "İptal", "ıptal", "iptal lütfen", "стоп, пожалуйста", "no más",
        "parar por favor", "huỷ", "HỦY", "หยุด ครับ", "إلغاء", "الغاء", "Stop!!!", "-stop-", "(STOP)", "stop all",
    ],
)  # fmt: skip
def test_a_stop_counts_with_courtesy_accents_width_and_punctuation(text):
    assert asked(text) is OptKind.STOP


@pytest.mark.parametrize(
    "text",
    [
        "STOP 12345", "stop ads", "Stop by my office at 5", "Don't stop", "please don't stop", "Please do not stop", "Nonstop",
        "The bus stop is closed", "stop the presses", "At the next stop", "End of the month", "The END", "END thanks",
        "No thanks", "no problem", "No, I can't", "yes please", "info please", "More info", "REMOVE the box", "quit joking",
        "I quit my job", "cancel my appointment on Monday", "Can I cancel tomorrow?", "Cancel 4711", "uit eten?", "ret mig",
        "fin de semana", "Ende gut, alles gut", "Baja California", "si claro", "oui merci", "dur dur", "R u there", "td bank",
        "unsubscribed yesterday", "stopwatch", "Could you stop by?", "What time does it stop raining", "STOP Anna", "Halt",
        "s t o p", "S.T.O.P. sign ahead", "", "   ", "...", "👍",
    ],
)  # fmt: skip
def test_a_text_that_only_has_such_a_word_asks_for_nothing(text):
    assert asked(text) is None


@pytest.mark.parametrize(
    "signature",
    [
        "\n\nSent from my phone",
        "\r\n\r\nAnna",
        "\n--\nAnna",
        "\n-- \nAnna",
        "\nSent from my phone",
        "\nGesendet von unterwegs",
    ],
)
def test_a_signature_below_a_stop_changes_nothing_and_an_ordinary_word_stands_alone(signature):
    for text, kind in (("Stop", OptKind.STOP), ("STOP please", OptKind.STOP), ("Hilfe", OptKind.HELP)):
        found = read_opt_text(text + signature)
        assert found is not None
        assert found.kind is kind
    for text in ("End", "Info", "Stop it", "See you", ""):
        assert read_opt_text(text + signature) is None


@pytest.mark.parametrize("text", ["Stop\nAnna", "STOP\n12345", "Thanks\n\nStop by at five", "stop\n- the milk"])
def test_another_line_is_no_signature(text):
    assert read_opt_text(text) is None


def test_no_word_asks_for_two_things():
    kinds: dict[str, set[OptKind]] = {}
    for kind, by_language in OPT_WORDS.items():
        for words in by_language.values():
            for word in words:
                kinds.setdefault(fold(word), set()).add(kind)
    assert [word for word, found in kinds.items() if len(found) > 1] == []


def test_the_languages_of_a_word_are_those_that_have_it():
    help_word, stop_word = (read_opt_request(split_words(text)) for text in ("Hilfe", "stop"))
    assert help_word is not None
    assert stop_word is not None
    assert help_word.languages == ("de",)
    assert "fr" in stop_word.languages


@pytest.mark.parametrize(
    ("keyword", "text", "opened"),
    [
        ("Offer", "OFFER", 1), ("Offer", "offer 17 please", 1), ("Offer", "offers", 0), ("Offer", "an offer", 0),
        ("Café", "cafe au lait", 1), ("Café", "CAFÉ", 1), ("Straße", "STRASSE 1", 1), ("win 2 go", "Win-2-go!", 3),
        ("win 2 go", "win 2", 0), ("Ω", "ω", 1), ("don't", "DON’T do it", 1), ("ＷＩＮ", "win", 1), ("हाँ", "हाँ जी", 1),
        ("हां", "हाँ", 0), ("ガ", "カ", 0), ("é", "e\u0301", 1),
    ],
)  # fmt: skip
def test_a_keyword_opens_a_text_by_whole_words_without_case_accents_and_width(keyword, text, opened):
    assert opens(split_words(text), fold(keyword)) == opened


@given(st.text(max_size=200))
def test_words_stand_where_they_say_and_folding_is_done_once(text):
    words = split_words(text)
    for word in words:
        assert fold(text[word.start : word.end]) == word.folded
        assert fold(word.folded) == word.folded
    assert [word.start for word in words] == sorted({word.start for word in words})


def test_courtesy_is_nothing_but_courtesy():
    assert is_courtesy([])
    assert is_courtesy(split_words("Thank you!"))
    assert not is_courtesy(split_words("Thank you Anna"))


def test_a_long_hostile_text_costs_no_more_than_its_beginning():
    short, long = "stop " * 400, "stop " * 40_000
    assert cost_of(lambda: read_opt_request(split_words(long))) < 10 * cost_of(
        lambda: read_opt_request(split_words(short))
    )


@pytest.mark.parametrize("kind", list(STANDARD_ANSWERS))
@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_a_standard_answer_names_the_customer_and_fits_into_one_part(kind, language):
    text, used = answer_text(
        kind,
        None,
        service="mail",
        languages=(language,),
        customer="Example Engineering Ltd",
        contact="help@example.com",
    )
    assert used == language
    assert "Example Engineering Ltd" in text
    assert "{" not in text
    assert len(text) <= 160


def test_an_own_text_for_service_and_language_wins_over_wider_ones():
    own = AnswerAction(texts={"/": "any", "/de": "alle", "mail/": "by mail", "mail/de": "per Mail"})

    def said(service, *languages):
        return answer_text(ActionKind.HELP, own, service=service, languages=languages, customer="C", contact="")[0]

    assert said("mail", "de") == "per Mail"
    assert said("mail", "fr") == "by mail"
    assert said("rest", "de") == "alle"
    assert said("rest", "fr") == "any"
    assert said("", "fr", "de") == "alle"


def test_an_empty_own_text_means_no_answer_and_a_reply_has_no_standard_one():
    assert (
        answer_text(
            ActionKind.HELP, AnswerAction(texts={"/": ""}), service="", languages=("en",), customer="C", contact=""
        )[0]
        == ""
    )
    assert answer_text(ActionKind.REPLY, None, service="", languages=("en",), customer="C", contact="")[0] == ""
