"""One connection to a mail server: octets out, replies in one by one, TLS begun on it when asked.

This is the only user of aiosmtplib, whose protocol carries the connection. Its commands are not used: they know exact
codes only, and may send in clear what was meant to be safe. Not here: what is said and what replies mean
(mta.sending.deliver, mta.sending.transaction), how octets become replies (mta.sending.replies). A reply that came
before its command is none to it and forgotten: so is what somebody put behind the reply to STARTTLS (RFC 3207 §6).
"""

import asyncio
import errno
import socket
import ssl
from typing import Final, cast

from aiosmtplib.protocol import SMTPProtocol

from mta.sending.replies import Kind, ReplyReader, ServerReply

# Beyond our own bound, so that the loop's never speaks first.
_LATER: Final = 5.0


class RefusedError(Exception):
    """A reply that is not the one hoped for."""

    def __init__(self, reply: ServerReply) -> None:
        super().__init__(reply.words)
        self.reply = reply


def expect(reply: ServerReply, kind: Kind) -> ServerReply:
    """Return the reply; raises RefusedError where it is of another class."""
    if not reply.is_kind(kind):
        raise RefusedError(reply)
    return reply


class SmtpLine(SMTPProtocol):
    """A line to one server; everything that fails on it is an OSError, no answer in time a TimeoutError."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self._reader = ReplyReader()
        self._lost: OSError | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def open(
        self, connected: socket.socket, context: ssl.SSLContext | None, server_name: str, seconds: float
    ) -> None:
        """Speak over a connected socket, in TLS from the beginning where there is a context."""
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
        """Whether something may still be said over it."""
        return self._lost is None and self.is_connected

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS that is on, None in clear."""
        return self.transport.get_extra_info("ssl_object") if self.transport is not None else None

    def write(self, data: bytes) -> None:
        """Send octets; what was said before them is no reply to them."""
        if not self.is_open:
            raise self._lost or ConnectionResetError
        self._reader.clear()
        super().write(data)

    async def read(self, seconds: float, *, rest: float | None = None) -> ServerReply:
        """Return the next reply; with `rest` also one that began and does not end in so many seconds more."""
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
        """Begin TLS; only an end of the line may follow where it fails."""
        if not self.is_open:
            raise self._lost or ConnectionResetError
        self._reader.clear()
        async with asyncio.timeout(seconds):
            self.transport = await asyncio.get_running_loop().start_tls(
                cast("asyncio.Transport", self.transport),  # uvloop's transports are not asyncio's by class
                self,
                context,
                server_hostname=server_name,
                ssl_handshake_timeout=seconds + _LATER,
            )

    def drop(self) -> None:
        """End it at once; a peer that never answers a TLS shutdown must not hold it."""
        if self.transport is not None:
            self.transport.close()
            cast("asyncio.Transport", self.transport).abort()

    def data_received(self, data: bytes) -> None:
        """Hold it until it is read; a server that floods us is left, and what is held may still be read."""
        if not self._reader.feed(data):
            self._end(ConnectionAbortedError(errno.ECONNABORTED, "reply too long"))
            self.drop()
        self._wake()

    def eof_received(self) -> bool:
        """End it: the transport closes."""
        self._end(ConnectionResetError())
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """End it."""
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
