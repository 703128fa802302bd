"""Submits of an ESME to answered: our SMPP server against node's smpp, under the same client.

Ours has planned each and has it on the disk before it answers; node's keeps nothing. The client is our own, without
receipts.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from tests.benchmarks.figures import Effort, Figure, MissingPeerError, Sample, answered
from tests.benchmarks.gateway import add_application_login, gateway
from tests.benchmarks.processes import ROOT, Running, python, running, scratch
from tests.kit.peer import find_program
from tests.kit.ports import free_port

_NODE = ROOT / "tests" / "peers" / "node_smpp"


def measure_submits(effort: Effort) -> Iterator[Figure]:
    """Measure submits/s to answered."""
    count = effort.count(2_000, 200)
    node = find_program("node")
    if node is None or not (_NODE / "node_modules" / "smpp").is_dir():
        raise MissingPeerError("node with smpp (npm ci --omit=dev in tests/peers/node_smpp)")
    with scratch() as folder, ExitStack() as stack:
        port = free_port()
        door = {"name": "smpp", "address": f"127.0.0.1:{port}"}
        ours = stack.enter_context(gateway(folder / "ours", tables={"smpp_server": [door]}))
        add_application_login(ours)
        theirs = stack.enter_context(
            running([node, str(_NODE / "answers.js")], log=folder / "node.log", read_output=True)
        )
        series = effort.alternate(
            {
                "ours": _load(port, count, ours.process),
                "theirs": _load(int(theirs.line()), count, theirs),
            }
        )
        kept = ours.count("SELECT count(*) FROM job WHERE service = 'smpp'")
    own, peer = series["ours"], series["theirs"]
    assert kept == count * len(own.samples)
    slowest = max(sample.p99 for sample in own.samples)
    yield Figure(
        name="submits",
        what="submit_sm/s to answered, window 100, ours on the disk by then, and CPU of the server",
        ours=answered(own),
        peer=f"node smpp, which keeps nothing {answered(peer)}",
        ratio=own.rate / peer.rate,
    )
    yield Figure(
        name="submits",
        what="p99 of submit_sm_resp in the slowest turn; clients wait for two seconds",
        ours=f"{slowest * 1e3:,.0f} ms",
        ratio=slowest,
        unit=" s",
        goal=2,
        at_most=True,
    )


def _load(port: int, count: int, server: Running) -> Callable[[], Sample]:
    words = python("tests.benchmarks.smpp_load", "answers", str(port), str(count))

    def measure() -> Sample:
        before = server.cpu()
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise RuntimeError(f"the client ended: {done.stderr[-1000:]}")
        told = json.loads(done.stdout.splitlines()[-1])
        return Sample(rate=told["rate"], cpu=(server.cpu() - before) * 1e6 / count, p50=told["p50"], p99=told["p99"])

    return measure
