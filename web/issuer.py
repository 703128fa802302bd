"""Fetches what an OpenID Connect issuer publishes: by verified TLS, bounded in time and size, without redirects.

The issuers are an administrator's choice, so that their addresses may be private ones. Not here: what is in it
(gateway.auth.tokens).
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from gateway.auth.tokens import IssuerUnavailableError
from tls.contexts import ContextError

_MOST_OCTETS: Final = 256 << 10


class IssuerFetcher:
    """Fulfils gateway.auth.tokens.DocumentFetcher; `deadline_seconds` bounds one document."""

    def __init__(self, context: Callable[[], ssl.SSLContext], deadline_seconds: float = 10.0) -> None:
        self._context = context
        self._deadline_seconds = deadline_seconds

    async def fetch(self, url: str) -> bytes:
        """Return the body of an answer with status 200."""
        import httpx2  # noqa: PLC0415  (100 ms of a start that gateways without tokens need not have)

        try:
            async with (
                asyncio.timeout(self._deadline_seconds),
                httpx2.AsyncClient(verify=self._context(), trust_env=False, timeout=None) as client,
                client.stream("GET", url, headers={"Accept": "application/json"}) as response,
            ):
                if response.status_code != httpx2.codes.OK:
                    raise IssuerUnavailableError(f"{url} answers {response.status_code}")
                body = bytearray()
                async for octets in response.aiter_bytes():
                    body += octets
                    if len(body) > _MOST_OCTETS:
                        raise IssuerUnavailableError(f"{url} has more than {_MOST_OCTETS} octets")
                return bytes(body)
        except TimeoutError:
            raise IssuerUnavailableError(f"{url} does not answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ContextError) as error:
            raise IssuerUnavailableError(f"{url}: {type(error).__name__} {error}") from None
