"""Inbound SMS to acknowledged, and to mail delivered: ours against Kannel's smsbox, whose post-url mails each.

Both take from the same message centre and deliver to smtp-sink. Ours is on the disk before the carrier hears of it.
"""

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stdout
from pathlib import Path

from cli.admin_session import admin_session
from cli.setup import CONFIG_NAME
from gateway.admin.actions import make_action
from gateway.admin.numbers import make_number
from tests.benchmarks.figures import Effort, Figure, Sample, per_second
from tests.benchmarks.gateway import Gateway, gateway
from tests.benchmarks.inbound_load import OWN_NUMBER
from tests.benchmarks.kannel import Kannel, kannel
from tests.benchmarks.peers import smtp_sink
from tests.benchmarks.processes import Running, python, running, scratch
from tests.kit.ports import free_port

_QUIET_SECONDS = 5.0


def measure_inbound(effort: Effort) -> Iterator[Figure]:
    """Measure inbound SMS/s to acknowledged and to mailed."""
    count = effort.count(500, 100)
    with scratch() as folder, ExitStack() as stack:
        for name in ("sink", "kannel"):
            (folder / name).mkdir()
        sink = stack.enter_context(smtp_sink(folder / "sink"))
        ports = free_port(), free_port()
        ours = stack.enter_context(gateway(folder / "ours", carrier_port=ports[0], mail_port=sink.port))
        _serve_number(ours)
        record = folder / "mailed"
        record.touch()
        poster = stack.enter_context(
            running(
                python("tests.benchmarks.post_url", str(sink.port), str(record)),
                log=folder / "poster.log",
                read_output=True,
            )
        )
        post_url = f"http://127.0.0.1:{int(poster.line())}/"
        theirs = stack.enter_context(kannel(folder / "kannel", ports[1], post_url=post_url))
        acknowledged: dict[str, list[Sample]] = {"ours": [], "theirs": []}
        series = effort.alternate(
            {
                "ours": _turn(
                    folder, ports[0], count, acknowledged["ours"], _until_mailed(ours, count), ours.process.cpu
                ),
                "theirs": _turn(
                    folder, ports[1], count, acknowledged["theirs"], _until_posted(record, count), _cpu(theirs, poster)
                ),
            }
        )
    own, peer = series["ours"], series["theirs"]
    rates = {
        side: sorted(sample.rate for sample in samples)[len(samples) // 2] for side, samples in acknowledged.items()
    }
    yield Figure(
        name="inbound",
        what="inbound SMS/s to acknowledged, ours on the disk by then",
        ours=f"{rates['ours']:,.0f}/s",
        peer=f"Kannel {rates['theirs']:,.0f}/s",
        ratio=rates["ours"] / rates["theirs"],
    )
    yield Figure(
        name="inbound",
        what="inbound SMS/s to mail delivered, ours with HTML, thread and history",
        ours=per_second(own),
        peer=f"Kannel, post-url, smtplib {per_second(peer)}",
        ratio=own.rate / peer.rate,
    )


def _turn(  # noqa: PLR0917 - one side
    folder: Path,
    port: int,
    count: int,
    acknowledged: list[Sample],
    until_mailed: Callable[[], tuple[int, float]],
    cpu: Callable[[], float],
) -> Callable[[], Sample]:
    def measure() -> Sample:
        before = cpu()
        command = python("tests.benchmarks.inbound_load", str(port), str(count))
        with running(command, log=folder / "centre.log", read_output=True) as centre:
            centre.line()
            began = time.monotonic()
            seconds = json.loads(centre.line())["seconds"]
            mailed, at = until_mailed()
        acknowledged.append(Sample(rate=count / seconds))
        return Sample(rate=mailed / (at - began), cpu=(cpu() - before) * 1e6 / max(mailed, 1))

    return measure


def _until_mailed(ours: Gateway, count: int) -> Callable[[], tuple[int, float]]:
    seen = 0

    def wait() -> tuple[int, float]:
        nonlocal seen
        seen += count
        query = "SELECT count(*) FROM outbox WHERE kind = 'inbound-mail' AND state = 'sent'"
        ours.process.until(lambda: ours.count(query) >= seen, 120)
        return count, time.monotonic()

    return wait


def _until_posted(record: Path, count: int) -> Callable[[], tuple[int, float]]:
    """Wait until nothing comes any more: Kannel may lose what it has acknowledged."""
    seen = 0

    def wait() -> tuple[int, float]:
        nonlocal seen
        size, at = seen, time.monotonic()
        while size < seen + count and time.monotonic() < at + _QUIET_SECONDS:
            now = record.stat().st_size
            if now > size:
                size, at = now, time.monotonic()
            time.sleep(0.01)
        mailed, seen = size - seen, size
        return mailed, at

    return wait


def _cpu(theirs: Kannel, poster: Running) -> Callable[[], float]:
    return lambda: theirs.cpu() + poster.cpu()


def _serve_number(ours: Gateway) -> None:
    """Let the customer's SMS go to one address as mail."""
    with redirect_stdout(io.StringIO()), admin_session(ours.folder / CONFIG_NAME) as session:
        session.change(
            lambda edit: make_number(edit, f"+{OWN_NUMBER}", known_carriers=(), customer="demo"),
            lambda edit: make_action(
                edit, "desk", "demo", "mail", {"addresses": "desk@example.com"}, check_push=lambda *_: None
            ),
        )
