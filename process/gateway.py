"""The process: what the operator's file says, put together, started in order, stopped in order. It decides nothing.

Not here: what judges and accepts mail without anything that runs (process.accept_path), how each part is built
(mta.app_*).
"""

import asyncio
import secrets
from collections.abc import Sequence

import structlog

from config.carriers import CarrierKind, CarrierOptions
from config.model import Config
from gateway.cancel import Cancelling
from gateway.dispatch import Dispatch
from gateway.lease import NodeLeaseKeeper
from gateway.notify import Notify
from gateway.query_carrier import Asking
from gateway.receive import Receive
from gateway.track import Track
from gateway.worker import troubles
from mta.postmaster import PostmasterDoor
from mta.smtp.server.listener import Listener
from process.accept_path import AcceptPath
from process.carriers import build_client, password_of, start_sandbox, unite_of
from process.listeners import build_listeners
from process.mail_out import MailOut, mail_ladder, schedule_by
from process.push import PUSH_LADDER, build_push_sender, push_given_up
from process.routes import rules_of
from smpp.client.client import SmppClient
from smpp.simulator.simulator import Simulator
from sms.message import InboundFragment, Receipt
from sms.outcome import Outcome
from sms.report import Channel
from store.engine.database import Database
from store.inbox import Inbox
from store.outbox import Outbox
from store.results import ResultStore

log = structlog.get_logger()


class Gateway:
    """Everything that runs, for one process. `sandboxes` are the message centres that it plays itself, by carrier."""

    def __init__(self, config: Config, database: Database) -> None:
        self.core = AcceptPath(config, database, accepted=self._accepted)
        self.sandboxes: dict[str, Simulator] = {}
        self.listeners: list[Listener] = []
        self._config = config
        self._database = database
        self._owner = f"{config.server.hostname}/{config.server.node}/{secrets.token_hex(4)}"
        self._progress = ResultStore(self.core.keys, rules_of(config.carriers))
        self._receive = Receive(database=database, inbox=Inbox(self.core.keys), clock=self.core.clock)
        self._track = Track(
            database=database,
            outbound=self.core.outbound,
            progress=self._progress,
            clock=self.core.clock,
            notices_written=self._notices_written,
            unite=unite_of(config.carriers),
        )
        self._mail_out = MailOut(
            config,
            database,
            self.core.keys,
            self.core.clock,
            owner=self._owner,
            notices_written=self._notices_written,
        )
        outbox = Outbox(self.core.keys)
        self._notify = Notify(
            database=database,
            outbox=outbox,
            sender=self._mail_out.teller,
            next_attempt=schedule_by(mail_ladder(config)),
            clock=self.core.clock,
            owner=self._owner,
            most_at_once=config.mail.connections,
            given_up=self._mail_out.given_up,
        )
        self._push = Notify(
            database=database,
            outbox=outbox,
            sender=build_push_sender(config, database, self.core.clock, self._mail_out.large_reports),
            next_attempt=schedule_by(PUSH_LADDER),
            clock=self.core.clock,
            owner=self._owner,
            channel=Channel.PUSH,
            most_at_once=config.push.connections,
            given_up=push_given_up(self._mail_out.raise_alert),
        )
        self._carriers: list[SmppClient] = []
        self.lost = asyncio.Event()
        self._lease = self._build_lease()
        self._cancelling: Cancelling | None = None
        self._asking: Asking | None = None
        self._dispatch: Dispatch | None = None
        self._listening = build_listeners(
            config,
            self.core,
            PostmasterDoor(
                self._mail_out.postmaster,
                domains=config.server.domains,
                hostname=config.server.hostname,
                clock=self.core.clock,
            ),
        )

    # What carriers tell (gateway.ports.CarrierEvents)

    def answered(self, carrier: str, part_key: int, outcome: Outcome) -> None:
        """Hand an answer to dispatch."""
        assert self._dispatch is not None
        self._dispatch.answered(carrier, part_key, outcome)

    def answered_late(self, carrier: str, part_key: int, outcome: Outcome) -> None:
        """Hand a late answer to dispatch."""
        assert self._dispatch is not None
        self._dispatch.answered_late(carrier, part_key, outcome)

    def window_changed(self, carrier: str) -> None:
        """Tell dispatch that a carrier may take more."""
        assert self._dispatch is not None
        self._dispatch.window_changed(carrier)

    async def reported(self, receipts: Sequence[Receipt]) -> None:
        """Hand receipts to track."""
        await self._track.reported(receipts)

    async def arrived(self, fragments: Sequence[InboundFragment]) -> None:
        """Hand inbound fragments to receive."""
        await self._receive.arrived(fragments)

    def _accepted(self) -> None:
        if self._dispatch is not None:
            self._dispatch.kick()

    def _notices_written(self) -> None:
        self._notify.kick()
        self._push.kick()

    async def start(self) -> None:
        """Recover what an earlier process left, then start from the carriers inwards: mail is taken last."""
        troubles.set(self._mail_out.tell_trouble)
        await self.core.book.load()
        for options in self._config.carriers:
            self._carriers.append(await self._build_carrier(options))
        self._dispatch = Dispatch(
            database=self._database,
            outbound=self.core.outbound,
            progress=self._progress,
            carriers=self._carriers,
            routes=self.core.routes,
            clock=self.core.clock,
            owner=self._owner,
            notices_written=self._notices_written,
            hours={item.name: item.hours for item in self._config.carriers if item.hours is not None},
        )
        if self._lease is not None:
            await self._lease.acquire()
        await self._dispatch.recover()
        await self._dispatch.reroute()
        await self._notify.recover()
        await self._mail_out.postmaster.recover()
        self._dispatch.start()
        self._track.start()
        self._cancelling = self._build_cancelling()
        self._cancelling.start()
        self._asking = self._build_asking()
        self._asking.start()
        await self._mail_out.start()
        self._notify.start()
        self._push.start()
        self.core.book.start()
        if self._lease is not None:
            await self._lease.begin()
        else:
            for carrier in self._carriers:
                await carrier.start(self)
        self.listeners = await self._listening.open()
        for listener in self.listeners:
            log.info("listening", addresses=[f"{host}:{port}" for host, port in listener.addresses])

    def _build_lease(self) -> NodeLeaseKeeper | None:
        """Return this process's lease where several nodes may share the database."""
        if not self._database.postgresql:
            return None
        return NodeLeaseKeeper(
            database=self._database,
            owner=self._owner,
            node=self._config.server.node,
            carriers=[options.name for options in self._config.carriers],
            hold=self._hold_carrier,
            recover=self._recover_dead_nodes,
            lost=self.lost.set,
        )

    async def _hold_carrier(self, name: str) -> None:
        await next(carrier for carrier in self._carriers if carrier.name == name).start(self)

    async def _recover_dead_nodes(self) -> None:
        if self._dispatch is not None:
            await self._dispatch.recover()
        await self._notify.recover()
        await self._mail_out.postmaster.recover()

    def _build_cancelling(self) -> Cancelling:
        offering = {
            options.name: client
            for options, client in zip(self._config.carriers, self._carriers, strict=True)
            if options.cancels or options.kind is CarrierKind.SANDBOX
        }
        return Cancelling(
            database=self._database,
            progress=self._progress,
            carriers=offering,
            clock=self.core.clock,
            notices_written=self._notices_written,
        )

    def _build_asking(self) -> Asking:
        return Asking(
            database=self._database,
            carriers={client.name: client for client in self._carriers},
            graces={item.name: item.receipt_grace for item in self._config.carriers if item.dialect.query},
            clock=self.core.clock,
            reported=self.reported,
        )

    async def _build_carrier(self, options: CarrierOptions) -> SmppClient:
        if options.kind is CarrierKind.SANDBOX:
            password = secrets.token_hex(4)
            sandbox = await start_sandbox(options, password, self.core.clock)
            self.sandboxes[options.name] = sandbox
            return build_client(
                options,
                host="127.0.0.1",
                port=sandbox.port,
                system_id="sandbox",
                password=password,
                clock=self.core.clock,
            )
        return build_client(
            options,
            host=options.host or "",
            port=options.port,
            system_id=options.system_id,
            password=password_of(options),
            clock=self.core.clock,
        )

    async def stop(self) -> None:
        """Take nothing new, let what is under way end within the operator's grace, then close everything."""
        grace = self._config.server.stop_grace.total_seconds()
        await asyncio.gather(*(listener.close(grace) for listener in self.listeners))
        if self._dispatch is not None:
            await self._dispatch.stop_feeding()
        asking = [self._asking.stop()] if self._asking is not None else []
        await asyncio.gather(*asking, *(carrier.stop(grace) for carrier in self._carriers))
        if self._dispatch is not None:
            await self._dispatch.stop()
        if self._cancelling is not None:
            await self._cancelling.stop()
        await self._track.stop()
        await asyncio.gather(self._notify.stop(grace), self._push.stop(grace))
        await self.core.book.stop()
        await self._mail_out.stop()
        for sandbox in self.sandboxes.values():
            await sandbox.stop()
        self._listening.close()
        if self._lease is not None:
            await self._lease.stop()
        log.info("stopped")
