"""A month that is over, as a gateway has it in its tables: many SMS of one large customer, some of others, inbound SMS.

The first day is written by the store's own statements, the others are copies of it that the database makes, so that a
million messages take a minute or two. Not here: what is measured (reports).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from random import Random
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from reports.archive import Month
from reports.counting import Direction, Figures, SumPlace, sum_inbound, sum_job
from sms.lifecycle import SUCCESS, MessageState
from sms.message import Alphabet, Origin
from sms.outbox import OutboxState
from sms.report import Channel
from sms.serialise import freeze_origins, freeze_settings
from sms.settings import Settings, StatusReport
from store.details import DETAILS, DetailRow, detail_row
from store.engine.database import Database, Row, Transaction
from store.engine.keys import Keys, PublicIds, to_instant, to_stored
from store.engine.statements import Insert, columns_of, table_of
from store.inbound_tables import InboundEffectRow, InboundSmsRow
from store.outbox import OUTBOX
from store.sums import ADD_SUMS, DueJob, NewSum, UnsummedSms, add_up
from store.sums_tables import JobSumRow
from store.tables import FAR, JobRow, MessageRow, OutboxRow, PartRow, ReceiptRow, StoredRow

SEED: Final = 16
USERS: Final = 200
COUNTRIES: Final = (
    *("GB", "DE", "FR", "ES", "IT", "NL", "BE", "AT", "CH", "PL", "CZ", "SE", "NO", "DK", "FI", "IE", "PT", "GR", "HU"),
    *("RO", "BG", "HR", "SI", "SK", "LT", "LV", "EE", "US", "CA", "BR"),
)
CARRIERS: Final = ("alpha", "beta", "gamma")
SENDER_IDS: Final = ("Alert", "Info", "Bank", "Clinic", "Depot", "+447700900999", "Fleet", "Games", "Hotel", "Insure")
OFTEN: Final = "447700900123"
"""A number that gets one SMS in a hundred."""
_COST_CENTRES: Final = tuple(str(4700 + number) for number in range(40))
# Each as often as it is chosen.
_SERVICES: Final = (*[Origin.MAIL] * 11, *[Origin.REST] * 5, *[Origin.SAP] * 2, Origin.SMPP, Origin.HTTP)
_SIZES: Final = (*[1] * 85, *[3] * 10, *[20] * 4, 100)
_STATES: Final = (
    *[MessageState.DELIVERED] * 176,
    *[MessageState.UNDELIVERED] * 8,
    *[MessageState.SUBMITTED] * 6,
    *[MessageState.FAILED] * 5,
    *[MessageState.REJECTED] * 3,
    *[MessageState.UNKNOWN] * 2,
)
_TAKEN: Final = frozenset({*SUCCESS, MessageState.UNDELIVERED, MessageState.UNKNOWN})
_REPORTED: Final = frozenset({MessageState.DELIVERED, MessageState.UNDELIVERED})
_PARTS_OF_TEXTS: Final = (*[1] * 16, *[2] * 3, 3)
_OF_CAMPAIGN: Final = 0.2
_OPEN: Final = 2_000  # one job in so many has not ended
_OFTEN: Final = 0.01
_OF_OTHERS: Final = 0.08
_INBOUND: Final = 20  # an inbound SMS for so many messages
_TOGETHER: Final = 2_000
_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
_UTC: Final = ZoneInfo("UTC")
CAMPAIGN: Final = "campaign"
KEYWORDS: Final = ("", "YES", "NO", "HELP")
_HEADER: Final = b"".join(b"X-Trace-%d: one of the fields that a mail brings\r\n" % number for number in range(6))
_JOBS, _MESSAGES, _PARTS = Insert(JobRow), Insert(MessageRow), Insert(PartRow)
_RECEIPTS, _JOB_SUMS = Insert(ReceiptRow), Insert(JobSumRow)
_INBOUND_SMS, _EFFECTS = Insert(InboundSmsRow), Insert(InboundEffectRow)
_COPIED: Final[tuple[type[StoredRow], ...]] = (
    *(JobRow, MessageRow, DetailRow, PartRow, ReceiptRow, OutboxRow, InboundSmsRow, InboundEffectRow),
)
_ALIKE: Final = frozenset({"customer_key", "action_key", "number_key"})
_NAMED: Final = frozenset({"public_id", "mail_id", "carrier_id", "customer_ref"})


class _To(NamedTuple):
    number: str
    sender_id: str
    country: str
    state: MessageState
    parts: int = 1
    reference: str = ""


class _Only(NamedTuple):
    """What no other message of the month has; the one that has it was accepted among the first tenth."""

    number: str = "447700900456"
    sender: str = "only@single.example"
    sender_id: str = "Only"
    cost_centre: str = "9999"
    reference: str = "the only one"
    country: str = "AQ"
    service: str = Origin.SOAP.value
    state: MessageState = MessageState.CANCELLED


ONLY: Final = _Only()


class Own(NamedTuple):
    """How much of a day is the large customer's."""

    messages: int
    jobs: int
    inbound: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A month that was written, and when (microseconds) its only message was accepted that has no like."""

    month: Month
    days: int
    customer_key: int
    of_a_day: Own
    only_at: int

    @property
    def messages(self) -> int:
        """How many SMS the large customer sent."""
        return self.days * self.of_a_day.messages + 1


def last_month(now: datetime) -> Month:
    """Return the month that ended last."""
    return Month.of(now.astimezone(UTC).date()).moved(-1)


def fill_month(database: Database, month: Month, messages: int, customer_key: int, others: Sequence[int]) -> Filled:
    """Write about so many messages that were accepted in a month (UTC). The jobs of its last day are not summed yet."""
    days = (month.moved(1).first - month.first).days
    first = _Day(month.first, messages // days, customer_key, others)
    for rows in first.portions():
        database.write_now(_insert, rows)
    sums = first.sums()
    database.write_now(_insert, {ADD_SUMS: sums})
    end = _End(key=first.keys.take(), at=first.now + 1, customers=(customer_key, *others))
    for ahead in range(1, days):
        database.write_now(partial(_copy, end=end, first=month.first, is_last=ahead == days - 1), ahead)
        kept = {Direction.SENT, Direction.RECEIVED} if ahead < days - 1 else {Direction.RECEIVED}
        day = (month.first + timedelta(days=ahead)).isoformat()
        database.write_now(_insert, {ADD_SUMS: [(row[0], day, *row[2:]) for row in sums if row[3] in kept]})
    only = _Day(month.first + timedelta(days=days // 10), 0, customer_key, others, node=201)
    database.write_now(_insert, only.single())
    database.write_now(_insert, {ADD_SUMS: only.sums()})
    database.write_now(_analyse, None)
    return Filled(month=month, days=days, customer_key=customer_key, of_a_day=first.own, only_at=only.now)


def _insert(tx: Transaction, items: list[dict[Insert, list[Row]]]) -> list[None]:
    for rows in items:
        for statement, written in rows.items():
            tx.insert(statement, written)
    return [None] * len(items)


class _End(NamedTuple):
    """Where the first day ends: no key and no instant of it is as late."""

    key: int
    at: int
    customers: Sequence[int]


def _copy(tx: Transaction, ahead: list[int], *, end: _End, first: date, is_last: bool) -> list[None]:
    """Write a day so many days after the first like that one."""
    for days in ahead:
        for model in _COPIED:
            within = f"key < {end.key}"
            if model is DetailRow:
                within = f"customer_key IN ({', '.join(map(str, end.customers))}) AND accepted_at < {end.at}"
            _copy_rows(tx, model, within, {name: _shifted(name, days) for name in columns_of(model)})
        sums = {name: _shifted(name, days) for name in ("job_key", "customer_key", "closed_at")}
        sums["counted"] = "''" if is_last else f"replace(counted, '{first}', '{first + timedelta(days=days)}')"
        sums["changes"] = str(int(is_last))
        _copy_rows(tx, JobSumRow, f"job_key < {end.key}", sums)
    return [None] * len(ahead)


def _copy_rows(tx: Transaction, model: type[StoredRow], within: str, values: dict[str, str]) -> None:
    table, names = table_of(model), ", ".join(f'"{name}"' for name in values)
    tx.execute(f"INSERT INTO {table} ({names}) SELECT {', '.join(values.values())} FROM {table} WHERE {within}")


def _analyse(tx: Transaction, items: list[None]) -> list[None]:
    if tx.postgresql:
        tx.execute("ANALYZE")  # as its autovacuum has by the end of a month
    return items


def _key_shift(days: int) -> int:
    return days * 86_400_000 << 21


def _shifted(column: str, days: int) -> str:
    """Return the expression of a column of a row that is copied to so many days later."""
    if column in _ALIKE:
        return f'"{column}"'
    if column == "key" or column.endswith("_key"):
        return f'"{column}" + {_key_shift(days)}'
    if column.endswith("_at"):
        return f'"{column}" + {days * _DAY}'
    if column in _NAMED:
        return f"CASE \"{column}\" WHEN '' THEN '' ELSE \"{column}\" || '.{days}' END"
    return f'"{column}"'


class _Day:
    def __init__(self, day: date, messages: int, customer_key: int, others: Sequence[int], *, node: int = 200) -> None:
        self._most = messages
        self._customer_key = customer_key
        self._others = others
        self._chance = Random(SEED)
        self._first = self.now = to_stored(datetime.combine(day, time(), UTC))
        self.keys = Keys(node, lambda: self.now / _SECOND)
        self._ids = PublicIds()
        self._settings = {
            centre: freeze_settings(Settings(cost_centre=centre)) for centre in (*_COST_CENTRES, ONLY.cost_centre)
        }
        self._defaults = Settings()
        self._origins = freeze_origins({})
        self._names = {key: f"other {key}" for key in others} | {customer_key: "demo"}
        self._rows: dict[Insert, list[Row]] = defaultdict(list)
        self._news: list[NewSum] = []
        self._written = self._own = self._own_jobs = self._own_inbound = 0

    @property
    def own(self) -> Own:
        return Own(self._own, self._own_jobs, self._own_inbound)

    def portions(self) -> Iterator[dict[Insert, list[Row]]]:
        """Yield the rows of the day, which ends ten minutes early: what is accepted late ends on the same day."""
        portion = 0
        while self._written < self._most:
            before = self._written
            self.now = self._first + (_DAY - 600 * _SECOND) * self._written // self._most
            self._add_job()
            for _ in range(self._written // _INBOUND - before // _INBOUND):
                self._add_inbound()
            portion += self._written - before
            if portion >= _TOGETHER or self._written == self._most:
                yield self._take()
                portion = 0

    def single(self) -> dict[Insert, list[Row]]:
        """Return the rows of the message that every filter finds alone."""
        self.now += 12 * 3600 * _SECOND
        job = self._new_job(ONLY.service, ONLY.sender, ONLY.cost_centre, ONLY.reference, self._customer_key)
        to = _To(number=ONLY.number, sender_id=ONLY.sender_id, country=ONLY.country, state=ONLY.state)
        self._end(job, [self._add_message(job, to, 0, ONLY.cost_centre)])
        return self._take()

    def _take(self) -> dict[Insert, list[Row]]:
        taken, self._rows = self._rows, defaultdict(list)
        return taken

    def sums(self) -> list[Row]:
        """Return what all of it adds to the sums."""
        return add_up(self._news)

    def _add_job(self) -> None:
        chance = self._chance
        service, user = chance.choice(_SERVICES), _low(chance, USERS)
        centre = _COST_CENTRES[user % len(_COST_CENTRES)]
        reference = ""
        if service is Origin.REST:
            reference = CAMPAIGN if chance.random() < _OF_CAMPAIGN else f"order {self._written}"
        is_open = self._own_jobs % _OPEN == _OPEN // 100
        is_others = not is_open and bool(self._others) and chance.random() < _OF_OTHERS
        key = chance.choice(self._others) if is_others else self._customer_key
        job = self._new_job(service.value, f"user{user}@example.com", centre, reference, key)
        sender_id = SENDER_IDS[_low(chance, len(SENDER_IDS))]
        counted = []
        for seq in range(min(chance.choice(_SIZES), self._most - self._written)):
            roll = chance.random()
            to = _To(
                number=OFTEN if roll < _OFTEN else f"447700900{int(1_000_000 * roll**2):06}",
                sender_id=sender_id,
                country=COUNTRIES[_low(chance, len(COUNTRIES))],
                state=MessageState.QUEUED if is_open else chance.choice(_STATES),
                parts=chance.choice(_PARTS_OF_TEXTS),
                reference=f"{reference}/{seq}" if reference else "",
            )
            counted.append(self._add_message(job, to, seq, centre))
        self._end(job, counted, is_open=is_open)

    def _new_job(self, service: str, sender: str, centre: str, reference: str, customer_key: int) -> Any:
        from_mail = service in {Origin.MAIL, Origin.SAP}
        self._own_jobs += customer_key == self._customer_key
        return _JOBS.row(
            key=self.keys.take(),
            public_id=self._ids.take("J", to_instant(self.now)),
            customer_key=customer_key,
            customer=self._names[customer_key],
            user_address=sender,
            sender=sender,
            service=service,
            reference=reference,
            accepted_at=self.now,
            open_messages=0,
            report=StatusReport.ALWAYS.value,
            settings=self._settings[centre],
            origins=self._origins,
            from_mail=from_mail,
            reverse_path=sender if from_mail else "",
            header_from=sender if from_mail else "",
            mail_id=f"<{self._written}@client.example.net>" if from_mail else "",
            header=_HEADER if from_mail else b"",
            login="" if from_mail else f"{service}-gateway",
            proof="range" if from_mail else "login",
        )

    def _add_message(self, job: Any, to: _To, seq: int, centre: str) -> tuple[SumPlace, Figures]:
        now, ended, taken = self.now, to.state is not MessageState.QUEUED, to.state in _TAKEN
        carrier = CARRIERS[_low(self._chance, len(CARRIERS))] if taken or to.state is MessageState.FAILED else ""
        row: Any = _MESSAGES.row(
            key=self.keys.take(),
            job_key=job.key,
            seq=seq,
            public_id=self._ids.take("S", to_instant(now)),
            given=f"+{to.number}@sms.example.net",
            number=to.number,
            body="Your delivery 80012345 arrives today between 14:00 and 16:00.",
            alphabet=Alphabet.GSM7.value,
            sender=to.sender_id,
            state=to.state.value,
            from_network=to.state in _REPORTED,
            priority=1,
            route=">".join(CARRIERS),
            receipt_wanted=to.state is not MessageState.SUBMITTED,
            part_count=to.parts,
            held=not ended,
            due_at=now if ended else now + FAR,
            expires_at=now + _DAY if ended else FAR,
            watch_at=now + _DAY if ended else FAR,
            ended=ended,
            updated_at=now + 9 * _SECOND,
            customer_ref=to.reference,
        )
        ended_at = now + self._chance.randrange(3, 300) * _SECOND if ended else None
        detail: Any = detail_row(job, row, centre, to.country)
        sent_at = now + 2 * _SECOND if taken else None
        self._rows[_MESSAGES].append(row)
        self._rows[DETAILS].append(detail._replace(carrier=carrier, sent_at=sent_at, ended_at=ended_at))
        for index in range(to.parts if carrier else 0):
            self._add_part(row, index, carrier, sent_at, ended_at)
        self._written += 1
        self._own += job.customer_key == self._customer_key
        return SumPlace(to.country, carrier, to.state.value), Figures(1, to.parts, to.parts if taken else 0, 0)

    def _add_part(self, message: Any, index: int, carrier: str, sent_at: int | None, reported_at: int | None) -> None:
        key = self.keys.take()
        carrier_id = f"{key:x}" if sent_at else ""
        reported = reported_at if message.from_network else None
        part = _PARTS.row(
            key=key,
            message_key=message.key,
            idx=index,
            state=message.state,
            carrier=carrier,
            carrier_id=carrier_id,
            submitted_at=sent_at,
            reported_at=reported,
        )
        self._rows[_PARTS].append(part)
        if reported is not None:
            receipt = _RECEIPTS.row(
                key=self.keys.take(),
                carrier=carrier,
                carrier_id=carrier_id,
                state=message.state,
                number=message.number,
                received_at=reported,
                part_key=key,
            )
            self._rows[_RECEIPTS].append(receipt)

    def _end(self, job: Any, counted: Sequence[tuple[SumPlace, Figures]], *, is_open: bool = False) -> None:
        """Add a job with what follows from its end: its sum, and a mail that told of it."""
        if is_open:
            self._rows[_JOBS].append(job._replace(open_messages=len(counted)))
            return
        closed_at = self.now + 300 * _SECOND
        self._rows[_JOBS].append(job._replace(settled_at=closed_at))
        self._rows[_JOB_SUMS].append(
            _JOB_SUMS.row(
                job_key=job.key,
                customer_key=job.customer_key,
                closed_at=closed_at,
                counted=self._sum(job, closed_at, counted),
            )
        )
        if job.from_mail:
            self._add_mail(job.sender, closed_at, job_key=job.key)

    def _sum(self, job: Any, closed_at: int, counted: Sequence[tuple[SumPlace, Figures]]) -> str:
        figures: dict[SumPlace, Figures] = defaultdict(Figures)
        for place, one in counted:
            figures[place] = figures[place].plus(one)
        due = DueJob(
            job.key, job.customer_key, closed_at, 1, "", job.service, job.sender, job.login, job.settings
        )  # fmt: skip
        record = sum_job(due, figures, {}, _UTC, to_instant(closed_at))
        self._news += record.news
        return record.counted

    def _add_mail(self, recipient: str, at: int, **of: int) -> int:
        key = self.keys.take()
        mail = OUTBOX.row(
            key=key,
            public_id=self._ids.take("N", to_instant(at)),
            kind="report",
            channel=Channel.MAIL.value,
            destination=recipient.partition("@")[2],
            recipient=recipient,
            state=OutboxState.SENT.value,
            due_at=at,
            created_at=at,
            ended_at=at + 2 * _SECOND,
            attempts=1,
            **of,
        )
        self._rows[OUTBOX].append(mail)
        return key

    def _add_inbound(self) -> None:
        """Add an inbound SMS that was mailed to a user; one in fifty is nobody's."""
        chance, now, key, nth = self._chance, self.now, self.keys.take(), self._own_inbound
        phone = f"447700900{int(1_000_000 * chance.random() ** 2):06}" if nth % 100 else OFTEN
        is_nobodys = nth % 50 == 5
        row: Any = _INBOUND_SMS.row(
            key=key,
            public_id=self._ids.take("I", to_instant(now)),
            carrier=CARRIERS[_low(chance, len(CARRIERS))],
            source=f"+{phone}",
            destination=f"+447700900{_low(chance, 20) + 900}",
            phone=phone,
            body="Yes, I come.",
            shown="Yes, I come.",
            customer_key=self._customer_key,
            customer=self._names[self._customer_key],
            keyword=KEYWORDS[nth % len(KEYWORDS)],
            reason="no-action" if is_nobodys else "",
            received_at=now,
            handled_at=now + _SECOND,
            part_count=1,
            summed=True,
        )
        self._rows[_INBOUND_SMS].append(row)
        sms = UnsummedSms(key, self._customer_key, phone, row.carrier, 1, "", None, row.handled_at, 1)
        self._news.append(sum_inbound(sms, self._defaults).new)
        self._own_inbound += 1
        if not is_nobodys:
            user = f"user{_low(chance, USERS)}@example.com"
            mail = self._add_mail(user, now, sms_key=key)
            effect = _EFFECTS.row(key=self.keys.take(), sms_key=key, kind="mail", target=user, outbox_key=mail)
            self._rows[_EFFECTS].append(effect)


def _low(chance: Random, count: int) -> int:
    """Return a number below `count`, low ones most of the time."""
    return int(count * chance.random() ** 3)
