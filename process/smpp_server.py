"""The SMPP server as working parts: its doors, what ESMEs may do, and what brings their receipts.

Not here: the server itself (smpp.server).
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from addressbook.senders import Principal
from config.model import Config
from config.smpp_server import SmppServerOptions
from gateway.esme import AbsentEsmes, BoundEsme, SubmittedMessages
from gateway.listener import ConnectionLimits
from gateway.outbox import ChannelRules
from process.accept_path import AcceptPath
from process.contexts import ListenerContexts
from process.doors import Doors
from process.routes import offers_cancelling
from process.services import Service, service_of
from smpp.server.connection import EsmeLimits, EsmeService
from smpp.server.courier import Courier
from smpp.server.earlier import EarlierRequests
from smpp.server.server import EsmeDoor
from smpp.session.limits import SessionLimits
from sms.message import Origin
from sms.outcome import Refused
from sms.retry import Ladder
from store.esme import KEPT

ESME_LADDER = Ladder(waits=Ladder.of_seconds(2, 5, 15, 60, 300).waits, expire_after=KEPT)
"""When a receipt is sent again that an ESME refused or did not answer."""


def esme_rules(courier: Courier) -> ChannelRules:
    """Return how receipts and inbound SMS are brought to ESMEs: to those that are bound, each at its own speed."""
    return ChannelRules(sender=courier, ladder=ESME_LADDER, most=5000, each=500, reachable=courier.logins)


class SmppServer:
    """Everything of the SMPP server; `courier` brings receipts. Without a table of the file there are no doors."""

    def __init__(  # noqa: PLR0913, PLR0917 - every collaborator
        self,
        config: Config,
        core: AcceptPath,
        doors: Doors,
        courier: Courier,
        tls: ListenerContexts,
        written: Callable[[], None],
    ) -> None:
        """Raise ContextError for a certificate that can't be used."""
        self._absent = AbsentEsmes(core.database, core.clock)
        courier.arrived = written
        messages = SubmittedMessages(
            database=core.database,
            keys=core.keys,
            clock=core.clock,
            book=core.book,
            routes=core.routes,
            offering=frozenset(item.name for item in config.carriers if offers_cancelling(item)),
            written=written,
        )

        async def prove(login: str, password: str, client: str, *, tls: bool) -> Principal | Refused:
            proven = await doors.authenticator.prove(login, password, client)
            admitted = proven if isinstance(proven, Refused) else doors.applications.admit(proven, Origin.SMPP, tls=tls)
            return admitted if isinstance(admitted, Refused) else proven

        def holds(principal: Principal, *, tls: bool) -> bool:
            credential = core.book.current.directory.credential(principal.login)
            is_active = credential is not None and credential.active
            return is_active and not isinstance(doors.applications.admit(principal, Origin.SMPP, tls=tls), Refused)

        self._services: list[EsmeService] = []
        self._doors: list[tuple[SmppServerOptions, EsmeDoor]] = []
        for options in config.smpp_servers:
            service = EsmeService(
                prove=partial(prove, tls=options.tls),
                holds=partial(holds, tls=options.tls),
                applications=doors.applications,
                earlier=EarlierRequests(messages, core.clock, options.default_alphabet),
                courier=courier,
                clock=core.clock,
                alphabet=options.default_alphabet,
                limits=_limits(options),
                metrics=core.metrics,
                door=options.name,
            )
            self._services.append(service)
            self._doors.append((options, _door(options, service, tls)))

    def bound(self) -> Sequence[BoundEsme]:
        """Return what is bound now, the longest first."""
        connections = (one for service in self._services for group in service.binds.values() for one in group)
        return sorted(filter(None, (one.bound for one in connections)), key=lambda bind: bind.bound_at)

    @property
    def services(self) -> Sequence[Service]:
        """What runs: the doors, and what drops receipts that nobody fetches."""
        if not self._doors:
            return ()
        doors = (
            Service(name=f"smpp {options.name}", start=_starter(options, door), stop=door.stop)
            for options, door in self._doors
        )
        return (service_of("absent-esmes", self._absent.worker), *doors)


def _starter(options: SmppServerOptions, door: EsmeDoor) -> Callable[[], Awaitable[None]]:
    async def start() -> None:
        try:
            await door.start()
        except OSError as error:
            cause = os.strerror(error.errno) if error.errno else str(error)
            raise OSError(f"[[smpp_server]] {options.name} can't listen at {options.address}: {cause}") from error

    return start


def _door(options: SmppServerOptions, service: EsmeService, tls: ListenerContexts) -> EsmeDoor:
    contexts = tls.make(options.asked_tls)
    return EsmeDoor(
        service,
        host=options.address.host,
        port=options.address.port,
        connections=ConnectionLimits(total=options.max_connections, per_address=options.max_connections_per_client),
        contexts=contexts.current if contexts is not None else None,
        proxies=options.proxy_from,
    )


def _limits(options: SmppServerOptions) -> EsmeLimits:
    return EsmeLimits(
        binds=options.binds_per_login,
        rate=options.sms_per_second,
        session=SessionLimits(
            window=options.window,
            inbound_window=1000,
            response_seconds=options.answer_timeout.total_seconds(),
            enquire_link_seconds=options.enquire_link.total_seconds(),
            init_seconds=options.bind_timeout.total_seconds(),
        ),
    )
