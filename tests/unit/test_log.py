"""How log lines look: held equal to structlog's own renderer and stamps, which cost more."""

import re
from datetime import UTC, datetime
from enum import StrEnum

import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from process.log import TimeStamper, render_logfmt


class _Colour(StrEnum):
    RED = "red"


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=20),
    st.text(' ="\\\nab', max_size=8),
    st.lists(st.text(max_size=3), max_size=2),
    st.just(_Colour.RED),
)


@given(event=st.dictionaries(st.sampled_from(["event", "level", "job", "timestamp", "cut", "peer"]), _VALUES))
@example(event={"cut": 0, "event": "job_accepted", "peer": True})
def test_a_line_is_what_structlog_makes_of_it(event):
    plain = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)
    assert render_logfmt(None, "info", dict(event)) == plain(None, "info", dict(event))


def test_a_stamp_is_the_time_in_utc_to_the_microsecond():
    stamp = TimeStamper()
    before = datetime.now(UTC)
    told = [stamp(None, "info", {"event": "x"})["timestamp"] for _ in range(3)]
    after = datetime.now(UTC)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text) for text in told)
    times = [datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) for text in told]
    assert [before, *times, after] == sorted([before, *times, after])


def test_a_stamp_of_another_second_is_formatted_anew(monkeypatch):
    stamp = TimeStamper()
    told = []
    for nanoseconds in (1_700_000_000_999_999_999, 1_700_000_001_000_000_000, 1_700_000_001_000_001_500):
        monkeypatch.setattr("process.log.time.time_ns", lambda nanoseconds=nanoseconds: nanoseconds)
        told.append(stamp(None, "info", {})["timestamp"])
    assert told == ["2023-11-14T22:13:20.999999Z", "2023-11-14T22:13:21.000000Z", "2023-11-14T22:13:21.000001Z"]
