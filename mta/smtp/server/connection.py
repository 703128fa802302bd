"""One SMTP connection on asyncio: a thin Protocol around the dialogue; TLS upgrades, flow control, closing.

Works on asyncio's own loop and on uvloop. Not here: syntax, order, limits and timers (mta.smtp.engine.dialogue), the
arguments of hooks (mta.smtp.server.hooks), counting connections (gateway.listener). RFC 3207, RFC 8314 §3.3.
"""

import asyncio
import fcntl
import ssl
import struct
import termios
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import cast

from addressbook.people import IpNetwork
from gateway.handshake import feed_tls
from gateway.listener import ConnectionLimits, Listener
from gateway.log_lines import for_log
from gateway.proxied import Proxied
from mta.smtp.engine import replies
from mta.smtp.engine.content import ContentRoom
from mta.smtp.engine.dialogue import Dialogue
from mta.smtp.engine.events import Capabilities, DialogueLimits, Event, Noticed, StartTls
from mta.smtp.server.eager import Unfinished, begin
from mta.smtp.server.hooks import Hooks, MailEnvelope, MailSession, judge_handshake, serve
from mta.smtp.server.quotas import Quotas, SessionQuota
from tls.listening import CertificateRequest, TlsMode

ContextMaker = Callable[[], ssl.SSLContext]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """One listener. `banner_seconds` delays the greeting to catch clients that send first (RFC 5321 §4.3.1).

    Connections from `proxies` begin with the header of the PROXY protocol. AUTH is offered if `listen` gets an
    authenticator.
    """

    hostname: str
    ident: str = "ESMTP"
    tls: TlsMode = TlsMode.OFF
    client_certificate: CertificateRequest = CertificateRequest.NONE
    auth_required: bool = False
    auth_needs_tls: bool = True
    smtp_utf8: bool = True
    bare_addresses: bool = False
    proxies: tuple[IpNetwork, ...] = ()
    banner_seconds: float = 0.0
    limits: DialogueLimits = field(default_factory=DialogueLimits)
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)


class SmtpService:
    """What the connections of one listener share."""

    def __init__(
        self,
        settings: ServerSettings,
        hooks: Hooks,
        *,
        contexts: ContextMaker | None,
        room: ContentRoom | None,
        quotas: Quotas,
    ) -> None:
        if settings.tls is not TlsMode.OFF and contexts is None:
            raise ValueError(f"tls mode {settings.tls} needs contexts")
        self.settings = settings
        self.hooks = hooks
        self.contexts = contexts
        self.room = room
        self.quotas = quotas
        self.implicit_tls = settings.tls is TlsMode.IMPLICIT
        self.terms = Capabilities(
            hostname=settings.hostname,
            ident=settings.ident,
            smtp_utf8=settings.smtp_utf8,
            starttls=settings.tls in {TlsMode.OFFER, TlsMode.REQUIRE},
            tls_required=settings.tls is TlsMode.REQUIRE,
            auth_required=settings.auth_required,
            auth_needs_tls=settings.auth_needs_tls,
            bare_addresses=settings.bare_addresses,
        )

    def make_context(self) -> ssl.SSLContext | None:
        """Return the context for one handshake, None if none is available now."""
        if self.contexts is None:
            return None
        try:
            return self.contexts()
        except Exception:
            self.hooks.log.exception("tls_context_failed")
            return None


class SmtpConnection(asyncio.Protocol):
    """One connection; also the `server` argument of hooks, which may read every attribute without underscore."""

    def __init__(self, service: SmtpService, listener: Listener, proxied: Proxied | None = None) -> None:
        self.loop = listener.loop
        self.hostname = service.settings.hostname
        self.hooks = service.hooks
        self.event_handler = service.hooks.handler
        self.session = MailSession(self.loop)
        self.envelope = MailEnvelope()
        self.transport: asyncio.Transport | None = None
        self._service = service
        self._listener = listener
        self._proxied = proxied
        self.dialogue = Dialogue(
            service.terms,
            service.settings.limits,
            now=self.loop.time(),
            tls=service.implicit_tls,
            room=service.room,
        )
        self._task: asyncio.Task[None] | None = None
        self._decrypted: list[bytes] | None = None
        self._encrypted: list[bytes] | None = None
        self._reading_paused = False
        self._blocked_since: float | None = None
        self._closing_since: float | None = None
        self._opened_at = self.loop.time()

    @property
    def waiting_since(self) -> float | None:
        """Since when it waits for a peer that has proven nothing; None while it may not be given up."""
        if self.session.quota.proven:
            return None
        if self._is_shaking_hands:
            return self._opened_at
        return self._closing_since or self._blocked_since or self.dialogue.waiting_since

    @property
    def _is_shaking_hands(self) -> bool:
        return self._encrypted is not None or self._decrypted is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, then begin the handshake or send the greeting."""
        self.transport = transport = cast("asyncio.Transport", transport)
        self.session.peer = transport.get_extra_info("peername")
        if self._proxied is not None:
            self.session.peer = cast("str", self._proxied.client)
        self.session.delivered_replies.confirmed = self._all_confirmed
        address = self.session.client_address
        if (limit := self._listener.admit(self, address, self._proxied)) is not None:
            if self._service.implicit_tls:
                transport.abort()
            else:
                transport.write(f"{replies.TOO_MANY_CONNECTIONS.with_detail(limit)}\r\n".encode())
                transport.close()
            self.dialogue.abandon()
            return
        self.session.quota = SessionQuota(self._service.quotas, address, lambda: self._listener.forgive(address))
        if self._service.implicit_tls:
            self._encrypted = []
            transport.pause_reading()
            self._task = self._listener.start(self._begin_with_tls())
        else:
            self._greet_in_time()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (how it ended makes no difference)
        """End the connection; a running handler continues to its end, its answer is dropped."""
        self.transport = None
        self.session.delivered_replies.lose()
        self.session.quota.close()
        self.dialogue.abandon()
        self._listener.release(self)

    def data_received(self, data: bytes) -> None:
        """Feed the dialogue and act on its events."""
        if self._encrypted is not None:
            self._encrypted.append(data)
            return
        if self._decrypted is not None:
            self._decrypted.append(data)
            return
        self.session.delivered_replies.spoke()
        self.dialogue.receive_data(data)
        self._react()
        if self._task is not None and not self.dialogue.wants_data:
            self._pause_reading()

    def eof_received(self) -> bool:
        """Answer the commands before the end; a half-closed connection in clear stays open until then."""
        self.session.delivered_replies.ended()
        self.dialogue.receive_eof()
        self._react()
        return not self.dialogue.tls and (not self.dialogue.closed or self.session.delivered_replies.in_doubt)

    def pause_writing(self) -> None:
        """Stop answering a peer that does not read."""
        self._blocked_since = self.loop.time()
        self._pause_reading()

    def resume_writing(self) -> None:
        """Go on answering."""
        self._blocked_since = None
        self._resume_reading()
        self._react()

    def tick(self, now: float) -> None:
        """Pass the time on, and cut a peer that does not read or does not close."""
        if self._closing_since is not None:
            if self.dialogue.peer_done and self._all_confirmed() and self.transport is not None:
                self.session.delivered_replies.ended()
                self.transport.close()
            elif now - self._closing_since > self._listener.limits.linger_seconds:
                self.abort()
        elif self._blocked_since is not None:
            if now - self._blocked_since > self._service.settings.limits.command:
                self.abort()
        else:
            self.dialogue.tick(now)
            if self.dialogue.closed:
                self._react()

    def shut_down(self) -> None:
        """Close with 421 once no content is open."""
        self.dialogue.shut_down()
        self._react()

    def give_way(self) -> None:
        """Close now, for one who needs the place; it is no longer counted."""
        self.hooks.log.info("smtp_gave_way", rip=self.session.client_address)
        if self.transport is None or self._is_shaking_hands:
            self.abort()
            return
        if not self.dialogue.closed:
            self.dialogue.close_with(replies.GIVING_WAY)
            self.transport.write(self.dialogue.data_to_send())
        self.transport.close()
        self.loop.call_later(self._listener.limits.linger_seconds, self.abort)  # where it reads nothing

    def abort(self) -> None:
        """Drop the connection now."""
        if self.transport is not None:
            self.transport.abort()

    def _react(self) -> None:
        """Act on events until one needs a hook, which a task then awaits; send the due octets.

        Do nothing while a task acts on them.
        """
        if self._task is not None:
            return
        event = self._next_event()
        if event is None:
            self._flush()
        else:
            self._task = self._listener.start(self._work(event))

    def _next_event(self) -> Event | Unfinished | None:
        """Return the next event whose hook must be awaited, or the rest of a hook that has begun."""
        while self._blocked_since is None and (event := self.dialogue.next_event()) is not None:
            if type(event) in self.hooks.answered_at_once:
                if (rest := begin(serve(self, event))) is not None:
                    return rest
            elif isinstance(event, Noticed):
                self._log_incident(event)
            else:
                return event
        return None

    async def _work(self, event: Event | Unfinished | None) -> None:
        """Serve events in turn; replies of pipelined commands are sent together at the end."""
        try:
            while event is not None:
                if isinstance(event, Unfinished):
                    await event
                elif isinstance(event, StartTls):
                    await self._start_tls()
                else:
                    await serve(self, event)
                event = self._next_event()
        except Exception:
            self.hooks.log.exception("smtp_connection_failed", rip=self.session.client_address)
            self.abort()
        finally:
            self._task = None
        self._resume_reading()
        self._flush()

    def _log_incident(self, event: Noticed) -> None:
        self.hooks.log.warning(
            "smtp_incident",
            incident=event.incident.value,
            rip=self.session.client_address,
            detail=for_log(event.detail),
        )

    async def _start_tls(self) -> None:
        context = self._service.make_context()
        if context is None or self.transport is None or not self._listener.begin_handshake(self):
            self.dialogue.reply(replies.TLS_UNAVAILABLE)
            return
        try:
            # Do not read between the reply and the handshake: a fast client's hello would be lost.
            self.transport.pause_reading()
            self._decrypted = []
            self.dialogue.reply(replies.READY_FOR_TLS)
            self._flush()
            if await self._shake_hands(context):
                self.dialogue.tls_started()
                self._judge_certificate()
                await judge_handshake(self)
        finally:
            self._listener.end_handshake(self)
            self._read_decrypted()

    async def _begin_with_tls(self) -> None:
        """Do the handshake, then greet (RFC 8314 §3.3)."""
        context = self._service.make_context()
        try:
            if context is None or not self._listener.begin_handshake(self):
                self.abort()
                return
            self._decrypted = []
            self.loop.call_soon(self._pass_on_encrypted)
            try:
                if await self._shake_hands(context):
                    self._judge_certificate()
                    self._greet_in_time()
            finally:
                self._listener.end_handshake(self)
        finally:
            self._task = None
            self._read_decrypted()
        self._react()

    async def _shake_hands(self, context: ssl.SSLContext) -> bool:
        assert self.transport is not None
        try:
            transport = await self.loop.start_tls(
                self.transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=self._listener.limits.handshake_seconds,
            )
        except OSError as error:
            # Who hangs up without a word of TLS is mostly a monitor or a proxy that looks whether the port is open.
            log = self.hooks.log.debug if isinstance(error, ConnectionError) else self.hooks.log.info
            log("tls_handshake_failed", rip=self.session.client_address, error=for_log(str(error)))
            transport = None
        if transport is None or self.transport is None:
            self.abort()
            self.connection_lost(None)
            return False
        self.transport = transport
        before, self.session = self.session, MailSession(self.loop)
        self.envelope = MailEnvelope()
        self.session.peer, self.session.quota = before.peer, before.quota
        self.session.delivered_replies.confirmed = self._all_confirmed
        self.session.ssl = {
            name: transport.get_extra_info(name) for name in ("peercert", "cipher", "compression", "ssl_object")
        }
        ssl_object = transport.get_extra_info("ssl_object")
        self.session.tls = f"{ssl_object.version()} {ssl_object.cipher()[0]}"
        self.session.client_certificate = ssl_object.getpeercert() or None
        self.session.client_certificate_der = ssl_object.getpeercert(binary_form=True)
        return True

    def _judge_certificate(self) -> None:
        required = self._service.settings.client_certificate is CertificateRequest.REQUIRE
        if required and self.session.client_certificate_der is None:
            self.hooks.log.warning("client_certificate_missing", rip=self.session.client_address)
            self.dialogue.refuse_everything()

    def _pass_on_encrypted(self) -> None:
        encrypted, self._encrypted = b"".join(self._encrypted or ()), None
        if self.transport is not None:
            feed_tls(self.transport, encrypted)

    def _read_decrypted(self) -> None:
        """Pass on the octets that the peer sent under TLS before we noticed the end of the handshake."""
        decrypted, self._decrypted = self._decrypted or [], None
        for data in decrypted:
            self.dialogue.receive_data(data)

    def _greet_in_time(self) -> None:
        delay = self._service.settings.banner_seconds
        if delay > 0:
            self.loop.call_later(delay, self._greet)
        else:
            self._greet()

    def _greet(self) -> None:
        if self.transport is None:
            return
        early = self._proxied is not None and self._proxied.early
        if not self.dialogue.tls and (early or _waiting(self.transport, termios.FIONREAD)):
            return  # they are read next and end the dialogue: a client must wait for the greeting
        self.dialogue.greet()
        self._flush()

    def _flush(self) -> None:
        """Send the due octets; close if the dialogue is over."""
        transport = self.transport
        if transport is None:
            return
        data = self.dialogue.data_to_send()
        if data:
            # Input before the write was sent without hearing it; a fast client's next command may follow right after.
            told = self.session.delivered_replies.expects and not _waiting(transport, termios.FIONREAD)
            transport.write(data)
            if told:
                self.session.delivered_replies.told(monotonic())
        if self.dialogue.closed and self._closing_since is None:
            self._closing_since = self.loop.time()
            if self.dialogue.peer_done and self.session.delivered_replies.in_doubt:
                return  # QUIT or the end came right behind a mail: `tick` closes once the replies have arrived
            if self.dialogue.peer_done or not transport.can_write_eof():
                transport.close()
                return
            # Closing with unread input resets the connection and may lose the last reply: the peer must close.
            try:
                transport.write_eof()
            except OSError:  # the peer reset it, not yet noticed
                transport.abort()
            else:
                self._resume_reading()

    def _all_confirmed(self) -> bool:
        """Return whether the peer's system has acknowledged every sent octet."""
        transport = self.transport
        unsent = transport is None or transport.get_write_buffer_size() > 0
        end = self._closing_since is not None and not self.dialogue.peer_done  # the kernel counts it as an octet
        return not unsent and _waiting(transport, termios.TIOCOUTQ) <= end

    def _pause_reading(self) -> None:
        if not self._reading_paused and self.transport is not None:
            self._reading_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and self._blocked_since is None and self.transport is not None:
            self._reading_paused = False
            self.transport.resume_reading()


def _waiting(transport: asyncio.BaseTransport | None, queue: int) -> int:
    """Return how many octets wait in the kernel: unread ones (FIONREAD), or ours not yet confirmed (TIOCOUTQ)."""
    try:
        sock = transport.get_extra_info("socket") if transport is not None else None
        count = fcntl.ioctl(sock.fileno(), queue, b"\0\0\0\0")  # type: ignore[union-attr]  # AttributeError for None
    except (AttributeError, OSError):
        return 0
    return int(struct.unpack("i", count)[0])
