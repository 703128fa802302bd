"""Pushes as a working part: who sends them, and when they are tried again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from config.model import Config
from gateway.admin.push_keys import PushKeys
from gateway.directory import DirectoryFollower
from gateway.ports import Clock, Item, ItemSender, MailAttempt
from gateway.pushes import Pushes
from gateway.report_pool import LargeReports
from inbound.actions import InboundRules, PushForm
from process.allowances import allowances_of, credentials_of
from process.mail_out import build_resolver
from process.services import Service
from sms.retry import Ladder
from store.engine.database import Database
from store.mail_templates import find_push_template
from templates.pushes import form_stored_as
from tls.contexts import ClientContexts, ClientRole

# Three more tries within the first minute and nine within ten, whatever chance and a second until one begins add, since
# waits count from the beginning of an attempt; then every quarter of an hour.
PUSH_LADDER = Ladder(
    waits=3 * (timedelta(seconds=16),) + 9 * (timedelta(seconds=53),) + (timedelta(minutes=15),),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOut:
    """What sends pushes, and the service that ends what it holds."""

    sender: ItemSender
    service: Service


def build_push_out(
    config: Config, database: Database, clock: Clock, book: DirectoryFollower, large: LargeReports
) -> PushOut:
    """Return what sends pushes as the operator's file says; `book` has the actions."""

    async def rules() -> InboundRules | None:
        return book.rules if await book.confirm() else None  # an action that was just ended takes no more

    async def template_of(customer: str, profile: str) -> tuple[PushForm, str]:
        found = await database.read(partial(find_push_template, customer=customer, profile=profile))
        return (form_stored_as(found[0]), found[1]) if found is not None else (PushForm.JSON, "")

    pushes = Pushes(
        rules=rules,
        template_of=template_of,
        keys_of=PushKeys(database).keys_of,
        allowances_of=allowances_of(config.push),
        credentials_of=credentials_of(config.push),
        large=large,
    )

    def build() -> ItemSender:
        from web.push import PushSender  # noqa: PLC0415  (httpx2: 100 ms of a start that most gateways need not have)

        contexts = ClientContexts()
        general = ClientRole(verify=True, check_hostname=True, ca_file=config.push.ca_file)
        return PushSender(
            request_of=pushes.request_of,
            resolver=build_resolver(config),
            context=lambda ca_file, certificate: contexts.get(
                replace(general, ca_file=ca_file or general.ca_file, certificate=certificate)
            ),
            clock=clock,
            deadline_seconds=config.push.timeout.total_seconds(),
        )

    async def stop(_grace: float) -> None:
        pushes.close()

    return PushOut(sender=SenderAtFirstPush(build), service=Service(name="push-out", start=lambda: None, stop=stop))
