"""The month that reports are measured with, small: what it holds, what is asked of it, and that all of it is measured."""

from datetime import UTC, datetime
from functools import partial

import pytest

from reports.archive import Month, summarise_month
from reports.counting import Direction
from store.sums_tables import TrafficSumRow
from tests.benchmarks.month import fill_month
from tests.benchmarks.reports_run import MOST, WORKS, ask
from tests.kit.reports_harness import ReportsHarness

MONTH = Month(year=2026, month=10)


@pytest.fixture
def world(database_url):
    made = ReportsHarness(database_url)
    made.furnish()
    made.go_to(datetime(2026, 11, 1, 12, tzinfo=UTC))
    yield made
    made.database.close()


@pytest.fixture
def filled(world):
    return fill_month(world.database, MONTH, 6_200, world.customer, (900, 901))


async def test_the_sums_of_the_month_are_those_that_the_product_makes_of_its_details(world, filled):
    await world.sum_all()
    before = world.stored(TrafficSumRow)
    (total,) = [
        found.total(Direction.SENT)
        for found in [
            world.database.read_now(partial(summarise_month, customer_key=world.customer, customer="", month=MONTH))
        ]
    ]
    going = world.rows("SELECT count(*) FROM detail WHERE customer_key = ? AND state = ''", world.customer)[0][0]
    assert total.messages + going == filled.messages
    world.execute("DELETE FROM traffic_sum WHERE direction = 'sent'")
    world.execute("UPDATE job_sum SET changes = 1, counted = ''")
    await world.sum_all()
    assert sorted(map(repr, world.stored(TrafficSumRow))) == sorted(map(repr, before))


def test_each_question_finds_what_it_says_that_fits(world, filled):
    for answer in ask(world.database, filled):
        least, most = {"many": (2, MOST + 1), "one": (1, 1), "none": (0, 0)}[answer.fits]
        assert least <= answer.found <= most, answer


def test_tables_sums_and_deletion_are_measured_by_how_much_they_did(world, filled):
    done = {name: work(world.database, filled, 3) for name, work in WORKS.items()}
    assert done["csv"] > 500
    assert done["xlsx"] > 1_000
    assert done["archive"] > 100
    assert done["sums"] > 20
    assert done["retention"] >= 50
