"""The operator's mail options as working parts: who writes, who signs, how mail goes out, and who hears of trouble."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import random

from config.mail import MailRoute
from config.model import Config
from gateway.alerts import Alert, Alerts
from gateway.delays import Delays
from gateway.mail_rules import MailRules, StoredStsCache
from gateway.notify import NextAttempt
from gateway.ports import Clock
from gateway.postmaster import Postmaster
from gateway.report_pool import LargeReports
from gateway.worker import Trouble
from mta.sending.compose import MailIdentity
from mta.sending.deliver import Deliverer
from mta.sending.mail_notifier import FolderDelivery, MailNotifier
from mta.sending.outgoing import ClientTimeouts, DeliverySettings, TlsAlarm, TlsAlarmTaker
from mta.sending.routes import RelayLogin, Route, RouteTable
from process.signers import load_signers
from sms.outcome import ProblemCode
from sms.retry import Ladder
from store.engine.database import Database
from store.engine.keys import Keys
from store.outbox import NoticeEnd, TakenNotice
from templates.confined import ConfinedTemplates
from templates.render import Renderer
from tls.contexts import ClientCertificate, ClientContexts, ClientRole
from tls.mtasts import MemoryStsCache, StsCache, StsFetcher, StsLookup
from tls.mx import AddressGuard
from tls.policy import PolicyEntry, PolicyTable, TlsPolicy
from tls.resolver import Resolver
from tls.stsfetch import HttpsStsFetcher

PRIVATE = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
_THRESHOLD_QUIET = timedelta(hours=6)


def identity_of(config: Config) -> MailIdentity:
    """Return who writes status mails."""
    address = config.mail_from
    return MailIdentity(
        from_name=config.mail.from_name,
        from_address=address,
        hostname=config.server.hostname,
        message_id_domain=address.rpartition("@")[2],
    )


def lines_in_file(config: Config) -> tuple[PolicyEntry, ...]:
    """Return the operator's TLS lines."""
    return tuple(PolicyEntry(policy=rule.policy, domain=rule.domain) for rule in config.mail.tls_policies)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTransport:
    """What mail goes out by."""

    settings: DeliverySettings
    resolver: Resolver
    contexts: ClientContexts
    guard: AddressGuard
    fetcher: StsFetcher
    routes: RouteTable


def build_transport(config: Config) -> MailTransport:
    """Return the way out that the operator's file describes."""
    mail = config.mail
    resolver = build_resolver(config)
    contexts = ClientContexts()
    guard = AddressGuard(allowed=PRIVATE if mail.private_hosts else ())
    policy_host = ClientRole(verify=True, check_hostname=True)
    return MailTransport(
        settings=DeliverySettings(
            helo=mail.helo or config.server.hostname,
            port=mail.port,
            source_address=mail.source_address or "",
            patience=ClientTimeouts(
                connect=mail.connect_timeout.total_seconds(), command=mail.command_timeout.total_seconds()
            ),
        ),
        resolver=resolver,
        contexts=contexts,
        guard=guard,
        fetcher=HttpsStsFetcher(resolver, lambda: contexts.get(policy_host), guard=guard),
        routes=RouteTable(_route(route) for route in mail.routes),
    )


def build_resolver(config: Config) -> Resolver:
    """Return the resolver that the operator's file names."""
    from tls.nameservers import DnsResolver  # noqa: PLC0415  (dnspython: 100 ms, and only who delivers asks)

    return DnsResolver(config.mail.resolvers, validating=config.mail.resolvers_validate)


def build_deliverer(
    ways: MailTransport,
    policies: Callable[[], PolicyTable],
    clock: Clock,
    *,
    cache: StsCache | None = None,
    alarm: TlsAlarmTaker | None = None,
) -> Deliverer:
    """Return what delivers by these ways under these policies; MTA-STS policies are kept in `cache`."""
    return Deliverer(
        ways.settings,
        resolver=ways.resolver,
        policies=policies,
        routes=ways.routes,
        contexts=ways.contexts,
        guard=ways.guard,
        sts=StsLookup(ways.resolver, ways.fetcher, cache or MemoryStsCache(), now=clock.now),
        on_tls_failure=alarm,
    )


class MailOut:
    """Everything that mail out consists of, started and stopped together.

    `teller` tells notices, `postmaster` keeps and forwards the mail that is for the operator,
    `large_reports` makes what is told of many recipients.
    """

    def __init__(  # noqa: PLR0913 - what the process is made of
        self,
        config: Config,
        database: Database,
        keys: Keys,
        clock: Clock,
        *,
        owner: str,
        notices_written: Callable[[], None],
    ) -> None:
        self.rules = MailRules(
            database, lines_in_file(config), config.server.data_dir / "authorities", damaged=self._tell_damaged
        )
        self._confined = ConfinedTemplates()
        self._delivery: FolderDelivery | Deliverer
        if config.mail.sandbox is not None:
            self._delivery = FolderDelivery(config.mail.sandbox)
        else:
            self._delivery = build_deliverer(
                build_transport(config),
                self.rules.policies,
                clock,
                cache=StoredStsCache(database),
                alarm=self._tell_tls_failure,
            )
        self.large_reports = LargeReports()
        self.teller = MailNotifier(
            large=self.large_reports,
            identity=identity_of(config),
            renderer=Renderer(confinement=self._confined),
            signers=load_signers(config),
            delivery=self._delivery,
            clock=clock,
            rules=self.rules,
            alarm=self.raise_alert,
            admin_address=config.mail.admin_address or "",
            postmaster=config.postmaster,
        )
        self._alarms = Alerts(
            database=database,
            keys=keys,
            sender=self.teller if config.mail.admin_address else None,
            next_attempt=schedule_by(mail_ladder(config)),
            clock=clock,
        )
        self.postmaster = Postmaster(
            database=database,
            keys=keys,
            sender=self.teller if config.postmaster else None,
            next_attempt=schedule_by(mail_ladder(config)),
            clock=clock,
            owner=owner,
        )
        self._delays = Delays(
            database=database,
            keys=keys,
            after=config.mail.delay_after,
            clock=clock,
            notices_written=notices_written,
        )

    async def start(self) -> None:
        """Read the rules; begin to look for delays and to tell alarms."""
        await self.rules.refresh()
        self.rules.start()
        self._alarms.start()
        self.postmaster.start()
        self._delays.start()

    async def stop(self) -> None:
        """End everything; whoever sends notices has ended before."""
        await self._delays.stop()
        await self._alarms.stop()
        await self.postmaster.stop()
        await self.rules.stop()
        self.teller.close()
        self.large_reports.close()
        self._confined.close()
        if isinstance(self._delivery, Deliverer):
            await self._delivery.close()

    def given_up(self, taken: TakenNotice, end: NoticeEnd) -> None:
        """Tell the administrator of a status mail that nobody got: it had a null sender."""
        domain = taken.recipient.rpartition("@")[2]
        self.raise_alert(
            Alert(
                topic=f"given-up:{domain}",
                subject=f"A status mail to {domain} was given up",
                text=f"The status mail {taken.public_id} to {taken.recipient} was given up after {taken.attempt} "
                f"attempts.\n\n{end.problem}\nReason: {end.reason}. Policy: {end.policy or 'none'}. "
                f"Host: {end.host or 'none'}.\n"
                + (f"«mail2sms tls check {domain}» shows why.\n" if end.reason == ProblemCode.TLS_POLICY else ""),
            )
        )

    def raise_alert(self, raised: Alert) -> None:
        """Tell the administrator."""
        self._alarms.raise_alert(raised)

    def tell_trouble(self, trouble: Trouble) -> None:
        """Tell the administrator of a part of the gateway that has failed for long, or that works again.

        Where one cause stops many parts, as a database that is gone does, one mail says it for all.
        """
        state = "works again" if trouble.over else "fails"
        since = f"{trouble.seconds:.0f} seconds"
        text = f"It had failed for {since}." if trouble.over else f"It has failed for {since} and is tried again."
        self.raise_alert(
            Alert(
                topic=f"worker-{'over' if trouble.over else 'fails'}:{trouble.kind}",
                subject=f"The worker «{trouble.worker}» {state}",
                text=f"{text}\n\nCause: {trouble.cause}\n\nThe log has each failure as event=step_failed.\n",
            )
        )

    def _tell_tls_failure(self, failed: TlsAlarm) -> None:
        first = failed.failures == 1
        whose = f" of the customer «{failed.customer}»" if failed.customer else ""
        count = "for the first time" if first else f"for the {failed.failures}th time in a row"
        self.raise_alert(
            Alert(
                topic=f"tls-{'first' if first else 'repeated'}:{failed.domain}:{failed.customer}",
                subject=f"Mail for {failed.domain} waits: its TLS is not as demanded",
                text=f"A status mail{whose} to {failed.domain} waits {count}: no mail server of the domain offers the "
                f"TLS that is demanded.\n\nPolicy: {failed.policy}\nCause: {failed.cause}\n\n"
                f"The mail is tried again and never sent with less. «mail2sms tls check {failed.domain}» shows the "
                "whole walk.\n",
                quiet=timedelta(hours=1) if first else _THRESHOLD_QUIET,
            )
        )

    def _tell_damaged(self, cause: str) -> None:
        self.raise_alert(
            Alert(
                topic="rules-unreadable",
                subject="All status mails wait: the TLS rules can't be read",
                text=f"{cause}\n\nNo status mail goes out until they can be read again.\n",
            )
        )


def _route(options: MailRoute) -> Route:
    login = None
    if options.user and options.password_file is not None:
        login = RelayLogin(user=options.user, password_file=options.password_file)
    certificate = None
    if options.certificate_file is not None and options.key_file is not None:
        certificate = ClientCertificate(certificate_file=options.certificate_file, key_file=options.key_file)
    return Route(
        domain=options.domain,
        host=options.host,
        port=options.port,
        tls=TlsPolicy(level=options.tls) if options.tls is not None else None,
        implicit_tls=options.implicit_tls,
        login=login,
        certificate=certificate,
        source_address=options.source_address or "",
    )


def mail_ladder(config: Config) -> Ladder:
    """Return the operator's waits for mail out (RFC 5321 §4.5.4.1)."""
    return Ladder(waits=config.mail.retry_after, least=0.9, most=1.1, expire_after=config.mail.expire_after)


def schedule_by(ladder: Ladder) -> NextAttempt:
    """Return what says when the next attempt is due."""
    return lambda attempt, began_at, now: ladder.next_at(attempt, began_at, now, random())  # noqa: S311 - spreads retries
