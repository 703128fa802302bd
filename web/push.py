"""Sends a notice by push: the job report as JSON, signed, posted once to the customer's URL. The only user of httpx.

It follows neither redirects nor proxies, verifies certificates, and does not read the answer's body. The customer
chooses the URL, so its addresses must be public (tls.mx.AddressGuard), and the connection goes to exactly the checked
address. Headers and signature are those of Standard Webhooks 1.0, for which there are libraries. Not here: retries
(gateway.outbox), the content (job_report).
"""

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import Awaitable, Callable
from functools import partial

import httpx

from gateway.ports import Clock, Item, MailAttempt
from gateway.report_pool import LargeReports
from sms.outcome import Done, Failed, Outcome, Problem, ProblemCode, Retry
from sms.report import Notice
from tls.contexts import ContextError
from tls.mx import AddressGuard, parse_address
from tls.resolver import Address, DnsAnswer, Lookup, Resolver
from web.job_report import push_body

_MOST_ADDRESSES = 4
_TEMPORARY = frozenset({408, 425, 429})
_PORTS = {"https": 443, "http": 80}

KeyOf = Callable[[str], Awaitable[bytes | None]]


class PushSender:
    """Fulfils gateway.ports.ItemSender.

    `key_of` returns the key of a customer by its name: without one a push is unsigned. `context` verifies chain and
    name. `large` makes pushes about many recipients; its creator closes it. `deadline_seconds` bounds one attempt with
    all its addresses.
    """

    def __init__(  # noqa: PLR0913 - the process hands in each collaborator by name
        self,
        *,
        resolver: Resolver,
        guard: AddressGuard,
        context: Callable[[], ssl.SSLContext],
        key_of: KeyOf,
        clock: Clock,
        large: LargeReports,
        deadline_seconds: float,
    ) -> None:
        self._resolver = resolver
        self._guard = guard
        self._context = context
        self._key_of = key_of
        self._clock = clock
        self._large = large
        self._deadline_seconds = deadline_seconds

    async def send(self, item: Item) -> MailAttempt:
        """Post one notice once; nothing else goes by push."""
        if not isinstance(item, Notice):
            raise TypeError(f"{type(item).__name__} does not go by push")
        notice = item
        url = httpx.URL(notice.recipient)
        host = _host(url)
        key = await self._key_of(notice.report.customer)
        body, headers = await self._large.work(notice.report, partial(self._content, notice, key))
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await self._send(url, host, body, headers)
        except TimeoutError:
            return _deferred(host, "It did not answer in time.")

    def _content(self, notice: Notice, key: bytes | None) -> tuple[bytes, dict[str, str]]:
        body = push_body(notice)
        at = str(int(self._clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "mail2sms",
            "Accept": "*/*",
            "Connection": "close",
            "webhook-id": notice.public_id,
            "webhook-timestamp": at,
        }
        if key is not None:
            headers["webhook-signature"] = sign(notice.public_id, at, body, key)
        return body, headers

    async def _send(self, url: httpx.URL, host: str, body: bytes, headers: dict[str, str]) -> MailAttempt:
        answer = await self._find_addresses(host)
        if answer.lookup is not Lookup.FOUND:
            code = ProblemCode.DNS_FAILED if answer.lookup is Lookup.FAILED else ProblemCode.NO_SUCH_DOMAIN
            return _deferred(host, "Its name has no address.", code, answer.cause)
        faults = [self._guard.find_fault(address) for address in answer.values]
        usable = [address for address, fault in zip(answer.values, faults, strict=True) if not fault]
        if not usable:
            problem = Problem(code=ProblemCode.PUSH_REFUSED, text=f"It has no address to push to: {faults[0]}.")
            return MailAttempt(outcome=Failed(problem=problem), host=host, address=str(answer.values[0]))
        first, *others = usable[:_MOST_ADDRESSES]
        attempt = await self._post(url, first, body, headers)
        for address in others:
            if not _unreachable(attempt.outcome):
                break
            attempt = await self._post(url, address, body, headers)
        return attempt

    async def _find_addresses(self, host: str) -> DnsAnswer[Address]:
        literal = parse_address(host)
        if literal is None and host == "localhost":  # RFC 6761 §6.3: never a DNS query
            literal = parse_address("127.0.0.1")
        if literal is not None:
            return DnsAnswer(lookup=Lookup.FOUND, values=(literal,))
        return await self._resolver.addresses(host)

    async def _post(self, url: httpx.URL, address: Address, body: bytes, headers: dict[str, str]) -> MailAttempt:
        host, shown = _host(url), str(address)
        try:
            # Each push has its own client: a kept connection would be found by address, not by name.
            async with (
                httpx.AsyncClient(verify=self._context(), trust_env=False, timeout=self._deadline_seconds) as client,
                client.stream(
                    "POST",
                    url.copy_with(host=shown),
                    content=body,
                    headers={**headers, "Host": _authority(url)},
                    extensions={"sni_hostname": host},
                ) as response,
            ):
                return MailAttempt(
                    outcome=judge(response.status_code),
                    host=host,
                    address=shown,
                    tls=_tls_of(response),
                    policy=url.scheme,
                    reply=f"{response.status_code} {response.reason_phrase}"[:200].strip(),
                )
        except (httpx.HTTPError, httpx.InvalidURL, ContextError, OSError) as error:
            return _failed_post(host, shown, error)


def sign(identity: str, at: str, body: bytes, key: bytes) -> str:
    """Return the signature header of a push: `v1,` and base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`."""
    signed = b".".join((identity.encode("ascii"), at.encode("ascii"), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def judge(status: int) -> Outcome:
    """Return the outcome of an HTTP status: 2xx is accepted; 408, 425, 429, 3xx and 5xx are retried, other 4xx fail."""
    if 200 <= status < 300:
        return Done()
    if 400 <= status < 500 and status not in _TEMPORARY:
        return Failed(problem=Problem(code=ProblemCode.PUSH_REFUSED, text=f"It answered with status {status}."))
    hint = ", and redirects are not followed" if 300 <= status < 400 else ""
    return Retry(problem=Problem(code=ProblemCode.PUSH_DEFERRED, text=f"It answered with status {status}{hint}."))


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")  # as A-labels, the form in DNS and certificates


def _authority(url: httpx.URL) -> str:
    host = f"[{_host(url)}]" if ":" in _host(url) else _host(url)
    return host if url.port in {None, _PORTS[url.scheme]} else f"{host}:{url.port}"


def _failed_post(host: str, address: str, error: Exception) -> MailAttempt:
    cause = str(error)[:200]
    verifying = _verification_error(error)
    if verifying is not None:
        return _deferred(
            host, f"Its certificate is not good: {verifying}.", ProblemCode.TLS_POLICY, cause, address=address
        )
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return _deferred(host, "It could not be reached.", ProblemCode.HOST_UNREACHABLE, cause, address=address)
    return _deferred(host, f"The exchange broke off: {type(error).__name__}.", cause=cause, address=address)


def _verification_error(error: BaseException | None) -> str | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return None


def _deferred(
    host: str, text: str, code: ProblemCode = ProblemCode.PUSH_DEFERRED, cause: str = "", *, address: str = ""
) -> MailAttempt:
    return MailAttempt(outcome=Retry(problem=Problem(code=code, text=text, cause=cause)), host=host, address=address)


def _unreachable(outcome: Outcome) -> bool:
    return isinstance(outcome, Retry) and outcome.problem.code is ProblemCode.HOST_UNREACHABLE


def _tls_of(response: httpx.Response) -> str:
    stream = response.extensions.get("network_stream")
    secured = stream.get_extra_info("ssl_object") if stream is not None else None
    if secured is None:
        return ""
    cipher = secured.cipher()
    return f"{secured.version()} {cipher[0] if cipher else ''}".strip()
