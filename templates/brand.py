"""Whose mail it is: name, logo, accent colour and contact of the settings, fit for light and dark mails.

Not here: storing graphics (gateway.admin.mail_templates), MIME (mta.sending.compose).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sms.settings import Settings
from templates.graphics import Graphic, size_of
from templates.shown_text import show_line
from templates.words import Words

CARDS: Final = ("#ffffff", "#1e242b")
"""The ground of a mail's card, light and dark, as in `mail/top.html`."""

_READABLE: Final = 4.5  # WCAG 2.1 §1.4.3
_STEPS: Final = 20
_WIDEST_LOGO, _HIGHEST_LOGO = 220, 56
_PLAIN = ("#1d2733", "#e8edf3")
_MAIL_ADDRESS = re.compile(r"[^\s@<>\"',;]+@[^\s@<>\"',;]+\.[A-Za-z0-9-]+")
_PHONE = re.compile(r"\+[0-9][0-9 ()./-]{5,24}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandView:
    """Whose mail it is. `logo` names a graphic or is empty; `contact_link` is empty where the contact is text."""

    name: str
    accent: str
    accent_dark: str
    logo: str
    logo_width: int
    logo_height: int
    label_contact: str
    contact: str
    contact_link: str


def view_brand(name: str, settings: Settings, words: Words, logo: Graphic | None = None) -> BrandView:
    """Return the brand of a customer's mail."""
    light, dark = fit_accent(settings.accent) if settings.accent else _PLAIN
    size = _fit_logo(logo) if logo is not None else None
    contact = show_line(settings.contact)
    return BrandView(
        name=show_line(name),
        accent=light,
        accent_dark=dark,
        logo=logo.name if logo is not None and size is not None else "",
        logo_width=size[0] if size is not None else 0,
        logo_height=size[1] if size is not None else 0,
        label_contact=words.say("label.contact") if contact else "",
        contact=contact,
        contact_link=_link_of(contact),
    )


def _fit_logo(logo: Graphic) -> tuple[int, int] | None:
    """Return the size that a graphic is shown in, never larger than it is; Word needs both as attributes."""
    size = size_of(logo)
    if size is None:
        return None
    width, height = size
    scale = min(1.0, _WIDEST_LOGO / width, _HIGHEST_LOGO / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _link_of(contact: str) -> str:
    if _MAIL_ADDRESS.fullmatch(contact):
        return f"mailto:{contact}"
    if _PHONE.fullmatch(contact):
        return f"tel:+{re.sub(r'[^0-9]', '', contact)}"
    return contact if contact.startswith("https://") and " " not in contact else ""


@lru_cache(maxsize=256)
def fit_accent(colour: str) -> tuple[str, str]:
    """Return a colour `#rrggbb` as it can be read on the light and on the dark card: darker or lighter if need be."""
    light, dark = CARDS
    return _towards(colour, "#000000", light), _towards(colour, "#ffffff", dark)


def _towards(colour: str, end: str, ground: str) -> str:
    mixed = (_mix(colour, end, step / _STEPS) for step in range(_STEPS + 1))
    return next(one for one in mixed if contrast(one, ground) >= _READABLE)


def _mix(one: str, other: str, share: float) -> str:
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.1 §1.4.3)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    shares = (value / 255 for value in _channels(colour))
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
