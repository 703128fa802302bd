"""Every layer of settings on a carrier's wire and in the status mail, with the explanation that an administrator reads."""

import asyncio
import json
import smtplib
from uuid import uuid4

import pytest
import pytest_asyncio

from sms.settings import FIELDS
from tests.kit.installation import DOMAIN, SENDER, Installation, addresses, mail
from tests.kit.patience import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = "+447700900123"
OF = ("--customer", "demo")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory, module_database):
    site = Installation(tmp_path_factory.mktemp("layers") / "site", module_database, settings={"sender_id": "Operator"})
    await site.open()
    await site.command("profile", "add", *OF, "Alarm")
    await site.command("list", "add", *OF, "--author", "*", "pumps")
    (site.folder / "members.csv").write_text(f"number\n{NUMBER}\n")
    await site.command("list", "import", *OF, "pumps", str(site.folder / "members.csv"))
    await site.command("user", "add", *OF, "--profile", "Alarm", SENDER)
    await site.start()
    yield site
    await site.close()


@pytest_asyncio.fixture(loop_scope="module")
async def site(running):
    """Return the running site; the user is new to each test, and nothing is set but what the fixture above did."""
    owners = [
        ("people", "unset"),
        ("customer", "unset", "demo"),
        ("customer", "unset", "--service=mail", "demo"),
        ("customer", "unset", "--service=sap", "demo"),
        ("profile", "unset", *OF, "Alarm"),
        ("list", "unset", *OF, "pumps"),
    ]
    for words in owners:
        await running.command(*words, *FIELDS)
    await running.command("customer", "limit", "--express", "--max-parts=any", "--sender-ids=any", "demo")
    await running.command("customer", "set", "demo", "subject_options=on")
    await running.command("user", "remove", SENDER)
    await running.command("user", "add", *OF, "--profile", "Alarm", SENDER)
    return running


def imported(site, **cells: str):
    """Return the words that import an address book with these cells of the sender."""
    file = site.folder / f"book-{uuid4()}.csv"
    columns = ",".join(name.replace("_", "-") for name in cells)
    file.write_text(f"e-mail,{columns}\n{SENDER},{','.join(cells.values())}\n")
    return "people", "import", *OF, str(file)


async def on_the_wire(site, expected: str, *, to: str = NUMBER, subject: str = ""):
    """Send mails until one carries this sender, which a change of another process brings about within a second."""

    def send():
        with site.client() as client:
            raw = mail("Pump 7 has stopped", message_id=f"<{uuid4()}@example.com>", subject=subject)
            client.sendmail(SENDER, [f"{to}@{DOMAIN}"], raw)

    async with asyncio.timeout(PATIENCE):
        while True:
            before = len(site.carrier.record.taken)
            await asyncio.to_thread(send)
            await site.until(lambda count=before: len(site.carrier.record.taken) > count)
            if site.carrier.record.taken[-1].submitted.body.source_addr == expected:
                return


async def test_each_layer_overrules_the_weaker_ones_on_the_wire_and_explain_says_which(site):
    steps = [
        ("Operator", "system", "operator's file", ()),
        ("System", "system", "manual:", ("people", "set", "sender_id=System")),
        ("Customer", "customer", "manual:", ("customer", "set", "demo", "sender_id=Customer")),
        ("Service", "service", "manual:", ("customer", "set", "--service=mail", "demo", "sender_id=Service")),
        ("Profile", "profile", "manual:", ("profile", "set", *OF, "Alarm", "sender_id=Profile")),
        ("User", "user", "file:book-", imported(site, sender_id="User")),
        ("Pinned", "pinned", "manual:", ("user", "set", SENDER, "sender_id=Pinned")),
    ]
    for value, layer, origin, words in steps:
        if words:
            await site.command(*words)
        await on_the_wire(site, value)
        explained = json.loads(await site.command("user", "explain", "--json", SENDER, "sender_id"))
        told = explained["settings"]["sender_id"]
        assert (told["value"], told["layer"]) == (value, layer)
        assert told["origin"].startswith(origin)
        said = await site.command("user", "explain", SENDER, "sender_id")
        assert f"sender_id = {value}   from {layer}" in said
    overruled = [cell["layer"] for cell in told["shadowed"]]
    assert overruled == ["user", "profile", "service", "customer", "system", "built-in"]
    await site.command("list", "set", *OF, "pumps", "sender_id=List")
    await on_the_wire(site, "List", to="lista+pumps")
    await on_the_wire(site, "Message", to="lista+pumps", subject="[SRC:Message] Alarm")
    await on_the_wire(site, "Pinned")
    assert "sender_id = Pinned by pinned (manual:" in await site.command("status", site.jobs()[-1].public_id)


async def test_a_pinned_none_ends_inheritance_and_leaves_the_sender_to_the_carrier(site):
    await site.command("user", "set", SENDER, "sender_id=<none>")
    await on_the_wire(site, "")
    assert "which stops inheritance" in await site.command("user", "explain", SENDER, "sender_id")


async def test_what_a_constraint_takes_from_a_message_is_on_its_report_and_a_forbidden_sender_is_refused(site):
    said = await site.command("customer", "limit", "--no-express", "--max-parts=1", "--sender-ids=Shop", "demo")
    assert "no express" in said
    await site.command("user", "set", SENDER, "sender_id=Shop")
    await on_the_wire(site, "Shop")
    said = await site.command("customer", "set", "demo", "priority=express")
    assert "But customer demo does not allow express: priority = normal is in force." in said

    def send(header: bytes, subject: str = ""):
        with site.client() as client:
            raw = mail("x" * 300, message_id=f"<{uuid4()}@example.com>", subject=subject)
            client.sendmail(SENDER, addresses(NUMBER), header + raw)

    await site.until_all_told()
    before = len(site.box.mails)
    await asyncio.to_thread(send, b"Importance: high\r\n")
    told = await site.told(before + 1)
    assert "Priority: normal (set by your company)" in told
    assert "Parts at most: 1 (set by your company)" in told
    assert site.carrier.record.taken[-1].submitted.body.priority_flag == 0
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await asyncio.to_thread(send, b"", "[SRC:Other] Alarm")
    assert refused.value.smtp_code == 550
    said = await site.command("check")
    assert "warning: priority = express of customer «demo» is without effect, normal is in force" in said


VALUES = {
    "priority": "express", "cost_centre": "4711", "status_report": "on-failure", "status_channel": "both",
    "push_url": "https://app.example.com/sms", "first_report": "on", "report_format": "dsn",
    "acceptance_is_delivery": "on", "preview": "off", "delivery_receipt": "on", "validity": "90m", "coding": "ucs2",
    "unencodable": "switch", "max_parts": "7", "overlong": "refuse", "flash": "on", "language": "de",
    "time_zone": "Europe/Madrid", "text_source": "both", "sender_prefix": "on", "subject_fallback": "off",
    "end_marker": "=end", "disclaimers": "Confidential,=Note", "subject_options": "on", "duplicate_detection": "on",
    "automatic_mail": "off", "default_country": "GB", "strict_numbers": "on", "address_prefixes": "TEXT,SMS",
    "max_recipients": "12", "sender_id": "+447700900999", "inbound_preview": "off", "inbound_history": "3",
    "national_languages": "turkish,spanish", "parameters": "pe_id=1,template_id@ACME=2",
    "logo": "logo", "accent": "#0a7d4b", "contact": "helpdesk@example.com",
    "push_states": "delivered,undelivered", "status_address": "alarms@example.com", "text_days": "30",
    "summary_addresses": "reports@example.com", "fallback_sender_id": "+447700900998", "use_case": "marketing",
    "brand": "Example", "opt_out_text": "STOP to 12345",
}  # fmt: skip


async def test_every_setting_goes_through_each_layer_its_explanation_and_the_address_book_file(site):
    assert set(VALUES) == set(FIELDS)
    assignments = [f"{name}={value}" for name, value in VALUES.items()]
    layers = [("profile", "set", *OF, "Alarm"), ("customer", "set", "--service=sap", "demo"), ("user", "set", SENDER)]
    for words in layers:
        await site.command(*words, *assignments)
    through = json.loads(await site.command("user", "explain", "--json", "--service=sap", SENDER))["settings"]
    assert {name: item["value"] for name, item in through.items()} == VALUES
    assert {item["layer"] for item in through.values()} == {"pinned"}
    assert {item["shadowed"][0]["layer"] for item in through.values() if item["shadowed"]} <= {"profile", "user"}
    book = site.folder / "book.csv"
    await site.command("people", "export", *OF, str(book))
    assert "'+447700900999" in book.read_text()
    again = await site.command("people", "import", *OF, str(book))
    assert again.startswith("0 users added, 0 changed, 1 unchanged")
    await site.command("user", "remove", SENDER)
    await site.command("people", "import", *OF, str(book))
    restored = json.loads(await site.command("user", "explain", "--json", SENDER))["settings"]
    assert {name: (item["value"], item["layer"]) for name, item in restored.items()} == {
        name: (value, "pinned") for name, value in VALUES.items()
    }
