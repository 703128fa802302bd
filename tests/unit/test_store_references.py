"""The parts of long texts to one number have references that count up, whoever accepted them (3GPP TS 23.040 §9.2.3.24.1)."""

import pytest

from store.answers import Rules
from store.tables import ConcatenationRow
from tests.kit.store_harness import StoreHarness

NUMBER, OTHER = "447700900101", "447700900102"
DAY = 24 * 3600 * 1_000_000


@pytest.fixture(name="world")
def _world(database_url):
    world = StoreHarness(database_url, Rules())
    yield world
    world.database.close()


def references(world, number):
    """Return the reference of each long text to a number in the order of acceptance, as a narrow header has it."""
    return [message.reference & 0xFF for message in world.messages() if message.number == number]


def test_references_to_one_number_count_up_modulo_256(world):
    for _ in range(300):
        world.add(NUMBER, parts=2)
    first, *rest = references(world, NUMBER)
    assert rest == [(first + step) % 256 for step in range(1, 300)]


def test_texts_of_one_batch_and_of_one_job_have_references_of_their_own(world):
    jobs = [world.new_job(NUMBER, OTHER, NUMBER, parts=3), world.new_job(NUMBER, parts=2)]
    world.database.write_now(lambda tx, _: world.outbound.add_jobs(tx, jobs)[:1], None)
    mine = references(world, NUMBER)
    assert mine == [(mine[0] + step) % 256 for step in range(3)]
    assert len(references(world, OTHER)) == 1


def test_a_counter_is_kept_for_a_day_and_forgotten_after_two(world):
    world.add(NUMBER, parts=2)
    world.add(NUMBER, parts=2)
    world.now += DAY
    world.database.write_now(world.outbound.forget_seen, world.now)
    world.add(NUMBER, parts=2)
    found = references(world, NUMBER)
    assert found == [(found[0] + step) % 256 for step in range(3)]
    assert world.database.write_now(world.outbound.forget_seen, world.now + 2 * DAY) == 1


def test_a_text_of_one_part_counts_nothing(world):
    world.add(NUMBER)
    assert world.stored(ConcatenationRow) == []
