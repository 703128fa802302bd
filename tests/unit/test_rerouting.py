"""Waiting messages given another carrier by hand: nothing twice, nothing that a carrier may have, each refusal named."""

from datetime import timedelta
from functools import partial

import pytest
from msgspec.structs import replace

from addressbook.numbers import NumberKind, OwnNumber, OwnNumbers
from gateway.admin.customers import add_customer
from gateway.admin.edit import Administration
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.rerouting import Rerouted, Rerouting, Wanted
from gateway.dispatch import Dispatch
from gateway.handed import HandedMessages
from gateway.rerouting import Keeps
from gateway.routing import CarrierRoute, CarrierRoutes
from sms.message import Alphabet, EncodedText, Priority
from sms.outcome import Done, Retry, Unknown
from store import rerouting
from store.answers import Rules
from store.audit import AuditSearch, read_audit
from store.due import Take
from store.engine.keys import to_instant
from store.rerouting import MessageRerouteRow
from store.retention import delete_messages
from store.views import find_job, load_trace
from tests.kit.clock import Clock
from tests.kit.fakes import FakeCarrier, until
from tests.kit.store_harness import BUSY, LOST, SECOND, StoreHarness

NUMBERS = [f"4477009001{n:02}" for n in range(20)]
CARRIERS = [
    CarrierRoute(carrier="alpha", prefixes=("4477",)),
    CarrierRoute(carrier="beta", prefixes=("44", "33"), lacking=frozenset("{}")),
    CarrierRoute(carrier="gamma", customers=("Other Ltd",)),
]


class World(StoreHarness):
    """The harness with what gives messages other routes."""

    def __init__(self, url: str) -> None:
        super().__init__(url, Rules(resends={"alpha": 1}))
        self.numbers = OwnNumbers()
        self.routes = CarrierRoutes(CARRIERS)
        now = lambda: to_instant(self.now)  # noqa: E731
        self.rerouting = Rerouting(
            database=self.database,
            keys=self.keys,
            administration=Administration(self.database, self.keys, "olga", now),
            routes=self.routes,
            numbers=lambda: self.numbers,
            now=now,
        )

    def reroute(self, to: str = "beta", carrier: str = "alpha", **chosen: str) -> Rerouted:
        """Look, then do it; both say the same where nothing happens in between."""
        wanted = Wanted(to=to, carrier=carrier, **chosen)
        looked = self.rerouting.look(wanted)
        done = self.rerouting.carry_out(wanted)
        assert (looked.moved, dict(looked.before), dict(looked.kept)) == (
            done.moved,
            dict(done.before),
            dict(done.kept),
        )
        return done

    def routes_of(self) -> list[str]:
        return [message.route for message in self.messages()]


@pytest.fixture
def world(database_url):
    world = World(database_url)
    yield world
    world.database.close()


@pytest.fixture
async def run(world, tmp_path):
    """Start a dispatch over the carriers."""
    running = []

    def start(*carriers: FakeCarrier) -> Dispatch:
        dispatch = Dispatch(
            database=world.database,
            outbound=world.outbound,
            progress=world.progress,
            carriers=carriers,
            routes=world.routes,
            clock=Clock(),
            owner=world.owner,
            notices_written=lambda: None,
            handed=HandedMessages(tmp_path / "handed", world.owner),
        )
        dispatch.start()
        running.append(dispatch)
        return dispatch

    yield start
    for dispatch in running:
        await dispatch.stop()


async def test_what_waits_for_a_carrier_goes_by_the_other_while_the_gateway_runs_and_what_it_has_stays(world, run):
    world.add(*NUMBERS)
    alpha, beta = FakeCarrier("alpha", window=7), FakeCarrier("beta", window=100)
    dispatch = run(alpha, beta)
    first = await alpha.has(7)
    await until(lambda: [message.state for message in world.messages()].count("submitting") == 7)
    done = world.reroute()
    assert (done.moved, done.before, done.kept) == (13, {"alpha": 13}, {})
    second = await beta.has(13)
    for carrier, parts in (("alpha", first), ("beta", second)):
        for part in parts:
            dispatch.answered(carrier, part.part_key, Done(reference=f"c{part.part_key}"))
    await until(lambda: {message.state for message in world.messages()} == {"submitted"})
    went = [part.number.digits for part in (*first, *second)]
    assert sorted(went) == NUMBERS


def test_what_failed_for_now_is_due_at_once_what_is_scheduled_or_held_keeps_its_time(world):
    world.add(NUMBERS[0])
    (part,) = world.take()
    world.settle((part.part_key, Retry(problem=BUSY, after=timedelta(minutes=30))))
    world.add(NUMBERS[1], due_at=world.now + 600 * SECOND)
    held = world.add(NUMBERS[2], priority=Priority.EXPRESS)
    world.hold(held.public_id)
    assert world.reroute().moved == 3
    waiting = {message.number: (message.route, message.due_at, message.held) for message in world.waiting()}
    assert waiting == {
        NUMBERS[0]: ("beta", to_instant(world.now), False),
        NUMBERS[1]: ("beta", to_instant(world.now + 600 * SECOND), False),
        NUMBERS[2]: ("beta", to_instant(world.now), True),
    }
    (again,) = world.take(carrier="beta", route="beta")
    assert (again.part_key, again.number.digits) == (part.part_key, NUMBERS[0])


def test_what_a_carrier_has_or_may_have_stays_with_it(world):
    world.add(NUMBERS[0])  # its answer is lost, and it is to be sent again
    (part,) = world.take()
    world.settle((part.part_key, Unknown(problem=LOST)))
    world.add(NUMBERS[1], parts=2)  # one part of two is there
    first, second = world.take()
    world.settle((first.part_key, Done(reference="c1")), (second.part_key, Retry(problem=BUSY)))
    world.add(NUMBERS[2])
    assert world.reroute().kept == {Keeps.BEGUN: 2}
    assert world.routes_of() == ["alpha", "alpha", "beta"]


def test_each_message_that_stays_is_counted_under_its_reason(world):
    pinned = OwnNumber(
        key=1, digits="447700900900", kind=NumberKind.LONG, country="GB", customer_key=1, carriers=("alpha",)
    )
    world.numbers = OwnNumbers([pinned])
    braces = EncodedText(text="{}", alphabet=Alphabet.GSM7, lengths=(2,))
    (message,) = world.new_job(NUMBERS[2]).messages
    world.add(NUMBERS[0])
    world.add("4917655501234")
    world.add(NUMBERS[1], sender=pinned.sender_id)
    world.add(messages=(replace(message, encoded=braces),))
    world.add(NUMBERS[3])
    world.execute(f"UPDATE message SET tried = 'beta' WHERE number = '{NUMBERS[3]}'")
    world.add(NUMBERS[4])
    world.execute(f"UPDATE message SET route = 'sandbox key' WHERE number = '{NUMBERS[4]}'")
    done = world.reroute()
    assert done.kept == {Keeps.NOT_SERVED: 1, Keeps.PINNED: 1, Keeps.UNFIT: 1, Keeps.GIVEN_BACK: 1}
    assert world.routes_of() == ["beta", "alpha", "alpha", "alpha", "alpha", "sandbox key"]
    assert world.reroute("gamma").kept == {Keeps.NOT_SERVED: 4}  # it serves another customer
    assert world.reroute("beta", "", country="GB").kept[Keeps.ON_IT] == 1


def test_a_text_that_only_its_carrier_may_divide_and_shift_tables_stay_where_a_carrier_lacks_them(world):
    world.add(NUMBERS[0], parts=2)
    world.execute("UPDATE job SET esme = 'shop'")
    world.add(NUMBERS[1])
    world.execute(f"UPDATE message SET locking_shift = 1 WHERE number = '{NUMBERS[1]}'")
    assert world.reroute().kept == {Keeps.UNFIT: 2}


@pytest.mark.parametrize(
    ("chosen", "gone"),
    [
        ({"country": "fr"}, [2]),
        ({"country": "GB"}, [0, 1, 3]),
        ({"customer": "Second Ltd"}, [3]),
        ({"carrier": "-"}, [1]),
        ({"carrier": "alpha", "country": "GB"}, [0, 3]),
    ],
)
def test_a_filter_chooses(chosen, gone, world):
    for number in (NUMBERS[0], NUMBERS[1], "33612345678"):
        world.add(number)
    world.add(NUMBERS[3], customer="Second Ltd")
    administration = Administration(world.database, world.keys, "olga", lambda: to_instant(world.now))
    administration.change_now(partial(add_customer, name="Second Ltd"))
    world.execute("UPDATE job SET customer_key = (SELECT key FROM customer) WHERE customer = 'Second Ltd'")
    world.execute(f"UPDATE message SET route = '-' WHERE number = '{NUMBERS[1]}'")
    before = world.routes_of()
    world.reroute("beta", **{"carrier": "", **chosen})
    assert [at for at, route in enumerate(world.routes_of()) if route != before[at]] == gone


def test_a_job_or_a_message_is_chosen_by_its_id(world):
    job = world.add(NUMBERS[0], NUMBERS[1]).public_id
    world.add(NUMBERS[2])
    name = world.report(job).messages[1].public_id
    assert world.reroute(carrier="", name=name).moved == 1
    assert world.routes_of() == ["alpha", "beta", "alpha"]
    done = world.reroute(carrier="", name=job)
    assert (done.moved, done.kept) == (1, {Keeps.ON_IT: 1})
    assert world.reroute(carrier="beta", to="alpha", name=job).before == {"beta": 2}


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"to": "delta", "carrier": "alpha"}, FaultCode.NO_CARRIER),
        ({"to": "beta", "carrier": "delta"}, FaultCode.NO_CARRIER),
        ({"to": "-", "carrier": "alpha"}, FaultCode.NO_CARRIER),
        ({"to": "beta>alpha", "carrier": "alpha"}, FaultCode.NO_SUCH_ROUTE),
        ({"to": "beta"}, FaultCode.NOTHING_CHOSEN),
        ({"to": "beta", "country": "XX"}, FaultCode.BAD_COUNTRY),
        ({"to": "beta", "customer": "Nobody"}, FaultCode.NO_CUSTOMER),
        ({"to": "beta", "name": "J.1"}, FaultCode.NOTHING_OF_THIS_ID),
    ],
)
def test_what_cannot_be_asked_is_refused_and_changes_nothing(wanted, code, world):
    world.add(NUMBERS[0])
    for ask in (world.rerouting.look, world.rerouting.carry_out):
        with pytest.raises(AdminFault) as raised:
            ask(Wanted(**wanted))
        assert raised.value.code is code
    assert world.routes_of() == ["alpha"]
    assert world.database.read_now(partial(read_audit, wanted=AuditSearch())) == []


def test_it_is_audited_before_the_first_message_and_stands_in_the_trace_of_each_until_that_is_deleted(world):
    job = world.add(NUMBERS[0], NUMBERS[1]).public_id
    world.reroute()
    (line,) = world.database.read_now(partial(read_audit, wanted=AuditSearch()))
    assert (line.who, line.action, line.target, line.detail) == (
        "olga",
        "queue.reroute",
        "queue",
        "to beta, from alpha: 2",
    )
    world.now += 60 * SECOND
    world.reroute("alpha", "beta", name=world.report(job).messages[0].public_id)

    def trace(tx):
        key = find_job(tx, job)
        assert key is not None
        return load_trace(tx, key).reroutes

    first, second = (message.public_id for message in world.report(job).messages)
    assert [(item.message_id, item.before, item.after, item.who) for item in world.database.read_now(trace)] == [
        (first, "alpha", "beta", "olga"),
        (second, "alpha", "beta", "olga"),
        (first, "beta", "alpha", "olga"),
    ]
    keys = [message.key for message in world.messages()]
    world.database.write_now(delete_all, keys)
    assert world.stored(MessageRerouteRow) == []


def delete_all(tx, items):
    for item in items:
        delete_messages(tx, item)
    return items


def test_what_is_taken_between_the_look_and_the_move_is_told_as_in_flight(world, monkeypatch):
    world.add(*NUMBERS[:4])
    monkeypatch.setattr("gateway.admin.rerouting.PORTION", 2)
    taken: list[str] = []

    def move_and_take(tx, *given):
        """Let the old carrier take what it can right after the first portion."""
        rerouting.move(tx, *given)
        take = Take(carrier="alpha", routes=("alpha",), most_parts=9, now=world.now, owner=world.owner)
        taken.extend(part.number.digits for parts in world.outbound.take(tx, [take]) for part in parts)

    monkeypatch.setattr("gateway.admin.rerouting.move", move_and_take)
    done = world.rerouting.carry_out(Wanted(to="beta", carrier="alpha"))
    assert (done.moved, done.kept, sorted(taken)) == (2, {Keeps.IN_FLIGHT: 2}, NUMBERS[2:4])
    assert world.routes_of() == ["beta", "beta", "alpha", "alpha"]
