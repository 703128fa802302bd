"""The trace of anything by one of its ids in the portal: the operator's of all, a customer's of its own alone."""

from typing import NamedTuple

import pytest

from addressbook.rights import Role
from sms.message import MailOrigin, ReceiptState
from sms.outcome import Done
from store.answers import Rules
from store.directory import read_version
from store.dropped import DroppedStore, NewDrop
from tests.kit.portal_site import portal_site, text_of
from tests.kit.received import came
from tests.kit.store_harness import StoreHarness
from tests.kit.testbed import make_house, open_core

ANNA, BEN, EVE = "447700900123", "447700900456", "447700900789"


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with portal_site(core) as running:
        yield running
    core.database.close()


class World(NamedTuple):
    """A store with a job of acme and a newer one of a rival, each by its id."""

    store: StoreHarness
    own: str
    foreign: str


@pytest.fixture
async def world(site):
    """Return a job of acme to two phones, and one of a rival to the first of them and a third.

    Both were taken by the carrier, which gave its ids by turns: id-0, id-1, …; both mails have the same Message-ID.
    """
    made = StoreHarness("", Rules(), database=site.core.database)
    made.now = int(site.core.clock.now().timestamp() * 1_000_000)
    version = made.database.read_now(read_version)
    own, foreign = (
        made.add(
            *numbers,
            customer_key=site.customer(name),
            customer=name,
            directory_version=version,
            mail=MailOrigin(reverse_path="anna@example.com", message_id="<shared@example.com>", helo="pc.example.com"),
        ).public_id
        for name, numbers in (("acme", (ANNA, BEN)), ("rival", (ANNA, EVE)))
    )
    parts = sorted(made.take(cost_label="eu"), key=lambda part: part.part_key)
    made.settle(*((part.part_key, Done(reference=f"id-{at}")) for at, part in enumerate(parts)))
    made.receipt("id-0", ReceiptState.DELIVERED, ANNA)
    return World(made, own, foreign)


def ids_of(world, job):
    """Return the ids by which a job is found: its own, its mail's, those of its messages and of its parts."""
    rows = world.store.database.read_now(
        lambda tx: tx.rows(
            "SELECT m.number, m.public_id, p.carrier_id FROM job j JOIN message m ON m.job_key = j.key"
            " JOIN part p ON p.message_key = m.key WHERE j.public_id = ?",
            (job,),
        )
    )
    return {number: (message, carrier_id) for number, message, carrier_id in rows}


async def test_the_operator_finds_a_job_by_its_id_a_message_its_mail_a_carriers_id_and_a_number(site, world):
    operator, job = await site.signed_in(Role.OPERATOR), world.own
    message, carrier_id = ids_of(world, job)[BEN]
    whole = text_of(await operator.get(f"/operator/trace?name={job}"))
    assert f"+{ANNA}" in whole
    assert f"+{BEN}" in whole
    assert "Customer acme" in whole
    assert "From host pc.example.com" in whole
    assert f"alpha {carrier_id} cost eu" in whole
    for name in (message, carrier_id, "%2B44 7700 900456", f" 00{BEN} "):
        answer = await operator.get(f"/operator/trace?name={name}")
        assert answer.status_code == 200, name
        assert job in answer.text, name
        assert f"+{BEN}" in text_of(answer), name
        assert f"+{ANNA}" not in text_of(answer), name
        assert "Show the whole job" in text_of(answer), name
    for name in ("shared@example.com", "<shared@example.com>", f"%2B{ANNA}"):
        assert world.foreign in (await operator.get(f"/operator/trace?name={name}")).text, name


async def test_a_customers_people_are_led_to_their_own_and_are_told_the_same_of_foreign_and_unknown(site, world):
    visitor, job = await site.signed_in(Role.REPORTS), world.own
    room = f"/c/{site.customer()}/reports"
    own, foreign = ids_of(world, job), ids_of(world, world.foreign)
    (of_ben, ben_at_carrier), (of_anna, _) = own[BEN], own[ANNA]
    for name, wanted in (
        (job, job),
        ("shared@example.com", job),
        (of_ben, of_ben),
        (ben_at_carrier, of_ben),
        (f"%2B{BEN}", of_ben),
        (f"%2B{ANNA}", of_anna),
    ):
        answer = await visitor.get(f"{room}/trace?name={name}")
        assert (answer.status_code, answer.headers.get("location")) == (303, f"/portal{room}/job/{wanted}"), name
        assert (await visitor.get(f"{room}/job/{wanted}")).status_code == 200
    unknown = await visitor.get(f"{room}/trace?name=J.nothing")
    assert unknown.status_code == 404
    assert "Nothing of this id is known." in text_of(unknown)
    for name in (world.foreign, *foreign[EVE], f"+{EVE}"):
        answer = await visitor.get(f"{room}/trace?name={name.replace('+', '%2B')}")
        assert answer.status_code == 404, name
        assert answer.text.replace(name, "J.nothing") == unknown.text, name


async def test_an_sms_that_came_a_dropped_mail_and_a_notice_are_found(site, world):
    operator, visitor = await site.signed_in(Role.OPERATOR), await site.signed_in()
    own, foreign = [(await came(site, "Which one?", customer=name)).rpartition("/")[2] for name in ("acme", "rival")]
    room = f"/c/{site.customer()}/reports"
    assert "Which one?" in text_of(await operator.get(f"/operator/trace?name=I.{foreign}"))
    answer = await visitor.get(f"{room}/trace?name=I.{own}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/portal{room}/received/I.{own}")
    assert (await visitor.get(f"{room}/trace?name=I.{foreign}")).status_code == 404
    drop = NewDrop(
        customer="acme", reverse_path="", header_from="anna@example.com", mail_id="<gone@example.com>",
        client="192.0.2.1", reason="auto-reply", mark="Auto-Submitted", at=world.store.now,
    )  # fmt: skip
    await site.core.database.write(DroppedStore(site.core.keys).add, drop)
    shown = text_of(await operator.get("/operator/trace?name=gone@example.com"))
    assert "an automatic answer" in shown
    assert "Auto-Submitted" in shown
    assert (await visitor.get(f"{room}/trace?name=gone@example.com")).status_code == 404
    await operator.post(f"/c/{site.customer()}/accounts", {"address": "ben@example.com", "role": "reports"})
    of_ben = "SELECT public_id FROM outbox WHERE job_key IS NULL AND recipient = 'ben@example.com'"
    letter = world.store.database.read_now(lambda tx: tx.value(of_ben))
    assert letter in text_of(await operator.get(f"/operator/trace?name={letter}"))
    assert (await visitor.get(f"{room}/trace?name={letter}")).status_code == 404


async def test_the_page_asks_for_an_id_and_speaks_every_language(site, world):
    operator, visitor = await site.signed_in(Role.OPERATOR), await site.signed_in()
    room = f"/c/{site.customer()}/reports"
    for language in ("en", "de", "fr", "es"):
        for who, path in (
            (operator, "/operator/trace"),
            (operator, f"/operator/trace?name={world.own}"),
            (visitor, f"{room}/trace"),
        ):
            answer = await who.get(path, Accept_Language=language)
            assert (answer.status_code, f'<html lang="{language}">' in answer.text) == (200, True), path
            assert 'name="name"' in answer.text


async def test_what_no_id_can_be_is_answered_as_an_unknown_one(site, world):
    operator = await site.signed_in(Role.OPERATOR)
    for name in ("%00", "a%00b", "x" * 5000, "%FF%FE", "'; DROP TABLE job --", "9" * 18, "%2B" + "9" * 30):
        answer = await operator.get(f"/operator/trace?name={name}")
        assert (answer.status_code, "Nothing of this id is known." in text_of(answer)) == (404, True), name
