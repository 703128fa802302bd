"""Sample reports like the gateway's, to test what the sender gets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sms.lifecycle import MessageState
from sms.message import Alphabet, MailOrigin, Replacement
from sms.outcome import ProblemCode, Refusal
from sms.report import JobReport, Notice, NoticeKind, ReportedMessage, ReportedPart
from sms.settings import Settings

ACCEPTED_AT = datetime(2026, 11, 23, 7, 15, 4, tzinfo=UTC)
REPORTED_AT = datetime(2026, 11, 23, 7, 15, 19, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 7, 15, 21, tzinfo=UTC)
TEXT = "Ihre Lieferung 80012345 trifft heute zwischen 14 und 16 Uhr ein. Rückfragen: +44 20 7946 0000"

MAIL = MailOrigin(
    reverse_path="anna.keller@example.com",
    header_from='"Keller, Anna" <anna.keller@example.com>',
    message_id="<AM0PR01MB5001A1B2C3D4@example.com>",
    subject="Lieferung heute",
    helo="mail.example.com",
    header=b"From: <anna.keller@example.com>\r\nSubject: Lieferung heute\r\nMessage-ID: <AM0PR01MB5001A1B2C3D4@example.com>\r\n",
)

_FROM_NETWORK = {MessageState.DELIVERED, MessageState.UNDELIVERED, MessageState.EXPIRED}
_WITH_CARRIER = {*_FROM_NETWORK, MessageState.SUBMITTED, MessageState.UNKNOWN}


def part(index=1, total=1, state=MessageState.DELIVERED, **changes):
    taken = state in _WITH_CARRIER
    fields = {
        "index": index,
        "total": total,
        "text": TEXT,
        "state": state,
        "carrier": "smsc1.carrier.example" if taken else "",
        "carrier_id": f"7A1F{index:04X}" if taken else "",
        "submitted_at": ACCEPTED_AT + timedelta(seconds=1) if taken else None,
        "reported_at": REPORTED_AT if state in _FROM_NETWORK else None,
    }
    return ReportedPart(**(fields | changes))


def message(state=MessageState.DELIVERED, *, number="+447700900123", parts=None, **changes):
    fields = {
        "public_id": "S.20261123071504Z9F2C41",
        "given": f"{number}@sms.example.net",
        "number": number,
        "state": state,
        "reason": "",
        "problem": "",
        "text": TEXT,
        "cut": "",
        "replaced": (),
        "alphabet": Alphabet.GSM7,
        "parts": (part(state=state),) if parts is None else parts,
        "sender_id": "+447700900999",
        "from_network": state in _FROM_NETWORK,
        "updated_at": REPORTED_AT,
        "expires_at": ACCEPTED_AT + timedelta(hours=48),
    }
    return ReportedMessage(**(fields | changes))


def report(*messages, mail=MAIL, **changes):
    settings = {name: changes.pop(name) for name in list(changes) if name in Settings.__dataclass_fields__}
    fields = {
        "public_id": "J.20261123071504Z5D1E2F",
        "customer": "demo",
        "profile": "standard",
        "user": "anna.keller@example.com",
        "service": "mail",
        "reference": "",
        "accepted_at": ACCEPTED_AT,
        "settled_at": REPORTED_AT,
        "settings": replace(Settings(), **settings),
        "origins": {},
        "mail": mail,
        "messages": messages or (message(),),
    }
    return JobReport(**(fields | changes))


def notice(job=None, kind=NoticeKind.RESULT, **changes):
    fields = {
        "key": 7,
        "public_id": "N.20261123071519Z77C1A0",
        "kind": kind,
        "recipient": "anna.keller@example.com",
        "report": job or report(),
        "created_at": REPORTED_AT,
        "attempt": 1,
    }
    return Notice(**(fields | changes))


def everything(**changes):
    """Return a report that fills every part of the status mail of one recipient."""
    two = (
        part(1, 2, MessageState.DELIVERED),
        part(2, 2, MessageState.EXPIRED, error="027"),
    )
    return report(
        message(
            MessageState.EXPIRED,
            parts=two,
            text="Guten Tag,\nder Zugang fuer das Lager ist gesperrt:  bitte beim Pfoertner melden.\n\nDanke\nAnna",
            cut=" Die Schlüssel liegen bereit.",
            replaced=(
                Replacement(index=3, old="\u201e", new='"'),
                Replacement(index=9, old="\u201c", new='"'),
                Replacement(index=12, old="\U0001f697", new=" "),
                Replacement(index=15, old="\u201e", new='"'),
            ),
            reason=ProblemCode.VALIDITY_ENDED,
            from_network=True,
        ),
        **(
            {"cost_centre": "4711 Logistik", "reference": "PO-2026-118", "language": "de", "time_zone": "Europe/Berlin"}
            | changes
        ),
    )


def many(count=5, **changes):
    """Return a report of several recipients in all kinds of states."""
    kinds = (
        {"state": MessageState.DELIVERED},
        {"state": MessageState.SUBMITTED},
        {"state": MessageState.UNDELIVERED, "reason": ProblemCode.NOT_DELIVERED},
        {"state": MessageState.UNKNOWN, "reason": ProblemCode.LINK_LOST},
        {
            "state": MessageState.REJECTED,
            "reason": Refusal.NUMBER_IMPOSSIBLE,
            "number": "",
            "given": "4477@sms.example.net",
            "text": "",
            "parts": (),
            "sender_id": "",
            "problem": "4477 is too short for a number of any country",
        },
    )
    messages = (message(**({"number": f"+447700900{i % 1000:03}"} | kinds[i % len(kinds)])) for i in range(count))
    return report(*messages, **changes)
