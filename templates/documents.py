"""Pages of the documentation as HTML for the portal: the Markdown files of docs, which the package has as well.

HTML in them is text, and nothing is inline but classes. A link to a page that the reader has not is its words alone;
pictures that stand alone and the section for the operator are left out.
Not here: who may read which (web.portal).
"""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_CACHED: Final = 64
_OPERATORS: Final = "For the operator"
_OF_PICTURES: Final = frozenset({"image", "softbreak", "hardbreak"})
_PUNCTUATION: Final = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One page: its title, the first paragraph as plain text, the rest as HTML, and its sections by their anchors."""

    title: str
    lead: str
    html: Markup
    sections: tuple[tuple[str, str], ...]


def render_document(name: str, links: Mapping[str, str]) -> Document:
    """Return a page by its path below docs without `.md`. `links` are the addresses of those that it may link to."""
    return _rendered(name, tuple(sorted(links.items())))


@lru_cache(_CACHED)
def _rendered(name: str, links: tuple[tuple[str, str], ...]) -> Document:
    tokens = _tokens(name)
    for token in tokens:
        if token.type == "inline":
            token.children = list(_with_links(token.children or [], posixpath.dirname(name), dict(links)))
    titles = [token.content for token in tokens[1:2]]
    lead = next((tokens[index + 1].content for index, one in enumerate(tokens) if one.type == "paragraph_open"), "")
    html = _markdown().renderer.render(tokens[3:], _markdown().options, {})
    return Document(
        title=titles[0] if titles else name,
        lead=_plain(lead),
        html=Markup(html),  # noqa: S704  (the renderer escapes all text)
        sections=tuple(
            (str(token.attrs["id"]), _plain(tokens[index + 1].content))
            for index, token in enumerate(tokens)
            if token.type == "heading_open" and token.tag == "h2"
        ),
    )


def _tokens(name: str) -> list[Token]:
    text = (files("templates") / "documentation" / f"{name}.md").read_text("utf-8")
    tokens = list(_for_customers(_without_pictures(_markdown().parse(text))))
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrs["id"] = _anchor(tokens[index + 1].content)
        elif token.type in {"th_open", "td_open"} and "style" in token.attrs:
            right = "right" in str(token.attrs.pop("style"))
            token.attrs.update({"class": "count"} if right else {})
        elif token.type == "table_open":
            token.attrs["class"] = "list"
    return tokens


def _for_customers(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield a page without the section that is the operator's, who reads it elsewhere."""
    is_operators = False
    for index, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h2":
            is_operators = tokens[index + 1].content == _OPERATORS
        if not is_operators:
            yield token


def _without_pictures(tokens: Sequence[Token]) -> list[Token]:
    """Return a page without the paragraphs and tables that show pictures alone, which the package does not have."""
    shown: list[Token] = []
    begins: list[int] = []
    for token in tokens:
        shown.append(token)
        if token.type in {"paragraph_open", "table_open"}:
            begins.append(len(shown) - 1)
        elif token.type in {"paragraph_close", "table_close"}:
            begin = begins.pop()
            parts = [part for one in shown[begin:] for part in one.children or ()]
            if any(part.type == "image" for part in parts) and all(part.type in _OF_PICTURES for part in parts):
                del shown[begin:]
    return shown


@cache
def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.add_render_rule("table_open", _open_table)
    made.add_render_rule("table_close", lambda *_: "</table></div>\n")
    made.add_render_rule("image", lambda _, tokens, index, *__: str(Markup.escape(tokens[index].content)))
    return made


def _open_table(_renderer: Any, _tokens: Sequence[Token], _index: int, *_: Any) -> str:
    return '<div class="scroll" role="region" tabindex="0" aria-label="Table"><table class="list">\n'


def _with_links(children: Sequence[Token], folder: str, links: Mapping[str, str]) -> Iterator[Token]:
    """Yield what a line is of, with links that lead somewhere and without the others."""
    dropped = 0
    for token in children:
        if token.type == "link_open":
            href = _address(str(token.attrs["href"]), folder, links)
            if not href:
                dropped += 1
                continue
            token.attrs["href"] = href
        elif token.type == "link_close" and dropped:
            dropped -= 1
            continue
        yield token


def _address(href: str, folder: str, links: Mapping[str, str]) -> str:
    if href.startswith(("https://", "#")):
        return href
    path, mark, anchor = href.partition("#")
    name = posixpath.normpath(posixpath.join(folder, path)).removesuffix(".md")
    return links[name] + mark + anchor if name in links else ""


def _anchor(heading: str) -> str:
    """Return the anchor of a heading as GitHub makes it."""
    return _PUNCTUATION.sub("", _plain(heading).lower()).replace(" ", "-")


def _plain(text: str) -> str:
    """Return a line of Markdown without its marks."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(text.split())).replace("`", "").replace("*", "")
