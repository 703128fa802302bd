"""`python -m smpp.simulator`: the message centre as a process; its first output line is its port."""

import argparse
import asyncio
import signal
import ssl
import sys
from datetime import UTC, datetime
from pathlib import Path

import structlog

from smpp.dialect.dialect import Dialect, IdBase, WireAlphabet
from smpp.simulator.script import Cut, ReceiptForm, ReceiptTime, Script
from smpp.simulator.simulator import Simulator
from sms.message import ReceiptState


class _SystemClock:
    def now(self) -> datetime:
        """Return the present instant."""
        return datetime.now(UTC)


def _pair(text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not (left and equals and right):
        raise ValueError
    return left, right


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m smpp.simulator", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=2775, help="0 takes a free one; the first line of output is the port")
    add("--system-id", default="mail2sms")
    add("--password", default="secret")
    add("--record", type=Path, help="append every submit that is taken as a JSON line")
    add("--tls-chain", type=Path, help="certificate and key in one PEM file")
    add("--delay", type=float, default=0.0, help="seconds before a receipt")
    add("--state", type=ReceiptState, default=ReceiptState.DELIVERED, help="final state")
    add("--states", type=_pair, action="append", default=[], metavar="NUMBER=STATE")
    add("--receipt", type=ReceiptTime, default=ReceiptTime.AFTER, help="after, before or never")
    add("--receipt-form", type=ReceiptForm, default=ReceiptForm.BOTH, help="text, tlv or both")
    add("--receipt-copies", type=int, default=1)
    add("--id-in-response", type=IdBase, default=IdBase.TEXT, help="text, decimal or hex")
    add("--id-in-receipt", type=IdBase, default=IdBase.TEXT, help="text, decimal or hex")
    add("--alphabet", type=WireAlphabet, default=WireAlphabet.GSM7, help="gsm7, gsm7-packed, latin-1 or ascii")
    add("--refuse", type=_pair, action="append", default=[], metavar="NUMBER=STATUS", help="a status as 11 or 0x0B")
    add("--throttle-rate", type=float, default=0.0, help="submits taken in a second")
    add("--throttle-every", type=int, default=0, help="throttle each so many-th submit")
    add("--unanswered", type=int, action="append", default=[], metavar="NTH")
    add("--cut", type=_pair, action="append", default=[], metavar="NTH=MOMENT", help=", ".join(Cut))
    add("--hang-at", type=int, default=0, metavar="NTH")
    return parser


def _script(given: argparse.Namespace) -> Script:
    return Script(
        dialect=Dialect(
            id_in_response=given.id_in_response,
            id_in_receipt=given.id_in_receipt,
            default_alphabet=given.alphabet,
        ),
        receipt_delay=given.delay,
        state=given.state,
        states={number: ReceiptState(word) for number, word in given.states},
        receipt=given.receipt,
        receipt_form=given.receipt_form,
        receipt_copies=given.receipt_copies,
        refusals={number: int(status, 0) for number, status in given.refuse},
        throttle_rate=given.throttle_rate,
        throttle_every=given.throttle_every,
        unanswered=frozenset(given.unanswered),
        cuts={int(nth): Cut(moment) for nth, moment in given.cut},
        hang_at=given.hang_at,
    )


async def _run(given: argparse.Namespace) -> None:
    tls = None
    if given.tls_chain is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(given.tls_chain)
    simulator = Simulator(
        accounts={given.system_id: given.password},
        clock=_SystemClock(),
        script=_script(given),
        record_path=given.record,
        tls=tls,
    )
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await simulator.start(given.host, given.port)
    print(simulator.port, flush=True)  # noqa: T201 - whoever started it reads the port here
    await ended.wait()
    await simulator.stop()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_run(_arguments().parse_args()))
