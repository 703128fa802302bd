"""An OpenID Connect issuer on a free loopback port, with TLS: its configuration, its keys, and tokens of it."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import trustme
from joserfc import jwk, jwt

AUDIENCE = "mail2sms"


class Issuer:
    """`documents` are what it answers, by path; `asked` are the paths that were asked for."""

    def __init__(self, port: int, now: datetime) -> None:
        self.url = f"https://localhost:{port}/t1"
        self.now = now.timestamp()
        self.asked: list[str] = []
        self.documents: dict[str, bytes] = {}
        self.rotate("first")

    def rotate(self, key_id: str, *, says: str = "") -> None:
        """Take a new key, and publish it alone; `says` is the issuer that the configuration names."""
        self.key = jwk.RSAKey.generate_key(2048, {"kid": key_id, "use": "sig"})
        configuration = {"issuer": says or self.url, "jwks_uri": f"{self.url}/keys"}
        keys = {"keys": [self.key.as_dict(private=False)]}
        self.documents = {
            "/t1/.well-known/openid-configuration": json.dumps(configuration).encode(),
            "/t1/keys": json.dumps(keys).encode(),
        }

    def token(self, key: Any = None, algorithm: str = "RS256", **claims: Any) -> str:
        """Return a token for anna that is good for five minutes, with these claims on top; None leaves one out."""
        said = {"iss": self.url, "aud": AUDIENCE, "exp": int(self.now) + 300, "email": "anna@acme.example.com"} | claims
        said = {name: value for name, value in said.items() if value is not None}
        key = key or self.key
        return jwt.encode({"alg": algorithm, "kid": key.kid or ""}, said, key, algorithms=[algorithm])


@contextlib.asynccontextmanager
async def issuer(authority: trustme.CA, now: datetime) -> AsyncIterator[Issuer]:
    """Give an issuer whose certificate an authority signed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
            made.asked.append(path)
            body = made.documents.get(path)
            status = b"404 Not Found" if body is None else b"200 OK"
            length = f"{len(body or b'')}".encode()
            writer.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: " + length + b"\r\n\r\n")
            writer.write(body or b"")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "localhost", 0, ssl=context, family=2)
    async with server:
        made = Issuer(server.sockets[0].getsockname()[1], now)
        yield made
