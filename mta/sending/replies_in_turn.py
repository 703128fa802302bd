"""Several commands in one write, their replies one by one, for a client protocol that reads one reply per command.

`RepliesInTurn` stands between a transport and aiosmtplib's protocol, which drops whatever comes before it asks. Only
between `begin` and `finish` does it hold anything back; nothing is parsed but where a reply ends. Not here: which
commands go out together and what their replies mean (mta.sending.transaction). RFC 2920, RFC 5321 §4.2.1.
"""

import asyncio
from collections.abc import Callable

# aiosmtplib refuses a reply of more than 32 KiB: it gets what it needs to see that.
_LONGEST_REPLY = 32_768


class RepliesInTurn(asyncio.Protocol):
    """Takes the place of a transport's protocol and passes everything on to it; replies to a group in turn."""

    def __init__(self, transport: asyncio.Transport, behind: asyncio.Protocol) -> None:
        """Take the place of the protocol behind."""
        self._transport = transport
        self._behind = behind
        self._in_group = False
        self._wanted = False
        self._held = bytearray()
        self._ends: list[Callable[[], object]] = []
        transport.set_protocol(self)

    def begin(self) -> None:
        """Hold replies back from now on, since a group of commands is about to go out; drop what nobody asked for."""
        self._in_group = True
        self._held.clear()

    def want(self) -> None:
        """Pass on the next reply once the protocol behind waits for it, as it must before it gives up control."""
        asyncio.get_running_loop().call_soon(self._pass_when_whole, True)

    def finish(self) -> None:
        """Hold nothing back any more; drop what nobody asked for."""
        self._in_group = self._wanted = False
        self._held.clear()
        self._pass_ends()

    def data_received(self, data: bytes) -> None:
        """Pass it on, or keep it until it is wanted."""
        if not self._in_group:
            self._behind.data_received(data)
            return
        self._held += data
        self._pass_when_whole(self._wanted)
        if len(self._held) > 2 * _LONGEST_REPLY:
            self._transport.abort()  # it floods us: what is held already may still be read

    def eof_received(self) -> bool | None:
        """Pass it on after the replies that came before; the transport closes."""
        if not self._in_group:
            return self._behind.eof_received()
        self._ends.append(self._behind.eof_received)
        self._pass_when_whole(self._wanted)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on after the replies that came before."""
        if not self._in_group:
            self._behind.connection_lost(exc)
            return
        self._ends.append(lambda: self._behind.connection_lost(exc))
        self._pass_when_whole(self._wanted)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._behind.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._behind.resume_writing()

    def _pass_when_whole(self, wanted: bool) -> None:  # noqa: FBT001 - a callback's argument
        self._wanted = wanted and self._in_group
        if not self._wanted:
            return
        end = _end_of_reply(self._held)
        if end == 0 and len(self._held) > _LONGEST_REPLY:
            end = len(self._held)
        if end:
            self._wanted = False
            reply = bytes(self._held[:end])
            del self._held[:end]
            self._behind.data_received(reply)
        elif self._ends:
            self._wanted = False
            self._pass_ends()

    def _pass_ends(self) -> None:
        ends, self._ends = self._ends, []
        for end in ends:
            end()


def _end_of_reply(data: bytearray) -> int:
    """Return how many octets the first reply has, 0 where it is not whole (RFC 5321 §4.2.1)."""
    start = 0
    while end := data.find(b"\n", start) + 1:
        if data[start + 3 : start + 4] != b"-":
            return end
        start = end
    return 0
