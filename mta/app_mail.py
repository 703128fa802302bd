"""The operator's mail options as working parts: who writes, who signs, and how mail goes out."""

from datetime import datetime
from random import random

from gateway.notify import NextAttempt
from gateway.ports import Clock
from mta.compose import MailIdentity
from mta.config import Config
from mta.config_mail import MailRoute
from mta.deliver import Deliverer
from mta.outgoing import DeliverySettings, Patience
from mta.routes import Login, Route, RouteTable
from mta.schedule import next_attempt
from mta.sign import Signer
from mta.tell import Delivery, FolderDelivery, MailTeller
from templates.render import Renderer
from tls.contexts import ClientCertificate, ClientContexts, ClientRole
from tls.mtasts import MemoryStsCache, StsLookup
from tls.mx import AddressGuard
from tls.policy import PolicyEntry, PolicyTable, TlsPolicy
from tls.resolver import DnsResolver
from tls.stsfetch import HttpsStsFetcher


def identity_of(config: Config) -> MailIdentity:
    """Return who writes status mails."""
    address = config.mail_from
    return MailIdentity(
        from_name=config.mail.from_name,
        from_address=address,
        hostname=config.server.hostname,
        message_id_domain=address.rpartition("@")[2],
    )


def build_teller(config: Config, delivery: Delivery, clock: Clock) -> MailTeller:
    """Return what tells notices by mail. Raises ValueError for a DKIM key that can't sign."""
    signers = {key.domain: _signer(key) for key in config.mail.dkim_keys}
    return MailTeller(
        identity=identity_of(config), renderer=Renderer(), signers=signers, delivery=delivery, clock=clock
    )


def _signer(key: DkimKey) -> Signer:
    try:
        return Signer(key.domain, key.selector, key.key_file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{key.key_file}: {error}") from error


def build_delivery(config: Config, clock: Clock) -> FolderDelivery | Deliverer:
    """Return the way out: the sandbox's folder, or SMTP by route and MX."""
    mail = config.mail
    if mail.sandbox is not None:
        return FolderDelivery(mail.sandbox)
    resolver = DnsResolver(mail.resolvers, validating=bool(mail.resolvers))
    settings = DeliverySettings(
        helo=mail.helo or config.server.hostname,
        port=mail.port,
        source_address=mail.source_address or "",
        patience=Patience(connect=mail.connect_timeout.total_seconds(), command=mail.command_timeout.total_seconds()),
    )
    table = PolicyTable(tuple(PolicyEntry(policy=rule.policy, domain=rule.domain) for rule in mail.tls_policies))
    contexts = ClientContexts()
    private = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
    guard = AddressGuard(allowed=private if mail.private_hosts else ())
    policy_host = ClientRole(verify=True, check_hostname=True)
    fetcher = HttpsStsFetcher(resolver, lambda: contexts.get(policy_host), guard=guard)
    return Deliverer(
        settings,
        resolver=resolver,
        policies=lambda: table,
        routes=RouteTable(_route(route) for route in mail.routes),
        contexts=contexts,
        guard=guard,
        sts=StsLookup(resolver, fetcher, MemoryStsCache(), now=clock.now),
    )


def _route(options: MailRoute) -> Route:
    login = None
    if options.user and options.password_file is not None:
        login = Login(user=options.user, password_file=options.password_file)
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


def build_schedule(config: Config) -> NextAttempt:
    """Return the operator's retry ladder for mail out."""

    def following(attempt: int, created_at: datetime, now: datetime) -> datetime | None:
        return next_attempt(
            attempt,
            created_at,
            now,
            random(),  # noqa: S311 - spreads retries, hides nothing
            waits=config.mail.retry_after,
            expire_after=config.mail.expire_after,
        )

    return following
