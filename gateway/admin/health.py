"""How the gateway is: what serves, what waits, what carriers, directories and certificates need somebody's hand.

Not here: the words (cli.health), what each row is (queue).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from addressbook.runs import RunState
from config.alerts import AlertOptions
from sms.facts import Code, Fact
from store.acme import Renewal, read_renewal
from store.carrier_links import CarrierLink, list_links
from store.engine.database import Transaction
from store.engine.keys import to_instant_if_set, to_stored
from store.queue_counts import (
    OutboxCount,
    QueueCount,
    count_fragments,
    count_messages,
    count_notices,
    count_outbox,
    count_submitting,
    has_directories,
)

if TYPE_CHECKING:
    from gateway.admin.directories import DirectoryState

_LATE = timedelta(minutes=1)
_DOWN = timedelta(seconds=10)
_MISSED_READINGS = 3


class Concern(Code):
    """What somebody should look at."""

    NOT_SERVING = ("not-serving",)
    LINK_DOWN = "link-down", "carrier", "link", "since", "trouble"
    MESSAGES_LATE = "messages-late", "route", "late", "since"
    NOTICES_LATE = "notices-late", "destination", "late", "since"
    DIRECTORY_HELD = "directory-held", "customer", "name", "digest"
    DIRECTORY_FAILS = "directory-fails", "customer", "name", "failures"
    DIRECTORY_OLD = "directory-old", "customer", "name", "since"
    CERTIFICATE_ENDS = "certificate-ends", "name", "file", "ends"
    CERTIFICATE_REFUSED = "certificate-refused", "failures", "problem", "next", "ends"
    CERTIFICATE_UNUSABLE = "certificate-unusable", "name", "fault"
    DISK_FULL = "disk-full", "folder", "free", "reserve"


@dataclass(frozen=True, slots=True)
class Concerned:
    """A concern with its facts."""

    code: Concern
    facts: dict[str, Fact]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerFacts:
    """Where the gateway listens: what it speaks there, such as SMTP, and its TLS: off, offer, require or implicit."""

    name: str
    speaks: str
    address: str
    tls: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the machine tells: who serves (None: nobody), what is free where, and when certificates end, by name.

    `listeners` are those of the operator's file. `unusable` says by listener why files of its TLS can't be used as they
    are now, `renews` whether an authority is asked for a certificate.
    """

    serving: str | None
    folder: str
    free: int
    reserve: int
    listeners: Sequence[ListenerFacts] = ()
    certificates: Sequence[tuple[str, str, datetime]] = ()
    unusable: Sequence[tuple[str, str]] = ()
    renews: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """Everything on one screen, and what of it somebody should look at."""

    around: Surroundings
    links: tuple[CarrierLink, ...]
    messages: tuple[QueueCount, ...]
    notices: tuple[QueueCount, ...]
    submitting: int
    fragments: int
    outbox: tuple[OutboxCount, ...]
    directories: tuple["DirectoryState", ...]
    renewal: Renewal
    concerns: tuple[Concerned, ...]


def report_health(tx: Transaction, around: Surroundings, now: datetime, options: AlertOptions) -> HealthReport:
    """Return how the gateway is at an instant."""
    late = to_stored(now - _LATE)
    messages, notices = count_messages(tx, late), count_notices(tx, late)
    directories = _directories(tx)
    links = list_links(tx) if around.serving is not None else []
    renewal = read_renewal(tx) if around.renews else Renewal()
    return HealthReport(
        around=around,
        links=tuple(links),
        messages=tuple(messages),
        notices=tuple(notices),
        submitting=count_submitting(tx),
        fragments=count_fragments(tx),
        outbox=tuple(count_outbox(tx, to_stored(now))),
        directories=tuple(directories),
        renewal=renewal,
        concerns=(
            *_of_machine(around, now, options),
            *_of_renewal(renewal),
            *_of_links(links, now),
            *_of_queues(Concern.MESSAGES_LATE, "route", messages, now - options.queue_late),
            *_of_queues(Concern.NOTICES_LATE, "destination", notices, now - options.queue_late),
            *(concern for state in directories if state.stored.directory.active for concern in _of(state, now)),
        ),
    )


def _directories(tx: Transaction) -> "list[DirectoryState]":
    if not has_directories(tx):
        return []
    from gateway.admin.directories import list_directories  # noqa: PLC0415 - most gateways have none, and it costs

    return list_directories(tx)


def _of_machine(around: Surroundings, now: datetime, options: AlertOptions) -> list[Concerned]:
    concerns = [] if around.serving is not None else [Concerned(Concern.NOT_SERVING, {})]
    if around.free < around.reserve:
        facts: dict[str, Fact] = {"folder": around.folder, "free": around.free, "reserve": around.reserve}
        concerns.append(Concerned(Concern.DISK_FULL, facts))
    concerns += [
        Concerned(Concern.CERTIFICATE_ENDS, {"name": name, "file": file, "ends": _at(ends)})
        for name, file, ends in around.certificates
        if ends < now + timedelta(days=max(options.certificate_days))
    ]
    concerns += [
        Concerned(Concern.CERTIFICATE_UNUSABLE, {"name": name, "fault": fault}) for name, fault in around.unusable
    ]
    return concerns


def _of_renewal(renewal: Renewal) -> list[Concerned]:
    if not renewal.problem:
        return []
    facts: dict[str, Fact] = {
        "failures": renewal.failures,
        "problem": renewal.problem,
        "next": _at(renewal.next_at),
        "ends": _at(renewal.ends_at),
    }
    return [Concerned(Concern.CERTIFICATE_REFUSED, facts)]


def _of_links(links: Sequence[CarrierLink], now: datetime) -> list[Concerned]:
    return [
        Concerned(
            Concern.LINK_DOWN,
            {"carrier": link.carrier, "link": link.link, "since": _at(link.since_at), "trouble": link.trouble},
        )
        for link in links
        if not link.is_up and link.since_at < now - _DOWN
    ]


def _of_queues(code: Concern, named: str, counts: Sequence[QueueCount], before: datetime) -> list[Concerned]:
    return [
        Concerned(code, {named: item.name, "late": item.late, "since": _at(item.oldest_at)})
        for item in counts
        if item.oldest_at is not None and item.oldest_at < before
    ]


def _of(state: "DirectoryState", now: datetime) -> list[Concerned]:
    directory, stored = state.stored.directory, state.stored
    whose: dict[str, Fact] = {"customer": state.customer, "name": directory.name}
    if state.held is not None:
        return [Concerned(Concern.DIRECTORY_HELD, {**whose, "digest": state.held.digest[:12]})]
    if state.last is not None and state.last.state is RunState.FAILED:
        return [Concerned(Concern.DIRECTORY_FAILS, {**whose, "failures": stored.failures})]
    read_at = find_old(state, now)
    return [Concerned(Concern.DIRECTORY_OLD, {**whose, "since": read_at})] if read_at else []


def find_old(state: "DirectoryState", now: datetime) -> str:
    """Return when an active directory was read last where that is too long ago, else an empty text."""
    directory, read_at = state.stored.directory, to_instant_if_set(state.stored.synced_at)
    is_old = read_at is not None and read_at < now - _MISSED_READINGS * timedelta(minutes=directory.every)
    return _at(read_at) if directory.active and is_old else ""


def _at(instant: datetime | None) -> str:
    return "" if instant is None else instant.strftime("%Y-%m-%d %H:%M:%S")
