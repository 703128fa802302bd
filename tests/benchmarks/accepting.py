"""G1, G2, G4: mails taken durably, beside full Postfix, smtp-sink and stock aiosmtpd. G5: many recipients per mail.

Each mail is 1,000 octets of text to one number, so that ours keeps a job, a message of four parts and its resubmission
key. «accepting» has the carrier's link down, so that the queue only grows; in «while sending» the same process submits
every SMS to the simulator and settles its answer at the same time, as Postfix's queue manager discards.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from tests.benchmarks.figures import (
    Effort,
    Figure,
    MissingPeerError,
    Sample,
    Series,
    microseconds,
    per_second,
)
from tests.benchmarks.gateway import Gateway, gateway
from tests.benchmarks.load import many_recipients, smtp_source
from tests.benchmarks.peers import Server, postfix, smtp_sink, stock_aiosmtpd
from tests.benchmarks.processes import scratch
from tests.benchmarks.sending import simulator

_USUAL = {"accepting": 2000, "sending": 1500, "postfix": 1000, "smtp-sink": 4000, "aiosmtpd": 800}
_NAMES = {
    "postfix": "full Postfix, discard:",
    "smtp-sink": "smtp-sink (keeps nothing)",
    "aiosmtpd": "stock aiosmtpd (keeps nothing)",
}
_RECIPIENTS = 100


def measure_accepting(effort: Effort) -> Iterator[Figure]:
    """Measure G1, G2 and G4."""
    with scratch() as folder, ExitStack() as stack:
        missing: dict[str, str] = {}
        servers: dict[str, Server] = {}
        for name, start in (("postfix", postfix), ("smtp-sink", smtp_sink), ("aiosmtpd", stock_aiosmtpd)):
            inside = folder / name
            inside.mkdir()
            try:
                servers[name] = stack.enter_context(start(inside))
            except MissingPeerError as error:
                missing[name] = str(error)
        if "smtp-sink" in missing:  # smtp-source is of the same package
            yield from (
                Figure(name=name, what="mails/s accepted", missing=missing["smtp-sink"]) for name in ("G1", "G2", "G4")
            )
            return
        alone = stack.enter_context(gateway(folder / "accepting"))
        carrier = stack.enter_context(simulator(folder))
        sending = stack.enter_context(gateway(folder / "sending", carrier_port=carrier.port))
        many = effort.alternate(_sides(alone, sending, servers, effort, per_connection=False))
        yield from _figures("G1", "20 connections, many mails each", many, missing, goal=4)
        single = effort.alternate(_sides(alone, sending, servers, effort, per_connection=True))
        yield from _figures("G2", "one mail per connection", single, missing, goal=3)
        own = many["accepting"]
        yield Figure(
            name="G4",
            what="CPU per accepted mail: receive, parse, authorise, encode, commit",
            ours=microseconds(own),
            peer=f"smtp-sink, which keeps nothing, {microseconds(many['smtp-sink'])}",
            ratio=own.cpu,
            unit=" µs",
            goal=300,
            at_most=True,
        )


def _sides(
    alone: Gateway, sending: Gateway, servers: dict[str, Server], effort: Effort, *, per_connection: bool
) -> dict[str, Callable[[], Sample]]:
    def take(name: str, port: int, process, settle: Callable[[], None]) -> Callable[[], Sample]:
        mails = effort.count(_USUAL[name] // (2 if per_connection else 1), 100)

        def measure() -> Sample:
            sample = smtp_source(port, process, mails, per_connection=per_connection)
            settle()
            return sample

        return measure

    sides = {
        "accepting": take("accepting", alone.port, alone.process, lambda: None),
        "sending": take("sending", sending.port, sending.process, sending.until_sent),
    }
    for name, server in servers.items():
        sides[name] = take(name, server.port, server.process, server.until_idle)
    return sides


def _figures(
    name: str, what: str, series: dict[str, Series], missing: dict[str, str], *, goal: float
) -> Iterator[Figure]:
    for own, words in (("accepting", "accepting"), ("sending", "while sending")):
        for peer, title in _NAMES.items():
            if own == "sending" and peer != "postfix":
                continue
            if peer in missing:
                yield Figure(name=name, what=f"mails/s, {words}, {what}", peer=title, missing=missing[peer])
                continue
            yield Figure(
                name=name,
                what=f"mails/s, {words}, {what}",
                ours=per_second(series[own]),
                peer=f"{title} {per_second(series[peer])}",
                ratio=series[own].rate / series[peer].rate,
                goal=goal if peer == "postfix" and own == "accepting" else None,
            )


def measure_recipients(effort: Effort) -> Iterator[Figure]:
    """Measure G5."""
    mails = effort.count(20, 5)
    with scratch() as folder:
        (folder / "stock").mkdir()
        with gateway(folder / "ours") as ours, stock_aiosmtpd(folder / "stock", rows=True) as stock:
            series = effort.alternate(
                {
                    "ours": lambda: many_recipients(ours.port, ours.process, mails * 4, _RECIPIENTS),
                    "stock": lambda: many_recipients(stock.port, stock.process, mails, _RECIPIENTS),
                },
            )
    own, peer = series["ours"], series["stock"]
    yield Figure(
        name="G5",
        what=f"CPU per recipient, {_RECIPIENTS} per mail",
        ours=microseconds(own),
        peer=f"stock aiosmtpd + peewee rows {microseconds(peer)}",
        ratio=own.cpu / peer.cpu,
        goal=1 / 8,
        at_most=True,
    )
