"""The portal put together. Not here: where HTTP is served (process.http), the pages (web.portal)."""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from addressbook.exchange import UserFile
from addressbook.source_options import read_options
from addressbook.sources import CustomerDirectory, SourceKind
from config.http import HttpService
from config.model import Config
from config.smpp_server import SmppServerOptions
from dirsync.files import read_users
from gateway.admin.binds import EsmeDoorFacts
from gateway.admin.inbound import simulate
from gateway.admin.push_actions import check_push, check_push_url
from gateway.directory_mails import DirectoryTelling
from gateway.directory_sync import DirectorySync
from gateway.esme import BoundEsme
from gateway.portal.desk import Desk
from gateway.portal.issuers import IssuerSignIn
from gateway.portal.operation import OperatorDesk
from gateway.portal.sessions import PortalSessions
from gateway.portal.sign_in import SignIn
from gateway.portal.studio import Studio
from gateway.worker import Worker
from process.accept_path import AcceptPath
from process.allowances import networks_of
from process.doors import Doors
from process.push import try_push
from process.rerouting import rerouting_of
from process.services import Service, service_of
from process.support import desk_of, registrar_of
from process.surroundings import look_around
from templates.portal_pages import PortalPages
from web.portal.gate import Gate
from web.portal.pages import OPEN_PAGES, PAGES

Bound = Callable[[], Sequence[BoundEsme]]
_DAY = 86_400.0
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - an address that nobody can connect to


def portal_gate(config: Config, core: AcceptPath, doors: Doors, bound: Bound) -> Gate:
    """Return the portal, which has its routes."""
    return Gate(PAGES, OPEN_PAGES, desk=portal_desk(config, core, doors, bound), look=PortalPages())


def portal_services(config: Config, gate: Gate) -> Sequence[Service]:
    """Return what makes the pages ready that a listener serves, in the background, before anybody asks for one."""
    if not any(HttpService.PORTAL in item.serves for item in config.http_listeners):
        return ()
    worker = Worker("portal-pages", gate.preparation.step, look_every=_DAY, rest=1.0)
    return (service_of("portal-pages", worker),)


def portal_desk(config: Config, core: AcceptPath, doors: Doors, bound: Bound = lambda: ()) -> Desk:
    """Return what all pages share; `bound` tells which ESMEs are bound at this process."""
    sessions = PortalSessions(database=core.database, keys=core.keys, clock=core.clock)
    telling = DirectoryTelling(core.keys, config.mail.admin_address or "")
    return Desk(
        database=core.database,
        keys=core.keys,
        book=core.book,
        clock=core.clock,
        applications=doors.applications,
        sign_in=SignIn(
            database=core.database,
            keys=core.keys,
            clock=core.clock,
            authenticator=doors.authenticator,
            sessions=sessions,
            address=config.portal_address,
        ),
        issuers=IssuerSignIn(
            database=core.database,
            keys=core.keys,
            clock=core.clock,
            directory=lambda: core.book.current.directory,
            authenticator=doors.authenticator,
            sessions=sessions,
            issuers=doors.issuers,
            fetcher=doors.issuer_fetcher,
            address=config.portal_address,
        ),
        studio=Studio(database=core.database, keys=core.keys, clock=core.clock),
        address=config.portal_address,
        data_dir=config.server.data_dir,
        directories=DirectorySync(core.database, core.keys, core.clock.now, tell=telling.tell),
        read_users=_read_users,
        simulate=_simulation(config, core),
        check_push=partial(check_push, networks_of=networks_of(config.push)),
        esme_doors=[_facts_of(options, config.server.hostname) for options in config.smpp_servers],
        bound=bound,
        check_push_url=partial(check_push_url, networks_of=networks_of(config.push)),
        push_now=partial(try_push, config, core.database),
        operation=OperatorDesk(
            look_around=lambda: look_around(config, str(os.getpid())),
            alerts=config.alerts,
            rerouting=partial(rerouting_of, core),
            routes=lambda: core.routes.known,
            hours={carrier.name: carrier.hours for carrier in config.carriers if carrier.hours is not None},
        ),
        support=desk_of(config),
        registrar=registrar_of(config, core.book.judge),
    )


def _simulation(config: Config, core: AcceptPath) -> Callable[[str, str, str], Mapping[str, object]]:
    """Return what says what would follow from an SMS, as `inbound simulate` does."""
    carriers = [carrier.name for carrier in config.carriers]

    def run(source: str, destination: str, text: str) -> Mapping[str, object]:
        return simulate(
            core.database,
            core.book.current,
            core.book.rules,
            core.routes,
            source=source,
            destination=destination,
            text=text,
            carriers=carriers,
            now=core.clock.now(),
        )

    return run


def _facts_of(options: SmppServerOptions, hostname: str) -> EsmeDoorFacts:
    host, port = options.address.host, options.address.port
    return EsmeDoorFacts(
        name=options.name,
        host=hostname if host in _ANY_ADDRESS else host,
        port=port,
        tls=options.tls,
        alphabet=options.default_alphabet.value,
        binds=options.binds_per_login,
        rate=options.sms_per_second,
    )


def _read_users(content: bytes, name: str, now: datetime, country: str) -> UserFile:
    """Read a file that somebody uploads as `people import` does without options."""
    folder = read_options(SourceKind.FOLDER, {"folder": "/"})
    assert isinstance(folder, CustomerDirectory)
    return read_users(content, folder, name, f"{name} {now:%Y-%m-%d %H:%M} UTC", now=now, country=country)
