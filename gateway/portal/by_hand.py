"""Sending by hand: what somebody writes in the portal is planned, previewed for each recipient, and sent once.

A draft is kept whole as it was previewed, so that what is confirmed is what was seen; it is sent under its own name,
so that a page that is loaded again sends nothing again. Not here: forms and pages (web.portal), what is decided about a
text (gateway.plan).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from addressbook.lists import DistributionList
from addressbook.people import Customer
from addressbook.senders import Principal
from gateway.accept import Accepted
from gateway.applications import ApplicationJob, Applications
from gateway.dedup_keys import request_use
from gateway.directory import DirectoryFollower
from gateway.planned import JobPlan
from gateway.ports import Clock
from gateway.submission import RecipientRequest
from sms.message import Origin
from sms.outcome import Refusal, Refused
from sms.personalise import Table
from sms.settings import SettingProblem, Settings, parse_setting
from store.application_views import find_alike
from store.engine.database import Database
from store.engine.keys import Keys, to_instant, to_stored
from store.lists import read_members
from store.portal_drafts import NewDraft, add_drafts, find_draft, note_sent

_KEPT: Final = timedelta(days=1)
_ALIKE_WITHIN: Final = timedelta(hours=1)
CHOICES: Final = ("sender_id", "priority", "cost_centre", "coding", "unencodable", "max_parts", "flash", "validity")
"""What somebody can choose for one text, by the name of its setting."""


class HandRecipient(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient: a number as typed, or of a list or table, with the values of its row."""

    number: str
    values: Mapping[str, str] | None = None
    row: str = ""


class Draft(msgspec.Struct, frozen=True, kw_only=True, tag="send"):
    """What somebody wants sent. `options` are settings as texts; `listed` names the list that the recipients are of.

    In a `personalised` one the text has placeholders, which the values of each recipient fill.
    """

    text: str
    recipients: tuple[HandRecipient, ...] = ()
    options: Mapping[str, str] = {}
    reference: str = ""
    start_at: datetime | None = None
    personalised: bool = False
    listed: str = ""
    table: str = ""


class ByHand:
    """The use case."""

    def __init__(
        self, *, database: Database, keys: Keys, applications: Applications, book: DirectoryFollower, clock: Clock
    ) -> None:
        self._database = database
        self._keys = keys
        self._applications = applications
        self._book = book
        self._clock = clock

    async def plan(self, customer: Customer, account: str, draft: Draft) -> JobPlan | Refused:
        """Return what would become of a draft of the account with this address; nothing is stored."""
        return await self._applications.plan(_principal(customer, account), _job_of(draft))

    def settings_of(self, customer: Customer, account: str) -> Settings | Refused:
        """Return the settings in force for what the account sends, or why it may send nothing."""
        sender = self._applications.admit(_principal(customer, account), Origin.PORTAL, tls=True)
        if isinstance(sender, Refused):
            return sender
        return self._book.current.resolve(sender, Origin.PORTAL).settings

    def lists_for(self, customer: Customer, account: str) -> list[DistributionList]:
        """Return the customer's lists that the account may write to, by name."""
        lists = self._book.current.lists.of_customer(customer.key)
        return [found for found in lists if found.permits(account)]

    async def members(self, customer: Customer, account: str, name: str) -> tuple[HandRecipient, ...] | Refused:
        """Return the recipients of a list, if the account may write to it."""
        found = self._book.current.lists.permitted(customer.key, name, account)
        if isinstance(found, Refused):
            return found
        members = await self._database.read(lambda tx: read_members(tx, found.key))
        if not members:
            return Refused(refusal=Refusal.ADDRESS_UNKNOWN, detail=f"The list {found.name} has no members.")
        return tuple(HandRecipient(number=f"+{member.number}", values=member.values) for member in members)

    async def keep(self, customer: Customer, account: str, draft: Draft) -> int:
        """Keep a draft for a day; return its key."""
        now = self._clock.now()
        kept = NewDraft(
            key=self._keys.take(),
            customer_key=customer.key,
            account=account,
            content=msgspec.json.encode(draft).decode(),
            expires_at=to_stored(now + _KEPT),
        )
        await self._database.write(add_drafts, (kept, to_stored(now)))
        return kept.key

    async def find(self, customer: Customer, account: str, key: int) -> Draft | str | None:
        """Return an account's draft, or the job that it became; None for one that there is not."""
        now = to_stored(self._clock.now())
        found = await self._database.read(lambda tx: find_draft(tx, key, customer.key, account, now))
        if found is None:
            return None
        return found.job_id or msgspec.json.decode(found.content, type=Draft)

    async def sent_alike(self, customer: Customer, number: str, text: str) -> tuple[str, datetime] | None:
        """Return the job by which this text went to a number by hand within the last hour, and when it was accepted.

        The number is E.164 without the plus. Somebody who went back in the browser, or a colleague, may have sent it.
        """
        since = to_stored(self._clock.now() - _ALIKE_WITHIN)
        found = await self._database.read(
            lambda tx: find_alike(tx, customer.key, Origin.PORTAL.value, number, text, since)
        )
        return None if found is None else (found[0], to_instant(found[1]))

    async def send(self, customer: Customer, account: str, key: int) -> Accepted | Refused | None:
        """Send a draft; one that was sent is answered with its job. None for one that there is not."""
        found = await self.find(customer, account, key)
        if found is None:
            return None
        if isinstance(found, str):
            return Accepted(job_id=found, repeated=True)
        use = request_use(account, f"draft {key}", msgspec.json.encode(found))
        job = replace(_job_of(found), first_use=use)
        sent = await self._applications.submit(_principal(customer, account), job)
        if isinstance(sent, Accepted):
            await self._database.write(note_sent, (key, sent.job_id))
        return sent


def read_options(typed: Mapping[str, str]) -> Mapping[str, str] | list[SettingProblem]:
    """Return what was chosen for one text, by setting, or which of it is no value; other settings are left out."""
    chosen = {name: text for name in CHOICES if (text := typed.get(name, "").strip())}
    bad = [found for name, text in chosen.items() if isinstance(found := parse_setting(name, text), SettingProblem)]
    return bad or chosen


def rows_of(table: Table) -> tuple[HandRecipient, ...]:
    """Return the recipients of a table, each named by its line."""
    return tuple(
        HandRecipient(
            number=row.number,
            values=row.values,
            row=f"line {row.line}" + (f" ({row.number[:20]})" if row.number else ""),
        )
        for row in table.rows
    )


def _principal(customer: Customer, account: str) -> Principal:
    return Principal(customer_id=customer.key, login=account)


def _job_of(draft: Draft) -> ApplicationJob:
    recipients = tuple(
        RecipientRequest(given=one.number, number=one.number, values=one.values, row=one.row)
        for one in draft.recipients
    )
    return ApplicationJob(
        service=Origin.PORTAL,
        texts=((draft.text, recipients),),
        options={name: parse_setting(name, text) for name, text in draft.options.items()},
        reference=draft.reference,
        start_at=draft.start_at,
        personalised=draft.personalised,
        listed=draft.listed,
    )
