"""docs/smpp-server.md is true: its program sends an SMS, and its tables are those of the server."""

import asyncio
import re
import sys
from pathlib import Path

from smpp.server.statuses import ERRORS, OTHER_ERROR, REFUSALS
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port

PAGE = (Path(__file__).parents[2] / "docs" / "smpp-server.md").read_text("utf-8")


def rows_of(heading):
    """Return the cells of the table whose header begins so."""
    table = PAGE.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


async def test_the_program_of_the_page_sends_an_sms_and_prints_its_receipt(site):
    port = free_port()
    (table,) = re.findall(r"```toml\n\[\[smpp_server\]\]\n(.*?)```", PAGE, re.DOTALL)
    options = dict(re.findall(r'(\w+) = "(.*?)"', table))
    site.tables["smpp_server"] = [{**options, "address": f"127.0.0.1:{port}"}]
    await site.open()
    (site.folder / "shop.password").write_text("secret08\n")
    (site.folder / "shop.password").chmod(0o600)
    for line in re.findall(r"^\$ mail2sms (login .*)$", PAGE, re.MULTILINE):
        words = line.replace("shop.password", str(site.folder / "shop.password")).split()
        await site.command(*words)
    await site.start()
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    program = program.replace("PORT, LOGIN, PASSWORD = 2775", f"PORT, LOGIN, PASSWORD = {port}")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    first, second, *rest = output.decode().splitlines()
    message_id = first.removeprefix("kept as ")
    assert re.fullmatch(rf"id:{message_id} sub:001 dlvrd:001 .* stat:DELIVRD err:000 text:Your code is 1234", second)
    assert rest == []
    (taken,) = site.carrier.record.taken
    assert taken.submitted.sender == "ACME"


def test_the_page_has_every_refusal_with_its_status():
    told = {
        reason: status.removeprefix("ESME_")
        for status, _, reasons in rows_of("Status")
        for reason in reasons.split(", ")
    }
    assert told == {refusal.value: status.name for refusal, status in REFUSALS.items()}


def test_the_page_has_every_error_of_a_receipt():
    told = {reason: int(digits) for digits, reasons in rows_of("err") for reason in reasons.split(", ")}
    assert told == {**ERRORS, "any other": OTHER_ERROR}
