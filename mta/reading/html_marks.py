"""The marks of mail clients in HTML: history, signatures, disclaimers, hidden text; tables and one judgement.

Not here: walking the tree and writing text (mta.reading.html).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Removal(StrEnum):
    """The kind of text that was left out, for the sender who asks why."""

    QUOTE = "quoted history"
    SIGNATURE = "signature"
    DISCLAIMER = "disclaimer"
    FOOTER = "client footer"
    HIDDEN = "hidden text"
    END_MARKER = "text after the end marker"
    OVERLONG = "text beyond the limit"


_DIVIDER_IDS: Final = frozenset(
    {
        "divrplyfwdmsg",
        "appendonsend",
        "stopspelling",
        "zwchr",
        "mail-editor-reference-message-container",
        "replysplit",
        "aqm-original",
        "isreplycontent",
        "fsreplyabove",
        "fsnotifreplyabove",
        "ntes-pcmail-quote",
    }
)
_DIVIDER_MARKERS: Final = frozenset({"__divider__", "__headers__", "__quoted_text__"})
_SIGNATURE_MARKERS: Final = frozenset({"__sig_pre__", "__sig_post__"})
"""Zimbra's: its signature is above or below the quote."""
_DIVIDER_NAMES: Final = frozenset({"_____replyseparator", "_mailoriginal", "messagereplysection"})
_QUOTE_CLASSES: Final = frozenset(
    {
        "gmail_attr", "yahoo_quoted", "protonmail_quote", "moz-cite-prefix", "moz-forward-container", "zmail_extra",
        "tutanota_quote", "outlookmessageheader", "mailquote", "gmx_quote", "quotedtext",
        "bloop_original_html", "front-blockquote", "canaryblockquote", "ntes-mailmaster-quote",
    }
)  # fmt: skip
_SIGNATURE_IDS: Final = frozenset(
    {
        "signature",
        "ms-outlook-mobile-signature",
        "applemailsignature",
        "composer_signature",
        "mobile-signature",
        "aqm-signature",
        "edo-signature",
        "_rc_sig",
        "blue_signature",
        "canarysig",
        "signaturesection",
        "ntes-pcmail-signature",
        "messagesignaturesection",
    }
)
_SIGNATURE_CLASSES: Final = frozenset(
    {
        "gmail_signature", "gmail_signature_prefix", "moz-signature", "protonmail_signature_block", "k9mail-signature",
        "tutanota_signature", "mail-signature", "email-signature", "sh-signature", "bloop_sign",
        "edo-signature", "front-signature", "blue_signature", "missive_signature", "io-ox-signature",
        "zmail_signature_below", "hey-signature", "spike-signature",
    }
)  # fmt: skip

_HIDDEN: Final = re.compile(
    r"(?:display:none|visibility:hidden|mso-hide:all"
    r"|(?:^|;)(?:text-indent|left|top):-\d{3,5}(?:px|em)"
    r"|max-height:0(?:px)?(?:;|!|$)|(?:^|;)opacity:0(?:\.0)?(?:;|!|$))"
)
_NO_SIZE: Final = re.compile(r"font-size:(?:0(?:px|pt|em)?|[01](?:\.\d{1,3})?(?:px|pt))(?:;|!|$)")
_WHITE: Final = re.compile(r"(?:^|;)color:(?:white|#fff|#ffffff|rgb\(255,255,255\))(?:;|!|$)")
_WHITES: Final = frozenset({"white", "#fff", "#ffffff"})
_SHEETS: Final = 10
_SHEET_LENGTH: Final = 20_000
_OUTLOOK_BORDER: Final = re.compile(r"border-top:(?:solid)?(?:#e1e1e1|#b5c4df)")
_STYLE_BEGIN: Final = re.compile(r"<style\b[^>]{0,200}>", re.IGNORECASE)
_STYLE_END: Final = re.compile(r"</style", re.IGNORECASE)
_MEDIA: Final = re.compile(r"@(?:media|supports)[^{}@]*+\{(?:[^{}]*+\{[^{}]*+\})*+[^{}]*+\}?")
_RULE_LENGTH: Final = 2_000
_BACKGROUND: Final = re.compile(r"background|bgcolor", re.IGNORECASE)
_NOT_DISPLAYED: Final = re.compile(r"display\s*:\s*none")
_NAMED: Final = re.compile(r"(?:^|[\s>+~])[A-Za-z0-9*]{0,20}([.#][A-Za-z][\w-]{0,60})\s*$")
_TIGHT_PARAGRAPH: Final = re.compile(
    r"(?:^|[\s,}>])p\b[^{}]{0,200}\{[^{}]{0,300}margin(?:-top|-bottom)?\s*:\s*0", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Styles:
    """The relevant style of a document: whether paragraphs have no margin, which `.class` and `#id` are hidden.

    `blank` says that nothing in it has a background, so that white text is invisible.
    """

    tight: bool
    hidden: frozenset[str]
    blank: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkVerdict:
    """What an element is that is not its author's text, and whether all that follows is left out too.

    `forward_only`: only if its heading says that it is a forwarded mail; `labelled_only`: only if it has the labels of
    a mail header; `sizeless_only`, `colourless_only`: only if nothing in it has a size or a colour.
    """

    removal: Removal
    rest: bool = False
    forward_only: bool = False
    labelled_only: bool = False
    sizeless_only: bool = False
    colourless_only: bool = False


def read_styles(html: str) -> Styles:
    """Return the relevant style of the style sheets outside media queries, unless they are very long."""
    sheet = _MEDIA.sub(" ", "\n".join(_style_sheets(html))[:_SHEET_LENGTH])
    hidden: set[str] = set()
    for selectors, declarations in _rules(sheet):
        if _NOT_DISPLAYED.search(declarations):
            names = map(_NAMED.search, selectors.split(","))
            hidden.update(name[1].lower() for name in names if name is not None)
    return Styles(
        tight=_TIGHT_PARAGRAPH.search(sheet) is not None,
        hidden=frozenset(hidden),
        blank=_BACKGROUND.search(html) is None,
    )


def _rules(sheet: str) -> Iterator[tuple[str, str]]:
    """Yield selectors and declarations, without a regular expression, which is slow on a sheet without braces."""
    for piece in sheet.split("}")[:-1]:
        before, brace, declarations = piece.rpartition("{")
        if brace and len(declarations) <= _RULE_LENGTH:
            yield before.rpartition("{")[2][-_RULE_LENGTH:], declarations


def _style_sheets(html: str) -> Iterator[str]:
    position = 0
    for _ in range(_SHEETS):
        begin = _STYLE_BEGIN.search(html, position)
        if begin is None:
            return
        end = _STYLE_END.search(html, begin.end())
        position = end.end() if end is not None else len(html)
        yield html[begin.end() : min(end.start() if end is not None else position, begin.end() + _SHEET_LENGTH)]


def judge_element(
    tag: str, attributes: Mapping[str, str | None], styles: Styles, *, keep_history: bool
) -> MarkVerdict | None:
    """Return the verdict on an element by its attributes, None for the author's text."""
    if not attributes:
        return MarkVerdict(removal=Removal.SIGNATURE) if tag == "signature" else None
    # Outlook on the web puts x_ before the names in quoted mails.
    name = (attributes.get("id") or "").lower().removeprefix("x_")
    classes = {word.removeprefix("x_") for word in (attributes.get("class") or "").lower().split()}
    style = "".join((attributes.get("style") or "").lower().split())
    if (style and _HIDDEN.search(style)) or "hidden" in attributes or _is_hidden(name, classes, styles):
        return MarkVerdict(removal=Removal.HIDDEN)
    if has_no_size(style):
        # Newsletters set the size of a cell to 0 and restore it inside.
        return MarkVerdict(removal=Removal.HIDDEN, sizeless_only=True)
    if styles.blank and (_WHITE.search(style) or (attributes.get("color") or "").lower() in _WHITES):
        return MarkVerdict(removal=Removal.HIDDEN, colourless_only=True)
    history = None if keep_history else _judge_history(tag, attributes, name, classes, style)
    return history or _judge_below(tag, attributes, name, classes)


def has_no_size(style: str) -> bool:
    """Return whether a style attribute sets the size of the text to 0."""
    return "font-size" in style and _NO_SIZE.search("".join(style.lower().split())) is not None


def _is_hidden(name: str, classes: set[str], styles: Styles) -> bool:
    if not styles.hidden:
        return False
    return f"#{name}" in styles.hidden or any(f".{word}" in styles.hidden for word in classes)


def _judge_below(tag: str, attributes: Mapping[str, str | None], name: str, classes: set[str]) -> MarkVerdict | None:
    """Judge elements below the author's words."""
    known = name in _SIGNATURE_IDS or (attributes.get("name") or "").lower() in _SIGNATURE_IDS
    if known or classes & _SIGNATURE_CLASSES or _marker(attributes) in _SIGNATURE_MARKERS or tag == "signature":
        return MarkVerdict(removal=Removal.SIGNATURE)
    if tag in {"a", "x-a"} and (attributes.get("name") or "").lower() == "_mailautosig":
        return MarkVerdict(removal=Removal.SIGNATURE, rest=True)
    if "disclaimer" in name or any("disclaimer" in word for word in classes):
        return MarkVerdict(removal=Removal.DISCLAIMER)
    return None


def _marker(attributes: Mapping[str, str | None]) -> str:
    return (attributes.get("data-marker") or "").lower()


def _judge_history(
    tag: str, attributes: Mapping[str, str | None], name: str, classes: set[str], style: str
) -> MarkVerdict | None:
    if (
        name in _DIVIDER_IDS
        or _marker(attributes) in _DIVIDER_MARKERS
        or (attributes.get("name") or "").lower() in _DIVIDER_NAMES
    ):
        return MarkVerdict(removal=Removal.QUOTE, rest=True)
    if classes & _QUOTE_CLASSES or name.startswith("yahoo_quoted"):
        return MarkVerdict(removal=Removal.QUOTE)
    if tag == "blockquote":
        cited = (attributes.get("type") or "").lower() == "cite" or "cite" in attributes
        if cited or "gmail_quote" in classes or "border-left" in style:
            return MarkVerdict(removal=Removal.QUOTE)
    elif "gmail_quote" in classes:
        # A forward has no blockquote: all text after its heading is the forwarded mail.
        return MarkVerdict(removal=Removal.QUOTE, forward_only=True)
    elif tag == "div" and "border-top" in style and _OUTLOOK_BORDER.search(style):
        # Outlook draws this line above the header of the answered or forwarded mail.
        return MarkVerdict(removal=Removal.QUOTE, rest=True, labelled_only=True)
    return None
