"""How log lines look: held equal to structlog's own renderer and stamps, which cost more."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import pytest
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
    expected = "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode()
        for one in str(plain(None, "info", dict(event)))
    )
    assert render_logfmt(None, "info", dict(event)) == expected


UNCAUGHT = """
import asyncio, logging, sys, threading, warnings
from config.model import LogFormat, LogOptions
from process.log import configure_log
configure_log(LogOptions(format=LogFormat(sys.argv[1])))
def fail():
    raise ValueError("x\\nlevel=warning event=forged \\r\\x1b[31m\\u202e y")
async def main():
    asyncio.get_running_loop().call_soon(fail)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
asyncio.run(main())
thread = threading.Thread(target=fail, name="worker")
thread.start()
thread.join()
warnings.warn("one\\ntwo")
logging.getLogger("library").error("a\\nb")
logging.getLogger("library").info("not told")
"""


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_what_libraries_log_and_nobody_catches_is_one_line_each_that_nothing_in_it_can_forge(log_format):
    arguments = [sys.executable, "-W", "default", "-c", UNCAUGHT, log_format]
    done = subprocess.run(arguments, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    lines = done.stderr.split("\n")[:-1]
    assert len(lines) == 4
    events = ["library", "thread_failed", "library", "library"]
    for line, event in zip(lines, events, strict=True):
        assert line.isprintable()
        assert (json.loads(line)["event"] == event) if log_format == "json" else f"event={event} " in line
    assert "ValueError" in lines[0]
    assert "worker" in lines[1]


UNREAD = """
import sys
import structlog
from config.model import LogFormat, LogOptions
from process.log import configure_log
configure_log(LogOptions(format=LogFormat(sys.argv[1])))
sys.stdin.readline()
for number in range(5000):
    structlog.get_logger().error("unread", number=number, text="x" * 100)
print("went on", flush=True)
sys.stdin.readline()
structlog.get_logger().error("last")
"""


def unread(log_format: str) -> subprocess.Popen[str]:
    """Start a program that logs a thousand times what a pipe holds, once it is told to, and then a last line."""
    pipe = subprocess.PIPE
    arguments = [sys.executable, "-c", UNREAD, log_format]
    return subprocess.Popen(
        arguments, cwd=Path(__file__).parents[2], stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1
    )


def test_a_log_whose_reader_is_gone_ends_nothing_that_writes_it():
    with unread("console") as program:
        assert program.stderr is not None
        program.stderr.close()
        said, _ = program.communicate("\n\n")
    assert (program.returncode, said) == (0, "went on\n")


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_log_whose_reader_has_stopped_holds_nothing_up_and_says_how_many_lines_are_missing(log_format):
    with unread(log_format) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdin.write("\n")
        assert program.stdout.readline() == "went on\n"
        there = [program.stderr.readline() for _ in range(100)]
        program.stdin.write("\n")
        there += program.stderr.readlines()
    assert "last" in there[-1]
    assert "log_lines_missed" in there[-2]
    missed = re.search(r'lines"?[=:] ?(\d+)', there[-2])
    assert missed is not None
    assert int(missed[1]) == 5000 - (len(there) - 2) > 0


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
