"""Replies of mail servers, without a socket: what is one reply, which code it has, and what a server offers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.sending.login import password_exchanges
from mta.sending.replies import MOST_HELD, ReplyKind, ReplyReader, ServerReply, read_extensions


def read(data: bytes) -> list[ServerReply]:
    reader = ReplyReader()
    assert reader.feed(data)
    found = []
    while (reply := reader.take()) is not None:
        found.append(reply)
    return found


@pytest.mark.parametrize(
    ("data", "code", "lines"),
    [
        (b"250 2.0.0 fine\r\n", 250, ("2.0.0 fine",)),
        (b"250\r\n", 250, ("",)),
        (b"250 \n", 250, ("",)),
        (b"200 taken\r\n", 200, ("taken",)),
        (b"299 taken\r\n", 299, ("taken",)),
        (b" 250 fine\r\n", 250, ("fine",)),
        (b"250fine\r\n", 250, ("fine",)),
        (b"250\tfine\r\n", 250, ("fine",)),
        (b"250 caf\xe9 \xff\r\n", 250, ("caf\ufffd \ufffd",)),
        (b"250-one\r\n250 two\r\n", 250, ("one", "two")),
        (b"250-one\r\n250-\r\n250\r\n", 250, ("one", "", "")),
        # RFC 5321 §4.2.1: the codes must be the same; where they are not, the last one counts
        (b"250-one\r\n450 two\r\n", 450, ("one", "two")),
        (b"250-one\r\nmore of it\r\n250 two\r\n", 250, ("one", "more of it", "two")),
        (b"150 wait\r\n250 fine\r\n", 250, ("fine",)),
        (b"what?\r\n", 0, ("what?",)),
        (b"\r\n \r\n250 fine\r\n", 250, ("fine",)),
        (b"2500 fine\r\n", 0, ("2500 fine",)),
        (b"650 fine\r\n", 0, ("650 fine",)),
        (b"-25 fine\r\n", 0, ("-25 fine",)),
    ],
)
def test_a_reply_has_the_code_of_its_last_line(data, code, lines):
    (reply,) = read(data)
    assert (reply.code, reply.lines) == (code, lines)


@pytest.mark.parametrize(
    ("data", "taken"),
    [
        (b"250 ok\r\n", True),
        (b"200 ok\r\n", True),
        (b"299\r\n", True),
        (b"2.0.0 ok\r\n", True),
        (b"25 ok\r\n", True),
        (b"2500 ok\r\n", True),
        (b"250-ok\r\n450 but\r\n", True),
        (b"450-not\r\n250 yet\r\n", True),
        (b"354 go on\r\n", False),
        (b"450 2 many mails\r\n", False),
        (b"what?\r\n", False),
        (b"\r\n250 ok\r\n", True),
    ],
)
def test_after_the_dot_a_first_digit_2_says_that_the_mail_was_taken(data, taken):
    (reply,) = read(data)
    assert reply.takes_mail is taken


def test_what_only_began_is_a_reply_when_it_is_asked_for():
    reader = ReplyReader()
    reader.feed(b"250-one\r\n250-tw")
    assert reader.take() is None
    begun = reader.take_unfinished()
    assert begun is not None
    assert (begun.code, begun.lines) == (250, ("one", "tw"))
    assert reader.take_unfinished() is None


def test_a_reader_holds_so_much_and_no_more():
    reader = ReplyReader()
    assert reader.feed(b"x" * MOST_HELD)
    assert not reader.feed(b"x")


_WHOLE = [
    b"250 ok\r\n",
    b"250-a\r\n250-b\r\n250 c\r\n",
    b"354 go\r\n",
    b"\n",
    b"550 no\r\n",
    b"250-x\n250 y\n",
    b"what?\n",
]


@given(
    replies=st.lists(st.sampled_from(_WHOLE), min_size=1, max_size=5), cuts=st.lists(st.integers(0, 200), max_size=8)
)
def test_any_chunking_gives_the_same_replies(replies, cuts):
    whole = b"".join(replies)
    reader, found = ReplyReader(), []
    borders = sorted({min(cut, len(whole)) for cut in (0, *cuts, len(whole))})
    for start, end in pairwise(borders):
        reader.feed(whole[start:end])
        while (reply := reader.take()) is not None:
            found.append(reply)
    assert found == [reply for each in replies for reply in read(each)]
    assert reader.take_unfinished() is None


@given(st.binary(max_size=300))
def test_no_octets_break_the_reader(data):
    reader = ReplyReader()
    reader.feed(data)
    while (reply := reader.take()) is not None:
        assert reply.code == 0 or any(reply.is_kind(kind) for kind in ReplyKind)
    reader.take_unfinished()


@pytest.mark.parametrize(
    ("lines", "extensions"),
    [
        (("mx", "SIZE 1000", "8bitmime", ""), {"size": "1000", "8bitmime": ""}),
        (("mx", "AUTH GSSAPI NTLM LOGIN"), {"auth": "GSSAPI NTLM LOGIN"}),
        (("mx", "AUTH=LOGIN PLAIN"), {"auth": "LOGIN PLAIN"}),
        (("mx", "AUTH LOGIN", "AUTH=LOGIN PLAIN"), {"auth": "LOGIN LOGIN PLAIN"}),
        (("mx", "AUTH\tLOGIN"), {"auth": "LOGIN"}),
        (("STARTTLS",), {}),
        (("mx", " STARTTLS "), {"starttls": ""}),
    ],
)
def test_extensions_are_read_as_servers_write_them(lines, extensions):
    assert read_extensions(ServerReply(code=250, lines=lines, first="")) == extensions


@pytest.mark.parametrize(
    ("offered", "first"),
    [
        ("PLAIN LOGIN", [b"AUTH PLAIN AGFubmEAcHc="]),
        ("LOGIN PLAIN", [b"AUTH PLAIN AGFubmEAcHc="]),
        ("gssapi ntlm login", [b"AUTH LOGIN", b"YW5uYQ==", b"cHc="]),
        ("CRAM-MD5", None),
        ("", None),
    ],
)
def test_a_password_goes_by_plain_or_else_by_login(offered, first):
    ways = password_exchanges(offered, "anna", "pw")
    assert (list(ways[0][: len(first)]) == first) if first else not ways
