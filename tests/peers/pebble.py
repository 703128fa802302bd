"""Pebble, Let's Encrypt's small certification authority for tests, on loopback, and the answers that it is given there."""

import asyncio
import contextlib
import json
import os
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from gateway.listener import ConnectionLimits
from store.acme import find_challenge
from store.engine.database import Database
from tests.kit.name_server import NameServer, name_server
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer
from tests.kit.ports import free_port
from tls.acme import AcmeAccount
from web.acme import AcmePages
from web.connection import HttpLimits
from web.server import HttpServer

PEBBLE = find_program("pebble")
BINDING = ("our-id", urlsafe_b64encode(b"k" * 32).decode().rstrip("="))


@dataclass
class Pebble:
    """A running authority; it looks for answers at `http_port` of the address that `names` gives for a name."""

    folder: Path
    names: NameServer
    http_port: int
    port: int
    account_keys: Mapping[str, str]
    said: list[str] = field(default_factory=list)

    @property
    def directory(self) -> str:
        return f"https://localhost:{self.port}/dir"

    @property
    def ca_file(self) -> Path:
        return self.folder / "pebble-ca.pem"

    def account(self, folder: Path, **more) -> AcmeAccount:
        key_file = folder / "acme" / "account.key"
        return AcmeAccount(directory=self.directory, key_file=key_file, ca_file=self.ca_file, **more)

    def write_configuration(self) -> Path:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        own = authority.issue_cert("localhost")
        own.private_key_and_cert_chain_pem.write_to_path(str(self.folder / "pebble.pem"))
        options = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": "",
            "certificate": str(self.folder / "pebble.pem"),
            "privateKey": str(self.folder / "pebble.pem"),
            "httpPort": self.http_port,
            "tlsPort": free_port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": bool(self.account_keys),
            "externalAccountMACKeys": dict(self.account_keys),
        }
        file = self.folder / "pebble.json"
        file.write_text(json.dumps({"pebble": options}))
        return file


@contextlib.asynccontextmanager
async def pebble(folder: Path, *domains: str, account_keys: Mapping[str, str] | None = None) -> AsyncIterator[Pebble]:
    """Run an authority for which all domains are at this machine."""
    require_peer("pebble", PEBBLE)
    async with name_server({(domain, "A"): ["127.0.0.1"] for domain in domains}) as names:
        run = Pebble(folder, names, free_port(), free_port(), account_keys or {})
        environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
        process = await asyncio.create_subprocess_exec(
            str(PEBBLE),
            *("-config", str(run.write_configuration()), "-dnsserver", f"127.0.0.1:{names.port}"),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        reading = asyncio.create_task(_read(process, run.said))
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    try:
                        _, writer = await asyncio.open_connection("127.0.0.1", run.port)
                    except ConnectionError:
                        assert process.returncode is None, "".join(run.said)
                        await asyncio.sleep(0.02)
                    else:
                        writer.close()
                        break
            yield run
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await reading


async def _read(process: asyncio.subprocess.Process, said: list[str]) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        said.append(line.decode())


@contextlib.asynccontextmanager
async def answering(database: Database, port: int, *domains: str) -> AsyncIterator[None]:
    """Serve the answers that a database has, as a gateway does."""

    async def answer_of(token: str) -> str | None:
        return await database.read(lambda tx: find_challenge(tx, token))

    server = HttpServer(
        AcmePages(answer_of).routes(), port=port, hosts=domains, limits=HttpLimits(connections=ConnectionLimits())
    )
    await server.start()
    try:
        yield
    finally:
        await server.stop(0.1)
