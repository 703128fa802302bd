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
    Incident,
    Mail,
    Noticed,
    Rcpt,
    Verify,
)
from mta.smtp.engine.replies import Reply
from tests.kit.dialogues import ENVELOPE, HELLO, ROUTE, agree, begin, listen, say, talk

NORMALISE = DialogueLimits(content=ContentLimits(normalises=True))


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
    assert room.take(100) is None


def test_where_there_is_no_room_it_is_said_at_data():
    room = ContentRoom(10)
    assert room.take(10) is None
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
