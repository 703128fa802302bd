"""Peers that take a connection and say nothing: they hold up neither a stop nor what is for others."""

import asyncio
import contextlib

import pytest

from tests.kit.application import Application
from tests.kit.installation import SENDER, addresses, mail

NUMBER = "+447700900123"
NOTICES = 150


class SilentServer:
    """Takes every connection and says nothing; `reached` is how many there were."""

    def __init__(self) -> None:
        self.reached = 0
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> "SilentServer":
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reached += 1
        self._open.add(writer)
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async def stop(self) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await self._server.wait_closed()


@pytest.fixture
async def silent():
    server = await SilentServer().start()
    yield server
    await server.stop()


@pytest.fixture
async def application():
    started = await Application(answers=[None]).start()
    yield started
    await started.stop()


async def test_a_stop_waits_for_no_mail_host_and_no_application_that_hangs(site, silent, application):
    """Each may take minutes, the stop its own grace and a moment; what was under way is told after the next start."""
    hanging = [{"domain": "*", "host": "127.0.0.1", "port": silent.port, "tls": "none"}]
    site.tables |= {
        "server": {"stop_grace": "1s"},
        "mail": {"route": hanging},
        "push": {"allow": [{"customer": "demo", "networks": ["127.0.0.0/8"]}], "timeout": "10m"},
    }
    await site.open()
    await site.command("customer", "push", "demo", f"http://127.0.0.1:{application.port}/sms")
    await site.command("customer", "set", "demo", "status_channel=both")
    await site.start()
    await site.send("Told late")
    await application.has(1)
    await site.until(lambda: silent.reached > 0)
    assert await site.stop() == 0
    assert {row.state for row in site.outbox_rows()} == {"sending"}
    assert not any("event=stop_impatient" in line for line in site.log)
    site.file.write_text(site.file.read_text().replace(f"port = {silent.port}", f"port = {site.box.port}"))
    await site.start()
    await application.has(2)
    await site.told()
    await site.until_all_told()
    assert [row.state for row in site.outbox_rows()] == ["sent", "sent"]


@pytest.mark.slow
async def test_a_domain_that_hangs_under_load_delays_nobody_elses_status_mail(site, silent):
    """Its hosts would be waited for as long as five minutes each: what comes in time waited for none of them."""
    await site.open()
    text = site.file.read_text()
    route = '[[mail.route]]\ndomain = "hangs.example"\nhost = "127.0.0.1"\ntls = "none"\n'
    site.file.write_text(text.replace("[[mail.route]]\n", f"{route}port = {silent.port}\n\n[[mail.route]]\n", 1))
    await site.start()

    def load():
        with site.client() as client:
            for n in range(NOTICES):
                sender = f"anna{n}@hangs.example"
                client.sendmail(sender, addresses(NUMBER), mail(f"Mail {n}", sender=sender))

    await asyncio.to_thread(load)
    await site.until(lambda: len(site.outbox_rows()) == NOTICES and silent.reached > 0)
    jobs = [await site.send(f"From elsewhere {n}", sender=SENDER) for n in range(5)]
    await site.told(len(jobs))
    waiting = [row for row in site.outbox_rows() if row.recipient.endswith("@hangs.example")]
    assert len(waiting) == NOTICES
    assert {row.state for row in waiting} <= {"queued", "sending"}
    assert {status.message["To"] for status in site.box.mails} == {SENDER}
