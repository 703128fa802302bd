"""Inbound SMS like the gateway's, to test what a mailbox gets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from inbound.report import Exchanged, InboundReport, TurnDirection
from sms.settings import Settings
from templates.inbound_view import InboundReader

RECEIVED_AT = datetime(2026, 11, 23, 7, 15, 4, tzinfo=UTC)
TEXT = "Danke! Kommen Sie bitte erst nach 16 Uhr: vorher ist niemand da.\n\nGruß, Jonas"


def inbound(**changes) -> InboundReport:
    fields: dict[str, Any] = {
        "key": 5,
        "public_id": "I.20261123071504Z5D1E2F",
        "customer_key": 3,
        "customer": "demo",
        "carrier": "smsc1",
        "phone": "447700900123",
        "own_number": "447700900999",
        "text": TEXT,
        "keyword": "",
        "received_at": RECEIVED_AT,
        "total": 1,
        "missing": (),
        "is_late": False,
        "conversation_key": 77,
    }
    return InboundReport(**(fields | changes))


def went(text="Ihre Lieferung 80012345 trifft heute zwischen 14 und 16 Uhr ein.", hours=2, **changes) -> Exchanged:
    fields: dict[str, Any] = {
        "direction": TurnDirection.OUT,
        "at": RECEIVED_AT - timedelta(hours=hours),
        "text": text,
        "by": "Anna Keller",
        "state": "delivered",
    }
    return Exchanged(**(fields | changes))


def came(text="Wann kommt denn meine Lieferung?", hours=5) -> Exchanged:
    return Exchanged(direction=TurnDirection.IN, at=RECEIVED_AT - timedelta(hours=hours), text=text)


def reader(**changes) -> InboundReader:
    settings = {name: changes.pop(name) for name in list(changes) if name in Settings.__dataclass_fields__}
    return InboundReader(settings=replace(Settings(), **settings), **changes)


GERMAN = {"language": "de", "time_zone": "Europe/Berlin"}


def conversation() -> tuple[InboundReport, InboundReader]:
    """Return an SMS with everything that its mail may show."""
    return (
        inbound(earlier=(went(), came()), keyword="LIEFERUNG"),
        reader(name="Jonas Weber", profile="standard", **GERMAN),
    )


def incomplete() -> tuple[InboundReport, InboundReader]:
    """Return an SMS of which a part did not come, to an address that stands in for others."""
    return inbound(text="Danke! Kommen Sie […] niemand da.", total=3, missing=(2,)), reader(fallback=True)


def late() -> tuple[InboundReport, InboundReader]:
    """Return a part that came after its SMS had gone out."""
    before = came("Danke! Kommen Sie […] niemand da.", hours=1)
    return (
        inbound(text="bitte erst nach 16 Uhr: vorher ist", is_late=True, late_of=before, earlier=(before,), total=3),
        reader(language="fr", time_zone="Europe/Paris"),
    )


def short(**changes) -> tuple[InboundReport, InboundReader]:
    """Return an SMS with nothing but its text."""
    return inbound(text="OK", **changes), reader(language="es", time_zone="Europe/Madrid")
