"""Asks an OpenID Connect issuer: by verified TLS, bounded in time and size, without redirects.

The issuers are an administrator's choice, so that their addresses may be private ones. Not here: what the answers mean
(gateway.auth.tokens, gateway.portal.issuers).
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote_plus, urlencode

from gateway.auth.tokens import IssuerUnavailableError
from tls.contexts import ContextError

_MOST_OCTETS: Final = 256 << 10
_OK: Final = 200
_FORM: Final = "application/x-www-form-urlencoded"


class IssuerFetcher:
    """Fulfils gateway.auth.tokens.DocumentFetcher; `deadline_seconds` bounds one answer."""

    def __init__(self, context: Callable[[], ssl.SSLContext], deadline_seconds: float = 10.0) -> None:
        self._context = context
        self._deadline_seconds = deadline_seconds

    async def fetch(self, url: str, bearer: str = "") -> bytes:
        """Return the body of an answer with status 200."""
        status, body = await self._ask("GET", url, {"Authorization": f"Bearer {bearer}"} if bearer else {})
        if status != _OK:
            raise IssuerUnavailableError(f"{url} answers {status}")
        return body

    async def post_form(
        self, url: str, fields: Mapping[str, str], credentials: tuple[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Return status and body of the answer to a form."""
        # RFC 6749 §2.3.1: the name and the secret are encoded as in a form before they are those of HTTP Basic
        named = (quote_plus(credentials[0]), quote_plus(credentials[1])) if credentials is not None else None
        return await self._ask("POST", url, {"Content-Type": _FORM}, urlencode(fields).encode(), named)

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
        auth: tuple[str, str] | None = None,
    ) -> tuple[int, bytes]:
        import httpx2  # noqa: PLC0415  (100 ms of a start that gateways without tokens need not have)

        given = {"Accept": "application/json", **headers}
        try:
            async with (
                asyncio.timeout(self._deadline_seconds),
                httpx2.AsyncClient(verify=self._context(), trust_env=False, timeout=None, auth=auth) as client,
                client.stream(method, url, headers=given, content=content) as response,
            ):
                body = bytearray()
                async for octets in response.aiter_bytes():
                    body += octets
                    if len(body) > _MOST_OCTETS:
                        raise IssuerUnavailableError(f"{url} has more than {_MOST_OCTETS} octets")
                return response.status_code, bytes(body)
        except TimeoutError:
            raise IssuerUnavailableError(f"{url} does not answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ContextError, UnicodeError) as error:
            raise IssuerUnavailableError(f"{url}: {type(error).__name__} {error}") from None
