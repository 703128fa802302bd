"""What the mail of an inbound SMS says, in every language, and that no text can be more than text in it."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html

from inbound.report import TurnDirection
from sms.lifecycle import MessageState
from sms.settings import MOST_HISTORY
from templates.confined import ConfinedTemplates
from templates.customers import CustomerTemplates
from templates.forms import MailForm
from templates.render import LARGEST_HTML, Renderer, standard_template
from templates.words import find_languages
from tests.kit.inbound_samples import came, conversation, inbound, incomplete, late, reader, short, went
from tests.unit.test_render_outlook import problems_of

RENDERER = Renderer()
OWN = CustomerTemplates(largest=2 * LARGEST_HTML)
SAMPLES = {"conversation": conversation, "incomplete": incomplete, "late": late, "short": short}


def words_of(html: str) -> str:
    """Return what a reader sees, in one line; without the preview line."""
    tree: Any = lxml_html.document_fromstring(re.sub(r'<div style="display:none.*?</div>', "", html, flags=re.DOTALL))
    return " ".join(" ".join(tree.find("body").itertext()).split())


@pytest.mark.parametrize("language", find_languages())
@pytest.mark.parametrize("sample", SAMPLES)
def test_words_engine_ignores_nothing_that_the_mail_relies_on(sample, language):
    report, who = SAMPLES[sample]()
    told = replace(who, settings=replace(who.settings, language=language))
    rendered = RENDERER.render_inbound(report, told)
    assert problems_of(rendered.html) == []
    assert rendered.language == language
    assert report.text.split("\n")[0] in rendered.text


def test_everything_that_the_reader_needs_is_there():
    rendered = RENDERER.render_inbound(*conversation())
    said = words_of(rendered.html)
    for words in (
        "SMS empfangen Jonas Weber Danke! Kommen Sie bitte erst nach 16 Uhr",
        "Von +44 7700 900123 An +44 7700 900999 Empfangen 23.11.2026, 08:15 CET Schlüsselwort LIEFERUNG",
        "Anna Keller , 23.11.2026, 06:15 CET (laut Netz zugestellt) Ihre Lieferung 80012345",
        "Jonas Weber , 23.11.2026, 03:15 CET Wann kommt denn meine Lieferung?",
        "Antworten Sie auf diese Mail, um per SMS zu antworten",
    ):
        assert words in said
    assert rendered.subject == "SMS von +44 7700 900123"


def test_the_subject_is_the_same_for_all_mails_of_a_conversation():
    mails = [
        RENDERER.render_inbound(inbound(text=text, is_late=is_late), reader(name=name))
        for text, is_late, name in (("one", False, ""), ("two", True, ""), ("three", False, "Jonas Weber"))
    ]
    assert {mail.subject for mail in mails} == {"SMS from +44 7700 900123"}


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_as_many_earlier_sms_stand_below_as_the_settings_ask_for(wanted):
    report = inbound(earlier=(went(), came(), went(hours=9)))
    rendered = RENDERER.render_inbound(report, reader(inbound_history=wanted))
    assert len(re.findall(r"23 Nov 2026, 0[25]:15|22 Nov 2026", words_of(rendered.html))) == wanted
    assert ("Earlier in this conversation" in rendered.text) is (wanted > 0)


def test_who_answered_is_named_with_what_became_of_it():
    report = inbound(earlier=(went(by="bert@example.com", state="unknown"), went(by="", state="")))
    text = RENDERER.render_inbound(report, reader()).text
    assert "bert@example.com, 23 Nov 2026, 05:15 UTC (outcome unknown):" in text
    assert "We, 23 Nov 2026, 05:15 UTC:" in text


@pytest.mark.parametrize("state", MessageState)
def test_every_state_of_an_earlier_sms_has_words(state):
    assert RENDERER.view_inbound(inbound(earlier=(went(state=state.value),)), reader()).earlier[0].state


def test_the_preview_line_has_the_text_only_if_the_settings_want_it():
    shown = RENDERER.view_inbound(inbound(), reader()).preheader
    hidden = RENDERER.view_inbound(inbound(), reader(inbound_preview=False)).preheader
    assert shown.startswith("Danke! Kommen Sie bitte erst nach 16 Uhr: vorher ist niemand da. Gruß,")
    assert hidden == "SMS received · 23 Nov 2026, 07:15 UTC"
    html = RENDERER.render_inbound(inbound(), reader(inbound_preview=False)).html
    assert html.count("Danke!") == 1


def test_a_gap_is_told_with_how_many_parts_are_missing():
    report, who = incomplete()
    assert "1 of 3 parts of this SMS did not come in time" in RENDERER.render_inbound(report, who).text
    two = replace(report, missing=(1, 3))
    assert "2 of 3 parts of this SMS did not come in time; the gaps" in RENDERER.render_inbound(two, who).text


def test_a_late_part_names_what_it_belongs_to():
    report, who = late()
    said = words_of(RENDERER.render_inbound(report, who).html)
    assert "Elle appartient au SMS arrivé le 23 nov. 2026, 07:15 CET, qui commence ainsi : Danke! Kommen Sie" in said
    forgotten = RENDERER.render_inbound(replace(report, late_of=None), reader()).text
    assert "It belongs to an SMS whose other parts came before it." in forgotten


def test_a_fallback_address_reads_why_it_gets_the_mail():
    note = "This address gets SMS for which no user was found or reached."
    assert note in RENDERER.render_inbound(inbound(), reader(fallback=True)).text
    assert note not in RENDERER.render_inbound(inbound(), reader()).text


def test_a_sender_without_a_number_can_not_be_answered_and_the_mail_says_so():
    text = RENDERER.render_inbound(inbound(phone="INFO"), reader(answerable=False)).text
    assert "This SMS can't be answered: its sender has no number." in text
    assert "Answer this mail" not in text


# Attacks

HOSTILE = (
    "<script>alert(1)</script><img src=https://evil.example/x.png onerror=a()> {{ 7*7 }}{% raw %} \u202eevil\u202c "
    "https://evil.example/login www.evil.example javascript:alert(1) cid:logo \x00\x1b[31m " + "x" * 400
)


def _hostile():
    earlier = (came(HOSTILE), went(HOSTILE, by=HOSTILE), went(by="<b>Bert</b>"))
    report = inbound(
        text=HOSTILE, keyword=HOSTILE, phone=HOSTILE, own_number=HOSTILE, public_id=HOSTILE, earlier=earlier
    )
    return replace(report, is_late=True, late_of=came(HOSTILE)), reader(name=HOSTILE, profile=HOSTILE)


@pytest.mark.parametrize("template", ["standard", "own"])
def test_what_an_sms_holds_is_shown_and_does_nothing(template):
    report, who = _hostile()
    rendered = RENDERER.render_inbound(report, who)
    html = rendered.html
    if template == "own":
        html = OWN.html(standard_template(MailForm.INBOUND), RENDERER.view_inbound(report, who))
    tree = lxml_html.document_fromstring(html)
    assert tree.xpath("//script | //img | //a | //*[@onerror] | //@href | //@src | //@background") == []
    assert "<script>alert(1)</script>" in words_of(html)
    assert "{{ 7*7 }}{% raw %} [U+202E]evil[U+202C]" in words_of(html)
    assert "49" not in words_of(html).replace("900999", "")
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", html)
    assert "[U+0000]" in rendered.text
    assert "\x1b" not in rendered.text + rendered.subject


def test_an_address_in_an_sms_becomes_no_link():
    html = RENDERER.render_inbound(
        inbound(text="Pay at https://evil.example now or call tel:+447700900123"), reader()
    ).html
    assert "<a " not in html
    assert "Pay at https://evil.example now" in html


def test_the_longest_sms_with_the_longest_history_makes_a_mail_that_is_shown_whole():
    longest = '&"<' * 3000
    report = inbound(text=longest, earlier=tuple(came(longest, hours) for hours in range(MOST_HISTORY)))
    html = RENDERER.render_inbound(report, reader(inbound_history=MOST_HISTORY)).html
    assert len(html.encode()) <= LARGEST_HTML
    assert words_of(html).count('&"<') >= 3000


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_text_comes_out_as_it_is_shown(text):
    view = RENDERER.view_inbound(inbound(text=text), reader())
    rendered = RENDERER.render_inbound(inbound(text=text), reader())
    shown = " ".join(view.text.replace("\u00a0", " ").split())
    assert shown in words_of(rendered.html).replace("\u00a0", " ")


# Customers' own templates


@pytest.fixture(scope="module")
def confined():
    templates = ConfinedTemplates(seconds=1.0)
    yield templates
    templates.close()


@pytest.mark.usefixtures("patient")
def test_a_customers_template_may_change_colours_texts_fields_and_places(confined):
    own = (
        standard_template(MailForm.INBOUND)
        .replace("{{ m.kind_name }}", "Example AG · {{ m.kind_name }} · {{ m.customer }}")
        .replace("#3b82c4", "#123456")
        .replace("{{ m.footer }}", '<a href="https://example.com/help">Help</a>')
    )
    html = Renderer(confinement=confined).render_inbound(*conversation(), override=own).html
    assert "Example AG · SMS empfangen · demo" in html
    assert "#123456" in html
    assert '<a href="https://example.com/help"' in html
    assert "automatisch erstellt" not in html


@pytest.mark.usefixtures("patient")
def test_a_broken_override_gives_way_to_the_standard_mail_and_says_why(confined):
    rendered = Renderer(confinement=confined).render_inbound(*short(), override="<p>{{ m.headline }}</p>")
    assert "nothing is called «headline» here" in rendered.fallback
    assert "SMS recibido" in rendered.html


def test_directions_are_told_apart_by_words_too():
    view = RENDERER.view_inbound(*conversation())
    assert [(each.incoming, each.who) for each in view.earlier] == [(False, "Anna Keller"), (True, "Jonas Weber")]
    assert {each.direction for each in conversation()[0].earlier} == set(TurnDirection)
