"""Which carriers may take whose number, and in which order."""

import pytest

from gateway.routing import CarrierRoute, CarrierRoutes
from sms.number import MobileNumber
from sms.outcome import Refusal, Refused

ROUTES = CarrierRoutes(
    (
        CarrierRoute(carrier="world", priority=20, cost="far"),
        CarrierRoute(carrier="spare", priority=30),
        CarrierRoute(carrier="britain", prefixes=("44",), cost="near"),
        CarrierRoute(carrier="mobile", prefixes=("4477", "4478"), priority=5),
        CarrierRoute(carrier="own", prefixes=("44",), customers=("acme",), priority=99),
    )
)


@pytest.mark.parametrize(
    ("digits", "customer", "route"),
    [
        ("12025550100", "", "world>spare"),
        ("442079460000", "", "britain"),
        ("447700900101", "", "mobile"),
        ("447800900101", "", "mobile"),
        ("442079460000", "acme", "own>britain"),
        ("442079460000", "other", "britain"),
        ("12025550100", "acme", "world>spare"),
    ],
)
def test_the_longest_prefix_wins_and_then_the_lowest_priority(digits, customer, route):
    routed = ROUTES.explain(MobileNumber(digits=digits), customer)
    assert not isinstance(routed, Refused)
    assert routed.route == route


def test_a_number_that_no_carrier_serves_is_refused():
    refused = CarrierRoutes((CarrierRoute(carrier="britain", prefixes=("44",)),)).explain(
        MobileNumber(digits="12025550100")
    )
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.NO_ROUTE
    assert "+120" in refused.detail
    assert "12025550100" not in refused.detail


def test_a_route_has_wide_references_where_one_of_its_carriers_wants_them():
    routes = CarrierRoutes(
        (
            CarrierRoute(carrier="narrow", priority=1),
            CarrierRoute(carrier="wide", priority=2, wide_reference=True),
            CarrierRoute(carrier="britain", prefixes=("44",)),
        )
    )
    assert [route for route in sorted(routes.known) if routes.wants_wide_reference(route)] == ["narrow>wide", "wide"]
    assert not any(ROUTES.wants_wide_reference(route) for route in ROUTES.known)


def test_a_route_is_explained_with_its_prefix_and_costs():
    routed = ROUTES.explain(MobileNumber(digits="442079460000"), "acme")
    assert not isinstance(routed, Refused)
    assert (routed.carriers, routed.prefix, routed.own, routed.costs) == (("own", "britain"), "44", True, ("", "near"))


def test_a_carrier_serves_the_routes_it_is_on_those_first_where_it_is_best():
    assert ROUTES.routes_of("spare") == ("spare", "world>spare")
    assert ROUTES.routes_of("britain") == ("britain", "own>britain")
    assert set().union(*map(ROUTES.routes_of, ("world", "spare", "britain", "mobile", "own"))) == ROUTES.known


def test_a_route_among_some_carriers_has_those_alone_and_a_shorter_prefix_where_the_longest_has_none():
    def carriers(digits, *among):
        routed = ROUTES.explain(MobileNumber(digits=digits), "acme", among)
        return routed.refusal if isinstance(routed, Refused) else (routed.route, routed.costs)

    assert carriers("442079460000", "britain") == ("britain", ("near",))
    assert carriers("447700900101", "britain", "own") == ("own>britain", ("", "near"))
    assert carriers("447700900101", "world") == ("world", ("far",))
    assert carriers("12025550100", "britain") == Refusal.NO_ROUTE
    refused = ROUTES.explain(MobileNumber(digits="12025550100"), "", ("britain", "gone"))
    assert isinstance(refused, Refused)
    assert "britain, gone" in refused.detail


def test_routes_among_some_carriers_are_known_from_then_on():
    routes = CarrierRoutes([CarrierRoute(carrier=name, priority=index) for index, name in enumerate("abc")])
    assert routes.routes_of("a") == ("a", "a>b>c")
    routes.narrow([("b", "a")])
    routes.narrow([("a", "c"), ("x",)])
    assert routes.routes_of("a") == ("a", "a>b", "a>b>c", "a>c")
    assert routes.known == {"a", "b", "c", "a>b", "a>c", "a>b>c", "b>c"}
