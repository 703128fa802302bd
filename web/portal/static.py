"""The portal's style sheet, script and icon; their paths change with their content, so that they are kept for long."""

import hashlib
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

_TYPES: Final = MappingProxyType(
    {"portal.css": "text/css", "htmx.min.js": "text/javascript", "icon.svg": "image/svg+xml"}
)
_FOREVER: Final = "public, max-age=31536000, immutable"


@cache
def href(name: str) -> str:
    """Return the path of a file, such as `portal.css`."""
    return f"/portal/static/{hashlib.sha256(_read(name)).hexdigest()[:12]}/{name}"


def static_routes() -> list[BaseRoute]:
    """Return the route of all files."""
    return [Route("/portal/static/{digest}/{name}", _answer)]


async def _answer(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _TYPES or request.url.path != href(name):
        raise HTTPException(404)
    return Response(_read(name), media_type=_TYPES[name], headers={"Cache-Control": _FOREVER})


@cache
def _read(name: str) -> bytes:
    return files("web.portal").joinpath("static", name).read_bytes()
