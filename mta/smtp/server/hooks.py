"""aiosmtpd's contract with handlers: sessions, envelopes, and the hook for each event of the dialogue.

A handler written for aiosmtpd that uses only the hooks (`handle_EHLO`, `HELO`, `MAIL`, `RCPT`, `DATA`, `RSET`, `NOOP`,
`VRFY`, `QUIT`, `STARTTLS`, `handle_exception`), `server.hostname` and `server.loop` runs unchanged.
Only `handle_CONTENT(server, session, envelope)` is ours, called at DATA before the content comes: None or a refusal.
Not here: bytes, time and TLS (mta.smtp.server.connection), this product's handler (mta.handler).
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

import structlog
from aiosmtpd.smtp import MISSING, AuthResult, Envelope, LoginPassword, Session
from msgspec import Struct

from gateway.log_lines import log_login
from mta.smtp.engine import replies
from mta.smtp.engine.delivered_replies import DeliveredReplies
from mta.smtp.engine.dialogue import Dialogue
from mta.smtp.engine.events import (
    ContentReceived,
    Data,
    Event,
    Hello,
    Login,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Reset,
    Verify,
)
from mta.smtp.engine.replies import Reply
from mta.smtp.engine.sasl import MakeMechanism
from mta.smtp.server.quotas import Quotas, SessionQuota

__all__ = [
    "MISSING",
    "AuthAnswer",
    "AuthResult",
    "Authenticator",
    "Envelope",
    "Hooks",
    "LoginPassword",
    "MailDsn",
    "MailEnvelope",
    "MailSession",
    "RcptDsn",
    "Server",
    "Session",
    "Status",
    "eager_hook",
    "judge_handshake",
    "serve",
]

Authenticator = Callable[..., AuthResult | Awaitable[AuthResult]]
Status = Reply | str | list[str]
_STATUS: Final = (Reply, str, list, type(None))
Hook = TypeVar("Hook", bound=Callable[..., Awaitable[Any]])

_ANY: Final = Quotas()
_HOOKED: Final[Mapping[type[Event], frozenset[str]]] = MappingProxyType(
    {
        Hello: frozenset({"EHLO", "HELO"}),
        Mail: frozenset({"MAIL"}),
        Rcpt: frozenset({"RCPT"}),
        Data: frozenset({"CONTENT"}),
        ContentReceived: frozenset({"DATA"}),
        Reset: frozenset({"RSET"}),
        Noop: frozenset({"NOOP"}),
        Verify: frozenset({"VRFY"}),
        Quit: frozenset({"QUIT"}),
    }
)


class MailDsn(Struct, frozen=True, kw_only=True):
    """The DSN parameters of MAIL: decoded ENVID, and RET as FULL, HDRS or empty (RFC 3461 §4.3, §4.4)."""

    envid: str = ""
    ret: str = ""


class RcptDsn(Struct, frozen=True, kw_only=True):
    """The DSN parameters of one RCPT: NOTIFY in upper case, ORCPT as `type;address` decoded (RFC 3461 §4.1, §4.2)."""

    notify: str = ""
    orcpt: str = ""


def eager_hook(hook: Hook) -> Hook:
    """Mark a hook that rarely waits: it is called without a task, and gets one only if it waits."""
    hook.eager = True  # type: ignore[attr-defined]  # the mark; a function takes any attribute
    return hook


class AuthAnswer(AuthResult):
    """aiosmtpd's result with a `last` challenge, which the client hears before the reply to its AUTH."""

    def __init__(self, *, success: bool, last: bytes, message: str | None = None, auth_data: object = None) -> None:
        super().__init__(success=success, handled=False, message=message, auth_data=auth_data)
        self.last = last


class MailEnvelope(Envelope):
    """aiosmtpd's envelope with the DSN parameters. `rcpt_dsn` runs parallel to `rcpt_tos`.

    During `handle_MAIL` `dsn` is already set; during `handle_RCPT` the last of `rcpt_dsn` belongs to the recipient
    asked about. `mail_from` is `<>` for the null sender, as in aiosmtpd; `mail_options` and `rcpt_options` are raw.
    `size` is the declared one of MAIL (RFC 1870 §6), None if there is none; `require_tls` is REQUIRETLS (RFC
    8689 §2). A hook may set `content_limit`, in octets, below the listener's limit, and `for_postmaster` where it took
    a recipient that the postmaster's mail is for.
    """

    dsn = MailDsn()
    size: int | None = None
    require_tls = False
    content_limit: int | None = None
    for_postmaster = False

    def __init__(self) -> None:
        super().__init__()
        self.rcpt_dsn: list[RcptDsn] = []

    @property
    def reverse_path(self) -> str:
        """The sender's address, empty for the null sender."""
        return "" if self.mail_from in {None, "<>"} else str(self.mail_from)


class MailSession(Session):
    """aiosmtpd's session with what the handshake proved.

    `client_address` is the IP address of `peer` without its port, empty if there is none.
    `delivered_replies` knows which replies to its mails the client has heard. `tls` is such as
    `TLSv1.3 TLS_AES_256_GCM_SHA384`, empty in clear. The certificate fields are those of a client certificate that the
    context accepted: DER octets, and the form of `ssl.SSLSocket.getpeercert`. `unheard_login` is the result of an AUTH
    whose last challenge is unanswered. `quota` is what the session may still use.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.tls = ""
        self.delivered_replies = DeliveredReplies()
        self.client_certificate: Mapping[str, Any] | None = None
        self.client_certificate_der: bytes | None = None
        self.unheard_login: AuthAnswer | None = None
        self.quota = SessionQuota(_ANY)

    @property
    def peer(self) -> str | None:
        """The client as its socket names it; aiosmtpd's class declares a text, and has a tuple."""
        return self._peer

    @peer.setter
    def peer(self, peer: str | None) -> None:
        self._peer = peer
        self.client_address = str(peer[0]) if isinstance(peer, tuple) else ""


MechanismsOf = Callable[[MailSession], Mapping[str, MakeMechanism]]


class Hooks:
    """The hooks of one handler, looked up once. `answered_at_once` are the events whose hooks never wait."""

    def __init__(
        self,
        handler: object,
        authenticator: Authenticator | None,
        log: structlog.stdlib.BoundLogger,
        mechanisms: MechanismsOf,
    ) -> None:
        self.handler = handler
        self.authenticator = authenticator
        self.mechanisms = mechanisms if authenticator is not None else _no_mechanisms
        self.log = log
        self.by_name: dict[str, Callable[..., Any]] = {
            name.removeprefix("handle_"): getattr(handler, name) for name in dir(handler) if name.startswith("handle_")
        }
        may_wait = {name for name, hook in self.by_name.items() if not getattr(hook, "eager", False)}
        if "exception" in may_wait:
            may_wait = set(self.by_name)
        self.answered_at_once = frozenset(kind for kind, names in _HOOKED.items() if not names & may_wait)


class Server(Protocol):
    """The first argument of hooks, with what is needed here to call them."""

    hostname: str
    loop: asyncio.AbstractEventLoop
    session: MailSession
    envelope: MailEnvelope
    dialogue: Dialogue
    hooks: Hooks


async def serve(server: Server, event: Event) -> None:
    """Call the hook for an event and answer the dialogue; an error of the hook is logged and becomes 451."""
    try:
        status = await _SERVERS[type(event)](server, event)
        if not isinstance(status, _STATUS):
            raise TypeError(f"a hook returned {type(status).__name__} instead of a status")  # noqa: TRY301
    except Exception as error:  # noqa: BLE001  (whatever a handler raises, the client hears 451)
        status = await _excuse(server, event, error)
    if status is not None and server.dialogue.awaiting_reply:
        server.dialogue.reply(status)


async def judge_handshake(server: Server) -> None:
    """Ask the handler whether a handshake proved enough, RFC 3207 §4.1; aiosmtpd's hook is no coroutine."""
    hook = server.hooks.by_name.get("STARTTLS")
    if hook is None:
        return
    enough = hook(server, server.session, server.envelope)
    if inspect.isawaitable(enough):
        enough = await enough
    if not enough:
        server.dialogue.refuse_everything()


async def _excuse(server: Server, event: Event, error: Exception) -> Status:
    """Log a handler's error and return the client's reply: without the error, unless the handler words it."""
    log = server.hooks.log
    log.error("smtp_handler_failed", command=type(event).__name__, rip=server.session.client_address, exc_info=error)
    hook = server.hooks.by_name.get("exception")
    if hook is not None:
        try:
            status = await hook(error)
        except Exception:
            log.exception("smtp_handler_failed", command="exception", rip=server.session.client_address)
        else:
            if isinstance(status, Reply | str):
                return status
    return replies.LOCAL_ERROR


def _ask(server: Server, hook_name: str, *arguments: object) -> Awaitable[Any]:
    """Call a hook; its status is MISSING if the handler has none."""
    hook: Callable[..., Awaitable[Any]] = server.hooks.by_name.get(hook_name, _missing)
    return hook(server, server.session, server.envelope, *arguments)


async def _missing(*_arguments: object) -> Any:
    return MISSING


def _no_mechanisms(_session: MailSession) -> Mapping[str, MakeMechanism]:
    return {}


async def _hello(server: Server, event: Hello) -> Any:
    server.envelope = MailEnvelope()
    session = server.session
    server.dialogue.offer(server.hooks.mechanisms(session))
    session.extended_smtp = event.extended
    lines = server.dialogue.ehlo_lines()
    if not event.extended:
        status = await _ask(server, "HELO", event.name)
    else:
        status = await _ask(server, "EHLO", event.name, lines)
    if status is MISSING:
        session.host_name = event.name
        return lines if event.extended else f"250 {server.hostname}"
    session.host_name = session.host_name or event.name
    return status


async def _mail(server: Server, event: Mail) -> Any:
    command = event.command
    address, options = command.address or "<>", list(command.options)
    server.envelope = envelope = MailEnvelope()
    envelope.smtp_utf8 = command.smtp_utf8
    envelope.size = command.size
    envelope.require_tls = command.require_tls
    envelope.dsn = MailDsn(envid=command.envid, ret=command.ret)
    status = await _ask(server, "MAIL", address, options)
    if status is MISSING:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return replies.SENDER_OK
    return status


async def _rcpt(server: Server, event: Rcpt) -> Any:
    command, envelope = event.command, server.envelope
    options = list(command.options)
    orcpt = f"{command.orcpt_type};{command.orcpt}" if command.orcpt else ""
    dsn = RcptDsn(notify=",".join(command.notify), orcpt=orcpt)
    envelope.rcpt_dsn.append(dsn)
    try:
        status = await _ask(server, "RCPT", command.address, options)
        if status is MISSING:
            envelope.rcpt_tos.append(command.address)
            envelope.rcpt_options.extend(options)
            status = replies.RECIPIENT_OK
    finally:
        # A hook may add no recipient or several: the lists stay parallel.
        envelope.rcpt_dsn.pop()
        envelope.rcpt_dsn.extend([dsn] * (len(envelope.rcpt_tos) - len(envelope.rcpt_dsn)))
    return status


async def _data(server: Server, _event: Data) -> Any:
    status = await _ask(server, "CONTENT")
    if status is not MISSING and status is not None:
        return status
    room = server.session.quota.room
    refused = room.full if room is not None else None
    if refused is not None:
        return refused
    server.dialogue.take_content(server.envelope.content_limit, room)
    return None


async def _message(server: Server, event: ContentReceived) -> Any:
    server.envelope.content = server.envelope.original_content = event.content
    try:
        status = await _ask(server, "DATA")
    finally:
        server.envelope = MailEnvelope()
        server.dialogue.content_done()
    return replies.OK if status is MISSING else status


async def _reset(server: Server, _event: Reset) -> Any:
    server.envelope = MailEnvelope()
    status = await _ask(server, "RSET")
    return replies.OK if status is MISSING else status


async def _noop(server: Server, event: Noop) -> Any:
    status = await _ask(server, "NOOP", event.argument)
    return replies.OK if status is MISSING else status


async def _verify(server: Server, event: Verify) -> Any:
    status = await _ask(server, "VRFY", event.argument)
    return replies.CANNOT_VERIFY if status is MISSING else status


async def _quit(server: Server, _event: Quit) -> Any:
    status = await _ask(server, "QUIT")
    return replies.GOODBYE if status is MISSING else status


async def _login(server: Server, event: Login) -> Any:
    authenticator = server.hooks.authenticator
    assert authenticator is not None
    given = LoginPassword(event.login, event.password) if event.claim is None else event.claim
    unheard, server.session.unheard_login = server.session.unheard_login, None
    result = (
        unheard
        if event.heard and unheard is not None
        else authenticator(server, server.session, server.envelope, event.mechanism, given)
    )
    if inspect.isawaitable(result):
        result = await result
    if isinstance(result, AuthAnswer) and not event.heard:
        server.session.unheard_login = result
        server.dialogue.challenge(result.last)
        return None
    return _authenticated(server, result, event.mechanism, event.login)


def _authenticated(server: Server, result: AuthResult, mechanism: str, login: bytes) -> Status | None:
    """Apply the result of an AUTH; None if already answered."""
    if not server.dialogue.awaiting_reply:
        return None
    session = server.session
    name, client = login.decode("utf-8", "replace"), session.client_address
    if not result.success:
        status: Status = result.message or replies.AUTH_INVALID
        if str(status).startswith("5"):
            log_login(server.hooks.log, succeeded=False, login=name, client=client, mechanism=mechanism)
        return status
    session.authenticated = True
    session.auth_data = result.auth_data
    session._login_data = getattr(result.auth_data, "login", result.auth_data)  # noqa: SLF001  (its setter only warns)
    log_login(server.hooks.log, succeeded=True, login=name, client=client, mechanism=mechanism)
    return result.message or replies.AUTHENTICATED


_SERVERS: Final[Mapping[type[Event], Callable[[Any, Any], Awaitable[Any]]]] = MappingProxyType(
    {
        Hello: _hello,
        Mail: _mail,
        Rcpt: _rcpt,
        Data: _data,
        ContentReceived: _message,
        Reset: _reset,
        Noop: _noop,
        Verify: _verify,
        Quit: _quit,
        Login: _login,
    }
)
