"""The portal put together. Not here: where HTTP is served (process.http), the pages (web.portal)."""

from datetime import datetime

from addressbook.exchange import UserFile
from addressbook.source_options import read_options
from addressbook.sources import CustomerDirectory, SourceKind
from config.model import Config
from dirsync.files import read_users
from gateway.directory_mails import DirectoryTelling
from gateway.directory_sync import DirectorySync
from gateway.portal.desk import Desk
from gateway.portal.operation import Operation
from gateway.portal.sessions import Sessions
from gateway.portal.sign_in import SignIn
from gateway.portal.studio import Studio
from process.accept_path import AcceptPath
from process.doors import Doors
from process.support import desk_of
from process.surroundings import look_around
from templates.portal_pages import PortalPages
from web.portal.gate import Gate
from web.portal.pages import OPEN_PAGES, PAGES
from web.server import Routes


def portal_routes(config: Config, core: AcceptPath, doors: Doors) -> Routes:
    """Return the routes of the portal."""
    return Gate(PAGES, OPEN_PAGES, desk=portal_desk(config, core, doors), look=PortalPages()).routes()


def portal_desk(config: Config, core: AcceptPath, doors: Doors) -> Desk:
    """Return what all pages share."""
    sessions = Sessions(database=core.database, keys=core.keys, clock=core.clock)
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
        studio=Studio(database=core.database, keys=core.keys, clock=core.clock),
        address=config.portal_address,
        directories=DirectorySync(core.database, core.keys, core.clock.now, tell=telling.tell),
        read_users=_read_users,
        operation=Operation(
            look_around=lambda: look_around(config, "this process"),
            alerts=config.alerts,
            hours={carrier.name: carrier.hours for carrier in config.carriers if carrier.hours is not None},
        ),
        support=desk_of(config),
    )


def _read_users(content: bytes, name: str, now: datetime, country: str) -> UserFile:
    """Read a file that somebody uploads as `people import` does without options."""
    folder = read_options(SourceKind.FOLDER, {"folder": "/"})
    assert isinstance(folder, CustomerDirectory)
    return read_users(content, folder, name, f"{name} {now:%Y-%m-%d %H:%M} UTC", now=now, country=country)
