"""What applications may call by HTTP: the interfaces of the service `api`, put together.

Not here: where HTTP is served (process.http), the interfaces themselves (web).
"""

from functools import partial

from gateway.admin.office import AdminOffice
from gateway.application_cancel import ApplicationCancelling
from gateway.application_inbound import ApplicationInbound
from gateway.application_status import ApplicationStatus
from gateway.explaining import Explaining
from process.accept_path import AcceptPath
from process.allowances import networks_of
from process.doors import Doors
from process.push import try_push
from web.api_v2.calls import Resource
from web.api_v2.cancels import Cancels
from web.api_v2.inbound import InboundCalls
from web.api_v2.jobs import Jobs
from web.api_v2.pushes import PushViews
from web.api_v2.routes import RestV2
from web.api_v2.stops import Stops
from web.api_v2.users import Users
from web.api_v2.webhooks import Webhooks
from web.basic import BasicLogins
from web.directory_files import DirectoryFilePages
from web.rest_v1.routes import RestV1
from web.server import Routes
from web.simple import SimpleHttp
from web.soap.routes import SoapV4


def api_routes(core: AcceptPath, doors: Doors) -> Routes:
    """Return the routes of all interfaces."""
    logins, applications = BasicLogins(doors.authenticator, doors.caller_limits.turns), doors.applications
    status, clock = ApplicationStatus(core.database), core.clock
    return [
        *RestV1(logins=logins, applications=applications, status=status, clock=clock).routes(),
        *RestV2(
            logins=logins,
            keys=doors.api_keys,
            applications=applications,
            limits=doors.caller_limits,
            resources=_resources(core, doors, status),
        ).routes(),
        *SoapV4(logins=logins, applications=applications, status=status, clock=clock).routes(),
        *SimpleHttp(logins=logins, applications=applications, status=status).routes(),
        *DirectoryFilePages(logins, doors.api_keys, doors.directory_files, core.book).routes(),
    ]


def _resources(core: AcceptPath, doors: Doors, status: ApplicationStatus) -> list[Resource]:
    """Return what answers the calls of REST version 2."""
    database, clock, applications = core.database, core.clock, doors.applications
    explaining = Explaining(applications=applications, book=core.book, database=database, clock=clock)
    cancelling = ApplicationCancelling(database=database, keys=core.keys, clock=clock, offering=core.cancelling)
    office = AdminOffice(database=database, keys=core.keys, book=core.book, clock=clock)
    return [
        Jobs(applications=applications, explaining=explaining, status=status),
        Cancels(cancelling),
        InboundCalls(ApplicationInbound(database)),
        Stops(office),
        Users(office),
        Webhooks(office, networks_of(core.config.push), partial(try_push, core.config, database)),
        PushViews(office),
    ]
