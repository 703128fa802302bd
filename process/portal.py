"""The portal put together. Not here: where HTTP is served (process.http), the pages (web.portal)."""

from config.model import Config
from gateway.portal.desk import Desk
from gateway.portal.sessions import Sessions
from gateway.portal.sign_in import SignIn
from process.accept_path import AcceptPath
from process.doors import Doors
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
        address=config.portal_address,
    )
