"""Delivers one mail by SMTP, by MX or route, under the TLS that the recipient's domain demands.

No MAIL and no AUTH is sent before the connection is judged (tls.policy), and once TLS has begun nothing continues
without it. Not here: which hosts in which order (mta.sending.attempts), octets and replies (mta.sending.line), a mail
over an open connection (mta.sending.transaction), what answers mean (mta.sending.answers). RFC 5321, RFC 3207, RFC
4954.
"""

import asyncio
import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from typing import NoReturn

from mta.sending.answers import DeliveryFault, Stage, clean_reply
from mta.sending.attempts import Call, Deliverer, FaultError
from mta.sending.line import RefusedError, SmtpLine, expect
from mta.sending.login import EXTERNAL, WRONG_MECHANISM, password_exchanges
from mta.sending.outgoing import DeliverySettings, TlsFailureTaker
from mta.sending.replies import ReplyKind, ServerReply, read_extensions
from mta.sending.routes import Route, RouteTable
from mta.sending.targets import MailTarget, Planner
from mta.sending.transaction import POLITE_SECONDS, MailTransaction, seconds_left
from tls.contexts import ClientContexts, ContextError, read_peer, role_of
from tls.dane import find_dane_fault
from tls.mtasts import StsLookup
from tls.mx import AddressGuard
from tls.policy import Demand, PolicyTable, StsMode, TlsLevel
from tls.resolver import Resolver
from tls.result_types import ResultType
from tls.sessions import TlsSessions
from tls.verdict import NO_REQUIRETLS, Achieved, TlsVerdict, explain_refusal, judge
from tls.webpki import Authorities

Clock = Callable[[], float]
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL


class ClientConnection:
    """One open, judged and, if the route says so, logged-in connection; fulfils mta.sending.transaction.Wire."""

    def __init__(  # noqa: PLR0913, PLR0917 - what was found out on the way here
        self,
        line: SmtpLine,
        extensions: Mapping[str, str],
        call: Call,
        settings: DeliverySettings,
        monotonic: Clock,
        ended: Callable[[], None],
    ) -> None:
        self.address = call.address
        self.tls = call.tls
        self.require_tls = call.demand.policy.require_tls
        self._line = line
        self._extensions = extensions
        self._patience = settings.patience
        self._monotonic = monotonic
        self._mails_left = settings.mails_per_connection
        self._ended = ended
        self._in_step = True

    @property
    def usable(self) -> bool:
        """Whether it can take another mail."""
        return self._in_step and self._line.is_open and self._mails_left > 0

    async def send(self, sender: str, recipient: str, message: bytes, deadline: float) -> str:
        """Run one transaction and return the last reply; raises `FaultError`, after which only `close` may follow."""
        self._mails_left -= 1
        transaction = MailTransaction(self, self._patience, self._monotonic)
        try:
            return await transaction.send(sender, recipient, message, deadline)
        finally:
            self._in_step = transaction.in_step

    def find_extension(self, name: str) -> str | None:
        """Return the parameters of an extension that the server offers, None if it does not."""
        return self._extensions.get(name)

    def write(self, stage: Stage, data: bytes) -> None:
        """Send octets; earlier input is no reply to them."""
        with _faults_of(stage):
            self._line.write(data)

    async def read(self, stage: Stage, seconds: float) -> ServerReply:
        """Return the next reply; after the content an unfinished one counts, so that no mail is sent twice."""
        with _faults_of(stage):
            return await self._line.read(seconds, rest=self._patience.rest if stage is Stage.CONTENT else None)

    async def close(self) -> None:
        """Close it soon, with QUIT if the peer still answers."""
        self._ended()
        if self._in_step:
            with suppress(OSError):
                await self._line.ask(b"QUIT", POLITE_SECONDS)
        self._line.drop()


class SmtpOpener:
    """Connects to hosts: EHLO, TLS, judgement, login."""

    def __init__(
        self,
        settings: DeliverySettings,
        planner: Planner,
        contexts: ClientContexts,
        *,
        now: Callable[[], datetime],
        monotonic: Clock,
    ) -> None:
        self._settings = settings
        self._patience = settings.patience
        self._planner = planner
        self._contexts = contexts
        self._now = now
        self._monotonic = monotonic
        self._sessions = TlsSessions(monotonic=monotonic)
        self._authorities = Authorities(contexts.system_bundle())

    async def open(self, call: Call) -> ClientConnection:
        """Make the call and judge the host."""
        if call.demand.blocked:
            _refuse(call.demand, judge(call.demand, Achieved(encrypted=False)))
        context = self._find_context(call.target, call.demand)
        addresses = await self._planner.find_addresses(call.target)
        if isinstance(addresses, DeliveryFault):
            raise FaultError(addresses)
        fault = DeliveryFault(stage=Stage.CONNECT, cause="no address")
        for address in addresses:
            call.address = address
            try:
                opened = await self._connect(call)
            except FaultError as error:
                fault = error.fault
                continue
            return await self._converse(opened, call, context)
        raise FaultError(fault)

    def _find_context(self, target: MailTarget, demand: Demand) -> ssl.SSLContext:
        try:
            return self._contexts.get(role_of(demand, target.route.certificate if target.route else None))
        except ContextError as error:
            _refuse(demand, TlsVerdict(granted=False, cause=str(error), status="4.7.5"))

    async def _connect(self, call: Call) -> socket.socket:
        opened = socket.socket(socket.AF_INET6 if ":" in call.address else socket.AF_INET, socket.SOCK_STREAM)
        opened.setblocking(False)
        try:
            with _faults_of(Stage.CONNECT):
                if call.target.source_address:
                    opened.bind((call.target.source_address, 0))
                async with asyncio.timeout(seconds_left(call.deadline, self._patience.connect, self._monotonic)):
                    await asyncio.get_running_loop().sock_connect(opened, (call.address, call.target.port))
                call.source = str(opened.getsockname()[0])
        except BaseException:
            opened.close()
            raise
        return opened

    async def _converse(self, opened: socket.socket, call: Call, context: ssl.SSLContext) -> ClientConnection:
        demand, route, deadline = call.demand, call.target.route, call.deadline
        key = (demand, call.target, call.address)
        implicit = route is not None and route.implicit_tls
        line = SmtpLine()
        try:
            # A session has only one certificate; DANE judges the whole chain (RFC 7671 §5.2), so it needs a full
            # handshake.
            with self._sessions.offer(key, context) if not demand.dane_in_force else nullcontext():
                with _faults_of(Stage.HANDSHAKE if implicit else Stage.GREETING, demand):
                    await line.open(opened, context if implicit else None, demand.sni, self._left(deadline))
                    expect(await line.read(self._left(deadline)), ReplyKind.YES)
                if not implicit:
                    extensions = await self._greet(line, deadline, old_too=not demand.tls_required)
                    await self._secure(line, extensions, demand, context, deadline)
            self._judge_connection(line, call)
            if call.tls:
                extensions = await self._greet(line, deadline, old_too=True)
            if demand.policy.require_tls and "requiretls" not in extensions:
                cause = "the server does not offer REQUIRETLS"
                _refuse(demand, TlsVerdict(granted=False, cause=cause, status=NO_REQUIRETLS))
            if route is not None:
                await self._log_in(line, extensions, route, deadline)
        except BaseException:
            line.drop()
            raise
        ended = partial(self._sessions.keep, key, line.tls) if line.tls is not None else _nothing
        return ClientConnection(line, extensions, call, self._settings, self._monotonic, ended)

    def _left(self, deadline: float) -> float:
        return seconds_left(deadline, self._patience.command, self._monotonic)

    async def _greet(self, line: SmtpLine, deadline: float, *, old_too: bool) -> Mapping[str, str]:
        """Return the extensions that the server offers."""
        name = self._settings.helo.encode()
        with _faults_of(Stage.HELLO):
            reply = await line.ask(b"EHLO " + name, self._left(deadline))
            if reply.is_kind(ReplyKind.NO) and old_too:
                # RFC 5321 §3.2, §4.1.4: it does not know EHLO, whatever its code, and so no extension
                with suppress(OSError):
                    old = await line.ask(b"HELO " + name, self._left(deadline))
                    reply = old if old.is_kind(ReplyKind.YES) else reply
            return read_extensions(expect(reply, ReplyKind.YES))

    async def _secure(
        self, line: SmtpLine, extensions: Mapping[str, str], demand: Demand, context: ssl.SSLContext, deadline: float
    ) -> None:
        """Begin TLS if it is demanded, or offered and not disabled; any failure then ends the connection."""
        if demand.level is TlsLevel.NONE:
            return
        if "starttls" not in extensions:
            if demand.tls_required:
                result = ResultType.STARTTLS_NOT_SUPPORTED
                cause = "the server does not offer STARTTLS"
                _refuse(demand, TlsVerdict(granted=False, cause=cause, status="4.7.4", result=result))
            return
        with _faults_of(Stage.STARTTLS, demand):
            seconds = seconds_left(deadline, self._patience.handshake, self._monotonic)
            expect(await line.ask(b"STARTTLS", seconds), ReplyKind.YES)
            await line.begin_tls(context, demand.sni, seconds)

    def _judge_connection(self, line: SmtpLine, call: Call) -> None:
        """Note TLS and verdict in the call; raises if the connection does not meet the demand."""
        demand, now = call.demand, self._now()
        if not line.is_open:
            raise FaultError(DeliveryFault(stage=Stage.HELLO, cause="connection lost"))
        tls = line.tls
        achieved = Achieved(encrypted=False)
        if tls is not None:
            cipher, peer = tls.cipher(), read_peer(tls)
            chain, names = (peer.chain, peer.names) if peer else ((), ())
            tests = demand.sts.mode is StsMode.TESTING and not demand.dane_in_force
            achieved = Achieved(
                encrypted=True,
                version=tls.version() or "",
                cipher=cipher[0] if cipher else "",
                trusted=tls.context.verify_mode is ssl.CERT_REQUIRED,
                names=names,
                certificate=peer.certificate if peer else "",
                public_key=peer.public_key if peer else "",
                dane_fault=_find_dane_fault(demand, chain, names, now),
                testing_fault=self._authorities.find_fault(demand, chain, names, now) if tests else None,
            )
            call.tls = f"{achieved.version} {achieved.cipher}"
            call.chain = chain
        call.verdict = verdict = judge(demand, achieved)
        if not verdict.granted:
            _refuse(demand, verdict, tls_begun=achieved.encrypted)

    async def _log_in(self, line: SmtpLine, extensions: Mapping[str, str], route: Route, deadline: float) -> None:
        offered = extensions.get("auth", "")
        if route.login is not None:
            with _faults_of(Stage.AUTH):
                password = (await asyncio.to_thread(route.login.password_file.read_text, "utf-8")).rstrip("\r\n")
            ways = password_exchanges(offered, route.login.user, password)
            if not ways:
                cause = f"the server offers AUTH {offered or 'not at all'}, we know PLAIN and LOGIN"
                raise FaultError(DeliveryFault(stage=Stage.AUTH, cause=clean_reply(cause)))
        elif route.certificate is not None and "external" in offered.lower().split():
            ways = (EXTERNAL,)
        else:
            return
        if line.tls is None:
            raise FaultError(DeliveryFault(stage=Stage.AUTH, cause="no login goes out without TLS"))
        with _faults_of(Stage.AUTH):
            for way in ways:
                reply = await self._say_in_turn(line, way, deadline)
                if not (reply.is_kind(ReplyKind.NO) and reply.code in WRONG_MECHANISM):
                    break
            expect(reply, ReplyKind.YES)

    async def _say_in_turn(self, line: SmtpLine, steps: Sequence[bytes], deadline: float) -> ServerReply:
        """Send the steps in turn while the server asks for more; returns its last reply."""
        for step in steps:
            reply = await line.ask(step, self._left(deadline))
            if not reply.is_kind(ReplyKind.GO_ON):
                break
        return reply


def deliverer_of(  # noqa: PLR0913 - the process hands in each collaborator by name
    settings: DeliverySettings,
    *,
    resolver: Resolver,
    policies: Callable[[], PolicyTable],
    routes: RouteTable,
    contexts: ClientContexts,
    guard: AddressGuard,
    sts: StsLookup | None = None,
    on_tls_failure: TlsFailureTaker | None = None,
    shuffle: Callable[[list[str]], None] = random.shuffle,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Clock = time.monotonic,
) -> Deliverer:
    """Return what delivers mails, several at a time; each calls `policies`, which may raise: then the mail waits.

    `shuffle`, `now` and `monotonic` are the only randomness and clocks. `on_tls_failure` is called at the first failure
    of a destination in a row and at every `alert_after`th.
    """
    planner = Planner(
        resolver=resolver,
        routes=routes,
        guard=guard,
        sts=sts,
        shuffle=shuffle,
        port=settings.port,
        own_name=settings.helo,
        source_address=settings.source_address,
    )
    return Deliverer(
        settings,
        opener=SmtpOpener(settings, planner, contexts, now=now, monotonic=monotonic),
        planner=planner,
        routes=routes,
        policies=policies,
        on_tls_failure=on_tls_failure,
        monotonic=monotonic,
    )


def _nothing() -> None:
    """Keep no session of a connection in clear."""


def _find_dane_fault(demand: Demand, chain: tuple[bytes, ...], names: tuple[str, ...], now: datetime) -> str:
    if not demand.dane_in_force:
        return ""
    # RFC 7672 §3.2.2: the TLSA base domain, the host, and the recipient's domain
    reference = tuple(dict.fromkeys((demand.dane.base, demand.host, demand.domain)))
    return find_dane_fault(demand.dane.records, chain, names, reference, now)


def _refuse(demand: Demand, verdict: TlsVerdict, *, tls_begun: bool = False) -> NoReturn:
    fault = DeliveryFault(stage=Stage.POLICY, cause=explain_refusal(demand, verdict))
    raise FaultError(fault, tls_begun=tls_begun, verdict=verdict)


@contextmanager
def _faults_of(stage: Stage, tls: Demand | None = None) -> Iterator[None]:
    """Turn a refusal and all errors of asyncio and ssl into the fault of a stage; `tls` if TLS is just beginning."""
    try:
        yield
    except (RefusedError, OSError, ValueError) as error:
        code = error.reply.code if isinstance(error, RefusedError) else 0
        cause = _say(error)
        if stage is Stage.HANDSHAKE and code:
            stage = Stage.GREETING  # implicit TLS succeeded: the host itself answers
        if tls is not None and stage in {Stage.STARTTLS, Stage.HANDSHAKE}:
            begun = stage is Stage.STARTTLS
            words = f"TLS failed: {code} {cause}" if code else f"TLS failed: {cause}"
            verdict = TlsVerdict(granted=False, cause=words, status="4.7.5", result=_result_of(error, tls))
            raise FaultError(
                DeliveryFault(stage=stage, cause=explain_refusal(tls, verdict)), tls_begun=begun, verdict=verdict
            ) from error
        raise FaultError(DeliveryFault(stage=stage, code=code, cause=cause)) from error


def _result_of(error: BaseException, demand: Demand) -> ResultType | None:
    """Return what a TLS report calls a TLS that did not come about."""
    if isinstance(error, RefusedError):
        return ResultType.STARTTLS_NOT_SUPPORTED
    while error.__cause__ is not None and not isinstance(error, TimeoutError):
        error = error.__cause__
    if not isinstance(error, ssl.SSLCertVerificationError):
        return ResultType.VALIDATION_FAILURE
    if not demand.sts_in_force:
        return None  # a rule of ours asked for the authority
    return ResultType.CERTIFICATE_EXPIRED if error.verify_code == _EXPIRED else ResultType.CERTIFICATE_NOT_TRUSTED


def _say(error: BaseException) -> str:
    """Describe an exception briefly, by its first cause, except for a timeout, whose cause is a cancellation."""
    while error.__cause__ is not None and not isinstance(error, TimeoutError):
        error = error.__cause__
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not verified: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "protocol error").lower().replace("_", " ")
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, RefusedError):
        return clean_reply(error.reply.words)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "connection lost" if isinstance(error, ConnectionError) else type(error).__name__
