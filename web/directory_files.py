"""`PUT /directory-files/v1/{directory}/{file}`: a customer's directory sends its users' file, with an API key.

Not here: keeping it (gateway.directory_files), what becomes of it (dirsync, told by mail). RFC 9530.
"""

import base64
import binascii
import re
from collections.abc import AsyncIterator

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from addressbook.api_keys import Scope
from addressbook.senders import Principal
from gateway.auth.api_keys import ApiKeys
from gateway.directory import DirectoryFollower
from gateway.directory_files import LARGEST, DirectoryFiles, FileFault
from sms.outcome import Refusal, Refused
from web.basic import BasicLogins, identify_key, is_secure, read_bearer
from web.body_limit import allow_body
from web.problems import problem, refuse, retry_after

_DIGEST = re.compile(r"(?:^|[,\s])sha-256=:([A-Za-z0-9+/=]{44}):")
_FAULTS = {
    FileFault.NO_DIRECTORY: (404, "This customer has no active directory of this name."),
    FileFault.NO_FOLDER: (409, "This directory reads no files: it needs one of the kind «folder»."),
    FileFault.NOT_CONTRACTED: (403, "Directories are not contracted."),
    FileFault.SUSPENDED: (403, "The customer or its directories are suspended: its operator knows why."),
    FileFault.BAD_NAME: (
        422,
        "A file's name has letters, digits, blanks and ()+@,.-_, no dot in front, no .part, .tmp, .filepart behind.",
    ),
    FileFault.WAITS: (409, "A file of this name has not been read yet: wait for it, or give this one another name."),
    FileFault.TOO_LARGE: (413, f"A file has at most {LARGEST} octets."),
    FileFault.OTHER_DIGEST: (400, "The content is not what Content-Digest says: send it again."),
    FileFault.NO_ROOM: (503, "There is no room to keep a file, try again later."),
    FileFault.UNUSABLE: (503, "The folder of this directory can't be used now: its operator must look."),
}


class DirectoryFilePages:
    """The route."""

    def __init__(self, logins: BasicLogins, keys: ApiKeys, files: DirectoryFiles, book: DirectoryFollower) -> None:
        self._logins = logins
        self._keys = keys
        self._files = files
        self._book = book

    def routes(self) -> list[BaseRoute]:
        """Return the route."""
        path = "/directory-files/v1/{directory}/{file}"
        return [Route(path, self._put, methods=["PUT"])]

    async def _prove(self, request: Request) -> Principal | Refused:
        key = read_bearer(request)
        if key is None:
            return Refused(refusal=Refusal.AUTHENTICATION_REQUIRED, detail="An API key is expected as Bearer.")
        principal = await self._logins.admit(request, await identify_key(request, self._keys, key))
        if isinstance(principal, Refused) or is_secure(request):
            return principal
        return self._book.current.refuse_clear(principal, "") or principal

    async def _put(self, request: Request) -> Response:
        principal = await self._prove(request)
        if isinstance(principal, Refused):
            return refuse(principal)
        if Scope.DIRECTORY not in principal.scopes:
            return problem(403, f"This API key has not the scope «{Scope.DIRECTORY}».")
        try:
            digest = _read_digest(request.headers.get("content-digest", ""))
        except ValueError:
            return problem(400, "Content-Digest: sha-256=:BASE64: is expected.")
        params = request.path_params
        allow_body(request, LARGEST)
        try:
            kept = await self._files.keep(principal, params["directory"], params["file"], _blocks(request), digest)
        except HTTPException:
            kept = FileFault.TOO_LARGE
        if isinstance(kept, FileFault):
            status, detail = _FAULTS[kept]
            return problem(status, detail, reason=kept.value, headers=retry_after(status))
        told = {"directory": kept.directory, "file": kept.name, "octets": kept.size, "sha256": kept.digest}
        return Response(msgspec.json.encode(told), 202, media_type="application/json")


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    async for block in request.stream():
        yield block


def _read_digest(header: str) -> bytes | None:
    """Return the SHA-256 of a Content-Digest (RFC 9530 §2), None where there is no header."""
    if not header:
        return None
    found = _DIGEST.search(header)
    if found is None:
        raise ValueError
    try:
        return base64.b64decode(found[1], validate=True)
    except binascii.Error as error:
        raise ValueError from error
