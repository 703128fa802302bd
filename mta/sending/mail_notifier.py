"""Sends an item by mail: composes it, signs it with the From domain's keys, delivers it or stores it in the sandbox.

Not here: how the mail looks (compose, templates), how it travels (deliver), when it is tried again (gateway.outbox).
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from gateway.alert_texts import template_failing
from gateway.alerts import Alert
from gateway.directory_mails import DirectoryMails
from gateway.inbound_mail import InboundMailReaders
from gateway.mail_rules import FoundTemplate, MailRules, TemplateIdentity
from gateway.phone_names import PhoneNames
from gateway.ports import (
    AlertMail,
    Clock,
    DirectoryMail,
    InboundList,
    InboundMail,
    Item,
    Letter,
    MailAttempt,
    PostmasterMail,
    TlsReport,
)
from gateway.report_pool import LargeReports
from mta.sending.compose import ComposedMail, CustomerTemplate, MailIdentity, compose_alert, compose_notice
from mta.sending.directory import compose_directory
from mta.sending.forward import compose_forward
from mta.sending.inbound import compose_inbound, compose_list
from mta.sending.letter import compose_letter
from mta.sending.sign import Signer
from mta.sending.tls_report import compose_tls_report
from sms.outcome import Done, Failed, Problem, ProblemCode, Retry
from sms.report import JobReport, Notice, NoticeKind
from sms.settings import ReportFormat
from templates.forms import MailForm, form_of
from templates.render import Renderer

log = structlog.get_logger()

# A template that just failed is not tried for every mail: a try may take seconds.
_REST = 600.0


Mail = TypeVar("Mail", ComposedMail, ComposedMail | None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OwnTemplate:
    """A customer's own template that a mail takes, and whose it is."""

    template: FoundTemplate
    customer: str
    profile: str


class MailDelivery(Protocol):
    """Delivers a composed mail to its recipient."""

    async def deliver(self, mail: ComposedMail, *, customer: str) -> MailAttempt:
        """Attempt delivery once, under the TLS that the recipient's domain and the customer demand."""


class FolderDelivery:
    """The sandbox's delivery: each mail becomes an .eml file, complete before it gets its name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def deliver(self, mail: ComposedMail, *, customer: str) -> MailAttempt:  # noqa: ARG002 - the protocol's
        """Write the mail; a second attempt rewrites the same file."""
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._write, mail)
        except OSError as error:
            problem = Problem(
                code=ProblemCode.MAIL_DEFERRED, text="The sandbox mailbox could not be written.", cause=str(error)
            )
            return MailAttempt(outcome=Retry(problem=problem), host="sandbox folder")
        return MailAttempt(outcome=Done(), host="sandbox folder", policy="none (sandbox)", reply="written")

    async def close(self) -> None:
        """Do nothing: nothing is kept open."""

    def _write(self, mail: ComposedMail) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = "".join(char if char.isalnum() or char in ".-@" else "_" for char in mail.message_id.strip("<>"))
        partial = self._folder / f".{name}.part"
        with partial.open("wb") as file:
            file.write(mail.message)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self._folder / f"{name}.eml")


class MailNotifier:
    """Fulfils gateway.ports.ItemSender: composes what the outbox gives by what it is, signs and delivers it.

    `signers` sign the mails from their domain. `alert` takes alerts for the administrator, `rules` has the customers'
    own templates, which run in their own thread. `large` makes mails about many recipients; its creator closes it.
    `readers` knows for whom mails of inbound SMS are, `names` who recipients are, `directories` what is told of one.
    """

    def __init__(  # noqa: PLR0913 - the process hands in each collaborator by name
        self,
        *,
        identity: MailIdentity,
        renderer: Renderer,
        signers: Sequence[Signer],
        delivery: MailDelivery,
        clock: Clock,
        rules: MailRules,
        alert: Callable[[Alert], None],
        large: LargeReports,
        readers: InboundMailReaders,
        names: PhoneNames,
        directories: DirectoryMails,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._identity = identity
        self._renderer = renderer
        self._signers = tuple(signers)
        self._delivery = delivery
        self._clock = clock
        self._rules = rules
        self._alert = alert
        self._large = large
        self._readers = readers
        self._names = names
        self._directories = directories
        self._monotonic = monotonic
        self._resting: dict[TemplateIdentity, float] = {}
        self._of_templates = ThreadPoolExecutor(max_workers=1, thread_name_prefix="templates")

    def close(self) -> None:
        """End the thread of customers' templates, after the mail in work."""
        self._of_templates.shutdown()

    async def send(self, item: Item) -> MailAttempt | None:  # noqa: C901, PLR0911 - one for each kind of item
        """Send it once; None where its sender asked not to be told of it."""
        await self._rules.refresh()
        match item:
            case Notice(report=report):
                mail = await self._compose(item)
                if mail is None:
                    return None
                signed = await self._large.work(report, partial(self._sign, mail))
                return await self._delivery.deliver(signed, customer=report.customer)
            case AlertMail():
                mail = compose_alert(item, identity=self._identity, renderer=self._renderer, now=self._clock.now())
                return await self._delivery.deliver(self._sign(mail), customer="")
            case Letter():
                customer, settings = self._readers.settings_of(item)
                letter = partial(compose_letter, item, item.language or settings.language, identity=self._identity)
                mail = letter(renderer=self._renderer, now=self._clock.now())
                return await self._delivery.deliver(self._sign(mail), customer=customer)
            case PostmasterMail():
                forward = partial(compose_forward, item, identity=self._identity)
                signed = await self._large.work_apart(lambda: self._sign(forward()))
                return await self._delivery.deliver(signed, customer="")
            case InboundMail():
                return await self._send_inbound(item)
            case DirectoryMail():
                news = await self._directories.news(item)
                if news is None:
                    return None
                directory = partial(compose_directory, item, news, identity=self._identity, renderer=self._renderer)
                signed = await self._large.work_apart(lambda: self._sign(directory()))
                return await self._delivery.deliver(signed, customer=news.customer)
            case TlsReport():
                mail = compose_tls_report(item, identity=self._identity)
                attempt = await self._delivery.deliver(self._sign(mail), customer="")
                return replace(attempt, sessions=())  # RFC 8460 §3: else reports would beget reports
            case InboundList():
                customer, settings = self._readers.settings_of(item)
                words = self._renderer.words(settings.language)
                listed = partial(compose_list, item, settings, words, identity=self._identity)
                signed = await self._large.work_apart(lambda: self._sign(listed()))
                return await self._delivery.deliver(signed, customer=customer)
            case _:
                raise TypeError(f"{type(item).__name__} does not go by mail")

    async def _send_inbound(self, item: InboundMail) -> MailAttempt:
        addressed = await self._readers.address(item)
        if addressed is None:
            text = "The user was disabled or removed before the mail was sent."
            return MailAttempt(outcome=Failed(problem=Problem(code=ProblemCode.USER_INACTIVE, text=text)))
        logo = await self._rules.find_graphic(item.report.customer, addressed.reader.settings.logo)
        compose = partial(compose_inbound, item, addressed, identity=self._identity, renderer=self._renderer, logo=logo)
        customer, profile = item.report.customer, addressed.reader.profile
        found = await self._find_template(customer, profile, MailForm.INBOUND)
        mail = await self._try_template(found, compose, item.identity) if found is not None else compose()
        return await self._delivery.deliver(self._sign(mail), customer=customer)

    async def _compose(self, notice: Notice) -> ComposedMail | None:
        report = notice.report
        dsn = report.settings.report_format is ReportFormat.DSN and notice.kind is not NoticeKind.DRY_RUN
        if not dsn:
            report = await self._names.name(report)
            notice = replace(notice, report=report)
        logo = await self._rules.find_graphic(report.customer, report.settings.logo)
        compose = partial(
            compose_notice, notice, identity=self._identity, renderer=self._renderer, now=self._clock.now(), logo=logo
        )
        if dsn:
            return await self._large.work(report, compose)
        found = await self._find_template(report.customer, report.profile, form_of(notice.kind, report))
        if found is None:
            return await self._large.work(report, compose)
        return await self._try_template(found, compose, notice.public_id, report)

    async def _try_template(
        self, found: _OwnTemplate, compose: Callable[..., Mail], identity: str, report: JobReport | None = None
    ) -> Mail:
        """Compose with a customer's own template, without it where it fails."""
        template = CustomerTemplate(source=found.template.source, graphics=found.template.graphics)
        try:
            loop = asyncio.get_running_loop()
            mail = await loop.run_in_executor(self._of_templates, partial(compose, template=template))
        except Exception as error:  # noqa: BLE001 - whatever a customer's template did, its mail goes out
            mail = await self._large.work(report, compose) if report is not None else compose()
            fault = f"{type(error).__name__}: {error}"[:300]
        else:
            fault = mail.fallback if mail is not None else ""
        if fault:
            self._rest(found, identity, fault)
        return mail

    async def _find_template(self, customer: str, profile: str, form: MailForm) -> _OwnTemplate | None:
        found = await self._rules.find_template(customer, profile, form)
        if found is None or self._resting.get(found.identity, 0.0) > self._monotonic():
            return None
        return _OwnTemplate(template=found, customer=customer, profile=profile)

    def _rest(self, found: _OwnTemplate, identity: str, fault: str) -> None:
        now = self._monotonic()
        self._resting = {identity: until for identity, until in self._resting.items() if until > now}
        self._resting[found.template.identity] = now + _REST
        customer, profile, form = found.customer, found.profile, found.template.identity[1].form
        log.error("template_fell_back", customer=customer, profile=profile, form=form, fault=fault)
        self._alert(template_failing(customer, profile, form, identity, fault))

    def _sign(self, mail: ComposedMail) -> ComposedMail:
        """Sign with the keys of the author's domain; with those of our other mails where it has none."""
        now = self._clock.now()
        domain = (mail.author_domain or self._identity.message_id_domain).lower()
        own = [signer for signer in self._signers if signer.domain == domain]
        for signer in own or self._signers:
            mail = replace(mail, message=signer.sign(mail.message, signed_at=now))
        return mail
