"""What came of reading a directory, like the gateway's, to test what its administrator gets."""

from datetime import UTC, datetime, timedelta
from typing import Any

from addressbook.runs import NotTaken, Reason, RunLine
from sms.settings import Settings
from templates.directory_view import DirectoryEvent, DirectoryNews

READ_AT = datetime(2026, 11, 23, 7, 15, 4, tzinfo=UTC)


def news(event: DirectoryEvent, language: str = "en", **changes: Any) -> DirectoryNews:
    fields: dict[str, Any] = {
        "event": event,
        "directory": "head-office",
        "customer": "Example",
        "reference": "4711",
        "at": READ_AT,
        "settings": Settings(language=language, time_zone="Europe/Berlin"),
        "source": "ldap:head-office",
    }
    return DirectoryNews(**(fields | changes))


def held(language: str = "en", lines: int = 4) -> DirectoryNews:
    said = (
        RunLine(action="sync.missing", target="zoe@example.com", field="missing", before="off", after="on"),
        RunLine(action="sync.change", target="anna@example.com", field="cost_centre", before="4711", after="4712"),
        RunLine(action="sync.change", target="ben@example.com", field="sender_id", before="=EXAMPLE", after=""),
        RunLine(action="sync.add", target="cleo@example.com", after="name Cleo Ward, phone +447700900123"),
    )
    return news(
        DirectoryEvent.HELD,
        language,
        reasons=(
            Reason(section="guard", code="removals", facts={"count": 61, "earlier": 12, "of": 412, "most": 41}),
            Reason(
                section="guard",
                code="blanked",
                facts={"field": "sender_id", "count": 400, "earlier": 0, "of": 412, "most": 41},
            ),
        ),
        lines=(said * (lines // len(said) + 1))[:lines],
        counts={"missing": 1, "change": 2, "add": 1},
        command="mail2sms dirsync approve 9f86d081884c7d65 --config /etc/mail2sms.toml",
    )


def failed(language: str = "en") -> DirectoryNews:
    reason = Reason(
        section="read",
        code="bind-refused",
        facts={"name": "cn=reader,dc=example,dc=com", "result": "49 invalidCredentials"},
    )
    since = READ_AT - timedelta(hours=3)
    return news(DirectoryEvent.FAILED, language, reasons=(reason,), failures=3, failing_since=since)


def faulty(language: str = "en", event: DirectoryEvent = DirectoryEvent.FAULTY) -> DirectoryNews:
    bad = Reason(section="row", code="no-profile", facts={"name": "=Sales"})
    twice = Reason(section="row", code="address-twice", facts={"address": "anna@example.com", "rows": 2})
    faults = (NotTaken(line=3, column="profile", reason=bad), NotTaken(line=7, column="e-mail", reason=twice))
    return news(event, language, faults=faults, counts={"add": 12})
