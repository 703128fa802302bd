"""The client against the sandbox carrier over TCP and TLS: one answer per part, receipts acknowledged after the commit."""

import asyncio
import math
import ssl
from datetime import timedelta

import pytest
import structlog
import trustme

from smpp.client.account import OutbindDoor
from smpp.client.client import SmppClient
from smpp.client.pace import Pace, Window
from smpp.dialect.binds import BindMode
from smpp.dialect.dialect import Dialect, IdBase, LongMessages, SubmitWith, WireAlphabet
from smpp.session.limits import SessionLimits
from smpp.simulator.lines import Delivery
from smpp.simulator.script import Cut, ReceiptForm, ReceiptTime, Script, Treatment
from smpp.wire.bodies import DeliverSm, GenericNack, SubmitSmResp
from smpp.wire.pdu import encode
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tag, Tlv
from sms.message import Receipt, ReceiptState
from sms.number import MobileNumber, SenderId, SenderKind
from sms.outcome import Done, Failed, ProblemCode, Retry, Unknown
from tests.kit.clock import Clock, leap
from tests.kit.smpp import (
    ACME,
    NOW,
    NUMBER,
    Listener,
    account_of,
    bound_pair,
    carrier,
    client_of,
    encoded,
    logbook,
    only_link,
    parts_of,
    single_parts,
    spy_on,
    submit_all,
)


def problems(listener):
    return [outcome.problem.code if hasattr(outcome, "problem") else None for outcome in listener.answers.values()]


async def test_a_part_is_submitted_answered_and_reported():
    async with bound_pair() as (simulator, client, listener):
        await submit_all(client, listener, parts_of("Hello {world} €"))
        await listener.until(lambda: listener.receipts)
        (taken,) = simulator.record.taken
        assert listener.answers == {1: Done(reference=taken.key)}
        assert (taken.submitted.number, taken.submitted.sender, taken.submitted.text) == (
            NUMBER,
            "Acme",
            "Hello {world} €",
        )
        assert listener.receipts == [
            Receipt(
                carrier="alpha",
                carrier_id=taken.key,
                state=ReceiptState.DELIVERED,
                error="000",
                number=NUMBER,
                done_at=NOW.replace(second=0),
            )
        ]


@pytest.mark.parametrize("long_messages", list(LongMessages))
@pytest.mark.parametrize("text", ["Nobody is surprised. " * 30, "✓ äöü " * 50])
async def test_a_long_message_is_one_on_the_phone(long_messages, text):
    async with bound_pair(Script(dialect=Dialect(long_messages=long_messages))) as (simulator, client, listener):
        parts = parts_of(text)
        await submit_all(client, listener, parts)
        (shown,) = simulator.record.shown()
        assert (shown.number, shown.sender, shown.text, shown.missing) == (NUMBER, "Acme", text, ())
        await listener.until(lambda: len(listener.receipts) == len(parts))


DIALECTS = {
    "plain": Dialect(),
    "hexadecimal answers, decimal receipts": Dialect(id_in_response=IdBase.HEX, id_in_receipt=IdBase.DECIMAL),
    "decimal answers, hexadecimal receipts": Dialect(id_in_response=IdBase.DECIMAL, id_in_receipt=IdBase.HEX),
    "packed septets": Dialect(default_alphabet=WireAlphabet.GSM7_PACKED),
    "Latin-1": Dialect(default_alphabet=WireAlphabet.LATIN1, default_data_coding=3),
    "ASCII": Dialect(default_alphabet=WireAlphabet.ASCII),
    "sar parameters": Dialect(long_messages=LongMessages.SAR),
    "message_payload": Dialect(long_messages=LongMessages.MESSAGE_PAYLOAD),
    "data_sm": Dialect(submit_with=SubmitWith.DATA_SM),
    "data_sm, sar": Dialect(submit_with=SubmitWith.DATA_SM, long_messages=LongMessages.SAR),
    "data_sm, message_payload": Dialect(
        submit_with=SubmitWith.DATA_SM,
        long_messages=LongMessages.MESSAGE_PAYLOAD,
        id_in_response=IdBase.HEX,
        id_in_receipt=IdBase.DECIMAL,
    ),
}
STATES = [ReceiptState.DELIVERED, ReceiptState.UNDELIVERABLE, ReceiptState.EXPIRED, ReceiptState.REJECTED]


@pytest.mark.parametrize("form", list(ReceiptForm))
@pytest.mark.parametrize("name", DIALECTS)
async def test_every_dialect_ends_in_the_right_state(name, form):
    dialect = DIALECTS[name]
    numbers = [f"4477009000{place}" for place in range(len(STATES))]
    script = Script(dialect=dialect, receipt_form=form, states=dict(zip(numbers, STATES, strict=True)))
    async with bound_pair(script) as (simulator, client, listener):
        parts = [
            part
            for place, number in enumerate(numbers)
            for part in parts_of("Plain words " * 20, first_key=10 * place, number=MobileNumber(digits=number))
        ]
        await submit_all(client, listener, parts)
        await listener.until(lambda: len(listener.receipts) == len(parts))
        state_of = {receipt.carrier_id: receipt.state for receipt in listener.receipts}
        ended = {part.number.digits: state_of[listener.answers[part.part_key].reference] for part in parts}
        assert ended == dict(zip(numbers, STATES, strict=True))
        assert [shown.text for shown in simulator.record.shown()] == ["Plain words " * 20] * len(numbers)


@pytest.mark.parametrize("mode", [BindMode.PAIR, BindMode.TRANSCEIVER])
async def test_receipts_come_back_on_either_kind_of_bind(mode):
    async with bound_pair(bind=mode) as (simulator, client, listener):
        binds = 2 if mode is BindMode.PAIR else 1
        await simulator.until(lambda: simulator.bound == binds)
        await submit_all(client, listener, single_parts(3))
        await listener.until(lambda: len(listener.receipts) == 3)


async def test_a_transmitter_submits_and_hears_nothing():
    async with bound_pair(bind=BindMode.TRANSMITTER) as (simulator, client, listener):
        await submit_all(client, listener, single_parts(2))
        assert all(isinstance(outcome, Done) for outcome in listener.answers.values())
        assert (simulator.deliveries_taken, listener.receipts) == (0, [])


async def test_a_receiver_hears_and_cannot_submit():
    listener = Listener()
    async with carrier() as simulator, client_of(account_of(simulator, bind=BindMode.RECEIVER), listener) as client:
        await simulator.until(lambda: simulator.bound == 1)
        await simulator.deliver(NUMBER, "12345", encoded("Hi"))
        assert [fragment.text for fragment in listener.fragments] == ["Hi"]
        assert client.free_window() == 0


async def test_a_delivery_is_acknowledged_only_after_its_commit_and_in_any_order():
    gates = {"one": asyncio.Event(), "two": asyncio.Event()}

    async def commit(fragment):
        await gates[fragment.text].wait()

    async with bound_pair(commit=commit) as (simulator, _client, listener):
        one = asyncio.ensure_future(simulator.deliver(NUMBER, "12345", encoded("one")))
        await listener.until(lambda: ("fragment heard", "one") in listener.log)
        two = asyncio.ensure_future(simulator.deliver(NUMBER, "12345", encoded("two")))
        gates["two"].set()
        await two
        assert simulator.deliveries_taken == 1
        assert [fragment.text for fragment in listener.fragments] == ["two"]
        assert not one.done()
        gates["one"].set()
        await one
        assert [fragment.text for fragment in listener.fragments] == ["two", "one"]


async def test_a_receipt_that_could_not_be_committed_comes_again():
    failures = iter([OSError("disk full"), None])

    async def commit(_receipt):
        error = next(failures)
        if error is not None:
            raise error

    script = Script(receipt_retry_delay=0.01)
    with structlog.testing.capture_logs() as logs:
        async with bound_pair(script, commit=commit) as (simulator, client, listener):
            await submit_all(client, listener, single_parts(1))
            await simulator.until(lambda: simulator.deliveries_taken == 1)
            assert simulator.deliveries_refused == {Status.RX_T_APPN: 1}
            assert len(listener.receipts) == 1
    assert any(line["event"] == "smpp_delivery_not_taken" for line in logs)


async def test_many_deliveries_are_in_flight_at_once():
    together = asyncio.Barrier(20)

    async def commit(_receipt):
        await together.wait()

    async with bound_pair(commit=commit, limits=SessionLimits(window=50)) as (simulator, client, listener):
        await submit_all(client, listener, single_parts(20))
        await simulator.until(lambda: simulator.deliveries_taken == 20)


@pytest.mark.parametrize("cut", list(Cut))
async def test_a_link_cut_in_the_window_answers_every_part_once_and_says_unknown_where_it_must(cut):
    script = Script(cuts={4: cut})
    async with bound_pair(script) as (simulator, client, listener):
        client.submit(single_parts(8))
        await listener.until(lambda: len(listener.answers) == 8)
        done = [key for key, outcome in listener.answers.items() if isinstance(outcome, Done)]
        lost = [key for key, outcome in listener.answers.items() if isinstance(outcome, Unknown)]
        assert done == [1, 2, 3]
        assert lost == [4, 5, 6, 7, 8]
        assert {listener.answers[key].problem.code for key in lost} == {ProblemCode.LINK_LOST}
        assert len(simulator.record.taken) == (3 if cut is Cut.BEFORE_STORING else 4)
        # The link comes back by itself, and what was lost is not sent again by the client.
        await listener.until(lambda: client.free_window() > 0)
        await submit_all(client, listener, single_parts(1, first_key=100))
        assert simulator.record.taken[-1].submitted.text == "message 100"
        assert [shown.missing for shown in simulator.record.shown()] == [()] * len(simulator.record.taken)


async def test_receipts_that_a_cut_link_left_behind_come_over_the_next_one():
    async with bound_pair(Script(receipt_delay=0.05, cuts={3: Cut.AFTER_STORING})) as (simulator, client, listener):
        client.submit(single_parts(3))
        await listener.until(lambda: len(listener.receipts) == 3)
        assert sorted(receipt.carrier_id for receipt in listener.receipts) == sorted(
            taken.key for taken in simulator.record.taken
        )


async def test_while_the_link_is_down_nothing_is_taken_and_what_is_given_is_to_be_retried():
    listener = Listener()
    async with carrier() as simulator:
        account = account_of(simulator, port=1)
    async with client_of(account, listener) as client:
        assert client.free_window() == 0
        client.submit(single_parts(2))
        assert listener.answers == {}
        await listener.until(lambda: len(listener.answers) == 2)
        assert all(isinstance(outcome, Retry) and outcome.after is None for outcome in listener.answers.values())
        assert problems(listener) == [ProblemCode.LINK_DOWN] * 2


async def test_what_is_given_beyond_the_window_is_to_be_retried_and_was_never_sent():
    async with bound_pair(limits=SessionLimits(window=3)) as (simulator, client, listener):
        client.submit(single_parts(5))
        await listener.until(lambda: len(listener.answers) == 5)
        assert [type(listener.answers[key]) for key in range(1, 6)] == [Done, Done, Done, Retry, Retry]
        assert len(simulator.record.taken) == 3


async def test_an_answer_that_never_comes_is_unknown_and_a_hung_carrier_is_left():
    script = Script(unanswered={2})
    limits = SessionLimits(window=10, response_seconds=10)
    async with bound_pair(script, limits=limits) as (simulator, client, listener):
        client.submit(single_parts(3))
        await listener.until(lambda: len(listener.answers) == 2)
        leap(11)
        await listener.until(lambda: len(listener.answers) == 3)
        assert isinstance(listener.answers[2], Unknown)
        assert listener.answers[2].problem.code is ProblemCode.NO_ANSWER
        assert len(simulator.record.taken) == 3
        assert client.free_window() == 1
        await submit_all(client, listener, single_parts(1, first_key=4))
        assert client.free_window() == 10


async def test_a_carrier_that_hangs_is_found_out_and_bound_again():
    script = Script(hang_at=2)
    limits = SessionLimits(window=10, response_seconds=10, enquire_link_seconds=10)
    async with bound_pair(script, limits=limits) as (simulator, client, listener):
        client.submit(single_parts(3))
        await listener.until(lambda: len(listener.answers) == 1)
        leap(11)
        await listener.until(lambda: len(listener.answers) == 3)
        assert [type(listener.answers[key]) for key in (1, 2, 3)] == [Done, Unknown, Unknown]
        while client.free_window():  # until it is asked whether it lives, and until its answer was due
            leap(11)
            await asyncio.sleep(0)
        simulator.script = Script()
        await listener.until(lambda: client.free_window() == 1)
        await submit_all(client, listener, single_parts(1, first_key=9))
        assert isinstance(listener.answers[9], Done)
        assert client.free_window() == 10


async def test_answers_that_came_while_the_process_stood_still_are_read_before_anybody_is_late():
    limits = SessionLimits(window=10, response_seconds=10, enquire_link_seconds=10)
    async with bound_pair(limits=limits) as (simulator, client, listener):
        client.submit(single_parts(2))
        await simulator.until(lambda: len(simulator.record.taken) == 2)
        leap(60)
        client.submit(single_parts(1, first_key=3))
        await listener.until(lambda: len(listener.answers) == 3)
        assert [type(listener.answers[key]) for key in (1, 2, 3)] == [Done, Done, Done]
        assert len(simulator.record.taken) == 3
        assert simulator.bound == 1


async def test_a_late_answer_is_told_beside_the_answers():
    script = Script(unanswered={1})
    limits = SessionLimits(window=10, response_seconds=10)
    with structlog.testing.capture_logs() as logs:
        async with bound_pair(script, limits=limits) as (simulator, client, listener):
            client.submit(single_parts(1))
            await simulator.until(lambda: len(simulator.record.taken) == 1)
            leap(11)
            await listener.until(lambda: len(listener.answers) == 1)
            (line,) = simulator.lines
            line.session.respond(simulator.record.taken[0].submitted.pdu, SubmitSmResp("late"))
            line.pump()
            await submit_all(client, listener, single_parts(1, first_key=2))
            assert isinstance(listener.answers[1], Unknown)
            assert listener.late_answers == {1: Done(reference="late")}
    assert [line["event"] for line in logs].count("smpp_part_answered_late") == 1


async def test_throttling_is_retried_later_pauses_the_window_and_halves_it():
    script = Script(throttle_until=4, dialect=Dialect(throttle_pause=timedelta(seconds=10)))
    async with bound_pair(script, limits=SessionLimits(window=8)) as (simulator, client, listener):
        client.submit(single_parts(4))
        await listener.until(lambda: len(listener.answers) == 4)
        for outcome in listener.answers.values():
            assert isinstance(outcome, Retry)
            assert (outcome.problem.code, outcome.after) == (ProblemCode.THROTTLED, timedelta(seconds=10))
        assert client.free_window() == 0
        leap(11)
        await listener.until(lambda: client.free_window() > 0)
        assert client.free_window() == 4
        await submit_all(client, listener, single_parts(6, first_key=10))
        assert client.free_window() == 8
        assert len(simulator.record.taken) == 6


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (Status.RINVDSTADR, Failed, ProblemCode.NUMBER_REFUSED),
        (Status.RINVSRCADR, Failed, ProblemCode.SENDER_REFUSED),
        (Status.RSYSERR, Retry, ProblemCode.CARRIER_BUSY),
        (0x0401, Retry, ProblemCode.CARRIER_REFUSED),
    ],
)
async def test_a_refusal_is_answered_by_the_table(status, kind, code):
    async with bound_pair(Script(refusals={NUMBER: status})) as (simulator, client, listener):
        client.submit(parts_of("Hi"))
        await listener.until(lambda: listener.answers)
        assert isinstance(listener.answers[1], kind)
        assert listener.answers[1].problem.code is code
        assert simulator.record.taken == []
        assert simulator.statuses == {status: 1}


async def test_a_part_that_cannot_be_written_fails_and_the_others_go_out():
    async with bound_pair() as (simulator, client, listener):
        bad = single_parts(1, sender=SenderId(value="much too long for a sender", kind=SenderKind.ALPHANUMERIC))
        client.submit([*bad, *single_parts(1, first_key=2)])
        await listener.until(lambda: len(listener.answers) == 2)
        assert isinstance(listener.answers[1], Failed)
        assert listener.answers[1].problem.code is ProblemCode.SENDER_REFUSED
        assert isinstance(listener.answers[2], Done)
        assert len(simulator.record.taken) == 1


async def test_the_receipt_before_the_answer_is_heard_first():
    async with bound_pair(Script(receipt=ReceiptTime.BEFORE)) as (_simulator, client, listener):
        client.submit(parts_of("Hi"))
        await listener.until(lambda: listener.answers and listener.receipts)
        assert listener.receipts[0].carrier_id == listener.answers[1].reference


async def test_doubled_receipts_are_both_heard_and_both_acknowledged():
    async with bound_pair(Script(receipt_copies=2)) as (simulator, client, listener):
        client.submit(parts_of("Hi"))
        await simulator.until(lambda: simulator.deliveries_taken == 2)
        assert listener.receipts[0] == listener.receipts[1]


async def test_a_receipt_for_one_part_only_and_one_with_an_unknown_id():
    async with bound_pair(Script(receipt_parts={2})) as (simulator, client, listener):
        parts = parts_of("Nobody is surprised. " * 20)
        await submit_all(client, listener, parts)
        await listener.until(lambda: listener.receipts)
        simulator.script = Script(receipt_id="nobody's")
        await submit_all(client, listener, single_parts(1, first_key=50))
        await listener.until(lambda: len(listener.receipts) == 2)
        assert [receipt.carrier_id for receipt in listener.receipts] == [listener.answers[2].reference, "nobody's"]


@pytest.mark.parametrize(("word", "number"), [("ENROUTE", 1), ("UNDELIV", 5), ("ACCEPTD", 6), ("DELIVRD", 2)])
async def test_an_intermediate_notification_is_passed_on_as_news_that_decides_nothing(word, number):
    async with bound_pair() as (simulator, _client, listener):
        both = (Tlv(Tag.RECEIPTED_MESSAGE_ID, "7"), Tlv(Tag.MESSAGE_STATE, number))
        body = DeliverSm(source_addr=NUMBER, esm_class=0x20, short_message=f"id:7 stat:{word} err:027".encode())
        assert await simulator.deliver_raw(body, both) == 0
        assert listener.receipts == [
            Receipt(carrier="alpha", carrier_id="7", state=ReceiptState.ENROUTE, error="027", number=NUMBER)
        ]


async def test_who_asks_for_intermediate_notifications_hears_them_before_the_receipt():
    async with bound_pair(Script(dialect=Dialect(registered_delivery=17))) as (_simulator, client, listener):
        await submit_all(client, listener, parts_of("Hi"))
        await listener.until(lambda: len(listener.receipts) == 2)
        assert [receipt.state for receipt in listener.receipts] == [ReceiptState.ENROUTE, ReceiptState.DELIVERED]
        assert {receipt.carrier_id for receipt in listener.receipts} == {listener.answers[1].reference}


async def test_receipts_without_an_id_are_acknowledged_and_not_passed_on():
    async with bound_pair() as (simulator, _client, listener):
        assert await simulator.deliver_raw(DeliverSm(esm_class=0x04, short_message=b"stat:DELIVRD")) == 0
        assert listener.receipts == []


async def test_receipts_that_come_together_are_committed_together_and_answered_in_one_write():
    async with bound_pair(limits=SessionLimits(window=50)) as (simulator, _client, listener):
        (line,) = simulator.lines
        writes = []
        receive = line.data_received

        def data_received(data):
            writes.append(len(data))
            receive(data)

        line.data_received = data_received
        for key in range(30):
            body = DeliverSm(esm_class=0x04, short_message=f"id:{key} stat:DELIVRD".encode())
            line.session.send(body, Delivery("", body, (), asyncio.get_running_loop().create_future()))
        line.flush()
        await simulator.until(lambda: simulator.deliveries_taken == 30)
        assert listener.lists == [30]
        assert [receipt.carrier_id for receipt in listener.receipts] == [str(key) for key in range(30)]
        assert writes == [30 * 17]


async def test_one_receipt_that_cannot_be_kept_holds_up_none_that_came_with_it():
    tries = iter([OSError("in the list"), OSError("alone"), None])

    async def commit(receipt):
        if receipt.carrier_id == "3" and (error := next(tries)) is not None:
            raise error

    script = Script(receipt_retry_delay=0.01)
    async with bound_pair(script, commit=commit, limits=SessionLimits(window=50)) as (simulator, _client, listener):
        (line,) = simulator.lines
        for key in range(6):
            body = DeliverSm(esm_class=0x04, short_message=f"id:{key} stat:DELIVRD".encode())
            line.session.send(body, Delivery("", body, (), asyncio.get_running_loop().create_future()))
        line.flush()
        await simulator.until(lambda: simulator.deliveries_taken == 6)
        assert listener.lists == [6, 1, 1, 1, 1, 1, 1, 1]
        assert simulator.deliveries_refused == {Status.RX_T_APPN: 1}
        assert [receipt.carrier_id for receipt in listener.receipts] == ["0", "1", "2", "4", "5", "3"]


async def test_inbound_sms_arrive_in_fragments_with_their_place():
    async with bound_pair() as (simulator, _client, listener):
        text = "A long answer from a handset, with ünïcode ✓. " * 5
        await simulator.deliver(f"+{NUMBER}", "12345", encoded(text), reference=99)
        fragments = sorted(listener.fragments, key=lambda fragment: fragment.index)
        assert "".join(fragment.text for fragment in fragments) == text
        assert {(fragment.source, fragment.destination, fragment.reference) for fragment in fragments} == {
            (f"+{NUMBER}", "12345", 99)
        }


async def test_throughput_is_not_exceeded():
    async with bound_pair(throughput=50.0, limits=SessionLimits(window=100)) as (_simulator, client, listener):
        assert client.free_window() == 5
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await submit_all(client, listener, single_parts(20))
        # 5 at once, then one every 20 ms.
        assert loop.time() - begun >= 0.28


async def test_a_bind_that_is_refused_is_logged_without_the_password_and_tried_again():
    with logbook() as book:
        async with carrier() as simulator, client_of(account_of(simulator, password="wrong123"), Listener()) as client:
            refused = await book.until("smpp_bind_refused")
            assert client.free_window() == 0
    assert refused["status"] == "ESME_RINVPASWD (0x0E)"
    assert "wrong123" not in repr(book.entries)
    assert "wrong123" not in repr(account_of(simulator, password="wrong123"))


async def test_a_carrier_that_refuses_binds_for_a_while_is_bound_in_the_end():
    listener = Listener()
    script = Script(bind_status=Status.RSYSERR)
    async with carrier(script) as simulator, client_of(account_of(simulator), listener) as client:
        await listener.until(lambda: len(listener.log) >= 4)
        assert client.free_window() == 0
        simulator.script = Script()
        await listener.until(lambda: client.free_window() > 0)


async def test_a_password_that_no_pdu_can_carry_is_logged_by_its_field():
    with logbook() as book:
        async with carrier() as simulator, client_of(account_of(simulator, password="correct hörse €"), Listener()):
            line = await book.until("smpp_bind_not_writable")
    assert line["cause"].startswith("password")
    assert "correct" not in repr(book.entries)


async def test_the_carriers_unbind_is_answered_and_the_client_binds_again():
    async with bound_pair() as (simulator, client, listener):
        simulator.unbind_links()
        await listener.until(lambda: client.free_window() == 0)
        await listener.until(lambda: client.free_window() > 0)
        await submit_all(client, listener, single_parts(1))


async def test_stop_waits_for_answers_and_deliveries_then_unbinds():
    gate = asyncio.Event()

    async def commit(_receipt):
        await gate.wait()

    async with bound_pair(commit=commit) as (simulator, client, listener):
        client.submit(single_parts(3))
        stopping = asyncio.ensure_future(client.stop(10))
        await listener.until(lambda: len(listener.answers) == 3)
        assert client.free_window() == 0
        assert not stopping.done()
        gate.set()
        await stopping
        assert simulator.deliveries_taken == 3
        await simulator.until(lambda: simulator.bound == 0)


async def test_stop_with_an_answer_missing_ends_after_its_grace_and_says_unknown():
    async with bound_pair(Script(unanswered={1})) as (_simulator, client, listener):
        client.submit(single_parts(1))
        await client.stop(0.05)
        assert isinstance(listener.answers[1], Unknown)


async def test_cancel_and_query_speak_of_the_part_that_was_submitted():
    script = Script(receipt_delay=30, dialect=Dialect(id_in_response=IdBase.HEX, id_in_receipt=IdBase.DECIMAL))
    async with bound_pair(script) as (simulator, client, listener):
        await submit_all(client, listener, parts_of("Hi"))
        carrier_id = listener.answers[1].reference
        asked = await client.query(carrier_id, ACME)
        assert asked == Receipt(carrier="alpha", carrier_id=carrier_id, state=ReceiptState.ENROUTE)
        assert await client.cancel(carrier_id, MobileNumber(digits=NUMBER), ACME) == Done(reference=carrier_id)
        assert simulator.record.states[carrier_id] is ReceiptState.DELETED
        asked = await client.query(carrier_id, ACME)
        assert isinstance(asked, Receipt)
        assert (asked.state, asked.done_at) == (ReceiptState.DELETED, NOW)
        again = await client.cancel(carrier_id, MobileNumber(digits=NUMBER), ACME)
        assert isinstance(again, Failed)
        unknown = await client.query("4711", ACME)
        assert isinstance(unknown, Failed)


@pytest.mark.parametrize(
    ("dialect", "script", "state"),
    [
        (Dialect(), {"state": ReceiptState.DELIVERED}, ReceiptState.DELIVERED),
        (Dialect(), {"state": ReceiptState.ACCEPTED}, ReceiptState.ACCEPTED),
        # Who means «I have taken it» by the word means it by the number too.
        (
            Dialect(receipt_states={"ACCEPTD": ReceiptState.ENROUTE}),
            {"state": ReceiptState.ACCEPTED},
            ReceiptState.ENROUTE,
        ),
    ],
)
async def test_a_query_answers_in_the_words_of_the_dialect(dialect, script, state):
    async with bound_pair(Script(dialect=dialect, receipt=ReceiptTime.NEVER, **script)) as (_carrier, client, listener):
        await submit_all(client, listener, parts_of("Hi"))
        asked = await client.query(listener.answers[1].reference, ACME)
        assert isinstance(asked, Receipt)
        assert asked.state is state


async def test_questions_are_asked_while_the_window_is_full():
    script = Script(unanswered={1}, receipt=ReceiptTime.NEVER)
    async with bound_pair(script, limits=SessionLimits(window=1)) as (simulator, client, _listener):
        client.submit(single_parts(1))
        await simulator.until(lambda: len(simulator.record.taken) == 1)
        assert client.free_window() == 0
        asked = await client.query(simulator.record.taken[0].key, ACME)
        assert isinstance(asked, Receipt)


async def test_a_carrier_that_falls_silent_gets_no_more_than_one_window():
    limits = SessionLimits(window=5, response_seconds=5.0, silence_seconds=0.05)
    with logbook() as book:
        async with bound_pair(Script(hang_at=1), limits=limits) as (_simulator, client, listener):
            client.submit(single_parts(3))
            await book.until("smpp_silent")
            assert client.free_window() == 0
            assert listener.answers == {}


async def test_a_slow_carrier_that_still_lives_gets_more_at_once():
    limits = SessionLimits(window=5, response_seconds=5.0, silence_seconds=0.05)
    with logbook() as book:
        async with bound_pair(Script(unanswered={1}), limits=limits) as (_simulator, client, listener):
            client.submit(single_parts(1))
            await book.until("smpp_silent")
            await book.until("smpp_spoke")
            await listener.until(lambda: client.free_window() == 4)


async def test_cancel_and_query_without_a_link_or_an_answer_say_so():
    listener = Listener()
    async with carrier() as simulator:
        account = account_of(simulator, port=1)
    client = SmppClient(account, clock=Clock(NOW), jitter=lambda: 0.0)
    await client.start(listener)
    outcome = await client.query("1", ACME)
    assert isinstance(outcome, Retry)
    await client.stop(0)
    async with bound_pair(Script(hang_at=1), limits=SessionLimits(response_seconds=0.1)) as (
        _simulator,
        client,
        listener,
    ):
        client.submit(single_parts(1))
        cancelled = await client.cancel("1", MobileNumber(digits=NUMBER), ACME)
        assert isinstance(cancelled, Unknown)
        unwritable = await client.cancel("€", MobileNumber(digits=NUMBER), ACME)
        assert isinstance(unwritable, (Failed, Retry))


async def test_an_outbind_with_the_right_password_makes_us_bind_and_others_do_not():
    listener = Listener()
    async with carrier() as simulator:
        probe = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
        port = probe.sockets[0].getsockname()[1]
        probe.close()
        await probe.wait_closed()
        door = OutbindDoor(host="127.0.0.1", port=port, system_id="smsc", password="knock")
        account = account_of(simulator, port=1, outbind=door, bind=BindMode.TRANSCEIVER)
        async with client_of(account, listener) as client:
            await simulator.outbind("127.0.0.1", port, "smsc", "wrong")
            await simulator.outbind("127.0.0.1", port, "smsc", "knock")
            await listener.until(lambda: client.free_window() > 0)
            assert simulator.bound == 1
            await submit_all(client, listener, single_parts(1))
            await listener.until(lambda: listener.receipts)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def contexts(authority):
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("smsc.example.net").configure_cert(server)
    authority.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context()
    authority.configure_trust(client)
    authority.issue_cert("gateway.example.com").configure_cert(client)
    return server, client


async def test_tls_with_certificates_both_ways(contexts):
    server, client_context = contexts
    options = {"options": {"tls": server}, "tls": lambda: client_context, "server_hostname": "smsc.example.net"}
    async with bound_pair(Script(cuts={5: Cut.AFTER_STORING}), **options) as (_simulator, client, listener):
        client.submit(single_parts(8))
        await listener.until(lambda: len(listener.answers) == 8)
        assert [type(outcome) for outcome in listener.answers.values()] == [Done] * 4 + [Unknown] * 4
        # At least once each: an acknowledgement may be lost with the link.
        await listener.until(lambda: len({receipt.carrier_id for receipt in listener.receipts}) == 5)


async def test_a_carrier_with_another_name_is_not_bound(contexts):
    server, client_context = contexts
    with logbook() as book:
        async with carrier(tls=server) as simulator:
            account = account_of(simulator, tls=lambda: client_context, server_hostname="other.example.net")
            async with client_of(account, Listener()) as client:
                line = await book.until("smpp_connect_failed")
                assert client.free_window() == 0
    assert "other.example.net" in line["cause"]


async def test_a_burst_goes_out_in_one_write():
    async with bound_pair(limits=SessionLimits(window=100)) as (_simulator, client, listener):
        writes = spy_on(only_link(client), passing=True)
        client.submit(single_parts(100))
        await asyncio.sleep(0)
        assert len(writes) == 1
        await listener.until(lambda: len(listener.receipts) == 100)
        # The hundred deliver_sm_resp came back in a few bursts, not in a hundred.
        assert len(writes) < 20


async def test_a_custom_treatment_decides_in_place_of_the_script():
    def treat(submitted):
        return Treatment(state=ReceiptState.EXPIRED) if submitted.text.endswith("2") else None

    async with bound_pair(Script(treat=treat)) as (_simulator, client, listener):
        await submit_all(client, listener, single_parts(2))
        await listener.until(lambda: len(listener.receipts) == 2)
        assert [receipt.state for receipt in listener.receipts] == [ReceiptState.DELIVERED, ReceiptState.EXPIRED]


def test_the_bucket_holds_a_tenth_of_a_second_and_never_less_than_one_part():
    fast, slow = (Pace(rate=rate, pause=1) for rate in (100, 0.5))
    assert (fast.room(0), slow.room(0)) == (10, 1)
    fast.sent(10, 0)
    slow.sent(1, 0)
    assert (fast.room(0), slow.room(1.5)) == (0, 0)
    assert fast.wait(0) == pytest.approx(0.01)
    assert slow.wait(1.5) == pytest.approx(0.5)
    assert (fast.room(0.05), fast.room(60), slow.room(2)) == (5, 10, 1)


def test_one_burst_of_throttling_counts_once_and_acceptance_widens_again():
    pace, window = Pace(rate=None, pause=2), Window(100)
    assert [pace.throttled(0) for _ in range(30)] == [True] + [False] * 29
    window.halve()
    assert (pace.room(1), pace.wait(1), pace.room(2), pace.wait(2)) == (0, 1, math.inf, None)
    assert (window.room(2, 0), window.room(2, 49), window.room(2, 60)) == (50, 1, 0)
    for _ in range(60):
        window.accepted()
    assert window.room(3, 0) == 100
    for _ in range(30):
        window.halve()
    assert window.room(1000, 0) == 1


def test_where_the_window_may_be_at_fault_it_stays_narrow_for_a_minute():
    window = Window(8)
    window.halve()
    window.narrow(0)
    for _ in range(20):
        window.accepted()
    assert window.room(2, 0) == 4
    assert window.room(60, 0) == 4
    window.accepted()
    assert window.room(61, 0) == 5


def test_after_a_part_without_an_answer_one_part_is_a_probe():
    window = Window(3)
    assert window.room(0, 0) == 3
    window.unanswered()
    assert (window.room(0, 0), window.room(0, 1)) == (1, 0)
    window.answered()
    assert window.room(0, 0) == 3


async def test_a_delivery_that_we_fail_to_read_stays_with_the_carrier(monkeypatch):
    def broken(*_arguments):
        raise ZeroDivisionError

    monkeypatch.setattr("smpp.client.arrivals.read_fragment", broken)
    with logbook() as book:
        async with bound_pair(Script(receipt_retry_delay=60)) as (simulator, _client, listener):
            simulator.deliver_raw(DeliverSm(short_message=b"Hi"))
            await simulator.until(lambda: simulator.deliveries_refused[Status.RX_T_APPN] == 1)
            await book.until("smpp_delivery_not_read")
            assert listener.fragments == []


async def test_stop_while_deliveries_are_being_taken_leaves_them_with_the_carrier():
    async def commit(_fragment):
        await asyncio.Event().wait()

    async with bound_pair(commit=commit) as (simulator, client, listener):
        for text in (b"one", b"two"):
            simulator.deliver_raw(DeliverSm(short_message=text))
        submitting = asyncio.ensure_future(submit_all(client, listener, single_parts(1)))
        await submitting
        await client.stop(0)
        assert simulator.deliveries_taken == 0
        assert listener.fragments == []


async def test_a_nack_without_a_reason_still_refuses():
    async with bound_pair(Script(hang_at=1)) as (simulator, client, listener):
        client.submit(single_parts(1))
        cancelling = asyncio.ensure_future(client.cancel("1", MobileNumber(digits=NUMBER), ACME))
        await simulator.until(lambda: any(line.hung for line in simulator.lines))
        link = only_link(client)
        for sequence in (2, 3):
            link.data_received(encode(GenericNack(), sequence))
        await listener.until(lambda: listener.answers)
        assert isinstance(listener.answers[1], Retry)
        assert isinstance(await cancelling, Retry)
