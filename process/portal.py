"""The portal put together. Not here: where HTTP is served (process.http), the pages (web.portal)."""

from config.model import Config
from gateway.portal.desk import Desk
from gateway.portal.sessions import Sessions
from gateway.portal.sign_in import SignIn
from process.accept_path import AcceptPath
from process.doors import Doors
from templates.portal_pages import PortalPages
from web.portal.gate import Gate
from web.portal.pages import PAGES
from web.portal.sign_in import SignInPages
from web.server import Routes


def portal_routes(config: Config, core: AcceptPath, doors: Doors) -> Routes:
    """Return the routes of the portal."""
    desk = Desk(
        database=core.database,
        keys=core.keys,
        book=core.book,
        clock=core.clock,
        applications=doors.applications,
        address=config.portal_address,
    )
    sessions = Sessions(database=core.database, keys=core.keys, clock=core.clock)
    sign_in = SignIn(database=core.database, authenticator=doors.authenticator, sessions=sessions)
    signing = SignInPages(sign_in, sessions)
    return Gate(
        [*signing.pages(), *PAGES],
        signing.open_pages(),
        desk=desk,
        sessions=sessions,
        look=PortalPages(),
    ).routes()
