"""What a job and an inbound SMS count as in the sums, and what a change of a job that was summed adds to them.

Pure: the same details give the same figures. A job counts on the day of its customer's time zone on which the last of
its messages ended. Not here: reading details and adding to sums (store.sums), when that is done (summing).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from countries.findings import Effect
from sms.message import Origin
from sms.number import MobileNumber, country_of
from sms.report import Findings
from sms.settings import Settings
from store.engine.keys import to_instant
from store.sums import CountedLine, DueJob, NewRulingSum, NewSum, RuledMessages, SmsRecord, SumRecord, UnsummedSms


class Direction(StrEnum):
    """Which way an SMS went."""

    SENT = "sent"
    RECEIVED = "received"


_DAY: Final = 86_400 * 1_000_000
RECEIVED: Final = "received"
"""The state of an inbound SMS."""


class SumPlace(NamedTuple):
    """What the messages of one job differ by in the sums."""

    country: str
    carrier: str
    state: str


class Ruled(NamedTuple):
    """A rule of a country, and what it did."""

    country: str
    rule: str
    effect: str


class Figures(NamedTuple):
    """Messages, the parts of their texts, those that carriers bill, and those whose answer was lost."""

    messages: int = 0
    parts: int = 0
    billed: int = 0
    unanswered: int = 0

    def plus(self, other: "Figures", sign: int = 1) -> "Figures":
        """Return the sum, or with a sign of -1 the difference."""
        return Figures(*(mine + sign * its for mine, its in zip(self, other, strict=True)))


class Counted(msgspec.Struct, frozen=True):
    """What of a job stands in the sums: on which day of which zone, and how much at each place."""

    day: str
    zone: str
    lines: tuple[tuple[SumPlace, Figures], ...]


class _Frozen(msgspec.Struct, frozen=True):
    """What is read of a job's settings (sms.serialise)."""

    cost_centre: str = ""
    text_days: int = 0


def count_lines(lines: Iterable[CountedLine]) -> dict[int, dict[SumPlace, Figures]]:
    """Return the figures of each job, by key; lines are of messages, parts and attempts in any order."""
    jobs: dict[int, dict[SumPlace, Figures]] = defaultdict(lambda: defaultdict(Figures))
    for line in lines:
        place = SumPlace(line.country or country_of_digits(line.number), line.carrier, line.state)
        figures = jobs[line.job_key]
        figures[place] = figures[place].plus(Figures(line.messages, line.parts, line.billed, line.unanswered))
    return jobs


def count_ruled(found: Iterable[RuledMessages]) -> dict[int, Counter[Ruled]]:
    """Return for each job, by key, how many messages were replaced, changed, delayed or refused by which rule."""
    jobs: dict[int, Counter[Ruled]] = defaultdict(Counter)
    for one in found:
        for rule, effect, _ in msgspec.json.decode(one.findings, type=Findings):
            if effect != Effect.NOTED:
                jobs[one.job_key][Ruled(one.country, rule, effect)] += one.messages
    return jobs


def country_of_digits(digits: str) -> str:
    """Return the country of a number's digits, empty for what is none."""
    return country_of(MobileNumber(digits=digits)) if digits.isdecimal() else ""


def sum_job(
    job: DueJob, figures: Mapping[SumPlace, Figures], ruled: Mapping[Ruled, int], zone: ZoneInfo, now: datetime
) -> SumRecord:
    """Return what is added to the sums for a job, and what then stands in them.

    A job that was summed before keeps its day and zone: its differences are a correction, dated today. What rules of
    countries did to its messages is `ruled`, which counts once.
    """
    before = msgspec.json.decode(job.counted, type=Counted) if job.counted else None
    if before is None:
        day, name, earlier = to_instant(job.closed_at).astimezone(zone).date().isoformat(), zone.key, {}
        corrected_on = ""
    else:
        day, name, earlier = before.day, before.zone, dict(before.lines)
        corrected_on = now.astimezone(zone).date().isoformat()
    known = {place: found for place, found in sorted(figures.items()) if found != Figures()}
    settings = msgspec.json.decode(job.settings, type=_Frozen)
    news = [
        NewSum(
            customer_key=job.customer_key,
            day=day,
            zone=name,
            direction=Direction.SENT.value,
            service=job.service,
            cost_centre=settings.cost_centre,
            user_address=job.sender or job.login,
            corrected_on=corrected_on,
            **place._asdict(),
            **change._asdict(),
        )
        for place in sorted({*known, *earlier})
        if (change := known.get(place, Figures()).plus(earlier.get(place, Figures()), -1)) != Figures()
    ]
    counted = msgspec.json.encode(Counted(day=day, zone=name, lines=tuple(known.items()))).decode()
    return SumRecord(
        job_key=job.job_key,
        changes=job.changes,
        counted=counted,
        texts_until=_texts_until(job.closed_at, settings.text_days),
        news=tuple(news),
        ruled=tuple(
            NewRulingSum(customer_key=job.customer_key, day=day, **key._asdict(), messages=messages)
            for key, messages in sorted(ruled.items() if before is None else ())
        ),
    )


def _texts_until(closed_at: int, days: int) -> int | None:
    return closed_at + days * _DAY if days else None


def sum_inbound(sms: UnsummedSms, settings: Settings) -> SmsRecord:
    """Return what is added to the sums for an inbound SMS; what came late of one is parts of no further message."""
    missing = len(sms.missing.split(",")) if sms.missing else 0
    parts, zone = sms.part_count or sms.total - missing, ZoneInfo(settings.time_zone)
    new = NewSum(
        customer_key=sms.customer_key or 0,
        day=to_instant(sms.handled_at).astimezone(zone).date().isoformat(),
        zone=zone.key,
        direction=Direction.RECEIVED.value,
        service=Origin.INBOUND.value,
        cost_centre="",
        user_address="",
        country=country_of_digits(sms.phone),
        carrier=sms.carrier,
        state=RECEIVED,
        corrected_on="",
        messages=int(sms.late_of is None),
        parts=parts,
        billed=parts,
        unanswered=0,
    )
    return SmsRecord(key=sms.key, texts_until=_texts_until(sms.handled_at, settings.text_days), new=new)
