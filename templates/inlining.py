"""Prepares a template's HTML for a CSS inliner, once, when it is compiled, and restores it afterwards.

Jinja's blocks and expressions become comments or plain tokens. `@media` blocks and rules for `data-ogsc`/`data-ogsb`
(Outlook's dark mode) bypass the inliner, which would drop their `!important`, and are put back unchanged. Other
at-rules (`@import`, `@font-face`) are refused: neither we nor a reader's client may fetch anything.
Not here: the inliner and the template language (templates.render).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_KEPT_SELECTORS = ("data-ogsc", "data-ogsb")
_STYLE = re.compile(r"(<style\b[^>]*>)(.*?)(</style\s*>)", re.DOTALL | re.IGNORECASE)
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_TOKEN = re.compile(r"<!--(JINJA[0-9]+END)-->|(JINJA[0-9]+END)")
_STYLE_ATTRIBUTE = re.compile(r' style="[^"]*"')
_INDENT = re.compile(r"[ \t]*\n\s*")


class NotInlinable(ValueError):  # noqa: N818  (reads as the sentence it carries)
    """The source cannot be inlined; the message tells its author why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a template's source: HTML, or one whole Jinja tag."""

    source: str
    is_tag: bool
    is_block: bool = False


def inline_once(pieces: Iterable[Piece], inline: Callable[[str], str]) -> str:
    """Return the template's source with its CSS inlined. `inline` takes and returns plain HTML.

    Raises NotInlinable if a Jinja tag is at a place where HTML cannot hold it.
    """
    html, tags = _hide_tags(pieces)
    html, kept = _hide_kept_css(html)
    html = inline(html)
    if kept:
        html = re.sub(r"(?=</head>)", lambda _: f"<style>{_tighten(kept)}</style>", html, count=1)
    html = _STYLE_ATTRIBUTE.sub(lambda match: match[0].replace("; ", ";").replace(", ", ","), html)
    html = _INDENT.sub("\n", html)
    return _restore_tags(html, tags)


def _hide_tags(pieces: Iterable[Piece]) -> tuple[str, list[str]]:
    result: list[str] = []
    tags: list[str] = []
    inside = _Inside()
    for piece in pieces:
        if not piece.is_tag:
            if re.search("JINJA[0-9]+END", piece.source):
                raise NotInlinable("the letters JINJA, a number and END can't stand in a template")
            inside.feed(piece.source)
            result.append(piece.source)
            continue
        token = f"JINJA{len(tags)}END"
        tags.append(piece.source)
        if inside.tag and not inside.quote:
            raise NotInlinable(f"{piece.source.strip()} stands inside an HTML tag but not inside a quoted attribute")
        # In text a block becomes a comment, which, unlike text, may be between table rows.
        result.append(f"<!--{token}-->" if piece.is_block and inside.text else token)
    return "".join(result), tags


class _Inside:
    """The place in the HTML: text, comment, style or script, or tag, there in a quoted value or not."""

    def __init__(self) -> None:
        self.tag = False
        self.quote = ""
        self._until = ""

    @property
    def text(self) -> bool:
        return not self.tag and not self._until

    def feed(self, html: str) -> None:
        position = 0
        while position < len(html):
            position = self._step(html, position)

    def _step(self, html: str, position: int) -> int:
        if self._until:
            return self._step_in_raw(html, position)
        if self.tag:
            return self._step_in_tag(html, position)
        start = html.find("<", position)
        if start < 0:
            return len(html)
        opening = html[start + 1 : start + 7].lower()
        if opening.startswith("!--"):
            self._until = "-->"
            return start + 4
        raw = next((name for name in ("style", "script", "title") if opening.startswith(name)), None)
        if raw is None:
            self.tag = True
        else:
            self._until = f"</{raw}"
        return start + 1

    def _step_in_raw(self, html: str, position: int) -> int:
        end = html.lower().find(self._until, position)
        if end < 0:
            return len(html)
        until, self._until = self._until, ""
        return end + (len(until) if until == "-->" else 0)

    def _step_in_tag(self, html: str, position: int) -> int:
        if self.quote:
            end = html.find(self.quote, position)
            if end < 0:
                return len(html)
            self.quote = ""
            return end + 1
        match = re.compile("[\"'>]").search(html, position)
        if match is None:
            return len(html)
        if match[0] == ">":
            self.tag = False
        else:
            self.quote = match[0]
        return match.end()


def _hide_kept_css(html: str) -> tuple[str, str]:
    kept: list[str] = []

    def split(match: re.Match[str]) -> str:
        plain, special = split_css(match[2])
        kept.append(special)
        return f"{match[1]}{plain}{match[3]}" if plain.strip() else ""

    return _STYLE.sub(split, html), "".join(kept)


def split_css(css: str) -> tuple[str, str]:
    """Return the rules to inline, and the rules to keep as written: `@media` blocks and `data-ogsc` rules."""
    css = _CSS_COMMENT.sub("", css)
    plain: list[str] = []
    kept: list[str] = []
    for prelude, block in _statements(css):
        if prelude.startswith("@"):
            if not re.match(r"@media\b", prelude, re.IGNORECASE) or "@" in block:
                raise NotInlinable(f"«{prelude[:60]}» has no place in a style sheet: only rules and @media have")
            kept.append(f"{prelude}{block}")
        elif any(selector in prelude for selector in _KEPT_SELECTORS):
            kept.append(f"{prelude}{block}")
        elif block:
            plain.append(f"{prelude}{block}")
    return "\n".join(plain), "\n".join(kept)


def _tighten(css: str) -> str:
    return re.sub(r":\s+", ":", re.sub(r"\s*([{};,])\s*", r"\1", css))


def _statements(css: str) -> Iterable[tuple[str, str]]:
    """Yield prelude and block of every top-level statement; a block keeps its braces (CSS Syntax 3 §5.4)."""
    start = position = 0
    while (match := re.compile("[{;]").search(css, position)) is not None:
        prelude = css[start : match.start()].strip()
        position = match.end()
        if match[0] == "{":
            depth = 1
            while depth and (brace := re.compile("[{}]").search(css, position)) is not None:
                depth += 1 if brace[0] == "{" else -1
                position = brace.end()
            if depth:
                raise NotInlinable("a style sheet has a brace that is not closed")
            yield prelude, css[match.start() : position]
        else:
            yield prelude, ""
        start = position
    if "}" in css[start:]:
        raise NotInlinable("a style sheet has a closing brace too many")


def _restore_tags(html: str, tags: list[str]) -> str:
    seen: list[int] = []

    def restore(match: re.Match[str]) -> str:
        index = int((match[1] or match[2])[5:-3])
        seen.append(index)
        return tags[index]

    html = _TOKEN.sub(restore, html)
    if seen != list(range(len(tags))):
        lost = sorted(set(range(len(tags))) - set(seen))
        names = ", ".join(tags[index].strip() for index in lost[:3]) or "a template tag"
        raise NotInlinable(f"{names} stands where HTML moves or drops it, for instance between table cells or in CSS")
    return html
