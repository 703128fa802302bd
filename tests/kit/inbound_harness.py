"""The way of an inbound SMS without a carrier: its worker over a store with one customer, numbers and actions."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from gateway.admin.customers import add_customer
from gateway.admin.edit import Administration
from gateway.alerts import Alert, Alerts
from gateway.directory import DirectoryFollower
from gateway.inbound import Inbound
from gateway.receive import Receive
from gateway.routing import CarrierRoute, CarrierRoutes
from inbound.actions import ActionKind, ActionSettings
from inbound.joining import BOUNDS, Bounds
from sms.message import InboundFragment
from sms.settings import SettingsPatch
from store.answers import Rules
from store.directory_changes import DirectoryChanges
from store.engine.database import Database
from store.engine.keys import to_stored
from store.engine.statements import Insert
from store.inbound import InboundStore
from store.inbound_rules import write_settings
from store.inbound_tables import ActionRow, NumberRow
from tests.kit.clock import Clock
from tests.kit.installation import Installation
from tests.kit.store_harness import StoreHarness

PHONE, OWN = "+447700900123", "+447700900999"
_NUMBERS, _ACTIONS = Insert(NumberRow), Insert(ActionRow)
SYSTEM: SettingsPatch = {}


def piece(text: str, index: int = 1, total: int = 1, reference: int = 7, **changes: Any) -> InboundFragment:
    """Return a fragment from the phone to our number."""
    facts = {"carrier": "alpha", "source": PHONE, "destination": OWN, "reference": reference if total > 1 else None}
    return InboundFragment(text=text, index=index, total=total, **{**facts, **changes})


def pieces(*texts: str, **changes: Any) -> list[InboundFragment]:
    """Return the fragments of one text."""
    return [piece(text, index, len(texts), **changes) for index, text in enumerate(texts, 1)]


def furnish_site(site: Installation, **actions: ActionSettings) -> None:
    """Give the customer of an installation that does not run yet a number of its own, and actions by their kinds."""
    (customer,) = site.customers()
    number = {"kind": "long", "country": "GB", "state": "active", "sharing": "dedicated"}
    row = _NUMBERS.row(key=1, digits=OWN[1:], customer_key=customer.key, **number)
    site.execute(_NUMBERS.sqlite, *row)
    for key, (kind, settings) in enumerate(actions.items(), 1):
        row = _ACTIONS.row(
            key=key, customer_key=customer.key, name=kind, canonical=kind, kind=kind, settings=write_settings(settings)
        )
        site.execute(_ACTIONS.sqlite, *row)


class InboundHarness(StoreHarness):
    """One node; several share a database. `told` are alerts that were raised outside of a transaction.

    `customer` and `number` are those that `furnish` adds.
    """

    customer: int
    number: int

    def __init__(
        self,
        url: str,
        *,
        node: int = 1,
        database: Database | None = None,
        alone: bool = True,
        bounds: Bounds = BOUNDS,
        routes: CarrierRoutes | None = None,
    ) -> None:
        super().__init__(url, Rules(), node=node, database=database)
        self.clock = Clock()
        self.admin = Administration(self.database, self.keys, "anna", self.clock.now)
        self.book = DirectoryFollower(self.database, SYSTEM)
        self.told: list[Alert] = []
        self.kicks: list[str] = []
        self.store = InboundStore(self.keys, self.outbound)
        self.alerts = Alerts(
            database=self.database,
            outbox=self.outbox,
            address="admin@example.net",
            clock=self.clock,
            written=lambda: None,
        )
        self.worker = Inbound(
            database=self.database,
            store=self.store,
            book=self.book,
            routes=routes or CarrierRoutes([CarrierRoute(carrier="alpha")]),
            clock=self.clock,
            row_of=self.alerts.row_of,
            alert=self.told.append,
            written=lambda: self.kicks.append("outbox"),
            accepted=lambda: self.kicks.append("dispatch"),
            node=None if alone else node,
            bounds=bounds,
        )
        self.receive = Receive(
            database=self.database, store=self.store, clock=self.clock, kept=lambda: self.kicks.append("inbound")
        )

    def furnish(self) -> None:
        """Add a customer with a number of its own."""
        self.customer = self.add_customer()
        self.number = self.add_number(self.customer)

    def add_customer(self, name: str = "Example Ltd") -> int:
        """Add a customer; returns its key."""
        self.admin.change_now(lambda edit: add_customer(edit, name))
        return int(self.customers(name=name)[0].key)

    def add_number(self, customer: int | None, digits: str = OWN[1:], **changes: Any) -> int:
        """Add a number, dedicated to a customer; returns its key."""
        key = self.keys.take()
        facts = {"kind": "long", "country": "GB", "state": "active", "sharing": "dedicated"}
        row = _NUMBERS.row(key=key, digits=digits, customer_key=customer, **{**facts, **changes})
        self._change(lambda tx: tx.insert(_NUMBERS, [row]))
        return key

    def add_action(self, customer: int, settings: ActionSettings, kind: ActionKind, **changes: Any) -> int:
        """Add an action for all of a customer's numbers; returns its key."""
        key = self.keys.take()
        facts = {
            "name": f"{kind.value}-{key}",
            "canonical": f"{kind.value}-{key}",
            "settings": write_settings(settings),
        }
        row = _ACTIONS.row(key=key, customer_key=customer, kind=kind.value, **{**facts, **changes})
        self._change(lambda tx: tx.insert(_ACTIONS, [row]))
        return key

    def _change(self, write: Callable[[Any], None]) -> None:
        def change(tx, items):
            changes = DirectoryChanges(tx, self.keys, "anna", to_stored(self.clock.now()))
            write(tx)
            changes.touch_inbound()
            changes.finish()
            return items

        self.database.write_now(change, None)

    async def arrive(self, *fragments: InboundFragment) -> None:
        """Take fragments from a carrier."""
        await self.receive.arrived(fragments)

    async def handle(self, later: timedelta = timedelta(0)) -> None:
        """Let time pass and handle what there is."""
        self.clock.move(later)
        await self.book.refresh()
        while await self.worker.step():
            pass

    def texts(self) -> Sequence[str]:
        """Return the texts of inbound SMS, in the order in which they were handled."""
        return [sms.body for sms in self.inbound_sms()]
