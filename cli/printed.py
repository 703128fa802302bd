"""Numbers, names, instants and values as commands print them. Not here: sentences (words)."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, structs

if TYPE_CHECKING:
    from addressbook.hierarchy import Explained
    from store.carrier_links import CarrierLink

TLS_ASKED: Final[Mapping[str, str]] = {
    "required": "REQUIRETLS, so that mails about it go only over verified TLS to servers that keep it",
    "optional": "«TLS-Required: No», so what its sender's domain publishes about TLS is not demanded",
}
"""What a mail asks of TLS for the mails about it."""

DROPPED_AS: Final[Mapping[str, str]] = {
    "bounce": "a bounce",
    "receipt": "a receipt",
    "auto-reply": "an automatic answer",
}


def count(number: int, noun: str) -> str:
    """Return `1 user`, `2 users`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def join(names: Iterable[object], none: str = "none") -> str:
    """Return names with commas between them, or the word for none."""
    return ", ".join(map(str, names)) or none


def when(instant: datetime | None) -> str:
    """Return an instant as it is shown."""
    return "held" if instant is None else instant.strftime("%Y-%m-%d %H:%M:%S")


def origin_words(item: "Explained") -> str:
    """Return which layer decided a setting, and where it has the value from."""
    where = f"{item.layer} {item.owner}".strip()
    return where if item.origin == item.layer else f"{where} ({item.origin})"


def link_line(link: "CarrierLink") -> str:
    """Return where a link is and since when, and why it is not up or not where it prefers to be."""
    where = f"up at {link.host}" if link.is_up else "down"
    why = f" ({link.trouble})" if link.trouble else ""
    return f"link {link.link} {where} since {when(link.since_at)}{why}"


def plain(value: object) -> object:
    """Return a value as JSON can hold it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Enum):
        return value.value
    return structs.asdict(value) if isinstance(value, Struct) else str(value)


def constraint_words(restrictions: Mapping[str, Any]) -> str:
    """Return what is restricted, `none` where everything is allowed."""
    words: Mapping[str, Callable[[Any], str]] = {
        "locked": lambda names: f"locked {join(names)}",
        "sender_ids": lambda allowed: f"sender IDs {join(allowed)}",
        "max_parts": lambda most: "one part at most" if most == 1 else f"{most} parts at most",
        "express": lambda _allowed: "no express",
        "flash": lambda _allowed: "no flash",
        "countries": lambda allowed: f"countries {join(allowed)}",
        "number_types": lambda allowed: f"types of numbers {join(allowed)}",
        "usage": lambda limits: f"at most {join(limits)}",
    }
    return "; ".join(words[name](value) for name, value in restrictions.items()) or "none"
