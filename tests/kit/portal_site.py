"""The portal of a house of tests.kit.testbed on a real socket, and accounts that have signed in, each with a role."""

import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlencode, urlsplit

import httpx2

from addressbook.accounts import SessionStage
from addressbook.rights import Role
from gateway.admin.accounts import invite_account
from gateway.admin.edit import Administration
from gateway.portal.desk import Desk
from gateway.portal.sessions import PortalSessions, csrf_of
from process.doors import Doors
from process.portal import Bound, portal_desk
from store.portal_accounts import find_account, put_password
from templates.portal_pages import PortalPages
from tests.kit.patience import PATIENCE
from tests.kit.testbed import HouseCore, administer
from web.portal.gate import Gate
from web.portal.pages import OPEN_PAGES, PAGES
from web.server import HttpServer, Routes

PASSWORD_VERIFIER = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQxMjM0$vS0R2R8oS5pW4kq2TxQzXg"  # of no password


@dataclass
class Visitor:
    """A browser that has signed in (or not: without cookies). It follows nothing by itself."""

    site: "PortalSite"
    token: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        """Ask for a page; `path` begins below /portal."""
        return await self._send("GET", path, None, headers)

    async def post(
        self, path: str, fields: Mapping[str, str | Sequence[str]] | None = None, **headers: str
    ) -> httpx2.Response:
        """Send a form as a page of ours does, with the session's token for forms unless `csrf` is given."""
        given: dict[str, str | Sequence[str]] = {"csrf": self.csrf, **(fields or {})}
        return await self._send("POST", path, given, {"Sec-Fetch-Site": "same-origin", **headers})

    async def upload(
        self, path: str, fields: Mapping[str, str], files: Mapping[str, tuple[str, bytes]]
    ) -> httpx2.Response:
        """Send a form with files, each with its name."""
        given = httpx2.Request("POST", "http://form", data={"csrf": self.csrf, **fields}, files=dict(files))
        headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": given.headers["Content-Type"]}
        return await self._send("POST", path, given.read(), headers)

    @property
    def csrf(self) -> str:
        """What forms of this session carry."""
        return csrf_of(self.token)

    async def _send(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str | Sequence[str]] | bytes | None,
        headers: Mapping[str, str],
    ) -> httpx2.Response:
        cookies = {**self.cookies, **({"portal": self.token} if self.token else {})}
        sent = {
            "Host": urlsplit(self.site.origin).netloc,
            **{name.replace("_", "-"): one for name, one in headers.items()},
        }
        if cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        content = fields if isinstance(fields, bytes) else None
        if fields is not None and not isinstance(fields, bytes):
            content = urlencode(fields, doseq=True).encode()
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        address = f"{self.site.origin}/portal{path}"
        answer = await self.site.client.request(method, address, content=content, headers=sent)
        self.site.client.cookies.clear()
        return answer


@dataclass
class PortalSite:
    """The portal of `core`, whose addresses begin with `origin`."""

    core: HouseCore
    desk: Desk
    origin: str
    client: httpx2.AsyncClient

    @property
    def guest(self) -> Visitor:
        """Somebody who has not signed in."""
        return Visitor(self)

    def customer(self, name: str = "acme") -> int:
        """Return the number of a customer."""
        found = self.core.book.current.directory.customer_named(name)
        assert found is not None
        return found.key

    async def signed_in(
        self, role: Role | str = Role.ADMINISTRATOR, customer: str = "acme", address: str = ""
    ) -> Visitor:
        """Return somebody with a role at a customer, whose account is made where it is not there."""
        role = Role(role)
        customer = "" if role is Role.OPERATOR else customer
        address = address or f"{role}{'.' + customer if customer else ''}@example.com"
        administration = Administration(self.core.database, self.core.keys, "test", self.core.clock.now)
        await administration.change(
            partial(invite_account, address=address, customer=customer, role=role.value, portal="http://portal")
        )
        account = await self.core.database.read(partial(find_account, address=address))
        assert account is not None

        def activate(tx, keys):
            for key in keys:
                put_password(tx, key, PASSWORD_VERIFIER)
            return keys

        await self.core.database.write(activate, account.key)
        sessions = PortalSessions(database=self.core.database, keys=self.core.keys, clock=self.core.clock)
        return Visitor(self, await sessions.begin(account, SessionStage.OPEN, "127.0.0.1", "test"))

    async def settled(self) -> None:
        """Wait until what the portal does after an answer is done."""
        await self.desk.sign_in.settle()

    async def administer(self, *lines: str) -> None:
        """Give commands, which are in force at once."""
        for line in lines:
            administer(self.core.folder, line)
        await self.core.book.refresh()


@contextlib.asynccontextmanager
async def portal_site(
    core: HouseCore,
    routes: Routes | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    port: int = 0,
    bound: Bound = lambda: (),
) -> AsyncIterator[PortalSite]:
    """Run the portal over a house, at any free port unless one is given; under `tls` its name is localhost.

    `bound` tells which ESMEs are bound.
    """
    doors = Doors(core.config, core, core.acceptance)
    desk = portal_desk(core.config, core, doors, bound)
    gate = Gate(PAGES, OPEN_PAGES, desk=desk, look=PortalPages())
    contexts = None if tls is None else lambda: tls
    server = HttpServer(gate.routes() if routes is None else routes, port=port, contexts=contexts)
    await server.start()
    try:
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE) as client:
            origin = f"http://127.0.0.1:{server.port}" if tls is None else f"https://localhost:{server.port}"
            yield PortalSite(core, desk, origin, client)
    finally:
        await server.stop(5)
        doors.authenticator.close()


def text_of(answer: httpx2.Response) -> str:
    """Return the words of a page without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())
