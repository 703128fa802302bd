"""The SMTP dialogue: order, arguments, pipelining, AUTH, STARTTLS; conversations without a socket."""

import re
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mta.smtp.engine.events import (
    TRANSITIONS,
    Capabilities,
    ContentReceived,
    Data,
    DialogueLimits,
    DialogueState,
    Hello,
    LocalProtocolError,
    Login,
    Mail,
    Quit,
    Rcpt,
    Reset,
    StartTls,
)
from mta.smtp.engine.replies import LOCAL_ERROR, Reply
from mta.smtp.engine.sasl import MECHANISMS
from mta.smtp.engine.verbs import VERBS
from tests.kit.dialogues import ENVELOPE, HELLO, ROUTE, ThreeQuestions, agree, begin, listen, say, talk

WITH_AUTH = Capabilities(hostname="mx.example.net", mechanisms=MECHANISMS, starttls=True)
ONLY_PLAIN = {"PLAIN": MECHANISMS["PLAIN"]}
PLAIN = b64encode(b"\0demo\0secret")


def test_a_whole_conversation_gives_its_events_in_order_and_its_replies_in_one_write():
    heard = talk(ROUTE + b"Subject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n")
    assert [type(event) for event in heard.events] == [Hello, Mail, Rcpt, Data, ContentReceived, Quit]
    assert heard.codes == ["250", "250", "250", "354", "250", "250"]
    assert heard.of(ContentReceived)[0].content == b"Subject: x\r\n\r\nhello\r\n"
    assert heard.closed


def test_the_greeting_comes_first_and_once():
    heard = begin()
    heard.dialogue.greet()
    assert heard.dialogue.data_to_send() == b"220 mx.example.net ESMTP\r\n"


def test_ehlo_offers_what_is_served_and_nothing_else():
    assert talk(HELLO).output.decode().split("\r\n")[1:-1] == [
        "250-mx.example.net",
        "250-PIPELINING",
        "250-SIZE 10485760",
        "250-8BITMIME",
        "250-SMTPUTF8",
        "250-ENHANCEDSTATUSCODES",
        "250-DSN",
        "250 HELP",
    ]


@pytest.mark.parametrize(
    ("tls", "terms", "words"),
    [
        (False, WITH_AUTH, {"STARTTLS"}),
        (True, WITH_AUTH, {"AUTH LOGIN PLAIN"}),
        (False, Capabilities(hostname="h", mechanisms=ONLY_PLAIN, auth_needs_tls=False), {"AUTH PLAIN"}),
        (
            False,
            Capabilities(hostname="h", mechanisms=ONLY_PLAIN, auth_needs_tls=False, starttls=True, tls_required=True),
            {"STARTTLS"},
        ),
        (True, Capabilities(hostname="h"), set()),
    ],
)
def test_auth_and_starttls_are_announced_only_where_allowed(tls, terms, words):
    lines = begin(terms=terms, tls=tls).dialogue.ehlo_lines()
    assert {line[4:] for line in lines if line[4:].startswith(("AUTH", "STARTTLS"))} == words


@pytest.mark.parametrize(
    ("before", "command", "reply"),
    [
        (b"", b"MAIL FROM:<a@example.com>", "503 5.5.1 Send EHLO first"),
        (b"", b"AUTH PLAIN", "503 5.5.1 Send EHLO first"),
        (HELLO, b"RCPT TO:<a@example.com>", "503 5.5.1 Need MAIL command"),
        (HELLO, b"DATA", "503 5.5.1 Need MAIL command"),
        (HELLO + b"MAIL FROM:<a@example.com>\r\n", b"DATA", "503 5.5.1 Need RCPT command"),
        (HELLO + ENVELOPE, b"MAIL FROM:<a@example.com>", "503 5.5.1 Nested MAIL command"),
        (HELLO + ENVELOPE, b"STARTTLS", "503 5.5.1 Bad sequence of commands"),
        (HELLO + ENVELOPE + b"RSET\r\n", b"DATA", "503 5.5.1 Need MAIL command"),
        (HELLO + ENVELOPE + HELLO, b"DATA", "503 5.5.1 Need MAIL command"),
        (HELLO + ENVELOPE, b"DATA x", "501 5.5.4 Command takes no argument"),
        (b"", b"EHLO", "501 5.5.4 Syntax: EHLO hostname"),
        (b"", b"HELO \xc3\xa4", "501 5.5.4 Syntax: EHLO hostname"),
        (b"", b"XYZZY", "500 5.5.1 Command not recognized"),
        (b"", "MAıL FROM:<a@example.com>".encode(), "500 5.5.1 Command not recognized"),
        (b"", b"", "500 5.5.1 Command not recognized"),
        (b"", b"NOOP \xff", "500 5.5.2 Syntax error"),
        (b"", b"NOOP a\0b", "500 5.5.2 Control characters in command"),
        (b"", b"NOOP a\rb", "500 5.5.2 Control characters in command"),
        (b"", b"NOOP \xc2\x85", "500 5.5.2 Control characters in command"),
        (b"", b"NOOP " + b"x" * 506, "500 5.5.2 Command line too long"),
        (b"", b"NOOP " + b"x" * 505, "250 2.0.0 OK"),
        (b"", b"noop", "250 2.0.0 OK"),
        (b"", b"NOOP \t ", "250 2.0.0 OK"),
        (b"", b"EXPN list", "502 5.5.1 Command not implemented"),
        (b"", b"VRFY", "501 5.5.4 Bad parameter"),
        (b"", b"STARTTLS", "502 5.5.1 Command not implemented"),
        (HELLO, b"AUTH PLAIN", "502 5.5.1 Command not implemented"),
        (b"HELO c\r\n", b"MAIL FROM:<a@example.com> SIZE=1", "501 5.5.4 Syntax: MAIL FROM:<address> [SP parameters]"),
        (
            b"HELO c\r\nMAIL FROM:<a@example.com>\r\n",
            b"RCPT TO:<b@example.com> NOTIFY=NEVER",
            "501 5.5.4 Syntax: RCPT TO:<address> [SP parameters]",
        ),
        (HELLO, b"MAIL FROM:<a@example.com> SIZE=10485761", "552 5.3.4 Message size exceeds fixed limit"),
        (HELLO, b"MAIL FROM:<a@example.com> SIZE=10485760", "250 2.0.0 OK"),
        (b"", b"QUIT now", "501 5.5.4 Command takes no argument"),
    ],
)
def test_each_command_out_of_place_has_its_reply(before, command, reply):
    assert talk(before + command + b"\r\n").last == reply


@pytest.mark.parametrize(
    ("terms", "tls", "missing"),
    [
        ({}, False, {"AUTH", "STARTTLS"}),
        ({"mechanisms": ONLY_PLAIN, "starttls": True}, False, {"AUTH"}),
        ({"mechanisms": ONLY_PLAIN, "starttls": True}, True, {"STARTTLS"}),
        ({"mechanisms": ONLY_PLAIN, "starttls": True, "auth_needs_tls": False}, False, set()),
    ],
)
def test_help_lists_every_verb_that_can_be_used_now(terms, tls, missing):
    heard = talk(b"HELP\r\n", terms=Capabilities(hostname="mx.example.net", **terms), tls=tls)
    assert set(heard.last.partition("Commands: ")[2].split()) == VERBS - {"EXPN"} - missing


def test_every_verb_of_the_table_is_known_and_every_state_is_reached():
    listed = {verb for verbs in TRANSITIONS.values() for verb in verbs} - {".", "*"}
    assert listed == VERBS
    reached = {state for verbs in TRANSITIONS.values() for state in verbs.values()}
    assert reached == set(DialogueState) - {DialogueState.GREETING, DialogueState.START} | {DialogueState.START}


def test_every_reply_but_greeting_hello_and_354_has_an_enhanced_code():
    data = (
        ROUTE
        + b"x\r\n.\r\nNOOP\r\nRSET\r\nVRFY x\r\nHELP\r\nEXPN x\r\nFOO\r\nMAIL\r\nSTARTTLS\r\nAUTH\r\nDATA\r\nQUIT\r\n"
    )
    lines = (
        talk(data, lambda event: "250 fine" if not isinstance(event, Hello) else "250 mx").output.decode().split("\r\n")
    )
    for line in lines[2:-1]:
        assert re.match(r"354 |([245])\d\d \1\.\d+\.\d+ .", line), line


def test_the_reply_of_a_handler_cannot_add_a_line():
    heard = talk(
        HELLO + b"MAIL FROM:<a@example.com>\r\n",
        lambda event: "451 oops\r\n250 injected" if isinstance(event, Mail) else agree(event),
    )
    assert heard.last == "451 4.0.0 oops 250 injected"
    assert heard.state is DialogueState.READY


def test_a_421_of_a_handler_closes():
    heard = talk(
        HELLO + b"NOOP\r\n", lambda event: "421 4.7.0 Enough" if not isinstance(event, Hello) else agree(event)
    )
    assert heard.closed


def test_a_refused_sender_leaves_no_transaction():
    heard = talk(HELLO + ENVELOPE, lambda event: LOCAL_ERROR if isinstance(event, Mail) else agree(event))
    assert heard.codes == ["250", "451", "503"]


def test_data_needs_one_accepted_recipient():
    refuse = Reply(code=550, enhanced="5.1.1", text="No")
    heard = talk(ROUTE, lambda event: refuse if isinstance(event, Rcpt) else agree(event))
    assert heard.codes == ["250", "250", "550", "503"]


def test_answering_nothing_is_our_own_error():
    with pytest.raises(LocalProtocolError):
        begin().dialogue.reply("250 OK")
    with pytest.raises(LocalProtocolError):
        begin().dialogue.tls_started()


def test_nothing_is_parsed_while_an_event_is_unanswered():
    heard = begin()
    heard.dialogue.receive_data(HELLO + b"NOOP\r\nNOOP\r\n")
    assert isinstance(heard.dialogue.next_event(), Hello)
    assert heard.dialogue.next_event() is None
    assert heard.dialogue.awaiting_reply


def test_a_driver_is_told_to_pause_while_much_waits_behind_an_event():
    heard = begin(limits=DialogueLimits(waiting=10))
    heard.dialogue.receive_data(b"NOOP\r\n")
    wanted = [heard.dialogue.wants_data]
    heard.dialogue.next_event()
    heard.dialogue.receive_data(b"NOOP\r\nNOOP\r\n")
    wanted.append(heard.dialogue.wants_data)
    heard.dialogue.reply("250 OK")
    wanted.append(heard.dialogue.wants_data)
    assert wanted == [True, False, True]


# AUTH


def test_plain_and_login_come_to_the_same_credentials_in_every_form():
    conversations = [
        b"AUTH PLAIN " + PLAIN + b"\r\n",
        b"auth plain\r\n" + PLAIN + b"\r\n",
        b"AUTH LOGIN\r\n" + b64encode(b"demo") + b"\r\n" + b64encode(b"secret") + b"\r\n",
        b"AUTH login " + b64encode(b"demo") + b"\r\n" + b64encode(b"secret") + b"\r\n",
        b"AUTH PLAIN " + b64encode(b"demo\0demo\0secret") + b"\r\n",
    ]
    for data in conversations:
        heard = talk(HELLO + data, terms=WITH_AUTH, tls=True)
        (login,) = heard.of(Login)
        assert (login.login, login.password) == (b"demo", b"secret")
        assert heard.dialogue.authenticated
        assert "secret" not in repr(heard.events)


def test_after_too_many_wrong_passwords_the_connection_ends():
    deny = Reply(code=535, enhanced="5.7.8", text="No")
    heard = talk(
        HELLO + (b"AUTH PLAIN " + PLAIN + b"\r\n") * 9,
        lambda event: deny if isinstance(event, Login) else agree(event),
        terms=WITH_AUTH,
        tls=True,
    )
    assert len(heard.of(Login)) == DialogueLimits().failed_logins
    assert heard.codes[-1] == "421"


def test_a_mechanism_may_challenge_as_often_as_it_needs():
    terms = Capabilities(hostname="h", mechanisms={"X-THREE": ThreeQuestions})
    lines = b"".join(b64encode(answer) + b"\r\n" for answer in (b"red", b"demo", b"secret"))
    heard = talk(HELLO + b"AUTH x-three\r\n" + lines, terms=terms, tls=True)
    challenges = [f"334 {b64encode(question).decode()}" for question in ThreeQuestions.QUESTIONS]
    assert heard.output.decode().split("\r\n")[-5:-1] == [*challenges, "250 2.0.0 OK"]
    assert heard.of(Login) == [Login(mechanism="X-THREE", login=b"demo", password=b"red secret")]


def test_an_exchange_of_several_steps_ends_with_a_star_a_fault_or_the_end_of_its_limits():
    terms = Capabilities(hostname="h", mechanisms={"X-THREE": ThreeQuestions})
    first = HELLO + b"AUTH X-THREE " + b64encode(b"red") + b"\r\n"
    for last, code in [(b"*", "501"), (b"not base64", "501"), (b"A" * 12287, "500"), (b64encode(b""), "535")]:
        heard = talk(first + last + b"\r\nNOOP\r\n", terms=terms, tls=True)
        assert heard.codes[-3:] == ["334", code, "250"]
        assert heard.state is DialogueState.READY
        assert not heard.of(Login)


def test_a_client_that_logs_in_after_helo_hears_that_ehlo_comes_first():
    terms = Capabilities(hostname="h", mechanisms=ONLY_PLAIN)
    heard = talk(b"HELO a.example\r\nAUTH PLAIN " + PLAIN + b"\r\nNOOP\r\n", terms=terms, tls=True)
    assert heard.codes == ["250", "503", "250"]
    assert "503 5.5.1 Send EHLO first" in heard.output.decode()


@pytest.mark.parametrize("hello", [b"HELO", b"HELO ", b"EHLO"])
def test_a_device_need_not_say_its_name_where_old_forms_are_forgiven(hello):
    heard = talk(hello + b"\r\nMAIL FROM:a@example.com\r\n", terms=Capabilities(hostname="h", bare_addresses=True))
    assert heard.codes == ["250", "250"]
    assert [event.name for event in heard.of(Hello)] == ["unknown"]


@pytest.mark.parametrize("verb", sorted(VERBS - {"EHLO", "HELO", "AUTH", "STARTTLS", "NOOP", "RSET", "QUIT"}))
def test_where_auth_is_required_everything_else_is_530(verb):
    terms = Capabilities(hostname="h", mechanisms=ONLY_PLAIN, auth_required=True)
    assert talk(HELLO + verb.encode() + b"\r\n", terms=terms, tls=True).last == "530 5.7.0 Authentication required"


@pytest.mark.parametrize("verb", sorted(VERBS - {"EHLO", "STARTTLS", "NOOP", "QUIT"}))
def test_where_tls_is_required_everything_else_is_530(verb):
    terms = Capabilities(hostname="h", starttls=True, tls_required=True)
    assert talk(HELLO + verb.encode() + b"\r\n", terms=terms).last == "530 5.7.0 Must issue a STARTTLS command first"


# STARTTLS


def test_everything_learned_before_tls_is_forgotten():
    terms = Capabilities(hostname="h", mechanisms=ONLY_PLAIN, auth_needs_tls=False, starttls=True)
    heard = talk(HELLO + b"AUTH PLAIN " + PLAIN + b"\r\nSTARTTLS\r\n", terms=terms)
    before = (heard.dialogue.authenticated, heard.dialogue.extended)
    heard.dialogue.tls_started()
    after = (heard.dialogue.authenticated, heard.dialogue.extended)
    assert (before, after) == ((True, True), (False, False))
    assert heard.state is DialogueState.START
    say(heard, HELLO + b"STARTTLS\r\n")
    assert heard.last == "503 5.5.1 TLS already active"
    assert b"STARTTLS" not in heard.output.split(b"220 2.0.0")[1]


def test_a_refused_starttls_changes_nothing():
    heard = talk(
        HELLO + b"STARTTLS\r\nNOOP\r\n",
        lambda event: "454 4.7.0 Not now" if isinstance(event, StartTls) else agree(event),
        terms=WITH_AUTH,
    )
    assert heard.codes == ["250", "454", "250"]


def test_a_handshake_that_proved_too_little_leaves_only_quit():
    heard = begin()
    heard.dialogue.refuse_everything()
    say(heard, HELLO + b"NOOP\r\nQUIT\r\n")
    assert heard.codes == ["554", "554", "250"]


# Any chunking


COMMANDS = st.sampled_from(
    [
        HELLO,
        b"HELO c\r\n",
        b"MAIL FROM:<a@example.com> SIZE=100\r\n",
        b"MAIL FROM:<>\r\n",
        b"MAIL FROM:<bad\r\n",
        b"RCPT TO:<1@example.com>\r\n",
        b"RCPT TO:<2@example.com> NOTIFY=NEVER\r\n",
        b"DATA\r\n",
        b"line\r\n",
        b"..dot\r\n",
        b".\r\n",
        b"bare\nnewline\r\n",
        b"bare\rreturn\r\n",
        b"\r\n",
        b"\n.\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"AUTH PLAIN " + PLAIN + b"\r\n",
        b"AUTH LOGIN\r\n",
        b"ZGVtbw==\r\n",
        b"*\r\n",
        b"x" * 700 + b"\r\n",
        b"QUIT\r\n",
        b"\xff\xfe\r\n",
    ]
)


@given(st.lists(COMMANDS, max_size=14), st.data())
@settings(max_examples=5 * settings().max_examples)
def test_any_chunking_gives_the_same_events_and_replies(commands, data):
    stream = b"".join(commands)
    terms = Capabilities(hostname="h", mechanisms=MECHANISMS, auth_needs_tls=False)
    whole = talk(stream, terms=terms)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = begin(terms=terms)
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        say(pieces, stream[start:end])
    assert pieces.events == whole.events
    assert pieces.output == whole.output
    assert pieces.state is whole.state
    octet_by_octet = listen(begin(terms=terms))
    for octet in stream:
        say(octet_by_octet, bytes([octet]))
    assert octet_by_octet.output == whole.output


@given(st.binary(max_size=3000))
def test_no_octets_at_all_break_the_dialogue(data):
    heard = talk(HELLO + data)
    assert heard.closed or not heard.dialogue.awaiting_reply
    for line in heard.output.split(b"\r\n")[:-1]:
        assert re.fullmatch(rb"[2345]\d\d[ -][\x20-\x7e]*", line)


# Ends


def test_half_close_still_answers_what_came():
    heard = begin()
    heard.dialogue.receive_data(ROUTE + b"x\r\n.\r\n")
    heard.dialogue.receive_eof()
    listen(heard)
    assert heard.codes[-1] == "250"
    assert heard.of(ContentReceived)
    assert heard.closed


def test_half_close_inside_a_content_gives_no_message():
    heard = begin()
    heard.dialogue.receive_data(ROUTE + b"x\r\n.\r")
    heard.dialogue.receive_eof()
    listen(heard)
    assert not heard.of(ContentReceived)
    assert heard.closed


def test_shutting_down_says_421_to_the_idle_and_lets_a_content_finish():
    idle = talk(HELLO + ENVELOPE)
    idle.dialogue.shut_down()
    assert listen(idle).last == "421 4.3.2 Service shutting down, try again later"
    assert idle.closed
    busy = talk(ROUTE + b"half ")
    busy.dialogue.shut_down()
    assert not busy.closed
    say(busy, b"done\r\n.\r\n" + ENVELOPE)
    assert busy.codes[-2:] == ["250", "421"]
    assert busy.of(ContentReceived)[0].content == b"half done\r\n"
    assert len(busy.of(Mail)) == 1


def test_shutting_down_waits_for_the_answer_under_way():
    heard = begin()
    heard.dialogue.receive_data(HELLO)
    heard.dialogue.next_event()
    heard.dialogue.shut_down()
    closed = [heard.closed]
    heard.dialogue.reply("250 h")
    closed.append(heard.closed)
    assert closed == [False, True]
    assert heard.dialogue.data_to_send().endswith(b"250 h\r\n421 4.3.2 Service shutting down, try again later\r\n")


def test_a_refused_content_while_shutting_down_ends_too():
    heard = talk(ROUTE + b"bare\n")
    heard.dialogue.shut_down()
    assert say(heard, b"\r\n.\r\n").codes[-2:] == ["550", "421"]


def test_abandoned_it_says_nothing_more():
    heard = begin()
    heard.dialogue.receive_data(HELLO)
    heard.dialogue.next_event()
    heard.dialogue.abandon()
    assert heard.dialogue.data_to_send() == b""
    assert heard.closed
    assert not heard.dialogue.awaiting_reply


def test_a_reset_ends_the_transaction_even_where_the_handler_says_no():
    heard = talk(
        HELLO + ENVELOPE + b"RSET\r\n", lambda event: LOCAL_ERROR if isinstance(event, Reset) else agree(event)
    )
    assert heard.state is DialogueState.READY
