"""`mail2sms queue …` and `status` beside a running gateway whose carrier is away: what an administrator can do, and sees."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from smpp.simulator.script import Script, Treatment
from smpp.wire.bodies import DeliverSm
from smpp.wire.statuses import Status
from store.carrier_links import CarrierLinkRow
from store.engine.keys import to_stored
from tests.kit.installation import Installation
from tests.kit.ports import free_port

BUSY = Treatment(status=Status.RSYSERR)


class Moody(Installation):
    """An installation whose carrier answers every submit with «system error» while it is `unwell`."""

    unwell = True

    def script(self) -> Script:
        return Script(treat=lambda _: BUSY if self.unwell else None)


@pytest.fixture
async def busy(tmp_path, gateway_database):
    site = Moody(tmp_path / "site", gateway_database)
    await site.open(site.script())
    await site.start()
    yield site
    await site.close()


async def deferred(site: Installation, job: str) -> None:
    await site.until(lambda: [message.reason for message in site.messages(state="queued")] == ["carrier-busy"])
    assert site.state(job) == {"447700900123": "queued"}


async def test_what_waits_is_listed_with_the_reason_and_without_whole_numbers(busy):
    job = await busy.send("Pump 7 has stopped")
    await deferred(busy, job)
    listed = await busy.command("queue", "list")
    assert re.search(
        rf"^S\.\S+  {re.escape(job)}  queued +normal  due \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\S*.*  \+447700…23  demo  via alpha",
        listed,
        re.MULTILINE,
    )
    assert ", again after ESME_RSYSERR (0x08)  " in listed
    assert "1 attempt, carrier-busy: " in listed
    assert listed.endswith("1 message, 0 notices wait; times are UTC.\n")
    assert "447700900123" not in listed
    assert "Pump" not in listed
    assert re.search(
        r": queued, due \S+ \S+, carrier-busy: .* \(ESME_RSYSERR \(0x08\)\)\n", await busy.command("status", job)
    )
    (message,) = json.loads(await busy.command("queue", "list", "--json"))["messages"]
    assert message["waits_for"]["code"] == "retry"
    assert (message["job_id"], message["state"], message["held"]) == (job, "queued", False)


async def test_held_messages_stay_and_released_ones_go_out(busy):
    job = await busy.send("Held back")
    await deferred(busy, job)
    assert await busy.command("queue", "hold", job) == f"{job}: 1 held.\n"
    assert "  held  +447700…23" in await busy.command("queue", "list")
    assert ": queued, held, carrier-busy: " in await busy.command("status", job)
    busy.unwell = False
    assert await busy.command("queue", "flush") == "0 made due.\n"
    other = await busy.send("Sent at once", to=("+447700900124",))
    await busy.told()
    assert busy.state(other) == {"447700900124": "delivered"}
    assert busy.state(job) == {"447700900123": "queued"}
    assert await busy.command("queue", "release", job) == f"{job}: 1 released.\n"
    await busy.told(2)
    assert busy.state(job) == {"447700900123": "delivered"}
    assert [taken.submitted.text for taken in busy.carrier.record.taken] == ["Sent at once", "Held back"]


async def test_flush_tries_at_once_what_waits_for_its_next_attempt(busy):
    job = await busy.send("Soon")
    await deferred(busy, job)
    busy.execute("UPDATE message SET due_at = due_at + 3600000000")  # an hour later: only the flush brings it earlier
    busy.unwell = False
    assert await busy.command("queue", "flush") == "1 made due.\n"
    await busy.told()
    assert busy.state(job) == {"447700900123": "delivered"}


@pytest.mark.slow
async def test_neither_flush_nor_release_sends_before_the_senders_time_or_in_a_blackout(busy):
    await busy.command("customer", "set", "demo", "subject_options=on")
    start = datetime.now(UTC) + timedelta(days=4)
    scheduled = await busy.send("Scheduled", subject=f"[JOBPERIOD:{start.isoformat()}]")
    failed = await busy.send("Failed before its night", to=("+447700900124",))
    await busy.until(lambda: busy.messages(failed)[0].attempts > 0)
    now = datetime.now(UTC)
    night = f"[BLACKOUTPERIODS:{now.isoformat()}/{(now + timedelta(hours=8)).isoformat()}]"
    quiet = await busy.send("Quiet", to=("+447700900125",), subject=night)
    # What failed once gets the same night, as if that had begun after its first attempt.
    (other,) = busy.messages(number="447700900125")
    busy.execute("UPDATE message SET blackouts = ? WHERE number = '447700900124'", other.blackouts)
    busy.unwell = False
    await busy.until(lambda: {row.state for row in busy.outbox_rows()} <= {"sent"})  # confirmations would be held too
    for _ in range(2):
        assert await busy.command("queue", "flush") == "0 made due.\n"
        for job in (scheduled, failed, quiet):
            assert await busy.command("queue", "hold", job) == f"{job}: 1 held.\n"
            held = f": queued, held, due {start:%Y-%m-%d %H:%M:%S}\n" if job == scheduled else ": queued, held"
            assert held in await busy.command("queue", "show", job)
            assert await busy.command("queue", "release", job) == f"{job}: 1 released.\n"
        other = await busy.send("At once", to=("+447700900126",))
        await busy.until(lambda other=other: busy.state(other) == {"447700900126": "delivered"})
    assert {taken.submitted.text for taken in busy.carrier.record.taken} == {"At once"}
    late = to_stored(now + timedelta(hours=7))
    await busy.until(lambda: [message.due_at > late for message in busy.messages()].count(True) == 3)
    listed = await busy.command("queue", "list")
    assert f"  scheduled {start:%Y-%m-%d %H:%M:%S}  +447700…23" in listed
    assert f"  in a blackout until {now + timedelta(hours=8):%Y-%m-%d %H:%M:%S}  +447700…25" in listed
    assert f"  in a blackout until {now + timedelta(hours=8):%Y-%m-%d %H:%M:%S}  +447700…24" in listed


async def test_a_deleted_message_never_goes_out_and_its_sender_is_told(busy):
    job = await busy.send("Never mind")
    await deferred(busy, job)
    assert await busy.command("queue", "delete", job) == f"{job}: 1 message cancelled, 0 notices dropped.\n"
    text = await busy.told()
    assert "+44 7700 900123" in text
    assert "ancelled" in text
    busy.unwell = False
    await busy.command("queue", "flush")
    assert busy.state(job) == {"447700900123": "cancelled"}
    assert busy.carrier.record.taken == []
    assert await busy.command("queue", "list") == "0 messages, 0 notices wait; times are UTC.\n"


async def test_what_was_done_to_the_queue_stands_in_the_audit_and_nothing_where_nothing_was_changed(busy):
    job = await busy.send("Handled")
    await deferred(busy, job)
    await busy.stop()
    busy.execute("UPDATE message SET due_at = due_at + 3600000000")
    for command in (("flush",), ("flush",), ("hold", job), ("hold", job), ("release", job)):
        await busy.command("queue", *command)
    await busy.command("cancel", job)
    for again in ("delete", "delete", "hold"):
        await busy.command("queue", again, job)
    entries = json.loads(await busy.command("people", "audit", "--json"))
    done = [(entry["action"], entry["target"], entry["detail"]) for entry in entries if "queue." in entry["action"]]
    assert sorted(done) == [
        ("queue.cancel", job, "cancelled 1, asked 0"),
        ("queue.delete", job, "cancelled 0, dropped 1"),
        ("queue.flush", "queue", "due 1"),
        ("queue.hold", job, "held 1"),
        ("queue.release", job, "released 1"),
    ]
    assert all(entry["who"] for entry in entries)
    assert {entry["customer"] for entry in entries if entry["target"] == job} == {"demo"}


async def test_status_is_one_trace_of_mail_message_parts_receipts_and_notices(site):
    await site.open()
    await site.command("customer", "set", "demo", "subject_options=on")
    await site.start()
    job = await site.send("x" * 200, subject="[BC:4711][CUSTOMERREF:PO-7]", message_id="<trace@example.com>")
    await site.told()
    await site.until_all_told()
    trace = await site.command("status", job)
    assert re.search(rf"^Job {re.escape(job)}: settled .* UTC$", trace, re.MULTILINE)
    assert "mail from <anna@example.com>, author anna@example.com, <trace@example.com>" in trace
    assert re.search(r"^    delivery_receipt = on by customer \(manual:\S+\)$", trace, re.MULTILINE)
    assert re.search(r"^  cost centre 4711, customer reference PO-7$", trace, re.MULTILINE)
    asked = ("+447700900123", "00447700900123", *(part.carrier_id for part in site.parts()))
    for named in (*re.findall(r"[SN]\.\d{8}-\S+?(?=:? )", trace), *asked):
        assert await site.command("status", named) == trace
    assert re.search(
        r"^Message S\.\S+: \+447700900123@sms\.example\.net = \+447700900123: delivered$", trace, re.MULTILINE
    )
    assert len(re.findall(r"^  part [12]/2: delivered at alpha, id \S+$", trace, re.MULTILINE)) == 2
    assert len(re.findall(r"^  receipt .*: part [12] delivered", trace, re.MULTILINE)) == 2
    assert re.search(r"^Notice N\.\S+: result by mail to anna@example\.com: sent$", trace, re.MULTILINE)
    assert re.search(r"^  .* sent 127\.0\.0\.1 .*tls=TLSv1\.\d \S+ policy=encrypt", trace, re.MULTILINE)
    assert await site.command("queue", "show", job) == trace
    assert await site.command("status", "<trace@example.com>") == trace
    machine = json.loads(await site.command("status", "--json", job))
    assert machine["report"]["messages"][0]["number"] == "+447700900123"
    assert len(machine["receipts"]) == 2


async def test_a_parts_cost_label_is_that_of_the_day_it_was_offered_whatever_the_file_says_later(site):
    await site.open(cost="domestic")
    await site.start()
    job = await site.send("Pump 7 has stopped")
    await site.told()
    await site.stop()
    site.file.write_text(site.file.read_text().replace('cost = "domestic"', 'cost = "dearer"'))
    await site.start()
    later = await site.send("Pump 7 runs again")
    await site.told(2)
    part = r"^  part 1/1: delivered at alpha, id \S+, cost {}$"
    assert re.search(part.format("domestic"), await site.command("queue", "show", job), re.MULTILINE)
    assert re.search(part.format("dearer"), await site.command("queue", "show", later), re.MULTILINE)
    (message,) = json.loads(await site.command("status", "--json", job))["report"]["messages"]
    assert [part["cost_label"] for part in message["parts"]] == ["domestic"]


async def test_what_the_network_says_on_the_way_is_shown_until_it_says_how_it_ended(site):
    on_the_way = Treatment(error="027", receipt_delay=3600.0)
    await site.open(Script(treat=lambda _: on_the_way), dialect={"registered_delivery": 17})
    await site.start()
    job = await site.send("Pump 7 has stopped")
    await site.until(lambda: [came.state for came in site.receipts() if came.part_key is not None] == ["enroute"])
    shown = await site.command("queue", "show", job)
    assert re.search(r"^  part 1/1: submitted at alpha, id \S+$", shown, re.MULTILINE)
    assert re.search(r"^    network: under way, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, error 027$", shown, re.MULTILINE)
    assert site.state(job) == {"447700900123": "submitted"}
    (receipt,) = json.loads(await site.command("status", "--json", job))["receipts"]
    assert (receipt["state"], receipt["intermediate"]) == ("enroute", True)
    (taken,) = site.carrier.record.taken
    ended = f"id:{taken.message_id} submit date:2611231600 done date:2611231605 stat:DELIVRD err:000 text:"
    report = DeliverSm(esm_class=0x04, source_addr="447700900123", short_message=ended.encode())
    assert await site.carrier.deliver_raw(report) == Status.ROK
    await site.told()
    assert "under way" not in await site.command("queue", "show", job)


@pytest.mark.parametrize("command", [("status",), ("queue", "show"), ("queue", "hold"), ("queue", "delete")])
async def test_an_id_that_names_nothing_is_said(command, site):
    await site.open()
    printed = await site.command(*command, "J.20261123-000000.000-nothing", code=1)
    assert "J.20261123-000000.000-nothing: there is no job" in printed


async def test_a_carrier_that_is_away_is_named_as_what_a_message_waits_for_and_so_is_a_gateway_that_does_not_run(
    tmp_path, gateway_database
):
    site = Installation(tmp_path / "site", gateway_database)
    await site.open(port=free_port())
    await site.start()
    try:
        await site.send("Pump 7 has stopped")
        await site.until(lambda: len(site.stored(CarrierLinkRow)) == 1)
        listed = await site.command("queue", "list")
        assert re.search(r"  no link to alpha since \S+ \S+: connection refused: nothing listens there", listed)
        await site.stop()
        assert "  until a process serves  " in await site.command("queue", "list")
    finally:
        await site.close()
