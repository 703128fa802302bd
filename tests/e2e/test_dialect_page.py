"""Each example of docs/smpp-dialects.md, taken from the page as it stands, with a carrier that behaves as it says.

The first lines of TOML of a section are the carrier's dialect, the commands of the section are run as they are.
"""

import re
import shlex
import tomllib

import pytest
import pytest_asyncio

from smpp.dialect.dialect import Dialect
from smpp.dialect.fragments import read_message
from smpp.wire.pdu import Pdu
from tests.e2e.carrier_cases import DELIVERED, Row, Submit, centres, reports
from tests.kit.installation import ROOT, Installation
from tests.kit.smpp_raw import tlv

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = (ROOT / "docs" / "smpp-dialects.md").read_text("utf-8")
TURKISH = "Şişli'de ığdır ağacının gölgesi. " * 4
LONG = "Pump 7 has stopped. " * 12


def section(title: str) -> str:
    """Return a section of the page."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def lines_of(title: str) -> list[str]:
    """Return the indented blocks of a section."""
    blocks = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", section(title), re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in blocks]


def dialect_of(title: str) -> dict:
    """Return the dialect that a section gives."""
    toml = next(block for block in lines_of(title) if block.startswith("[carrier.dialect"))
    dialect: dict = tomllib.loads(toml)["carrier"]["dialect"]
    return dialect


async def reports_once(submit: Submit) -> None:
    """Give one receipt for the text, and only where it was asked for."""
    submit.answer()
    if submit.body.registered_delivery:
        assert await submit.report("DELIVRD") == 0


ROWS = {
    "Parameters of the carrier's own": Row(plays=reports("DELIVRD")),
    "Numbers": Row(plays=reports("DELIVRD")),
    "Alphabets": Row(plays=reports("DELIVRD"), text="Grüße"),
    "National languages": Row(plays=reports("DELIVRD"), text=TURKISH, status="gsm7 with turkish, 1 part"),
    "One receipt, or one id, for a long text": Row(plays=reports_once, text=LONG, submits=2),
    "Receipts in a carrier's own words": Row(
        plays=reports("OK", text="MSG {id};{word};2026-11-29 10:15;26202;0.0450 EUR"),
        status="network 26202, price 0.0450 EUR",
    ),
    "Network and price": Row(
        plays=reports("DELIVRD", behind=tlv(0x1403, b"262\0") + tlv(0x1404, b"02\0") + tlv(0x1405, b"0.045 EUR\0")),
        status="network 26202, price 0.045 EUR",
    ),
}


def prefix_of(title: str) -> str:
    return f"4477009001{list(ROWS).index(title)}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running():
    async with centres(ROWS) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory, module_database, running):
    site = Installation(tmp_path_factory.mktemp("page") / "site", module_database)
    site.more_carriers = [
        {
            "name": f"carrier-{place}",
            "port": running[title].port,
            "prefixes": [prefix_of(title)],
            "dialect": dialect_of(title),
        }
        for place, title in enumerate(ROWS)
    ]
    await site.open()
    for title in ROWS:
        for block in lines_of(title):
            for line in block.splitlines():
                if line.startswith("mail2sms "):
                    await site.command(*shlex.split(line)[1:])
    await site.command("customer", "set", "demo", "subject_options=on")
    await site.start()
    yield site
    await site.close()


@pytest.mark.parametrize("title", ROWS)
async def test_the_lines_of_the_page_are_all_that_the_carrier_needs(title, site, running):
    row, centre = ROWS[title], running[title]
    number = f"{prefix_of(title)}1"
    await site.until_all_told()
    before, submits = len(site.box.mails), len(centre.submits)
    job = await site.send(row.text, to=[f"+{number}"])
    assert DELIVERED in await site.told(before + 1)
    assert site.state(job) == {number: "delivered"}
    assert (centre.faults, len(centre.submits) - submits) == ([], row.submits)
    assert row.status in await site.command("status", job)


async def test_each_sender_id_and_each_mail_has_its_own_parameters_as_the_page_says(site, running):
    title = "Parameters of the carrier's own"
    centre = running[title]
    number = f"+{prefix_of(title)}2"
    (option,) = re.findall(r"`(\[PARAMETERS:.*?\])`", section(title))
    templates = {"": b"1107000000001\0", "[SRC:ACMEBK]": b"1107000000002\0", option: b"1107000000003\0"}
    for subject, template in templates.items():
        job = await site.send("Pump 7", to=[number], subject=subject)
        await site.until(lambda job=job: list(site.state(job).values()) == ["delivered"])
        parameters = centre.submits[-1].parameters
        assert (parameters[0x1400], parameters[0x1401], parameters[0x1402]) == (b"1101234567890\0", template, b"\x02")
        told = await site.command("status", job)
        assert f"parameters pe_id=1101234567890, template_id={template[:-1].decode()}" in told


async def test_the_numbers_of_the_page_are_written_as_its_table_says(site, running):
    centre = running["Numbers"]
    job = await site.send("Numbers", to=[f"+{prefix_of('Numbers')}3"])
    await site.until(lambda: list(site.state(job).values()) == ["delivered"])
    body = centre.submits[-1].body
    assert (body.dest_addr_ton, body.destination_addr) == (2, f"0{prefix_of('Numbers')[2:]}3")


async def test_a_text_in_national_tables_goes_only_to_the_carrier_that_takes_them(site, running):
    pdus = {}
    for title in ("National languages", "Numbers"):
        number = f"{prefix_of(title)}5"
        job = await site.send(TURKISH, to=[f"+{number}"])
        await site.until(lambda job=job: list(site.state(job).values()) == ["delivered"])
        body = running[title].submits[-1].body
        pdus[title] = read_message(Pdu(body, 1, 0, ()), Dialect())[0], body.data_coding, body.esm_class
    assert pdus["National languages"] == (TURKISH.strip(), 0, 0x40)
    assert pdus["Numbers"] == ("Sisli'de igdir agacinin gölgesi. " * 3 + "Sisli'de igdir agacinin gölgesi.", 0, 0)


async def test_parameters_that_no_carrier_has_or_can_write_refuse_the_mail(site, running):
    title = "Parameters of the carrier's own"
    number = f"+{prefix_of(title)}4"
    for option, said in (
        ("tempalte_id=1", "parameter tempalte_id: there is none of that name; carriers have kind, pe_id, template_id"),
        ("kind=300", "parameter kind=300: expected a whole number from 0 to 255"),
    ):
        with pytest.raises(AssertionError, match=re.escape(said)):
            await site.send("Pump 7", to=[number], subject=f"[PARAMETERS:{option}]")
    assert site.messages(number=number[1:]) == []
