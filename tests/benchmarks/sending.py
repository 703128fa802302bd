"""SMS out and status mails back: the gateway with the simulator and smtp-sink in processes of their own. G6: the client."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from tests.benchmarks.figures import Effort, Figure, Sample, Series, microseconds, per_second, short
from tests.benchmarks.gateway import Gateway, gateway
from tests.benchmarks.load import smtp_source
from tests.benchmarks.peers import smtp_sink
from tests.benchmarks.processes import ROOT, Running, python, running, scratch
from tests.kit.ports import free_port


@dataclass(frozen=True, slots=True)
class Carrier:
    """A simulated message centre in its own process."""

    port: int
    process: Running


@contextmanager
def simulator(folder: Path, *words: str, port: int = 0) -> Iterator[Carrier]:
    """Run the message centre; `words` are its command line's."""
    command = python("smpp.simulator", "--port", str(port), "--system-id", "gateway", *words)
    with running(command, log=folder / "simulator.log", read_output=True) as process:
        yield Carrier(int(process.line()), process)


def measure_sending(effort: Effort) -> Iterator[Figure]:
    """Measure SMS/s out of a queue, without and with receipts, and status mails/s."""
    sms = effort.count(2000, 200)
    mails = effort.count(500, 50)
    with scratch() as folder:
        (folder / "sink").mkdir()
        ports = free_port(), free_port()
        settings = {"status_report": "always", "delivery_receipt": "on"}
        with (
            smtp_sink(folder / "sink") as sink,
            gateway(folder / "sms", carrier_port=ports[0]) as plain,
            gateway(folder / "told", carrier_port=ports[1], mail_port=sink.port, settings=settings, dkim=True) as told,
        ):
            series = effort.alternate(
                {
                    "sms": lambda: _drain(folder, plain, ports[0], sms, plain.open_messages),
                    "told": lambda: _drain(folder, told, ports[1], mails, told.untold),
                    "rsa": bare_rsa,
                },
            )
    yield Figure(name="SMS", what="SMS/s out of the queue to the simulator, window 100", ours=per_second(series["sms"]))
    own, rsa = series["told"], series["rsa"]
    yield Figure(
        name="mail",
        what="status mails/s delivered to smtp-sink, each with its SMS submitted and its receipt taken",
        ours=per_second(own),
        peer=f"bare RSA-2048 operation {short(rsa.cpu)} µs",
        ratio=own.cpu / rsa.cpu,
    )


def _drain(folder: Path, ours: Gateway, port: int, mails: int, left: Callable[[], int]) -> Sample:
    """Queue one-part SMS while the carrier is away, let it come back, and time until nothing is left."""
    smtp_source(ours.port, ours.process, mails, octets=100)
    cpu = ours.process.cpu()
    with simulator(folder, port=port):
        while left() >= mails:
            time.sleep(0.005)
        began = time.monotonic()
        end = began + 120
        while rest := left():
            if time.monotonic() > end:
                raise RuntimeError(f"{rest} of {mails} were left after 120 s")
            time.sleep(0.02)
        taken = time.monotonic() - began
        return Sample(rate=mails / taken, cpu=(ours.process.cpu() - cpu) * 1e6 / mails)


def bare_rsa(times: int = 100) -> Sample:
    """Sign a line with RSA-2048, as `cryptography` does it."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    began = time.process_time()
    for _ in range(times):
        key.sign(b"a line of text", PKCS1v15(), SHA256())
    return Sample(cpu=(time.process_time() - began) * 1e6 / times)


def measure_client(effort: Effort) -> Iterator[Figure]:
    """Measure G6: each client in a process of its own, which says what it cost."""
    with scratch() as folder, simulator(folder) as carrier:

        def load(client: str, usual: int) -> Callable[[], Sample]:
            count = effort.count(usual, 200)
            words = python("tests.benchmarks.smpp_load", client, str(carrier.port), str(count))

            def measure() -> Sample:
                done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
                if done.returncode:
                    raise RuntimeError(f"{client}: {done.stderr[-1000:]}")
                told = json.loads(done.stdout.splitlines()[-1])
                return Sample(rate=told["rate"], cpu=told["cpu"])

            return measure

        series = effort.alternate({"ours": load("ours", 10_000), "smpplib": load("smpplib", 4_000)})
    yield _client_figure(series["ours"], series["smpplib"])


def _client_figure(own: Series, peer: Series) -> Figure:
    return Figure(
        name="G6",
        what="SMPP client CPU per SMS, window 100, ours with a receipt each",
        ours=microseconds(own),
        peer=f"smpplib without receipts {microseconds(peer)}",
        ratio=own.cpu / peer.cpu,
        goal=1 / 20,
        at_most=True,
    )
