"""Graphics of customers' templates: inline parts of the mail, never fetched.

A template shows one as `cid:NAME` in a quoted attribute. Not here: MIME (mta.sending.compose), storing graphics
(store.mail_templates). RFC 2392 (cid).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

LARGEST_GRAPHIC = 100 * 1024
LARGEST_IN_ALL = 300 * 1024

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Only inside an attribute's quotes, which are escaped in all values: «cid:x» in an SMS stays text.
_SHOWN = re.compile(r"(\s(?:src|background)\s*=\s*[\"'])cid:([^\"'\s]+)", re.IGNORECASE)
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png", b"IEND\xaeB`\x82"),
    (b"\xff\xd8\xff", "image/jpeg", b"\xff\xd9"),
    (b"GIF87a", "image/gif", b";"),
    (b"GIF89a", "image/gif", b";"),
)


_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_FILL = 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Graphic:
    """One graphic; `name` is what follows `cid:` in a template."""

    name: str
    media_type: str
    content: bytes


class GraphicRefused(Exception):  # noqa: N818 - reads as the sentence it carries
    """A graphic cannot be used; the message tells its owner why."""


def read_graphic(name: str, content: bytes) -> Graphic:
    """Return a graphic from a file's octets; they decide its type, not the file's name.

    Raises GraphicRefused for anything but a whole PNG, JPEG or GIF of at most 100 KB under a usable name.
    """
    if _NAME.fullmatch(name) is None:
        raise GraphicRefused(f"«{name}» cannot name a graphic: letters, digits, «.», «_» and «-» are expected")
    if len(content) > LARGEST_GRAPHIC:
        raise GraphicRefused(f"it has {len(content)} octets; {LARGEST_GRAPHIC} are allowed")
    for start, media_type, end in _SIGNATURES:
        if content.startswith(start):
            if not content.rstrip(b"\0").endswith(end):
                raise GraphicRefused("the file is cut off, or something follows the graphic")
            return Graphic(name=name, media_type=media_type, content=content)
    raise GraphicRefused("it is neither PNG nor JPEG nor GIF")


def size_of(graphic: Graphic) -> tuple[int, int] | None:
    """Return width and height of a graphic in pixels as its own header has them; None where that cannot be read."""
    content = graphic.content
    size: tuple[int, int] | None = None
    if graphic.media_type == "image/png" and content[12:16] == b"IHDR":
        size = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    elif graphic.media_type == "image/gif":
        size = int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")
    elif graphic.media_type == "image/jpeg":
        size = _size_of_jpeg(content)
    return size if size is not None and min(size) > 0 else None


def _size_of_jpeg(content: bytes) -> tuple[int, int] | None:
    """Return what the first frame of a JPEG says (ITU-T T.81 §B.2.2): height before width."""
    position = 2
    while content[position : position + 1] == b"\xff" and position + 9 <= len(content):
        marker = content[position + 1]
        if marker in _FRAMES:
            height = int.from_bytes(content[position + 5 : position + 7], "big")
            return int.from_bytes(content[position + 7 : position + 9], "big"), height
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big") if marker != _FILL else 1
    return None


def shown_graphics(html: str) -> tuple[str, ...]:
    """Return the names of the graphics that a mail shows, each once."""
    return tuple(dict.fromkeys(match[2] for match in _SHOWN.finditer(html)))


def point_graphics(html: str, target: Callable[[str], str]) -> str:
    """Return HTML in which each `cid:NAME` of a graphic points to `target(NAME)`."""
    return _SHOWN.sub(lambda match: match[1] + target(match[2]), html)


def find_too_large(graphics: Iterable[Graphic]) -> str:
    """Return why these graphics are too large together, empty if they are not."""
    size = sum(len(graphic.content) for graphic in graphics)
    if size <= LARGEST_IN_ALL:
        return ""
    return f"all graphics together have {size} octets; {LARGEST_IN_ALL} are allowed"
