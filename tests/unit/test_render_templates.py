"""How templates are compiled, and what customers' own templates can't do."""

import os
import re
import socket
import urllib.request

import pytest

from sms.lifecycle import MessageState
from sms.report import NoticeKind
from templates.confined import ConfinedTemplates
from templates.customers import compile_html, html_environment, inline_css
from templates.fitness import check_template
from templates.forms import MailForm
from templates.inlining import NotInlinable, Piece, inline_once, split_css
from templates.render import (
    LARGEST_SOURCE,
    Renderer,
    TemplateBroken,
    standard_template,
)
from templates.samples import sample_reports
from tests.kit.status_samples import everything, many, report

pytestmark = pytest.mark.usefixtures("patient")

RENDERER = Renderer()
VIEW = RENDERER.view(NoticeKind.RESULT, report())
PAGE = "<!DOCTYPE html><html><head><title>t</title>{head}</head><body>{body}</body></html>"


@pytest.fixture(scope="module")
def confined():
    templates = ConfinedTemplates(seconds=1.0, memory_bytes=128 * 2**20)
    yield templates
    templates.close()


def compiled(body, head=""):
    return compile_html(html_environment(), PAGE.replace("{head}", head).replace("{body}", body)).render(m=VIEW)


def test_rules_become_style_attributes_in_every_branch():
    html = compiled(
        '{% if m.single %}<p class="a">x</p>{% else %}<p class="b">y</p>{% endif %}', "<style>.a{color:#010203}</style>"
    )
    assert '<p class="a" style="color:#010203">x</p>' in html
    assert "y</p>" not in html


def test_important_inside_media_survives_the_inliner():
    css = "<style>p{color:#010203}@media (max-width:480px){p{color:#040506 !important}}[data-ogsc] p{color:#070809!important}</style>"
    html = compiled("<p>x</p>", css)
    assert re.search(r"@media \(max-width:480px\)\{p\{color:#040506 !important\}\}", html)
    assert "[data-ogsc] p{color:#070809!important}" in html
    assert '<p style="color:#010203">' in html


def test_the_inliner_alone_would_have_dropped_it():
    html = inline_css(
        PAGE.replace("{head}", "<style>@media print{p{color:red !important}}</style>").replace("{body}", "<p>x</p>")
    )
    assert "!important" not in html


def test_the_standard_mail_keeps_its_media_rules_and_conditionals():
    html = RENDERER.render(NoticeKind.RESULT, report()).html
    assert html.count("!important") == standard_template().count("!important") > 20
    assert "@media (prefers-color-scheme: dark){" in html or "@media (prefers-color-scheme:dark){" in html
    assert html.count("<!--[if mso]>") == html.count("<![endif]-->") == 4
    assert '<!--[if mso]><table role="presentation" width="600"' in html


def test_expressions_stand_in_text_attributes_and_conditional_comments():
    html = compiled(
        '<!--[if mso]>{{ m.job }}{% if m.single %}one{% endif %}<![endif]--><a href="https://example.com/{{ m.job }}" title="{{ m.job }}">{{ m.job }}</a>'
    )
    assert html.count(report().public_id) == 4
    assert f"<!--[if mso]>{report().public_id}one<![endif]-->" in html


@pytest.mark.parametrize(
    "source",
    [
        "<p {% if m.single %}class='a'{% endif %}>x</p>",
        "<p {{ m.job }}>x</p>",
        "<p>JINJA7END</p>",
        "<style>p{color:red</style><p>x</p>",
        "<style>p{color:red}}</style><p>x</p>",
    ],
)
def test_what_the_inliner_could_not_keep_is_refused_with_a_sentence(source):
    with pytest.raises(TemplateBroken):
        compiled(source if "style" not in source else "x", source if "style" in source else "")


@pytest.mark.parametrize(
    ("css", "plain", "kept"),
    [
        ("p{color:red} @media print{p{color:blue}}", "p{color:red}", "@media print{p{color:blue}}"),
        ("/* @import 'x'; */ p{}", "p{}", ""),
        ("\\40 import url(x); p{}", "p{}", ""),
    ],
)
def test_only_plain_rules_and_media_survive_in_a_style_sheet(css, plain, kept):
    assert split_css(css) == (plain, kept)


@pytest.mark.parametrize(
    "css",
    [
        "@import url(http://192.0.2.1/x.css); p{color:red}",
        "@font-face{src:url(x)} p{}",
        "@media print{@import 'x';}",
        "@\\69mport url(x);",
        "@charset 'utf-8';@namespace x url(y);",
    ],
)
def test_another_at_rule_is_refused(css):
    with pytest.raises(NotInlinable, match="has no place in a style sheet"):
        split_css(css)


@pytest.mark.parametrize(
    "head",
    [
        '<link rel="stylesheet" href="{url}">',
        '<link rel="stylesheet" href="file:///etc/passwd">',
        "<style>@import url({url});p{{color:red}}</style>",
        '<style>@import "{url}";</style>',
        "<style>@import url({url});",
        "<style>@media all{{@import url({url});}}</style>",
        "<style>p{{background:url({url})}}</style>",
        "<style><!-- @import url({url}); --></style>",
        '<style media="all" x=">">@import url({url});</style>',
    ],
)
def test_compiling_fetches_and_opens_nothing(head, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError(f"tried to reach {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    head = head.replace("{{", "{").replace("}}", "}").replace("{url}", "http://127.0.0.1:9/x.css")
    with pytest.raises(TemplateBroken, match="line 1"):
        compiled("<p>x</p>", head)
    assert "root:" not in inline_css(PAGE.replace("{head}", head).replace("{body}", "<p>x</p>"))


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ m.__class__ }}",
        "{{ m|attr('__class__') }}",
        "{{ '{0.__class__}'.format(m) }}",
        "{{ '%s'|format(m) }}",
        "{{ 'a' * 10**9 }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 10**10**10 }}",
        "{{ 'a'|center(1000000000) }}",
        "{{ 'a'.ljust(1000000000) }}",
        "{{ range(10**9) }}",
        "{{ lipsum() }}",
        "{{ cycler('a') }}",
        "{{ namespace(x=1) }}",
        "{{ self.__init__.__globals__ }}",
        "{{ m.facts.append(1) }}",
        "{{ m.nothing }}",
        "{{ unknown }}",
        "{{ m.job|safe }}",
        "{% include 'status.html' %}",
        "{% import 'status.html' as x %}",
        "{% extends 'status.html' %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% if %}",
        "{{ 1/0 }}",
        "x" * (LARGEST_SOURCE + 1),
    ],
)
def test_a_template_that_reaches_beyond_its_mail_is_refused(source, confined):
    with pytest.raises(TemplateBroken):
        confined.run(PAGE.replace("{head}", "").replace("{body}", f"<p>{source}</p>"), VIEW)


LOOPS = "<p>x</p>" + "{% for a in m.facts %}" * 12 + "{% set x = 1 %}" + "{% endfor %}" * 12


def test_a_template_that_does_not_end_is_killed_and_the_next_one_runs(confined):
    with pytest.raises(TemplateBroken, match="did not end within 1 seconds"):
        confined.run(LOOPS, VIEW)
    assert confined.run("<p>{{ m.headline }}</p>", VIEW).count("Delivered") == 1


def test_a_template_that_wants_all_memory_ends_alone(confined):
    hungry = "{% set x = 'abcdefgh' %}" + "{% set x = x ~ x %}" * 30 + "<p>{{ x|length }}</p>"
    with pytest.raises(TemplateBroken):
        confined.run(hungry, VIEW)
    assert "Delivered" in confined.run("<p>{{ m.headline }}</p>", VIEW)


def test_a_template_that_writes_without_end_is_cut(confined):
    loud = "{% for a in m.facts %}" * 6 + "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" + "{% endfor %}" * 6
    with pytest.raises(TemplateBroken, match="more than"):
        confined.run(f"<p>{loud}</p>", VIEW)


def test_the_process_of_templates_ends_with_us():
    templates = ConfinedTemplates()
    templates.run("<p>x</p>", VIEW)
    pid = templates.child.pid
    assert pid is not None
    templates.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.slow
def test_every_standard_template_is_one_that_a_customer_may_save(confined):
    for form in MailForm:
        assert check_template(standard_template(form), form, RENDERER, confined) == []


def test_a_customers_template_takes_the_place_of_the_standard_one(confined):
    own = (
        standard_template().replace("{{ m.kind_name }}", "Example AG · {{ m.kind_name }}").replace("#2e9e63", "#123456")
    )
    rendered = Renderer(confinement=confined).render(NoticeKind.RESULT, report(), override=own)
    assert "Example AG · SMS status" in rendered.html
    assert 'bgcolor="#123456"' in rendered.html
    assert rendered.fallback == ""


@pytest.mark.parametrize(
    ("override", "why"), [("{{ m.nothing }}", "nothing"), ("{% if %}", "line 1"), (LOOPS, "did not end")]
)
def test_a_broken_override_gives_way_to_the_standard_mail_and_says_why(override, why, confined):
    rendered = Renderer(confinement=confined).render(NoticeKind.RESULT, report(), override=override)
    assert rendered.html == RENDERER.render(NoticeKind.RESULT, report()).html
    assert why in rendered.fallback


def test_without_a_confinement_no_override_runs():
    rendered = RENDERER.render(NoticeKind.RESULT, report(), override="<p>x</p>")
    assert rendered.fallback == "customers' own templates are switched off"
    assert "Reported by the network" in rendered.html


def test_an_override_for_thousands_of_recipients_is_shortened_too(confined):
    rendered = Renderer(confinement=confined).render(NoticeKind.RESULT, many(3000), override=standard_template())
    assert rendered.fallback == ""
    assert len(rendered.html.encode()) <= 95_000


def test_sms_text_is_escaped_in_customers_templates_as_well(confined):
    view = RENDERER.view(NoticeKind.RESULT, everything(reference="<script>alert(1)</script>"))
    html = confined.run("<div>{% for f in m.facts %}<p>{{ f.value }}</p>{% endfor %}</div>", view)
    assert "<script" not in html


def test_a_template_is_checked_in_every_state_that_may_come(confined):
    rare = "<p>{{ m.headline }}{% if m.tone == 'unsure' %}{{ m.nothing }}{% endif %}</p>"
    assert "nothing" in check_template(rare, MailForm.RESULT, RENDERER, confined)[0]
    assert check_template("<p>{{ m.headline }}</p><script></script>", MailForm.RESULT, RENDERER, confined) == [
        "line 1: <script> has no place in a mail"
    ]


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_has_samples_to_try_a_template_with(kind):
    views = [RENDERER.view(kind, sample) for sample in sample_reports(kind)]
    assert {view.single for view in views} == {True, False}
    assert {view.preview for view in views} == {True, False}


def test_a_tag_that_the_inliner_loses_is_noticed():
    pieces = [Piece("<p>", is_tag=False), Piece("{{ a }}", is_tag=True), Piece("</p>", is_tag=False)]
    with pytest.raises(NotInlinable, match="a }}"):
        inline_once(pieces, lambda html: html.replace("JINJA0END", ""))


@pytest.mark.parametrize("kind", NoticeKind)
def test_samples_say_nothing_that_contradicts_itself(kind):
    for sample in sample_reports(kind):
        for one in sample.messages:
            never_sent = one.state in {MessageState.REJECTED, MessageState.QUEUED, MessageState.CANCELLED}
            assert not (never_sent and any(each.billed for each in one.parts))
            assert not (one.state is MessageState.REJECTED and one.parts)
        view = RENDERER.view(kind, sample)
        assert "billed" not in "".join(one.parts_line for one in view.recipients)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("<p>x</p>\n\n<p>{{ m.headlin }}</p>", "line 3: nothing is called «headlin» here; did you mean «headline»?"),
        ("<p>{{ m.brand.acent }}</p>", "line 1: nothing is called «acent» here; did you mean «accent»?"),
        ("<p>x</p>\n\n<p>{{ m.lead|uper }}</p>", "line 3: No filter named 'uper'. Did you mean «upper»?"),
        ("<p>x</p>\n{% if m.lead %}", "line 2: Unexpected end of template."),
    ],
)
def test_a_typing_error_is_told_with_its_line_and_what_was_meant(confined, source, said):
    with pytest.raises(TemplateBroken) as broken:
        confined.run(source, VIEW)
    assert str(broken.value).startswith(said)
