"""Decides which entities of a mail are texts, and decodes them: as plain or HTML, whatever their label.

Not here: finding them (mta.reading.mime), charsets (mta.reading.charsets), the author's own words (mta.reading.body).
RFC 2046 §4.1 and §5.1.4, RFC 3676 §4.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from mta.reading.charsets import clean_text, decode
from mta.reading.headers import Typed
from mta.reading.html_bounds import holds_markup, holds_page


class TextSection(Struct, frozen=True, kw_only=True):
    """One section of the body: a text, its HTML twin, or both. `flowed` and `delete_space` are RFC 3676 §4."""

    plain: str | None = None
    html: str | None = None
    flowed: bool = False
    delete_space: bool = False


_TEXT_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("text", "plain", "txt", "plain/text", "text/txt", "text/text", "application/text"), "text/plain"
        ),
        **dict.fromkeys(("html", "text/htm", "text/xhtml", "html/text", "application/xhtml+xml"), "text/html"),
        "text/richtext": "text/enriched",
        "text/enriched": "text/enriched",
    }
)
"""Senders' labels of texts, and their real types."""
_NO_TEXTS: Final = frozenset(
    {
        "text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/csv", "text/rtf", "text/css", "text/xml",
        "text/x-amp-html", "text/watch-html", "text/rfc822-headers", "text/javascript", "text/vnd.iptc.nitf",
        "text/comma-separated-values", "text/tab-separated-values", "text/x-csv", "text/x-vcalendar",
    }
)  # fmt: skip
_SHOWN: Final = frozenset({"", "text/plain", "text/html"})
_ENRICHED: Final = re.compile(r"<param>[^<]*</param>|<(?!<)[^<>]{0,60}>", re.IGNORECASE)


def text_type(media: Typed) -> str:
    """Return the real type of a text, whose labels vary: `text/plain`, `text/html`, `text/enriched` or another."""
    return _TEXT_NAMES.get(media.value, media.value)


def is_text(media: Typed, disposition: Typed, *, whole: bool) -> bool:
    """Return whether an entity is a text to read, not a file; `whole` says that it is the mail itself."""
    if "/" not in media.value:
        known = not media.value or media.value in _TEXT_NAMES or whole
    else:
        known = media.value in _TEXT_NAMES or (media.value.startswith("text/") and media.value not in _NO_TEXTS)
    if whole or not known or disposition.value == "attachment":
        return known and whole
    # RFC 2046 §4.1.4: an unknown kind of text is shown as plain, unless it is a file.
    named = "name" in media.parameters or "filename" in disposition.parameters
    return not named or text_type(media) in _SHOWN


def read_text(octets: bytes, media: Typed) -> TextSection:
    """Return the text of an entity's decoded octets; HTML labelled plain is HTML, and the reverse."""
    kind = text_type(media)
    charset = media.parameters.get("charset", "")
    if kind == "text/html":
        text = decode(octets, charset or _meta_charset(octets))
        if holds_markup(text):
            return TextSection(html=text)
    else:
        text = decode(octets, charset)
        if holds_page(text):
            return TextSection(html=text)
    text = clean_text(text)
    if kind == "text/enriched":
        text = _ENRICHED.sub("", text).replace("<<", "<")  # RFC 1896
    if not media.parameters:
        return TextSection(plain=text)
    flowed = media.parameters.get("format", "").lower() == "flowed"
    delete_space = media.parameters.get("delsp", "").lower() == "yes"
    return TextSection(plain=text, flowed=flowed, delete_space=delete_space)


_META: Final = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


def _meta_charset(octets: bytes) -> str:
    found = _META.search(octets, 0, 2048)
    return found[1].decode("ascii") if found else ""


def merged(children: list[list[TextSection]]) -> list[TextSection]:
    """Pair the plain and the HTML text of an alternative (RFC 2046 §5.1.4); blank ones do not count."""
    plain = [texts for texts in children if any((text.plain or "").strip() for text in texts)]
    html = [texts for texts in children if any(text.html is not None for text in texts)]
    if not plain or not html:
        return plain[0] if plain else html[-1] if html else []
    if len(plain[0]) > 1 or len(html[-1]) > 1 or plain[0] is html[-1]:
        return plain[0]
    twin = plain[0][0]
    return [TextSection(plain=twin.plain, html=html[-1][0].html, flowed=twin.flowed, delete_space=twin.delete_space)]
