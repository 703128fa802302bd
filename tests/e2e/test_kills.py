"""kill -9 at chance moments under load: `make crash` plays many, `make test` a sample of the same code (`--kills`)."""

import asyncio
import re
import smtplib
import threading
from collections import Counter
from email.parser import BytesHeaderParser
from itertools import count
from typing import Any

import httpx2
import pytest

from smpp.session.events import Missing
from smpp.session.session import SessionError
from smpp.simulator.script import Script
from smpp.wire.bodies import SubmitSm
from smpp.wire.statuses import Status
from tests.kit.esme import esme, receipt_words
from tests.kit.installation import SENDER, addresses, mail
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port


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


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.timeout(0)
async def test_after_kills_every_answered_submit_is_one_job_that_ended_and_its_esme_has_the_receipt(
    site, kills, chance
):
    port = free_port()
    site.tables["smpp_server"] = [{"name": "smpp", "address": f"127.0.0.1:{port}"}]
    await site.open(Script(receipt_delay=0.02), window=20)
    login = await site.add_login()
    answered: dict[str, str] = {}
    heard: dict[str, set[str]] = {}
    texts = count()
    for _ in range(kills):
        await site.start()
        async with esme(port, *login) as client:
            under_load = asyncio.create_task(_submit_until_cut(client, texts, answered))
            await client.until(lambda: bool(answered))
            await asyncio.sleep(chance.uniform(0, 0.5))
            await site.kill()
            await under_load
            _hear(client, heard)
    await site.start()
    async with esme(port, *login) as client:
        await client.until(lambda: answered.keys() <= _hear(client, heard).keys())
        await site.until(lambda: site.unfinished() == 0)  # also of those whose answer was lost
        _hear(client, heard)
    jobs = {str(job.key): job for job in site.jobs()}
    assert answered.keys() <= jobs.keys()
    bodies = {str(message.job_key): message.body for message in site.messages()}
    assert {key: bodies[key] for key in answered} == answered
    assert max(Counter(one.submitted.text for one in site.carrier.record.taken).values()) == 1
    # At least once: a receipt may come again, and say the same; but where the network spoke late, a correction.
    assert all(stats in ({"DELIVRD"}, {"UNKNOWN"}, {"UNKNOWN", "DELIVRD"}) for stats in heard.values())


async def _submit_until_cut(client, texts, answered):
    """Submit texts, fifty at a time, until the connection is cut, and note those that were answered by their ids."""
    while not client.is_lost:
        batch = [f"text {next(texts)}" for _ in range(50)]
        fields: dict[str, Any] = {"dest_addr_ton": 1, "destination_addr": "447700900123", "registered_delivery": 1}
        try:
            asked = [client.ask(SubmitSm(short_message=text.encode(), **fields)) for text in batch]
        except SessionError:
            return
        for text, answer in zip(batch, [await one for one in asked], strict=True):
            if answer is not Missing.LOST and answer is not Missing.UNSENT:
                assert answer.status == Status.ROK
                answered[answer.body.message_id] = text


def _hear(client, heard):
    """Add what the receipts of a client say, by id."""
    for pdu in client.delivered:
        words = receipt_words(pdu)
        heard.setdefault(words["id"], set()).add(words["stat"])
    return heard


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.timeout(0)
async def test_after_kills_every_job_that_rest_answered_ended_and_what_was_tried_again_was_sent_once(
    site, kills, chance
):
    port = free_port()
    site.tables["http"] = [{"name": "api", "address": f"127.0.0.1:{port}", "serves": ["api"]}]
    await site.open(Script(receipt_delay=0.02), window=20)
    api = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}/rest/v1", auth=await site.add_login(), timeout=PATIENCE)
    texts, waiting = count(), list[str]()
    kept: dict[str, str] = {}
    for _ in range(kills):
        await site.start()
        before = len(kept)
        clients = [asyncio.create_task(_post_until_cut(api, texts, waiting, kept)) for _ in range(4)]
        await site.until(lambda before=before: len(kept) > before)
        await asyncio.sleep(chance.uniform(0, 0.5))
        await site.kill()
        await asyncio.gather(*clients)
    await site.start()
    for text in waiting:
        kept[text] = await _post(api, text)
    await site.until_all_told()
    texts_of = {message.job_key: message.body for message in site.messages()}
    assert {texts_of[job.key]: job.public_id for job in site.jobs()} == kept
    assert len(site.messages()) == len(kept)
    assert max(Counter(one.submitted.text for one in site.carrier.record.taken).values()) == 1
    assert set(site.states()) <= {"delivered", "unknown"}
    for job_id in kept.values():
        (sms,) = (await api.get("/sms", params={"jobId": job_id})).json()
        assert (sms["processStatus"], sms["status"]) in {("DONE", "SUC_FIN"), ("DONE", "TIMEOUT"), ("DONE", "SEND_ERR")}
    await api.aclose()


async def _post_until_cut(api, texts, waiting, kept):
    """Post jobs until the connection is cut, first those again that were not answered, as a careful client does."""
    while True:
        text = waiting.pop() if waiting else f"text {next(texts)}"
        try:
            kept[text] = await _post(api, text)
        except httpx2.TransportError:
            waiting.append(text)
            return


async def _post(api, text) -> str:
    """Post one job and return its id, which is told too where only the answer was lost."""
    recipient = {"dst": "+447700900123"}
    job = {"messages": [{"text": text, "recipients": [recipient]}], "options": {"duplicateDetection": True}}
    answer = await api.post("/jobs", json=job)
    assert answer.status_code in {201, 409}, answer.text
    (job_id,) = re.findall(r"J\.\d[\w.-]*\w", answer.json().get("jobId") or answer.json()["detail"])
    return str(job_id)


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.timeout(0)
async def test_after_kills_a_request_that_is_named_is_one_job_and_its_repeats_are_answered_as_the_first(
    site, kills, chance
):
    port = free_port()
    site.tables["http"] = [{"name": "api", "address": f"127.0.0.1:{port}", "serves": ["api"]}]
    await site.open(Script(receipt_delay=0.02), window=20)
    api = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v2", auth=await site.add_login(), timeout=PATIENCE)
    names, waiting = count(), list[str]()
    kept: dict[str, str] = {}
    for _ in range(kills):
        await site.start()
        before = len(kept)
        clients = [asyncio.create_task(_post_named_until_cut(api, names, waiting, kept)) for _ in range(4)]
        await site.until(lambda before=before: len(kept) > before)
        await asyncio.sleep(chance.uniform(0, 0.5))
        await site.kill()
        await asyncio.gather(*clients)
    await site.start()
    for name in waiting:
        kept[name] = (await _post_named(api, name)).json()["id"]
    for name in [*chance.sample(sorted(kept), min(50, len(kept))), *waiting]:  # of earlier processes too
        again = await _post_named(api, name)
        assert (again.json()["id"], again.headers["idempotent-replayed"]) == (kept[name], "true")
    await site.until_all_told()
    texts_of = {message.job_key: message.body for message in site.messages()}
    assert {texts_of[job.key]: job.public_id for job in site.jobs()} == kept
    assert len(site.messages()) == len(kept)
    assert max(Counter(one.submitted.text for one in site.carrier.record.taken).values()) == 1
    assert set(site.states()) <= {"delivered", "unknown"}
    await api.aclose()


async def _post_named_until_cut(api, names, waiting, kept):
    """Post jobs under a name each until the connection is cut, first those again that were not answered."""
    while True:
        name = waiting.pop() if waiting else f"text {next(names)}"
        try:
            kept[name] = (await _post_named(api, name)).json()["id"]
        except httpx2.TransportError:
            waiting.append(name)
            return


async def _post_named(api, name):
    """Post the one job of a name, which is its text and its Idempotency-Key."""
    job = {"messages": [{"text": name, "recipients": [{"to": "+447700900123"}]}]}
    answer = await api.post("/jobs", json=job, headers={"Idempotency-Key": f'"{name}"'})
    assert answer.status_code == 201, answer.text
    return answer
