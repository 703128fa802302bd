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
from process.clock import SystemClock
from process.mail_out import build_resolver
from process.services import Service
from sms.report import MessageNotice, Notice
from sms.retry import Ladder
from store.engine.database import Database, Transaction
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
        return await database.read(partial(_template_of, customer=customer, profile=profile))

    pushes = Pushes(
        rules=rules,
        template_of=template_of,
        terms_of=PushKeys(database).terms_of,
        allowances_of=allowances_of(config.push),
        credentials_of=credentials_of(config.push),
        large=large,
    )

    async def stop(_grace: float) -> None:
        pushes.close()

    return PushOut(
        sender=SenderAtFirstPush(lambda: _sender_of(config, pushes, clock)),
        service=Service(name="push-out", start=lambda: None, stop=stop),
    )


def _template_of(tx: Transaction, customer: str, profile: str) -> tuple[PushForm, str]:
    found = find_push_template(tx, customer=customer, profile=profile)
    return (form_stored_as(found[0]), found[1]) if found is not None else (PushForm.JSON, "")


def _sender_of(config: Config, pushes: Pushes, clock: Clock) -> ItemSender:
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


async def try_push(config: Config, database: Database, notice: Notice | MessageNotice) -> MailAttempt | None:
    """Push a notice once, as it would be, and return what came of it; nothing is kept or tried again."""

    async def no_rules() -> InboundRules | None:
        return None

    async def template_of(customer: str, profile: str) -> tuple[PushForm, str]:
        return await database.read(partial(_template_of, customer=customer, profile=profile))

    large = LargeReports()
    pushes = Pushes(
        rules=no_rules,
        template_of=template_of,
        terms_of=PushKeys(database).terms_of,
        allowances_of=allowances_of(config.push),
        credentials_of=credentials_of(config.push),
        large=large,
    )
    try:
        return await _sender_of(config, pushes, SystemClock()).send(notice)
    finally:
        pushes.close()
        large.close()
