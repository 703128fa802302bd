"""HTML from outside → HTML that a tree builder reads in linear time, with only the attributes that html uses.

HTML's own algorithm is not linear: a block searches all open elements for a paragraph to close, formatting elements are
copied into every following block (HTML standard §13.2.4.3), attributes of a tag are compared with each other. Small
documents cannot abuse that and pass unchanged; all others are tokenised here and rewritten.
"""

import re
from typing import Final

_SMALL_TAGS: Final = 600
_SMALL_LENGTH: Final = 40_000
_NODE_LIMIT: Final = 60_000
_DEPTH_LIMIT: Final = 400
_ATTRIBUTE_LIMIT: Final = 5_000

_TOKEN: Final = re.compile(
    r"""<!--.*?(?:-->|\Z)|<(?:[!?]|/(?![a-zA-Z]))[^>]*+>?"""
    r"""|<(?P<close>/?)(?P<name>[a-zA-Z][a-zA-Z0-9:-]{0,20}+)(?P<rest>(?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+')|=)*+)>?"""
    r"""|<""",
    re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(r"""([a-zA-Z][a-zA-Z-]{0,20})\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""")
_READ: Final = frozenset(
    {"id", "class", "style", "name", "href", "type", "cite", "alt", "start", "value", "color", "data-marker"}
)
_RAW: Final = frozenset(
    {
        "script",
        "style",
        "title",
        "textarea",
        "xmp",
        "iframe",
        "noembed",
        "noframes",
        "plaintext",
        "select",
        "svg",
        "math",
    }
)
_VOID: Final = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_IMPLIED: Final = frozenset(
    {"p", "li", "td", "th", "tr", "dt", "dd", "option", "tbody", "thead", "body", "html", "head"}
)
_FORMATTING: Final = frozenset(
    {"b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
)

_MARKUP: Final = re.compile(r"<[a-z/!?][^<>]*>|&(?:[a-z]{2,8}|#[0-9]{1,7}|#x[0-9a-f]{1,6});", re.IGNORECASE)
_PAGE: Final = re.compile(
    r"\s*(?:<!--.{0,2000}?-->\s*|<\?xml[^<>]{0,200}>\s*)?"
    r"<(?P<page>!doctype\s+html|html|head|body)?(?:(?(page)|(?:table|div|p|h[1-6]|style|meta|font|span|center|b|strong|pre|ul|ol|br|a)))"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE | re.DOTALL,
)
_BREAK: Final = re.compile(r"<br\s?/?>|</(?:p|div|tr|li|h[1-6])>", re.IGNORECASE)
_CLOSED: Final = re.compile(r"</?[a-z][a-z0-9]{0,9}\s?/?>\s*\Z", re.IGNORECASE)


def holds_markup(text: str) -> bool:
    """Return whether a text labelled HTML has any markup; without it the line ends are the author's."""
    return _MARKUP.search(text) is not None


def holds_page(text: str) -> bool:
    """Return whether a text labelled plain is a page, a fragment between tags, or lines that end in tags."""
    if "<" not in text:
        return False
    begin = _PAGE.match(text)
    if begin is not None and (begin["page"] or _CLOSED.search(text[-40:])):
        return True
    breaks = len(_BREAK.findall(text))
    return breaks >= 2 and breaks >= sum(1 for line in text.splitlines() if line.strip()) - 1


def bounded_html(html: str) -> str:
    """Return HTML of the same text at linear cost: unchanged if small, else rewritten and cut at the bounds."""
    if html.count("<") <= _SMALL_TAGS and len(html) <= _SMALL_LENGTH:
        return html
    out: list[str] = []
    position = depth = nodes = 0
    while nodes < _NODE_LIMIT and depth < _DEPTH_LIMIT:
        token = _TOKEN.search(html, position)
        if token is None:
            out.append(html[position:])
            break
        out.append(html[position : token.start()])
        position = token.end()
        nodes += 1
        name = (token["name"] or "").lower()
        if not name:
            out.append("&lt;" if token[0] == "<" else "")
        elif name in _RAW:
            position = position if token["close"] else _raw_end(html, position, name)
        else:
            out.append(_written(name, token["close"], token["rest"]))
            if name not in _VOID and name not in _IMPLIED:
                depth += -1 if token["close"] and depth else 1
    return "".join(out)


def _raw_end(html: str, position: int, name: str) -> int:
    found = re.compile(rf"</{name}\b[^>]*+>?", re.IGNORECASE).search(html, position)
    return found.end() if found is not None else len(html)


def _written(name: str, close: str, rest: str) -> str:
    # A custom element instead of <a>, since links are formatting elements too.
    name = {"a": "x-a"}.get(name, "span" if name in _FORMATTING else name)
    if close or "=" not in rest:
        hidden = "" if close or "hidden" not in rest.lower().split() else " hidden"
        return f"<{close}{name}{hidden}>"
    kept: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(rest[:_ATTRIBUTE_LIMIT]):
        key = match[1].lower()
        if key in _READ:
            kept.setdefault(key, match[2] or match[3] or match[4] or "")
    if "hidden" in rest[:_ATTRIBUTE_LIMIT].lower().split():
        kept["hidden"] = ""
    attributes = "".join(f' {key}="{value.replace(chr(34), "&quot;")}"' for key, value in kept.items())
    return f"<{name}{attributes}>"
