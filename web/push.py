"""Sends a push: signed, once per attempt, to the customer's URL. The only user of httpx2.

It follows neither redirects nor proxies, verifies certificates, and does not read the answer's body. The customer
chooses the URL, so its addresses must be public unless the operator allows others (tls.mx.AddressGuard), and the
connection goes to exactly the checked address. Headers and signature are those of Standard Webhooks 1.0, for which
there are libraries. Not here: retries (gateway.outbox), what a push is made of (gateway.pushes).
"""

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2

from gateway.ports import Clock, Item, MailAttempt, PushNetworks, PushRequest
from inbound.actions import PushLogin
from sms.outcome import Done, Failed, Outcome, Problem, ProblemCode, Retry
from tls.contexts import ClientCertificate, ContextError
from tls.mx import AddressGuard, parse_address
from tls.resolver import Address, DnsAnswer, Lookup, Resolver

_MOST_ADDRESSES = 4
# What the receiver says of this push, and will say of it again; every other answer may be another one later.
_REFUSES_CONTENT = frozenset({400, 413, 415, 422})
_GONE = 410
_PAUSES = frozenset({429, 503})
_LONGEST_PAUSE = timedelta(hours=1)
_PORTS = {"https": 443, "http": 80}

ContextOf = Callable[[Path | None, ClientCertificate | None], ssl.SSLContext]
RequestOf = Callable[[Item], Awaitable[PushRequest | MailAttempt | None]]


class PushSender:
    """Fulfils gateway.ports.ItemSender.

    `request_of` makes the request of an item, or says why nobody can be called; None: nobody is to be.
    `context` verifies chain and name by these authorities (None: the usual ones), and shows this certificate of ours.
    `deadline_seconds` bounds one attempt with all its addresses.
    """

    def __init__(
        self,
        *,
        request_of: RequestOf,
        resolver: Resolver,
        context: ContextOf,
        clock: Clock,
        deadline_seconds: float,
    ) -> None:
        self._request_of = request_of
        self._resolver = resolver
        self._context = context
        self._clock = clock
        self._deadline_seconds = deadline_seconds

    async def send(self, item: Item) -> MailAttempt | None:
        """Send one push once."""
        push = await self._request_of(item)
        if push is None or isinstance(push, MailAttempt):
            return push
        url = httpx2.URL(push.url)
        host = _host(url)
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await self._send(push, url, host)
        except TimeoutError:
            return _deferred(host, "It did not answer in time.")

    async def _send(self, push: PushRequest, url: httpx2.URL, host: str) -> MailAttempt:
        answer = await self._find_addresses(host)
        if answer.lookup is not Lookup.FOUND:
            code = ProblemCode.DNS_FAILED if answer.lookup is Lookup.FAILED else ProblemCode.NO_SUCH_DOMAIN
            return _deferred(host, "Its name has no address.", code, answer.cause)
        faults = [_find_fault(url, address, push.allowances) for address in answer.values]
        usable = [address for address, fault in zip(answer.values, faults, strict=True) if not fault]
        if not usable:
            problem = Problem(code=ProblemCode.PUSH_REFUSED, text=f"It has no address to push to: {faults[0]}.")
            return MailAttempt(outcome=Failed(problem=problem), host=host, address=str(answer.values[0]))
        headers = self._headers(push, url)
        first, *others = usable[:_MOST_ADDRESSES]
        attempt = await self._exchange(push, url, first, headers)
        for address in others:
            if not _unreachable(attempt.outcome):
                break
            attempt = await self._exchange(push, url, address, headers)
        return attempt

    def _headers(self, push: PushRequest, url: httpx2.URL) -> httpx2.Headers:
        at = str(int(self._clock.now().timestamp()))
        headers = httpx2.Headers({"Content-Type": push.content_type, "User-Agent": "mail2sms", "Accept": "*/*"})
        headers.update(push.headers)
        headers.update(
            {
                "Host": _authority(url),
                "Connection": "close",
                "webhook-id": push.identity,
                "webhook-timestamp": at,
            }
        )
        if push.login is PushLogin.BEARER:
            headers["Authorization"] = f"Bearer {push.password}"  # RFC 6750 §2.1
        if push.keys:
            headers["webhook-signature"] = " ".join(sign(push.identity, at, push.content, key) for key in push.keys)
        return headers

    async def _find_addresses(self, host: str) -> DnsAnswer[Address]:
        literal = parse_address(host)
        if literal is None and host == "localhost":  # RFC 6761 §6.3: never a DNS query
            literal = parse_address("127.0.0.1")
        if literal is not None:
            return DnsAnswer(lookup=Lookup.FOUND, values=(literal,))
        return await self._resolver.addresses(host)

    async def _exchange(
        self, push: PushRequest, url: httpx2.URL, address: Address, headers: httpx2.Headers
    ) -> MailAttempt:
        host, shown = _host(url), str(address)
        request = httpx2.Request(
            push.method,
            url.copy_with(host=shown),
            content=push.content,
            headers=headers,
            extensions={"sni_hostname": host, "timeout": httpx2.Timeout(self._deadline_seconds).as_dict()},
        )
        allowance = _allowance_for(address, push.allowances)
        try:
            # Each push has its own client: a kept connection would be found by address, not by name.
            transport = httpx2.AsyncHTTPTransport(
                verify=self._context(allowance.ca_file, push.certificate),
                trust_env=False,
                local_address=allowance.source_address or None,
            )
            async with httpx2.AsyncClient(transport=transport, trust_env=False) as client:
                response = await _answer(client, request, _login(push))
                await response.aclose()
                return MailAttempt(
                    outcome=judge(response.status_code, response.headers, self._clock.now()),
                    host=host,
                    address=shown,
                    tls=_tls_of(response),
                    policy=url.scheme,
                    reply=f"{response.status_code} {response.reason_phrase}"[:200].strip(),
                )
        except (httpx2.HTTPError, httpx2.InvalidURL, ContextError, OSError) as error:
            return _failed_exchange(host, shown, error)


async def _answer(client: httpx2.AsyncClient, request: httpx2.Request, login: httpx2.Auth) -> httpx2.Response:
    """Return the answer to a request with its login: a digest asks first (RFC 7616 §3.3). No answer's body is read."""
    steps = login.auth_flow(request)
    request = next(steps)
    while True:
        response = await client.send(request, stream=True, auth=None)
        try:
            request = steps.send(response)
        except StopIteration:
            return response
        await response.aclose()


def _login(push: PushRequest) -> httpx2.Auth:
    match push.login:
        case PushLogin.BASIC:
            return httpx2.BasicAuth(push.user, push.password)  # RFC 7617 §2
        case PushLogin.DIGEST:
            return httpx2.DigestAuth(push.user, push.password)
        case PushLogin.NONE | PushLogin.BEARER:
            return httpx2.Auth()


def _allowance_for(address: Address, allowances: Iterable[PushNetworks]) -> PushNetworks:
    """Return the first one whose networks have the address."""
    fitting = (each for each in allowances if AddressGuard(allowed=each.networks).is_allowed(address))
    return next(fitting, PushNetworks(networks=()))


def _find_fault(url: httpx2.URL, address: Address, allowances: Iterable[PushNetworks]) -> str:
    """Return why a push may not go there, empty if it may."""
    guard = AddressGuard(allowed=tuple(network for each in allowances for network in each.networks))
    if fault := guard.find_fault(address):
        return fault
    if url.scheme != "https" and not guard.is_allowed(address):
        return f"{address} is not one that it may be sent to over {url.scheme}"
    return ""


def sign(identity: str, at: str, body: bytes, key: bytes) -> str:
    """Return the signature header of a push: `v1,` and base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`."""
    signed = b".".join((identity.encode("ascii"), at.encode("ascii"), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def judge(status: int, headers: Mapping[str, str], now: datetime) -> Outcome:
    """Return the outcome of an HTTP status.

    2xx is accepted; 410 is gone; 400, 413, 415 and 422 refuse this push. All else is retried, 429 and 503 when they
    ask for it (RFC 9110 §10.2.3), within an hour.
    """
    if 200 <= status < 300:
        return Done()
    text = f"It answered with status {status}"
    if status == _GONE:
        return Failed(problem=Problem(code=ProblemCode.PUSH_GONE, text=f"{text}."))
    if status in _REFUSES_CONTENT:
        return Failed(problem=Problem(code=ProblemCode.PUSH_REFUSED, text=f"{text}."))
    hint = ", and redirects are not followed" if 300 <= status < 400 else ""
    after = _pause(headers.get("retry-after", ""), now) if status in _PAUSES else None
    return Retry(problem=Problem(code=ProblemCode.PUSH_DEFERRED, text=f"{text}{hint}."), after=after)


def _pause(text: str, now: datetime) -> timedelta | None:
    """Return the pause that Retry-After asks for in seconds or as a date, an hour at most; None where it is none."""
    try:
        if text.isascii() and text.isdecimal():
            pause = timedelta(seconds=min(int(text[:9]), 1_000_000))
        else:
            until = parsedate_to_datetime(text)
            pause = (until if until.tzinfo is not None else until.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError):
        return None
    return min(max(pause, timedelta(0)), _LONGEST_PAUSE)


def _host(url: httpx2.URL) -> str:
    return url.raw_host.decode("ascii")  # as A-labels, the form in DNS and certificates


def _authority(url: httpx2.URL) -> str:
    host = f"[{_host(url)}]" if ":" in _host(url) else _host(url)
    return host if url.port in {None, _PORTS[url.scheme]} else f"{host}:{url.port}"


def _failed_exchange(host: str, address: str, error: Exception) -> MailAttempt:
    cause = str(error)[:200]
    verifying = _verification_error(error)
    if verifying is not None:
        return _deferred(
            host, f"Its certificate is not good: {verifying}.", ProblemCode.TLS_POLICY, cause, address=address
        )
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
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


def _tls_of(response: httpx2.Response) -> str:
    stream = response.extensions.get("network_stream")
    secured = stream.get_extra_info("ssl_object") if stream is not None else None
    if secured is None:
        return ""
    cipher = secured.cipher()
    return f"{secured.version()} {cipher[0] if cipher else ''}".strip()
