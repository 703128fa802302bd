"""What real carriers do, row by row, and what becomes of an SMS there: one gateway, a message centre for each row.

A row whose course is one mail, its answers and receipts, and what is told stands in the table `ROWS`; whoever mends a
kind adds its row there. What needs more is a test of its own below. Sources of the rows are public bug reports.
"""

import pytest
import pytest_asyncio

from smpp.wire.bodies import Command
from smpp.wire.statuses import Status
from tests.e2e.carrier_cases import DELIVERED, Play, Row, Submit, centres, reports
from tests.kit.installation import Installation
from tests.kit.smpp_raw import tlv

pytestmark = pytest.mark.asyncio(loop_scope="module")

ODD_DATES = "id:{id} sub:001 dlvrd:001 submit date:1796137200 done date:1796137201 stat:{word} err:000 text:"


async def hangs_up(submit: Submit) -> None:
    submit.centre.hang_up()


async def reports_in_decimal(submit: Submit) -> None:
    submit.answer("1A2B3C4D")
    assert await submit.report("DELIVRD", message_id=str(0x1A2B3C4D)) == 0
    assert await submit.report("DELIVRD", message_id="1A2B3C4D") == 0


async def refuses_and_reports(submit: Submit) -> None:
    submit.answer(b"", status=0x0B)
    assert await submit.report("UNDELIV") == 0


async def reports_the_first(submit: Submit) -> None:
    submit.answer()
    if submit.nth == 0:
        assert await submit.report("DELIVRD") == 0


def answers(*ids: str) -> Play:
    """Return what answers each part with its id, and reports the one that has an id when all are answered."""

    async def play(submit: Submit) -> None:
        submit.answer(ids[submit.nth])
        if submit.nth == len(ids) - 1:
            assert await submit.report("DELIVRD", message_id=max(ids)) == 0

    return play


async def reports_if_asked(submit: Submit) -> None:
    submit.answer()
    if submit.body.registered_delivery:
        assert await submit.report("DELIVRD") == 0


async def answers_with_price(submit: Submit) -> None:
    submit.answer(behind=tlv(0x2001, b"310260\0") + tlv(0x2002, b"0.02") + tlv(0x2003, b"USD\0"))
    assert await submit.report("DELIVRD") == 0


LONG = "Pump 7. " * 30
ONE_RECEIPT = {"dialect": {"receipt_for": "message"}}
OWN_WORDS = "^MSG (?P<id>[^;]+);(?P<stat>[^;]+);(?P<done>[^;]*);(?P<network>[^;]*);(?P<price>.*)$"

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
    "nuls_behind_the_id": Row(
        plays=reports(
            "DELIVRD",
            text="id:{id}\0\0 sub:001 dlvrd:001 submit date:2611231600 done date:2611231601 stat:{word} err:000 text:",
        )
    ),
    "long_service_type": Row(plays=reports("DELIVRD", service_type=b"PREMIUM1")),
    "neither_sub_nor_dlvrd": Row(
        plays=reports(
            "DELIVRD", text="id:{id} submit date:2611231600 done date:2611231601 stat:{word} err:000 text:Pump"
        )
    ),
    "no_dates": Row(plays=reports("DELIVRD", text="id:{id} sub:001 dlvrd:001 stat:{word} err:000 text:")),
    "nothing_but_parameters": Row(plays=reports("", text="", state=2)),
    "error_with_a_letter": Row(
        plays=reports(
            "UNDELIV", text="id:{id} sub:001 dlvrd:000 submit date: done date: stat:{word} err:21B text:A\x1bB"
        ),
        state="undelivered",
        mails=("not delivered",),
        status="error 21B",
    ),
    "said_nine_times": Row(plays=reports(*["DELIVRD"] * 9)),
    "pending_after_delivered": Row(plays=reports("DELIVRD", "ENROUTE", "ACCEPTD", "UNDELIV")),
    "hexadecimal_of_64_bits": Row(
        plays=reports("DELIVRD", answer="812FC7470000001B", message_id=str(0x812FC7470000001B)),
        options={"dialect": {"id_in_response": "hex", "id_in_receipt": "decimal"}},
    ),
    # Answers
    "refused_without_a_body": Row(plays=refuses_and_reports, state="failed", mails=("",)),
    "long_message_id": Row(plays=reports("DELIVRD", answer="9" * 72, message_id="9" * 72)),
    "long_message_id_resend": Row(
        plays=reports("DELIVRD", answer="8" * 72, message_id="8" * 72), options={"on_unknown": "resend"}
    ),
    "answer_without_its_nul": Row(plays=reports("DELIVRD", answer=b"7" * 72, message_id="7" * 72)),
    "answer_without_id": Row(plays=reports("DELIVRD", answer="", message_id="4712X")),
    "resend_after_each_cut": Row(
        plays=hangs_up,
        options={"on_unknown": "resend", "resends": 1},
        state="unknown",
        mails=("it was sent 2 times",),
        submits=2,
        status="sent 2 times for want of an answer",
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
    "one_receipt_for_all_parts": Row(plays=reports_the_first, options=ONE_RECEIPT, text=LONG, submits=2),
    # A text of several parts as one message
    "same_id_for_all_parts": Row(plays=answers("A1", "A1"), text=LONG, submits=2),
    "id_of_the_first_part_alone": Row(plays=answers("B1", ""), options=ONE_RECEIPT, text=LONG, submits=2),
    "id_of_the_last_part_alone": Row(plays=answers("", "C2"), options=ONE_RECEIPT, text=LONG, submits=2),
    "receipt_for_the_last_part_alone": Row(
        plays=reports_if_asked,
        options={"dialect": {"receipt_for": "message", "receipt_request": "last-part"}},
        text=LONG,
        submits=2,
    ),
    # Receipts in words of its own, with network and price
    "own_words": Row(
        plays=reports("OK", text="MSG {id};{word};2026-11-29 10:15;26202;0.0450 EUR"),
        options={"dialect": {"receipt_pattern": OWN_WORDS, "receipt_states": {"OK": "delivered"}}},
        status="network 26202, price 0.0450 EUR",
    ),
    "own_words_unmarked": Row(
        plays=reports("NOK", text="MSG {id};{word};;;", esm_class=0),
        options={
            "dialect": {
                "receipt_pattern": OWN_WORDS,
                "receipt_states": {"NOK": "undeliverable"},
                "receipts_unmarked": True,
            }
        },
        state="undelivered",
        mails=("not delivered",),
    ),
    "other_words_than_its_own": Row(plays=reports("DELIVRD"), options={"dialect": {"receipt_pattern": OWN_WORDS}}),
    "network_and_price": Row(
        plays=reports("DELIVRD", behind=tlv(0x1403, b"\x01\x06") + tlv(0x1404, b"\x02") + tlv(0x1405, b"0.045\0")),
        options={"dialect": {"network_tags": [0x1403, 0x1404], "price_tags": [0x1405]}},
        status="network 26202, price 0.045",
    ),
    "price_in_the_answer": Row(
        plays=answers_with_price,
        options={"dialect": {"network_tags": [0x2001], "price_tags": [0x2002, 0x2003]}},
        status="network 310260, price 0.02 USD",
    ),
    # Binding
    "long_password": Row(plays=reports("DELIVRD"), options={"password_file": "long.password", "system_id": "x" * 24}),
}


async def waits(_submit: Submit) -> None:
    """Leave the rest to the test."""


class OneAtATime:
    """Refuses what comes while one SMS is open, which is for as long as a question to us and its answer take."""

    def __init__(self) -> None:
        self._busy = False

    async def __call__(self, submit: Submit) -> None:
        if self._busy:
            submit.answer(b"", status=Status.RSUBMITFAIL)
            return
        self._busy = True
        await submit.centre.deliver(command=Command.ENQUIRE_LINK)
        self._busy = False
        submit.answer()
        assert await submit.report() == 0


async def takes_five_of_eight(submit: Submit) -> None:
    if submit.nth % 8 >= 5:
        submit.answer(b"", status=Status.RTHROTTLED)
        return
    submit.answer()
    assert await submit.report() == 0


# Rows of tests of their own.
OTHER_ROWS = {
    "window_of_one_rsubmitfail": Row(plays=OneAtATime(), options={"dialect": {"throttle_pause": "50ms"}}),
    "throttled_to_five": Row(plays=takes_five_of_eight, options={"dialect": {"throttle_pause": "50ms"}}),
    # With a wait for the other side to close, no bind would come before the test ends.
    "unbind_with_open_socket": Row(plays=reports("DELIVRD"), options={"response_timeout": "10m"}),
    "hangs_up_after_each_bind": Row(
        plays=reports("DELIVRD"),
        hangs_up_when_bound=True,
        options={"reconnect_min": "20ms", "reconnect_max": "1m"},
    ),
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
    site = Installation(tmp_path_factory.mktemp("cases") / "site", module_database)
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
    assert row.status in await site.command("status", job)
    if row.log is not None:
        level, event = row.log
        await site.until(lambda: any(f"level={level} event={event} carrier={name}" in line for line in site.log))


async def test_what_a_carrier_has_accepted_is_not_told_as_delivered(site, running):
    centre = running["accepted_is_not_delivered"]
    number = f"{prefix_of('accepted_is_not_delivered')}1"
    before = len(site.box.mails)
    job = await site.send("The phone is off", to=[f"+{number}"])
    await centre.until(lambda: centre.is_done)
    await site.until(lambda: site.state(job) == {number: "submitted"})
    assert await centre.submits[0].report() == 0
    assert DELIVERED in await site.told(before + 1)
    assert (site.state(job), len(site.box.mails)) == ({number: "delivered"}, before + 1)


async def test_a_late_answer_still_tells_its_id(site, running):
    centre = running["late_answers"]
    number = f"{prefix_of('late_answers')}1"
    before = len(site.box.mails)
    jobs = [await site.send(f"Text {place}", to=[f"+{number}"]) for place in (1, 2)]
    await site.told(before + 2)
    for submit in centre.submits:
        submit.answer()
    for submit in centre.submits:
        assert await submit.report() == 0
    await site.told(before + 4)
    await site.until_all_told()
    assert [site.state(job) for job in jobs] == [{number: "delivered"}] * 2
    told = [str(mail.message.get_body(("plain",)).get_content()) for mail in site.box.mails[before:]]
    assert ["The carrier may have it" in text for text in told] == [True, True, False, False]
    assert [DELIVERED in text for text in told] == [False, False, True, True]
    assert len(centre.submits) == 2


async def send_ten(site, centre, name):
    """Send one mail to ten numbers until all are delivered; what waits for another try is hurried."""
    numbers = [f"{prefix_of(name)}{last}" for last in range(10)]
    job = await site.send("Pump 7 has stopped", to=[f"+{number}" for number in numbers])
    delivered = dict.fromkeys(numbers, "delivered")
    while site.state(job) != delivered:
        heard = len(centre.submits)
        await site.command("queue", "flush")
        await site.until(lambda heard=heard: len(centre.submits) > heard or site.state(job) == delivered)
    await site.until_all_told()


@pytest.mark.parametrize("name", ["window_of_one_rsubmitfail", "throttled_to_five"])
async def test_what_comes_too_fast_for_a_carrier_is_sent_again_until_all_is_taken(name, site, running):
    centre = running[name]
    before = len(site.box.mails)
    await send_ten(site, centre, name)
    assert DELIVERED in await site.told(before + 1)
    assert (centre.faults, len(site.box.mails), len(centre.submits) > 10) == ([], before + 1, True)
    if name == "throttled_to_five":
        sent = [message for message in site.messages() if message.number.startswith(prefix_of(name))]
        assert {message.attempts - message.throttled for message in sent} == {1}


async def test_a_carrier_that_unbinds_and_leaves_the_closing_to_us_is_bound_again_and_used(site, running):
    centre = running["unbind_with_open_socket"]
    number = f"{prefix_of('unbind_with_open_socket')}1"
    await centre.until(lambda: centre.binds == 1)
    assert await centre.deliver(command=Command.UNBIND) == 0
    job = await site.send("Pump 7 has stopped", to=[f"+{number}"])
    await site.until(lambda: site.state(job) == {number: "delivered"})
    await site.until_all_told()
    assert (centre.binds, len(centre.submits)) == (2, 1)


async def test_a_carrier_that_hangs_up_after_each_bind_is_tried_ever_more_rarely(site, running):
    name = "hangs_up_after_each_bind"

    def waits():
        lines = (line for line in site.log if f"event=smpp_next_bind carrier={name}" in line)
        return [float(line.partition("seconds=")[2].split()[0]) for line in lines]

    await site.until(lambda: len(waits()) >= 6)
    first = waits()[:6]
    assert first == sorted(first)
    assert first[5] > 8 * first[0]
    assert running[name].binds <= len(waits()) + 1
