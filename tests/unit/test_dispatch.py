"""Due parts to carriers and their answers back: never more than there is room for, committed before the bytes, never lost."""

import resource

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from addressbook.numbers import NumberKind, OwnNumber, OwnNumbers
from gateway.dispatch import Dispatch
from gateway.handed import HandedMessages
from gateway.routing import CarrierRoute, CarrierRoutes
from gateway.worker import Worker
from sms.message import Priority
from sms.outcome import Done, Failed, Retry, Unknown
from sms.route import LOST_ROUTE
from store.answers import Rules
from store.recovery import HandedToLinks
from tests.kit.clock import Clock
from tests.kit.fakes import FakeCarrier, until
from tests.kit.store_harness import BUSY, LOST, WRONG, StoreHarness

NUMBERS = [f"4477009001{n:02}" for n in range(20)]


class World(StoreHarness):
    """The harness, and the numbers that are ours."""

    numbers = OwnNumbers()


@pytest.fixture
def world(database_url):
    world = World(database_url, Rules(resends={"beta": 2}))
    yield world
    world.database.close()


@pytest.fixture
async def run(world, tmp_path):
    """Start a dispatch over these carriers, the first the best; it is stopped after the test."""
    running = []
    unlinked = HandedMessages(tmp_path / "unlinked", world.owner)

    def start(*carriers, recovered: bool = False, handed: HandedMessages | None = None) -> Dispatch:
        order = [CarrierRoute(carrier=carrier.name, priority=place) for place, carrier in enumerate(carriers)]
        dispatch = Dispatch(
            database=world.database,
            outbound=world.outbound,
            progress=world.progress,
            carriers=carriers,
            routes=CarrierRoutes(order),
            clock=Clock(),
            owner=world.owner,
            notices_written=lambda: world.told.append(1),
            handed=handed or unlinked,
            numbers=lambda: world.numbers,
            monotonic=lambda: world.seconds,
        )
        world.told, world.seconds = [], 0.0
        if not recovered:
            dispatch.start()
        running.append(dispatch)
        return dispatch

    yield start
    for dispatch in running:
        await dispatch.stop_feeding()
        await dispatch.stop()


def states(world) -> list[str]:
    return [message.state for message in world.messages()]


async def test_no_more_parts_go_out_than_the_window_has_free(world, run):
    world.add(*NUMBERS)
    carrier = FakeCarrier(window=7)
    dispatch = run(carrier)
    given = await carrier.has(7)
    await until(lambda: states(world).count("submitting") == 7)
    assert len(given) == 7
    carrier.window = 3
    dispatch.window_changed("alpha")
    await carrier.has(10)
    assert states(world) == ["submitting"] * 10 + ["queued"] * 10


async def test_a_part_is_committed_as_submitting_before_a_byte_of_it_goes_out(world, run):
    seen = []
    carrier = FakeCarrier()
    carrier.before_submit = lambda parts: seen.append(len(parts) == states(world).count("submitting"))
    world.add(*NUMBERS[:5])
    run(carrier)
    await carrier.has(5)
    assert seen == [True]


async def test_express_goes_first(world, run):
    world.add(*NUMBERS[:3])
    world.add(NUMBERS[9], priority=Priority.EXPRESS)
    carrier = FakeCarrier(window=2)
    run(carrier)
    given = await carrier.has(2)
    assert [part.number.digits for part in given] == [NUMBERS[9], NUMBERS[0]]


@pytest.mark.parametrize(
    ("outcome", "state", "settled"),
    [
        (Done(reference="c1"), "submitted", True),
        (Failed(problem=WRONG), "failed", True),
        (Unknown(problem=LOST), "unknown", True),
        (Retry(problem=BUSY), "queued", False),
    ],
)
async def test_an_answer_becomes_the_messages_state_and_a_settled_job_is_told(outcome, state, settled, world, run):
    world.add(NUMBERS[0])
    carrier = FakeCarrier()
    dispatch = run(carrier)
    (part,) = await carrier.has(1)
    dispatch.answered("alpha", part.part_key, outcome)
    await until(lambda: states(world) == [state])
    await until(lambda: bool(world.told) is settled)


async def test_an_answer_that_the_database_did_not_take_is_kept_and_settled_later(world, run, monkeypatch):
    world.add(NUMBERS[0])
    carrier = FakeCarrier()
    settle = world.progress.settle
    failures: list = []

    def fail_once(tx, answers):
        if not failures:
            failures.append(answers)
            raise OSError("the disk is full")
        return settle(tx, answers)

    monkeypatch.setattr(world.progress, "settle", fail_once)
    dispatch = run(carrier)
    (part,) = await carrier.has(1)
    dispatch.answered("alpha", part.part_key, Done(reference="c1"))
    await until(lambda: bool(failures))
    await dispatch.stop()
    assert states(world) == ["submitted"]


async def test_the_second_carrier_takes_over_only_when_the_first_has_had_no_room_for_long(world, run):
    alpha, beta = FakeCarrier("alpha", window=2), FakeCarrier("beta")
    job = world.new_job(*NUMBERS[:4])
    job = replace(job, messages=tuple(replace(message, route="alpha>beta") for message in job.messages))
    world.database.write_now(world.outbound.add_jobs, job)
    dispatch = run(alpha, beta)
    await alpha.has(2)
    dispatch.kick()
    # One more round of the database's thread: whatever beta would have taken, it has by now.
    await world.database.write(lambda _tx, items: items, None)
    assert beta.given == []
    world.seconds += 3600
    dispatch.kick()
    assert {part.number.digits for part in await beta.has(2)} == {*NUMBERS[2:4]}
    assert len(alpha.given) == 2


async def test_what_is_queued_wakes_the_carriers_of_its_routes_only(run, monkeypatch):
    kicked = []
    monkeypatch.setattr(Worker, "kick", lambda worker: kicked.append(worker.name))
    dispatch = run(*(FakeCarrier(name) for name in ("alpha", "beta", "gamma")))
    dispatch.queued({"beta>gamma", "gamma", "", LOST_ROUTE})
    assert sorted(kicked) == ["feed-beta", "feed-gamma"]


@pytest.mark.parametrize(("carrier", "state"), [("alpha", "unknown"), ("beta", "queued")])
async def test_what_a_dead_process_was_submitting_ends_by_the_carriers_rule(carrier, state, world, run):
    world.owner = "the dead one"
    world.add(NUMBERS[0])
    assert len(world.take(carrier=carrier)) == 1
    world.owner = "me"
    dispatch = run(FakeCarrier("alpha"), FakeCarrier("beta"), recovered=True)
    with capture_logs() as log:
        assert await dispatch.recover() == 1
    assert [entry["by"] for entry in log if entry["event"] == "job_settled"] == ["recovery"] * (state == "unknown")
    assert states(world) == [state]
    assert bool(world.told) is (state == "unknown")
    assert await dispatch.recover() == 0


async def test_stopping_takes_nothing_new_and_still_settles_answers(world, run):
    world.add(*NUMBERS[:2])
    carrier = FakeCarrier(window=1)
    dispatch = run(carrier)
    (part,) = await carrier.has(1)
    await dispatch.stop_feeding()
    carrier.window = 5
    dispatch.answered("alpha", part.part_key, Done(reference="c1"))
    await dispatch.stop()
    assert states(world) == ["submitted", "queued"]
    assert len(carrier.given) == 1


async def test_an_answer_that_comes_late_is_settled_like_one_in_time(world, run):
    world.add(NUMBERS[0])
    carrier = FakeCarrier()
    dispatch = run(carrier)
    (part,) = await carrier.has(1)
    dispatch.answered("alpha", part.part_key, Unknown(problem=LOST))
    await until(lambda: states(world) == ["unknown"])
    dispatch.answered_late("alpha", part.part_key, Done(reference="r1"))
    await until(lambda: states(world) == ["submitted"])


async def test_what_this_process_took_and_nothing_holds_is_sent_and_what_is_held_is_left_alone(world, run):
    world.add(*NUMBERS[:2], parts=2)
    (lost,) = world.take(1)  # in the name of this process, and given to no carrier
    carrier = FakeCarrier()
    dispatch = run(carrier)
    given = await carrier.has(4)
    await dispatch.give_back()
    assert sorted(part.part_key for part in given) == [part.key for part in world.parts()]
    assert states(world) == ["submitting"] * 2
    dispatch.answered("alpha", lost.part_key, Failed(problem=WRONG))
    await until(lambda: "failed" in [part.state for part in world.parts()])
    await dispatch.give_back()
    assert states(world) == ["submitting"] * 2
    assert len(carrier.given) == 4


async def test_what_a_link_breaks_on_is_unknown_and_what_comes_after_it_goes_out(world, run):
    carrier = FakeCarrier(window=1)

    def breaks_once(_):
        carrier.before_submit = lambda _: None
        raise RuntimeError("a link that breaks")

    carrier.before_submit = breaks_once
    world.add(*NUMBERS[:2])
    with capture_logs() as logs:
        run(carrier)
        (part,) = await carrier.has(1)
        await until(lambda: sorted(states(world)) == ["submitting", "unknown"])
    assert [entry["carrier"] for entry in logs if entry["event"] == "submit_broke"] == ["alpha"]
    assert world.messages(state="submitting")[0].number == part.number.digits


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (("this", [0]), ["unknown", "queued", "queued"]),
        (("this", []), ["queued"] * 3),
        (("an earlier one", [0]), ["unknown"] * 3),
    ],
)
async def test_after_a_kill_only_what_a_link_was_given_is_unknown(left, expected, world, run, tmp_path):
    boot, noted = left
    (tmp_path / "boot").write_text(boot)
    killed = HandedMessages(tmp_path / "handed", "the dead one", tmp_path / "boot")
    killed.start()
    killed.begin()
    world.owner = "the dead one"
    world.add(*NUMBERS[:3])
    keys = [part.message_key for part in world.take()]
    killed.note([keys[place] for place in noted], keys)
    await killed.stop()
    (tmp_path / "boot").write_text("this")
    world.owner = "me"
    handed = HandedMessages(tmp_path / "handed", "me", tmp_path / "boot")
    handed.start()
    dispatch = run(FakeCarrier(window=0), recovered=True, handed=handed)
    assert await dispatch.recover() == 3
    assert states(world) == expected
    await handed.stop()


async def test_what_a_process_that_still_runs_gave_its_link_is_not_judged_by_its_file(world, run, tmp_path):
    running = HandedMessages(tmp_path / "handed", "the running one")
    running.start()
    running.begin()
    world.owner = "the running one"
    world.add(*NUMBERS[:3])
    keys = [part.message_key for part in world.take()]
    world.owner = "me"
    handed = HandedMessages(tmp_path / "handed", "me")
    with capture_logs() as logs:
        handed.start()
    assert [entry["event"] for entry in logs] == ["handed_not_noted"]
    dispatch = run(FakeCarrier(), recovered=True, handed=handed)
    await dispatch.recover()
    dispatch.start()
    running.note(keys, keys)
    assert running.read() == HandedToLinks(owner="the running one", messages=frozenset(keys))
    assert states(world) == ["unknown"] * 3
    await running.stop()


async def test_a_carrier_is_given_nothing_that_was_not_noted_before(world, run, tmp_path):
    handed = HandedMessages(tmp_path / "handed", "me")
    handed.start()
    noted = []
    carrier = FakeCarrier()
    carrier.before_submit = lambda parts: noted.append((handed.read(), {part.message_key for part in parts}))
    world.add(*NUMBERS[:2], parts=2)
    run(carrier, handed=handed)
    await carrier.has(4)
    for found, given in noted:
        assert found is not None
        assert (found.owner, given <= found.messages) == ("me", True)
    await handed.stop()


async def test_a_long_file_begins_anew_with_what_is_held_and_one_that_cannot_be_written_says_nothing(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("gateway.handed._LONGEST", 100)
    handed = HandedMessages(tmp_path / "handed", "me")
    handed.start()
    handed.begin()
    for key in range(1, 21):
        handed.note([key], [key - 1, key])
    found = handed.read()
    assert found is not None
    assert 20 in found.messages
    assert len(found.messages) < 12
    with (tmp_path / "handed").open("ab") as file:
        file.write(b"abc")  # cut off in the middle of a key
    assert handed.read() == found
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "handed").stat().st_size, limits[1]))
    try:
        with capture_logs():  # the log has no room either
            handed.note([21], [21])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert handed.read() is None
    await handed.stop()


async def test_a_message_from_a_number_of_ours_gets_a_new_route_of_its_carriers_only(world, run):
    world.numbers = OwnNumbers(
        [
            OwnNumber(
                key=1, digits="447700900900", kind=NumberKind.LONG, country="GB", customer_key=1, carriers=("beta",)
            )
        ]
    )
    own = world.numbers.named("447700900900")[0].sender_id
    world.add(NUMBERS[0], sender=own)
    world.add(NUMBERS[1])
    world.execute("UPDATE message SET route = 'gone'")
    dispatch = run(FakeCarrier("alpha"), FakeCarrier("beta"), recovered=True)
    assert await dispatch.reroute() == 2
    assert [message.route for message in world.messages()] == ["beta", "alpha>beta"]
    world.numbers = OwnNumbers(
        [OwnNumber(key=1, digits="447700900900", kind=NumberKind.LONG, country="GB", customer_key=9)]
    )
    world.execute("UPDATE message SET route = 'gone'")
    await dispatch.reroute()
    assert [message.route for message in world.messages()] == ["-", "alpha>beta"]
