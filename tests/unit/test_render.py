"""Status mails say what is known, in the reader's language, whatever the text of the SMS holds."""

import html as html_module
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html
from msgspec import structs

from addressbook.hierarchy import LayerKind
from sms.lifecycle import MessageState
from sms.message import Alphabet, Replacement
from sms.outcome import ProblemCode, Refusal
from sms.report import NoticeKind
from sms.settings import FIELDS, TextSource, Unencodable
from templates.render import LARGEST_HTML, Renderer
from templates.shown_text import show
from templates.view import Tone
from templates.words import find_languages
from tests.kit.status_samples import ACCEPTED_AT, MAIL, everything, many, message, part, report

RENDERER = Renderer()


def render(job, kind=NoticeKind.RESULT):
    return RENDERER.render(kind, job)


def parse(html) -> Any:
    return lxml_html.document_fromstring(html)


def text_of(html):
    """Return what a reader of the HTML sees, without the preview line."""
    tree = parse(html)
    for hidden in tree.xpath("//*[contains(@style, 'display:none')] | //head"):
        hidden.getparent().remove(hidden)
    return " ".join(tree.text_content().replace("\u00a0", " ").split())


@pytest.mark.parametrize(
    ("state", "reason", "headline", "sentence"),
    [
        (MessageState.DELIVERED, "", "Delivered", "Reported by the network on 23 Nov 2026, 07:15 UTC."),
        (MessageState.SUBMITTED, "", "Accepted by the carrier", "No report from the network is expected."),
        (
            MessageState.UNDELIVERED,
            ProblemCode.NOT_DELIVERED,
            "Not delivered",
            "The network reports that the SMS was not delivered.",
        ),
        (MessageState.EXPIRED, ProblemCode.VALIDITY_ENDED, "Not delivered in time", "The validity ended before"),
        (MessageState.REJECTED, ProblemCode.STOP_LIST, "Refused", "stop list. Nothing was sent."),
        (MessageState.FAILED, ProblemCode.NUMBER_REFUSED, "Not sent", "The carrier refused the number."),
        (MessageState.CANCELLED, ProblemCode.CANCELLED, "Cancelled", "cancelled by the sender"),
        (
            MessageState.UNKNOWN,
            ProblemCode.LINK_LOST,
            "Outcome unknown",
            "The carrier may have it; it was not sent again.",
        ),
        (MessageState.UNKNOWN, ProblemCode.NO_RECEIPT, "Outcome unknown", "but no report from the network came."),
        (MessageState.QUEUED, "", "Waiting to be sent", "The SMS is waiting to be sent."),
        (MessageState.SUBMITTING, "", "Being handed to the carrier", "just being handed"),
    ],
)
def test_each_state_is_said_in_words_in_both_forms(state, reason, headline, sentence):
    rendered = render(report(message(state, reason=reason)))
    for shown in (text_of(rendered.html), " ".join(rendered.text.split())):
        assert headline in shown
        assert sentence in shown


def test_what_was_sent_again_and_never_answered_says_how_often_the_phone_may_show_it():
    parts = (part(state=MessageState.UNKNOWN, resends=2), part(state=MessageState.UNKNOWN))
    rendered = render(report(message(MessageState.UNKNOWN, reason=ProblemCode.LINK_LOST, parts=parts)))
    assert "it was sent 3 times: the phone may show it as often" in " ".join(rendered.text.split())
    assert "not sent again." in rendered.text


def test_a_missing_receipt_does_not_read_as_if_it_were_never_accepted():
    rendered = render(report(message(MessageState.UNKNOWN, reason=ProblemCode.NO_RECEIPT)))
    assert "may have it" not in rendered.text
    assert "The carrier accepted the SMS" in rendered.text


def test_a_receipt_still_awaited_is_named():
    rendered = render(report(message(MessageState.SUBMITTED), settled_at=None), NoticeKind.ACCEPTED)
    assert "The report of the network is awaited." in rendered.text


@pytest.mark.parametrize("reason", [*ProblemCode, *Refusal])
@pytest.mark.parametrize("language", find_languages())
def test_every_reason_reaches_the_reader_in_each_language(reason, language):
    rendered = render(report(message(MessageState.FAILED, reason=reason, parts=()), language=language))
    sentence = RENDERER.words(language).explain(reason, "")
    assert sentence in rendered.text
    assert sentence in text_of(rendered.html)


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("language", find_languages())
@pytest.mark.parametrize("job", [everything, many], ids=["one", "many"])
def test_every_kind_renders_in_every_language(kind, language, job):
    rendered = render(job(language=language), kind)
    assert rendered.language == language
    assert f'<html lang="{language}"' in rendered.html
    assert RENDERER.words(language).say(f"kind.{kind}") in text_of(rendered.html)
    assert "JINJA" not in rendered.html
    assert "{{" not in rendered.html + rendered.text


def test_everything_that_the_sender_needs_is_there():
    rendered = render(everything())
    for shown in (text_of(rendered.html), " ".join(rendered.text.split())):
        for fact in (
            "+44 7700 900123",
            "+44 7700 900999",
            "4711 Logistik",
            "PO-2026-118",
            "J.20261123071504Z5D1E2F",
            "08:15 CET",
        ):
            assert fact in shown
        for fact in (
            "bitte beim Pfoertner melden.",
            "Die Schlüssel liegen bereit.",
            "2 Teile",
            "(027)",
            "(2-mal)",
            "\U0001f697",
        ):
            assert fact in shown
        assert "Zugestellte Teile: 1 von 2" in shown


def test_without_preview_no_word_of_the_text_is_shown():
    rendered = render(everything(preview=False))
    for shown in (rendered.html, rendered.text):
        assert not re.search("Zugang|Pfoertner|Schlüssel|Guten Tag|\U0001f697", shown)
    assert "29 Zeichen" in rendered.text
    assert "29 Zeichen" in text_of(rendered.html)


def test_the_preview_line_has_state_number_and_the_start_of_the_text():
    rendered = render(report())
    first = parse(rendered.html).xpath("//body//*[not(self::table)][1]")[0]
    assert "display:none" in first.get("style")
    assert "mso-hide:all" in first.get("style")
    assert first.text_content().startswith("Delivered · +44 7700 900123 · Ihre Lieferung 80012345")


@pytest.mark.parametrize(
    ("mail_subject", "changes", "expected"),
    [
        ("Lieferung heute", {}, "Delivered: Lieferung heute"),
        ("Lieferung", {"language": "fr"}, "Remis : Lieferung"),
        ("RE: Lieferung", {}, "Delivered: RE: Lieferung"),
        ("", {}, "SMS to +44 7700 900123: delivered"),
        ("Der Text", {"text_source": TextSource.SUBJECT}, "SMS to +44 7700 900123: delivered"),
        (
            "Der Text",
            {"text_source": TextSource.BOTH, "preview": False},
            "SMS to +44 7700 900123: delivered",
        ),
        ("two\r\nBcc: eve@example.org", {}, "Delivered: two Bcc: eve@example.org"),
    ],
)
def test_the_subject_begins_with_the_result(mail_subject, changes, expected):
    assert render(report(mail=_with_subject(mail_subject), **changes)).subject == expected


def _with_subject(subject):
    return structs.replace(MAIL, subject=subject)


def test_every_kind_of_news_can_be_told_by_its_subject():
    waiting, refused = message(MessageState.QUEUED), message(MessageState.REJECTED, reason=Refusal.STOP_LIST)
    told = [
        (NoticeKind.ACCEPTED, (waiting,)),
        (NoticeKind.DELAYED, (waiting,)),
        (NoticeKind.RESULT, (message(),)),
        (NoticeKind.RESULT, (refused,)),
        (NoticeKind.RESULT, (refused, message())),
        (NoticeKind.RESULT, (message(cut="the end"),)),
    ]
    assert [RENDERER.view(kind, report(*messages)).subject for kind, messages in told] == [
        "Accepted for sending: Lieferung heute",
        "Still on its way: Lieferung heute",
        "Delivered: Lieferung heute",
        "Refused: Lieferung heute",
        "1 of 2 SMS not delivered: Lieferung heute",
        "Delivered, but shortened: Lieferung heute",
    ]


def test_a_subject_that_was_the_text_is_not_shown_again():
    job = report(message(text="Server down"), mail=_with_subject("Server down"), preview=False)
    assert "Server down" not in render(job).subject


def test_a_job_that_came_without_a_mail_has_a_subject_too():
    assert render(many(5, mail=None)).subject.startswith("SMS to 5 recipients: 1\u00a0delivered")


HOSTILE = "<script>alert(1)</script> {{7*7}} {% raw %} & \"quoted\" 'single' <!-- <![endif]-->"


def test_markup_and_template_language_in_the_text_are_shown_and_not_done():
    rendered = render(
        report(message(text=HOSTILE, cut=HOSTILE), reference=HOSTILE, cost_centre="<b>", mail=_with_subject(HOSTILE))
    )
    assert "<script" not in rendered.html
    assert "<!-- <![" not in rendered.html
    assert text_of(rendered.html).count(HOSTILE) == 3
    assert HOSTILE in rendered.text
    assert "49" not in text_of(rendered.html).replace("23 Nov 2026", "")


def test_bidi_controls_and_other_invisible_characters_are_named():
    text = "safe \u202egnp.exe\u202c \u2067\x07 \u2028line\x1b[31m"
    rendered = render(report(message(text=text)))
    for shown in (rendered.html, rendered.text):
        assert not re.search("[\u202a-\u202e\u2067\u2028\x00-\x08\x1b]", shown)
        assert "[U+202E]gnp.exe[U+202C]" in shown


def test_text_that_runs_from_right_to_left_stands_alone():
    rendered = render(report(message(text="שלום 123\nعالم"), reference="עולם"))
    cell = parse(rendered.html).xpath("//td[@dir='auto'][bdi]")[0]
    assert cell.text_content().strip() == "שלום 123\nعالم"
    assert "    \u2068שלום 123\u2069\n    \u2068عالم\u2069\n" in rendered.text


def test_line_ends_and_runs_of_blanks_stay():
    rendered = render(report(message(text="one\r\ntwo  three\n\nfour")))
    assert "one<br>\ntwo\u00a0 three<br>\n<br>\nfour" in rendered.html
    assert "    one\n    two  three\n    \n    four\n" in rendered.text


@given(text=st.text(max_size=80))
def test_any_text_comes_out_as_it_is_shown(text):
    rendered = render(report(message(text=text)))
    rendered.html.encode()
    rendered.text.encode()
    shown = " ".join(show(text).replace("\u00a0", " ").split())
    if shown:
        assert shown in text_of(rendered.html)


def test_all_recipients_with_one_text_see_it_once():
    rendered = render(many(5))
    assert text_of(rendered.html).count("Ihre Lieferung 80012345") == 1
    assert rendered.text.count("Ihre Lieferung 80012345") == 1


def test_recipients_with_texts_of_their_own_see_their_own():
    job = report(
        message(text="Dear Ann"),
        message(
            number="+447700900124", text="Dear Bob", replaced=(Replacement(index=0, old="…", new="..."),), cut="P.S."
        ),
    )
    rendered = render(job)
    for shown in (text_of(rendered.html), rendered.text):
        assert shown.count("Dear Ann") == shown.count("Dear Bob") == 1
        assert "..." in shown
        assert "P.S." in shown


@pytest.mark.parametrize(
    ("replaced", "said", "unsaid"),
    [
        ([("á", "a")], "their nearest relatives were sent", "question mark"),
        ([("🎉", "?")], "question marks were sent", "relative"),
        ([("🎉", "")], "left out", "relative"),
        ([("🎉", " ")], "spaces were sent", "relative"),
        ([("á", "a"), ("🎉", "?")], "or as a question mark", "their nearest relatives were sent"),
    ],
)
def test_a_status_mail_tells_relatives_question_marks_and_what_was_left_out_apart(replaced, said, unsaid):
    told = tuple(Replacement(index=index, old=old, new=new) for index, (old, new) in enumerate(replaced))
    rendered = render(report(message(text="Hi", replaced=told)))
    for shown in (text_of(rendered.html), rendered.text):
        assert said in shown
        assert unsaid not in shown


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "Unicode, for 🎉 门"),
        ({"preview": False}, "Unicode: a part holds fewer characters"),
        ({"unencodable": Unencodable.SWITCH}, "Unicode, for á 🎉 门"),
        ({"coding": Alphabet.UCS2}, ""),
    ],
)
def test_a_text_that_went_in_ucs2_says_for_which_characters(settings, said):
    rendered = render(report(message(text="á 🎉 门 🎉", alphabet=Alphabet.UCS2), **settings))
    for shown in (text_of(rendered.html), rendered.text):
        assert (said in shown) if said else ("Unicode" not in shown)


def test_a_text_in_national_shift_tables_says_whose_letters_those_are():
    rendered = render(report(message(text="Şişli", languages="turkish")))
    for shown in (text_of(rendered.html), rendered.text):
        assert "GSM-7 with letters of Türkçe: a part holds fewer characters" in shown


def test_with_some_refused_the_headline_says_so():
    rendered = render(
        report(
            message(MessageState.QUEUED, parts=()),
            message(MessageState.REJECTED, reason=Refusal.NUMBER_IMPOSSIBLE, number="", given="4477@sms.example.net"),
            settled_at=None,
        ),
        NoticeKind.ACCEPTED,
    )
    assert "1 of 2 recipients refused" in rendered.text
    assert "1\u00a0refused · 1\u00a0waiting" in rendered.text
    assert "4477@sms.example.net: refused. A phone number like this cannot exist." in rendered.text


def test_a_refused_recipient_reads_how_to_mend_it():
    rendered = render(
        report(
            message(MessageState.REJECTED, reason=Refusal.OPTION_MALFORMED, problem="[VALIDITY:x]: 5 minutes to 7 days")
        )
    )
    assert "[VALIDITY:x]: 5 minutes to 7 days" in rendered.text
    assert "[VALIDITY:x]: 5 minutes to 7 days" in text_of(rendered.html)


@pytest.mark.parametrize("personal", [False, True])
def test_three_thousand_recipients_fit_and_the_failed_come_first(personal):
    job = many(3000)
    if personal:
        job = replace(
            job, messages=tuple(replace(one, text=f"Text {index} " * 40) for index, one in enumerate(job.messages))
        )
    rendered = render(job)
    assert len(rendered.html.encode()) <= LARGEST_HTML
    shown = re.findall(r"<th[^>]*dir=\"ltr\"[^>]*>", rendered.html)
    assert 5 <= len(shown) <= 150
    assert f"{3000 - len(shown)} more recipients are not shown here." in rendered.text
    assert f"{3000 - len(shown)} more recipients are not shown here." in text_of(rendered.html)
    assert "2 of 5" not in rendered.text
    assert "1200 of 3000 SMS not delivered" in rendered.text
    rows = rendered.text.partition("Recipients:")[2]
    assert "not delivered" in rows.splitlines()[1]
    assert ": delivered" not in rows


def test_a_delay_names_the_end_of_the_validity():
    rendered = render(
        report(message(MessageState.QUEUED, parts=(part(state=MessageState.QUEUED),)), settled_at=None),
        NoticeKind.DELAYED,
    )
    assert "Still on its way" in rendered.text
    assert "It can still be delivered until 25 Nov 2026, 07:15 UTC." in rendered.text


def test_a_correction_says_that_it_is_one():
    rendered = render(report(), NoticeKind.CORRECTION)
    assert "The network has corrected its earlier report." in text_of(rendered.html)


@pytest.mark.parametrize(
    ("states", "tone", "headline"),
    [
        ((MessageState.DELIVERED,) * 3, Tone.GOOD, "Delivered to all 3 recipients"),
        ((MessageState.SUBMITTED,) * 2, Tone.CALM, "All 2 SMS accepted by the carrier"),
        ((MessageState.DELIVERED, MessageState.SUBMITTED), Tone.CALM, "All 2 SMS were sent"),
        ((MessageState.DELIVERED, MessageState.UNKNOWN), Tone.UNSURE, "Outcome unknown for 1 of 2 SMS"),
        ((MessageState.DELIVERED, MessageState.QUEUED), Tone.OPEN, "1 of 2 SMS still waiting"),
        ((MessageState.DELIVERED, MessageState.DELIVERED, MessageState.QUEUED), Tone.OPEN, "1 of 3 SMS still waiting"),
        ((MessageState.EXPIRED, MessageState.UNKNOWN), Tone.BAD, "1 of 2 SMS not delivered"),
        ((MessageState.EXPIRED, MessageState.FAILED), Tone.BAD, "None of 2 SMS was delivered"),
    ],
)
def test_the_headline_of_several_recipients_tells_the_worst_news(states, tone, headline):
    view = RENDERER.view(NoticeKind.RESULT, report(*(message(state) for state in states)))
    assert (view.tone, view.headline) == (tone, headline)


SHORTENED = {"cut": " and one thing more"}
WITHOUT_EMOJI = {"replaced": (Replacement(index=0, old="\U0001f389", new="?"),)}
WITH_RELATIVES = {"replaced": (Replacement(index=0, old="\u2026", new="..."),)}


@pytest.mark.parametrize(
    ("state", "changes", "tone", "headline"),
    [
        (MessageState.DELIVERED, SHORTENED, Tone.UNSURE, "Delivered, but shortened"),
        (MessageState.DELIVERED, WITHOUT_EMOJI, Tone.UNSURE, "Delivered, but with replaced characters"),
        (MessageState.DELIVERED, SHORTENED | WITHOUT_EMOJI, Tone.UNSURE, "Delivered, but shortened"),
        (MessageState.SUBMITTED, SHORTENED, Tone.UNSURE, "Accepted by the carrier, but shortened"),
        (MessageState.DELIVERED, WITH_RELATIVES, Tone.GOOD, "Delivered"),
        (MessageState.UNDELIVERED, SHORTENED, Tone.BAD, "Not delivered"),
        (MessageState.UNKNOWN, SHORTENED, Tone.UNSURE, "Outcome unknown"),
    ],
)
def test_no_good_news_hides_that_the_phone_got_less_than_was_written(state, changes, tone, headline):
    view = RENDERER.view(NoticeKind.RESULT, report(message(state, **changes)))
    assert (view.tone, view.headline) == (tone, headline)
    assert view.recipients[0].tone is tone


@pytest.mark.parametrize("language", find_languages())
def test_several_recipients_read_how_many_got_a_shortened_text(language):
    view = RENDERER.view(NoticeKind.RESULT, report(message(), message(**SHORTENED), message(), language=language))
    assert view.tone is Tone.UNSURE
    assert "1" in view.headline.removeprefix(RENDERER.words(language).say("many.delivered", total=3))


def test_several_recipients_of_whom_all_got_a_shortened_text_read_it_once():
    view = RENDERER.view(NoticeKind.RESULT, report(message(**SHORTENED), message(**SHORTENED)))
    assert view.headline == "Delivered to all 2 recipients, but shortened"


def test_what_the_sender_took_back_is_no_failure():
    taken_back = message(MessageState.CANCELLED, reason=ProblemCode.CANCELLED, parts=())
    view = RENDERER.view(NoticeKind.RESULT, report(taken_back))
    assert (view.tone, view.headline) == (Tone.CALM, "Cancelled")
    assert RENDERER.view(NoticeKind.RESULT, report(taken_back, taken_back)).headline == "All 2 SMS were cancelled"
    view = RENDERER.view(NoticeKind.RESULT, report(taken_back, message()))
    assert (view.headline, view.lead.replace("\u00a0", " ")) == ("1 of 2 SMS cancelled", "1 delivered · 1 cancelled")
    view = RENDERER.view(NoticeKind.RESULT, report(taken_back, message(MessageState.EXPIRED), message()))
    assert (view.tone, view.headline) == (Tone.BAD, "1 of 3 SMS not delivered")


def test_what_a_carrier_cancelled_is_a_failure():
    view = RENDERER.view(NoticeKind.RESULT, report(message(MessageState.CANCELLED, reason=ProblemCode.DELETED)))
    assert view.tone is Tone.BAD


@pytest.mark.parametrize("language", find_languages())
@pytest.mark.parametrize("states", [["delivered"], ["delivered"] * 3, ["delivered", "submitted"]])
def test_a_mail_that_says_delivered_says_once_whose_word_that_is(language, states):
    network = {"en": "network", "de": "Netz(?!b)", "es": r"\bred\b", "fr": "réseau"}[language]
    job = report(*(message(MessageState(state)) for state in states), language=language)
    rendered = render(job)
    for shown in (text_of(rendered.html), rendered.text):
        assert len(re.findall(network, shown)) == 1


@pytest.mark.parametrize(
    ("language", "zone", "shown"),
    [("en", "UTC", "23 Nov 2026, 07:15 UTC"), ("de", "Europe/Berlin", "23.11.2026, 08:15 CET")],
)
def test_each_recipient_reads_when_the_delivery_was_reported(language, zone, shown):
    late = part(reported_at=ACCEPTED_AT + timedelta(days=1))
    job = report(message(), message(parts=(late,)), message(MessageState.EXPIRED), language=language, time_zone=zone)
    first, second, third = RENDERER.view(NoticeKind.RESULT, job).recipients
    assert first.delivered == shown
    assert second.delivered == shown.replace("23", "24", 1)
    assert third.delivered == ""
    rendered = render(job)
    assert f", {first.delivered}" in rendered.text
    assert f", {first.delivered}" in text_of(rendered.html)


@pytest.mark.parametrize(
    ("state", "kind", "label"),
    [
        (MessageState.DELIVERED, NoticeKind.RESULT, "Text sent"),
        (MessageState.UNKNOWN, NoticeKind.RESULT, "Text sent"),
        (MessageState.CANCELLED, NoticeKind.RESULT, "Text"),
        (MessageState.REJECTED, NoticeKind.RESULT, "Text"),
        (MessageState.FAILED, NoticeKind.RESULT, "Text"),
        (MessageState.EXPIRED, NoticeKind.RESULT, "Text"),
        (MessageState.QUEUED, NoticeKind.ACCEPTED, "Text"),
        (MessageState.CANCELLED, NoticeKind.DRY_RUN, "Text that would be sent"),
    ],
)
def test_a_text_is_called_sent_only_where_a_carrier_may_have_it(state, kind, label):
    parts = (part(state=state, carrier_id="7A" if state is MessageState.DELIVERED else ""),)
    assert RENDERER.view(kind, report(message(state, parts=parts))).label_text == label


def test_equal_parts_are_told_in_one_line_and_others_each():
    equal = render(report(message(parts=(part(1, 3), part(2, 3), part(3, 3)))))
    assert "Parts: 3 parts\n" in equal.text
    assert "Part 1 of 3" not in equal.text + equal.html
    unequal = render(report(message(parts=(part(1, 2), part(2, 2, MessageState.EXPIRED, error="027")))))
    for shown in (unequal.text, text_of(unequal.html)):
        assert "Part 1 of 2" in shown
        assert "(027)" in shown


def test_billed_parts_are_counted_where_not_all_are():
    some = message(MessageState.FAILED, parts=(part(1, 2), part(2, 2, MessageState.FAILED)))
    assert "Parts: 2 parts, 1 billed\n" in render(report(some)).text


def test_of_a_long_end_that_was_cut_two_lines_are_shown_and_how_much_follows():
    cut = " and so on" * 104
    rendered = render(report(message(text="x" * 1160, cut=cut)))
    for shown in (" ".join(rendered.text.split()), text_of(rendered.html)):
        assert shown.count("and so on") == 12
        assert "+920 characters" in shown
        assert "Cut after 1,160 characters" in shown
    assert RENDERER.view(NoticeKind.RESULT, report(message(cut=cut))).recipients[0].cut == cut


@pytest.mark.parametrize("cut", [" Bye.", "one\ntwo", "x" * 180])
def test_a_short_end_that_was_cut_is_shown_whole(cut):
    view = RENDERER.view(NoticeKind.RESULT, report(message(cut=cut))).recipients[0]
    assert (view.cut_start, view.cut_more) == (cut, "")


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Grüße – naïve “quoted” 😀 Привет 你好", 0),
        ("שלום 123\nGrüße\n", 1),
        ("A\nعالم", 1),
        ("\U0001e900", 1),
    ],
)
def test_only_lines_that_run_from_right_to_left_are_marked_as_such(text, marked):
    rendered = render(report(message(text=text), reference="Grüße", language="de"))
    assert (rendered.text.count("\u2068"), rendered.text.count("\u2069")) == (marked, marked)


@pytest.mark.parametrize(
    ("state", "changes", "step"),
    [
        (MessageState.FAILED, {"reason": ProblemCode.NUMBER_REFUSED}, "Check the number, then send the mail again."),
        (MessageState.REJECTED, {"reason": Refusal.STOP_LIST}, "Reach the recipient in another way."),
        (MessageState.UNKNOWN, {"reason": ProblemCode.LINK_DOWN}, "Ask the recipient whether the SMS came before"),
        (MessageState.UNDELIVERED, {}, "The phone may be off or out of reach"),
        (MessageState.EXPIRED, {"reason": ProblemCode.VALIDITY_ENDED, "parts": ()}, "Send the mail again later."),
        (MessageState.FAILED, {"parts": ()}, "Ask your administrator."),
    ],
)
@pytest.mark.parametrize("others", [0, 1])
def test_whose_sms_did_not_arrive_reads_one_next_step(state, changes, step, others):
    rendered = render(report(message(state, **changes), *(message() for _ in range(others))))
    for shown in (" ".join(rendered.text.split()), text_of(rendered.html)):
        assert shown.count(step) == 1


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        (MessageState.DELIVERED, {}),
        (MessageState.SUBMITTED, {}),
        (MessageState.QUEUED, {"reason": ProblemCode.LINK_DOWN}),
        (MessageState.REJECTED, {"reason": Refusal.NUMBER_IMPOSSIBLE, "problem": "The number is too short."}),
    ],
)
def test_where_nothing_is_to_be_done_or_the_detail_says_it_there_is_no_step(state, changes):
    assert RENDERER.view(NoticeKind.RESULT, report(message(state, **changes))).recipients[0].step == ""


@pytest.mark.parametrize("language", find_languages())
@pytest.mark.parametrize("layer", LayerKind)
@pytest.mark.parametrize(
    "origin", ["manual:root", "constraint of customer demo", "constraint of the system", "ldap:AD", "file:5b8a0d87"]
)
def test_no_name_of_a_setting_and_no_operators_login_reaches_an_employee(language, layer, origin):
    origins = dict.fromkeys(FIELDS, (layer.value, origin))
    told = trial(cut="the end")
    for kind, job in (
        (NoticeKind.DRY_RUN, report(told, origins=origins, language=language)),
        (NoticeKind.RESULT, report(message(cut="x"), origins=origins, language=language, cost_centre="4711")),
    ):
        rendered = render(job, kind)
        for shown in (rendered.text, text_of(rendered.html)):
            assert not re.search("root|5b8a|manual:|ldap:|file:|constraint|[a-z]_[a-z]", shown)


def test_what_a_company_limits_reads_as_such():
    origins = {
        "max_parts": ("constraint", "constraint of customer demo"),
        "flash": ("constraint", "constraint of the system"),
    }
    view = RENDERER.view(NoticeKind.RESULT, report(message(cut="x"), origins=origins, max_parts=3))
    facts = {fact.label: fact.value for fact in view.facts}
    assert facts["Limited"] == "Parts at most: 3 (set by your company); Shown at once (flash): no (set by the gateway)"


def test_html_entities_do_not_leak_into_the_text_form():
    rendered = render(report(message(text="Fish & chips > salad")))
    assert "Fish & chips > salad" in rendered.text
    assert html_module.escape("Fish & chips > salad") in rendered.html


@pytest.mark.parametrize(
    ("sender", "shown"),
    [
        ("447700900999", "+44 7700 900999"),
        ("+447700900999", "+44 7700 900999"),
        ("70099", "70099"),
        ("Example AG", "Example AG"),
        ("", None),
    ],
)
def test_the_sender_is_shown_as_a_phone_shows_it(sender, shown):
    facts = {
        fact.label: fact.value for fact in RENDERER.view(NoticeKind.RESULT, report(message(sender_id=sender))).facts
    }
    assert facts.get("Sender shown") == shown


def test_the_mail_says_when_no_answer_to_the_sender_comes_back():
    def answers(why):
        view = RENDERER.view(NoticeKind.RESULT, report(unanswerable=why))
        return {fact.label: fact.value for fact in view.facts}.get("Answers")

    assert answers("") is None
    assert answers("name") == "do not come back: the sender shown is a name"


def test_our_own_codes_do_not_stand_where_a_carriers_code_stands():
    parts = (part(1, 2, MessageState.FAILED, error="number-refused"), part(2, 2, MessageState.UNDELIVERED, error="013"))
    rendered = render(report(message(MessageState.FAILED, reason=ProblemCode.NUMBER_REFUSED, parts=parts)))
    assert "number-refused" not in rendered.text
    assert "(013)" in rendered.text


def trial(**changes):
    return message(
        MessageState.CANCELLED,
        reason=ProblemCode.DRY_RUN,
        problem="alpha (standard) > beta (dear)",
        parts=(part(1, 2, MessageState.CANCELLED), part(2, 2, MessageState.CANCELLED)),
        **changes,
    )


def test_a_dry_run_says_what_would_be_sent_which_way_and_with_whose_settings():
    job = report(
        trial(cut="the end"),
        cost_centre="4711",
        origins={"cost_centre": ("user", "manual:anna"), "max_parts": ("profile", "profile")},
    )
    rendered = render(job, NoticeKind.DRY_RUN)
    for shown in (" ".join(rendered.text.split()), text_of(rendered.html)):
        for fact in (
            "Dry run: would be sent, but shortened",
            "Nothing was sent, and nothing is billed.",
            "Text that would be sent",
            "the end",
            "Route: alpha (standard) > beta (dear)",
            "2 parts",
            "would be sent",
            "4711 (set for you)",
            "4 (set by the profile standard)",
        ):
            assert fact in shown
        assert "ancelled" not in shown


def test_a_dry_run_to_several_counts_who_would_be_reached_and_who_is_refused():
    refused = message(MessageState.REJECTED, reason=Refusal.NUMBER_IMPOSSIBLE, number="", parts=())
    view = RENDERER.view(NoticeKind.DRY_RUN, report(trial(), trial(), refused))
    assert view.headline == "Dry run: 2 of 3 SMS would be sent"
    assert view.lead.replace("\u00a0", " ") == "2 would be sent · 1 refused"
    assert [recipient.state for recipient in view.recipients] == ["would be sent", "would be sent", "refused"]


def test_a_message_that_starts_later_says_when():
    later = message(
        MessageState.QUEUED, parts=(part(state=MessageState.QUEUED),), due_at=ACCEPTED_AT + timedelta(days=1)
    )
    labels = {
        fact.label: fact.value for fact in RENDERER.view(NoticeKind.ACCEPTED, report(later, settled_at=None)).facts
    }
    assert labels["To be sent at"] == "24 Nov 2026, 07:15 UTC"
    soon = message(MessageState.QUEUED, due_at=ACCEPTED_AT)
    assert "To be sent at" not in {fact.label for fact in RENDERER.view(NoticeKind.ACCEPTED, report(soon)).facts}
