"""The thin asyncio.Protocol under a session: reads and writes a socket, gives the time, one write per burst.

Not here: decisions of SMPP (session), what its events mean (client, simulator).
"""

import asyncio
import math
from typing import Protocol, cast

import structlog

from smpp.session.events import BindRefused, Bound, Ended, EndReason, Event
from smpp.session.session import Session

log = structlog.get_logger()

_CLOSE_SECONDS = 5.0
_STOOD_STILL = 1.0
"""A tick that is so many seconds late says that nothing ran meanwhile."""
_READING = 0.05
"""Seconds for reading what came while nothing ran; the loop reads in each of its turns."""
# If the other side stopped reading, waiting for it to read the rest is pointless.
_NO_GOODBYE = frozenset({EndReason.NO_LIFE, EndReason.ABANDONED, EndReason.NO_UNBIND_ANSWER})


class LinkOwner(Protocol):
    """Hears what happens on a link; no method may block."""

    def on_opened(self, link: "Link") -> None:
        """Handle the connected socket, its TLS handshake done."""

    def on_event(self, link: "Link", event: Event) -> None:
        """Take an event of the session; they come in order."""

    def on_quiet(self, link: "Link") -> None:
        """Handle the end of a burst of events, such as those of one read of the socket."""

    def on_writable(self, link: "Link") -> None:
        """Handle a socket that takes bytes again after it was full."""

    def on_closed(self, link: "Link") -> None:
        """Handle the closed socket; the last event came before."""


class Link(asyncio.Protocol):
    """One connection with its session; `slot` is which of its owner's links it is, `host` where it goes to.

    With `reads_while_full` it reads on while the other side does not read: whoever takes requests from anybody does
    not, since each has an answer that would wait in memory.
    """

    def __init__(
        self, session: Session, owner: LinkOwner, *, slot: str = "", host: str = "", reads_while_full: bool = True
    ) -> None:
        self._reads_while_full = reads_while_full
        self._loop = asyncio.get_running_loop()
        self.session = session
        self.slot = slot
        self.host = host
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._closer: asyncio.TimerHandle | None = None
        self._tick_due = math.inf  # the first is never late
        self._is_catching_up = False
        self._flush_due = False
        self._dispatching = False
        self.writable = True
        self.peer = ""
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.answered: asyncio.Future[None] = self._loop.create_future()
        """Done when the bind was answered, or the link lost before."""

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connected socket."""
        self._transport = cast("asyncio.Transport", transport)
        address = transport.get_extra_info("peername") or ("", 0)
        self.peer = f"{address[0]}:{address[1]}"
        self._owner.on_opened(self)
        self._tick()

    def data_received(self, data: bytes) -> None:
        """Take bytes; send the replies in one write."""
        self.wake()
        self.session.receive_data(data)
        self._dispatch()
        self.flush()

    def eof_received(self) -> bool:
        """Take the other side's end of data; False lets asyncio close the socket."""
        self.session.receive_eof()
        self._dispatch()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the loss of the socket; open requests are answered here at the latest."""
        if exc is not None:
            log.info("smpp_link_lost", host=self.host, peer=self.peer, cause=str(exc))
        for timer in (self._ticker, self._closer):
            if timer is not None:
                timer.cancel()
        self.session.receive_eof()
        self._dispatch()
        self._transport = None
        try:
            self._owner.on_closed(self)
        finally:  # whoever waits for the loss waits for nothing else
            for over in (self.answered, self.lost):
                if not over.done():
                    over.set_result(None)

    def pause_writing(self) -> None:
        """Note that the socket is full."""
        self.writable = False
        if not self._reads_while_full and self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Note that the socket takes bytes again."""
        self.writable = True
        if not self._reads_while_full and self._transport is not None:
            self._transport.resume_reading()
        self._owner.on_writable(self)

    # What the owner calls

    def wake(self) -> None:
        """Give the session the time; due before requests are sent."""
        self.session.wake(self._loop.time())

    def flush(self) -> None:
        """Write the session's bytes, and close the socket if the session is over."""
        if self._transport is None or self._transport.is_closing():
            return  # bytes not taken here were never sent, and the session reports that when it hears of the loss
        data = self.session.data_to_send()
        if data:
            self._transport.write(data)
        if self.session.is_closed():
            self._transport.close()
            self._closer = self._loop.call_later(_CLOSE_SECONDS, self.abort)

    def flush_soon(self) -> None:
        """Write at the end of this turn of the loop, so that many answers become one write."""
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush_now)

    def pump_soon(self) -> None:
        """Hand on the events of a call to the session; its bytes join this turn's one write."""
        self._dispatch()
        self.flush_soon()

    def pump(self) -> None:
        """Hand on the events of a call to the session, and write."""
        self._dispatch()
        self.flush()

    def abort(self) -> None:
        """Drop the connection without a word; the session's open requests are answered as lost."""
        if self._transport is not None:
            self._transport.abort()

    def _flush_now(self) -> None:
        self._flush_due = False
        self.flush()

    def _tick(self) -> None:
        """Have the session judge who is late.

        A process that stood still first reads what came meanwhile: the other side may have been in time.
        """
        now = self._loop.time()
        self._is_catching_up = now > self._tick_due + _STOOD_STILL and not self._is_catching_up
        if self._is_catching_up:
            self.session.wake(now)
        else:
            self.session.tick(now)
        self.pump()
        if not self.session.is_closed():
            self._tick_due = now + (_READING if self._is_catching_up else self.session.tick_seconds)
            self._ticker = self._loop.call_at(self._tick_due, self._tick)

    def _dispatch(self) -> None:
        if self._dispatching:
            return  # the running call takes these too, after its own
        self._dispatching = True
        told = False
        while events := self.session.events():
            told = True
            for event in events:
                try:
                    self._owner.on_event(self, event)
                except Exception:  # the following events must still reach their owner
                    log.exception("smpp_event_failed", event_kind=type(event).__name__, peer=self.peer)
                if isinstance(event, Ended) and event.reason in _NO_GOODBYE:
                    self.abort()
                if isinstance(event, Bound | BindRefused) and not self.answered.done():
                    self.answered.set_result(None)
        self._dispatching = False
        if told:
            try:
                self._owner.on_quiet(self)
            except Exception:  # a fault of ours is no reason to lose the link
                log.exception("smpp_event_failed", event_kind="quiet", peer=self.peer)
