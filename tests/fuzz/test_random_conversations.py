"""Conversations put together at random from what clients and attackers say: each keeps what `conversations` demands."""

import re
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mta.smtp.engine.events import ContentReceived, Login, Noticed
from tests.fuzz.conversations import PIECES, Judge, seeds, take

MANY = 2 * settings().max_examples
OPTIONS = st.fixed_dictionaries({"tls": st.booleans(), "normalises": st.booleans(), "required": st.booleans()})
PIECE = st.sampled_from(PIECES) | st.binary(max_size=20)
MAIL = [PIECES[0], PIECES[3], PIECES[8], b"DATA\r\n"]


def agree(_below: int) -> int:
    return 0


@given(st.binary(max_size=400))
@settings(max_examples=MANY)
def test_any_octets_are_a_conversation_that_keeps_the_rules(raw):
    take(raw)


@given(st.lists(PIECE, max_size=40), st.lists(PIECE, max_size=10), st.integers(0, 255), OPTIONS)
@settings(max_examples=MANY, suppress_health_check=[HealthCheck.too_slow])
def test_any_pieces_are_a_conversation_that_keeps_the_rules(pieces, content, seed, options):
    chosen = [*pieces, *MAIL, *content, b"\r\n.\r\n"]
    indices = b"".join(b"\xfe" + bytes([PIECES.index(piece)]) if piece in PIECES else _plain(piece) for piece in chosen)
    flags = options["tls"] | options["normalises"] << 1 | options["required"] << 2
    take(bytes([flags, 0, seed]) + indices)


@given(st.lists(PIECE, max_size=25), st.data(), OPTIONS)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_the_same_octets_in_other_portions_are_the_same_conversation(pieces, data, options):
    stream = b"".join([*MAIL, *(piece[:700] for piece in pieces), b"\r\n.\r\n"])
    whole, portions, single = (Judge(agree, **options) for _ in range(3))
    whole.say(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        portions.say(stream[start:end])
    for octet in stream:
        single.say(bytes([octet]))
    for other in (portions, single):
        if not any(isinstance(event, Noticed) and event.incident == "starttls_injection" for event in whole.events):
            assert said(other) == said(whole)
            assert _told(other) == _told(whole)
        other.finish()


@pytest.mark.parametrize("piece", range(len(PIECES)), ids=lambda index: ascii(PIECES[index])[2:30])
def test_nothing_that_is_said_again_and_again_takes_memory(piece):
    octets = PIECES[piece] * max(1, 2**14 // len(PIECES[piece]))
    for before in ([], MAIL):
        judge = Judge(agree, size=50_000)
        for each in before:
            judge.say(each)
        judge.say(octets)
        judge.dialogue.data_to_send()
        tracemalloc.start()
        try:
            for _ in range(30):
                judge.dialogue.receive_data(octets)
                for event in judge.dialogue.events():
                    if not isinstance(event, Noticed):
                        judge._answer(event)
                judge.dialogue.data_to_send()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 400_000


def test_what_the_search_begins_with_keeps_the_rules():
    for raw in seeds():
        take(raw)


def test_every_mechanism_comes_to_its_login_and_a_whole_mail_to_its_content():
    logins = [
        [b"AUTH PLAIN AGRlbW8Ac2VjcmV0\r\n"],
        [b"AUTH LOGIN\r\n", b"ZGVtbw==\r\n", b"ZGVtbw==\r\n"],
        [b"AUTH EXTERNAL =\r\n"],
        [piece for piece in PIECES if piece.startswith(b"AUTH OAUTHBEARER ")],
        [piece for piece in PIECES if piece.startswith(b"AUTH XOAUTH2 ")],
        [b"AUTH SCRAM-SHA-256\r\n", b"biwsbj1kZW1vLHI9Yw==\r\n", *[piece for piece in PIECES if piece.startswith(b"Yz1iaXdzLHI9Y3NlcnZlc")][-1:], b"\r\n"],
    ]  # fmt: skip
    for login in logins:
        judge = Judge(lambda below: below == 2)
        for piece in (PIECES[0], *login, *MAIL, b"..x\r\n.\r\n"):
            judge.say(piece)
        assert [event.login for event in judge.events if isinstance(event, Login)][-1] in {b"demo", b""}, login
        assert b"\r\n235 " in judge.output, login
        assert judge.contents == [b".x\r\n"]
        judge.finish()


def said(judge: Judge) -> bytes:
    """Return the replies; of a content with several faults it depends on the portions which of them is named."""
    return re.sub(rb"\n55[024] 5\.(6\.11|6\.0|3\.4) [^\r]*", b"\n5 refused", judge.output)


def _plain(piece: bytes) -> bytes:
    return piece.replace(b"\xfe", b"").replace(b"\xff", b"")


def _told(judge: Judge) -> list[object]:
    return [event.content if isinstance(event, ContentReceived) else type(event) for event in judge.events]
