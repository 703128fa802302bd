"""What the SMPP tests share: parts to submit, a recording listener, a carrier and a client on loopback."""

import asyncio
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import structlog

from smpp.client.account import CarrierAccount, CarrierHost
from smpp.client.client import SmppClient
from smpp.dialect.dialect import Dialect
from smpp.link import Link
from smpp.session.limits import SessionLimits
from smpp.simulator.deliveries import write_receipt
from smpp.simulator.record import Taken
from smpp.simulator.script import ReceiptForm, Script
from smpp.simulator.simulator import Simulator
from sms.message import Alphabet, PartToSubmit, Priority, ReceiptState
from sms.number import MobileNumber, SenderId, SenderKind
from sms.parts import encode_text, encoded_parts
from sms.retry import Ladder
from sms.settings import Unencodable
from tests.kit.clock import Clock
from tests.kit.patience import PATIENCE

NOW = datetime(2026, 11, 23, 16, 15, 30, tzinfo=UTC)
NUMBER = "447700900123"
ACME = SenderId(value="Acme", kind=SenderKind.ALPHANUMERIC)


def encoded(text, *, coding=Alphabet.GSM7, max_parts=20, languages=()):
    return encode_text(text, coding=coding, unencodable=Unencodable.SWITCH, max_parts=max_parts, languages=languages)


def parts_of(text, *, first_key=1, reference=7, coding=Alphabet.GSM7, languages=(), **changes):
    """Return the parts of a text as dispatch gives them to a carrier; keys count from `first_key`."""
    ready = encoded(text, coding=coding, languages=languages)
    part = PartToSubmit(
        part_key=0,
        message_key=first_key,
        message_id="S.20261123-161530.000-test",
        number=MobileNumber(digits=NUMBER),
        sender=ACME,
        alphabet=ready.alphabet,
        udh=b"",
        payload=b"",
        index=1,
        total=len(ready.lengths),
        reference=reference,
        priority=Priority.NORMAL,
        flash=False,
        receipt_wanted=True,
        expires_at=None,
        shifts=ready.shifts,
    )
    return [
        replace(part, part_key=first_key + place, index=place + 1, udh=one.udh, payload=one.payload, **changes)
        for place, one in enumerate(encoded_parts(ready, reference))
    ]


def single_parts(count, *, first_key=1, **changes):
    """Return parts that are each a whole message to its own number."""
    return [
        parts_of(f"message {key}", first_key=key, **{"number": MobileNumber(digits=f"4477009{key:05d}"), **changes})[0]
        for key in range(first_key, first_key + count)
    ]


class Listener:
    """Remembers the events of a carrier; `commit` is awaited before a delivery counts as taken."""

    def __init__(self, commit=None):
        self.answers = {}
        self.late_answers = {}
        self.receipts = []
        self.fragments = []
        self.lists = []
        self.links = {}
        self.log = []
        self._commit = commit
        self._news = asyncio.Event()

    def answered(self, carrier, part_key, outcome):
        assert part_key not in self.answers, f"part {part_key} was answered twice"
        self.answers[part_key] = outcome
        self._say("answered", part_key)

    def answered_late(self, carrier, part_key, outcome):
        assert part_key in self.answers, f"part {part_key} was not given up before"
        self.late_answers[part_key] = outcome
        self._say("answered late", part_key)

    async def reported(self, receipts):
        self.lists.append(len(receipts))
        for receipt in receipts:
            self._say("receipt heard", receipt.carrier_id)
        if self._commit is not None:
            await asyncio.gather(*[self._commit(receipt) for receipt in receipts])
        self.receipts += receipts
        for receipt in receipts:
            self._say("receipt committed", receipt.carrier_id)

    async def arrived(self, fragments):
        for fragment in fragments:
            self._say("fragment heard", fragment.text)
        if self._commit is not None:
            await asyncio.gather(*[self._commit(fragment) for fragment in fragments])
        self.fragments += fragments
        for fragment in fragments:
            self._say("fragment committed", fragment.text)

    def window_changed(self, carrier):
        self._say("window changed", carrier)

    def link_changed(self, state):
        self.links[state.link] = state
        self._say("link changed", state.link)

    def _say(self, what, about):
        self.log.append((what, about))
        self._news.set()

    async def until(self, predicate):
        """Return once the predicate holds; it is tested after every event."""
        async with asyncio.timeout(PATIENCE):
            while not predicate():
                self._news.clear()
                await self._news.wait()


class Logbook(structlog.testing.LogCapture):
    """Remembers log lines, and lets a test wait for one."""

    def __init__(self):
        super().__init__()
        self._news = asyncio.Event()

    def __call__(self, logger, method_name, event_dict):
        self._news.set()
        super().__call__(logger, method_name, event_dict)

    async def until(self, event):
        """Return the first line with the event once there is one."""
        async with asyncio.timeout(PATIENCE):
            while not (lines := [line for line in self.entries if line["event"] == event]):
                self._news.clear()
                await self._news.wait()
        return lines[0]


@contextmanager
def logbook():
    """Capture the log as `structlog.testing.capture_logs` does, in a Logbook."""
    book = Logbook()
    with structlog.testing.capture_logs():
        structlog.get_config()["processors"][:] = [book]
        yield book


FAST = SessionLimits(window=10, response_seconds=5.0)


def account_of(simulator, *, host="127.0.0.1", port=None, **changes):
    """Return the account at one centre, or at `hosts`."""
    values = {
        "name": "alpha",
        "hosts": (CarrierHost(host, port or simulator.port),),
        "system_id": "gateway",
        "password": "secret",
        "limits": FAST,
        "reconnect": Ladder.of_seconds(0.01, 0.02, 0.04, 0.05, least=0.5),
        "dialect": Dialect(),
        **changes,
    }
    return CarrierAccount(**values)


@asynccontextmanager
async def carrier(script=None, *, port=0, **options):
    """Run a sandbox carrier with the account gateway/secret."""
    simulator = Simulator(accounts={"gateway": "secret"}, clock=Clock(NOW), script=script or Script(), **options)
    await simulator.start(port=port)
    try:
        yield simulator
    finally:
        await simulator.stop()


@asynccontextmanager
async def client_of(account, listener):
    """Run a client; stop it without grace at the end."""
    client = SmppClient(account, clock=Clock(NOW), jitter=lambda: 0.0)
    await client.start(listener)
    try:
        yield client
    finally:
        await client.stop(0)


@asynccontextmanager
async def bound_pair(script=None, *, commit=None, options=None, **changes):
    """Run a carrier and a client that is bound to it; both speak the script's dialect."""
    script = script or Script()
    listener = Listener(commit)
    async with carrier(script, **(options or {})) as simulator:
        account = account_of(simulator, **{"dialect": script.dialect, **changes})
        async with client_of(account, listener) as client:
            await listener.until(lambda: client.free_window() > 0)
            yield simulator, client, listener


async def submit_all(client, listener, parts):
    """Submit as the window allows, like dispatch, and return when every part is answered."""
    rest = list(parts)
    while rest:
        await listener.until(lambda: client.free_window() > 0)
        room = client.free_window()
        now, rest = rest[:room], rest[room:]
        client.submit(now)
    await listener.until(lambda: all(part.part_key in listener.answers for part in parts))


def only_link(client: SmppClient) -> Link:
    """Return the one link of a client that is up."""
    (link,) = client._links
    return link


class _Spy:
    """A transport whose writes are seen."""

    def __init__(self, transport: Any, *, passing: bool) -> None:
        self.written: list[bytes] = []
        self._transport = transport
        self._passing = passing

    def write(self, octets: bytes) -> None:
        self.written.append(octets)
        if self._passing:
            self._transport.write(octets)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def spy_on(link: Link, *, passing: bool) -> list[bytes]:
    """Return a list that gets each write of a link from now on; `passing` says whether it goes out as well."""
    spy = _Spy(link._transport, passing=passing)
    link._transport = cast("asyncio.Transport", spy)
    return spy.written


def receipt_for(taken: Taken, state: ReceiptState = ReceiptState.DELIVERED, receipt_id: int | str | None = None):
    """Return the deliver_sm of a receipt for a part that a simulator took; its `deliver_raw` brings it."""
    return write_receipt(
        receipt_id=taken.id_number if receipt_id is None else receipt_id,
        source=taken.submitted.number,
        destination="",
        state=state,
        error="000",
        submitted_at=datetime.now(UTC),
        done_at=datetime.now(UTC),
        form=ReceiptForm.BOTH,
        dialect=Dialect(),
    )
