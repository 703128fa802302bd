"""What real carriers do, row by row, and what becomes of an SMS there: one gateway, a message centre for each row.

A row whose course is one mail, its answers and receipts, and what is told stands in the table `ROWS`; whoever mends a
kind adds its row there. What needs more is a test of its own below. Sources of the rows are public bug reports.
"""

import pytest
import pytest_asyncio

from smpp.bodies import Command
from tests.e2e.carrier_cases import DELIVERED, Row, Submit, centres, reports
from tests.e2e.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

ODD_DATES = "id:{id} sub:001 dlvrd:001 submit date:1796137200 done date:1796137201 stat:{word} err:000 text:"


async def answers_late(submit: Submit) -> None:
    centre, silence = submit.centre, len(submit.centre.heard)
    await centre.until(lambda: any(heard[0] == Command.ENQUIRE_LINK for heard in centre.heard[silence:]))
    submit.answer()
    assert await submit.report("DELIVRD") == 0


async def hangs_up(submit: Submit) -> None:
    submit.centre.hang_up()


async def reports_in_decimal(submit: Submit) -> None:
    submit.answer("1A2B3C4D")
    assert await submit.report("DELIVRD", message_id=str(0x1A2B3C4D)) == 0
    assert await submit.report("DELIVRD", message_id="1A2B3C4D") == 0


async def reports_the_first(submit: Submit) -> None:
    submit.answer()
    if submit.nth == 0:
        assert await submit.report("DELIVRD") == 0


ROWS: dict[str, Row] = {
    # Receipts: what is one, and what it says
    "acked_then_delivered": Row(plays=reports("ACKED", "DELIVRD")),
    "bufferd_then_delivered": Row(plays=reports("BUFFERD", "DELIVRD")),
    "skipped_is_a_failure": Row(plays=reports("SKIPPED", state=9), state="undelivered", mails=("not delivered",)),
    "scheduled_then_delivered": Row(plays=reports("SCHEDULED", "DELIVRD")),
    "esm_class_0f": Row(plays=reports("DELIVRD", esm_class=0x0F, text=ODD_DATES)),
    "esm_class_08": Row(plays=reports("DELIVRD", esm_class=0x08)),
    "esm_class_0f_unmarked": Row(
        plays=reports("DELIVRD", esm_class=0x0F, text=ODD_DATES), options={"dialect": {"receipts_unmarked": True}}
    ),
    "nul_behind_stat": Row(plays=reports("DELIVRD\0", text="id:{id} stat:{word}")),
    "long_service_type": Row(plays=reports("DELIVRD", service_type=b"PREMIUM1")),
    # Answers
    "long_message_id": Row(plays=reports("DELIVRD", answer="9" * 72, message_id="9" * 72)),
    "long_message_id_resend": Row(
        plays=reports("DELIVRD", answer="8" * 72, message_id="8" * 72), options={"on_unknown": "resend"}
    ),
    "answer_without_its_nul": Row(plays=reports("DELIVRD", answer=b"7" * 72, message_id="7" * 72)),
    "answer_without_id": Row(plays=reports("DELIVRD", answer="", message_id="4712X")),
    "late_answer": Row(
        plays=answers_late,
        options={"enquire_link": "2s", "response_timeout": "1s"},
        mails=("The carrier may have it", DELIVERED),
    ),
    "resend_after_each_cut": Row(
        plays=hangs_up,
        options={"on_unknown": "resend", "resends": 1},
        state="unknown",
        mails=("it was sent 2 times",),
        submits=2,
    ),
    "ids_that_never_fit": Row(plays=reports_in_decimal, log=("warning", "receipts_fit_nothing")),
    # What a receipt means
    "accepted_then_undelivered": Row(
        plays=reports("ACCEPTD", "UNDELIV"), state="undelivered", mails=("not delivered",)
    ),
    "accepted_then_delivered": Row(plays=reports("ACCEPTD", "DELIVRD")),
    "accepted_means_delivered": Row(
        plays=reports("ACCEPTD", "UNDELIV"), options={"dialect": {"receipt_states": {"ACCEPTD": "delivered"}}}
    ),
    "a_word_that_nobody_knows": Row(plays=reports("PARKED", "DELIVRD"), log=("warning", "receipt_word_unknown")),
    "deleted": Row(plays=reports("DELETED"), state="undelivered", mails=("The network deleted the SMS.",)),
    "one_receipt_for_all_parts": Row(
        plays=reports_the_first, options={"dialect": {"receipt_for": "message"}}, text="Pump 7. " * 30, submits=2
    ),
    # Binding
    "long_password": Row(plays=reports("DELIVRD"), options={"password_file": "long.password", "system_id": "x" * 24}),
}


async def waits(_submit: Submit) -> None:
    """Leave the rest to the test."""


# Rows of tests of their own.
OTHER_ROWS = {
    "accepted_is_not_delivered": Row(plays=reports("ACCEPTD", state=6)),
    "late_answers": Row(plays=waits, options={"response_timeout": "1s"}),
}
ALL_ROWS = ROWS | OTHER_ROWS


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(module_database):
    async with centres(ALL_ROWS) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory, module_database, running):
    site = Site(tmp_path_factory.mktemp("cases") / "site", module_database)
    site.folder.mkdir(parents=True)
    (site.folder / "long.password").write_text("correct horse battery staple\n")
    (site.folder / "long.password").chmod(0o600)
    site.more_carriers = [
        {"name": name, "port": running[name].port, "prefixes": [prefix_of(name)], **row.options}
        for name, row in ALL_ROWS.items()
    ]
    await site.open()
    await site.start()
    yield site
    await site.close()


def prefix_of(name: str) -> str:
    return f"447700900{list(ALL_ROWS).index(name):02}"


@pytest.mark.parametrize("name", ROWS)
async def test_what_a_carrier_does_comes_to_what_it_means(name, site, running):
    row, centre = ROWS[name], running[name]
    number = f"{prefix_of(name)}1"
    before = len(site.box.mails)
    job = await site.send(row.text, to=[f"+{number}"])
    await centre.until(lambda: centre.is_done)
    if row.mails:
        await site.told(before + len(row.mails))
    await site.until(lambda: site.state(job) == {number: row.state})
    await site.until_all_told()
    told = [str(mail.message.get_body(("plain",)).get_content()) for mail in site.box.mails[before:]]
    assert [words for words, text in zip(row.mails, told, strict=True) if words not in text] == []
    assert (centre.faults, len(centre.submits)) == ([], row.submits)
    if row.log is not None:
        level, event = row.log
        await site.until(lambda: any(f"level={level} event={event} carrier={name}" in line for line in site.log))
        assert any(f"level={level} event={event} carrier={name}" in line for line in site.log)


async def test_what_a_carrier_has_accepted_is_not_told_as_delivered(site, running):
    centre = running["accepted_is_not_delivered"]
    number = f"{prefix_of('accepted_is_not_delivered')}1"
    before = len(site.box.mails)
    job = await site.send("The phone is off", to=[f"+{number}"])
    await centre.until(lambda: centre.is_done)
    assert site.state(job) == {number: "submitted"}
    assert await centre.submits[0].report() == 0
    assert DELIVERED in await site.told(before + 1)
    assert (site.state(job), len(site.box.mails)) == ({number: "delivered"}, before + 1)


async def test_a_late_answer_still_tells_its_id(site, running):
    centre = running["late_answers"]
    number = f"{prefix_of('late_answers')}1"
    jobs = [await site.send(f"Text {place}", to=[f"+{number}"]) for place in (1, 2)]
    await centre.until(lambda: len(centre.submits) == 2)
    await site.until(lambda: all(site.state(job) == {number: "unknown"} for job in jobs))
    for submit in centre.submits:
        submit.answer()
    for submit in centre.submits:
        assert await submit.report() == 0
    await site.until(lambda: all(site.state(job) == {number: "delivered"} for job in jobs))
    await site.until_all_told()
    assert len(centre.submits) == 2
