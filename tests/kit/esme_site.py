"""An SMPP server in the test's process, over a database of each kind; the test plays what carriers do."""

from dataclasses import replace

from addressbook.senders import Principal
from gateway.esme import AbsentEsmes, SubmittedMessages
from gateway.listener import ConnectionLimits
from gateway.metrics import Metrics
from gateway.outbox import OutboxLoop
from process.smpp_server import esme_rules
from smpp.dialect.dialect import WireAlphabet
from smpp.server.connection import EsmeLimits, EsmeService
from smpp.server.courier import Courier
from smpp.server.earlier import EarlierRequests
from smpp.server.server import EsmeDoor
from smpp.session.limits import SessionLimits
from sms.message import ReceiptState
from sms.outcome import Done, Refusal, Refused
from sms.report import Channel
from store.answers import Rules
from store.outbox import Outbox
from tests.kit.clock import Clock
from tests.kit.esme import TRANSCEIVER, esme
from tests.kit.fakes import until
from tests.kit.store_harness import StoreHarness
from tests.kit.testbed import ANNA, open_core, proven

CARRIER = "sandbox"


class EsmeSite:
    """Every login is of the user anna of acme; its password is its name, that of `gateway` is `secret`."""

    def __init__(self, config, *, alphabet=WireAlphabet.GSM7, limits=None, connections=None, tls=None):
        self.clock = Clock()
        self.core = core = open_core(config, self.clock)
        self.store = StoreHarness("", Rules(), database=core.database)
        self.courier = Courier()
        self.metrics = Metrics(doors=["smpp"])
        self.loop = OutboxLoop(
            database=core.database,
            outbox=Outbox(core.keys),
            channels={Channel.SMPP: esme_rules(self.courier)},
            clock=self.clock,
            owner="me",
            chance=lambda: 0.0,
        )
        self.courier.arrived = self.loop.kick
        messages = SubmittedMessages(
            database=core.database,
            keys=core.keys,
            clock=self.clock,
            book=core.book,
            routes=core.routes,
            offering=frozenset({CARRIER}),
            written=self.loop.kick,
        )
        self.absent = AbsentEsmes(core.database, self.clock)
        self.refuse_with = None
        self.ended: set[str] = set()
        self.service = EsmeService(
            prove=self._prove,
            holds=lambda principal: principal.login not in self.ended,
            applications=core.applications,
            earlier=EarlierRequests(messages, self.clock, alphabet),
            courier=self.courier,
            clock=self.clock,
            alphabet=alphabet,
            limits=limits or EsmeLimits(session=SessionLimits(window=50, inbound_window=1000)),
            metrics=self.metrics,
            door="smpp",
        )
        self.door = EsmeDoor(
            self.service,
            host="127.0.0.1",
            port=0,
            connections=connections or ConnectionLimits(),
            contexts=(lambda: tls) if tls is not None else None,
        )

    async def start(self):
        await self.door.start()
        self.loop.start()
        return self

    async def stop(self):
        await self.door.stop(1)
        await self.loop.stop(5)
        self.core.database.close()

    async def _prove(self, login, password, client) -> Principal | Refused:
        if self.refuse_with is not None:
            return Refused(refusal=self.refuse_with)
        if password != {"gateway": "secret"}.get(login, login):
            return Refused(refusal=Refusal.AUTHENTICATION_FAILED)
        return replace(proven(self.core, "acme", ANNA), login=login)

    @property
    def port(self) -> int:
        return self.door.port

    @property
    def bound(self) -> int:
        """How many binds are up."""
        return sum(len(binds) for binds in self.service.binds.values())

    async def until(self, condition):
        await until(condition)

    async def carry_all(self, state_of=lambda _: ReceiptState.DELIVERED):
        """Have the carrier take and report whatever comes, for ever."""
        while True:
            await self.core.has_accepted.wait()
            self.core.has_accepted.clear()
            for part in self.carry(None):
                self.store.receipt(f"c{part.part_key}", state_of(part), carrier=CARRIER)
            self.loop.kick()

    def esme(self, login="shop", kind=TRANSCEIVER, **options):
        return esme(self.door.port, login, login, kind, **options)

    def take(self, carrier=CARRIER, **more):
        """Hand the carrier what is due, and return it."""
        return self.store.take(carrier=carrier, route=carrier, **more)

    def carry(self, state=ReceiptState.DELIVERED, **receipt):
        """Have the carrier take what is due, and report it; returns the parts."""
        parts = self.take()
        for part in parts:
            self.store.settle((part.part_key, Done(reference=f"c{part.part_key}")), carrier=CARRIER)
        if state is not None:
            for part in parts:
                self.store.receipt(f"c{part.part_key}", state, carrier=CARRIER, **receipt)
        self.loop.kick()
        return parts
