"""What the table of benchmarks says of a ratio, and that both sides take turns."""

import pytest

from tests.benchmarks.figures import Effort, Figure, Sample, render
from tests.benchmarks.stores import Spent, most_mails


@pytest.mark.parametrize(
    ("ratio", "goal", "at_most", "verdict"),
    [
        (4.0, 4.0, False, "met"),
        (3.9, 4.0, False, "MISSED"),
        (1.2, 1.2, True, "met"),
        (1.21, 1.2, True, "MISSED"),
        (1.21, None, True, ""),
    ],
)
def test_a_goal_is_met_or_missed_on_its_own_side(ratio, goal, at_most, verdict):
    assert Figure(name="G1", what="", ratio=ratio, goal=goal, at_most=at_most).verdict == verdict


def test_sides_take_turns_and_the_median_of_each_counts():
    order = []

    def side(name, rates):
        def measure():
            order.append(name)
            return Sample(rate=rates.pop(0))

        return measure

    series = Effort(rounds=3).alternate({"a": side("a", [1, 9, 2]), "b": side("b", [5, 5, 5])})
    assert order == ["a", "b"] * 3
    assert (series["a"].rate, series["b"].rate) == (2, 5)


def test_no_further_turn_begins_after_the_time_but_each_side_has_two():
    series = Effort(rounds=9, seconds=0).alternate({"a": lambda: Sample(rate=1)})
    assert len(series["a"].samples) == 2


def test_what_could_not_be_measured_says_why_in_its_line():
    table = render([Figure(name="G3", what="mail to SMS", missing="curl is not installed")])
    assert table.splitlines()[1].endswith("not measured: curl is not installed")


@pytest.mark.parametrize(
    ("nodes", "cores", "most"),
    [(1, 8, 2000), (2, 8, 4000), (2, 2, 2500), (1, 1, 1250)],
    ids=["one node has one core", "two have two", "unless others need them too", "one core for all"],
)
def test_two_nodes_can_do_no_more_than_their_cores_and_those_that_all_share(nodes, cores, most):
    assert most_mails(Spent(nodes=500, server=200, load=100), nodes, cores) == most
