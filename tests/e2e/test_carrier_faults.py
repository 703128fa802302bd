"""What becomes of an SMS when the carrier throttles, refuses, loses, repeats or contradicts itself, and what its sender reads."""

import re

import pytest
import pytest_asyncio

from smpp.simulator.script import ReceiptTime, Script, Treatment
from smpp.wire.statuses import Status
from sms.message import ReceiptState
from sms.number import show_number
from tests.kit.installation import Installation
from tests.kit.smpp import receipt_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

TREATMENTS = {
    "447700900201": Treatment(status=Status.RINVDSTADR),
    "447700900202": Treatment(status=Status.RINVSRCADR),
    "447700900203": Treatment(answered=False, receipt=ReceiptTime.NEVER),
    "447700900204": Treatment(answered=False, receipt=ReceiptTime.NEVER),
    "447700900205": Treatment(receipt=ReceiptTime.BEFORE),
    "447700900206": Treatment(receipt_copies=3),
    "447700900207": Treatment(state=ReceiptState.EXPIRED, error="027"),
    "447700900208": Treatment(state=ReceiptState.REJECTED, error="064"),
    "447700900209": Treatment(state=ReceiptState.UNDELIVERABLE, error="001"),
    "447700900210": Treatment(state=ReceiptState.UNKNOWN),
    "447700900211": Treatment(state=ReceiptState.DELETED),
}
REFUSED_SECOND_PART = "447700900213"
THROTTLED = "447700900214"
WEDGED = "447700900215"


class Carrier:
    """Treats a submit by its number."""

    def __init__(self) -> None:
        self.throttles = 2

    def __call__(self, submitted):
        if submitted.number == REFUSED_SECOND_PART and submitted.place.index == 2:
            return Treatment(status=Status.RINVDSTADR)
        if submitted.number == THROTTLED and self.throttles:
            self.throttles -= 1
            return Treatment(status=Status.RTHROTTLED)
        if submitted.number == WEDGED:
            return Treatment(hang=True)
        return TREATMENTS.get(submitted.number)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory, module_database):
    site = Installation(tmp_path_factory.mktemp("faults") / "site", module_database)
    await site.open(Script(treat=Carrier()), response_timeout="3s", window=1, dialect={"throttle_pause": "100ms"})
    await site.start()
    yield site
    await site.close()


async def result_of(site: Installation, *numbers: str, text: str = "Pump 7 has stopped") -> tuple[dict[str, str], str]:
    """Send one mail to these numbers; return the states once its sender was told, and what the sender reads."""
    before = len(site.box.mails)
    job = await site.send(text, to=[f"+{number}" for number in numbers])
    read = await site.told(before + 1)
    return site.state(job), read


@pytest.mark.parametrize(
    ("number", "state", "words"),
    [
        ("447700900201", "failed", "The carrier refused the number."),
        ("447700900202", "failed", "The carrier refused the sender shown."),
        ("447700900203", "unknown", "The carrier may have it; it was not sent again."),
        ("447700900205", "delivered", "Reported by the network"),
        ("447700900206", "delivered", "Reported by the network"),
        ("447700900207", "expired", "The validity ended before the SMS could be delivered."),
        ("447700900208", "rejected", "The carrier refused the SMS."),
        ("447700900209", "undelivered", "The network reports that the SMS was not delivered."),
        ("447700900210", "unknown", "does not know what became of the SMS"),
        ("447700900211", "undelivered", "The network"),
    ],
)
async def test_each_answer_of_the_carrier_has_its_state_and_its_words(number, state, words, site):
    text = f"Only once to {number}"
    states, read = await result_of(site, number, text=text)
    assert states == {number: state}
    assert show_number(number) in read
    assert words in read
    assert [taken.submitted.text for taken in site.carrier.record.taken].count(text) == (state != "failed")


async def test_one_report_names_every_fate_of_a_job(site):
    numbers = ["447700900201", "447700900207", "447700900209", "447700900250"]
    states, read = await result_of(site, *numbers)
    assert states == dict(zip(numbers, ["failed", "expired", "undelivered", "delivered"], strict=True))
    for number in numbers:
        assert re.search(rf"^{re.escape(show_number(number))}: ", read, re.MULTILINE)


async def test_a_throttled_message_waits_and_goes_out_once(site):
    before = len(site.box.mails)
    job = await site.send("Later", to=[f"+{THROTTLED}"])

    def waits() -> list[tuple[str, str, int]]:
        return [(message.state, message.reason, message.attempts) for message in site.messages(number=THROTTLED)]

    for attempt in (1, 2):
        await site.until(lambda now=attempt: waits() == [("queued", "throttled", now)])
        await site.command("queue", "flush")
    await site.told(before + 1)
    assert site.state(job) == {THROTTLED: "delivered"}
    assert [taken.submitted.text for taken in site.carrier.record.taken if taken.submitted.number == THROTTLED] == [
        "Later"
    ]


async def test_a_receipt_settles_what_was_unknown_and_one_correction_is_told(site):
    before = len(site.box.mails)
    job = await site.send("Lost answer", to=["+447700900204"])
    first = await site.told(before + 1)
    assert "The carrier may have it" in first
    await site.until(lambda: site.carrier.bound == 1)
    site.carrier.deliver_raw(*receipt_for(site.carrier.record.taken[-1]))
    await site.until(lambda: site.state(job) == {"447700900204": "delivered"})
    second = await site.told(before + 2)
    assert "Reported by the network" in second
    subjects = {mail.message["Message-ID"] for mail in site.box.mails[before:]}
    assert len(subjects) == 2


async def test_a_refused_part_stops_the_rest_and_what_was_accepted_is_named_as_billed(site):
    states, read = await result_of(site, REFUSED_SECOND_PART, text="x" * 400)
    assert states == {REFUSED_SECOND_PART: "failed"}
    parts = sorted((part.idx, part.carrier_id != "") for part in site.parts(REFUSED_SECOND_PART))
    assert parts == [(1, True), (2, False), (3, False)]
    taken = [
        taken.submitted.place.index
        for taken in site.carrier.record.taken
        if taken.submitted.number == REFUSED_SECOND_PART
    ]
    assert taken == [1]
    assert "3 parts, 1 billed" in read


async def test_a_link_that_hangs_leaves_the_unanswered_unknown_and_the_next_link_takes_the_rest(site):
    states, read = await result_of(site, WEDGED)
    assert states == {WEDGED: "unknown"}
    assert "The carrier did not answer in time." in read
    site.carrier.cut_links()
    states, _ = await result_of(site, "447700900251")
    assert states == {"447700900251": "delivered"}


async def test_the_log_of_all_this_has_one_line_per_fact_and_neither_text_nor_whole_numbers(site):
    await result_of(site, "447700900252", "447700900253", text="Confidential words " * 20)
    await site.until_all_told()
    log = "".join(site.log)
    settled = re.findall(r"event=job_settled job=(\S+)", log)
    assert len(settled) == len(set(settled))
    assert "Confidential" not in log
    assert "Pump 7" not in log
    assert not re.search(r"4?477009002\d\d", log)
    assert site.password not in log
    assert "Traceback" not in log
    assert all(re.match(r"timestamp=\S+ level=\w+ event=\S+", line) for line in site.log)
