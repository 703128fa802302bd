"""What somebody wrote in the form for sending: read as a draft, or what of it can't be read.

Not here: the pages (send), what would become of a draft (gateway.portal.by_hand).
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gateway.portal.by_hand import CHOICES, ByHand, Draft, HandRecipient, read_options, rows_of
from gateway.table_reader import read_confined
from sms.outcome import Refused
from sms.personalise import find_placeholder
from sms.schedule import parse_instant
from sms.typed_numbers import split_numbers
from web.portal.visit import Visit

NUMBERS, LIST, TABLE = "numbers", "list", "table"
WAYS: Final = (NUMBERS, LIST, TABLE)
LONGEST: Final = 20_000
_LONGEST_REFERENCE: Final = 200
_LONGEST_NAME: Final = 200
_JUST_NOW: Final = timedelta(minutes=5)


def by_hand(visit: Visit) -> ByHand:
    """Return the use case."""
    desk = visit.desk
    return ByHand(
        database=desk.database, keys=desk.keys, applications=desk.applications, book=desk.book, clock=desk.clock
    )


def way_of(draft: Draft) -> str:
    """Return by which form a draft was written."""
    return TABLE if draft.table else LIST if draft.listed else NUMBERS


def typed_numbers(text: str) -> tuple[HandRecipient, ...]:
    """Return the numbers that were typed or pasted, as `split_numbers` tells them apart."""
    return tuple(HandRecipient(number=number) for number in split_numbers(text))


def say_refused(visit: Visit, refused: Refused) -> str:
    """Return a refusal in the visitor's language, with its detail."""
    return visit.look.refusal(visit.language, refused.refusal.value, refused.detail)


def say_unread(visit: Visit, refused: Refused) -> str:
    """Return why a table was not read."""
    return visit.say("send.errors.table-unread", cause=refused.detail.removeprefix("the table: "))


async def read_draft(visit: Visit, way: str, before: Draft | None) -> tuple[Draft, dict[str, str]]:
    """Return what was written, and what is wrong with it by field. Without a new file the table of `before` counts."""
    form = visit.form
    errors: dict[str, str] = {}
    if fault := _find_fault(visit, way, form.text("text")):
        errors["text"] = fault
    options = read_options({name: form.text(name) for name in CHOICES})
    if isinstance(options, list):
        errors.update({bad.field: visit.say("send.errors.choice", given=bad.given) for bad in options})
        options = {}
    start_at = None
    if given := form.line("start_at"):
        try:
            start_at = parse_instant(given, ZoneInfo(visit.zone))
        except ValueError:
            errors["start_at"] = visit.say("send.errors.start_at")
        else:
            if fault := _find_clock_fault(given, start_at, visit):
                errors["start_at"] = visit.say(f"send.errors.{fault}")
    recipients = await _recipients(visit, way, before)
    if isinstance(recipients, Refused):
        errors[way] = say_unread(visit, recipients) if way == TABLE else say_refused(visit, recipients)
    elif not recipients:
        errors[way] = visit.say(f"send.errors.{way}")
    upload = form.file(TABLE)
    draft = Draft(
        text=form.text("text"),
        recipients=() if isinstance(recipients, Refused) else recipients,
        options=options,
        reference=form.line("reference")[:_LONGEST_REFERENCE],
        start_at=start_at,
        personalised=way != NUMBERS,
        listed=form.text(LIST) if way == LIST else "",
        table="" if way != TABLE else upload.name[:_LONGEST_NAME] if upload else before.table if before else "",
    )
    return draft, errors


def _find_fault(visit: Visit, way: str, text: str) -> str:
    if not text.strip():
        return visit.say("send.errors.text")
    if len(text) > LONGEST:
        return visit.say("send.errors.longest", most=LONGEST)
    place = find_placeholder(text) if way == NUMBERS else ""
    return visit.say("send.errors.placeholder", place=" ".join(place.split())[:60]) if place else ""


def _find_clock_fault(given: str, start_at: datetime, visit: Visit) -> str:
    """Return what is wrong with a start: it is over, or the clocks of the visitor's zone skip it; empty for none."""
    if start_at < visit.desk.now() - _JUST_NOW:
        return "over"
    written = datetime.fromisoformat(given)
    shown = start_at.astimezone(ZoneInfo(visit.zone)).replace(tzinfo=None)
    return "skipped" if written.tzinfo is None and written != shown else ""


async def _recipients(visit: Visit, way: str, before: Draft | None) -> tuple[HandRecipient, ...] | Refused:
    form = visit.form
    if way == NUMBERS:
        return typed_numbers(form.text(NUMBERS))
    if way == LIST:
        name = form.text(LIST)
        return await by_hand(visit).members(visit.customer, visit.account.address, name) if name else ()
    upload = form.file(TABLE)
    if upload is None:
        return before.recipients if before is not None and before.table else ()
    table = await asyncio.to_thread(read_confined, upload.content)
    return table if isinstance(table, Refused) else rows_of(table)
