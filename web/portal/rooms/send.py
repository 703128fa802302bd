"""Sending by hand: a text is written, previewed for each recipient, confirmed, and watched.

Not here: how the form is read (send_form), what would become of it (gateway.portal.by_hand).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import structs
from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.options import Option
from addressbook.rights import Right
from addressbook.senders import Sender
from gateway.application_status import ApplicationStatus, JobStatus
from gateway.planned import JobPlan, PlannedMessage
from gateway.portal.by_hand import CHOICES, Draft, read_options
from sms.message import EncodedText, Origin
from sms.number import country_of
from sms.outcome import Refused
from sms.report import Findings
from sms.settings import format_setting
from web.portal.page import CUSTOMER, POST, Page
from web.portal.rooms.send_form import (
    LIST,
    LONGEST,
    NUMBERS,
    TABLE,
    WAYS,
    by_hand,
    read_draft,
    say_refused,
    typed_numbers,
    way_of,
)
from web.portal.visit import Visit

_ROWS: Final = 100
_COUNTED: Final = 20
_MOST_OCTETS: Final = 6_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One recipient of a preview: `encoded` is the text that it gets, None where it gets none, as the others say.

    `findings` are what rules of its `country` would do, `sender` who stands in place of the sender that is asked for.
    """

    name: str
    number: str
    encoded: EncodedText | None
    refused: Refused | None
    fault: str
    duplicate_of: str
    country: str
    findings: Findings
    sender: str


async def write(visit: Visit, way: str) -> Response:
    """Show the form, with what a draft says where one is named."""
    return _form(visit, way, await _find_draft(visit, visit.asked("draft")))


async def keep(visit: Visit, way: str) -> Response:
    """Keep what was written as a draft, and lead to its preview."""
    before = await _find_draft(visit, visit.form.text("draft"))
    draft, errors = await read_draft(visit, way, before)
    if not errors:
        planned = await by_hand(visit).plan(visit.customer, visit.account.address, draft)
        if isinstance(planned, Refused):
            errors[""] = say_refused(visit, planned)
    if errors:
        return _form(visit, way, before, errors)
    key = await by_hand(visit).keep(visit.customer, visit.account.address, draft)
    return visit.go(f"{visit.here}/send/drafts/{key}")


async def count(visit: Visit) -> Response:
    """Show what the text would be on the air, as it stands so far."""
    personalised = visit.form.text("way") != NUMBERS
    options = read_options({name: visit.form.text(name) for name in CHOICES})
    draft = Draft(
        text=visit.form.text("text")[:LONGEST],
        recipients=() if personalised else typed_numbers(visit.form.text(NUMBERS))[:_COUNTED],
        options={} if isinstance(options, list) else options,
    )
    planned = await by_hand(visit).plan(visit.customer, visit.account.address, draft) if draft.text.strip() else None
    refused = planned.refused if isinstance(planned, JobPlan) else planned
    return visit.show(
        "rooms/send/count",
        encoded=planned.encoded if isinstance(planned, JobPlan) else None,
        refused=say_refused(visit, refused) if refused is not None else "",
        findings=_findings_of(planned) if isinstance(planned, JobPlan) else (),
        personalised=personalised,
    )


async def show_draft(visit: Visit) -> Response:
    """Show what would become of a draft, recipient by recipient."""
    draft = await by_hand(visit).find(visit.customer, visit.account.address, _key(visit))
    if draft is None:
        raise HTTPException(404)
    return await _preview(visit, draft) if isinstance(draft, Draft) else visit.go(f"{visit.here}/send/jobs/{draft}")


async def confirm(visit: Visit) -> Response:
    """Send a draft; one that was sent leads to its job."""
    done = await by_hand(visit).send(visit.customer, visit.account.address, _key(visit))
    if done is None:
        raise HTTPException(404)
    if isinstance(done, Refused):
        draft = await by_hand(visit).find(visit.customer, visit.account.address, _key(visit))
        if not isinstance(draft, Draft):
            raise HTTPException(404)
        return await _preview(visit, draft, say_refused(visit, done))
    return visit.go(f"{visit.here}/send/jobs/{done.job_id}", "" if done.repeated else "send.job.taken")


async def show_job(visit: Visit) -> Response:
    """Show what became of a job; the page follows it."""
    return visit.show("rooms/send/job", job=await _job(visit), most=_ROWS)


async def show_state(visit: Visit) -> Response:
    """Show the part of that page that changes."""
    return visit.show("rooms/send/state", job=await _job(visit), most=_ROWS)


async def _job(visit: Visit) -> JobStatus:
    """Return a job that was sent by hand; who may see reports sees every one."""
    status = ApplicationStatus(visit.desk.database)
    found = await status.job(Sender(customer=visit.customer), visit.parameter("job"))
    if found is None or not (found.service == Origin.PORTAL or visit.may(Right.SEE_REPORTS)):
        raise HTTPException(404)
    return found


def _form(visit: Visit, way: str, draft: Draft | None, errors: Mapping[str, str] | None = None) -> Response:
    hand = by_hand(visit)
    settings = hand.settings_of(visit.customer, visit.account.address)
    if isinstance(settings, Refused):
        errors = errors or {"": say_refused(visit, settings)}
    start_at = draft.start_at if draft is not None else None
    return visit.show(
        "rooms/send/write",
        errors=errors,
        way=way,
        ways=WAYS,
        draft=draft,
        draft_key=visit.form.text("draft") or (visit.asked("draft") if draft else ""),
        numbers="\n".join(one.number for one in draft.recipients) if draft and way == NUMBERS else "",
        start=start_at.astimezone(ZoneInfo(visit.zone)).strftime("%Y-%m-%dT%H:%M") if start_at else "",
        lists=hand.lists_for(visit.customer, visit.account.address),
        in_force=None if isinstance(settings, Refused) else settings,
        country="" if isinstance(settings, Refused) else visit.look.territory(visit.language, settings.default_country),
        express=visit.has(Option.EXPRESS),
    )


async def _preview(visit: Visit, draft: Draft, error: str = "") -> Response:
    planned = await by_hand(visit).plan(visit.customer, visit.account.address, draft)
    shown: Any = {"draft": draft, "key": _key(visit), "way": way_of(draft)}
    if isinstance(planned, Refused):
        return visit.show("rooms/send/barred", errors={"": error or say_refused(visit, planned)}, **shown)
    error = error or (say_refused(visit, planned.refused) if planned.refused is not None else "")
    rows = await _rows_of(visit, draft, planned)
    sent = [row.encoded for row in rows if row.encoded is not None and not row.duplicate_of]
    alike = await _sent_alike(visit, planned)
    first = min(visit.asked_count("from"), max(0, len(rows) - 1))
    return visit.show(
        "rooms/send/preview",
        errors={"": error} if error else {},
        plan=planned,
        rows=rows[first : first + _ROWS],
        first=first,
        newer=f"?from={max(0, first - _ROWS)}" if first else "",
        older=f"?from={first + _ROWS}" if first + _ROWS < len(rows) else "",
        total=len(rows),
        sent=len(sent) if planned.refused is None else 0,
        parts=sum(len(encoded.lengths) for encoded in sent),
        choices=CHOICES,
        alike=alike,
        is_later=planned.schedule is not None and planned.schedule.due_at > visit.desk.now(),
        **shown,
    )


async def _sent_alike(visit: Visit, planned: JobPlan) -> tuple[str, str, datetime] | None:
    """Return the first recipient of a plan if that had its text a while ago, with the job by which, and when."""
    for message in planned.messages:
        encoded = planned.encoded_of(message)
        if encoded is not None and message.number is not None and message.refused is None:
            found = await by_hand(visit).sent_alike(visit.customer, message.number.digits, encoded.text)
            return None if found is None else (message.number.e164, *found)
    return None


async def _rows_of(visit: Visit, draft: Draft, planned: JobPlan) -> list[Row]:
    """Return each recipient; where rows are at fault the others show what they would get without these."""
    faults = {fault.row: fault.text for fault in planned.faults}
    texts = {_name_of(message): planned.encoded_of(message) for message in planned.messages}
    if faults:
        sound = tuple(one for one in draft.recipients if (one.row or one.number) not in faults)
        again = await by_hand(visit).plan(
            visit.customer, visit.account.address, structs.replace(draft, recipients=sound)
        )
        if isinstance(again, JobPlan):
            texts = {_name_of(message): again.encoded_of(message) for message in again.messages}
    return [_row_of(message, texts.get(_name_of(message)), faults) for message in planned.messages]


def _findings_of(planned: JobPlan) -> list[tuple[str, Findings]]:
    return [(country_of(one.number), one.judgement.findings) for one in planned.messages if one.number is not None]


def _name_of(message: PlannedMessage) -> str:
    wanted = message.wanted
    return wanted.row or wanted.number or wanted.given


def _row_of(message: PlannedMessage, encoded: EncodedText | None, faults: Mapping[str, str]) -> Row:
    wanted = message.wanted
    fault = faults.get(_name_of(message), "") if message.refused is None else ""
    return Row(
        name=wanted.row,
        number=message.number.e164 if message.number is not None else wanted.number,
        encoded=encoded if message.refused is None and not fault else None,
        refused=message.refused,
        fault=fault,
        duplicate_of=message.duplicate_of,
        country=country_of(message.number) if message.number is not None else "",
        findings=message.judgement.findings,
        sender=format_setting(message.judgement.sender_id) if message.judgement.sender_id is not None else "",
    )


async def _find_draft(visit: Visit, key: str) -> Draft | None:
    """Return the draft of this key, None for no key, and for one that was sent or forgotten."""
    if not key.isdecimal() or len(key) > 18:
        return None
    found = await by_hand(visit).find(visit.customer, visit.account.address, int(key))
    return found if isinstance(found, Draft) else None


def _key(visit: Visit) -> int:
    """Return the key of the draft that the path names, 0 for one that no key can be."""
    key = int(visit.parameter("draft"))
    return key if key < 2**63 else 0


_SEND: Final = f"{CUSTOMER}/send"
_PATHS: Final = {NUMBERS: _SEND, LIST: f"{_SEND}/list", TABLE: f"{_SEND}/table"}

PAGES = (
    Page(path=_SEND, handler=partial(write, way=NUMBERS), right=Right.CHANGE_SEND, menu="send.menu"),
    Page(path=_PATHS[LIST], handler=partial(write, way=LIST), right=Right.CHANGE_SEND),
    Page(path=_PATHS[TABLE], handler=partial(write, way=TABLE), right=Right.CHANGE_SEND),
    *(
        Page(
            path=_PATHS[way],
            methods=POST,
            handler=partial(keep, way=way),
            right=Right.CHANGE_SEND,
            most=_MOST_OCTETS if way == TABLE else None,
        )
        for way in WAYS
    ),
    Page(path=f"{_SEND}/count", methods=POST, handler=count, right=Right.CHANGE_SEND, most=_MOST_OCTETS),
    Page(path=f"{_SEND}/drafts/{{draft:int}}", handler=show_draft, right=Right.CHANGE_SEND),
    Page(path=f"{_SEND}/drafts/{{draft:int}}", methods=POST, handler=confirm, right=Right.CHANGE_SEND),
    Page(path=f"{_SEND}/jobs/{{job}}", handler=show_job, right=Right.SEE_SEND),
    Page(path=f"{_SEND}/jobs/{{job}}/state", handler=show_state, right=Right.SEE_SEND),
)
