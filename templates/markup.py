"""Checks the HTML of customers' mails: which elements, attributes and links it may have.

It reads tags strictly and refuses unknown ones, so that no reader's client can read them differently. It checks a
template's source, for its author, and each mail from it, since no template may turn a text into tags. Not here: the
template language (templates.customers).
"""

import html as html_module
import re
from collections.abc import Iterator

ELEMENTS = frozenset(
    """
    a abbr address article aside b bdi bdo big blockquote body br caption center cite code col colgroup dd del
    details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 head header hr html i img ins kbd
    li main mark meta nav o:officedocumentsettings o:allowpng o:pixelsperinch ol p pre q s samp section small
    span strike strong style sub summary sup table tbody td tfoot th thead time title tr tt u ul var wbr xml
    """.split()  # noqa: SIM905 - words are read better in lines
)
ATTRIBUTES = frozenset(
    """
    abbr align alt aria-describedby aria-hidden aria-label aria-labelledby aria-level bgcolor border bordercolor
    cellpadding cellspacing char charset class clear color cols colspan compact content data-ogsb data-ogsc
    datetime dir face frame headers height hspace http-equiv id lang media name noshade nowrap role rowspan rows
    rules scope size span start style summary title type valign value vspace width xml:lang xmlns xmlns:o
    xmlns:v
    """.split()  # noqa: SIM905 - words are read better in lines
)
PLACES = {("a", "href"), ("img", "src"), ("body", "background"), ("table", "background"), ("td", "background")}
PLACES |= {("th", "background"), ("tr", "background")}
LINK_SCHEMES = ("https:", "http:", "mailto:", "tel:", "#")
_META_NAMES = frozenset(
    {"viewport", "format-detection", "color-scheme", "supported-color-schemes", "x-apple-disable-message-reformatting"}
    | {"author", "description", "generator", "robots"}
)
_META_HTTP = frozenset({"content-type", "x-ua-compatible", "content-language"})

_ATTRIBUTE = r"""\s+(?P<%s>[A-Za-z][A-Za-z0-9:_-]*)(?:\s*=\s*(?P<%s>"[^"]*"|'[^']*'|[^\s"'<>=`]+))?"""
_ONE_ATTRIBUTE = re.compile(_ATTRIBUTE % ("name", "value"))
_ANY_ATTRIBUTE = re.sub(r"\?P<%s>", "?:", _ATTRIBUTE)
_TAG = re.compile(rf"<(?P<end>/?)(?P<element>[A-Za-z][A-Za-z0-9:]*)(?P<rest>(?:{_ANY_ATTRIBUTE})*)\s*/?>")
# Outlook's conditional comments (Microsoft's «downlevel-hidden» and «-revealed»): their delimiters pass, and their
# content is checked as everything else is. Other comments hold no tags at all.
CONDITION = re.compile(
    r"<!--\[if [A-Za-z0-9 !()&|.]*\]>(?:<!-->)?|<!(?:--<!)?\[endif\]-->|<!\[if [A-Za-z0-9 !()&|.]*\]>|<!\[endif\]>"
)
_COMMENT = re.compile(r"<!--(?!-?>)(?!\[)[^<>]*?(?<!-)-->")
_DOCTYPE = re.compile(r"<!DOCTYPE [^<>\[\]]*>", re.IGNORECASE)
_STYLE_END = re.compile(r"</style\s*>", re.IGNORECASE)
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CSS_FETCHES = re.compile(
    r"url\s*\(|src\s*\(|image\s*\(|image-set|cross-fade|element\s*\(|paint\s*\(|@(?!media\b)|expression|behavio|-moz-binding"
    r"|javascript|vbscript|\\|<",
    re.IGNORECASE,
)
# No text of a mail needs these; readers ignore them, or take them for the end of a text.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def find_unfit(html: str, unknown: str = "") -> Iterator[tuple[int, str]]:
    """Yield position and sentence of everything that a mail may not contain.

    `unknown` begins a placeholder in a source for a value that is known only when a mail is made.
    """
    for control in _CONTROLS.finditer(html):
        yield control.start(), f"the control character U+{ord(control[0]):04X} has no place in a mail"
    for start, tag in _scan(html):
        if tag is None:
            yield start, f"{html[start : start + 40]!r} is no tag or comment that a mail may have"
            continue
        element = tag["element"].lower()
        if element not in ELEMENTS:
            yield start, f"<{element}> has no place in a mail"
        elif not tag["end"]:
            for sentence in _unfit_attributes(element, tag["rest"], unknown):
                yield start, sentence
            if element == "style":
                css = html[tag.end() : _end_of_style(html, tag.end())]
                if fetch := _CSS_FETCHES.search(_CSS_COMMENT.sub("", css)):
                    yield tag.end() + css.find(fetch[0]), f"«{fetch[0]}» has no place in a style sheet"


def find_tags(html: str) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Yield position, element and sorted names of attributes of every opening tag, in lower case."""
    for start, tag in _scan(html):
        if tag is not None and not tag["end"]:
            names = sorted(match["name"].lower() for match in _ONE_ATTRIBUTE.finditer(tag["rest"]))
            yield start, tag["element"].lower(), tuple(names)


def _scan(html: str) -> Iterator[tuple[int, re.Match[str] | None]]:
    """Yield every tag, and None for a mark that is neither tag nor comment; the text of style sheets is skipped."""
    position = 0
    while (start := html.find("<", position)) >= 0:
        tag = _TAG.match(html, start)
        if tag is None:
            passed = CONDITION.match(html, start) or _COMMENT.match(html, start) or _DOCTYPE.match(html, start)
            if passed is None:
                yield start, None
            position = passed.end() if passed else start + 1
            continue
        yield start, tag
        position = tag.end()
        if not tag["end"] and tag["element"].lower() == "style":
            position = _end_of_style(html, position)


def _end_of_style(html: str, position: int) -> int:
    end = _STYLE_END.search(html, position)
    return end.start() if end else len(html)


def _unfit_attributes(element: str, rest: str, unknown: str) -> Iterator[str]:
    values: dict[str, str] = {}
    for match in _ONE_ATTRIBUTE.finditer(rest):
        name, value = match["name"].lower(), _read_value(match["value"] or "")
        if name in values:
            yield f"the attribute {name} stands twice in <{element}>"
        values[name] = value
        if (element, name) in PLACES:
            yield from _unfit_place(name, value, unknown)
        elif name not in ATTRIBUTES:
            yield f"the attribute {name} has no place in <{element}> of a mail"
        elif name == "style" and (fetch := _CSS_FETCHES.search(_CSS_COMMENT.sub("", value))):
            yield f"«{fetch[0]}» has no place in a style"
    if element == "meta":
        http, name = values.get("http-equiv", "").lower(), values.get("name", "").lower()
        if "http-equiv" in values and http not in _META_HTTP:
            yield f"<meta http-equiv={http[:40]!r}> has no place in a mail"
        if "name" in values and name not in _META_NAMES:
            yield f"<meta name={name[:40]!r}> has no place in a mail"


def _read_value(value: str) -> str:
    return html_module.unescape(value[1:-1] if value[:1] in {'"', "'"} else value)


def _unfit_place(name: str, value: str, unknown: str) -> Iterator[str]:
    place = value.strip(" ")
    if unknown and place.startswith(unknown):
        return
    if name == "href":
        if not place.lower().startswith(LINK_SCHEMES) or any(ord(char) < 32 for char in place):
            yield f"href={value[:60]!r}: a link begins with one of {', '.join(LINK_SCHEMES)}"
    elif not place.startswith("cid:"):
        yield f"{name}={value[:60]!r}: a graphic travels with the mail (cid:), it is not fetched"


def line_of(html: str, position: int) -> int:
    """Return the line of a position in a text, from 1."""
    return html.count("\n", 0, position) + 1
