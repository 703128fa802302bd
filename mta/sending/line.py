"""One connection to a mail server: sends octets, returns replies one by one, starts TLS.

The only user of aiosmtplib, for its protocol. Its commands are not used: they know only exact codes, and may send
secrets in clear. Not here: which commands are sent and what replies mean (mta.sending.deliver,
mta.sending.transaction), how octets become replies (mta.sending.replies). A reply that came before its command is
dropped: so are octets injected behind the reply to STARTTLS (RFC 3207 §6).
"""

import asyncio
import errno
import socket
import ssl
from typing import Final, cast

from aiosmtplib.protocol import SMTPProtocol

from mta.sending.replies import ReplyKind, ReplyReader, ServerReply

# Longer than our own bound, so that ours always comes first.
_LATER: Final = 5.0


class RefusedError(Exception):
    """A reply of another class than expected."""

    def __init__(self, reply: ServerReply) -> None:
        super().__init__(reply.words)
        self.reply = reply


def expect(reply: ServerReply, kind: ReplyKind) -> ServerReply:
    """Return the reply; raises RefusedError if it is of another class."""
    if not reply.is_kind(kind):
        raise RefusedError(reply)
    return reply


class SmtpLine(SMTPProtocol):
    """A connection to one server; every failure is an OSError, no answer in time a TimeoutError."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self._reader = ReplyReader()
        self._lost: OSError | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def open(
        self, connected: socket.socket, context: ssl.SSLContext | None, server_name: str, seconds: float
    ) -> None:
        """Use a connected socket, with TLS from the start if there is a context."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                if context is None:
                    await loop.create_connection(lambda: self, sock=connected)
                else:
                    await loop.create_connection(
                        lambda: self,
                        sock=connected,
                        ssl=context,
                        server_hostname=server_name,
                        ssl_handshake_timeout=seconds + _LATER,
                    )
        except BaseException:
            connected.close()
            raise

    @property
    def is_open(self) -> bool:
        """Whether it can still send."""
        return self._lost is None and self.is_connected

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The current TLS, None in clear."""
        return self.transport.get_extra_info("ssl_object") if self.transport is not None else None

    def write(self, data: bytes) -> None:
        """Send octets; earlier input is no reply to them."""
        if not self.is_open:
            raise self._lost or ConnectionResetError
        self._reader.clear()
        super().write(data)

    async def read(self, seconds: float, *, rest: float | None = None) -> ServerReply:
        """Return the next reply; with `rest` also one that begins and does not end within `rest` more seconds."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        has_begun = False
        try:
            async with asyncio.timeout_at(ends_at) as bound:
                while (reply := self._reader.take()) is None:
                    if self._lost is not None:
                        raise self._lost
                    if rest is not None and self._reader.has_begun and not has_begun:
                        has_begun = True
                        bound.reschedule(min(ends_at, loop.time() + rest))
                    self._waiter = loop.create_future()
                    await self._waiter
        except OSError:
            begun = self._reader.take_unfinished() if rest is not None else None
            if begun is None:
                raise
            return begun
        return reply

    async def ask(self, command: bytes, seconds: float) -> ServerReply:
        """Send one command and return the reply to it."""
        self.write(command + b"\r\n")
        return await self.read(seconds)

    async def begin_tls(self, context: ssl.SSLContext, server_name: str, seconds: float) -> None:
        """Begin TLS; if it fails, the connection can only be closed."""
        if not self.is_open:
            raise self._lost or ConnectionResetError
        self._reader.clear()
        async with asyncio.timeout(seconds):
            self.transport = await asyncio.get_running_loop().start_tls(
                cast("asyncio.Transport", self.transport),  # uvloop's transports do not inherit from asyncio's
                self,
                context,
                server_hostname=server_name,
                ssl_handshake_timeout=seconds + _LATER,
            )

    def drop(self) -> None:
        """Close it at once; a peer that never answers a TLS shutdown must not keep it open."""
        if self.transport is not None:
            self.transport.close()
            cast("asyncio.Transport", self.transport).abort()

    def data_received(self, data: bytes) -> None:
        """Hold it until it is read; a flooding server is disconnected, and the held octets can still be read."""
        if not self._reader.feed(data):
            self._end(ConnectionAbortedError(errno.ECONNABORTED, "reply too long"))
            self.drop()
        self._wake()

    def eof_received(self) -> bool:
        """Note the end of input: the transport closes."""
        self._end(ConnectionResetError())
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the loss of the connection."""
        super().connection_lost(exc)
        lost = ConnectionResetError()
        lost.__cause__ = exc
        self._end(lost)

    def _end(self, cause: OSError) -> None:
        self._lost = self._lost or cause
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
