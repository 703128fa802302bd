"""The gateway as the operator's file describes it: every part built once, and the stages in which they run.

Values only: nothing is started here. Not here: how stages are started and stopped (process.services), what judges and
accepts mail without anything that runs (process.accept_path).
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import random
from typing import Any

from config.model import Config
from gateway import alert_texts
from gateway.accept import Acceptance
from gateway.cancel import Cancelling
from gateway.care_watch import CareWatch
from gateway.clock_watch import ClockWatch
from gateway.delays import Delays
from gateway.dispatch import Dispatch
from gateway.handed import HandedMessages
from gateway.health_watch import HealthWatch
from gateway.inbound import Inbound
from gateway.inbound_lists import InboundLists
from gateway.lease import NodeLeaseKeeper
from gateway.links import Links
from gateway.measuring import MeasuredCarrier, MeasuredSender
from gateway.metrics import Metric, Metrics
from gateway.outbox import ChannelRules, OutboxLoop
from gateway.ports import Carrier, CarrierEvents, LinkState
from gateway.query_carrier import Asking, unreported_ids
from gateway.receive import Receive
from gateway.received_reports import ReceivedReports
from gateway.tls_reports import TlsReports
from gateway.track import Track
from gateway.traffic_watch import TrafficWatch
from gateway.worker import Trouble
from mta.postmaster import PostmasterDoor
from mta.sending.connections import PoolLimits
from mta.support_mail import SupportDoor
from mta.tls_report_mail import ReportMails
from process.accept_path import AcceptPath, own_message_ids
from process.acme import build_renewal
from process.api import api_routes
from process.carriers import PlayedCentre, build_clients, unite_of
from process.contexts import ListenerContexts
from process.dirsync_schedule import DirectorySchedule
from process.doors import Doors
from process.http import http_services
from process.listeners import build_listeners
from process.mail_out import (
    MailOut,
    build_mail_out,
    build_resolver,
    build_tls_reports,
    mail_ladder,
    reported_domains,
)
from process.portal import portal_gate, portal_services
from process.push import PUSH_LADDER, PushOut, build_push_out
from process.reports import report_services
from process.routes import offers_cancelling, rules_of
from process.services import Service, Stage, service_of
from process.smpp_server import SmppServer, esme_rules
from process.support import build_support_mails, registrar_of
from process.surroundings import look_around
from smpp.client.client import SmppClient
from smpp.server.courier import Courier
from smpp.simulator.sandbox_carrier import SandboxCarrier
from sms.message import InboundFragment, Receipt
from sms.outcome import Outcome
from sms.report import Channel
from store.engine.database import Database
from store.inbound import InboundStore
from store.outbox import Outbox
from store.results import ResultStore

_Arrived = Callable[[Sequence[InboundFragment]], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What runs: `stages` in the order of their start. `lost` is set when another node has taken over.

    `tell_trouble` takes what the administrator must know of workers. `reload` reads the listeners' certificates again,
    and tries again what an authority refused.
    """

    accept_path: AcceptPath
    stages: Sequence[Stage]
    tell_trouble: Callable[[Trouble], None]
    lost: asyncio.Event
    reload: Callable[[], None]


def build(
    config: Config, database: Database, sandboxes: Mapping[str, PlayedCentre], *, only_http: bool = False
) -> Parts:
    """Return the parts; `sandboxes` have been started. `only_http`: no more than what answers by HTTP.

    Raises ContextError, UnusableKeyError or OSError for a file that can't be used, ValueError for HTTP alone where the
    database is not for several processes.
    """
    if only_http and not database.postgresql:
        raise ValueError("HTTP alone needs a postgresql:// database: a SQLite file is served by one process")
    core = AcceptPath(config, database)
    owner = f"{config.server.hostname}/{config.server.node}/{secrets.token_hex(4)}"
    handed = HandedMessages(config.server.data_dir / f"handed-{config.server.node}", owner)
    courier = Courier()
    telling = _build_telling(config, core, owner, courier)
    carrying = _build_carrying(config, core, handed, sandboxes, telling.outbox.kick)
    inbound = _build_inbound(config, core, telling, carrying.dispatch.kick)
    links = _build_links(carrying, inbound, Links(database=database, clock=core.clock, owner=owner), core.metrics)
    directories = DirectorySchedule(
        database=database, book=core.book, clock=core.clock, file=config.file, written=telling.outbox.kick
    )
    renewal = build_renewal(config, core, owner)  # before the listeners, which show its certificate
    mail_out, lost, tls = telling.mail_out, asyncio.Event(), ListenerContexts(config)
    acceptance = Acceptance(
        database=database,
        outbound=core.outbound,
        limits=core.watch_limits(mail_out.alerts.raise_alert),
        accepted=carrying.dispatch.queued,
        metrics=core.metrics,
    )
    doors = Doors(config, core, acceptance)
    smpp_server = SmppServer(config, core, doors, courier, tls, telling.outbox.kick)
    listeners = build_listeners(
        config,
        core,
        doors,
        PostmasterDoor(
            mail_out.postmaster,
            domains=config.server.domains,
            hostname=config.server.hostname,
            clock=core.clock,
            support=SupportDoor(
                build_support_mails(config, core, telling.outbox.kick),
                own_message_id=own_message_ids(config.server.domains[0]),
            ),
            reports=ReportMails(
                ReceivedReports(database=database, keys=core.keys, domains=reported_domains(config), clock=core.clock),
                build_resolver(config),
                now=core.clock.now,
            ),
        ),
        tls,
    )

    async def recover() -> None:
        await carrying.dispatch.recover()
        await telling.outbox.recover()

    async def start_directory() -> None:
        await core.book.load()
        await core.conversations.load()
        core.book.start()

    async def start_dispatch() -> None:
        await recover()
        await carrying.dispatch.reroute()
        carrying.dispatch.start()

    def reload() -> None:
        tls.reload()
        if renewal is not None:
            renewal.try_now()

    connect = links.connect
    lease: Stage = ()
    if database.postgresql:
        keeper = NodeLeaseKeeper(
            database=database,
            owner=owner,
            node=config.server.node,
            carriers=() if only_http else list(carrying.clients),
            handed=handed,
            hold=links.hold,
            recover=recover,
            lost=lost.set,
        )
        connect = keeper.begin
        lease = (Service(name="lease", start=keeper.acquire, stop=lambda _: keeper.stop()),)
    gate = portal_gate(config, core, doors, smpp_server.bound)
    http = (
        *http_services(config, core, tls, api_routes(core, doors), gate.routes()),
        *portal_services(config, gate),
    )
    acme: Stage = ()
    if renewal is not None:
        acme = (Service(name="acme", start=renewal.start, stop=renewal.stop),)
    # From the inside out: mail is taken last, and what waits for peers is stopped first, side by side.
    base: tuple[Stage, ...] = (
        (Service(name="directory", start=start_directory, stop=lambda _: core.book.stop()),),
        (service_of("handed", handed),),
        lease,
        (mail_out.service, telling.push_out.service, doors.service),
    )
    working: tuple[Stage, ...] = (
        (Service(name="dispatch", start=start_dispatch, stop=lambda _: carrying.dispatch.stop()),),
        (
            service_of("links", links.states),
            service_of("track", carrying.track.worker),
            service_of("cancelling", carrying.cancelling.worker),
            *(
                service_of(name, part.worker)
                for name, part in (("delays", telling.delays), ("tls-reports", telling.tls_reports))
                if part is not None
            ),
            service_of("inbound", inbound.worker),
            service_of("inbound-lists", inbound.lists.worker),
            *report_services(config, core, telling.outbox.kick),
            service_of(
                "care",
                CareWatch(
                    database=database,
                    keys=core.keys,
                    clock=core.clock,
                    registrar=registrar_of(config, core.book.judge),
                    written=telling.outbox.kick,
                ).worker,
            ),
            service_of("clock", ClockWatch(database=database, clock=core.clock).worker),
            service_of(
                "traffic",
                TrafficWatch(
                    database=database, clock=core.clock, tell=mail_out.alerts.raise_alert, options=config.alerts
                ).worker,
            ),
            service_of("health", _build_watch(config, core, telling).worker),
        ),
        (
            Service(name="outbox", start=telling.outbox.start, stop=telling.outbox.stop),
            service_of("asking", carrying.asking),
            Service(name="directories", start=directories.start, stop=directories.stop),
            Service(name="sandbox", start=lambda: carrying.sandbox.start(links.events), stop=_nothing),
            Service(name="carriers", start=connect, stop=carrying.stop),
            *http,
            *smpp_server.services,
            *acme,
            Service(name="listeners", start=listeners.start, stop=listeners.stop),
        ),
    )
    if only_http:
        working = ((Service(name="lease-renewal", start=connect, stop=_nothing), *http, *acme),)
    return Parts(
        accept_path=core,
        stages=(*base, *working),
        tell_trouble=lambda trouble: mail_out.alerts.raise_alert(alert_texts.worker_trouble(trouble)),
        lost=lost,
        reload=reload,
    )


async def _nothing(_: float) -> None:
    """Stop what ends with another service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Telling:
    """What tells senders, applications and the operator what became of an SMS or of a mail."""

    mail_out: MailOut
    push_out: PushOut
    outbox: OutboxLoop
    delays: Delays | None
    tls_reports: TlsReports | None


def _build_telling(config: Config, core: AcceptPath, owner: str, courier: Courier) -> _Telling:
    database, clock, kicked = core.database, core.clock, asyncio.Event()
    outbox = Outbox(core.keys)
    mail_out = build_mail_out(config, core, outbox, written=kicked.set)
    alert = mail_out.alerts.raise_alert
    mail = ChannelRules(
        sender=MeasuredSender(mail_out.notifier, Channel.MAIL, core.metrics),
        ladder=mail_ladder(config),
        most=config.mail.connections,
        each=PoolLimits().connections,
        given_up=lambda taken, end: alert(alert_texts.mail_given_up(taken, end)),
    )
    push_out = build_push_out(config, database, clock, core.book, mail_out.large_reports)
    push = ChannelRules(
        sender=MeasuredSender(push_out.sender, Channel.PUSH, core.metrics),
        ladder=PUSH_LADDER,
        most=config.push.connections,
        each=max(config.push.connections // 2, 1),
        given_up=lambda taken, end: alert(alert_texts.push_given_up(taken, end)),
    )
    loop = OutboxLoop(
        database=database,
        outbox=outbox,
        channels={Channel.MAIL: mail, Channel.PUSH: push, Channel.SMPP: esme_rules(courier)},
        clock=clock,
        owner=owner,
        chance=random,
        kicked=kicked,
    )
    delays = Delays(
        database=database,
        keys=core.keys,
        after=config.mail.delay_after,
        clock=clock,
        notices_written=loop.kick,
    )
    return _Telling(
        mail_out=mail_out,
        push_out=push_out,
        outbox=loop,
        delays=delays if config.mail.delay_after else None,
        tls_reports=build_tls_reports(config, core, loop.kick),
    )


def _build_watch(config: Config, core: AcceptPath, telling: "_Telling") -> HealthWatch:
    return HealthWatch(
        database=core.database,
        outbox=Outbox(core.keys),
        alerts=telling.mail_out.alerts,
        clock=core.clock,
        node=config.server.node,
        options=config.alerts,
        look_around=lambda: look_around(config, "this process"),
        written=telling.outbox.kick,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inbound:
    """What takes inbound SMS and does what follows from them."""

    arrived: _Arrived
    worker: Inbound
    lists: InboundLists


def _build_inbound(config: Config, core: AcceptPath, telling: _Telling, accepted: Callable[[], None]) -> _Inbound:
    alerts = telling.mail_out.alerts
    store = InboundStore(core.keys, core.outbound)
    worker = Inbound(
        database=core.database,
        store=store,
        book=core.book,
        routes=core.routes,
        clock=core.clock,
        row_of=alerts.row_of,
        alert=alerts.raise_alert,
        written=telling.outbox.kick,
        accepted=accepted,
        node=config.server.node if core.database.postgresql else None,
    )
    lists = InboundLists(
        database=core.database, keys=core.keys, book=core.book, clock=core.clock, written=telling.outbox.kick
    )
    receive = Receive(database=core.database, store=store, clock=core.clock, kept=worker.kick)
    return _Inbound(arrived=receive.arrived, worker=worker, lists=lists)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Carrying:
    """What gives SMS to the carriers and takes what comes back."""

    clients: Mapping[str, SmppClient]
    sandbox: SandboxCarrier
    measured: Mapping[str, MeasuredCarrier]
    dispatch: Dispatch
    track: Track
    cancelling: Cancelling
    asking: Asking

    def answered(self, carrier: str, part_key: int, outcome: Outcome) -> None:
        """Take a carrier's answer."""
        self.measured[carrier].answered(part_key, outcome)
        self.dispatch.answered(carrier, part_key, outcome)

    async def stop(self, grace_seconds: float) -> None:
        """Give the carriers nothing more, wait for their answers and leave them."""
        await self.dispatch.stop_feeding()
        carriers: tuple[Carrier, ...] = (self.sandbox, *self.clients.values())
        await asyncio.gather(*(carrier.stop(grace_seconds) for carrier in carriers))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Events:
    """Fulfils gateway.ports.CarrierEvents: each use case hears what is for it."""

    answered: Callable[[str, int, Outcome], None]
    answered_late: Callable[[str, int, Outcome], None]
    window_changed: Callable[[str], None]
    link_changed: Callable[[LinkState], None]
    reported: Callable[[Sequence[Receipt]], Coroutine[Any, Any, None]]
    arrived: _Arrived


@dataclass(frozen=True, slots=True, kw_only=True)
class _Links:
    """The links to the carriers; `events` is who hears what comes over them."""

    clients: Mapping[str, SmppClient]
    events: CarrierEvents
    states: Links

    async def hold(self, carrier: str) -> None:
        """Begin to hold the links to one carrier."""
        await self.states.begin(carrier)
        await self.clients[carrier].start(self.events)

    async def connect(self) -> None:
        """Begin to hold the links to all carriers."""
        for carrier in self.clients:
            await self.hold(carrier)


def _build_links(carrying: _Carrying, inbound: _Inbound, states: Links, metrics: Metrics) -> _Links:
    async def reported(receipts: Sequence[Receipt]) -> None:
        await carrying.track.reported(receipts)
        for receipt in receipts:
            metrics.count(Metric.RECEIPTS, receipt.carrier, receipt.state)

    async def arrived(fragments: Sequence[InboundFragment]) -> None:
        await inbound.arrived(fragments)
        for fragment in fragments:
            metrics.count(Metric.INBOUND, fragment.carrier)

    events = _Events(
        answered=carrying.answered,
        answered_late=carrying.dispatch.answered_late,
        window_changed=carrying.dispatch.window_changed,
        link_changed=states.changed,
        reported=reported,
        arrived=arrived,
    )
    return _Links(clients=carrying.clients, events=events, states=states)


def _build_carrying(
    config: Config,
    core: AcceptPath,
    handed: HandedMessages,
    sandboxes: Mapping[str, PlayedCentre],
    notices_written: Callable[[], None],
) -> _Carrying:
    database, clock = core.database, core.clock
    clients = build_clients(config.carriers, sandboxes, clock)
    sandbox = SandboxCarrier(partial(unreported_ids, database, clock, SandboxCarrier.name))
    carriers: tuple[Carrier, ...] = (*clients.values(), sandbox)
    measured = {carrier.name: MeasuredCarrier(carrier, core.metrics) for carrier in carriers}
    results = ResultStore(core.keys, rules_of(config.carriers))
    dispatch = Dispatch(
        database=database,
        outbound=core.outbound,
        progress=results,
        carriers=list(measured.values()),
        routes=core.routes,
        numbers=lambda: core.book.current.numbers,
        clock=clock,
        owner=handed.owner,
        notices_written=notices_written,
        handed=handed,
        hours={item.name: item.hours for item in config.carriers if item.hours is not None},
    )
    track = Track(
        database=database,
        outbound=core.outbound,
        progress=results,
        clock=clock,
        notices_written=notices_written,
        unite=unite_of(config.carriers),
    )
    cancelling = Cancelling(
        database=database,
        progress=results,
        carriers={item.name: clients[item.name] for item in config.carriers if offers_cancelling(item)},
        clock=clock,
        notices_written=notices_written,
    )
    asking = Asking(
        database=database,
        carriers=clients,
        graces={item.name: item.receipt_grace for item in config.carriers if item.dialect.query},
        clock=clock,
        reported=track.reported,
    )
    return _Carrying(
        clients=clients,
        sandbox=sandbox,
        measured=measured,
        dispatch=dispatch,
        track=track,
        cancelling=cancelling,
        asking=asking,
    )
