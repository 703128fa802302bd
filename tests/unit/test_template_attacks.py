"""Templates that load, leave, run or hide something are refused with their line; words of others stay words."""

import re
from dataclasses import replace

import pytest
from msgspec import structs

from sms.lifecycle import MessageState
from sms.report import NoticeKind
from templates.customers import CustomerTemplates
from templates.markup import find_unfit
from templates.render import LARGEST_HTML, Renderer, TemplateBroken, standard_template
from templates.samples import sample_reports
from templates.second_judge import find_differences
from tests.kit.status_samples import everything, message, report

RENDERER = Renderer()
VIEW = RENDERER.view(NoticeKind.RESULT, report())
TEMPLATES = CustomerTemplates(largest=2 * LARGEST_HTML)
PAGE = "<!DOCTYPE html>\n<html><head><title>t</title></head><body>\n<p>{{ m.headline }}</p>\n%s\n</body></html>"
LINE = 4
SCRIPT = "<script>alert(1)</script>"

IN_LINE = [
    # The language.
    "{% autoescape false %}{{ m.job }}{% endautoescape %}",
    "{% autoescape m.single %}{{ m.job }}{% endautoescape %}",
    "{{ m.job|safe }}",
    "{{ m.job|forceescape }}",
    "{{ m.job|xmlattr }}",
    "{{ m.job|urlize }}",
    "{% filter replace('&lt;', '<') %}{{ m.job }}{% endfilter %}",
    "{% include 'status.html' %}",
    "{% import 'status.html' as s %}",
    "{% from 'status.html' import x %}",
    "{% extends 'status.html' %}",
    # Elements that load, run or ask.
    "<script>1</script>",
    "<SCRIPT src=//example.com></SCRIPT>",
    "<scr{# #}ipt>1</scr{# #}ipt>",
    "<iframe srcdoc='x'></iframe>",
    "<object data='https://example.com/'></object>",
    "<embed src='cid:x'>",
    "<applet></applet>",
    "<form action='https://example.com/'><button formaction='https://example.com/'>x</button></form>",
    "<input type=image src=cid:x>",
    "<video poster='https://example.com/x.png'></video>",
    "<audio src='cid:x'></audio>",
    "<link rel=stylesheet href='https://example.com/x.css'>",
    "<base href='https://example.com/'>",
    "<meta http-equiv='refresh' content='0;url=https://example.com/'>",
    "<meta http-equiv='&#114;efresh' content='0'>",
    "<meta http-equiv=Content-Security-Policy content=x>",
    "<meta name='referrer' content='unsafe-url'>",
    "<svg><image xlink:href='https://example.com/x'/></svg>",
    "<svg><use href='https://example.com/x#y'/></svg>",
    "<math><mtext>x</mtext></math>",
    "<template><p>x</p></template>",
    "<marquee onstart=x()>x</marquee>",
    "<noscript><img src=x></noscript>",
    "<x-own>x</x-own>",
    "<!--[if mso]><v:image src='https://example.com/x.png'/><![endif]-->",
    "<!--[if mso]><v:fill type='frame' src='https://example.com/x.png'/><![endif]-->",
    "<!--[if gte mso 9]><img src='https://example.com/x.png'><![endif]-->",
    "<!--[if !mso]><!--><img src='https://example.com/x.png'><!--<![endif]-->",
    "<!-- [if mso]><img src='https://example.com/x.png'><![endif] -->",
    "<!--><img src=x onerror=x()>-->",
    "<!--x--!><script>1</script>-->",
    "<![CDATA[<script>1</script>]]>",
    "<?xml-stylesheet href='https://example.com/x'?>",
    # Attributes.
    "<p onclick='x()'>x</p>",
    "<p ONmouseover=x()>x</p>",
    "<a href='https://example.com/' ping='https://example.com/p'>x</a>",
    "<img src='cid:x' srcset='https://example.com/x.png 2x'>",
    "<img src='cid:x' longdesc='https://example.com/'>",
    "<img src='cid:x' lowsrc='https://example.com/'>",
    "<img src='cid:x' usemap='#m'>",
    "<img src='https://example.com/x.png'>",
    "<img src='//example.com/x.png'>",
    "<img src='data:image/svg+xml,x'>",
    "<img src='&#104;ttps://example.com/x.png'>",
    "<img src=cid:x src=https://example.com/x.png>",
    "<img/src='https://example.com/x.png'>",
    "<html manifest='https://example.com/x'>",
    "<p is='x-own'>x</p>",
    "<table background='https://example.com/x.png'><tr><td>x</td></tr></table>",
    "<blockquote cite='https://example.com/'>x</blockquote>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='JaVa&#115;cript:alert(1)'>x</a>",
    "<a href='java&Tab;script:alert(1)'>x</a>",
    "<a href='&#1;javascript:alert(1)'>x</a>",
    "<a href='https:&NewLine;//example.com'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<a href='data:text/html,x'>x</a>",
    "<a href='file:///etc/passwd'>x</a>",
    "<a href='//example.com/'>x</a>",
    "<a href='x.html' target=_top>x</a>",
    "<a href='https://example.com/'onclick='x()'>x</a>",
    "<p\x00onclick='x()'>x</p>",
    "<p title='x\x00'>x</p>",
    # Styles.
    "<p style='background:url(https://example.com/x)'>x</p>",
    "<p style='background:URL (https://example.com/x)'>x</p>",
    "<p style='background:u/**/rl(https://example.com/x)'>x</p>",
    "<p style='background:\\75 rl(https://example.com/x)'>x</p>",
    "<p style='background:&#117;rl(https://example.com/x)'>x</p>",
    "<p style='background:image-set(\"https://example.com/x\" 1x)'>x</p>",
    "<p style='width:expression(alert(1))'>x</p>",
    "<p style='behavior:url(#x)'>x</p>",
    "<p style='-moz-binding:none'>x</p>",
    "<style>@import 'https://example.com/x.css';</style>",
    "<style>@import url(https://example.com/x.css);</style>",
    "<style>@font-face{font-family:x;src:url(https://example.com/x)}</style>",
    "<style>@media print{p{background:url(https://example.com/x)}}</style>",
    "<style>@\\69mport 'x';</style>",
    "<style>p{background:image-set('x' 1x)}</style>",
    "<style><!-- @import 'x'; --></style>",
    "<style>p{color:red}</style\n><script>1</script>",
]


@pytest.mark.parametrize("source", IN_LINE)
def test_an_attack_is_refused_with_its_line(source):
    with pytest.raises(TemplateBroken, match=rf"line ({LINE}|{LINE + 1})\b"):
        TEMPLATES.html(PAGE % source, VIEW)


@pytest.mark.parametrize(
    "source",
    [
        "<a href='{{ 'java' ~ 'script:x' }}'>x</a>",
        "<img src='{{ 'https://example.com/x.png' }}'>",
        "<p style='{{ 'background:u' ~ 'rl(x)' }}'>x</p>",
        "{% if m.single %}<img src={% endif %}https://example.com/x.png>",
        "<{% if m.single %}script{% endif %}>1",
        "<{{ 'script' }}>1</{{ 'script' }}>",
        "{% set lt %}&lt;{% endset %}{{ lt|replace('&lt;', '<') }}script",
        "{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f('script') }}",
        "{% macro f() %}<p {{ caller() }}>x</p>{% endmacro %}{% call f() %}onclick=x(){% endcall %}",
        "{{ ('<' ~ 'script>')|lines }}",
        "{{ '&lt;script&gt;'|replace('&lt;', '<')|replace('&gt;', '>') }}",
        "{{ '%s'|format('<script>') }}",
        "{{ '<script>'.format() }}",
        "{{ ['<script>', '</script>']|join }}",
    ],
)
def test_an_attack_that_shows_only_in_the_mail_is_refused_or_harmless(source):
    try:
        html = TEMPLATES.html(PAGE % source, VIEW).lower()
    except TemplateBroken:
        return
    assert not re.search(r"<script|javascript:|<img|url\(|onclick", html)


@pytest.mark.parametrize(
    "source",
    [
        "<img src='cid:logo' alt='Example' width=100 height=40 border=0 style='display:block'>",
        "<a href='https://example.com/{{ m.job }}' title='x' style='color:#123456'>x</a>",
        "<a href='mailto:a@example.com'>x</a> <a href='tel:+447700900123'>x</a> <a href='#top'>x</a>",
        "<table role='presentation' width='100%' cellpadding='0' background='cid:logo' bgcolor='#ffffff'><tr><td align=center valign=top>x</td></tr></table>",
        "<!--[if mso]><table width='600'><tr><td><![endif]-->x<!--[if mso]></td></tr></table><![endif]-->",
        "<!--[if !mso]><!--><p>x</p><!--<![endif]-->",
        "<!-- our colours: see the manual -->",
        "<style>p{color:red}@media print{p{color:blue !important}}[data-ogsc] p{color:#fff}</style>",
        "<font face='Arial' color='#123456' size=2>x</font><center><b>5 &lt; 6 &amp; 7 &gt; 6</b></center><br/>",
        "<p lang=de dir=ltr class='a' id='b' data-ogsc='x' aria-label='x'>x</p>",
    ],
)
def test_what_customers_need_is_possible(source):
    assert "Delivered" in TEMPLATES.html(PAGE % source, VIEW)


# What our own reader takes for harmless, and a parser that follows the standard takes for something else.
READ_OTHERWISE = [
    "<title><b>x</b></title>",
    "<title><a title='</title><img src=cid:x>'></a></title>",
    "<!--[if mso]> --> <img src='cid:x'> <![endif]-->",
    "<p title='<!--[if mso]>'>x</p><img src='cid:x'><p title='<![endif]-->'>x</p>",
    "<td style='color:red'>x</td>",
    "<!--[if mso]><tr style='color:red'><![endif]-->x",
    "<a href='https://[x'>x</a>",
    "<caption class='x'>x</caption>",
]


@pytest.mark.parametrize("html", READ_OTHERWISE)
def test_a_mail_that_two_readers_of_html_read_differently_is_refused(html):
    page = PAGE % html
    assert list(find_unfit(page)) == []
    assert list(find_differences(page))
    try:
        made = TEMPLATES.html(page, VIEW)
    except TemplateBroken:
        return
    assert html not in made  # the inliner wrote it as the standard reads it


def test_a_mail_that_is_read_differently_is_refused_with_the_line_of_the_mail():
    with pytest.raises(TemplateBroken, match=r"its line \d+: <a href> is no such tag for another reader of HTML"):
        TEMPLATES.html(PAGE % "<a href='https://[{{ m.job }}'>x</a>", VIEW)


@pytest.mark.parametrize(
    "html",
    [
        "<b class=x><p>x</b>y</p>",
        "<p><table align=left><tr><td>x</table></p>",
        "<!--[if mso]><table width='600'><tr><td><![endif]-->x<!--[if mso]></td></tr></table><![endif]-->",
        "<!--[if !mso]><!--><p>x</p><!--<![endif]-->",
        "<a href='https://example.com/?a=1&copy=2&lang=de'>x</a><img src=cid:x/>",
        "<table><caption>x</caption><colgroup><col width=1></colgroup><p class=x>x</p><tr><td>x</table>",
        "<xml><o:OfficeDocumentSettings><o:AllowPNG/></o:OfficeDocumentSettings></xml>",
        "<p xmlns:o=x xml:lang=de data-ogsc=x aria-label=x>x",
    ],
)
def test_untidy_html_that_every_reader_reads_alike_passes(html):
    assert list(find_unfit(html)) + list(find_differences(html)) == []


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("template", ["standard", "own"])
def test_a_script_in_any_field_stays_text_in_html_text_and_subject(kind, template):
    job = everything(reference=SCRIPT, cost_centre=SCRIPT, customer=SCRIPT, profile=SCRIPT, user=SCRIPT, service=SCRIPT)
    hostile = tuple(
        replace(
            one,
            given=SCRIPT,
            number=SCRIPT,
            text=SCRIPT + one.text,
            cut=SCRIPT,
            problem=SCRIPT,
            sender_id=SCRIPT,
            parts=tuple(replace(p, text=SCRIPT, carrier=SCRIPT, carrier_id=SCRIPT) for p in one.parts),
        )
        for one in (*job.messages, message(text=SCRIPT))
    )
    mail = structs.replace(job.mail, subject=SCRIPT) if job.mail is not None else None
    job = replace(job, messages=hostile, mail=mail, public_id=SCRIPT)
    for told in (job, replace(job, messages=hostile[:1])):
        rendered = RENDERER.render(kind, told)
        html = (
            rendered.html if template == "standard" else TEMPLATES.html(standard_template(), RENDERER.view(kind, told))
        )
        assert "&lt;script&gt;" in html
        assert "<script" not in html.lower()
        assert SCRIPT in rendered.text
        assert rendered.subject.endswith(f": {SCRIPT}")


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_script_in_a_number_stays_text_in_the_subject(kind):
    hostile = message(given=SCRIPT, number=SCRIPT, text=SCRIPT)
    told = replace(report(hostile), mail=None)
    state = RENDERER.view(kind, told).recipients[0].state
    assert RENDERER.render(kind, told).subject == f"SMS to {SCRIPT}: {state}"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("{{ m.headlin }}", f"line {LINE}: nothing is called «headlin» here; did you mean «headline»?"),
        (
            "\n{% for r in m.recipients %}{{ r.stat }}{% endfor %}",
            f"line {LINE + 1}: nothing is called «stat» here; did you",
        ),
        ("{{ n.headline }}", f"line {LINE}: nothing is called «n» here"),
        ("{{ qqqq }}", f"line {LINE}: nothing is called «qqqq» here"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_its_line_and_the_nearest_name(source, sentence):
    with pytest.raises(TemplateBroken) as broken:
        TEMPLATES.html(PAGE % source, VIEW)
    assert str(broken.value).startswith(sentence)


@pytest.mark.parametrize("kind", NoticeKind)
def test_samples_bill_nothing_that_no_carrier_accepted(kind):
    for sample in sample_reports(kind):
        for one in sample.messages:
            assert not any(p.billed for p in one.parts) or one.state not in {
                MessageState.QUEUED,
                MessageState.REJECTED,
                MessageState.FAILED,
                MessageState.CANCELLED,
            }
            assert kind is not NoticeKind.DRY_RUN or not any(p.billed for p in one.parts)
