"""What `GET /jobs`, `/jobs/{id}` and `/sms` say, as plain values for JSON. Instants are UTC with a Z."""

import re
from datetime import UTC, datetime
from importlib.metadata import version

from gateway.application_status import JobStatus, SmsStatus
from sms.message import Alphabet
from sms.settings import format_setting
from web.status_words import words_of

View = dict[str, object]


def version_view(started_at: datetime) -> View:
    """Return what is running. The replaced service numbers its builds; here the build is when this process began."""
    numbers = [int(part) for part in re.findall(r"[0-9]+", version("mail2sms"))[:3]]
    return {
        "buildNumber": numbers[2],
        "buildTimestamp": _instant(started_at),
        "majorVersion": numbers[0],
        "minorVersion": numbers[1],
        "versionInfo": f"mail2sms {version('mail2sms')}",
    }


def job_view(job: JobStatus) -> View:
    """Return the report of a job."""
    settings = job.settings
    return {
        "jobId": job.public_id,
        "src": format_setting(settings.sender_id) if settings.sender_id is not None else None,
        "encoding": "UTF-16" if settings.coding is Alphabet.UCS2 else "STANDARD",
        "billcode": settings.cost_centre or None,
        "statusRequested": settings.delivery_receipt,
        "flash": settings.flash,
        "validityMin": int(settings.validity.total_seconds() // 60),
        "customerRef": job.reference or None,
        "qos": settings.priority.value.upper(),
        "receiptTs": _instant(job.accepted_at),
        "finishedTs": _instant(job.settled_at),
        "recipientIds": [message.public_id for message in job.messages],
        "service": job.service,
        **({"sandbox": True} if job.sandbox else {}),
    }


def sms_view(sms: SmsStatus) -> View:
    """Return the report of one SMS; without a reference of its own it has the number as it was submitted."""
    words = words_of(sms)
    return {
        "smsId": sms.public_id,
        "dst": sms.number or sms.given,
        "processStatus": words.process.value,
        "status": words.status,
        "customerRef": sms.reference or sms.given,
        "reason": sms.problem or sms.reason or None,
        "sentTs": _instant(sms.sent_at),
        "finishedTs": _instant(sms.ended_at),
        "parts": sms.parts,
        **(
            {
                "countryRules": [
                    {"country": sms.country, "rule": rule, "effect": effect, "value": value}
                    for rule, effect, value in sms.findings
                ]
            }
            if sms.findings
            else {}
        ),
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
