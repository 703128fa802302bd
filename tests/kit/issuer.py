"""An OpenID Connect issuer on a free loopback port, with TLS: its configuration, its keys, and tokens of it.

It signs everybody in who comes, as whom a test says: `consent` is what a browser brings back.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

import trustme
from joserfc import jwk, jwt

AUDIENCE = "mail2sms"
SUBJECT = "248289761001"
CLIENT, SECRET = "portal", "a+b c&:/%2F"


class Issuer:
    """`documents` are what it answers, by path; `asked` are the paths that were asked for.

    `said` has the claims of its UserInfo endpoint, `answer` replaces what its token endpoint answers, `posted` is the
    last form that came there.
    """

    def __init__(self, port: int, now: datetime) -> None:
        self.key: jwk.RSAKey = _first_key()
        self.url = f"https://localhost:{port}/t1"
        self.now = now.timestamp()
        self.asked: list[str] = []
        self.documents: dict[str, bytes] = {}
        self.said: dict[str, Any] = {"sub": SUBJECT}
        self.answer: tuple[str, bytes] | None = None
        self.posted: dict[str, str] = {}
        self._codes: dict[str, tuple[dict[str, str], str]] = {}
        self.publish()

    def rotate(self, key_id: str, **more: Any) -> None:
        """Take a new key, and publish it alone."""
        self.key = _new_key(key_id)
        self.publish(**more)

    def publish(self, *, says: str = "", **more: Any) -> None:
        """Publish the configuration and the one key; `says` is the issuer that the configuration names."""
        configuration = {
            "issuer": says or self.url,
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
        } | more
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

    def consent(self, url: str, token: str = "", **claims: Any) -> dict[str, str]:
        """Return what a browser brings back that went to `url` and signed in there, its ID token with these claims."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        given: dict[str, Any] = {
            "aud": asked["client_id"],
            "nonce": asked["nonce"],
            "sub": SUBJECT,
            "email_verified": True,
        }
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked, token or self.token(**(given | claims))
        return {"code": code, "state": asked["state"], "iss": self.url}

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[str, bytes]:
        """Return status and body of an answer."""
        self.asked.append(path)
        if method == "POST" and path == "/t1/token":
            self.posted = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            return self.answer or self._redeem(headers.get("authorization", ""))
        if path == "/t1/userinfo" and headers.get("authorization") == "Bearer access" and self.said:
            return "200 OK", json.dumps(self.said).encode()
        found = self.documents.get(path)
        return ("404 Not Found", b"") if found is None else ("200 OK", found)

    def _redeem(self, authorization: str) -> tuple[str, bytes]:
        """Answer a code once: to its client, at its address, and with the verifier of its challenge."""
        form = self.posted
        named = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.startswith("Basic "):
            name, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
            named = unquote_plus(name), unquote_plus(secret)
        if named != (CLIENT, SECRET):
            return "401 Unauthorized", b'{"error": "invalid_client"}'
        asked, token = self._codes.pop(form["code"], ({}, ""))
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if asked.get("code_challenge") != challenge or asked.get("redirect_uri") != form["redirect_uri"]:
            return "400 Bad Request", b'{"error": "invalid_grant"}'
        answer = {"id_token": token, "access_token": "access", "token_type": "Bearer"}
        return "200 OK", json.dumps(answer).encode()


def _new_key(key_id: str) -> jwk.RSAKey:
    return jwk.RSAKey.generate_key(2048, {"kid": key_id, "use": "sig"})


@cache
def _first_key() -> jwk.RSAKey:
    """Return the key that every issuer has at first, made once in each test process: it costs more than most tests."""
    return _new_key("first")


@contextlib.asynccontextmanager
async def issuer(authority: trustme.CA, now: datetime) -> AsyncIterator[Issuer]:
    """Give an issuer whose certificate an authority signed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
            method, path, _ = head[0].split(" ")
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            status, said = made.respond(method, path, headers, body)
            writer.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(said)}\r\n\r\n".encode())
            writer.write(said)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "localhost", 0, ssl=context, family=2)
    async with server:
        made = Issuer(server.sockets[0].getsockname()[1], now)
        yield made
