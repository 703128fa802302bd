"""Who lives: leases of processes and carriers, and that a process declared dead can do no harm."""

from datetime import timedelta

import pytest

from sms.lifecycle import MessageState
from sms.outbox import OutboxEvent
from sms.outcome import Done, Failed
from store.answers import Rules
from store.leases import CarrierLeaseRequest, DirectoryLeaseRequest, Held, LeaseLostError, Leases
from store.recovery import HandedToLinks, Recovery
from tests.kit.store_harness import RESTARTED, SECOND, WRONG, StoreHarness

RULES = Rules(resends={"alpha": 2})


@pytest.fixture(name="first")
def _first(database_url):
    world = StoreHarness(database_url, RULES, owner="first", node=1)
    yield world
    world.database.close()


@pytest.fixture(name="cluster")
def _cluster(postgresql_url):
    worlds = [StoreHarness(postgresql_url, RULES, owner=f"node-{n}", node=n) for n in (1, 2)]
    for world in worlds:
        assert world.live()
    yield worlds
    for world in worlds:
        world.database.close()


def renew(world):
    return world.database.write_now(world.leases.renew, world.owner)


def bind(world, carrier="alpha"):
    return world.database.write_now(
        world.leases.acquire_carrier, CarrierLeaseRequest(owner=world.owner, carrier=carrier)
    )


def test_a_process_lives_and_holds_what_it_acquired_until_it_gives_it_up(first):
    assert renew(first) == Held(alive=False)
    assert first.live()
    assert bind(first, "alpha")
    assert bind(first, "beta")
    assert renew(first) == Held(alive=True, carriers=frozenset({"alpha", "beta"}))
    first.database.write_now(first.leases.release, "first")
    assert renew(first) == Held(alive=False)
    assert first.live("first-again")


def test_the_next_process_of_a_sqlite_file_need_not_wait_for_the_lease_of_one_that_was_killed(sqlite_url):
    worlds = [StoreHarness(sqlite_url, RULES, owner=name) for name in ("killed", "next")]
    assert [world.live() for world in worlds] == [True, True]
    assert bind(worlds[1])
    for world in worlds:
        world.database.close()


@pytest.mark.postgresql
class TestCluster:
    def test_one_process_renews_the_certificate_of_all_and_another_one_once_it_is_gone(self, cluster):
        first, second = cluster
        assert first.database.write_now(first.leases.acquire_renewal, first.owner)
        assert not second.database.write_now(second.leases.acquire_renewal, second.owner)
        assert first.database.write_now(first.leases.acquire_renewal, first.owner)
        first.database.write_now(first.leases.release, first.owner)
        assert second.database.write_now(second.leases.acquire_renewal, second.owner)

    def test_a_node_number_belongs_to_one_living_process(self, cluster, postgresql_url):
        first, _ = cluster
        twin = StoreHarness(postgresql_url, RULES, owner="twin", node=1)
        assert not twin.live()
        first.seem_dead()
        assert twin.live()
        assert renew(first) == Held(alive=False)
        twin.database.close()

    def test_a_lease_that_nobody_missed_is_renewed_however_late(self, cluster):
        first, _ = cluster
        first.seem_dead()
        assert renew(first).alive

    def test_a_carrier_has_one_holder_until_that_is_overdue_or_dead(self, cluster):
        first, second = cluster
        assert bind(first)
        assert not bind(second)
        first.seem_dead()
        second.recover(second.owner)
        assert bind(second)
        assert renew(second).carriers == {"alpha"}
        with pytest.raises(LeaseLostError):
            bind(first)

    def test_what_a_living_node_is_submitting_is_left_to_it(self, cluster):
        first, second = cluster
        first.add("447700900101")
        first.take()
        assert second.recover(second.owner).parts == 0
        assert second.take() == []

    def test_a_dead_nodes_parts_are_recovered_once_and_its_late_word_changes_nothing(self, cluster):
        first, second = cluster
        job = first.add("447700900101")
        (part,) = first.take()
        first.seem_dead()
        assert second.recover(second.owner).parts == 1
        assert second.recover(second.owner).parts == 0
        second.now += 10 * SECOND
        assert [again.part_key for again in second.take()] == [part.part_key]
        first.settle((part.part_key, Failed(problem=WRONG)), owner=first.owner)
        assert second.report(job.public_id).messages[0].state is MessageState.SUBMITTING
        second.settle((part.part_key, Done(reference="r2")), owner=second.owner)
        assert second.report(job.public_id).messages[0].state is MessageState.SUBMITTED

    def test_a_node_that_knows_its_last_process_ended_lives_at_once_and_judges_what_that_left(self, cluster):
        first, second = cluster
        first.add("447700900101", "447700900102")
        (handed, _) = (part.message_key for part in first.take(carrier="beta"))
        assert bind(first)
        assert not first.live("node-1-again")
        assert first.live("node-1-again", ended="node-1")
        assert bind(first)
        assert second.recover(second.owner).parts == 0
        earlier = HandedToLinks(owner="node-1", messages=frozenset({handed}))
        request = Recovery(owner=first.owner, now=first.now, problem=RESTARTED, handed=earlier)
        assert first.database.write_now(first.progress.recover, request).parts == 2
        assert [message.state for message in first.messages()] == ["unknown", "queued"]

    def test_what_a_node_left_twice_is_settled_by_another_when_it_is_gone_for_good(self, cluster):
        first, second = cluster
        first.add("447700900101")
        first.take()
        assert first.live("node-1-again", ended="node-1")
        assert second.recover(second.owner).parts == 0
        first.seem_dead()
        assert second.recover(second.owner).parts == 1

    def test_a_node_declared_dead_takes_nothing_until_it_lives_under_a_new_name(self, cluster):
        first, second = cluster
        second.add("447700900101")
        first.seem_dead()
        second.recover(second.owner)
        with pytest.raises(LeaseLostError, match="node-1"):
            first.take()
        with pytest.raises(LeaseLostError):
            first.notices()
        assert not first.live()
        assert first.live("node-1-again")
        assert len(first.take()) == 1

    def test_a_node_whose_renewal_is_late_does_not_declare_itself_dead(self, cluster):
        first, second = cluster
        first.add("447700900101")
        first.seem_dead()
        first.recover(first.owner)
        first.database.write_now(first.outbox.recover, first.owner)
        assert first.database.write_now(first.leases.renew, first.owner).alive
        assert len(first.take()) == 1
        first.seem_dead()
        second.recover(second.owner)
        assert not first.database.write_now(first.leases.renew, first.owner).alive

    def test_a_dead_nodes_notices_are_sent_by_another_and_its_late_word_does_not_count(self, cluster):
        first, second = cluster
        first.add("447700900101")
        (part,) = first.take()
        first.settle((part.part_key, Done(reference="r1")))
        (notice,) = first.notices()
        assert second.database.write_now(second.outbox.recover, second.owner) == 0
        first.seem_dead()
        assert second.database.write_now(second.outbox.recover, second.owner) == 1
        assert [again.attempt for again in second.notices()] == [2]
        first.end_notice(notice, OutboxEvent.FAIL)
        assert [notice.state for notice in second.outbox_rows()] == ["sending"]

    def test_two_nodes_share_a_queue_and_nothing_is_taken_twice(self, cluster):
        first, second = cluster
        first.add(*(f"4477009{n:05}" for n in range(50)))
        keys = [part.part_key for _ in range(5) for world in cluster for part in world.take(7)]
        assert len(set(keys)) == len(keys) == 50
        for world in cluster:
            world.settle(*((key, Done(reference=str(key))) for key in keys))
        assert len(second.notices()) == 1
        assert first.notices() == []


def test_a_directory_is_read_by_one_process_until_it_gives_the_lease_back_or_its_time_is_over(first):
    def ask(owner, life=15):
        leases = Leases(timedelta(seconds=life))
        return first.database.write_now(leases.acquire_directory, DirectoryLeaseRequest(owner=owner, directory_key=7))

    assert ask("one")
    assert not ask("two")
    assert first.live("another-start")
    assert not ask("two"), "the start of a gateway leaves the lease of a directory alone"
    assert ask("one", life=0), "who has it renews it"
    assert ask("two")
    first.database.write_now(first.leases.release, "two")
    assert ask("one")
