"""A message centre that sends a test's octets: PDUs are written by hand, without the rules of our codec.

Not here: the tests (test_smpp_interop).
"""

import asyncio
import struct
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from smpp.wire.bodies import Command
from tests.kit.patience import PATIENCE
from tests.kit.smpp import NUMBER, Listener, account_of, client_of

RESPONSE = 0x80000000


def pdu(command: int, body: bytes = b"", *, sequence: int = 1, status: int = 0) -> bytes:
    """Return a PDU written by hand, without the rules of our own codec."""
    return struct.pack("!IIII", 16 + len(body), command, status, sequence) + body


def tlv(tag: int, value: bytes) -> bytes:
    return struct.pack("!HH", tag, len(value)) + value


def delivery(
    text: bytes = b"", *, esm_class: int = 0, data_coding: int = 0, behind: bytes = b"", length: int | None = None
) -> bytes:
    """Return the body of a deliver_sm from the number to 12345; `behind` has the octets after short_message."""
    addresses = b"\0\x01\x01" + NUMBER.encode() + b"\0\0\x0112345\0"
    flags = bytes((esm_class, 0, 0)) + b"\0\0" + bytes((0, 0, data_coding, 0))
    return addresses + flags + bytes((len(text) if length is None else length,)) + text + behind


@dataclass
class RawCentre:
    """A message centre with given answers that records requests: command, status, sequence number, body."""

    bind_answer: Callable[[int], bytes]
    submit_answer: Callable[[int], bytes]
    heard: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self._news = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while True:
                length, command, status, sequence = struct.unpack("!IIII", await reader.readexactly(16))
                self.heard.append((command, status, sequence, await reader.readexactly(length - 16)))
                self._news.set()
                if command == Command.BIND_TRANSCEIVER:
                    writer.write(self.bind_answer(sequence))
                elif command == Command.BIND_TRANSMITTER:
                    writer.write(pdu(Command.BIND_TRANSMITTER_RESP, b"centre\0", sequence=sequence))
                elif command == Command.SUBMIT_SM:
                    writer.write(self.submit_answer(sequence))
                elif command == Command.UNBIND:
                    writer.write(pdu(Command.UNBIND_RESP, sequence=sequence))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def say(self, octets: bytes) -> None:
        self._writers[-1].write(octets)

    def hang_up(self) -> None:
        self._writers[-1].close()

    def close(self) -> None:
        for writer in self._writers:
            writer.close()

    def answers_to(self, command: int, sequence: int = 1) -> list[int]:
        """Return the statuses of the client's answers to a request of ours."""
        wanted = (command | RESPONSE, sequence)
        return [status for answered, status, number, _ in self.heard if (answered, number) == wanted]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()


def bound(sequence: int) -> bytes:
    return pdu(Command.BIND_TRANSCEIVER_RESP, b"centre\0", sequence=sequence)


def taken(sequence: int) -> bytes:
    return pdu(Command.SUBMIT_SM_RESP, b"4711\0", sequence=sequence)


@asynccontextmanager
async def raw_centre(bind_answer=bound, submit_answer=taken):
    centre = RawCentre(bind_answer, submit_answer)
    server = await asyncio.start_server(centre.serve, "127.0.0.1", 0)
    centre.port = server.sockets[0].getsockname()[1]
    try:
        yield centre
    finally:
        server.close()
        centre.close()


@asynccontextmanager
async def linked(*, submit_answer=taken, bind_answer=bound, **changes):
    """Run a raw centre and a client bound to it."""
    listener = Listener()
    async with (
        raw_centre(bind_answer, submit_answer) as centre,
        client_of(account_of(centre, **changes), listener) as client,
    ):
        await listener.until(lambda: client.free_window() > 0)
        yield centre, client, listener


async def is_alive(centre: RawCentre) -> bool:
    """Return whether the link still works."""
    sequence = 1000 + len(centre.heard)
    centre.say(pdu(Command.ENQUIRE_LINK, sequence=sequence))
    await centre.until(lambda: centre.answers_to(Command.ENQUIRE_LINK, sequence))
    return sum(command == Command.BIND_TRANSCEIVER for command, *_ in centre.heard) == 1
