"""The sandbox carrier by itself: what it takes, shows, refuses and remembers, spoken to with bare sessions."""

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from smpp.dialect.dialect import Dialect, IdBase
from smpp.dialect.receipts import read_receipt
from smpp.dialect.submissions import write_part
from smpp.link import Link
from smpp.session.events import Answered, Asked, BindRefused, Bound, Ended, EndReason, Unanswered
from smpp.session.limits import SessionLimits
from smpp.session.session import Session
from smpp.session.states import SessionRole
from smpp.simulator.script import Cut, ReceiptTime, Script, Treatment
from smpp.wire.bodies import (
    BindReceiver,
    BindTransceiver,
    CancelSm,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
)
from smpp.wire.fields import Address, ListName, UnsuccessfulAddress
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tag, Tlv
from sms.message import Alphabet, ReceiptState
from tests.kit.patience import PATIENCE
from tests.kit.smpp import NOW, NUMBER, carrier, encoded, parts_of

ROOT = Path(__file__).parents[2]


class Esme:
    """A bare ESME: sends what it is told, remembers every event, takes every delivery with `status`."""

    def __init__(self):
        self.events = []
        self.status = Status.ROK
        self.link: Any = None
        self._news = asyncio.Event()

    def on_opened(self, link):
        self.link = link

    def on_event(self, link, event):
        self.events.append(event)
        if isinstance(event, Asked):
            link.session.respond(event.pdu, DeliverSmResp(), self.status)
            link.flush_soon()
        self._news.set()

    def on_quiet(self, link):
        pass

    def on_writable(self, link):
        pass

    def on_closed(self, link):
        self._news.set()

    async def until(self, predicate):
        async with asyncio.timeout(PATIENCE):
            while not predicate():
                self._news.clear()
                await self._news.wait()

    async def connect(self, port, kind=BindTransceiver, system_id="gateway", password="secret"):
        loop = asyncio.get_running_loop()
        await loop.create_connection(
            lambda: Link(Session(SessionRole.ESME, SessionLimits(response_seconds=5), loop.time()), self),
            "127.0.0.1",
            port,
        )
        self.link.session.bind(kind(system_id, password))
        self.link.pump()
        await self.until(lambda: any(isinstance(event, (Bound, BindRefused)) for event in self.events))
        return self

    def send(self, body, tlvs=()):
        sequence = self.link.session.send(body, len(self.events), tuple(tlvs))
        self.link.pump()
        return sequence

    async def ask(self, body, tlvs=()):
        """Send a request and return the PDU that answers it, None where nothing ever will."""
        context = object()
        self.link.session.send(body, context, tuple(tlvs))
        self.link.pump()
        answers = (Answered, Unanswered)

        def mine():
            return [event for event in self.events if isinstance(event, answers) and event.context is context]

        await self.until(mine)
        (event,) = mine()
        return event.pdu if isinstance(event, Answered) else None

    @property
    def deliveries(self):
        return [event.pdu for event in self.events if isinstance(event, Asked)]


@asynccontextmanager
async def esme_of(simulator, **options):
    esme = await Esme().connect(simulator.port, **options)
    try:
        yield esme
    finally:
        esme.link.abort()
        await esme.link.lost


def submit(text=b"hello", **fields):
    values = {"destination_addr": NUMBER, "source_addr": "Acme", "registered_delivery": 1, **fields}
    return SubmitSm(short_message=text, **values)


def reported_state(pdu):
    receipt = read_receipt(pdu, "alpha", Dialect())
    assert receipt is not None
    return receipt.state


@pytest.mark.parametrize(
    ("system_id", "password", "status"),
    [("gateway", "secret", None), ("gateway", "Secret", Status.RINVPASWD), ("nobody", "secret", Status.RINVSYSID)],
)
async def test_who_binds_must_know_the_password(system_id, password, status):
    async with carrier() as simulator, esme_of(simulator, system_id=system_id, password=password) as esme:
        refused = [event.status for event in esme.events if isinstance(event, BindRefused)]
        assert refused == ([] if status is None else [status])


async def test_the_record_is_what_was_taken_and_nothing_else():
    script = Script(refusals={"447700900001": Status.RINVDSTADR}, throttle_every=3, receipt=ReceiptTime.NEVER)
    async with carrier(script) as simulator, esme_of(simulator) as esme:
        answers = [
            await esme.ask(submit(text, destination_addr=number))
            for text, number in [
                (b"one", NUMBER), (b"two", "447700900001"), (b"three", NUMBER), (b"four", NUMBER),
            ]
        ]  # fmt: skip
        assert [answer.status for answer in answers] == [0, Status.RINVDSTADR, Status.RTHROTTLED, 0]
        assert [taken.submitted.text for taken in simulator.record.taken] == ["one", "four"]
        assert [taken.submitted.nth for taken in simulator.record.taken] == [1, 4]
        assert simulator.statuses == {0: 2, Status.RINVDSTADR: 1, Status.RTHROTTLED: 1}
        assert [answers[place].body.message_id for place in (0, 3)] == [
            taken.message_id for taken in simulator.record.taken
        ]


async def test_refusal_by_function():
    script = Script(refuse=lambda submitted: Status.RINVSRCADR if submitted.sender == "Spam" else 0)
    async with carrier(script) as simulator, esme_of(simulator) as esme:
        assert (await esme.ask(submit(source_addr="Spam"))).status == Status.RINVSRCADR
        assert (await esme.ask(submit())).status == 0


async def test_only_so_many_are_taken_in_a_second():  # in which the clock of the kit stands still
    async with carrier(Script(throttle_rate=3)) as simulator, esme_of(simulator) as esme:
        statuses = [(await esme.ask(submit())).status for _ in range(9)]
        assert statuses == [0] * 3 + [Status.RTHROTTLED] * 6
        assert len(simulator.record.taken) == 3


async def test_the_phone_shows_joined_messages_and_hides_nothing_that_came_twice():
    async with carrier() as simulator, esme_of(simulator) as esme:
        parts = parts_of("Nobody is surprised. " * 20)
        for part in (*reversed(parts), parts[0]):
            body, tlvs = write_part(part, Dialect(), NOW)
            await esme.ask(body, tlvs)
        whole, again = simulator.record.shown()
        assert (whole.text, whole.missing) == ("Nobody is surprised. " * 20, ())
        assert (again.text, again.missing) == (parts_text(parts[0]), (2, 3))


def parts_text(part):
    return part.payload.decode("ascii")


async def test_the_record_outlives_the_process_that_keeps_it(tmp_path):
    file = tmp_path / "record.jsonl"
    async with carrier(record_path=file) as simulator, esme_of(simulator) as esme:
        for part in parts_of("Grüße an alle! ✓ " * 8, coding=Alphabet.UCS2):
            body, tlvs = write_part(part, Dialect(), NOW)
            await esme.ask(body, tlvs)
            # Each line is there before its submit is answered.
            assert len(file.read_text().splitlines()) == len(simulator.record.taken)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert "".join(line["text"] for line in lines) == "Grüße an alle! ✓ " * 8
    assert [(line["index"], line["total"], line["reference"]) for line in lines] == [(1, 3, 7), (2, 3, 7), (3, 3, 7)]
    assert lines[0]["udh"] == "050003070301"
    assert (lines[0]["number"], lines[0]["sender"], lines[0]["data_coding"]) == (NUMBER, "Acme", 8)


async def test_receipts_are_sent_only_where_they_were_asked_for():
    async with carrier(Script(states={"447700900001": ReceiptState.EXPIRED})) as simulator, esme_of(simulator) as esme:
        await esme.ask(submit(registered_delivery=0))
        await esme.ask(submit(registered_delivery=2))
        await esme.ask(submit(registered_delivery=2, destination_addr="447700900001"))
        await esme.ask(submit(registered_delivery=17))
        await simulator.until(lambda: simulator.deliveries_taken == 3)
        assert [reported_state(pdu) for pdu in esme.deliveries] == [
            ReceiptState.EXPIRED,
            ReceiptState.ENROUTE,
            ReceiptState.DELIVERED,
        ]
        assert [pdu.body.esm_class for pdu in esme.deliveries] == [0x04, 0x20, 0x04]


async def test_a_receipt_waits_for_a_bind_that_receives():
    async with carrier() as simulator:
        async with esme_of(simulator) as first:
            simulator.script = Script(receipt_delay=0.01)
            await first.ask(submit())
        async with esme_of(simulator, kind=BindReceiver) as second:
            await simulator.until(lambda: simulator.deliveries_taken == 1)
            assert len(second.deliveries) == 1


async def test_a_refused_receipt_comes_again_after_its_pause():
    async with carrier(Script(receipt_retry_delay=0.01)) as simulator, esme_of(simulator) as esme:
        esme.status = Status.RX_T_APPN
        await esme.ask(submit())
        await simulator.until(lambda: simulator.deliveries_refused[Status.RX_T_APPN] >= 2)
        esme.status = Status.ROK
        await simulator.until(lambda: simulator.deliveries_taken == 1)
        assert len({pdu.body.short_message for pdu in esme.deliveries}) == 1


async def test_a_submit_to_many_is_taken_address_by_address():
    script = Script(refusals={"447700900001": Status.RINVDSTADR})
    async with carrier(script) as simulator, esme_of(simulator) as esme:
        destinations = (
            Address(1, 1, NUMBER),
            Address(1, 1, "447700900001"),
            ListName("friends"),
            Address(1, 1, "447700900002"),
        )
        answer = await esme.ask(SubmitMulti(dest_addresses=destinations, registered_delivery=1, short_message=b"all"))
        assert isinstance(answer.body, SubmitMultiResp)
        assert answer.body.message_id == simulator.record.taken[0].message_id
        assert answer.body.unsuccess_smes == (
            UnsuccessfulAddress(1, 1, "447700900001", Status.RINVDSTADR),
            UnsuccessfulAddress(0, 0, "friends", Status.RINVDLNAME),
        )
        assert [shown.number for shown in simulator.record.shown()] == [NUMBER, "447700900002"]
        await simulator.until(lambda: simulator.deliveries_taken == 2)


async def test_a_data_sm_is_a_submit_too():
    async with carrier() as simulator, esme_of(simulator) as esme:
        body = DataSm(source_addr="Acme", destination_addr=NUMBER, registered_delivery=1)
        answer = await esme.ask(body, [Tlv(Tag.MESSAGE_PAYLOAD, b"payload")])
        assert answer.body == DataSmResp(simulator.record.taken[0].message_id)
        assert simulator.record.shown()[0].text == "payload"
        await simulator.until(lambda: simulator.deliveries_taken == 1)


@pytest.mark.parametrize("base", list(IdBase))
async def test_a_submit_can_be_asked_for_replaced_and_cancelled_until_it_is_final(base):
    script = Script(receipt_delay=60, dialect=Dialect(id_in_response=base))
    async with carrier(script) as simulator, esme_of(simulator) as esme:
        message_id = (await esme.ask(submit())).body.message_id
        asked = await esme.ask(QuerySm(message_id.lower()))
        assert (asked.body.message_state, asked.body.final_date) == (1, "")
        assert (await esme.ask(ReplaceSm(message_id, short_message=b"better"))).status == 0
        assert simulator.record.shown()[0].text == "better"
        assert (await esme.ask(CancelSm(message_id=message_id))).status == 0
        asked = await esme.ask(QuerySm(message_id))
        assert (asked.body.message_state, asked.body.final_date) == (4, "261123161530000+")
        assert (await esme.ask(CancelSm(message_id=message_id))).status == Status.RCANCELFAIL
        assert (await esme.ask(ReplaceSm(message_id))).status == Status.RREPLACEFAIL
        assert (await esme.ask(QuerySm("nothing"))).status == Status.RQUERYFAIL
        assert len(simulator.record.shown()) == 1


async def test_a_data_sm_is_replaced_in_its_payload():
    async with carrier(Script(receipt_delay=60)) as simulator, esme_of(simulator) as esme:
        answer = await esme.ask(DataSm(destination_addr=NUMBER), [Tlv(Tag.MESSAGE_PAYLOAD, b"good")])
        await esme.ask(ReplaceSm(answer.body.message_id, short_message=b"better"))
        assert simulator.record.shown()[0].text == "better"


async def test_a_cancel_without_an_id_cancels_what_is_open_between_the_addresses():
    async with carrier(Script(receipt_delay=60)) as simulator, esme_of(simulator) as esme:
        for number in (NUMBER, NUMBER, "447700900001"):
            await esme.ask(submit(destination_addr=number))
        assert (await esme.ask(CancelSm(source_addr="Acme", destination_addr=NUMBER))).status == 0
        assert [simulator.record.states[taken.key] for taken in simulator.record.taken] == [
            ReceiptState.DELETED,
            ReceiptState.DELETED,
            ReceiptState.ENROUTE,
        ]


async def test_a_cancelled_submit_is_reported_as_deleted():
    async with carrier(Script(receipt_delay=0.05)) as simulator, esme_of(simulator) as esme:
        message_id = (await esme.ask(submit())).body.message_id
        await esme.ask(CancelSm(message_id=message_id))
        await simulator.until(lambda: simulator.deliveries_taken == 1)
        assert reported_state(esme.deliveries[0]) is ReceiptState.DELETED


async def test_nobody_asks_for_anothers_submit():
    async with carrier(Script(receipt_delay=60)) as simulator:
        simulator.accounts = {"gateway": "secret", "other": "secret"}
        async with esme_of(simulator) as esme, esme_of(simulator, system_id="other") as other:
            message_id = (await esme.ask(submit())).body.message_id
            assert (await other.ask(QuerySm(message_id))).status == Status.RQUERYFAIL
            assert (await other.ask(CancelSm(message_id=message_id))).status == Status.RCANCELFAIL


@pytest.mark.parametrize(
    ("cut", "taken", "answered"), [(Cut.BEFORE_STORING, 1, 1), (Cut.AFTER_STORING, 2, 1), (Cut.MID_ANSWER, 2, 1)]
)
async def test_a_link_is_cut_at_the_chosen_moment(cut, taken, answered):
    script = Script(cuts={2: cut}, receipt=ReceiptTime.NEVER)
    async with carrier(script) as simulator, esme_of(simulator) as esme:
        for _ in range(3):
            esme.send(submit())
        await esme.until(lambda: any(isinstance(event, Ended) for event in esme.events))
        assert len(simulator.record.taken) == taken
        assert sum(isinstance(event, Answered) for event in esme.events) == answered
        assert esme.events[-1] == Ended(EndReason.EOF)


async def test_links_are_cut_and_unbound_on_request():
    async with carrier() as simulator:
        async with esme_of(simulator) as esme:
            simulator.cut_links()
            await esme.until(lambda: Ended(EndReason.EOF) in esme.events)
        async with esme_of(simulator) as esme:
            simulator.unbind_links()
            await esme.until(lambda: Ended(EndReason.UNBOUND) in esme.events)


async def test_inbound_sms_go_to_the_account_that_is_named():
    async with carrier() as simulator:
        simulator.accounts = {"gateway": "secret", "other": "secret"}
        async with esme_of(simulator) as esme, esme_of(simulator, system_id="other") as other:
            await simulator.deliver(NUMBER, "12345", encoded("Hi"), "other")
            assert (len(esme.deliveries), len(other.deliveries)) == (0, 1)
            body = other.deliveries[0].body
            assert isinstance(body, DeliverSm)
            assert (body.source_addr, body.destination_addr, body.short_message) == (NUMBER, "12345", b"Hi")


async def test_a_treatment_of_its_own_can_do_everything_to_one_submit():
    script = Script(treat=lambda submitted: Treatment(status=Status.RSYSERR) if submitted.nth == 1 else None)
    async with carrier(script) as simulator, esme_of(simulator) as esme:
        assert (await esme.ask(submit())).status == Status.RSYSERR
        assert isinstance((await esme.ask(submit())).body, SubmitSmResp)
        assert len(simulator.record.taken) == 1


async def test_the_command_prints_its_port_keeps_the_record_and_ends_on_a_signal(tmp_path):
    file = tmp_path / "record.jsonl"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "smpp.simulator", "--port", "0", "--system-id", "gateway", "--password", "secret",
        "--record", str(file), "--id-in-response", "hex", "--refuse", "447700900001=0x0B", "--cut", "3=after-storing",
        "--states", "447700900002=expired",
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    esme = await Esme().connect(port)
    assert isinstance((await esme.ask(submit(destination_addr="447700900002"))).body, SubmitSmResp)
    assert (await esme.ask(submit(destination_addr="447700900001"))).status == Status.RINVDSTADR
    assert await esme.ask(submit()) is None
    await esme.link.lost
    assert reported_state(esme.deliveries[0]) is ReceiptState.EXPIRED
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert [json.loads(line)["number"] for line in file.read_text().splitlines()] == ["447700900002", NUMBER]


async def test_the_command_refuses_what_it_does_not_understand():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "smpp.simulator", "--cut", "nonsense",
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, error = await process.communicate()
    assert process.returncode == 2
    assert b"--cut" in error
