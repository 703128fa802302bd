"""kill -9 while sums are written, details are deleted and long tables are written (`--kills`; `make crash` plays many)."""

import asyncio
import contextlib
import csv
import io
import smtplib
import threading
import time
from functools import partial

import pytest

from cli.admin_session import admin_session
from reports.details import DetailFilter
from reports.downloads import ask_download
from reports.tables import TableForm
from smpp.simulator.script import Script
from tests.kit.installation import SENDER, addresses, mail

_LONG_AGO = 100 * 86_400 * 1_000_000
_IN_A_STEP = ("store.sums:_add", *(f"store.retention:_delete@{n}" for n in range(1, 9)), "")


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.timeout(0)  # it grows with --kills; each wait inside has its own bound
async def test_after_kills_each_sms_counts_once_and_no_detail_went_before_it_was_counted(site, kills, chance):
    await site.open(Script(receipt_delay=0.02), window=20)
    known: set[int] = set()
    for _ in range(kills + 1):
        place = chance.choice(_IN_A_STEP) if known else ""
        with contextlib.suppress(RuntimeError):  # it may be killed before it takes mail
            await site.start(killed_at=place)
            under_load = threading.Event()
            sending = asyncio.gather(*(asyncio.to_thread(_send_until_cut, site, under_load) for _ in range(2)))
            await asyncio.to_thread(under_load.wait, 120)
            await asyncio.sleep(chance.uniform(0, 1))
            if place:
                await site.until_killed()
            else:
                await site.until(lambda: counted(site) > 0)
                await site.kill()
            await sending
        known |= {job.key for job in site.jobs()}
        gone = known - {job.key for job in site.jobs()}
        (summed,) = site.rows("SELECT count(*) FROM job_sum WHERE counted <> ''")[0]
        assert counted(site) == len(gone) + summed
        _let_time_pass(site)
    await site.start()
    await site.until_all_told()
    await site.until(lambda: site.rows("SELECT count(*) FROM job_sum WHERE changes > 0") == [(0,)])
    known |= {job.key for job in site.jobs()}
    assert counted(site) == len(known)
    await site.stop()
    _let_time_pass(site)
    await site.start()
    await site.until(lambda: site.jobs() == [])
    assert counted(site) == len(known)
    assert site.rows("SELECT count(*) FROM message") == site.rows("SELECT count(*) FROM detail") == [(0,)]


def _let_time_pass(site) -> None:
    """Have all that ended lie back so long, once, that its details go."""
    now = time.time_ns() // 1_000
    site.execute("UPDATE job_sum SET closed_at = closed_at - ? WHERE closed_at > ?", _LONG_AGO, now - _LONG_AGO // 2)


def counted(site) -> int:
    """Return how many SMS the sums have."""
    return int(site.rows("SELECT COALESCE(sum(messages), 0) FROM traffic_sum WHERE direction = 'sent'")[0][0])


def _send_until_cut(site, under_load):
    try:
        with site.client() as client:
            for n in range(60):
                client.sendmail(SENDER, addresses("+447700900101"), mail(f"Mail {n}"))
                under_load.set()
    except (OSError, smtplib.SMTPException):
        under_load.set()


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.timeout(0)
async def test_after_kills_a_long_table_is_written_whole_and_told_of_once(site, kills, chance):
    places = (
        *("store.downloads:_take", "store.downloads:_note@1", "store.downloads:_note@2", "store.downloads:_note@3"),
        *("reports.tables:TableWriter.write", "reports.download_writer:DownloadWriter._complete"),
    )
    await site.open()
    await site.start()
    await site.send("Hello")
    await site.until_all_told()
    await site.stop()
    demo = site.customers(name="demo")[0].key
    with admin_session(site.file) as session:
        session.administration.who = "reader@example.com"
        wanted = DetailFilter(customer_key=demo)
        session.administration.change_now(
            partial(ask_download, customer="demo", wanted=wanted, form=TableForm.CSV, language="en", zone="UTC")
        )
    for place in chance.sample(places, min(kills, len(places))):
        with contextlib.suppress(RuntimeError):  # it may be killed before it takes mail
            await site.start(killed_at=place)
            await site.until_killed()
        assert [one for one in site.box.mails if one.recipients == ("reader@example.com",)] == []
    await site.start()
    await site.until(lambda: any(one.recipients == ("reader@example.com",) for one in site.box.mails))
    await site.until(lambda: site.rows("SELECT count(*) FROM outbox WHERE ended_at IS NULL") == [(0,)])
    assert len([one for one in site.box.mails if one.recipients == ("reader@example.com",)]) == 1
    # What a killed attempt left is deleted before the next table is looked for.
    await site.until(lambda: len(list((site.folder / "downloads").rglob("sms.csv"))) == 1)
    (file,) = (site.folder / "downloads").rglob("sms.csv")
    heads, line = csv.reader(io.StringIO(file.read_text("utf-8-sig"), newline=""))
    assert line[heads.index("To")] == "'+447700900123"
