"""«steps»: what a mail of G4 costs in one process, step by step and without sockets.

A step that is repeated alone is cheaper than among all others under load, so that their sum is less than G4: they show
where the time goes, and what a change of one of them brings.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from cli.context import database_of
from cli.setup import CONFIG_NAME
from config.model import Config, load_config
from gateway.accept import Acceptance, Accepted
from gateway.plan import plan
from gateway.submission import Submission
from mta.envelope import EnvelopeRecipient, ReceivedEnvelope
from mta.intake import Decision
from mta.reading.body import extract_text
from mta.reading.mime import MailLimits, ParsedMail, read_mail
from mta.smtp.engine.dialogue import Dialogue
from mta.smtp.engine.events import Capabilities, ContentReceived, Data, DialogueLimits
from mta.smtp.engine.replies import OK
from process.accept_path import AcceptPath
from tests.benchmarks.figures import Effort, Figure, Sample, microseconds
from tests.benchmarks.gateway import RECIPIENT, SENDER, set_up
from tests.benchmarks.processes import scratch

_TOGETHER = 6
_COMMANDS = tuple(f"{line}\r\n".encode() for line in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{RECIPIENT}>", "DATA"))
_ENVELOPE = ReceivedEnvelope(
    reverse_path=SENDER, recipients=(EnvelopeRecipient(address=RECIPIENT),), helo="client.example.net"
)


def measure_steps(effort: Effort) -> Iterator[Figure]:
    """Measure the steps from octets to a committed job, in CPU time of all threads."""
    count = effort.count(300, 30)
    with scratch() as folder:
        core = open_core(folder / "steps")
        with closing(core.database):
            series = effort.alternate(_steps(core, count))
    for name, taken in series.items():
        yield Figure(name="steps", what=f"CPU of one mail: {name}", ours=microseconds(taken))


def _steps(core: AcceptPath, count: int) -> dict[str, Callable[[], Sample]]:
    mails = [_mail(f"<{number}@client.example.net>") for number in range(count)]
    dialogue = _greeted()
    read, submission = read_mail(mails[0], MailLimits()), judged_submission(core)
    assert isinstance(read, ParsedMail)

    def timed(work: Callable[[bytes], object]) -> Callable[[], Sample]:
        def measure() -> Sample:
            began = time.process_time()
            for raw in mails:
                work(raw)
            return Sample(cpu=(time.process_time() - began) * 1e6 / count)

        return measure

    return {
        "SMTP, four commands": timed(lambda raw: _converse(dialogue, raw)),
        "judging": timed(lambda raw: _judge(core, raw)),
        "judging, reading": timed(lambda raw: read_mail(raw, MailLimits())),
        "judging, the author's words": timed(lambda _: extract_text(read, submission.resolved.settings, subject="")),
        "judging, planning": timed(lambda _: plan(submission, core.book.current, core.routes, core.clock.now())),
        f"keeping, {_TOGETHER} mails in a commit": lambda: asyncio.run(_keep(core, count)),
    }


def open_core(folder: Path) -> AcceptPath:
    """Return what judges mail in a new folder, with its database open."""
    set_up(folder)
    config = load_config(folder / CONFIG_NAME)
    assert isinstance(config, Config)
    database = database_of(config.server)
    database.open(serving=True)
    core = AcceptPath(config, database)
    core.book.load_now()
    return core


def judged_submission(core: AcceptPath) -> Submission:
    """Return what a mail of G4 asks for."""
    judged = _judge(core, _mail("<1@client.example.net>"))
    assert judged.plan is not None
    return judged.plan.submission


def _mail(message_id: str) -> bytes:
    """Return what smtp-source makes of 1,000 octets."""
    lines = "".join(f"{line % 10}{'X' * 77}\r\n" for line in range(1, 13))
    return f"From: <{SENDER}>\r\nTo: <{RECIPIENT}>\r\nMessage-Id: {message_id}\r\n\r\n{lines}{'X' * 38}\r\n".encode()


def _judge(core: AcceptPath, raw: bytes) -> Decision:
    proven = core.book.current.prove_by_address("127.0.0.1")
    core.judge.judge_recipient(proven, SENDER, RECIPIENT)
    return core.judge.judge(raw, _ENVELOPE, proven)


def _greeted() -> Dialogue:
    dialogue = Dialogue(Capabilities(hostname="gateway.example.net"), DialogueLimits(), now=0.0)
    dialogue.greet()
    _answer(dialogue, b"EHLO client.example.net\r\n")
    return dialogue


def _converse(dialogue: Dialogue, raw: bytes) -> None:
    for octets in (*_COMMANDS, raw + b".\r\n"):
        _answer(dialogue, octets)


def _answer(dialogue: Dialogue, octets: bytes) -> None:
    dialogue.receive_data(octets)
    while (event := dialogue.next_event()) is not None:
        if isinstance(event, Data):
            dialogue.take_content()
        else:
            dialogue.reply(str(OK))
        if isinstance(event, ContentReceived):
            dialogue.content_done()
    assert dialogue.data_to_send()


async def _keep(core: AcceptPath, count: int) -> Sample:
    plans = [
        _judge(core, _mail(f"<{number}.{time.monotonic_ns()}@client.example.net>")).plan for number in range(count)
    ]
    acceptance = Acceptance(
        database=core.database,
        outbound=core.outbound,
        limits=core.watch_limits(lambda _: None),
        accepted=lambda _: None,
    )
    began = time.process_time()
    for start in range(0, count, _TOGETHER):
        kept = await asyncio.gather(
            *(acceptance.keep(plan) for plan in plans[start : start + _TOGETHER] if plan is not None)
        )
        assert all(isinstance(one, Accepted) for one in kept)
    return Sample(cpu=(time.process_time() - began) * 1e6 / count)
