"""What each message waits for is said: the first thing that keeps it, of all that could."""

from datetime import UTC, datetime, time, timedelta

import pytest

from gateway.admin.waiting import WaitsFor, Ways, decide_why
from sms.route import LOST_ROUTE
from sms.schedule import Hours
from store.carrier_links import CarrierLink
from store.queue_views import WaitingMessage

NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=5)


def message(**changes):
    values = {
        "job_id": "J.1",
        "message_id": "S.1",
        "customer": "Example Ltd",
        "number": "447700900101",
        "state": "queued",
        "held": False,
        "express": False,
        "route": "alpha>beta",
        "attempts": 0,
        "reason": "",
        "problem": "",
        "cause": "",
        "blackouts": (),
        "due_at": NOW - timedelta(minutes=1),
        "expires_at": LATER,
        **changes,
    }
    return WaitingMessage(**values)


def link(carrier, *, up, number="1"):
    return CarrierLink(carrier=carrier, link=number, host="a:2775", is_up=up, trouble="refused", since_at=NOW)


DOWN = [link("alpha", up=False), link("beta", up=False)]
CLOSED = {"alpha": Hours(since=time(8), until=time(20), zone="UTC")}
BLACKOUT = ((NOW - timedelta(hours=1), LATER),)


@pytest.mark.parametrize(
    ("changes", "ways", "code", "facts"),
    [
        ({"state": "submitted"}, {}, WaitsFor.CARRIER, {}),
        ({"held": True}, {}, WaitsFor.RELEASE, {"until": ""}),
        ({"held": True, "due_at": LATER}, {}, WaitsFor.RELEASE, {"until": "2026-11-30 08:00:00"}),
        ({"blackouts": BLACKOUT}, {}, WaitsFor.BLACKOUT, {"until": "2026-11-30 08:00:00"}),
        ({"blackouts": BLACKOUT, "due_at": LATER}, {}, WaitsFor.BLACKOUT, {"until": "2026-11-30 08:00:00"}),
        ({"due_at": LATER}, {"links": DOWN}, WaitsFor.SCHEDULE, {"until": "2026-11-30 08:00:00"}),
        (
            {"due_at": LATER, "attempts": 2, "cause": "ESME_RTHROTTLED (0x58)"},
            {},
            WaitsFor.RETRY,
            {"until": "2026-11-30 08:00:00", "after": "ESME_RTHROTTLED (0x58)"},
        ),
        (
            {"due_at": LATER, "attempts": 2, "reason": "link-down"},
            {},
            WaitsFor.RETRY,
            {"until": "2026-11-30 08:00:00", "after": "link-down"},
        ),
        ({}, {"serving": False, "links": DOWN}, WaitsFor.GATEWAY, {}),
        ({"route": LOST_ROUTE}, {}, WaitsFor.ROUTE, {}),
        (
            {},
            {"links": DOWN},
            WaitsFor.LINK,
            {"carrier": "alpha", "since": "2026-11-30 03:00:00", "trouble": "refused"},
        ),
        (
            {},
            {"links": DOWN, "hours": CLOSED},
            WaitsFor.HOURS,
            {"carrier": "alpha", "opens": "08:00 UTC"},
        ),
        ({}, {"links": [DOWN[0], link("beta", up=True)]}, WaitsFor.TURN, {"since": "2026-11-30 02:59:00"}),
        (
            {"route": "alpha"},
            {"links": [DOWN[0], link("alpha", up=True, number="2")]},
            WaitsFor.TURN,
            {"since": "2026-11-30 02:59:00"},
        ),
    ],
)
def test_what_a_message_waits_for(changes, ways, code, facts):
    assert decide_why(message(**changes), Ways(**{"serving": True, **ways}), NOW) == (code, facts)
