"""HTML of a mail → lines of readable text, by its structure without quotes, signatures and hidden text.

Parts that are not the author's are left out and named in `HtmlText.removed`; quoted history becomes a line
`QUOTE_MARK`. mta.reading.html_marks decides which elements those are; mta.reading.quotes judges lines that only look
like history or a signature. Only this file uses selectolax (lexbor).
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from mta.reading.charsets import clean_text
from mta.reading.client_phrases import separator_kind
from mta.reading.html_bounds import bounded_html
from mta.reading.html_marks import Removal, Styles, has_no_size, judge_element, read_styles

QUOTE_MARK: Final = "\ue000"
"""The line that replaces quoted history (a private use code point; the same in the input is dropped)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlText:
    """The text of an HTML body, lines joined by LF.

    `structured` says whether it has a client's marks, `tabular` whether it has tables.
    """

    text: str
    removed: tuple[tuple[Removal, int], ...] = ()
    structured: bool = False
    tabular: bool = False


_SKIPPED: Final = frozenset(
    {
        "head", "style", "script", "title", "template", "svg", "math", "object", "iframe", "select", "audio", "video",
        "map", "canvas", "textarea", "noframes", "-comment", "!doctype", "xml", "meta", "link",
    }
)  # fmt: skip
_BLOCKS: Final = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt", "fieldset", "footer",
        "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "menu", "nav", "ol", "p", "pre",
        "section", "table", "tbody", "tfoot", "thead", "tr", "ul", "caption", "button", "details",
        "summary", "option", "dialog", "figure", "figcaption", "legend",
    }
)  # fmt: skip
_SPACED: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_MARKED: Final = frozenset(
    {
        "div", "span", "p", "a", "x-a", "blockquote", "table", "td", "hr", "img", "pre", "section", "ol", "font", "tr",
        "li", "footer", "aside", "signature", "article", "h1", "h2", "h3", "h4",
    }
)  # fmt: skip

_NO_MARGIN: Final = re.compile(r"margin(?:-bottom)?:0(?!\.?[1-9])")
_SPACE: Final = re.compile(r"[ \t\r\n\f]+")
_LIST_NUMBER: Final = re.compile(r"\(?[0-9]{1,3}[.)]|[a-z]{1,2}[.)]")
_HEADER_LABEL: Final = re.compile(r"[^\W\d_][^\n:\N{FULLWIDTH COLON}]{0,24}[:\N{FULLWIDTH COLON}]")
_LOOKS: Final = 20
"""How many searches of whole elements one document may cause, since elements are nested."""

_SIGNATURE_BREAK: Final = "linebreakatbeginningofsignature"
_EMOJI: Final = re.compile(r"[^\x00-\x7f]{1,8}")


def html_text(html: str, *, keep_history: bool = False) -> HtmlText:
    """Return the readable text of an HTML body; with `keep_history` quotes stay, as for a forward without own words.

    Never raises; bounded in nodes and depth, so that time stays linear in the size.
    """
    tree = LexborHTMLParser(bounded_html(html).encode("utf-8", "replace"))
    body = tree.body
    if body is None:
        return HtmlText(text="")
    styles = read_styles(html)
    writer = _Writer(styles, keep_history=keep_history)
    writer.walk(body)
    if writer.ended is not None:
        rest = len(_SPACE.sub(" ", body.text(deep=True))) - sum(len(line) for line in writer.lines)
        writer.removed.append((writer.ended, max(rest, 0)))
    return HtmlText(
        text=clean_text("\n".join(writer.lines)),
        removed=tuple(writer.removed),
        structured=writer.structured,
        tabular=writer.tabular,
    )


@dataclass(slots=True)
class _Frame:
    """The lines of one table cell, or of the whole body."""

    lines: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Row:
    """The cells of one table row, each as lines."""

    cells: list[list[str]] = field(default_factory=list)


class _Writer:
    """One walk over the tree in document order, without recursion."""

    __slots__ = (
        "ended",
        "frames",
        "keep_history",
        "left_out",
        "links",
        "lists",
        "looks",
        "prefix",
        "preformatted",
        "removed",
        "rows",
        "spaced",
        "structured",
        "styles",
        "tabular",
    )

    def __init__(self, styles: Styles, *, keep_history: bool) -> None:
        self.styles = styles
        self.keep_history = keep_history
        self.frames = [_Frame()]
        self.rows: list[_Row] = []
        self.lists: list[int | None] = []
        self.links: list[tuple[str, int, int]] = []
        self.left_out = 0
        self.looks = _LOOKS
        self.prefix = ""
        self.preformatted = 0
        self.removed: list[tuple[Removal, int]] = []
        self.spaced = False
        self.ended: Removal | None = None
        self.structured = False
        self.tabular = False

    @property
    def lines(self) -> list[str]:
        """The lines written so far in the outermost frame."""
        return self.frames[0].lines

    def walk(self, body: LexborNode) -> None:
        """Write everything below the body, in document order."""
        stack: list[tuple[LexborNode | None, str]] = [(body.child, "")]
        while stack and self.ended is None:
            node, leaving = stack.pop()
            if node is None:
                self._leave(leaving)
                continue
            following = node.next
            if following is not None:
                stack.append((following, ""))
            self._visit(node, stack)
        for node, leaving in reversed(stack):
            if node is None:
                self._leave(leaving)
        self._flush()

    def _visit(self, node: LexborNode, stack: list[tuple[LexborNode | None, str]]) -> None:
        tag = node.tag or ""
        if tag == "-text":
            self._text(node.text_content or "")
            return
        if tag in _SKIPPED or node.mem_id == self.left_out or (tag in _MARKED and self._cut(node, tag)):
            return
        closing = self._enter(node, tag)
        if closing:
            stack.append((None, closing))
        child = node.child
        if child is not None:
            stack.append((child, ""))

    def _cut(self, node: LexborNode, tag: str) -> bool:
        """Return whether this element and its content is not the author's text, and note its kind."""
        verdict = judge_element(tag, node.attributes, self.styles, keep_history=self.keep_history)
        if verdict is None:
            return False
        if verdict.forward_only:
            heading = node.css_first(".gmail_attr")
            if heading is None or not heading.text(deep=True).lstrip().startswith("---"):
                return False
        if verdict.sizeless_only and not (self._may_look() and not _has_sizes(node)):
            return False
        if verdict.colourless_only and not (self._may_look() and not _has_colours(node)):
            return False
        if verdict.labelled_only and not (self._may_look() and _shows_header(node)):
            return False
        self.structured = self.structured or verdict.removal is not Removal.HIDDEN
        if verdict.removal is Removal.QUOTE:
            self._flush()
            self.frames[-1].lines.append(QUOTE_MARK)
        if verdict.rest:
            self.ended = verdict.removal
        else:
            self._remove(node, verdict.removal)
        return True

    def _remove(self, node: LexborNode, kind: Removal) -> None:
        length = len(_SPACE.sub(" ", node.text(deep=True)).strip())
        if length:
            self.removed.append((kind, length))

    def _text(self, text: str) -> None:
        text = text.replace(QUOTE_MARK, "")
        if self.preformatted:
            first, *rest = text.replace("\r\n", "\n").split("\n")
            self.frames[-1].current.append(first)
            for line in rest:
                self._flush(force=True)
                self.frames[-1].current.append(line)
            return
        current = self.frames[-1].current
        text = _SPACE.sub(" ", text)
        if text and not (text == " " and not current):
            current.append(text)

    def _flush(self, *, force: bool = False) -> None:
        """End the current line; if forced, an empty one too."""
        frame = self.frames[-1]
        line = "".join(frame.current)
        frame.current.clear()
        # Outlook writes an empty line as no-break spaces.
        text = line.rstrip() if self.preformatted else " ".join(line.split())
        if text == "--" and not self.preformatted and line.lstrip() != "--":
            text = "-- "  # RFC 3676 §4.3: its blank marks a signature
        if not text and not force and not (line and line.strip(" ")):
            return
        if text and self.spaced:
            if frame.lines and frame.lines[-1]:
                frame.lines.append("")
            self.spaced = False
        if text and self.prefix:
            text, self.prefix = self.prefix + text, ""
        frame.lines.append(text)

    def _enter(self, node: LexborNode, tag: str) -> str:
        """Begin an element; returns the text that ends it, empty for none."""
        if tag == "br":
            self._flush(force=True)
            name = (node.attributes.get("id") or "").lower().removeprefix("x_")
            if name == _SIGNATURE_BREAK and self._may_look():
                self._leave_out_signature(node)
        elif tag in {"td", "th"}:
            self.frames.append(_Frame())
            return "td"
        elif tag == "tr":
            self._flush()
            self.rows.append(_Row())
            return "tr"
        elif tag in {"a", "x-a"}:
            frame = self.frames[-1]
            self.links.append((node.attributes.get("href") or "", len(frame.lines), len(frame.current)))
            return "a"
        elif tag == "img":
            alt = (node.attributes.get("alt") or "").strip()
            if _EMOJI.fullmatch(alt):
                self.frames[-1].current.append(alt)
        elif tag == "span":
            self._list_glyph(node)
        elif tag in _BLOCKS:
            return self._enter_block(node, tag)
        return ""

    def _may_look(self) -> bool:
        self.looks -= 1
        return self.looks >= 0

    def _leave_out_signature(self, node: LexborNode) -> None:
        """Leave out the block after the break with which Apple's phones begin the signature."""
        block = node.next
        while block is not None and block.tag == "-text" and not (block.text_content or "").strip():
            block = block.next
        if block is None or block.tag != "div" or block.css_first("blockquote") is not None:
            return
        if separator_kind(" ".join(block.text(deep=True).split())):
            return
        self.left_out = block.mem_id
        self.structured = True
        self._remove(block, Removal.SIGNATURE)

    def _enter_block(self, node: LexborNode, tag: str) -> str:
        self._flush()
        if tag == "table":
            self.tabular = True
        elif tag in {"ul", "menu"}:
            self.lists.append(None)
            return "list"
        elif tag == "ol":
            self.lists.append(_number(node, "start") or 1)
            return "list"
        elif tag == "li":
            number = self.lists[-1] if self.lists else None
            number = number if number is None else _number(node, "value") or number
            self.prefix = "- " if number is None else f"{number}. "
            if number is not None:
                self.lists[-1] = number + 1
        elif tag == "pre":
            self.preformatted += 1
            return "pre"
        elif tag in _SPACED or (tag == "p" and self._is_spaced(node)):
            self.spaced = True
            return "p"
        return "block"

    def _is_spaced(self, node: LexborNode) -> bool:
        if self.styles.tight or self.prefix:
            return False
        attributes = node.attributes
        name = (attributes.get("class") or "").lower()
        style = (attributes.get("style") or "").lower().replace(" ", "")
        return not name.startswith(("mso", "x_mso")) and not _NO_MARGIN.search(style)

    def _list_glyph(self, node: LexborNode) -> None:
        """Turn Outlook's drawn bullet («·» in Symbol) into a hyphen (its lists are only paragraphs in HTML)."""
        style = (node.attributes.get("style") or "").lower().replace(" ", "")
        if "mso-list:ignore" in style:
            glyph = " ".join(node.text(deep=True).split())
            self.prefix = f"{glyph} " if _LIST_NUMBER.fullmatch(glyph) else "- "
            node.inner_html = ""

    def _leave(self, closing: str) -> None:
        if closing == "a":
            self._leave_link()
            return
        self._flush()
        if closing == "td" and len(self.frames) > 1:
            cell = self.frames.pop().lines
            if self.rows:
                self.rows[-1].cells.append(cell)
            else:
                self.frames[-1].lines += cell
        elif closing == "tr" and self.rows:
            self._write_row(self.rows.pop())
        elif closing == "list" and self.lists:
            self.lists.pop()
            self.prefix = ""
        elif closing == "pre":
            self.preformatted -= 1
        elif closing == "p":
            self.spaced = True

    def _write_row(self, row: _Row) -> None:
        """Write a row: cells of one line side by side, others below each other."""
        cells = [cell for cell in row.cells if any(line.strip() for line in cell)]
        lines = self.frames[-1].lines
        if not cells:
            return
        texts = [[line for line in cell if line] for cell in cells]
        if any(len(text) > 1 or text[0] == QUOTE_MARK for text in texts):
            for cell in cells:
                lines += cell
        elif len(texts) == 2 and len(texts[0][0]) <= 40:
            name, value = texts[0][0], texts[1][0]
            lines.append(f"{name} {value}" if name[-1] in ":\N{FULLWIDTH COLON}=?.-•" else f"{name}: {value}")
        else:
            lines.append("; ".join(text[0] for text in texts))

    def _leave_link(self) -> None:
        if not self.links:
            return
        href, lines, start = self.links.pop()
        frame = self.frames[-1]
        url = _readable_url(href)
        if not url or len(frame.lines) != lines:
            return
        visible = "".join(frame.current[start:]).strip()
        if visible and _bare(visible) != _bare(url) and "://" not in visible:
            frame.current.append(f" {url}")
        elif visible and "://" not in visible and not _bare(visible):
            frame.current.append(url)


def _has_colours(node: LexborNode) -> bool:
    """Return whether anything in an element has its own colour."""
    return any(inner.mem_id != node.mem_id for inner in node.css("[style*='color'], [color]"))


def _number(node: LexborNode, attribute: str) -> int:
    """Return a number of a list, 0 for none."""
    value = node.attributes.get(attribute) or ""
    return int(value) if value.isdecimal() and len(value) < 5 else 0


def _has_sizes(node: LexborNode) -> bool:
    """Return whether any text in an element without size has one."""
    styles = (inner.attributes.get("style") or "" for inner in node.css("[style*='font-size']"))
    return any(not has_no_size(style) for style in styles)


def _shows_header(node: LexborNode) -> bool:
    """Return whether an element has four labels like a quoted mail header, in any language."""
    pieces = node.text(deep=True, separator="\n")[:4_000].split("\n")
    return sum(_HEADER_LABEL.fullmatch(piece.strip()) is not None for piece in pieces) >= 4


def _bare(url: str) -> str:
    return url.lower().partition("://")[2 if "://" in url else 0].removeprefix("www.").rstrip("/ ")


def _readable_url(href: str) -> str:
    """Return the address for a reader: only http, rewritten ones (Safe Links) restored, "" for anything else."""
    href = href.strip()
    if not href.lower().startswith(("http://", "https://")) or len(href) > 2_000:
        return ""
    try:
        parts = urlsplit(href)
        if (parts.hostname or "").endswith(".safelinks.protection.outlook.com"):
            target = parse_qs(parts.query).get("url", [""])[0]
            href = target if target.startswith(("http://", "https://")) else href
    except ValueError:
        return ""
    return href if len(href) <= 300 and href.isprintable() and " " not in href else ""
