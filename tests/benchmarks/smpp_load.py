"""One SMPP client under load, as a program: `python -m tests.benchmarks.smpp_load ours|answers|smpplib PORT COUNT`.

Prints JSON: SMS per second and CPU microseconds per SMS, from the first submit to the last answer, or of `ours` to the last receipt;
of `ours` and `answers` also what half and nearly all of the answers took, in seconds.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from cli.serve import run, tune_gc
from gateway.ports import LinkState
from process.clock import SystemClock
from smpp.client.account import CarrierAccount, CarrierHost
from smpp.client.client import SmppClient
from smpp.session.limits import SessionLimits
from sms.message import Alphabet, InboundFragment, PartToSubmit, Priority, Receipt
from sms.number import MobileNumber, parse_sender_id
from sms.outcome import Done, Outcome
from tests.benchmarks.figures import percentile

_WINDOW = 100
_TEXT = b"Your delivery 80012345 arrives today between 14:00 and 16:00."


class _Meter:
    def __init__(self, count: int) -> None:
        self._count = count
        self._cpu = time.process_time()
        self._began = time.monotonic()

    def told(self, answers: Sequence[float] = ()) -> str:
        cpu, taken = time.process_time() - self._cpu, time.monotonic() - self._began
        told = {"rate": self._count / taken, "cpu": cpu * 1e6 / self._count}
        if answers:
            told |= {"p50": percentile(answers, 50), "p99": percentile(answers, 99)}
        return json.dumps(told)


class _Events:
    """Submits as much as the window takes, until all are answered and receipted."""

    def __init__(self, client: SmppClient, count: int, *, receipts: bool) -> None:
        self._client = client
        self._open = count
        self._receipts = count if receipts else 0
        self.bound = asyncio.Event()
        self.done = asyncio.Event()
        self._parts = [_part(key, receipts=receipts) for key in range(1, count + 1)]
        self._sent_at: dict[int, float] = {}
        self.answers: list[float] = []

    def answered(self, _carrier: str, part_key: int, outcome: Outcome) -> None:
        assert isinstance(outcome, Done), outcome
        self.answers.append(time.monotonic() - self._sent_at.pop(part_key))
        self._open -= 1
        self._look()

    def answered_late(self, _carrier: str, _part_key: int, outcome: Outcome) -> None:
        raise AssertionError(f"{outcome} came late")

    async def reported(self, receipts: Sequence[Receipt]) -> None:
        self._receipts -= len(receipts)
        self._look()

    async def arrived(self, fragments: Sequence[InboundFragment]) -> None:
        raise AssertionError("nothing was sent to us")

    def link_changed(self, state: LinkState) -> None:
        """Hear nothing: the window says when there is a link."""

    def window_changed(self, _carrier: str) -> None:
        if not self.bound.is_set():
            if self._client.free_window():
                self.bound.set()
            return
        self.feed()

    def feed(self) -> None:
        room = self._client.free_window()
        if room and self._parts:
            now = self._parts[-room:]
            del self._parts[-room:]
            self._sent_at |= dict.fromkeys((part.part_key for part in now), time.monotonic())
            self._client.submit(now)

    def _look(self) -> None:
        if not self._open and not self._receipts:
            self.done.set()


def _part(key: int, *, receipts: bool) -> PartToSubmit:
    return PartToSubmit(
        part_key=key,
        message_key=key,
        message_id=f"S.{key}",
        number=MobileNumber(digits="447700900123"),
        sender=parse_sender_id("+447700900999"),
        alphabet=Alphabet.GSM7,
        udh=b"",
        payload=_TEXT,
        index=1,
        total=1,
        reference=0,
        priority=Priority.NORMAL,
        flash=False,
        receipt_wanted=receipts,
        expires_at=SystemClock().now() + timedelta(hours=1),
    )


async def _ours(port: int, count: int, *, receipts: bool) -> None:
    account = CarrierAccount(
        name="alpha",
        hosts=(CarrierHost("127.0.0.1", port),),
        system_id="gateway",
        password="secret",
        limits=SessionLimits(window=_WINDOW, enquire_link_seconds=60.0),
    )
    client = SmppClient(account, clock=SystemClock(), jitter=lambda: 0.5)
    events = _Events(client, count, receipts=receipts)
    await client.start(events)
    await events.bound.wait()
    meter = _Meter(count)
    events.feed()
    await events.done.wait()
    told = meter.told(events.answers)
    await client.stop(5)
    print(told)


def _smpplib(port: int, count: int) -> None:
    from smpplib import client as smpplib_client
    from smpplib import consts

    logging.disable(logging.CRITICAL)
    client = smpplib_client.Client("127.0.0.1", port, allow_unknown_opt_params=True)
    answered = 0

    def count_answer(**_answer) -> None:
        nonlocal answered
        answered += 1

    client.set_message_sent_handler(count_answer)
    client.connect()
    client.bind_transceiver(system_id="gateway", password="secret")
    meter = _Meter(count)
    sent = 0
    while answered < count:
        while sent < count and sent - answered < _WINDOW:
            client.send_message(
                source_addr_ton=consts.SMPP_TON_INTL,
                source_addr_npi=consts.SMPP_NPI_ISDN,
                source_addr="447700900999",
                dest_addr_ton=consts.SMPP_TON_INTL,
                dest_addr_npi=consts.SMPP_NPI_ISDN,
                destination_addr="447700900123",
                short_message=_TEXT,
                registered_delivery=False,
            )
            sent += 1
        client.read_once()
    told = meter.told()
    client.unbind()
    client.disconnect()
    print(told)


def _main(which: str, port: int, count: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    loads: dict[str, Callable[[], None]] = {
        "ours": lambda: run(_ours(port, count, receipts=True)),
        "answers": lambda: run(_ours(port, count, receipts=False)),
        "smpplib": lambda: _smpplib(port, count),
    }
    tune_gc()  # as the gateway does; to smpplib the same
    loads[which]()


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
