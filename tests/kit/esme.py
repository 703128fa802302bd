"""An ESME for tests: our session in its other role, so that a test says what it sends and awaits what comes."""

import asyncio
import ssl
from contextlib import asynccontextmanager

from smpp.link import Link
from smpp.session.events import Answered, Asked, BindRefused, Ended, EndReason, Unanswered
from smpp.session.limits import SessionLimits
from smpp.session.session import Session
from smpp.session.states import SessionRole
from smpp.wire.bodies import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    DeliverSmResp,
    SubmitSm,
)
from smpp.wire.pdu import Pdu
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tag
from tests.kit.patience import PATIENCE

TRANSMITTER, RECEIVER, TRANSCEIVER = BindTransmitter, BindReceiver, BindTransceiver


class _Line(Link):
    """A link whose octets the test may read and write, and that may stop hearing."""

    def data_received(self, data: bytes) -> None:
        esme = self._owner
        assert isinstance(esme, Esme)
        esme.heard += data
        if not esme.is_deaf:
            super().data_received(data)
        esme.on_quiet(self)

    def write(self, octets: bytes) -> None:
        assert self._transport is not None
        self._transport.write(octets)

    def hold_reading(self) -> None:
        assert self._transport is not None
        self._transport.pause_reading()

    async def until_full(self) -> None:
        """Return once what we write has not moved for a second of the loop's turns."""
        assert self._transport is not None
        left, turns = self._transport.get_write_buffer_size(), 0
        while turns < 100:
            await asyncio.sleep(0.01)
            now = self._transport.get_write_buffer_size()
            left, turns = now, turns + 1 if now == left else 0
        assert left


class Esme:
    """One connection; `answer_with` decides about each delivery: a status, or None for silence.

    `heard` are all octets that came. One that `is_deaf` reads none of them.
    """

    def __init__(self, *, window: int = 5000, interface_version: int = 0x34) -> None:
        self.session = Session(
            SessionRole.ESME, SessionLimits(window=window, response_seconds=60), asyncio.get_running_loop().time()
        )
        self.link = _Line(self.session, self)
        self.heard = b""
        self.is_deaf = self.is_lost = False
        self.delivered: list[Pdu] = []
        self.answer_with = lambda _: Status.ROK
        self.refused_with: int | None = None
        self.end: EndReason | None = None
        self._interface_version = interface_version
        self._news = asyncio.Event()

    async def connect(self, port, context: ssl.SSLContext | None = None):
        await asyncio.get_running_loop().create_connection(lambda: self.link, "127.0.0.1", port, ssl=context)
        return self

    async def bind(self, login, password, kind=TRANSCEIVER):
        """Bind, and return the status."""
        self.link.wake()
        self.session.bind(kind(system_id=login, password=password, interface_version=self._interface_version))
        self.link.pump()
        await self.until(lambda: self.session.was_bound or self.end is not None)
        return Status.ROK if self.session.was_bound else self.refused_with

    def write(self, octets):
        """Send octets as they are."""
        self.link.write(octets)

    def hold_reading(self):
        """Read nothing more."""
        self.link.hold_reading()

    async def until_full(self):
        """Return once the other side reads nothing more of what we write; fails where it reads all."""
        await self.link.until_full()

    def ask(self, body, tlvs=()):
        """Send a request and return the future of its answer, a PDU or why there is none."""
        future = asyncio.get_running_loop().create_future()
        self.link.wake()
        self.session.send(body, future, tuple(tlvs))
        self.link.flush_soon()
        return future

    async def submit(self, to="447700900123", text="Hello", *, tlvs=(), **fields):
        """Submit one SMS and return the answer."""
        values = {"dest_addr_ton": 1, "dest_addr_npi": 1, "registered_delivery": 1, **fields}
        message = text if isinstance(text, bytes) else text.encode("ascii")
        return await self.ask(SubmitSm(destination_addr=to, short_message=message, **values), tlvs)

    async def unbind(self):
        self.link.wake()
        self.session.unbind()
        self.link.pump()
        await self.link.lost

    async def receipts(self, count=1):
        """Return the first so many deliveries once they are there."""
        await self.until(lambda: len(self.delivered) >= count)
        return self.delivered

    async def until(self, predicate):
        async with asyncio.timeout(PATIENCE):
            while not predicate():
                self._news.clear()
                await self._news.wait()

    def on_opened(self, link): ...

    def on_quiet(self, link):
        self._news.set()

    def on_writable(self, link): ...

    def on_closed(self, link):
        self.is_lost = True
        self._news.set()

    def on_event(self, link, event):
        match event:
            case Answered(asyncio.Future() as future, pdu) if not future.done():
                future.set_result(pdu)
            case Unanswered(asyncio.Future() as future, missing) if not future.done():
                future.set_result(missing)
            case Asked(pdu) if isinstance(pdu.body, DeliverSm):
                self.delivered.append(pdu)
                status = self.answer_with(pdu)
                if status is not None:
                    self.session.respond(pdu, DeliverSmResp(), status)
                    link.flush_soon()
            case BindRefused(status):
                self.refused_with = status
            case Ended(reason):
                self.end = reason
        self._news.set()


@asynccontextmanager
async def esme(port, login="", password="", kind=TRANSCEIVER, *, context=None, **options):
    """Give an ESME that is bound where a login is given; its connection is dropped at the end."""
    one = Esme(**options)
    await one.connect(port, context)
    if login:
        assert await one.bind(login, password, kind) == Status.ROK
    try:
        yield one
    finally:
        one.link.abort()
        await one.link.lost


def receipt_words(pdu):
    """Return the words of a receipt's text by name, with its parameters."""
    text = pdu.body.short_message.decode("ascii")
    words = dict(
        part.split(":", 1)
        for part in text.replace("submit date", "submit_date").replace("done date", "done_date").split(" ")
        if ":" in part
    )
    return {**words, "tlv_id": pdu.text(Tag.RECEIPTED_MESSAGE_ID), "tlv_state": pdu.integer(Tag.MESSAGE_STATE)}
