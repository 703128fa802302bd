"""A registration from its request to its end on a moved clock: what is sent under the name, what is refused, and why."""

from datetime import timedelta

import pytest

from addressbook.rights import Role
from gateway.accept import Accepted, SnapshotChanged
from gateway.care_watch import CareWatch
from process.support import registrar_of
from sms.outcome import Refusal
from tests.kit.clock import Clock
from tests.kit.portal_site import portal_site, text_of
from tests.kit.testbed import judge, make_house, open_core

DAY = timedelta(days=1)
SPAIN = ("+34600000001",)
ASKED = {"country": "ES", "value": "Acme", "company": "Acme plc", "samples": "Your parcel comes at noon."}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def core(tmp_path, gateway_database, clock):
    core = open_core(make_house(tmp_path / "house", gateway_database), clock)
    yield core
    core.database.close()


@pytest.fixture
async def site(core):
    async with portal_site(core) as running:
        await running.administer("customer set acme sender_id=Acme")
        yield running


@pytest.fixture
def watch(core):
    registrar = registrar_of(core.config, core.book.judge)
    return CareWatch(database=core.database, keys=core.keys, clock=core.clock, registrar=registrar)


def refused(core, **sent):
    """Return why an SMS of acme to Spain is refused, None where it is taken."""
    return judge(core, "acme", to=SPAIN, **sent).refused


def told(core):
    names = [(recipient, about["words"]) for recipient, about in core.letters()]
    return [(recipient, name.removeprefix("senderid-")) for recipient, name in names if name.startswith("senderid")]


def location(answer):
    assert answer.status_code == 303, text_of(answer)
    return answer.headers["location"].removeprefix("/portal")


async def test_a_name_is_refused_in_spain_until_it_is_registered_and_again_after_its_last_day(core, site, clock, watch):
    before = refused(core)
    assert before.refusal is Refusal.SENDER_ID_UNREGISTERED
    assert "«Acme» is not registered there" in before.detail

    customer, desk = await site.signed_in(), await site.signed_in(Role.OPERATOR)
    one = location(await customer.post(f"/c/{site.customer()}/sender-ids/new", ASKED))
    location(await customer.post(one, {"step": "submit"}))
    assert refused(core).refusal is Refusal.SENDER_ID_UNREGISTERED
    until = (clock.now() + 40 * DAY).date()
    asked = f"/operator/sender-ids/{one.rpartition('/')[2]}"
    location(await desk.post(asked, {"step": "approve", "until": until.isoformat()}))
    assert refused(core) is None
    await site.administer("customer set acme sender_id=ACME")
    assert "«Acme» is registered, and small and capital letters count" in refused(core).detail
    await site.administer("customer set acme sender_id=Acme")

    assert isinstance(await core.acceptance.keep(judge(core, "acme", to=SPAIN).plan), Accepted)

    clock.move(15 * DAY)
    await watch.step()
    await watch.step()
    clock.move(20 * DAY)
    await watch.step()
    assert refused(core) is None
    clock.move(5 * DAY)
    assert refused(core) is None
    planned = judge(core, "acme", to=SPAIN).plan
    clock.move(DAY)
    assert refused(core).refusal is Refusal.SENDER_ID_UNREGISTERED
    await watch.step()
    await core.book.refresh()
    assert f"its registration ended after {until}" in refused(core).detail
    asker = "administrator.acme@example.com"
    assert [words for recipient, words in told(core) if recipient == asker] == [
        "approved",
        "reminder",
        "reminder",
        "expired",
    ]
    # What was planned under the registration is planned anew, and refused.
    assert isinstance(await core.acceptance.keep(planned), SnapshotChanged)
