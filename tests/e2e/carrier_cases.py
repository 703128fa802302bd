"""A message centre that plays what real carriers do, octet by octet, and the rows that are tried with it.

Each row is a carrier of its own in one gateway: it serves the one prefix that is the row's, so that a mail to a number
of that prefix is tried on it. `plays` says what the centre does with a submit_sm; what it should come to is the row's
too. Not here: rows that need more than one mail or another question, which are tests of their own
(test_carrier_cases); what a PDU by hand looks like (tests.kit.smpp_raw).
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from smpp.wire.bodies import Command, SubmitSm
from smpp.wire.pdu import decode
from tests.kit.patience import PATIENCE
from tests.kit.smpp_raw import RESPONSE, pdu, tlv

DELIVERED = "Reported by the network"


class Centre:
    """One carrier. What it heard is in `heard`, each submit_sm in `submits`; both live as long as the centre.

    One that `hangs_up_when_bound` answers each bind and closes the connection.
    """

    def __init__(self, plays: "Play", *, hangs_up_when_bound: bool = False) -> None:
        self._plays = plays
        self._hangs_up_when_bound = hangs_up_when_bound
        self.heard: list[tuple[int, int, int]] = []
        self.binds = 0
        self.faults: list[BaseException] = []
        self.submits: list[Submit] = []
        self.port = 0
        self._sequence = 0
        self._writer: asyncio.StreamWriter | None = None
        self._news = asyncio.Event()
        self._playing: set[asyncio.Task] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        try:
            while True:
                head = await reader.readexactly(16)
                length, command, status, sequence = struct.unpack("!IIII", head)
                octets = head + await reader.readexactly(length - 16)
                self.heard.append((command, status, sequence))
                if command == Command.BIND_TRANSCEIVER:
                    self.binds += 1
                    self.say(command | RESPONSE, b"centre\0", sequence=sequence)
                    if self._hangs_up_when_bound:
                        self.hang_up()
                elif command == Command.SUBMIT_SM:
                    asked = decode(octets)
                    assert isinstance(asked.body, SubmitSm)
                    parameters: dict[int, object] = dict(asked.tlvs)
                    self.submits.append(Submit(self, len(self.submits), sequence, asked.body, parameters))
                    self._begin(self._plays(self.submits[-1]))
                elif command in (Command.UNBIND, Command.ENQUIRE_LINK):
                    self.say(command | RESPONSE, sequence=sequence)
                self._news.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def say(self, command: int, body: bytes = b"", *, sequence: int, status: int = 0) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(pdu(command, body, sequence=sequence, status=status))

    async def deliver(self, body: bytes = b"", command: int = Command.DELIVER_SM) -> int:
        """Say a request and return the status that it is answered with."""
        self._sequence += 1
        asked = (command | RESPONSE, 0x10000 + self._sequence)
        self.say(command, body, sequence=asked[1])
        await self.until(lambda: any((heard, number) == asked for heard, _, number in self.heard))
        return next(status for heard, status, number in self.heard if (heard, number) == asked)

    def hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()

    async def until(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def _begin(self, playing: Awaitable[None]) -> None:
        task = asyncio.ensure_future(playing)
        self._playing.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task) -> None:
        self._playing.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.faults.append(fault)
        self._news.set()

    @property
    def is_done(self) -> bool:
        """Whether all that was begun has been played to its end."""
        return bool(self.submits) and not self._playing

    async def close(self) -> None:
        tasks = list(self._playing)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.hang_up()


@dataclass(frozen=True, kw_only=False)
class Submit:
    """One submit_sm that the centre got: the how-manieth (from 0), and what it says, its `parameters` by tag."""

    centre: Centre
    nth: int
    sequence: int
    body: SubmitSm
    parameters: Mapping[int, object]

    @property
    def number(self) -> str:
        """The handset that it is to."""
        return self.body.destination_addr

    @property
    def id(self) -> str:
        """The id that the centre gives it unless the row gives another."""
        return f"4711{self.nth:04}"

    def answer(self, message_id: str | bytes | None = None, *, status: int = 0, behind: bytes = b"") -> None:
        """Answer it; `message_id` as bytes is the whole body, `behind` are its parameters."""
        chosen = self.id if message_id is None else message_id
        body = chosen if isinstance(chosen, bytes) else chosen.encode() + b"\0"
        self.centre.say(Command.SUBMIT_SM_RESP, body + behind, sequence=self.sequence, status=status)

    async def report(self, word: str = "DELIVRD", **changes) -> int:
        """Bring a receipt of it, and return how it was answered."""
        return await self.centre.deliver(self.receipt(word, **changes))

    def receipt(
        self,
        word: str = "DELIVRD",
        *,
        message_id: str | None = None,
        state: int | None = None,
        esm_class: int = 0x04,
        service_type: bytes = b"",
        text: str = "id:{id} sub:001 dlvrd:001 submit date:2611231600 done date:2611231601 stat:{word} err:000 text:",
        behind: bytes = b"",
    ) -> bytes:
        """Return the body of a deliver_sm; `state` adds receipted_message_id and message_state."""
        named = self.id if message_id is None else message_id
        said = text.format(id=named, word=word).encode("latin-1")
        number = self.number.encode()
        parameters = b"" if state is None else tlv(0x001E, named.encode() + b"\0") + tlv(0x0427, bytes((state,)))
        head = service_type + b"\0\x01\x01" + number + b"\0\0\x0112345\0" + bytes((esm_class, 0, 0, 0, 0, 0, 0, 0, 0))
        return head + bytes((len(said),)) + said + parameters + behind


Play = Callable[[Submit], Awaitable[None]]


def reports(*words: str, answer: str | bytes | None = None, **changes) -> Play:
    """Return a play that takes each submit, and reports these words of it one after the other."""

    async def play(submit: Submit) -> None:
        submit.answer(answer)
        for word in words:
            assert await submit.report(word, **changes) == 0

    return play


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table: what the centre plays, what the operator's file says of it, and what must come of one SMS.

    `mails` are words of each status mail, in order. `submits` is how often the centre may get the part. `log` is an
    event that the gateway's log must have about this carrier, with its level; `status` are words of that command.
    """

    plays: Play
    options: Mapping[str, object] = field(default_factory=dict)
    text: str = "Pump 7 has stopped"
    state: str = "delivered"
    mails: tuple[str, ...] = (DELIVERED,)
    submits: int = 1
    log: tuple[str, str] | None = None
    hangs_up_when_bound: bool = False
    status: str = ""


@asynccontextmanager
async def centres(rows: Mapping[str, Row]):
    """Run one centre per row, and yield them by the rows' names."""
    running: dict[str, Centre] = {}
    servers = []
    try:
        for name, row in rows.items():
            centre = running[name] = Centre(row.plays, hangs_up_when_bound=row.hangs_up_when_bound)
            server = await asyncio.start_server(centre.serve, "127.0.0.1", 0)
            centre.port = server.sockets[0].getsockname()[1]
            servers.append(server)
        yield running
    finally:
        for server in servers:
            server.close()
        for centre in running.values():
            await centre.close()
