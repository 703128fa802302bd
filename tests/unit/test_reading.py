"""Large mails are read in a process that may die: same answers, a deadline, little memory, and a loop that goes on."""

import asyncio
import os
import signal

import pytest

from mta.envelope import EnvelopeRecipient, ReceivedEnvelope
from mta.intake_pool import LARGE_OCTETS, IntakePool, is_suspect
from mta.reading.confined_reader import ConfinedReader, ReaderUnavailableError
from mta.reading.mime import MailLimits, read_mail
from mta.reading.reader import DirectReader
from sms.outcome import Refusal, Refused
from sms.settings import Settings
from tests.kit.effort import longest_stop
from tests.kit.installation import mail
from tests.kit.patience import PATIENCE
from tests.kit.testbed import open_core, proven

LIMITS = MailLimits()
RAW = mail("Hello, wörld — 本日", subject="Grüße")
TABLE = (
    b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHi\r\n--b\r\n"
    b"Content-Type: text/csv; name=t.csv\r\nContent-Disposition: attachment\r\n\r\nnumber,name\r\n1,Zo\xc3\xab\r\n--b--\r\n"
)


@pytest.fixture(scope="module")
def confined():
    reader = ConfinedReader(seconds=PATIENCE)
    yield reader
    reader.close()


@pytest.mark.parametrize("raw", [RAW, TABLE, b"", b"\r\n" * 5_000, b"From: a@example.com\r\n" * 5_000])
def test_the_confined_reader_answers_as_the_direct_one(confined, raw):
    direct = DirectReader()
    read = confined.read(raw, LIMITS)
    assert read == direct.read(raw, LIMITS)
    if not isinstance(read, Refused):
        settings = Settings(disclaimers=("x",), sender_prefix=True)
        assert confined.extract(read, settings, read.subject) == direct.extract(read, settings, read.subject)
        for attachment in read.attachments:
            assert confined.table(raw, attachment) == direct.table(raw, attachment)


def test_a_table_is_read_there(confined):
    read = confined.read(TABLE, LIMITS)
    (attachment,) = read.attachments
    assert confined.table(TABLE, attachment).rows[0].values == {"number": "1", "name": "Zoë"}


def pid_of(reader: ConfinedReader) -> int:
    pid = reader.child.pid
    assert pid is not None
    return pid


def test_a_reader_that_died_is_replaced_and_the_mail_read(confined):
    confined.read(RAW, LIMITS)
    os.kill(pid_of(confined), signal.SIGKILL)
    assert confined.read(RAW, LIMITS) == read_mail(RAW, LIMITS)


@pytest.mark.slow
def test_a_mail_that_takes_too_long_once_is_read_by_another_process():
    reader = ConfinedReader(seconds=1)
    try:
        reader.read(RAW, LIMITS)
        first = pid_of(reader)
        os.kill(first, signal.SIGSTOP)  # it hangs: as if reading never ended
        assert reader.read(RAW, LIMITS) == read_mail(RAW, LIMITS)
        assert pid_of(reader) != first
    finally:
        reader.close()


def test_a_mail_that_takes_too_long_twice_is_refused():
    reader = ConfinedReader(seconds=-1)  # it has computed for too long before it begins
    try:
        refused = reader.read(RAW, LIMITS)
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.MAIL_MALFORMED
        assert "no answer within" in refused.detail
    finally:
        reader.close()


@pytest.mark.slow
def test_a_mail_that_needs_too_much_memory_is_refused():
    reader = ConfinedReader(seconds=PATIENCE, memory_bytes=8 * 2**20)
    try:
        refused = reader.read(mail("x" * 30_000_000), MailLimits(text_octets=40_000_000))
        assert isinstance(refused, Refused)
        assert "memory" in refused.detail
        assert reader.read(RAW, LIMITS) == read_mail(RAW, LIMITS)
    finally:
        reader.close()


async def test_the_first_large_mail_finds_its_process_started(house):
    core = open_core(house)
    reading = IntakePool(core.judge)
    reading.warm()
    try:
        (started,) = [pid_of(reader) for reader in reading.readers if reader.child.pid]
        envelope = ReceivedEnvelope(
            reverse_path="anna@acme.example.com", recipients=(EnvelopeRecipient(address="bulk@sms.example.net"),)
        )
        await reading.judge(TABLE.replace(b"a@example.com", b"anna@acme.example.com"), envelope, proven(core, "acme"))
        assert [pid_of(reader) for reader in reading.readers if reader.child.pid] == [started]  # it and no other
    finally:
        reading.close()
        core.database.close()


def test_a_process_that_somebody_kills_is_no_judgement_about_the_mail():
    reader = ConfinedReader(seconds=PATIENCE)
    try:
        reader.read(RAW, LIMITS)
        ask = reader.child._exchange

        def exchange(process, request, deadline):
            os.kill(process.popen.pid, signal.SIGKILL)
            return ask(process, request, deadline)

        reader.child._exchange = exchange  # type: ignore[method-assign]
        with pytest.raises(ReaderUnavailableError, match="SIGKILL"):
            reader.read(RAW, LIMITS)
    finally:
        reader.close()


def test_a_process_that_cannot_start_is_no_judgement_about_the_mail(monkeypatch):
    monkeypatch.setattr("templates.child.sys.executable", "/nowhere/python")
    with pytest.raises(ReaderUnavailableError):
        ConfinedReader().read(RAW, LIMITS)


@pytest.mark.parametrize(
    ("raw", "suspect"),
    [
        (RAW, False),
        (b"x" * (LARGE_OCTETS + 1), True),
        (b"\n--b\r\n" * 60, True),
        (b"=?utf-8?q?a?= " * 600, True),
    ],
)
def test_only_large_and_strange_mails_are_read_apart(raw, suspect):
    assert is_suspect(raw) is suspect


async def test_the_loop_goes_on_while_a_large_mail_is_judged(house):
    core = open_core(house)
    reading = IntakePool(core.judge)
    anna = "anna@acme.example.com"
    recipients = (EnvelopeRecipient(address="+447700900101@sms.example.net"),)
    envelope = ReceivedEnvelope(reverse_path=anna, recipients=recipients)
    raw = mail("Hello\n" + "> quoted text of the mail before\n" * 60_000, sender="anna@acme.example.com")
    try:
        await reading.judge(raw, envelope, proven(core, "acme"))  # starts the process
        shares = []
        for _ in range(5):  # a busy machine may stop the whole process for a while: one quiet turn proves the point
            judging = asyncio.create_task(reading.judge(raw, envelope, proven(core, "acme")))
            shares.append(await longest_stop(judging))
            judged = await judging
            assert judged.plan is not None
            assert judged.plan.messages[0].number is not None
            if shares[-1] < 0.4:
                break
        assert min(shares) < 0.4, shares
    finally:
        reading.close()
        core.database.close()


async def test_a_small_mail_to_many_needs_no_process_and_one_with_a_table_does(house):
    core = open_core(house)
    reading = IntakePool(core.judge, readers=1)
    (reader,) = reading.readers
    anna = "anna@acme.example.com"
    many = ReceivedEnvelope(
        reverse_path=anna,
        recipients=tuple(EnvelopeRecipient(address=f"+4477009001{index:02}@sms.example.net") for index in range(60)),
    )
    table = ReceivedEnvelope(reverse_path=anna, recipients=(EnvelopeRecipient(address="bulk@sms.example.net"),))
    try:
        judged = await reading.judge(mail("Hello", sender=anna), many, proven(core, "acme"))
        assert judged.plan is not None
        assert len(judged.plan.messages) == 60
        assert reader.child.pid is None
        judged = await reading.judge(TABLE.replace(b"a@example.com", anna.encode()), table, proven(core, "acme"))
        assert judged.plan is not None
        assert pid_of(reader)
    finally:
        reading.close()
        core.database.close()
