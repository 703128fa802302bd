"""No mail raises, costs over a second of CPU or 64 MB, or brings a line break into a header value."""

import json
import subprocess
import sys

import pytest

from mta.mime import MailLimits, read_mail
from sms.outcome import Refusal, Refused
from tests.fuzz import hostile

MEASURE = """
import gc, json, resource, sys, time
from tests.fuzz import hostile
name = sys.argv[1]
raw = hostile.rtf_bomb() if name == "rtf bomb" else hostile.HOSTILE[name]
raw = bytes(raw)
hostile.HOSTILE.clear()
gc.collect()
hostile.take(b"From: a@example.com\\r\\nContent-Type: text/html\\r\\n\\r\\n<p>warm</p>")
def resident():
    with open("/proc/self/status") as status:
        values = dict(line.split(":", 1) for line in status)
    return int(values["VmRSS"].split()[0]) * 1024, int(values["VmHWM"].split()[0]) * 1024
with open("/proc/self/clear_refs", "w") as reset:
    reset.write("5")
before = resident()[0]
begin = time.process_time()
hostile.take(raw)
print(json.dumps([time.process_time() - begin, resident()[1] - before]))
"""


def measured(name):
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, name], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", sorted(hostile.HOSTILE))
def test_a_hostile_mail_is_read_or_refused_within_a_second(name):
    seconds, _ = hostile.cost_of(hostile.HOSTILE[name])
    assert seconds < hostile.CPU_LIMIT


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc/self/clear_refs (Linux)")
@pytest.mark.parametrize("name", [*sorted(hostile.HOSTILE), "rtf bomb"])
def test_a_hostile_mail_takes_less_than_64_mb_beside_itself(name):
    seconds, octets = measured(name)
    assert seconds < hostile.CPU_LIMIT
    assert octets < hostile.MEMORY_LIMIT


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
