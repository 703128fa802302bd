"""A number is erased from a whole installation that sent to it, heard from it, and had it in every room."""

import json
from functools import partial
from pathlib import Path

from cli.admin_session import admin_session
from gateway.admin.support import SupportDesk, answer_request, open_request
from inbound.actions import AnswerAction, ListAction, MailAction, MailTo
from reports.details import DetailFilter
from reports.downloads import ask_download
from reports.inbound_details import InboundFilter
from reports.tables import TableForm
from sms.message import Alphabet
from sms.parts import encode_text
from sms.settings import Unencodable
from store.downloads import DownloadRow
from tests.kit.inbound_harness import OWN, PHONE, furnish_site
from tests.kit.installation import SENDER

NUMBER = PHONE.removeprefix("+")
SENT, CAME = "Rendezvous at nine", "Perhaps at eleven"
SPOKEN = "+44 7700 900123"
DESK = SupportDesk(address="desk@example.net", domain="sms.example.net")


def columns_with(site, *words: str) -> set[str]:
    """Return the columns of all tables in which any value has one of these words."""
    query = "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
    if site.database.startswith("postgresql:"):
        query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    return {
        f"{table}.{column}"
        for table, column in site.rows(query)
        if any(_has(value, words) for (value,) in site.rows(f'SELECT "{column}" FROM "{table}"'))
    }


def _has(value, words) -> bool:
    raw = bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode()
    return any(word.encode() in raw for word in words)


def files_with(folder: Path, *words: str) -> set[str]:
    """Return the files below a folder in which one of these words stands."""
    return {path.name for path in folder.rglob("*") if path.is_file() and _has(path.read_bytes(), words)}


async def test_nothing_in_any_table_or_file_has_the_number_or_its_texts_after_it_was_erased(site):
    await site.open()
    await site.command("user", "add", "--customer", "demo", SENDER)
    furnish_site(
        site,
        mail=MailAction(to=MailTo.NEWEST, addresses=("info@example.com",)),
        list=ListAction(addresses=("office@example.com",)),
        reply=AnswerAction(texts={"/": "Thanks"}),
    )
    await site.start()
    job = await site.send(SENT, to=(f"+{NUMBER}",), subject=f"About {SPOKEN}")
    await site.until_all_told()
    encoded = encode_text(CAME, coding=Alphabet.GSM7, unencodable=Unencodable.SMART, max_parts=4)
    await site.carrier.deliver(f"+{NUMBER}", OWN, encoded)
    await site.until(lambda: any(one.message["Message-ID"].startswith("<in.") for one in site.box.mails))
    demo = site.customers(name="demo")[0].key
    with admin_session(site.file) as session:
        change = session.administration.change_now
        written = f"It went to {SPOKEN}, +{NUMBER} and 07700 900123."
        (opened,) = change(
            lambda edit: open_request(
                edit, "demo", subject=f"No answer from +{NUMBER}", text=written, job=job, desk=DESK
            )
        )
        answer = f"We look at {SPOKEN}."
        change(lambda edit: answer_request(edit, str(opened.facts["request"]), text=answer, desk=DESK))
        for wanted in (DetailFilter(customer_key=demo, number=NUMBER), InboundFilter(customer_key=demo)):
            change(partial(ask_download, customer="demo", wanted=wanted, form=TableForm.CSV, language="en", zone="UTC"))
    await site.until(lambda: len(site.stored(DownloadRow, state="ready")) == 2)
    await site.until_all_told()
    await site.until(lambda: site.outbox_rows(ended_at=None) == [])
    before = columns_with(site, NUMBER, SENT, CAME)
    assert {"message.number", "message.body", "inbound_sms.body", "download.wanted", "support_post.text"} <= before
    assert "sms.csv" in files_with(site.folder, NUMBER)

    receipt = json.loads(await site.command("erase", "--json", f"+{NUMBER}"))
    assert receipt["downloads"] == 2
    assert columns_with(site, NUMBER, SENT, CAME, SPOKEN, "900123") == set()
    await site.stop()
    assert files_with(site.folder, NUMBER, SENT, CAME, SPOKEN, "900123") == set()
    assert not any(_has(line, (NUMBER, SENT, CAME)) for line in site.log)
