"""Two gateways on one PostgreSQL: both take mail, one holds the carrier's link, and takes over when the other dies."""

import asyncio
import json
import shutil
import socket
from collections import Counter
from urllib.request import urlopen

import pytest

from smpp.simulator.script import Script
from tests.kit.installation import SENDER, Installation, addresses, mail
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]


def second_node(first, folder):
    """Return a site beside the first with the same database, carrier and customer, as node 1."""
    second = Installation(folder, first.database)
    shutil.copytree(first.folder, folder)
    second.box.start()  # it stays empty: both nodes have the first one's route
    second.boxed = True
    second.port = free_port()
    text = first.file.read_text().replace(f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}")
    second.file.write_text(text.replace("node = 0\n", "node = 1\n"))
    return second


def send(site, numbers):
    with site.client() as client:
        for number in numbers:
            client.sendmail(SENDER, addresses(number), mail(f"To {number}", message_id=f"<{number}@example.com>"))


async def test_a_node_takes_over_when_the_other_is_killed_and_nothing_is_lost_or_sent_twice(
    tmp_path, new_postgresql_url
):
    first = Installation(tmp_path / "one", new_postgresql_url, server={"node": 0})
    await first.open(Script(throttle_rate=40.0), window=5)
    second = second_node(first, tmp_path / "two")
    try:
        await first.start()
        await second.start()
        numbers = [f"+44770090{n:04}" for n in range(60)]
        sending = [asyncio.to_thread(send, first, numbers[:30]), asyncio.to_thread(send, second, numbers[30:])]
        await asyncio.gather(*sending)
        assert first.carrier.bound == 1
        await first.until(lambda: len(first.carrier.record.taken) > 10)
        await first.kill()
        await first.until_all_told(120)
        taken = Counter(one.submitted.number for one in first.carrier.record.taken)
        assert max(taken.values()) == 1
        states = first.states()
        assert set(states) <= {"delivered", "unknown"}
        assert sum(states.values()) == 60
        assert states["unknown"] <= 5
        assert len(first.box.mails) >= 60
    finally:
        await second.close()
        await first.close()


def ask(port):
    with urlopen(f"http://127.0.0.1:{port}/ready", timeout=PATIENCE) as answer:
        return json.load(answer)


async def test_a_process_that_only_answers_by_http_takes_no_mail_and_holds_no_carrier(tmp_path, new_postgresql_url):
    ports = free_port(), free_port()
    http = [{"name": "local", "address": f"127.0.0.1:{ports[0]}", "serves": ["operator"]}]
    first = Installation(tmp_path / "one", new_postgresql_url, http=http, server={"node": 0})
    await first.open()
    second = second_node(first, tmp_path / "two")
    second.file.write_text(second.file.read_text().replace(str(ports[0]), str(ports[1])))
    try:
        await second.start(only="http")
        assert ask(ports[1])["status"] == "ready"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", second.port))
        assert first.carrier.bound == 0
        await first.start()
        await first.send("hello")
        await first.until_all_told()
        # What is told is a second old at most.
        await first.until(lambda: ask(ports[1])["links"] == ask(ports[0])["links"] != [])
        assert await second.stop() == 0
    finally:
        await second.close()
        await first.close()
