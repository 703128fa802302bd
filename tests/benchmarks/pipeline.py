"""G3: a mail becomes an SMS on the air, ours against the usual pipeline: Postfix pipe(8), a shell script, curl, Kannel.

Ours also takes the receipt and delivers an HTML status mail, signed, to smtp-sink; the pipeline reports nothing.
Both sides' message centre is our simulator, each a process of its own; a side is done when the last SMS was taken, ours
when the last status mail was delivered.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.figures import Effort, Figure, MissingPeerError, Sample, per_second
from tests.benchmarks.gateway import Gateway, gateway
from tests.benchmarks.kannel import kannel
from tests.benchmarks.load import smtp_source
from tests.benchmarks.peers import Server, postfix, smtp_sink
from tests.benchmarks.processes import Running, program, scratch
from tests.benchmarks.sending import simulator

# What people write: the text is what follows the header, its number the local part.
_SCRIPT = """\
#!/bin/sh
number=${{1%%@*}}
exec sed '1,/^$/d' | {curl} --silent --fail --output /dev/null --get --data-urlencode text@- \\
    --data-urlencode "to=$number" "http://127.0.0.1:{sendsms}/cgi-bin/sendsms?username=gateway&password=secret&from=447700900999"
"""


class _Record:
    """How many SMS a simulator has taken, read from the file it appends to."""

    def __init__(self, path: Path, process: Running) -> None:
        self._path = path
        self._process = process
        self._seen = 0

    def until(self, more: int) -> None:
        """Wait until so many more were taken than at the last call."""
        self._seen += more
        self._process.until(lambda: self._path.exists() and self._path.read_bytes().count(b"\n") >= self._seen, 60)


def measure_pipeline(effort: Effort) -> Iterator[Figure]:
    """Measure G3."""
    try:
        yield from _measure(effort)
    except MissingPeerError as error:
        yield Figure(name="G3", what="mail to SMS and status mail back", missing=str(error))


def _measure(effort: Effort) -> Iterator[Figure]:
    curl = program("curl", "curl")
    with scratch() as folder, ExitStack() as stack:
        for name in ("pipeline", "sink"):
            (folder / name).mkdir()
        record = folder / "taken.jsonl"
        theirs = stack.enter_context(simulator(folder, "--record", str(record)))
        sendsms = stack.enter_context(kannel(folder, theirs.port)).sendsms
        script = folder / "mail-to-sms"
        script.write_text(_SCRIPT.format(curl=curl, sendsms=sendsms))
        script.chmod(0o755)
        service = f"tosms unix - n n - 20 pipe flags=q user=nobody argv={script} ${{recipient}}\n"
        relay = stack.enter_context(postfix(folder / "pipeline" / "postfix", transport="tosms:", services=service))
        sink = stack.enter_context(smtp_sink(folder / "sink"))
        # One message centre each: receipts go to any link of an account.
        first, second = (stack.enter_context(simulator(folder)) for _ in range(2))
        settings = {"status_report": "always", "delivery_receipt": "on"}
        told = stack.enter_context(
            gateway(folder / "told", carrier_port=first.port, mail_port=sink.port, settings=settings, dkim=True)
        )
        silent = stack.enter_context(gateway(folder / "silent", carrier_port=second.port))
        series = effort.alternate(
            {
                "told": _ours(told, effort.count(300, 50), told.until_told),
                "silent": _ours(silent, effort.count(1000, 100), silent.until_sent),
                "pipeline": _theirs(relay, _Record(record, theirs.process), effort.count(60, 20)),
            },
        )
    peer = f"Postfix pipe(8) + sh + curl + Kannel {per_second(series['pipeline'])}"
    for what, side, goal in (
        ("mails/s to SMS, receipt and signed status mail back (theirs: no report)", "told", 15),
        ("mails/s to SMS, without reports on both sides", "silent", 30),
    ):
        own = series[side]
        rate = own.rate / series["pipeline"].rate
        yield Figure(name="G3", what=what, ours=per_second(own), peer=peer, ratio=rate, goal=goal)


def _ours(ours: Gateway, mails: int, until_done: Callable[[], None]) -> Callable[[], Sample]:
    def measure() -> Sample:
        cpu, began = ours.process.cpu(), time.monotonic()
        smtp_source(ours.port, ours.process, mails, octets=100)
        until_done()
        return Sample(rate=mails / (time.monotonic() - began), cpu=(ours.process.cpu() - cpu) * 1e6 / mails)

    return measure


def _theirs(relay: Server, record: _Record, mails: int) -> Callable[[], Sample]:
    def measure() -> Sample:
        cpu, began = relay.process.cpu(), time.monotonic()
        smtp_source(relay.port, relay.process, mails, octets=100)
        record.until(mails)
        taken = time.monotonic() - began
        relay.until_idle()
        return Sample(rate=mails / taken, cpu=(relay.process.cpu() - cpu) * 1e6 / mails)

    return measure
