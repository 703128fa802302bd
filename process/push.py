"""Pushes as a working part: who sends them, and when they are tried again."""

from collections.abc import Callable
from datetime import timedelta

from config.model import Config
from gateway.admin.push_keys import PushKeys
from gateway.ports import Clock, Item, ItemSender, MailAttempt
from gateway.report_pool import LargeReports
from process.mail_out import PRIVATE, build_resolver
from sms.retry import Ladder
from store.engine.database import Database
from tls.contexts import ClientContexts, ClientRole
from tls.mx import AddressGuard

# Three more tries within the first minute and nine within ten, whatever chance adds; then every quarter of an hour.
PUSH_LADDER = Ladder(
    waits=3 * (timedelta(seconds=18),) + 9 * (timedelta(seconds=54),) + (timedelta(minutes=15),),
    least=0.9,
    most=1.1,
    expire_after=timedelta(hours=48),
)


class SenderAtFirstPush:
    """Fulfils gateway.ports.ItemSender with one that is built when there is something to send."""

    def __init__(self, build: Callable[[], ItemSender]) -> None:
        self._build = build
        self._sender: ItemSender | None = None

    async def send(self, item: Item) -> MailAttempt | None:
        """Make one attempt."""
        if self._sender is None:
            self._sender = self._build()
        return await self._sender.send(item)


def build_push_sender(config: Config, database: Database, clock: Clock, large: LargeReports) -> ItemSender:
    """Return what sends pushes as the operator's file says."""

    def build() -> ItemSender:
        from web.push import PushSender  # noqa: PLC0415  (httpx: 100 ms of a start that most gateways need not have)

        contexts = ClientContexts()
        role = ClientRole(verify=True, check_hostname=True, ca_file=config.push.ca_file)
        return PushSender(
            resolver=build_resolver(config),
            guard=AddressGuard(allowed=PRIVATE if config.push.private_hosts else ()),
            context=lambda: contexts.get(role),
            key_of=PushKeys(database).key_of,
            clock=clock,
            large=large,
            deadline_seconds=config.push.timeout.total_seconds(),
        )

    return SenderAtFirstPush(build)
