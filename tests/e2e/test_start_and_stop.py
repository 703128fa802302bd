"""Starting and stopping the real process: under load, into a taken port, with broken files, on a full disk, a second time."""

import asyncio
import contextlib
import json
import os
import re
import smtplib
import socket
import sys
import threading
from collections import Counter

import pytest

from smpp.simulator.script import Script, Treatment
from smpp.wire.statuses import Status
from store.engine.database import connect
from tests.kit.forked_program import ForkedProgram
from tests.kit.installation import ROOT, SENDER, Installation, addresses, mail
from tests.kit.patience import PATIENCE

BUSY = Treatment(status=Status.RSYSERR)


async def serve(site: Installation, seconds: float = PATIENCE) -> tuple[int, str]:
    """Start a gateway that must not come up; return its exit code and what it says."""
    return await asyncio.wait_for(ForkedProgram("cli", "serve", "--config", str(site.file)).communicate(), seconds)


def change(site: Installation, old: str, new: str) -> None:
    text = site.file.read_text()
    assert old in text
    site.file.write_text(text.replace(old, new))


async def test_a_stop_under_load_loses_nothing_that_was_answered_and_the_next_start_ends_it(site):
    await site.open(Script(receipt_delay=0.05), window=5)
    await site.start()
    acknowledged: set[int] = set()
    under_load = threading.Event()

    def send(numbers):
        try:
            with site.client() as client:
                for n in numbers:
                    client.sendmail(
                        SENDER, addresses("+447700900101"), mail(f"Mail {n}", message_id=f"<{n}@example.com>")
                    )
                    acknowledged.add(n)
                    if len(acknowledged) > 40:
                        under_load.set()
        except (OSError, smtplib.SMTPException):
            return

    clients = [asyncio.ensure_future(asyncio.to_thread(send, range(start, 2000, 4))) for start in range(4)]
    await asyncio.to_thread(under_load.wait, 120)
    assert await site.stop() == 0
    await asyncio.gather(*clients)
    assert 40 < len(acknowledged) < 2000
    jobs = Counter(job.mail_id for job in site.jobs())
    assert {f"<{n}@example.com>" for n in acknowledged} <= set(jobs)
    assert set(site.states()) <= {"queued", "submitted", "delivered"}
    await site.start()
    await site.until_all_told()
    assert set(site.states()) == {"delivered"}
    assert max(Counter(taken.submitted.text for taken in site.carrier.record.taken).values()) == 1
    assert len({status.message["In-Reply-To"] for status in site.box.mails}) == len(site.box.mails) == len(jobs)
    log = "".join(site.log)
    assert "Traceback" not in log
    assert "level=error" not in log


async def test_a_stop_waits_for_answers_that_are_on_their_way(site):
    """An SMS that the carrier is just taking is not unknown because we were asked to stop."""
    await site.open(Script(throttle_every=3, receipt_delay=0.01), window=3)
    await site.start()
    for _ in range(3):
        await site.send("x" * 500)
    assert await site.stop() == 0
    assert {part.state for part in site.parts()}.isdisjoint({"submitting", "unknown"})


async def test_what_no_link_was_given_before_a_kill_is_sent_by_the_next_start_at_once(site):
    await site.open(window=5)
    await site.start(killed_at="gateway.handed:HandedMessages.note")  # just taken, not yet given to the link
    with contextlib.suppress(smtplib.SMTPException, OSError):
        await site.send("x" * 500)
    await site.until_killed()
    assert {part.state for part in site.parts()} == {"submitting"}
    assert site.carrier.record.taken == []
    await site.start()
    await site.until_all_told()
    assert site.states() == {"delivered": 1}
    assert len(site.carrier.record.taken) == len(site.parts()) == 4
    await site.until(lambda: any("event=parts_left_behind" in line for line in site.log))


async def test_what_a_link_was_given_before_a_kill_is_not_sent_again(site):
    await site.open(window=5)
    await site.start(killed_at="smpp.client.client:SmppClient.submit")  # noted, and perhaps on its way
    with contextlib.suppress(smtplib.SMTPException, OSError):
        await site.send("Hello")
    await site.until_killed()
    await site.start()
    await site.until_all_told()
    assert site.states() == {"unknown": 1}
    assert site.carrier.record.taken == []


@pytest.mark.slow
async def test_a_second_gateway_on_the_same_database_does_not_start_and_harms_nothing(site):
    await site.open(Script(hang_at=1), response_timeout="2m")
    await site.start()
    job = await site.send("On its way")
    await site.until(lambda: site.state(job) == {"447700900123": "submitting"})
    code, said = await serve(site)  # on PostgreSQL it waits first whether the other one dies
    assert code == 1
    assert "another process lives as node 0" in said or "is served by process" in said
    assert "Traceback" not in said
    assert site.state(job) == {"447700900123": "submitting"}


async def test_a_port_in_use_is_said_and_what_was_queued_is_not_left_half_sent(site):
    await site.open(Script(treat=lambda _: BUSY if busy else None))
    busy = True
    await site.start()
    jobs = [await site.send(f"Queued {n}") for n in range(5)]
    await site.until(lambda: [message.reason != "" for message in site.messages()].count(True) == 5)
    await site.stop()
    await site.command("queue", "flush")
    busy = False
    with socket.create_server(("127.0.0.1", site.port)):
        code, said = await serve(site)
    assert code == 1
    assert re.search(rf"^\S+mail2sms\.toml: cannot start: .*127\.0\.0\.1.*{site.port}", said, re.MULTILINE)
    assert "Traceback" not in said
    assert site.states().keys().isdisjoint({"submitting", "unknown"})
    await site.start()
    await site.until_all_told()
    assert all(site.state(job) == {"447700900123": "delivered"} for job in jobs)
    assert len(site.carrier.record.taken) == 5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "smpp"', 'kind = "smtp"', r"mail2sms\.toml:\d+: .*kind"),
        ("[log]", "[logg]", r"mail2sms\.toml:\d+: .*logg.*log"),
        (
            'password_file = "carrier.password"',
            'password_file = "none.password"',
            r"mail2sms\.toml:\d+: .*none\.password",
        ),
    ],
)
async def test_a_broken_configuration_is_explained_and_nothing_starts(old, new, said, site):
    await site.open()
    change(site, old, new)
    checked = await site.command("check", code=1)
    code, printed = await serve(site)
    assert code == 1
    assert re.search(said, printed)
    assert printed == checked


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'database = "sqlite:///mail2sms.db"',
            'database = "sqlite:////proc/none/mail2sms.db"',
            "the database cannot be opened",
        ),
        (
            'tls = "off"\nauth',
            'tls = "offer"\ncertificate_file = "mail2sms.toml"\nkey_file = "mail2sms.toml"\nauth',
            "mail2sms.toml",
        ),
        (
            "[log]",
            '[[mail.dkim]]\ndomain = "example.net"\nselector = "s1"\nkey_file = "carrier.password"\n[log]',
            "carrier.password: ",
        ),
    ],
)
async def test_what_shows_only_at_the_start_is_said_in_one_sentence(old, new, said, site):
    await site.open()
    text = re.sub(r"^#.*\n", "", site.file.read_text(), flags=re.MULTILINE)
    site.file.write_text(text)
    change(site, old, new)
    code, printed = await serve(site)
    assert code == 1
    assert re.search(rf"^\S+mail2sms\.toml: cannot start: .*{re.escape(said)}", printed, re.MULTILINE)
    assert "Traceback" not in printed


async def test_below_the_disk_reserve_mail_is_deferred(tmp_path, gateway_database):
    site = Installation(tmp_path / "full", gateway_database, limits={"disk_reserve": "900000G"})
    await site.open()
    await site.start()

    def send():
        with site.client() as client:
            return client.mail(SENDER)

    code, text = await asyncio.to_thread(send)
    await site.close()
    assert (code, text[:5]) == (452, b"4.3.1")
    assert any("event=disk_reserve" in line for line in site.log)


@pytest.mark.slow
async def test_the_log_can_be_json_and_the_service_manager_is_told(tmp_path, gateway_database, monkeypatch):
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(address))
        channel.settimeout(120)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        site = Installation(tmp_path / "site", gateway_database, log={"format": "json"})
        await site.open()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli", "serve", "--config", str(site.file), cwd=ROOT, stderr=asyncio.subprocess.PIPE,
            env={**os.environ},
        )  # fmt: skip
        ready = await asyncio.to_thread(channel.recv, 100)
        process.terminate()
        stopping = await asyncio.to_thread(channel.recv, 100)
        _, log = await asyncio.wait_for(process.communicate(), PATIENCE)
        await site.close()
    assert (ready, stopping, process.returncode) == (b"READY=1", b"STOPPING=1", 0)
    events = [json.loads(line)["event"] for line in log.decode().splitlines()]
    assert events[-1] == "stopped"
    assert "listening" in events


async def test_a_database_from_before_the_first_release_is_refused_with_what_to_do(new_database_url, tmp_path):
    site = Installation(tmp_path / "site", new_database_url)
    await site.open()
    database = connect(new_database_url)
    with database.connection_context():
        database.execute_sql("INSERT INTO schema_migration (name) VALUES ('0001_initial')")
    code, said = await serve(site)
    assert code == 1
    assert "cannot start: a version of mail2sms from before the first release made these tables" in said
    assert "mail2sms people export" in said
    assert "Traceback" not in said
    assert "mail2sms people export" in await site.command("customer", "list", code=1)
    checked = await site.command("check", code=1)
    assert "[server] database: a version of mail2sms from before the first release made these tables" in checked
    assert "mail2sms people export" in checked
    await site.close()
