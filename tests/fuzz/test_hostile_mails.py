"""No mail and no table raises, costs more CPU than a bounded loop or 64 MB, or brings a line break into a header value."""

import json
import subprocess
import sys

import pytest

from mta.intake_pool import LARGE_OCTETS, is_suspect
from mta.reading.mime import MailLimits, read_mail
from sms.outcome import Refusal, Refused
from tests.fuzz import hostile
from tests.kit.effort import spend_at_most

MEASURE = """
import ctypes, gc, json, sys
from tests.fuzz import hostile
trim = ctypes.CDLL(None).malloc_trim
def status(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))
hostile.take(b"From: a@example.com\\r\\nContent-Type: text/html\\r\\n\\r\\n<p>warm</p>")
found = {}
for made, take in ((hostile.HOSTILE, hostile.take), (hostile.TABLES, hostile.take_a_table)):
    for name in list(made)[:: int(sys.argv[1])]:
        raw = made[name]
        gc.collect()
        trim(0)
        with open("/proc/self/clear_refs", "w") as reset:
            reset.write("5")
        before = status("VmRSS")
        take(raw)
        found[f"{take.__name__} {name}"] = status("VmHWM") - before
print(json.dumps(found))
"""


@pytest.mark.parametrize("name", sorted(hostile.HOSTILE))
def test_a_hostile_mail_is_read_or_refused_at_a_bounded_cost(name):
    raw = hostile.HOSTILE[name]
    spend_at_most(hostile.LOOPS_LIMIT, lambda: hostile.take(raw))


@pytest.mark.parametrize("name", sorted(hostile.HOSTILE))
def test_the_begin_of_a_hostile_mail_holds_up_the_loop_for_a_moment_at_most(name):
    raw = hostile.HOSTILE[name][:LARGE_OCTETS]
    if is_suspect(raw):
        return  # another process reads it
    spend_at_most(hostile.SMALL_LOOPS_LIMIT, lambda: hostile.take(raw))


@pytest.mark.parametrize("name", sorted(hostile.TABLES))
def test_a_hostile_table_is_read_or_refused_at_a_bounded_cost(name):
    content = hostile.TABLES[name]
    spend_at_most(hostile.LOOPS_LIMIT, lambda: hostile.take_a_table(content))


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc/self/clear_refs (Linux)")
def test_no_hostile_mail_takes_64_mb_beside_itself(thorough):
    each = 1 if thorough else 6
    command = [sys.executable, "-c", MEASURE, str(each)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    peaks = json.loads(done.stdout)
    assert len(peaks) == len(list(hostile.HOSTILE)[::each]) + len(list(hostile.TABLES)[::each])
    assert {name: octets for name, octets in peaks.items() if octets >= hostile.MEMORY_LIMIT} == {}


@pytest.mark.parametrize(
    "name",
    ["2000 nested multiparts", "10000 parts", "20000 encoded words", "20000 To fields", "1 MB of one field"],
)
def test_mails_beyond_the_bounds_are_refused_as_malformed(name):
    found = read_mail(hostile.HOSTILE[name], MailLimits())
    assert isinstance(found, Refused)
    assert found.refusal is Refusal.MAIL_MALFORMED
    assert "more than" in found.detail or "deeper" in found.detail or "longer" in found.detail


@pytest.mark.parametrize("name", ["29 nested alternatives", "900 parts"])
def test_text_is_found_within_the_bounds(name):
    _, found = hostile.take(hostile.HOSTILE[name])
    assert found.text.endswith(("found", "x"))
