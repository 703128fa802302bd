"""kill -9 at chance moments under load: `make crash` plays many, `make test` a sample of the same code (`--kills`)."""

import asyncio
import smtplib
import threading
from collections import Counter
from email.parser import BytesHeaderParser

import pytest

from smpp.simulator.script import Script
from tests.kit.installation import SENDER, addresses, mail


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.timeout(0)  # it grows with --kills; each wait inside has its own bound
async def test_after_kills_every_acknowledged_mail_is_one_job_that_ended_and_nothing_was_sent_twice(
    site, kills, chance
):
    await site.open(Script(receipt_delay=0.02), window=20)
    acknowledged: set[int] = set()
    waiting = list(range(kills * 40))
    for _ in range(kills):
        await site.start()
        batch = [waiting.pop(0) for _ in range(40)]
        under_load = threading.Event()
        clients = [
            asyncio.to_thread(_send_until_cut, site, batch[start::4], acknowledged, under_load) for start in range(4)
        ]
        tasks = [asyncio.ensure_future(one) for one in clients]
        await asyncio.to_thread(under_load.wait, 120)
        await asyncio.sleep(chance.uniform(0, 0.5))
        await site.kill()
        await asyncio.gather(*tasks)
        # What was not answered is tried again, as a mail server does.
        waiting += [n for n in batch if n not in acknowledged]
    await site.start()
    await asyncio.to_thread(_send_until_cut, site, waiting[:20], acknowledged, threading.Event())
    await site.until_all_told()
    jobs = Counter(job.mail_id for job in site.jobs())
    assert {f"<{n}@example.com>" for n in acknowledged} <= set(jobs)
    assert max(jobs.values()) == 1
    taken = Counter(one.submitted.text for one in site.carrier.record.taken)
    assert max(taken.values()) == 1
    states = site.states()
    assert set(states) <= {"delivered", "unknown"}
    assert states["delivered"] >= kills
    ids: dict[str, set[str]] = {}
    for status in site.box.mails:
        head = BytesHeaderParser().parsebytes(status.content)  # of thousands of mails only these fields are wanted
        ids.setdefault(head["In-Reply-To"], set()).add(head["Message-ID"])
    assert set(ids) == set(jobs)
    assert all(len(found) <= 2 for found in ids.values())  # the result, and a correction where the network spoke later


def _send_until_cut(site, numbers, acknowledged, under_load):
    try:
        with site.client() as client:
            for n in numbers:
                client.sendmail(SENDER, addresses("+447700900101"), mail(f"Mail {n}", message_id=f"<{n}@example.com>"))
                acknowledged.add(n)
                under_load.set()
    except (OSError, smtplib.SMTPException):
        return
