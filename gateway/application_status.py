"""What became of a customer's jobs, as its applications may ask: whatever door the jobs came by.

An application sees all jobs of its customer, a person's login those of the person. Not here: how an interface words it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from addressbook.senders import Sender
from sms.lifecycle import MessageState
from sms.report import Findings, claimed_state
from sms.serialise import thaw_settings
from sms.settings import Settings
from store.application_views import (
    AskedMessage,
    find_job_of,
    find_message_of,
    job_ids_of,
    jobs_after,
    messages_of_job,
)
from store.engine.database import Database, Transaction
from store.engine.keys import to_instant, to_instant_if_set, to_stored
from store.rulings import read_findings

_ID: Final = re.compile(r"[JS]\.[0-9A-Za-z.@-]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsStatus:
    """What became of one SMS. `given` is the recipient as submitted, `number` E.164 with its plus, or empty.

    `state` is the one that may be claimed (sms.report). `reason` is a ProblemCode or a Refusal, `problem` its sentence.
    `attempted`: a carrier was offered it. `ended_at` is set once nothing more is expected. `sender` is the one that it
    was or will be sent from, empty where the carrier chooses. `country` and `findings` are there where rules of the
    number's country found something.
    """

    public_id: str
    given: str
    number: str
    reference: str
    state: MessageState
    reason: str
    problem: str
    from_network: bool
    attempted: bool
    receipt_wanted: bool
    parts: int
    updated_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    sender: str = ""
    country: str = ""
    findings: Findings = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """What became of one job, with the settings that were in force for it."""

    public_id: str
    service: str
    reference: str
    settings: Settings
    accepted_at: datetime
    settled_at: datetime | None
    messages: tuple[SmsStatus, ...]
    sandbox: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs are wanted: those that were accepted from `since` until just before `until`."""

    since: datetime
    until: datetime
    only_open: bool
    offset: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedJob:
    """A job in a list; `place` is where it stands in the order of all jobs."""

    public_id: str
    service: str
    reference: str
    accepted_at: datetime
    settled_at: datetime | None
    place: tuple[int, int]
    sandbox: bool


class ApplicationStatus:
    """The use case; one object serves all interfaces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def job(self, sender: Sender, public_id: str) -> JobStatus | None:
        """Return a job with its messages; None for one that there is not, or that is not theirs to see."""
        if not is_public_id(public_id):
            return None
        found = await self._database.read(lambda tx: find_job_of(tx, sender.customer.key, public_id, owner_of(sender)))
        if found is None:
            return None
        messages = await self._database.read(partial(_read_messages, job_key=found.key))
        return JobStatus(
            public_id=found.public_id,
            service=found.service,
            reference=found.reference,
            settings=thaw_settings(found.settings),
            accepted_at=to_instant(found.accepted_at),
            settled_at=to_instant_if_set(found.settled_at),
            messages=messages,
            sandbox=found.sandbox,
        )

    async def message(self, sender: Sender, public_id: str) -> SmsStatus | None:
        """Return one message; None for one that there is not, or that is not theirs to see."""
        if not is_public_id(public_id):
            return None
        return await self._database.read(
            partial(_read_message, customer_key=sender.customer.key, public_id=public_id, owner=owner_of(sender))
        )

    async def job_ids(self, sender: Sender, wanted: JobQuery) -> list[str]:
        """Return the ids of jobs, oldest first."""
        return await self._database.read(
            partial(
                job_ids_of,
                customer_key=sender.customer.key,
                since=to_stored(wanted.since),
                until=to_stored(wanted.until),
                owner=owner_of(sender),
                only_open=wanted.only_open,
                offset=wanted.offset,
                limit=wanted.limit,
            )
        )

    async def jobs_after(
        self, sender: Sender, after: tuple[int, int], *, only_open: bool, limit: int
    ) -> list[ListedJob]:
        """Return jobs behind a place in their order (an instant in microseconds, and a key), oldest first."""
        found = await self._database.read(
            partial(
                jobs_after,
                customer_key=sender.customer.key,
                after=after,
                owner=owner_of(sender),
                only_open=only_open,
                limit=limit,
            )
        )
        return [
            ListedJob(
                public_id=job.public_id,
                service=job.service,
                reference=job.reference,
                accepted_at=to_instant(job.accepted_at),
                settled_at=to_instant_if_set(job.settled_at),
                place=(job.accepted_at, job.key),
                sandbox=job.sandbox,
            )
            for job in found
        ]


def is_public_id(text: str) -> bool:
    """Return whether a text may be the id of a job or an SMS."""
    return _ID.fullmatch(text) is not None


def owner_of(sender: Sender) -> str:
    """Return whose jobs alone are to be seen, empty for all of the customer's."""
    user = sender.user
    return "" if user is None or user.is_application else user.address


def _read_messages(tx: Transaction, job_key: int) -> tuple[SmsStatus, ...]:
    return _statuses_of(tx, messages_of_job(tx, job_key))


def _read_message(tx: Transaction, customer_key: int, public_id: str, owner: str) -> SmsStatus | None:
    found = find_message_of(tx, customer_key, public_id, owner)
    return None if found is None else _statuses_of(tx, [found])[0]


def _statuses_of(tx: Transaction, messages: Sequence[AskedMessage]) -> tuple[SmsStatus, ...]:
    found = read_findings(tx, {message.ruling for message in messages})
    return tuple(_status_of(message, *found.get(message.ruling, ("", ()))) for message in messages)


def _status_of(message: AskedMessage, country: str, findings: Findings) -> SmsStatus:
    updated_at = to_instant(message.updated_at)
    return SmsStatus(
        public_id=message.public_id,
        given=message.given,
        number=f"+{message.number}" if message.number else "",
        reference=message.customer_ref,
        state=claimed_state(message.state, findings, message.part_count),
        reason=message.reason,
        problem=message.problem,
        from_network=message.from_network,
        attempted=message.attempts > 0,
        receipt_wanted=message.receipt_wanted,
        parts=message.part_count,
        updated_at=updated_at,
        sent_at=to_instant_if_set(message.sent_at),
        ended_at=updated_at if message.ended else None,
        sender=message.sender,
        country=country,
        findings=findings,
    )
