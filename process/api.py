"""What applications may call by HTTP: the interfaces of the service `api`, put together.

Not here: where HTTP is served (process.http), the interfaces themselves (web).
"""

from gateway.application_status import ApplicationStatus
from gateway.directory_files import DirectoryFiles
from process.accept_path import AcceptPath
from process.doors import Doors
from web.basic import BasicLogins
from web.directory_files import DirectoryFilePages
from web.rest_v1.routes import RestV1
from web.server import Routes


def api_routes(core: AcceptPath, doors: Doors) -> Routes:
    """Return the routes of all interfaces."""
    rest_v1 = RestV1(
        logins=BasicLogins(doors.authenticator),
        applications=doors.applications,
        status=ApplicationStatus(core.database),
        clock=core.clock,
    )
    files = DirectoryFiles(database=core.database, book=core.book, clock=core.clock, disk=doors.disk)
    return [*rest_v1.routes(), *DirectoryFilePages(doors.api_keys, files).routes()]
