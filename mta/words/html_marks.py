"""What mail clients mark in their HTML: history, signatures, disclaimers, hidden text; the marks and one judgement.

Not here: walking the tree and writing text (mta.words.html). Outlook, new Outlook and mobile, Gmail, Apple Mail,
Thunderbird, Yahoo, Proton, Zimbra, Zoho, K-9, Tuta.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Removal(StrEnum):
    """What kind of text was left out, for the sender who asks why."""

    QUOTE = "quoted history"
    SIGNATURE = "signature"
    DISCLAIMER = "disclaimer"
    FOOTER = "client footer"
    HIDDEN = "hidden text"
    END_MARKER = "text after the end marker"
    OVERLONG = "text beyond the limit"


_DIVIDER_IDS: Final = frozenset(
    {"divrplyfwdmsg", "appendonsend", "stopspelling", "zwchr", "mail-editor-reference-message-container", "replysplit"}
)
_DIVIDER_NAMES: Final = frozenset({"_____replyseparator", "_mailoriginal"})
_QUOTE_CLASSES: Final = frozenset(
    {
        "gmail_attr", "yahoo_quoted", "protonmail_quote", "moz-cite-prefix", "moz-forward-container", "zmail_extra",
        "tutanota_quote", "outlookmessageheader", "mailquote", "gmx_quote", "quotedtext",
    }
)  # fmt: skip
_SIGNATURE_IDS: Final = frozenset(
    {"signature", "ms-outlook-mobile-signature", "applemailsignature", "composer_signature", "mobile-signature"}
)
_SIGNATURE_CLASSES: Final = frozenset(
    {
        "gmail_signature", "gmail_signature_prefix", "moz-signature", "protonmail_signature_block", "k9mail-signature",
        "tutanota_signature", "mail-signature", "email-signature",
    }
)  # fmt: skip

_HIDDEN: Final = re.compile(
    r"(?:display:none|visibility:hidden|mso-hide:all|font-size:0(?:px|pt|em)?(?:;|!|$)"
    r"|max-height:0(?:px)?(?:;|!|$)|(?:^|;)opacity:0(?:\.0)?(?:;|!|$))"
)
_HIDDEN_CLASS: Final = re.compile(r"\.([A-Za-z][\w-]{0,60})\s*\{[^{}]{0,300}display\s*:\s*none")
_TIGHT_PARAGRAPH: Final = re.compile(
    r"(?:^|[\s,}>])p\b[^{}]{0,200}\{[^{}]{0,300}margin(?:-top|-bottom)?\s*:\s*0", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Styles:
    """What matters of a style sheet: whether paragraphs have no margin, which classes are hidden."""

    tight: bool
    hidden: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An element is not its author's text: what it is, and whether all that follows it goes too.

    `forward_only`: only where its heading says that it is a forwarded mail.
    """

    removal: Removal
    rest: bool = False
    forward_only: bool = False


def read_styles(html: str) -> Styles:
    """Return what the first style sheet says outside of media queries."""
    start = html.find("<style")
    if start < 0:
        return Styles(tight=False, hidden=frozenset())
    end = html.find("</style>", start)
    sheet = html[start : min(end if end > 0 else start + 20_000, start + 20_000)].partition("@media")[0]
    return Styles(
        tight=_TIGHT_PARAGRAPH.search(sheet) is not None,
        hidden=frozenset(name.lower() for name in _HIDDEN_CLASS.findall(sheet)),
    )


def judge_element(
    tag: str, attributes: Mapping[str, str | None], styles: Styles, *, keep_history: bool
) -> Verdict | None:
    """Return what an element is by its attributes, None for text of the author's."""
    if not attributes:
        return None
    # Outlook on the web puts x_ before the names in mails that it quotes.
    name = (attributes.get("id") or "").lower().removeprefix("x_")
    classes = {word.removeprefix("x_") for word in (attributes.get("class") or "").lower().split()}
    style = (attributes.get("style") or "").lower().replace(" ", "")
    if (style and _HIDDEN.search(style)) or "hidden" in attributes or classes & styles.hidden:
        return Verdict(removal=Removal.HIDDEN)
    history = None if keep_history else _judge_history(tag, attributes, name, classes, style)
    return history or _judge_below(tag, attributes, name, classes)


def _judge_below(tag: str, attributes: Mapping[str, str | None], name: str, classes: set[str]) -> Verdict | None:
    """Judge what stands below the author's words."""
    if name in _SIGNATURE_IDS or classes & _SIGNATURE_CLASSES:
        return Verdict(removal=Removal.SIGNATURE)
    if tag in {"a", "x-a"} and (attributes.get("name") or "").lower() == "_mailautosig":
        return Verdict(removal=Removal.SIGNATURE, rest=True)
    if "disclaimer" in name or any("disclaimer" in word for word in classes):
        return Verdict(removal=Removal.DISCLAIMER)
    return None


def _judge_history(
    tag: str, attributes: Mapping[str, str | None], name: str, classes: set[str], style: str
) -> Verdict | None:
    if (
        name in _DIVIDER_IDS
        or (attributes.get("data-marker") or "") == "__DIVIDER__"
        or (attributes.get("name") or "").lower() in _DIVIDER_NAMES
    ):
        return Verdict(removal=Removal.QUOTE, rest=True)
    if classes & _QUOTE_CLASSES or name.startswith("yahoo_quoted"):
        return Verdict(removal=Removal.QUOTE)
    if tag == "blockquote":
        cited = (attributes.get("type") or "").lower() == "cite" or "cite" in attributes
        if cited or "gmail_quote" in classes or "border-left" in style:
            return Verdict(removal=Removal.QUOTE)
    elif "gmail_quote" in classes:
        # A forward has no blockquote in it: all that follows its heading is somebody else's.
        return Verdict(removal=Removal.QUOTE, forward_only=True)
    return None
