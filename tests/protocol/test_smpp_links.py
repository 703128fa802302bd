"""Links of the client that end, are left or are given up in the middle of something: what is owed then, and to whom.

Not here: what goes over a link that stands (test_smpp_client), several links and hosts of one account
(test_smpp_hosts), and the session without I/O (test_smpp_session).
"""

import asyncio
import struct

import pytest

from smpp.client.outcomes import LINK_DOWN
from smpp.session.limits import SessionLimits
from smpp.session.states import SessionState
from smpp.simulator.script import Script
from smpp.wire.bodies import Command
from smpp.wire.pdu import decode
from sms.message import Receipt
from sms.outcome import Failed, Unknown
from tests.kit.patience import PATIENCE
from tests.kit.smpp import (
    ACME,
    FAST,
    Listener,
    account_of,
    bound_pair,
    carrier,
    client_of,
    logbook,
    only_link,
    single_parts,
    spy_on,
    submit_all,
)


async def test_a_list_that_is_committed_after_its_link_is_gone_is_answered_nowhere_and_comes_again():
    gate = asyncio.Event()

    async def commit(_receipt):
        await gate.wait()

    async with bound_pair(commit=commit) as (simulator, client, listener):
        await submit_all(client, listener, single_parts(2))
        await listener.until(lambda: sum(listener.lists) == 2)
        simulator.cut_links()
        await listener.until(lambda: client.free_window() == 0)
        await listener.until(lambda: client.free_window() > 0)
        # The next link has brought them again while the first lists are still being committed.
        await listener.until(lambda: sum(listener.lists) == 4)
        link = only_link(client)
        assert link.session._inbound == 2
        gate.set()
        await simulator.until(lambda: simulator.deliveries_taken == 2)
        await listener.until(lambda: len(listener.receipts) == 4)
        assert (link.session._inbound, simulator.deliveries_refused) == (0, {})
        assert client.free_window() == FAST.window


async def test_a_list_that_is_committed_while_we_unbind_is_still_answered():
    gate = asyncio.Event()

    async def commit(_receipt):
        await gate.wait()

    async with bound_pair(commit=commit) as (simulator, client, listener):
        await submit_all(client, listener, single_parts(1))
        await listener.until(lambda: listener.lists)
        link = only_link(client)
        # The carrier hears the unbind, and answers it when it has taken what we answer meanwhile.
        (line,) = simulator.lines
        line.hung = True
        stopping = asyncio.ensure_future(client.stop(0))
        async with asyncio.timeout(PATIENCE):
            while link.session.state is not SessionState.UNBINDING:
                await asyncio.sleep(0)
        written = spy_on(link, passing=False)
        gate.set()
        await listener.until(lambda: listener.receipts)
        await asyncio.sleep(0)
        assert [decode(octets).command for octets in written] == [Command.DELIVER_SM_RESP]
        link.abort()
        await stopping
        assert link.session.is_closed()


async def test_stop_that_is_given_up_leaves_a_client_that_can_be_stopped():
    async with bound_pair(Script(unanswered={1})) as (simulator, client, listener):
        client.submit(single_parts(1))
        stopping = asyncio.ensure_future(client.stop(60))
        await asyncio.sleep(0)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        assert (client.free_window(), listener.answers) == (0, {})
        await client.stop(0)
        assert isinstance(listener.answers[1], Unknown)
        await simulator.until(lambda: simulator.bound == 0)


async def test_a_question_that_is_given_up_leaves_its_room_when_its_answer_comes():
    async with bound_pair(Script(receipt_delay=30), limits=SessionLimits(asides=1)) as (simulator, client, listener):
        await submit_all(client, listener, single_parts(1))
        carrier_id = listener.answers[1].reference
        asking = asyncio.ensure_future(client.query(carrier_id, ACME))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert client.free_window() == SessionLimits().window
        assert await client.query(carrier_id, ACME) == LINK_DOWN  # the only room is taken
        async with asyncio.timeout(PATIENCE):
            while (answer := await client.query(carrier_id, ACME)) == LINK_DOWN:
                await asyncio.sleep(0)
        assert isinstance(answer, Receipt)
        assert simulator.queries[carrier_id] == 2
        assert isinstance(await client.query(carrier_id, ACME), Receipt)
        link = only_link(client)
        assert (link.session.outstanding, client.free_window()) == (0, SessionLimits().window)


async def test_questions_that_are_open_when_the_link_ends_are_answered_and_take_no_room_of_the_next():
    async with bound_pair(Script(hang_at=1)) as (simulator, client, listener):
        client.submit(single_parts(1))
        await simulator.until(lambda: any(line.hung for line in simulator.lines))
        asking = [asyncio.ensure_future(client.query("1", ACME)) for _ in range(SessionLimits().asides)]
        await asyncio.sleep(0)
        simulator.script = Script()
        simulator.cut_links()
        assert [type(answer) for answer in await asyncio.gather(*asking)] == [Unknown] * len(asking)
        await listener.until(lambda: client.free_window() == 1)  # after a silence one part is a probe
        assert isinstance(listener.answers[1], Unknown)
        assert isinstance(await client.query("1", ACME), Failed)
        client.submit(single_parts(1, first_key=2))
        await listener.until(lambda: client.free_window() == FAST.window)


async def test_a_part_given_while_the_socket_is_closing_was_never_sent_and_is_to_be_retried():
    async with bound_pair() as (simulator, client, listener):
        link = only_link(client)
        link.abort()
        client.submit(single_parts(2))
        await listener.until(lambda: len(listener.answers) == 2)
        assert list(listener.answers.values()) == [LINK_DOWN, LINK_DOWN]
        assert simulator.record.taken == []


async def test_a_part_that_has_not_left_when_the_link_ends_is_not_sent_with_the_last_words():
    async with bound_pair() as (simulator, client, listener):
        link = only_link(client)
        client.submit(single_parts(2))
        link.data_received(struct.pack("!IIII", 1, Command.DELIVER_SM, 0, 7))
        assert list(listener.answers.values()) == [LINK_DOWN, LINK_DOWN]
        await listener.until(lambda: client.free_window() > 0)
        assert simulator.record.taken == []


async def test_a_host_name_that_cannot_be_one_is_logged_and_tried_again():
    listener = Listener()
    with logbook() as book:
        async with carrier() as simulator, client_of(account_of(simulator, host="a..b"), listener) as client:
            line = await book.until("smpp_connect_failed")
            assert client.free_window() == 0
    assert line["carrier"] == "alpha"


async def test_a_fault_of_the_owner_keeps_nobody_waiting_for_the_loss_of_a_link(monkeypatch):
    async with bound_pair() as (simulator, client, _listener):
        link = only_link(client)
        forget = client.on_closed

        def fail(lost):
            forget(lost)
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(client, "on_closed", fail)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        simulator.cut_links()
        await asyncio.wait_for(link.lost, PATIENCE)
