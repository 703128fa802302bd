"""A customer's application that takes pushes: a real HTTP server on loopback, in clear or under TLS."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from dataclasses import dataclass

from standardwebhooks import Webhook
from standardwebhooks.exceptions import WebhookVerificationError

from tests.kit.patience import PATIENCE


@dataclass(frozen=True)
class Push:
    """One push as it came; header names are in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes
    client: str = ""
    certificate: bool = False

    @property
    def report(self) -> dict:
        fields: dict = json.loads(self.body)
        return fields

    def is_signed_with(self, secret: str) -> bool:
        """Check the signature by Standard Webhooks, with the secret as shown."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return f"v1,{wanted}" in self.headers["webhook-signature"].split()

    def is_verified_with(self, secret: str) -> bool:
        """Let the library of Standard Webhooks check signature and time; it reads JSON only."""
        try:
            Webhook(secret).verify(self.body, self.headers)
        except WebhookVerificationError:
            return False
        return True


class Application:
    """Answers pushes with `answers` in turn, then with 200.

    An answer is a status, bytes, None for silence, or an event after which it is 200.
    """

    def __init__(self, answers=(), context: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers)
        self.pushes: list[Push] = []
        self.port = 0
        self._context = context
        self._came = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, host: str = "127.0.0.1") -> "Application":
        self._server = await asyncio.start_server(self._serve, host, 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await self._server.wait_closed()

    async def has(self, count: int, seconds: float = PATIENCE) -> list[Push]:
        """Wait for this many pushes."""
        async with asyncio.timeout(seconds):
            while len(self.pushes) < count:
                self._came.clear()
                await self._came.wait()
        return self.pushes

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *fields = head.split("\r\n")[:-2]
            headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
            body = await reader.readexactly(int(headers["content-length"]))
            client, shown = writer.get_extra_info("peername")[0], writer.get_extra_info("peercert")
            self.pushes.append(Push(line, headers, body, client, bool(shown)))
            self._came.set()
            answer = self.answers.pop(0) if self.answers else 200
            if isinstance(answer, asyncio.Event):
                await answer.wait()
                answer = 200
            if answer is None:
                await reader.read()
            elif isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                writer.write(f"HTTP/1.1 {answer} Answer\r\nContent-Length: 2\r\n\r\nok".encode())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()
