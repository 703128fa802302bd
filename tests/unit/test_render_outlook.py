"""A checker for what Outlook's Word engine, phones and screen readers need, run over every kind of status mail.

Word ignores or breaks on: max-width, margin:auto, float, flex, grid, positions, background images, !important in style
attributes; width, height and padding anywhere but on cells, tables and headings; margin on inline elements.
"""

import re
from itertools import pairwise, product
from typing import Any

import pytest
from lxml import etree
from lxml import html as lxml_html

from sms.lifecycle import MessageState
from sms.report import NoticeKind
from templates.brand import CARDS, contrast
from templates.render import Renderer, standard_template
from templates.words import find_languages
from tests.kit.status_samples import everything, many, message, report

RENDERER = Renderer()
BOXES = {"td", "th", "table", "h1"}
IGNORED = re.compile(
    r"\b(float|position|flex|grid|background-image|box-shadow|opacity|transform|calc|var)\b|!important|\bauto\b|url\("
)


def declarations(element) -> dict[str, str]:
    pairs = (one.partition(":") for one in element.get("style", "").split(";") if one.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def problems_of(html: str) -> list[str]:
    """Return what Word would ignore although the look depends on it."""
    tree: Any = lxml_html.document_fromstring(html)
    found = []
    for element in tree.iter(etree.Element):
        style = declarations(element)
        if "display" in style and style["display"] == "none":
            if style.get("mso-hide") != "all":
                found.append("hidden text that Word shows")
            continue
        found += [
            f"{element.tag}: {name}: {value}" for name, value in style.items() if IGNORED.search(f"{name}:{value}")
        ]
        if element.tag not in BOXES | {"body"}:
            found += [f"{element.tag}: {name}" for name in style if re.match("width|height|padding", name)]
        if element.tag not in {"h1", "p", "div", "body"}:
            found += [f"{element.tag}: {name}" for name in style if name.startswith("margin")]
        if "max-width" in style and not _held_by_word(element, style["max-width"]):
            found.append(f"{element.tag}: max-width without a fixed width for Word")
        if "background-color" in style and element.get("bgcolor") is None:
            found.append(f"{element.tag}: background-color without bgcolor")
        if "height" in style and element.get("height") is None:
            found.append(f"{element.tag}: height without its attribute")
        if element.tag == "table":
            found += _problems_of_table(element)
        if element.tag == "img" and element.get("alt") is None:
            found.append("img without alt")
    if tree.get("lang") is None:
        found.append("html without lang")
    return found


def _held_by_word(table, width) -> bool:
    before = table.getprevious()
    return (
        before is not None
        and before.tag is etree.Comment
        and f'width="{width.removesuffix("px")}"' in before.text
        and "[if mso]" in before.text
    )


def _problems_of_table(table) -> list[str]:
    found = [
        f"table without {name}" for name in ("cellpadding", "cellspacing", "border", "width") if table.get(name) is None
    ]
    if table.get("role") != "presentation" and not table.xpath(".//th[@scope]"):
        found.append("a table for layout that a screen reader reads as data")
    if len(list(table.iterancestors("table"))) > 3:
        found.append("tables nested too deep for Word")
    return found


JOBS = {
    "everything": everything,
    "many": many,
    "personal": lambda **changes: report(message(text="one"), message(MessageState.EXPIRED, text="two"), **changes),
}


@pytest.mark.parametrize(("job", "kind", "language"), list(product(JOBS, NoticeKind, find_languages())))
def test_words_engine_ignores_nothing_that_the_mail_relies_on(job, kind, language):
    assert problems_of(RENDERER.render(kind, JOBS[job](language=language)).html) == []


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ("<div style='display:flex'>x</div>", "flex"),
        ("<div style='width:600px'>x</div>", "width"),
        (
            "<table width='100%' cellpadding='0' cellspacing='0' border='0' role='presentation' style='max-width:600px'><tr><td>x</td></tr></table>",
            "max-width",
        ),
        ("<td style='background-color:#fff'>x</td>", "bgcolor"),
        ("<td style='color:red !important'>x</td>", "!important"),
        ("<table><tr><td>x</td></tr></table>", "cellpadding"),
        ("<p style='margin:0 auto'>x</p>", "auto"),
        ("<span style='padding:2px'>x</span>", "padding"),
        ("<td style='background-image:url(x)'>x</td>", "background-image"),
        ("<div style='display:none'>x</div>", "hidden"),
    ],
)
def test_the_checker_finds_what_word_ignores(html, problem):
    assert any(problem in one for one in problems_of(f"<html lang='en'><body>{html}</body></html>"))


def _colours(css: str, name: str) -> set[str]:
    return set(re.findall(rf"[{{;\s]{name}:\s*(#[0-9a-f]{{6}})", css))


def test_every_colour_of_text_stands_out_from_every_ground_it_may_have():
    light, _, others = standard_template().partition("<style>")[2].partition("@media only screen")
    dark = others.partition("(prefers-color-scheme: dark)")[2].partition("[data-ogsb]")[0]
    bands = set(re.findall(r"\.band-\w+ \{ background-color: (#[0-9a-f]{6})", light))
    for css, grounds in (
        (light, _colours(light, "background-color") - bands),
        (dark, _colours(dark, "background-color")),
    ):
        texts = _colours(css, "color")
        assert len(texts) >= 6
        assert len(grounds) == 3
        assert {
            (text, ground): contrast(text, ground)
            for text in texts
            for ground in grounds
            if contrast(text, ground) < 4.5
        } == {}


def test_accents_are_fitted_to_the_grounds_that_the_cards_have():
    light, _, dark = standard_template().partition("(prefers-color-scheme: dark)")
    grounds = (re.findall(r"\.card \{[^}]*background-color: (#[0-9a-f]{6})", css)[0] for css in (light, dark))
    assert tuple(grounds) == CARDS


def test_outlook_com_gets_the_same_dark_colours_as_other_clients():
    dark = standard_template().partition("(prefers-color-scheme: dark) {")[2].partition("</style>")[0]
    media, outlook = dark.partition("[data-ogsb]")[0], "[data-ogsb]" + dark.partition("[data-ogsb]")[2]
    assert _colours(outlook, "color") == _colours(media, "color")
    assert _colours(outlook, "background-color") - {"#ffffff"} == _colours(media, "background-color")
    assert "[data-ogsb] .logo { background-color: #ffffff !important; }" in outlook  # a logo stays on white everywhere


@pytest.mark.parametrize("state", MessageState)
def test_a_state_is_in_words_and_never_in_colour_alone(state):
    tree: Any = lxml_html.document_fromstring(RENDERER.render(NoticeKind.RESULT, report(message(state))).html)
    coloured = tree.xpath("//span[@class='good' or @class='calm' or @class='open' or @class='unsure' or @class='bad']")
    assert coloured
    assert all(one.text_content().strip() for one in coloured)


def test_headings_and_rows_come_in_reading_order():
    tree: Any = lxml_html.document_fromstring(RENDERER.render(NoticeKind.RESULT, everything()).html)
    assert len(tree.xpath("//h1")) == 1
    texts = [one.text_content() for one in tree.xpath("//h1 | //td[@class='bubble'] | //th[@scope='row']")]
    assert texts[0] == "Nicht rechtzeitig zugestellt"
    assert "Guten Tag" in texts[1]
    assert ("Teile", "Teil 1 von 2") in list(pairwise(texts))
