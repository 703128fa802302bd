"""`mail2sms demo`: its page shows both ways and takes part in them; nobody else's page can; it holds a bounded view."""

import re
import shlex
import subprocess
import sys

import pytest

from smpp.simulator.sandbox_numbers import SANDBOX_NUMBERS
from sms.number import show_number
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer
from tests.kit.running_demo import OWN, RunningDemo, running_demo

HOSTILE = "<script>top.hacked=1</script><img src=x onerror='top.hacked=1'> {{7*7}} \u202eevil \u2066x"
ESCAPED = r"&lt;script&gt;top.hacked=1&lt;/script&gt;&lt;img src=x onerror=&#39;top.hacked=1&#39;&gt; \{\{7\*7\}\}"


@pytest.fixture(scope="module")
def demo():
    with running_demo("--port", "0") as running:
        yield running


def test_the_story_is_on_the_page_sms_as_bubbles_and_mails_beside_them(demo: RunningDemo):
    page = demo.wait_for(r'class="kind">Received</span>.*class="kind">Received</span>.*class="kind">Received</span>')
    assert re.search(r"Pump 7 in hall 2 has stopped - please call.*1 part in GSM-7", page, re.DOTALL)
    assert re.search(r'class="mine">.*I am at pump 7', page, re.DOTALL)
    assert "Thank you, please stay there." in page
    assert re.search(r"Headers</summary>.*Auto-Submitted: auto-replied", page, re.DOTALL)
    assert re.search(r"The gateway said</dt><dd class=\"answer\">250 2\.0\.0 J\.", page)


def test_an_sms_typed_as_the_phone_becomes_a_mail_that_can_be_answered_as_an_sms(demo: RunningDemo):
    assert demo.post("/sms", phone="+44 7700 900123", text="Grüße ✓ from the pump").status == 303
    page = demo.wait_for(r"SMS received: \+44 7700 900123\s+\u2068?Grüße ✓ from the pump")
    assert re.search(r"Grüße ✓ from the pump.*?1 part in UCS-2", page, re.DOTALL)
    key = next(
        key for key, subject in demo.mails() if subject == "SMS from +44 7700 900123" and key.startswith("mail-")
    )
    assert demo.post(f"/mails/{key}/reply", text="Then come home.").status == 303
    demo.wait_for(r'class="bubble" dir="auto">Then come home\.</p>')


def test_a_mail_written_on_the_page_becomes_an_sms_of_several_parts(demo: RunningDemo):
    assert demo.post("/mails", to="07700 900456", subject="Long", text="Plain words. " * 20).status == 303
    page = demo.wait_for(r"\+44 7700 900456 from")
    assert re.search(r"Plain words\. .*2 parts in GSM-7", page, re.DOTALL)


def test_the_page_names_the_numbers_of_the_sandbox_and_shows_what_becomes_of_them(demo: RunningDemo):
    page = demo.get().text
    assert all(f"<dt>{show_number(one.number)}</dt><dd>{one.shows}</dd>" in page for one in SANDBOX_NUMBERS)
    answering = next(one for one in SANDBOX_NUMBERS if one.treatment.answer)
    assert demo.post("/mails", to=answering.number, subject="Shift", text="Can you come?").status == 303
    demo.wait_for(
        f'class="mine">\\s*<p class="who">{re.escape(show_number(answering.number))} to .*?{answering.treatment.answer}'
    )


@pytest.mark.parametrize(
    ("path", "fields", "said"),
    [
        ("/sms", {"phone": "+447700900123", "text": " "}, "A phone sends a text of 1 to 10 parts."),
        ("/sms", {"phone": "+447700900123", "text": "x" * 5000}, "A phone sends a text of 1 to 10 parts."),
        ("/sms", {"phone": "nobody", "text": "x"}, "The phone 'nobody' is no number"),
        ("/mails", {"to": "nobody\r\nBcc: x@example.com", "subject": "x", "text": "x"}, "is no number to send to"),
        ("/mails/mail-9999/reply", {"text": "x"}, "There is no such mail that can be answered."),
        ("/mails/mail-0/reply", {"text": "x"}, "There is no such mail that can be answered."),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_happens(path, fields, said, demo: RunningDemo):
    answer = demo.post(path, **fields)
    assert answer.status == 422
    assert said in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


def test_what_is_hostile_is_shown_as_text_everywhere(demo: RunningDemo):
    assert demo.post("/sms", phone="+447700900123", text=HOSTILE).status == 303
    assert (
        demo.post("/mails", to="+447700900123", subject=HOSTILE + "\r\nBcc: x@example.com", text=HOSTILE).status == 303
    )
    demo.wait_for(r'class="bubble" dir="auto">' + ESCAPED)
    page = demo.wait_for(r'<bdi class="subject">' + ESCAPED)
    assert "<script>top" not in page
    assert "<img" not in page
    assert re.findall(r"<script.*?>", page) == ['<script src="/demo.js" defer>']
    assert not re.search(r"<style|\son\w+=|style=", re.sub(r">[^<]*<", "><", page))


@pytest.mark.slow
def test_the_page_holds_the_newest_only():
    with running_demo("--port", "0") as demo:
        for number in range(60):
            assert demo.post("/sms", phone="+447700900123", text=f"Number {number}").status == 303
        page = demo.get().text
    assert page.count('class="bubble"') == 50
    assert "Number 59" in page
    assert "Number 9<" not in page


@pytest.mark.slow
def test_a_mails_html_may_run_and_load_nothing(demo: RunningDemo):
    key = next(key for key, _ in demo.mails() if key.startswith("mail-"))
    answer = demo.get(f"/mails/{key}")
    policy = answer.headers["content-security-policy"]
    assert answer.status == 200
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline';")
    assert "script-src" not in policy
    assert re.search(r"sandbox(?! allow-scripts)", policy)
    assert f'sandbox="allow-same-origin" referrerpolicy="no-referrer" src="/mails/{key}"' in demo.get().text
    assert demo.get("/mails/mail-9999").status == 404


def test_a_page_that_is_known_already_is_not_sent_again(demo: RunningDemo):
    known = demo.wait_until_still()
    assert demo.post("/sms", phone="+447700900123", text="Something new").status == 303
    assert demo.get(if_none_match=known).status == 200


FOREIGN = [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}, {"Origin": "http://rebound.example.com"}]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("path", ["/sms", "/mails", "/mails/mail-0/reply"])
def test_another_page_can_send_nothing(path, headers, demo: RunningDemo):
    changes = demo.get().headers["etag"].rpartition("-")[2]
    answer = demo.post(path, headers, phone="+447700900123", to="+447700900123", subject="x", text="x")
    assert answer.status == 403
    assert demo.get().headers["etag"].rpartition("-")[2] == changes


def test_a_body_that_is_no_form_is_refused(demo: RunningDemo):
    assert demo.post("/sms", {**OWN, "Content-Type": "application/json"}).status == 415
    assert demo.post("/sms", OWN, **{f"field{number}": "x" for number in range(11)}).status == 400


def test_every_command_that_it_prints_sends_an_sms_as_it_stands(demo: RunningDemo):
    require_peer("swaks", find_program("swaks"))
    commands = re.findall(r"(?m)^   ((?:python3|swaks) .+)$", demo.told)
    assert [shlex.split(command)[0] for command in commands] == ["python3", "swaks"]
    for number, command in enumerate(commands):
        own = command.replace("Hello from a terminal", f"Hello from terminal {number}").replace(
            "python3", sys.executable, 1
        )
        done = subprocess.run(own, shell=True, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        demo.wait_for(f'class="bubble" dir="auto">Hello from terminal {number}</p>')


@pytest.mark.slow
def test_where_its_port_is_taken_the_page_is_elsewhere(demo: RunningDemo):
    with running_demo("--port", demo.address.rpartition(":")[2].strip("/")) as second:
        assert second.address != demo.address
        assert second.get().status == 200


@pytest.mark.slow
def test_once_tells_the_story_and_ends_well(demo: RunningDemo):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", "demo", "--once"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "http://" not in done.stdout
    assert [line[0] for line in done.stdout.splitlines() if re.match(r"\d\. ", line)] == list("1234567")
