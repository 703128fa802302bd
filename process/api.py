"""What applications may call by HTTP: the interfaces of the service `api`, put together.

Not here: where HTTP is served (process.http), the interfaces themselves (web).
"""

from gateway.accept import Acceptance
from process.accept_path import AcceptPath
from web.server import Routes


def api_routes(core: AcceptPath, acceptance: Acceptance) -> Routes:  # noqa: ARG001 - what interfaces need
    """Return the routes of all interfaces."""
    return []
