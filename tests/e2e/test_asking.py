"""Receipts that never come, on the real process: the carrier is asked once, and only what it knows to be over counts."""

import time

import pytest

from smpp.simulator.script import ReceiptTime, Script
from smpp.wire.statuses import Status
from sms.message import ReceiptState
from tests.kit.installation import Installation

NUMBER = "447700900123"
GRACE = 60
LEAD = GRACE / 2  # the question comes so long before the end


@pytest.fixture
async def site(tmp_path, gateway_database):
    site = Installation(tmp_path / "site", gateway_database)
    await site.open(dialect={"query": True}, receipt_grace=f"{GRACE}s")
    await site.command("customer", "set", "demo", "delivery_receipt=on")
    await site.start()
    yield site
    await site.close()


def end_soon(site: Installation, seconds: float) -> None:
    """Make it so that the wait for receipts is over in so many seconds."""
    end = int((time.time() + seconds) * 1_000_000)
    site.execute("UPDATE message SET watch_at = ?, expires_at = ? WHERE NOT ended", end, end - GRACE * 1_000_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "ends", "said"),
    [
        ({"state": ReceiptState.DELIVERED}, ("delivered", ""), "delivered"),
        ({"state": ReceiptState.UNDELIVERABLE}, ("undelivered", "not-delivered"), "undeliverable"),
        ({"state": ReceiptState.ENROUTE}, ("unknown", "no-receipt"), "enroute"),
        ({"query_status": Status.RQUERYFAIL}, ("unknown", "no-receipt"), "ESME_RQUERYFAIL"),
    ],
    ids=["delivered", "undeliverable", "on its way", "refused"],
)
async def test_a_part_whose_receipt_never_came_is_asked_about_once(site, script, ends, said):
    site.carrier.script = Script(receipt=ReceiptTime.NEVER, **script)
    job = await site.send("Did it arrive?")
    await site.until(lambda: site.state(job) == {NUMBER: "submitted"})
    assert site.carrier.queries == {}
    end_soon(site, LEAD + 3)
    await site.until(lambda: any("event=query_answered" in line for line in site.log))
    end_soon(site, 0)
    await site.until_all_told()
    assert [(message.state, message.reason) for message in site.messages()] == [ends]
    assert list(site.carrier.queries.values()) == [1]
    (line,) = [line for line in site.log if "event=query_answered" in line]
    assert said in line


async def test_a_carrier_whose_receipt_came_is_not_asked(site):
    job = await site.send("It arrives")
    await site.until(lambda: site.state(job) == {NUMBER: "delivered"})
    end_soon(site, LEAD + 3)
    await site.until_all_told()
    assert site.carrier.queries == {}
