"""What applications may call by HTTP: the interfaces of the service `api`, put together.

Not here: where HTTP is served (process.http), the interfaces themselves (web).
"""

from process.accept_path import AcceptPath
from process.doors import Doors
from web.server import Routes


def api_routes(core: AcceptPath, doors: Doors) -> Routes:  # noqa: ARG001 - what interfaces need
    """Return the routes of all interfaces."""
    return []
