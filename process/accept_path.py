"""What judges mail, put together without anything that runs; «explain» needs no more."""

import re
import time
from collections.abc import Callable

from config.model import Config
from gateway.admin.countries import judge_by
from gateway.alerts import Alert
from gateway.conversations import Conversations
from gateway.directory import DirectoryFollower
from gateway.dropped import DroppedMails
from gateway.limit_watch import LimitWatch
from gateway.metrics import Metrics
from gateway.ports import Clock
from gateway.taking_back import TakingBack
from gateway.usage_claims import SpentLimits
from mta.intake import MailIntake
from mta.reading.mime import MailLimits
from process.clock import SystemClock
from process.routes import offers_cancelling, routes_of
from store.engine.database import Database
from store.engine.keys import Keys
from store.jobs import Outbound


def own_message_ids(domain: str) -> Callable[[str], bool]:
    """Return what tells a Message-ID that we gave to a status mail, a DSN, or the mail of an inbound SMS."""
    pattern = re.compile(rf"<((st|dsn)\.N|in\.|conv\.)[^@<>]*@{re.escape(domain)}>", re.IGNORECASE)
    return lambda text: pattern.fullmatch(text.strip()) is not None


class AcceptPath:
    """What judges mail, and what those who accept it share."""

    def __init__(self, config: Config, database: Database, clock: Clock | None = None) -> None:
        self.config = config
        self.database = database
        self.clock: Clock = clock or SystemClock()
        self.keys = Keys(config.server.node, time.time)
        self.outbound = Outbound(self.keys)
        self.routes = routes_of(config.carriers)
        self.metrics = Metrics(
            [carrier.name for carrier in config.carriers], [door.name for door in config.smpp_servers]
        )
        self.book = DirectoryFollower(
            database,
            config.settings,
            frozenset(config.contracts.default_options),
            taken=lambda snapshot: self.routes.narrow(snapshot.numbers.carrier_choices),
            allow_reject=config.mail.allow_reject,
            judge=judge_by(config.rulings),
        )
        self.spent = SpentLimits()
        self.dropped = DroppedMails(database=database, keys=self.keys, clock=self.clock)
        self.cancelling = frozenset(carrier.name for carrier in config.carriers if offers_cancelling(carrier))
        self.taking_back = TakingBack(database=database, keys=self.keys, clock=self.clock, offering=self.cancelling)
        domain = config.mail_from.rpartition("@")[2]
        self.conversations = Conversations(database, domain)
        self.judge = MailIntake(
            book=self.book,
            conversations=self.conversations,
            routes=self.routes,
            spent=self.spent,
            clock=self.clock,
            domains=config.server.domains,
            own_message_id=own_message_ids(domain),
            limits=MailLimits(),
        )

    def watch_limits(self, tell: Callable[[Alert], None]) -> LimitWatch:
        """Return what hears how limits are used."""
        return LimitWatch(spent=self.spent, admin_of=self._admin_of, now=self.clock.now, tell=tell)

    def _admin_of(self, customer_key: int) -> str:
        customer = self.book.current.directory.customer(customer_key)
        return customer.admin_address if customer is not None else ""
