"""How the text of a setting becomes its value: parsers, which raise ValueError for what they do not take.

Not here: which setting has which parser (settings).
"""

import re
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sms.number import SenderId, is_country, parse_sender_id

Parser = Callable[[str], object]

_ADDRESS: Final = re.compile(r"[^@\s\x00-\x1f\x7f,;<>]+@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+")
_ON: Final = frozenset({"on", "true", "yes", "y", "1"})
_OFF: Final = frozenset({"off", "false", "no", "n", "0"})


def parse_bool(text: str) -> bool:
    """Return the truth that a text names: on, true, yes, y, 1, or off, false, no, n, 0. Raises ValueError."""
    word = text.strip().lower()
    if word not in _ON and word not in _OFF:
        raise ValueError
    return word in _ON


def parse_enum(kind: type[StrEnum]) -> Parser:
    """Return a parser of the words of an enumeration."""
    return lambda text: kind(text.strip().lower())


def parse_integer(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers within these bounds, which raises ValueError."""

    def parse(text: str) -> int:
        # int() alone also takes ١٢, 1_0 and +4
        if re.fullmatch(r"\s*[0-9]{1,9}\s*", text, re.ASCII) is None or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return parse


def parse_validity(text: str) -> timedelta:
    """Return a duration from 5 minutes to 7 days; a bare number is minutes."""
    match = re.fullmatch(r"\s*([0-9]{1,6})\s*(m|min|h|d)?\s*", text, re.ASCII)
    if match is None:
        raise ValueError
    value = timedelta(minutes=int(match[1]) * {None: 1, "m": 1, "min": 1, "h": 60, "d": 1440}[match[2]])
    if not timedelta(minutes=5) <= value <= timedelta(days=7):
        raise ValueError
    return value


def parse_sender(text: str) -> SenderId:
    """Return a sender ID."""
    sender = parse_sender_id(text)
    if sender is None:
        raise ValueError
    return sender


def parse_country(text: str) -> str:
    """Return an ISO 3166 country code."""
    country = text.strip().upper()
    if not is_country(country):
        raise ValueError
    return country


def parse_language(text: str) -> str:
    """Return a language code, with its region if it has one."""
    match = re.fullmatch(r"([A-Za-z]{2})(?:[-_]([A-Za-z]{2}))?", text.strip(), re.ASCII)
    if match is None:
        raise ValueError
    return match[1].lower() + (f"-{match[2].upper()}" if match[2] else "")


def parse_zone(text: str) -> str:
    """Return the name of an IANA time zone."""
    try:
        return ZoneInfo(text.strip()).key
    except (KeyError, OSError, ValueError):
        raise ValueError from None


def parse_push_url(text: str) -> str:
    """Return an https URL without a secret, or an http one: where that may go is decided at each push."""
    url = text.strip()
    parts = urlsplit(url)
    host = parts.hostname or ""
    _ = parts.port  # out of range: ValueError
    if not re.fullmatch(r"[!-~]{1,500}", url, re.ASCII) or re.fullmatch(r"[a-z0-9.:_-]{1,253}", host) is None:
        raise ValueError
    if parts.username is not None or parts.password is not None or parts.fragment or "#" in url:
        raise ValueError  # everybody who sees the settings would see a secret in it
    if parts.scheme not in {"https", "http"}:
        raise ValueError
    return url


def is_loopback(host: str) -> bool:
    """Return whether a host, as a person writes it, is reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_text(limit: int) -> Parser:
    """Return a parser of one line with so many characters at most."""

    def parse(text: str) -> str:
        if len(text) > limit or any(ord(char) < 32 or ord(char) == 127 for char in text):
            raise ValueError
        return text.strip()

    return parse


def parse_mail_address(text: str) -> str:
    """Return a mail address."""
    address = text.strip()
    if len(address) > 254 or _ADDRESS.fullmatch(address) is None:
        raise ValueError
    return address


def parse_colour(text: str) -> str:
    """Return a colour as `#rrggbb`."""
    match = re.fullmatch(r"\s*#?([0-9A-Fa-f]{6})\s*", text, re.ASCII)
    if match is None:
        raise ValueError
    return f"#{match[1].lower()}"


def parse_graphic_name(text: str) -> str:
    """Return the name of a graphic."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text.strip(), re.ASCII) is None:
        raise ValueError
    return text.strip()


def parse_contact(text: str) -> str:
    """Return whom people ask: any words, but of URLs only https ones."""
    contact = parse_text(120)(text)
    if "://" in str(contact) and not str(contact).startswith("https://"):
        raise ValueError
    return str(contact)


def parse_words(item: Parser) -> Parser:
    """Return a parser of words between commas."""

    def parse(text: str) -> tuple[object, ...]:
        words = tuple(item(word.strip()) for word in text.split(",") if word.strip())
        if not words:
            raise ValueError
        return words

    return parse


def parse_prefix(text: str) -> str:
    """Return the name before the equals sign of an address."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,15}", text, re.ASCII) is None:
        raise ValueError
    return text.upper()
