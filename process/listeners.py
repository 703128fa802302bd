"""The operator's listeners as working doors: their TLS, limits, logins and the handler behind them."""

import asyncio
from dataclasses import dataclass

import structlog

from config.model import AuthMode, BareNewlines, Config, LimitOptions, ListenerOptions
from gateway.auth.authenticator import Authenticator
from gateway.auth.tokens import Tokens
from gateway.listener import ConnectionLimits, Listener
from mta.handler import MailHandler
from mta.identify import ListenerTerms, login_hook
from mta.intake_pool import IntakePool
from mta.mechanisms import SessionProofs
from mta.postmaster import PostmasterDoor
from mta.repeats import Repeats
from mta.smtp.engine.content import ContentLimits, ContentRoom
from mta.smtp.engine.events import DialogueLimits
from mta.smtp.server.quotas import ClientLimits, ContentRooms, CustomerLimits, CustomerQuotas, Quotas
from mta.smtp.server.server import ServerSettings, listen
from mta.verify.prover import Prover
from process.accept_path import AcceptPath
from process.contexts import ListenerContexts
from process.doors import Doors
from process.mail_out import build_resolver
from sms.message import Origin
from tls.server_contexts import ServerContexts

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Listener:
    options: ListenerOptions
    settings: ServerSettings
    contexts: ServerContexts | None
    handler: MailHandler
    quotas: Quotas


class Listeners:
    """All doors of the process."""

    def __init__(  # noqa: PLR0913, PLR0917 - every collaborator
        self,
        doors: tuple[_Listener, ...],
        authenticator: Authenticator,
        sessions: SessionProofs,
        reading: IntakePool,
        prover: Prover,
        room: ContentRoom,
    ) -> None:
        self._doors = doors
        self._room = room
        self._authenticator = authenticator
        self._sessions = sessions
        self._reading = reading
        self._prover = prover
        self._open: list[Listener] = []

    async def start(self) -> None:
        """Open every door, in the file's order. Raises OSError, naming the address, for one that can't be."""
        for door in self._doors:
            self._open.append(
                await listen(
                    door.handler,
                    door.settings,
                    host=door.options.address.host,
                    port=door.options.address.port,
                    contexts=door.contexts.current if door.contexts is not None else None,
                    authenticator=login_hook(self._authenticator, self._sessions)
                    if door.options.auth is not AuthMode.OFF
                    else None,
                    mechanisms=self._sessions.mechanisms,
                    room=self._room,
                    quotas=door.quotas,
                )
            )
        self._reading.warm()
        for listener in self._open:
            log.info("listening", addresses=[f"{host}:{port}" for host, port in listener.addresses])

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new, let mails under way finish up to the grace; end what proves senders and reads mails."""
        await asyncio.gather(*(listener.close(grace_seconds) for listener in self._open))
        self._reading.close()
        self._prover.close()


def _settings(options: ListenerOptions, hostname: str) -> ServerSettings:
    times = options.timeouts
    return ServerSettings(
        hostname=hostname,
        tls=options.tls,
        client_certificate=options.client_certificate,
        auth_required=options.auth is AuthMode.REQUIRE,
        auth_needs_tls=not options.auth_in_clear,
        bare_addresses=options.bare_addresses,
        proxies=options.proxy_from,
        limits=DialogueLimits(
            command=times.command.total_seconds(),
            block=times.data_block.total_seconds(),
            data=times.data.total_seconds(),
            session=times.session.total_seconds(),
            rate=float(options.min_data_rate),
            recipients=options.max_recipients,
            commands=options.max_commands,
            idle_commands=options.max_idle_commands,
            errors=options.max_errors,
            content=ContentLimits(
                size=options.max_size,
                line=options.max_line_length + 2,
                normalises=options.bare_newlines is BareNewlines.NORMALISE,
            ),
        ),
        connections=ConnectionLimits(
            total=options.max_connections,
            per_address=options.max_connections_per_client,
            per_minute=options.unproven.connections_per_minute,
            handshake_seconds=times.handshake.total_seconds(),
        ),
    )


def _client_limits(options: ListenerOptions) -> ClientLimits:
    return ClientLimits(
        recipients=options.unproven.max_recipients,
        recipients_per_minute=options.unproven.recipients_per_minute,
        mails_per_minute=options.unproven.mails_per_minute,
    )


def _customer_limits(options: LimitOptions) -> CustomerLimits:
    return CustomerLimits(
        connections=options.max_connections_per_customer,
        connections_per_minute=options.connections_per_minute,
        recipients_per_minute=options.recipients_per_minute,
    )


def build_listeners(
    config: Config, core: AcceptPath, doors: Doors, postmaster: PostmasterDoor, tls: ListenerContexts
) -> Listeners:
    """Return the operator's listeners, not yet open. Raises ContextError for a certificate that can't be used."""
    authenticator = doors.authenticator
    tokens = Tokens(directory=lambda: core.book.current.directory, keys=doors.issuers, clock=core.clock)
    sessions = SessionProofs(lambda: core.book.current.directory, core.clock, authenticator, tokens)
    room = ContentRoom(config.limits.content_memory)
    rooms = ContentRooms(room, largest=max(options.max_size for options in config.listeners))
    customers = CustomerQuotas(_customer_limits(config.limits), mails=doors.rate)
    reading = IntakePool(core.judge)
    prover = Prover(build_resolver(config), core.clock)
    repeats = Repeats(doors.acceptance)
    listeners = tuple(
        _Listener(
            options=options,
            settings=_settings(options, config.server.hostname),
            contexts=tls.make(options.asked_tls),
            quotas=Quotas(_client_limits(options), customers, rooms),
            handler=MailHandler(
                judge=core.judge,
                reading=reading,
                repeats=repeats,
                taking_back=core.taking_back,
                dropped=core.dropped,
                book=core.book,
                disk=doors.disk,
                postmaster=postmaster,
                sessions=sessions,
                terms=ListenerTerms(
                    name=options.name,
                    takes_logins=options.auth is not AuthMode.OFF,
                    by_login_only=options.auth is AuthMode.REQUIRE,
                    service=Origin(options.service) if options.service is not None else None,
                ),
                prover=prover if options.domain_proof else None,
                metrics=core.metrics,
            ),
        )
        for options in config.listeners
    )
    return Listeners(listeners, authenticator, sessions, reading, prover, room)
