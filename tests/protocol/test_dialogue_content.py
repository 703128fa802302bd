"""The content between 354 and the dot: smuggling, transparency, limits, memory. Also every limit and timer."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.smtp.engine.content import Content, ContentLimits, ContentRoom
from mta.smtp.engine.events import (
    ContentReceived,
    Data,
    DialogueLimits,
    DialogueState,
    Incident,
    Mail,
    Noticed,
    Rcpt,
    Verify,
)
from mta.smtp.engine.replies import Reply
from tests.kit.dialogues import ENVELOPE, HELLO, ROUTE, agree, begin, listen, say, talk

SMUGGLED = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<x@example.org>\r\nDATA\r\nspoof\r\n.\r\n"
NORMALISE = DialogueLimits(content=ContentLimits(normalises=True))

ENDINGS = [
    b"\n.\n",
    b"\r\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\r\r\n",
    b"\r\n.\0\r\n",
    b"\n\n.\r\n",
    b"\r\n\x2e\x0d\x0d\x0a",
]


@pytest.mark.parametrize("ending", ENDINGS)
def test_case_1_nothing_but_crlf_dot_crlf_ends_a_content(ending):
    heard = talk(ROUTE + b"first" + ending + SMUGGLED + b"QUIT\r\n")
    assert len(heard.of(Mail)) == 1
    assert not heard.of(ContentReceived)
    assert heard.codes == ["250", "250", "250", "354", "550", "250"]
    assert "550 5.6.11" in heard.output.decode()


@pytest.mark.parametrize("ending", ENDINGS)
def test_case_1_normalising_changes_a_bare_newline_but_never_takes_it_for_an_end(ending):
    heard = talk(ROUTE + b"first" + ending + SMUGGLED, limits=NORMALISE)
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


@given(
    st.lists(
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=6) | st.sampled_from([".", "..", ".x"]),
        max_size=12,
    ),
    st.integers(1, 9),
)
def test_transparency_is_undone_whatever_the_chunks(lines, size):
    text = "".join(f"{line}\r\n" for line in lines).encode()
    stuffed = "".join(f"{'.' if line.startswith('.') else ''}{line}\r\n" for line in lines).encode() + b".\r\n"
    content = Content(ContentLimits())
    rest = None
    for start in range(0, len(stuffed), size):
        rest = content.feed(stuffed[start : start + size])
    assert rest == b""
    assert content.fault is None
    assert content.octets() == text


def test_normalising_gives_the_same_whatever_the_chunks():
    stream = b"a\nb\r\n\n.c\r\n..d\n\r\n.\r\nrest"
    for size in range(1, len(stream) + 1):
        content = Content(ContentLimits(normalises=True))
        for start in range(0, len(stream), size):
            rest = content.feed(stream[start : start + size])
            if rest is not None:
                break
        assert content.octets() == b"a\r\nb\r\n\r\n.c\r\n.d\r\n\r\n"


@pytest.mark.parametrize(
    ("limits", "body", "reply"),
    [
        (ContentLimits(size=10), b"12345678\r\n", "250"),
        (ContentLimits(size=10), b"..2345678\r\n", "250"),
        (ContentLimits(size=10), b"123456789\r\n", "552"),
        (ContentLimits(size=10**6), b"\r\n" * 500_000, "250"),
        (ContentLimits(line=12), b"1234567890\r\n" * 2, "250"),
        (ContentLimits(line=12), b"..34567890\r\n" * 2, "250"),
        (ContentLimits(line=12), b"1234567890\r\n12345678901\r\n", "554"),
        (ContentLimits(line=12), b"x" * 100 + b"\r\n", "554"),
        (ContentLimits(), b"", "250"),
    ],
)
def test_a_content_at_its_limit_is_taken_and_one_beyond_is_refused_after_its_end(limits, body, reply):
    heard = talk(ROUTE + body + b".\r\nNOOP\r\n", limits=DialogueLimits(content=limits))
    assert heard.codes[-2:] == [reply, "250"]
    pieces = begin(limits=DialogueLimits(content=limits))
    for octet in ROUTE + body + b".\r\nNOOP\r\n":
        say(pieces, bytes([octet]))
    assert pieces.codes == heard.codes


def test_commands_and_a_second_mail_behind_the_dot_are_kept():
    heard = talk(ROUTE + b"one\r\n.\r\n" + ENVELOPE + b"DATA\r\ntwo\r\n.\r\nQUIT\r\n")
    assert [message.content for message in heard.of(ContentReceived)] == [b"one\r\n", b"two\r\n"]
    assert heard.dialogue.closed


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


def test_a_whole_content_is_in_memory_once():
    size = 8 * 2**20
    heard = talk(ROUTE, limits=DialogueLimits(content=ContentLimits(size=size)))
    chunk = (b"y" * 62 + b"\r\n") * 1024
    tracemalloc.start()
    try:
        for _ in range(size // len(chunk) - 1):
            heard.dialogue.receive_data(chunk)
            listen(heard)
        say(heard, b".\r\n")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(heard.of(ContentReceived)[0].content) == size - len(chunk)
    assert peak < size * 1.35


def test_a_flood_behind_a_refused_content_is_cut():
    heard = talk(ROUTE, limits=DialogueLimits(content=ContentLimits(size=1000)))
    while not heard.dialogue.closed:
        say(heard, b"x" * 100_000)
    assert heard.last.startswith("552")
    assert heard.of(Noticed)[-1].incident is Incident.CONTENT_FLOOD


# Limits


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


def test_errors_are_forgiven_by_an_accepted_mail():
    data = b"XYZZY\r\n" * 15 + ROUTE + b"x\r\n.\r\n" + b"XYZZY\r\n" * 15
    assert not talk(data).dialogue.closed


@pytest.mark.parametrize("refused", [Mail, ContentReceived])
def test_too_many_refused_mails_end_the_connection(refused):
    no = Reply(code=550, enhanced="5.7.1", text="No")
    data = HELLO + (b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n.\r\n") * 30
    heard = talk(
        data, lambda event: no if isinstance(event, refused) else agree(event), limits=DialogueLimits(errors=9)
    )
    assert heard.last.startswith("421 4.7.0")


@pytest.mark.parametrize("refused", [Mail, Rcpt, Data, ContentReceived])
def test_what_is_refused_for_now_is_never_counted_against_the_client(refused):
    later = Reply(code=452, enhanced="4.3.1", text="Insufficient storage")
    content = b".\r\n" if refused is ContentReceived else b""  # which is sent only after a 354
    data = HELLO + (b"RSET\r\n" + ENVELOPE + b"DATA\r\n" + content) * 300
    limits = DialogueLimits(errors=9, idle_commands=10**6, refused_recipients=9)
    heard = talk(data, lambda event: later if isinstance(event, refused) else agree(event), limits=limits)
    assert not heard.dialogue.closed
    assert heard.codes.count("452") == 300


def test_a_content_refused_at_data_is_never_sent():
    no = Reply(code=451, enhanced="4.7.1", text="Later")
    heard = talk(ROUTE + b"RSET\r\n", lambda event: no if isinstance(event, Data) else agree(event))
    assert heard.codes == ["250", "250", "250", "451", "250"]


def test_a_content_has_the_limit_that_it_is_taken_with():
    heard = talk(HELLO + ENVELOPE)
    heard.dialogue.receive_data(b"DATA\r\n")
    assert isinstance(heard.dialogue.next_event(), Data)
    heard.dialogue.take_content(5)
    assert say(heard, b"12345\r\n.\r\n").last == "552 5.3.4 Message size exceeds fixed limit: at most 5 octets"
    assert say(heard, ENVELOPE + b"DATA\r\n12345\r\n.\r\n").codes[-1] == "250"


def test_contents_under_way_have_one_room_and_give_it_back_however_they_end():
    room = ContentRoom(100)
    first, second, third = (talk(ROUTE, room=room) for _ in range(3))
    say(first, b"x" * 88 + b"\r\n")
    assert say(second, b"x" * 20 + b"\r\n.\r\n").last.startswith("452 4.3.1")
    assert say(third, b"12345\r\n.\r\n").codes[-1] == "250"  # its mail is still being judged
    assert say(second, ENVELOPE + b"DATA\r\n12345\r\n.\r\n").last.startswith("452 4.3.1")
    third.dialogue.abandon()
    assert say(second, ENVELOPE + b"DATA\r\n12345\r\n.\r\n").last.startswith("452 4.3.1")
    third.dialogue.content_done()
    first.dialogue.abandon()
    assert say(second, ENVELOPE + b"DATA\r\n" + b"x" * 90 + b"\r\n.\r\n").codes[-1] == "250"
    second.dialogue.content_done()
    assert room.take(100)


def test_where_there_is_no_room_it_is_said_at_data():
    room = ContentRoom(10)
    assert room.take(10)
    heard = talk(HELLO + (ENVELOPE + b"DATA\r\nRSET\r\n") * 30, room=room)
    assert heard.codes[:5] == ["250", "250", "250", "452", "250"]
    assert not heard.dialogue.closed


def test_too_many_refused_recipients_end_the_connection():
    no = Reply(code=550, enhanced="5.1.1", text="No")
    data = HELLO + b"MAIL FROM:<a@example.com>\r\n" + b"RCPT TO:<b@example.com>\r\n" * 9
    heard = talk(
        data, lambda event: no if isinstance(event, Rcpt) else agree(event), limits=DialogueLimits(refused_recipients=5)
    )
    assert heard.codes[2:] == ["550"] * 6 + ["421"]


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
    from mta.smtp.engine.dialogue import Dialogue
    from mta.smtp.engine.events import Capabilities

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


def test_case_12_the_null_sender_is_an_ordinary_sender_here():
    (mail,) = talk(HELLO + b"MAIL FROM:<>\r\n").of(Mail)
    assert mail.command.address == ""


def test_the_longest_lines_allowed_are_those_of_the_extensions():
    room = 512 + 500 - len("RCPT TO:<b@example.com> ORCPT=rfc822;") - 2
    data = HELLO + b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com> ORCPT=rfc822;"
    assert talk(data + b"x" * 480 + b"\r\n").codes[-1] == "250"
    assert talk(data + b"x" * (room + 1) + b"\r\n").last == "500 5.5.2 Command line too long"


# Time


LIMITS = DialogueLimits(command=300, block=180, data=600, session=3600, rate=100, rate_window=60)


def at(heard, seconds):
    heard.dialogue.tick(seconds)
    return listen(heard)


def test_a_silent_client_is_cut_after_the_command_time():
    heard = begin(limits=LIMITS)
    assert not at(heard, 300).dialogue.closed
    assert at(heard, 301).last == "421 4.4.2 Timeout, closing connection"
    assert heard.of(Noticed)[-1].incident is Incident.TIMED_OUT


def test_a_command_in_drips_wins_no_time_but_a_whole_one_does():
    heard = begin(limits=LIMITS)
    for second in range(0, 290, 10):
        say(at(heard, second), b"N")
    assert at(heard, 301).dialogue.closed
    heard = begin(limits=LIMITS)
    say(at(heard, 290), b"NOOP\r\n")
    assert not at(heard, 580).dialogue.closed
    assert at(heard, 591).dialogue.closed


def test_noops_do_not_hold_a_connection_for_ever():
    heard = begin(limits=LIMITS)
    second = 0
    while not heard.dialogue.closed:
        second += 299
        say(at(heard, second), b"NOOP\r\n")
    assert second <= 3600 + 299


def test_silence_inside_a_content_is_cut_after_the_block_time():
    heard = say(begin(limits=LIMITS), ROUTE + b"x" * 20_000)
    assert not at(heard, 59).dialogue.closed
    assert at(heard, 181).dialogue.closed


def test_case_11_a_byte_every_thirty_seconds_is_cut_by_its_rate():
    heard = say(begin(limits=LIMITS), ROUTE)
    seconds = 0
    while not heard.dialogue.closed:
        seconds += 30
        say(at(heard, seconds), b"x")
    assert seconds == 60
    assert heard.of(Noticed)[-1].incident is Incident.TOO_SLOW


def test_a_slow_but_steady_content_is_taken_until_the_data_time():
    heard = say(begin(limits=LIMITS), ROUTE)
    for second in range(10, 600, 10):
        say(at(heard, second), b"y" * 1300 + b"\r\n")
        assert not heard.dialogue.closed
    say(heard, b".\r\n")
    assert heard.of(ContentReceived)
    slower = say(begin(limits=LIMITS), ROUTE)
    for second in range(10, 620, 10):
        say(at(slower, second), b"y" * 1300 + b"\r\n")
    assert slower.dialogue.closed


def test_the_time_a_handler_takes_is_not_the_clients():
    heard = begin(limits=LIMITS)
    heard.dialogue.receive_data(b"VRFY x\r\n")
    assert isinstance(heard.dialogue.next_event(), Verify)
    heard.dialogue.tick(10_000)
    assert not heard.dialogue.closed
    heard.dialogue.reply("252 2.0.0 Perhaps")
    assert not heard.dialogue.closed
