"""Jobs by HTTP to answered, one SMS each: REST version 1 and 2 beside Kannel's sendsms, under the same client.

Both sides hand what they take to a message centre of their own meanwhile. Ours is planned and on the disk before it is
answered; Kannel has it in memory, and writes its store every ten seconds.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from addressbook.api_keys import PREFIX
from tests.benchmarks.figures import Effort, Figure, Sample, answered
from tests.benchmarks.gateway import add_application_login, gateway
from tests.benchmarks.kannel import kannel
from tests.benchmarks.processes import ROOT, answers, python, scratch
from tests.benchmarks.sending import simulator
from tests.kit.ports import free_port

_KEY = f"{PREFIX}benchmark"
_LOGIN = "gateway:secret"


def measure_http(effort: Effort) -> Iterator[Figure]:
    """Measure jobs/s to answered, and what answers take."""
    count = effort.count(2_000, 200)
    with scratch() as folder, ExitStack() as stack:
        for name in ("own-centre", "their-centre", "kannel"):
            (folder / name).mkdir()
        theirs = stack.enter_context(
            kannel(folder / "kannel", stack.enter_context(simulator(folder / "their-centre")).port)
        )
        port = free_port()
        ours = stack.enter_context(
            gateway(
                folder / "ours",
                carrier_port=stack.enter_context(simulator(folder / "own-centre")).port,
                tables={"http": [{"name": "api", "address": f"127.0.0.1:{port}", "serves": ["api"]}]},
            )
        )
        add_application_login(ours, _KEY)
        ours.process.until(lambda: answers(port))

        def turn(
            which: str, at: int, credentials: str, cpu: Callable[[], float], settle: Callable[[], None]
        ) -> Callable[[], Sample]:
            words = python("tests.benchmarks.http_load", which, str(at), str(count), credentials)

            def measure() -> Sample:
                before = cpu()
                done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
                if done.returncode:
                    raise RuntimeError(f"the client ended: {done.stderr[-1000:]}")
                settle()
                return Sample(**json.loads(done.stdout.splitlines()[-1]), cpu=(cpu() - before) * 1e6 / count)

            return measure

        series = effort.alternate(
            {
                "v1": turn("v1", port, _LOGIN, ours.process.cpu, ours.until_sent),
                "v2": turn("v2", port, _KEY, ours.process.cpu, ours.until_sent),
                "kannel": turn("kannel", theirs.sendsms, _LOGIN, theirs.cpu, lambda: None),
            }
        )
        kept = ours.count("SELECT count(*) FROM job WHERE service = 'rest'")
    assert kept == 2 * count * len(series["v1"].samples)
    peer = series["kannel"]
    for version in ("v1", "v2"):
        yield Figure(
            name="http",
            what=f"jobs/s by REST {version} to answered, 20 connections, on the disk by then, and CPU until they are sent",
            ours=answered(series[version]),
            peer=f"Kannel's sendsms, in memory by then {answered(peer)}",
            ratio=series[version].rate / peer.rate,
        )
