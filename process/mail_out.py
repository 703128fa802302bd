"""The operator's mail options as working parts: who writes, who signs, how mail goes out, and who hears of trouble."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from config.mail import MailRoute
from config.model import Config
from gateway import alert_texts
from gateway.alerts import Alerts
from gateway.directory_mails import DirectoryMails
from gateway.inbound_mail import InboundMailReaders
from gateway.mail_rules import MailRules, StoredStsCache
from gateway.phone_names import PhoneNames
from gateway.ports import Clock
from gateway.postmaster import Postmaster
from gateway.report_pool import LargeReports
from gateway.tls_reports import TlsReports
from mta.sending.attempts import Deliverer
from mta.sending.compose import MailIdentity
from mta.sending.deliver import deliverer_of
from mta.sending.mail_notifier import FolderDelivery, MailNotifier
from mta.sending.outgoing import ClientTimeouts, DeliverySettings, TlsFailureTaker
from mta.sending.routes import RelayLogin, Route, RouteTable
from process.accept_path import AcceptPath
from process.services import Service
from process.signers import load_signers
from sms.retry import Ladder
from store.outbox import Outbox
from templates.confined import ConfinedTemplates
from templates.render import Renderer
from tls.contexts import ClientCertificate, ClientContexts, ClientRole
from tls.mtasts import MemoryStsCache, StsCache, StsFetcher, StsLookup
from tls.mx import AddressGuard
from tls.policy import PolicyEntry, PolicyTable, TlsPolicy
from tls.report import parse_destinations
from tls.resolver import Lookup, Resolver
from tls.stsfetch import HttpsStsFetcher

PRIVATE = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")


def identity_of(config: Config) -> MailIdentity:
    """Return who writes status mails."""
    address = config.mail_from
    return MailIdentity(
        from_name=config.mail.from_name,
        from_address=address,
        hostname=config.server.hostname,
        message_id_domain=address.rpartition("@")[2],
        number_domain=config.number_domain,
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
            counts_sessions=tells_of_tls(config),
        ),
        resolver=resolver,
        contexts=contexts,
        guard=guard,
        fetcher=HttpsStsFetcher(resolver, lambda: contexts.get(policy_host), guard=guard),
        routes=RouteTable(_route(route) for route in mail.routes),
    )


def tells_of_tls(config: Config) -> bool:
    """Return whether TLS reports go out: wanted, and signed (RFC 8460 §3)."""
    return config.mail.tls_reports and bool(config.mail.dkim_keys) and config.mail.sandbox is None


def reported_domains(config: Config) -> frozenset[str]:
    """Return the domains about which others may report: ours, and the name of our mail server."""
    return frozenset({*config.server.domains, config.server.hostname.lower()})


def build_tls_reports(config: Config, core: AcceptPath, written: Callable[[], None]) -> TlsReports | None:
    """Return what reports to other domains how TLS with their servers went, None where nobody is told."""
    if not tells_of_tls(config):
        return None
    resolver = build_resolver(config)

    async def destinations_of(domain: str) -> tuple[str, ...] | None:
        answer = await resolver.txt(f"_smtp._tls.{domain}")
        return None if answer.lookup is Lookup.FAILED else parse_destinations(answer.values)

    return TlsReports(
        database=core.database,
        keys=core.keys,
        destinations_of=destinations_of,
        sender=identity_of(config).message_id_domain,
        contact=f"postmaster@{config.server.domains[0]}",
        clock=core.clock,
        written=written,
    )


def build_resolver(config: Config) -> Resolver:
    """Return the resolver that the operator's file names."""
    from tls.nameservers import DnsResolver  # noqa: PLC0415  (dnspython: 100 ms, and only who delivers asks)

    return DnsResolver(
        [(each.host, each.port) for each in config.mail.resolvers], validating=config.mail.resolvers_validate
    )


def build_deliverer(
    ways: MailTransport,
    policies: Callable[[], PolicyTable],
    clock: Clock,
    *,
    cache: StsCache | None = None,
    alert: TlsFailureTaker | None = None,
) -> Deliverer:
    """Return what delivers by these ways under these policies; MTA-STS policies are kept in `cache`."""
    return deliverer_of(
        ways.settings,
        resolver=ways.resolver,
        policies=policies,
        routes=ways.routes,
        contexts=ways.contexts,
        guard=ways.guard,
        sts=StsLookup(ways.resolver, ways.fetcher, cache or MemoryStsCache(), now=clock.now),
        on_tls_failure=alert,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MailOut:
    """What mail out consists of. `service` reads the rules and follows them, and ends what was lent to the others."""

    notifier: MailNotifier
    alerts: Alerts
    postmaster: Postmaster
    large_reports: LargeReports
    service: Service


def build_mail_out(config: Config, core: AcceptPath, outbox: Outbox, *, written: Callable[[], None]) -> MailOut:
    """Return mail out as the operator's file describes it; `written` is called for each row of the outbox.

    Raises UnusableKeyError for a key that can't sign.
    """
    database, clock = core.database, core.clock
    alerts = Alerts(
        database=database, outbox=outbox, address=config.mail.admin_address or "", clock=clock, written=written
    )
    alert = alerts.raise_alert
    rules = MailRules(
        database,
        lines_in_file(config),
        config.server.data_dir / "authorities",
        damaged=lambda cause: alert(alert_texts.rules_unreadable(cause)),
    )
    delivery: FolderDelivery | Deliverer
    if config.mail.sandbox is not None:
        delivery = FolderDelivery(config.mail.sandbox)
    else:
        delivery = build_deliverer(
            build_transport(config),
            rules.policies,
            clock,
            cache=StoredStsCache(database),
            alert=lambda failed: alert(alert_texts.tls_failing(failed)),
        )
    confined = ConfinedTemplates()
    names = PhoneNames(core.book, database)
    readers = InboundMailReaders(
        book=core.book, names=names, conversations=core.conversations, domain=config.number_domain
    )
    large_reports = LargeReports()
    notifier = MailNotifier(
        large=large_reports,
        identity=identity_of(config),
        renderer=Renderer(confinement=confined),
        signers=load_signers(config),
        delivery=delivery,
        clock=clock,
        rules=rules,
        alert=alert,
        readers=readers,
        names=names,
        directories=DirectoryMails(book=core.book, database=database, config_file=str(config.file)),
    )

    async def start() -> None:
        await rules.refresh()
        rules.worker.start()

    async def stop(_grace: float) -> None:
        async with AsyncExitStack() as closing:  # whatever happens to one, the others are closed
            closing.push_async_callback(delivery.close)
            for lent in (confined, large_reports, notifier):
                closing.callback(lent.close)
            await rules.worker.stop()
            await alerts.stop()

    return MailOut(
        notifier=notifier,
        alerts=alerts,
        postmaster=Postmaster(
            database=database, outbox=outbox, address=config.postmaster, clock=clock, written=written
        ),
        large_reports=large_reports,
        service=Service(name="mail-out", start=start, stop=stop),
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
