"""Certificates made for one test, and a relay that ends TLS before a peer that speaks none."""

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trustme


class Authority:
    """An authority of the test's own; `file` is its certificate for those who shall trust it."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self._folder = folder
        self.file = folder / "smsc-ca.pem"
        folder.mkdir(parents=True, exist_ok=True)
        self._authority.cert_pem.write_to_path(self.file)

    def files(self, name: str = "localhost", **options) -> tuple[Path, Path]:
        """Return the files of a new certificate's key and chain."""
        certificate = self._authority.issue_cert(name, **options)
        stem = f"{name}-{len(list(self._folder.iterdir()))}"
        key, chain = self._folder / f"{stem}.key", self._folder / f"{stem}.pem"
        certificate.private_key_pem.write_to_path(key)
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(chain, append=True)
        return key, chain

    def server_context(self, name: str = "localhost") -> ssl.SSLContext:
        """Return the context of a server of that name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        key, chain = self.files(name)
        context.load_cert_chain(chain, key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return the context of a client that trusts this authority alone."""
        return ssl.create_default_context(cafile=self.file)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def relay(context: ssl.SSLContext, port: int):
    """Take TLS on a free port and hand what it carries to the plain port; gives the free port."""
    running: set[asyncio.Task[None]] = set()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        task.add_done_callback(running.discard)
        try:
            beyond_reader, beyond_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, beyond_writer), _pump(beyond_reader, writer))

    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
