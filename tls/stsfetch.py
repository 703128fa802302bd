"""One HTTPS request for an MTA-STS policy file: no redirects, no second try, a cap on bytes and on time.

Not here: parsing the file (tls.mtasts). RFC 8461 §3.3. HTTP/1.1, only what one GET with `Connection: close` needs.
"""

import asyncio
import ssl
from collections.abc import Callable

from tls.mtasts import MAX_POLICY_BYTES, Fetched
from tls.mx import AddressGuard
from tls.resolver import Lookup, Resolver

_MAX_HEADER_BYTES = 16 * 1024
_MAX_ADDRESSES = 4
_PATH = "/.well-known/mta-sts.txt"


class HttpsStsFetcher:
    """Fetches from `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`; `context` verifies chain and host name."""

    def __init__(
        self,
        resolver: Resolver,
        context: Callable[[], ssl.SSLContext],
        *,
        guard: AddressGuard,
        port: int = 443,
        deadline_seconds: float = 30.0,
    ) -> None:
        self._resolver = resolver
        self._context = context
        self._guard = guard
        self._port = port
        self._deadline_seconds = deadline_seconds

    async def fetch(self, domain: str) -> Fetched:
        """Get the policy file of a domain."""
        host = f"mta-sts.{domain}"
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await self._fetch(host)
        except TimeoutError:
            return Fetched(fault=f"{host} did not answer in time")
        except ssl.SSLCertVerificationError as error:
            return Fetched(fault=f"{host}: {error.verify_message}", untrusted=True)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            return Fetched(fault=f"{host}: {type(error).__name__}")

    async def _fetch(self, host: str) -> Fetched:
        answer = await self._resolver.addresses(host)
        if answer.lookup is not Lookup.FOUND:
            return Fetched(fault=f"{host} has no address")
        usable = [address for address in answer.values if not self._guard.find_fault(address)][:_MAX_ADDRESSES]
        if not usable:
            return Fetched(fault=f"{host} has no public address")
        for address in usable[:-1]:
            try:
                return await self._request(str(address), host)
            except ConnectionError:
                continue
        return await self._request(str(usable[-1]), host)

    async def _request(self, address: str, host: str) -> Fetched:
        reader, writer = await asyncio.open_connection(
            address, self._port, ssl=self._context(), server_hostname=host, limit=_MAX_HEADER_BYTES
        )
        try:
            request = f"GET {_PATH} HTTP/1.1\r\nHost: {host}\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"
            writer.write(request.encode("ascii"))
            return await _read_response(reader, host)
        finally:
            # Do not wait: a host that never closes its side must not delay the mail.
            writer.transport.abort()


async def _read_response(reader: asyncio.StreamReader, host: str) -> Fetched:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status_line, *lines = head.split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        headers.setdefault(key.strip().lower(), value.strip())
    parts = status_line.split(" ", 2)
    if len(parts) < 2 or parts[1] != "200":
        # RFC 8461 §3.3: redirects are not followed
        return Fetched(fault=f"{host} answered {parts[1][:3] if len(parts) > 1 else 'no HTTP'}, not 200")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "text/plain":
        return Fetched(fault=f"{host} sent no text/plain")
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = await _read_chunks(reader)
    else:
        body = await _read_plain(reader, headers.get("content-length", ""))
    if body is None:
        return Fetched(fault=f"{host} sent more than {MAX_POLICY_BYTES} bytes")
    return Fetched(body=body)


async def _read_plain(reader: asyncio.StreamReader, length: str) -> bytes | None:
    if length:
        size = int(length)
        return None if not 0 <= size <= MAX_POLICY_BYTES else await reader.readexactly(size)
    body = bytearray()
    while chunk := await reader.read(MAX_POLICY_BYTES + 1 - len(body)):
        body += chunk
        if len(body) > MAX_POLICY_BYTES:
            return None
    return bytes(body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes | None:
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0].strip(), 16):
        if size < 0 or len(body) + size > MAX_POLICY_BYTES:
            return None
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    return bytes(body)
