"""The cases of a conversation under attack, each in one sentence, and those that one dialogue answers without a socket.

The others: on sockets test_server, test_server_tls and test_protocol_cases_server; with the gateway behind the door
test_protocol_cases_gateway and tests/unit/test_client_certificates; our own side as a client test_deliver_tls.
"""

import re
import tracemalloc
from base64 import b64encode
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.smtp.engine.content import ContentLimits
from mta.smtp.engine.dialogue import Dialogue
from mta.smtp.engine.events import (
    Capabilities,
    ContentReceived,
    DialogueLimits,
    DialogueState,
    Hello,
    Incident,
    Login,
    Mail,
    Noticed,
    Rcpt,
)
from mta.smtp.engine.sasl import MECHANISMS
from tests.kit.dialogues import ENVELOPE, HELLO, ROUTE, begin, listen, say, talk
from tests.kit.effort import spend_at_most
from tests.kit.ends_of_data import BARE_ENDS, ENDS, LIKE_ENDS, smuggled

CASES = {
    1: "Nothing but CRLF.CRLF ends a content, and nothing bare goes out",
    2: "Commands in the segment of STARTTLS are gone after the handshake",
    3: "Replies behind the 220 of STARTTLS are no replies of TLS",
    4: "A peer that fights TLS never sees mail in clear where TLS is enforced",
    5: "Where only the second MX offers TLS, the first never gets mail",
    6: "A bare LF ends no command and splits no envelope",
    7: "BDAT and BINARYMIME, which are not offered, let no payload be read as commands",
    8: "Endless lines and floods of commands cost bounded memory and end in 421",
    9: "Who talks before the greeting or is no mail client is refused, and nothing is accepted",
    10: "Recipients beyond the limit are 452, and the first stay valid",
    11: "Huge and slow contents cost bounded memory, hold up nobody, and are cut by their rate",
    12: "A null sender is no way to an SMS for who is not proven, and nothing comes back to it",
    13: "An address of any form is one number or 5.1.x",
    14: "A number in several spellings is one SMS",
    15: "A mail that the client leaves in the middle is kept whole or not at all, and a retry is the same mail",
    16: "A login out of order or malformed has its reply, and no secret is in the log",
    17: "A certificate that is nobody's is not helped by its address",
    18: "The proven customer alone is charged and authorised, whatever From says",
    46: "What a peer says is one bounded line of printable ASCII in the log",
    47: "Handshakes are capped and hold up nobody",
}
WITH_AUTH = Capabilities(hostname="mx.example.net", mechanisms=MECHANISMS, starttls=True)
PLAIN = b64encode(b"\0demo\0secret")
NORMALISE = DialogueLimits(content=ContentLimits(normalises=True))


@cache
def cases_with_tests() -> set[int]:
    """Return the numbers in the names of all tests."""
    named = re.compile(r"^ *(?:async )?def test_case_(\d+)_", re.MULTILINE)
    files = Path(__file__).parents[1].rglob("test_*.py")
    return {int(number) for file in files for number in named.findall(file.read_text("utf-8"))}


@pytest.mark.parametrize("case", CASES, ids=CASES.values())
def test_each_case_has_a_test_that_is_named_after_it(case):
    assert case in cases_with_tests()


@pytest.mark.parametrize("ending", BARE_ENDS)
def test_case_1_nothing_but_crlf_dot_crlf_ends_a_content(ending):
    heard = talk(ROUTE + b"first" + ending + smuggled() + b"QUIT\r\n")
    assert len(heard.of(Mail)) == 1
    assert not heard.of(ContentReceived)
    assert heard.codes == ["250", "250", "250", "354", "550", "250"]
    assert "550 5.6.11" in heard.output.decode()


@pytest.mark.parametrize("ending", LIKE_ENDS)
def test_case_1_what_only_looks_like_an_end_is_text(ending):
    heard = talk(ROUTE + b"first" + ending + smuggled() + b"QUIT\r\n")
    (message,) = heard.of(ContentReceived)
    assert b"MAIL FROM:<evil" in message.content
    assert len(heard.of(Mail)) == 1


@pytest.mark.parametrize("ending", ENDS.values(), ids=ENDS)
def test_case_1_no_end_but_the_proper_one_is_found_in_the_first_octets_of_a_content(ending):
    heard = talk(ROUTE[:-2] + ending + smuggled() + b"QUIT\r\n")
    assert len(heard.of(Mail)) == 1


@pytest.mark.parametrize("ending", ENDS.values(), ids=ENDS)
def test_case_1_normalising_changes_a_bare_newline_but_never_takes_it_for_an_end(ending):
    heard = talk(ROUTE + b"first" + ending + smuggled(), limits=NORMALISE)
    assert len(heard.of(Mail)) == 1
    for message in heard.of(ContentReceived):
        assert message.content.count(b"\r") == message.content.count(b"\n") == message.content.count(b"\r\n")
        assert b"MAIL FROM:<evil" in message.content


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"x", b"\0", b"\r\n.", b"\n.\n", b"\r\n.\r"]), max_size=40)
)
def test_case_1_no_mixture_gives_two_messages_or_a_bare_newline(pieces):
    body = b"".join(pieces)
    for limits in (DialogueLimits(), NORMALISE):
        heard = talk(ROUTE + body, limits=limits)
        ended = body.startswith(b".\r\n") or b"\r\n.\r\n" in body
        assert (heard.dialogue.state is not DialogueState.CONTENT) == ended
        for message in heard.of(ContentReceived):
            content = message.content
            assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")
            assert b"\0" not in content


def test_case_2_commands_injected_behind_starttls_are_gone_and_reported():
    heard = talk(HELLO + b"STARTTLS\r\nEHLO evil\r\n" + ENVELOPE + b"DATA\r\n", terms=WITH_AUTH)
    say(heard, b"EHLO evil\r\n" + ENVELOPE)
    assert heard.codes == ["250", "220"]
    heard.dialogue.tls_started()
    say(heard, b"MAIL FROM:<a@example.com>\r\n")
    assert heard.last == "503 5.5.1 Send EHLO first"
    assert {event.incident for event in heard.of(Noticed)} == {Incident.STARTTLS_INJECTION}
    assert len(heard.of(Hello)) == 1
    assert not heard.of(Mail)


def test_case_6_a_bare_newline_in_a_command_is_refused_and_splits_nothing():
    heard = talk(b"EHLO c\nMAIL FROM:<a@example.com>\r\n" + HELLO)
    assert heard.codes == ["500", "500", "250"]
    assert not heard.of(Mail)
    assert "500 5.5.2 Bare newline" in heard.output.decode()


def test_case_6_a_client_that_ends_lines_with_lf_hears_so_at_once():
    assert talk(b"EHLO c\n").codes == ["500"]


def test_case_7_bdat_ends_the_connection_and_its_chunk_is_no_command():
    heard = talk(HELLO + ENVELOPE + b"BDAT 30 LAST\r\nRSET\r\nMAIL FROM:<evil@example.org>\r\n")
    assert heard.codes[-1] == "502"
    assert heard.dialogue.closed
    assert len(heard.of(Mail)) == 1
    assert talk(HELLO + b"MAIL FROM:<a@example.com> BODY=BINARYMIME\r\n").codes[-1] == "504"


@pytest.mark.parametrize("chunk", [b"BDAT 30 LAST", b"bdat 0 LAST", b"BDAT", b"BDAT x", b"BDAT 99999999999999999999"])
@pytest.mark.parametrize(
    "before", [b"", HELLO, HELLO + ENVELOPE, HELLO + b"MAIL FROM:<a@example.com> BODY=BINARYMIME\r\n"]
)
def test_case_7_bdat_ends_the_connection_wherever_it_comes(before, chunk):
    heard = talk(before + chunk + b"\r\n" + HELLO + smuggled())
    assert heard.closed
    assert heard.codes[-1] == "502"
    assert len(heard.of(Hello)) == before.count(b"EHLO")
    assert not heard.of(ContentReceived)


def test_case_8_a_megabyte_without_an_end_needs_little_memory_and_is_cut():
    heard = begin()
    tracemalloc.start()
    try:
        for _ in range(2**10):
            say(heard, b"A" * 2**10)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert heard.codes == ["500", "421"]
    assert heard.dialogue.closed
    assert peak < 200_000


def test_case_8_ten_thousand_unknown_verbs_are_cut_at_the_limit():
    heard = talk(b"XYZZY\r\n" * 10_000)
    assert heard.codes == ["500"] * 20 + ["421"]
    assert heard.last.startswith("421 4.7.0")


@pytest.mark.parametrize("command", [b"NOOP\r\n", b"RSET\r\n", b"VRFY x\r\n", b"HELP\r\n", HELLO])
def test_case_8_a_thousand_idle_commands_are_cut_at_the_limit(command):
    heard = talk(command * 1000)
    assert len(heard.codes) == DialogueLimits().idle_commands + 1
    assert heard.codes[-1] == "421"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: mx.example.net\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n" + ROUTE,
        b"CONNECT mx.example.net:25 HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_case_9_what_is_not_smtp_is_421_and_closed(data):
    heard = talk(data)
    assert heard.codes == ["421"]
    assert heard.dialogue.closed
    assert heard.events == heard.of(Noticed)
    assert [event.incident for event in heard.of(Noticed)] == [Incident.NOT_SMTP]


def test_case_9_a_client_that_talks_before_the_greeting_is_refused():
    dialogue = Dialogue(Capabilities(hostname="h"), DialogueLimits(), now=0.0)
    dialogue.receive_data(ROUTE)
    (event,) = dialogue.events()
    assert event == Noticed(incident=Incident.EARLY_TALKER, detail="EHLO client.example.com")
    dialogue.greet()
    assert dialogue.data_to_send().startswith(b"554 5.5.1")
    assert dialogue.closed


def test_case_10_recipients_beyond_the_limit_are_452_and_the_first_stay_valid():
    data = HELLO + b"MAIL FROM:<a@example.com>\r\n" + b"RCPT TO:<b@example.com>\r\n" * 50_000 + b"DATA\r\nx\r\n.\r\n"
    heard = talk(data, limits=DialogueLimits(recipients=10))
    assert heard.codes[2:12] == ["250"] * 10
    assert set(heard.codes[12:-2]) == {"452"}
    assert heard.codes[-2:] == ["354", "250"]
    assert len(heard.of(Rcpt)) == 10
    assert [event.incident for event in heard.of(Noticed)] == [Incident.TOO_MANY_RECIPIENTS]


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("empty lines", b"\r\n" * 2**15),
        ("one line", b"x" * 2**16),
        ("dots", b"\r\n.." * 2**14),
        ("mail", (b"y" * 70 + b"\r\n") * 900),
    ],
)
def test_case_11_memory_stays_within_the_limit_and_a_chunk(name, octets):
    limit = 2 * 2**20
    heard = talk(ROUTE, limits=DialogueLimits(content=ContentLimits(size=limit, line=2**30)))
    tracemalloc.start()
    try:
        for _ in range(5 * 2**20 // len(octets)):
            heard.dialogue.receive_data(octets)
            listen(heard)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit * 1.3 + 6 * len(octets)
    assert heard.dialogue.state in {DialogueState.CONTENT, DialogueState.CLOSED}


@pytest.mark.parametrize("octets", [b"\r\n", b"x", b".\r\n", b"\r\n..", b"\r", b"\n", b"\0"], ids=repr)
def test_case_11_thirty_three_megabytes_of_anything_cost_bounded_work(octets):
    chunk = octets * (2**16 // len(octets))

    def flood():
        heard = talk(ROUTE, limits=DialogueLimits(content=ContentLimits(size=40 * 2**20)))
        for _ in range(33 * 2**20 // len(chunk)):
            if not heard.closed:
                say(heard, chunk)
        return heard

    assert spend_at_most(60, flood).state in {DialogueState.CONTENT, DialogueState.CLOSED}


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"AUTH\r\n", "501 5.5.4 Syntax: AUTH mechanism [SP initial-response]"),
        (b"AUTH PLAIN x y\r\n", "501 5.5.4 Syntax: AUTH mechanism [SP initial-response]"),
        (b"AUTH CRAM-MD5\r\n", "504 5.5.4 Unrecognized authentication type"),
        (b"AUTH PLAIN ???\r\n", "501 5.5.2 Cannot decode response"),
        (b"AUTH PLAIN =\r\n", "501 5.5.2 Cannot decode response"),
        (b"AUTH PLAIN\r\n*\r\n", "501 5.7.0 Authentication cancelled"),
        (b"AUTH LOGIN\r\n*\r\n", "501 5.7.0 Authentication cancelled"),
        (b"AUTH LOGIN " + b64encode(b"demo") + b"\r\n*\r\n", "501 5.7.0 Authentication cancelled"),
        (b"AUTH PLAIN " + b64encode(b"a\0b") + b"\r\n", "501 5.5.2 Cannot decode response"),
        (b"AUTH PLAIN " + b64encode(b"\0a\0b\0c") + b"\r\n", "501 5.5.2 Cannot decode response"),
        (b"AUTH PLAIN " + b64encode(b"\0\0secret") + b"\r\n", "501 5.5.2 Cannot decode response"),
        (b"AUTH PLAIN " + b64encode(b"boss\0demo\0secret") + b"\r\n", "535 5.7.8 Authentication credentials invalid"),
        (b"AUTH PLAIN\r\n" + b"A" * 12287 + b"\r\n", "500 5.5.6 Authentication exchange line too long"),
        (b"AUTH PLAIN " + PLAIN + b"\r\nAUTH PLAIN " + PLAIN + b"\r\n", "503 5.5.1 Already authenticated"),
        (b"MAIL FROM:<a@example.com>\r\nAUTH PLAIN\r\n", "503 5.5.1 Bad sequence of commands"),
    ],
)
def test_case_16_a_bad_authentication_has_its_reply_and_goes_on(data, reply):
    heard = talk(HELLO + data, terms=WITH_AUTH, tls=True)
    assert heard.last == reply
    assert say(heard, b"NOOP\r\n").last == "250 2.0.0 OK"


def test_case_16_auth_before_tls_is_538_and_the_password_is_never_looked_at():
    heard = talk(HELLO + b"AUTH PLAIN " + PLAIN + b"\r\n", terms=WITH_AUTH)
    assert heard.last.startswith("538 5.7.11")
    assert not heard.of(Login)


def test_case_16_a_megabyte_of_auth_ends_the_connection():
    heard = talk(HELLO + b"AUTH PLAIN\r\n" + b"A" * 2**20, terms=WITH_AUTH, tls=True)
    assert heard.closed
    assert heard.codes[-2:] == ["500", "421"]
