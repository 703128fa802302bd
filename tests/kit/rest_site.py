"""The HTTP interfaces of a house of tests.kit.testbed on a real socket, and a client that sends requests as written."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from addressbook.people import Verifiers
from gateway.admin.edit import Administration
from gateway.admin.logins import add_login
from gateway.admin.users import add_application
from gateway.auth.authenticator import make_verifiers
from process.api import api_routes
from process.doors import Doors
from tests.kit.patience import PATIENCE
from tests.kit.testbed import HouseCore, administer
from web.server import HttpServer

LOGIN, PASSWORD = "erp", "grüße horse"


@dataclass(frozen=True)
class Answer:
    """One answer as it came; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def basic(login: str = LOGIN, password: str = PASSWORD) -> str:
    """Return a header Authorization as most clients write it."""
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


@dataclass
class RestSite:
    """The house of `core` behind HTTP at `port`, with the application `erp` of acme."""

    core: HouseCore
    port: int

    async def raw(self, octets: bytes) -> Answer:
        """Send octets as they are and return what is answered."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(octets)
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            length = headers.get("content-length")
            body = await (reader.read() if length is None else reader.readexactly(int(length)))
            return Answer(int(first.split()[1]), headers, body)
        finally:
            writer.close()

    async def ask(
        self, method: str, path: str, body: Any = None, *, authorization: str | None = None, **headers: str
    ) -> Answer:
        """Send a request of the application; `body` is JSON, octets go as they are."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        named = {"Host": f"127.0.0.1:{self.port}", "Authorization": authorization or basic(), **headers}
        named |= {"Content-Length": str(len(content)), "Connection": "close"}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
        return await self.raw(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + content)

    async def send(self, text: str = "Hello", *numbers: str, options: Any = None) -> Answer:
        """Post a job of one text."""
        recipients = [{"dst": number} for number in numbers or ("+447700900101",)]
        body = {"messages": [{"text": text, "recipients": recipients}]}
        return await self.ask("POST", "/rest/v1/jobs", body | ({"options": options} if options is not None else {}))

    async def administer(self, *lines: str) -> None:
        """Give commands, which are in force at once."""
        for line in lines:
            administer(self.core.folder, line)
        await self.core.book.refresh()


@contextlib.asynccontextmanager
async def rest_site(core: HouseCore) -> AsyncIterator[RestSite]:
    """Run the interfaces over a house, to which an application is added."""
    administration = Administration(core.database, core.keys, "test", core.clock.now)
    made = _verifiers()
    await administration.change(
        partial(add_application, customer="acme", name=LOGIN),
        partial(add_login, login=LOGIN, verifier=made.password, scram=made.scram, customer="acme", user=LOGIN),
    )
    await core.book.refresh()
    doors = Doors(core.config, core, core.acceptance)
    server = HttpServer(api_routes(core, doors))
    await server.start()
    try:
        yield RestSite(core, server.port)
    finally:
        await server.stop(5)
        doors.authenticator.close()


@cache
def _verifiers() -> Verifiers:
    """Return what a login keeps of the password, made once in each test process: it takes long by design."""
    return make_verifiers(PASSWORD)
