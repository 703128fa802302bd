"""What a customer sets arrives on the carrier's wire, and what a carrier brings arrives in the right place."""

import asyncio
import smtplib
from uuid import uuid4

import pytest
import pytest_asyncio

from smpp.simulator.script import ReceiptTime, Script, Treatment
from smpp.wire.bodies import AlertNotification, DeliverSm
from smpp.wire.statuses import Status
from sms.message import Alphabet, ReceiptState
from sms.parts import encode_text
from sms.settings import Unencodable
from tests.kit.installation import SENDER, Installation, addresses, mail
from tests.kit.smpp import receipt_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = "447700900123"


class Carrier:
    """Sends no receipts for the numbers in `silent`; for the others only for the parts in `parts`, where it has some."""

    def __init__(self) -> None:
        self.silent: set[str] = set()

    def __call__(self, submitted):
        if submitted.number in self.silent:
            return Treatment(receipt=ReceiptTime.NEVER)
        return None


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory, module_database):
    site = Installation(tmp_path_factory.mktemp("settings") / "site", module_database)
    await site.open(Script(treat=Carrier()))
    await site.start()
    await site.until(lambda: site.carrier.bound == 1)  # a gateway that listens may still be binding
    yield site
    await site.close()


@pytest_asyncio.fixture(loop_scope="module")
async def site(running):
    """Return the running site; what a test set for the customer is taken back after it."""
    yield running
    shown = await running.command("customer", "show", "demo")
    mine = [line.split(" = ")[0].strip() for line in shown.splitlines() if line.startswith("  ") and " = " in line]
    services = {"sap": [name.partition("[")[0] for name in mine if "[" in name]}
    for service in services:
        await running.command(
            "customer", "unset", f"--service={service}", "demo", "priority", "sender_id", "cost_centre"
        )
    await running.command("customer", "unset", "demo", *SETTINGS)
    await running.command("customer", "set", "demo", "delivery_receipt=on")
    await running.command("customer", "limit", "--sender-ids=any", "demo")


SETTINGS = (
    "sender_id",
    "flash",
    "priority",
    "validity",
    "cost_centre",
    "max_parts",
    "coding",
    "unencodable",
    "default_country",
    "strict_numbers",
    "subject_options",
    "end_marker",
    "text_source",
)


async def set_for_customer(site, *assignments: str, service: str = "") -> None:
    words = ["customer", "set", *([f"--service={service}"] if service else []), "demo", *assignments]
    await site.command(*words)


def unique() -> str:
    """Return a Message-ID of its own, so that the same words are no resubmission."""
    return f"<{uuid4()}@example.com>"


async def submitted(site, text: str = "Pump 7 has stopped", *, to=(f"+{NUMBER}",), **fields):
    """Send a mail and return the submits of its first recipient."""
    before = len(site.carrier.record.taken)
    job = await site.send(text, to=to, message_id=unique(), **fields)
    await site.until(lambda: set(site.state(job).values()) <= {"delivered", "submitted"})
    return [taken.submitted for taken in site.carrier.record.taken[before:]]


@pytest.mark.parametrize(
    ("sender", "on_the_wire"),
    [
        ("+447700900999", (1, 1, "447700900999")),
        ("Shop 24", (5, 0, "Shop 24")),
        ("12345", (3, 0, "12345")),
        ("", (0, 0, "")),
    ],
)
async def test_a_sender_id_of_each_kind_is_written_as_such(sender, on_the_wire, site):
    await set_for_customer(site, f"sender_id={sender}")
    (part,) = await submitted(site)
    assert (part.body.source_addr_ton, part.body.source_addr_npi, part.body.source_addr) == on_the_wire


async def test_only_permitted_sender_ids_may_be_set_or_asked_for(site):
    await site.command("customer", "limit", "--sender-ids=Shop,+447700900999", "demo")
    said = await site.command("customer", "set", "demo", "sender_id=Other", code=1)
    assert "sender" in said.lower()
    await set_for_customer(site, "sender_id=Shop", "subject_options=on")
    (part,) = await submitted(site)
    assert part.sender == "Shop"
    (part,) = await submitted(site, subject="[SRC:+447700900999] Alarm")
    assert part.sender == "447700900999"

    def ask():
        with site.client() as client, pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail(SENDER, addresses(f"+{NUMBER}"), mail("No", subject="[SRC:Other] Alarm"))
        return refused.value

    refused = await asyncio.to_thread(ask)
    assert refused.smtp_code == 550
    assert b"5.7.1" in refused.smtp_error


@pytest.mark.parametrize(("text", "coding"), [("Now", 0x10), ("Now \U0001f6d1", 0x18)])
async def test_flash_is_a_class_of_data_coding(text, coding, site):
    await set_for_customer(site, "flash=on", "unencodable=switch")
    (part,) = await submitted(site, text)
    assert part.body.data_coding == coding
    assert part.text == text


async def test_express_has_its_flag(site):
    assert (await submitted(site))[0].body.priority_flag == 0
    await set_for_customer(site, "priority=express")
    assert (await submitted(site))[0].body.priority_flag == 1


async def test_a_validity_is_written_in_full(site):
    await set_for_customer(site, "validity=90m")
    (part,) = await submitted(site)
    assert part.body.validity_period[:8] == "00000001"
    assert part.body.validity_period.endswith("000R")
    await set_for_customer(site, "validity=3d")
    (part,) = await submitted(site)
    assert part.body.validity_period[:8] in {"00000223", "00000300"}


async def test_coding_is_what_the_customer_wants_even_where_the_shorter_one_would_do(site):
    await set_for_customer(site, "coding=ucs2")
    (part,) = await submitted(site)
    assert (part.body.data_coding, part.text) == (8, "Pump 7 has stopped")


async def test_a_text_has_no_more_parts_than_allowed_and_the_sender_reads_what_was_cut(site):
    await set_for_customer(site, "max_parts=2")
    before = len(site.box.mails)
    parts = await submitted(site, "x" * 400)
    assert [len(part.text) for part in parts] == [153, 153]
    told = await site.told(before + 1)
    sent, _, cut = told.partition("x" * 20)[2].partition("x" * 94 + "\r\n")
    assert "cut" in told.lower()
    assert (sent, cut) != ("", "")


async def test_the_cost_centre_is_on_the_report_and_in_the_trace(site):
    await set_for_customer(site, "cost_centre=4711 Logistics")
    before = len(site.box.mails)
    await submitted(site)
    assert "4711 Logistics" in await site.told(before + 1)
    assert "4711 Logistics" in site.jobs()[-1].settings


async def test_a_national_number_is_of_the_default_country(site):
    await set_for_customer(site, "default_country=GB")
    await site.until_answered("07700900123", 250)
    (part,) = await submitted(site, to=("07700900123",))
    assert part.number == NUMBER


async def test_a_number_that_nobody_has_is_refused_where_numbers_are_strict(site):
    await set_for_customer(site, "strict_numbers=on")
    assert "strict" in await site.until_answered(f"+{NUMBER}", 550)
    await site.until_answered("+4915550123456", 250)
    await site.command("customer", "unset", "demo", "strict_numbers")
    await site.until_answered(f"+{NUMBER}", 250)


async def test_without_delivery_receipt_none_is_asked_for_and_taken_by_the_carrier_is_the_end(site):
    await set_for_customer(site, "delivery_receipt=off")
    before = len(site.box.mails)
    job = await site.send("No receipt", message_id=unique())
    told = await site.told(before + 1)
    assert site.state(job) == {NUMBER: "submitted"}
    assert site.carrier.record.taken[-1].submitted.body.registered_delivery == 0
    assert "accepted by the carrier" in told.lower()


async def test_a_services_settings_are_for_its_mails_alone(site):
    await set_for_customer(site, "sender_id=Office", "cost_centre=1000")
    await set_for_customer(site, "sender_id=SAPSHOP", "priority=express", "cost_centre=2000", service="sap")

    def send(header):
        with site.client() as client:
            client.sendmail(
                SENDER, addresses(f"+{NUMBER}"), header + mail("Order 80012345 is on its way", message_id=unique())
            )

    seen = {}
    for name, header in (("sap", b"X-Mailer: SAP NetWeaver 7.52\r\n"), ("mail", b"X-Mailer: Outlook\r\n")):
        before = len(site.carrier.record.taken)
        await asyncio.to_thread(send, header)
        await site.until(lambda count=before: len(site.carrier.record.taken) == count + 1)
        body = site.carrier.record.taken[-1].submitted.body
        seen[name] = (body.source_addr, body.priority_flag)
    assert seen == {"sap": ("SAPSHOP", 1), "mail": ("Office", 0)}
    await site.until(lambda: len(site.jobs(service="sap")) == 1)


# What a carrier brings


async def silently(site, text: str, number: str):
    """Send a mail whose receipts the carrier keeps back; return its job and what the carrier took."""
    site.carrier.script.treat.silent.add(number)
    before = len(site.carrier.record.taken)
    job = await site.send(text, to=(f"+{number}",), message_id=unique())
    await site.until(lambda: site.state(job) == {number: "submitted"})
    return job, site.carrier.record.taken[before:]


async def test_a_receipt_for_one_part_is_not_the_end_of_an_sms_of_two(site):
    number = "447700900301"
    job, (first, second) = await silently(site, "y" * 200, number)
    for taken, state in ((second, "submitted"), (first, "delivered")):
        assert await site.carrier.deliver_raw(*receipt_for(taken)) == Status.ROK
        await site.until(
            lambda: not {part.key for part in site.parts()}.isdisjoint(r.part_key for r in site.receipts())
        )
        assert site.state(job) == {number: state}


async def test_one_part_that_fails_makes_an_sms_undelivered_and_the_report_names_each(site):
    number = "447700900302"
    before = len(site.box.mails)
    job, (first, second) = await silently(site, "z" * 200, number)
    await site.carrier.deliver_raw(*receipt_for(first))
    await site.carrier.deliver_raw(*receipt_for(second, ReceiptState.UNDELIVERABLE))
    await site.told(before + 1)
    assert site.state(job) == {number: "undelivered"}
    shown = await site.command("status", job)
    assert "part 1/2: delivered" in shown
    assert "part 2/2: undelivered" in shown


async def test_a_receipt_for_an_unknown_id_is_kept_acknowledged_and_settles_nobody(site):
    number = "447700900303"
    job, (taken,) = await silently(site, "Whose is it", number)
    assert await site.carrier.deliver_raw(*receipt_for(taken, receipt_id="nobody-has-this")) == Status.ROK
    assert [(came.part_key, came.state) for came in site.receipts(carrier_id="nobody-has-this")] == [
        (None, "delivered")
    ]
    assert site.state(job) == {number: "submitted"}
    await site.carrier.deliver_raw(*receipt_for(taken))
    assert site.state(job) == {number: "delivered"}


async def test_a_receipt_that_comes_after_the_end_changes_nothing_when_it_says_the_same(site):
    number = "447700900304"
    before = len(site.box.mails)
    job, (taken,) = await silently(site, "Three times", number)
    for _ in range(3):
        assert await site.carrier.deliver_raw(*receipt_for(taken)) == Status.ROK
    await site.told(before + 1)
    await site.until_all_told()
    assert site.state(job) == {number: "delivered"}
    assert len(site.box.mails) == before + 1


async def test_an_intermediate_notification_is_acknowledged_and_decides_nothing(site):
    number = "447700900305"
    job, (taken,) = await silently(site, "Still trying", number)
    body, tlvs = receipt_for(taken, ReceiptState.ENROUTE)
    assert await site.carrier.deliver_raw(body._replace(esm_class=0x20), tlvs) == Status.ROK
    assert await site.carrier.deliver_raw(*receipt_for(taken, ReceiptState.ENROUTE)) == Status.ROK
    assert site.state(job) == {number: "submitted"}
    await site.carrier.deliver_raw(*receipt_for(taken))
    assert site.state(job) == {number: "delivered"}


async def test_an_alert_notification_is_logged_and_the_link_goes_on(site):
    (line,) = [line for line in site.carrier.lines if line.session.was_bound]
    line.session.send(AlertNotification())
    line.pump()
    await site.until(lambda: any("smpp_alert_notification" in entry for entry in site.log))
    assert await submitted(site)


async def test_an_inbound_sms_is_kept_before_it_is_acknowledged(site):
    encoded = encode_text("Yes please", coding=Alphabet.GSM7, unencodable=Unencodable.SMART, max_parts=1)
    await site.carrier.deliver("447700900777", "12345", encoded)
    kept = [
        (source.lstrip("+"), destination.lstrip("+"), text) for _, source, destination, text in site.inbound_texts()
    ]
    assert ("447700900777", "12345", "Yes please") in kept
    assert await site.carrier.deliver_raw(DeliverSm(source_addr="447700900778", short_message=b"raw")) == Status.ROK
    await site.until(lambda: site.inbound_fragments() == [])
    assert "inbound" not in await site.command("queue", "list")
