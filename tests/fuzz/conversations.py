"""Conversations made to hurt, and what every one of them must keep; shared by the sample and the search.

`Judge` plays a client's octets to one dialogue, answers its events, and looks at everything that comes out with rules of
its own, which know nothing of how the dialogue works. `take` makes such a conversation of any octets.
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

from scramp import ScramClient

from gateway.auth.scram import MECHANISM, ScramExchange, make_verifier
from mta.mechanisms import External, OAuthBearer, Scram, XOAuth2
from mta.smtp.engine.content import ContentLimits, ContentRoom
from mta.smtp.engine.dialogue import Dialogue
from mta.smtp.engine.events import (
    Capabilities,
    ContentReceived,
    Data,
    DialogueLimits,
    Event,
    Hello,
    Incident,
    Login,
    Mail,
    Noticed,
    Quit,
    Rcpt,
    Reset,
    StartTls,
)
from mta.smtp.engine.replies import AUTH_INVALID, AUTHENTICATED, LOCAL_ERROR, OK, READY_FOR_TLS
from mta.smtp.engine.sasl import MECHANISMS, MakeMechanism
from tests.kit.ends_of_data import ENDS

_VERIFIER = make_verifier("secret", salt=b"salt of the test", iterations=4096)
_REPLY_LINE = re.compile(rb"[2345][0-9]{2}[ -][\x20-\x7e]{0,600}")
_CHALLENGE = re.compile(rb"334 [A-Za-z0-9+/=]*")
_NO, _LATER, _GOING = "550 5.7.1 No\r\n250 injected", str(LOCAL_ERROR), "421 4.3.2 Going"
_ANSWERS: tuple[str, ...] = (str(OK),) * 12 + (_NO, _LATER, _GOING)


def mechanisms() -> Mapping[str, MakeMechanism]:
    """Return every mechanism of the product; SCRAM with a nonce that is always the same."""
    scram: MakeMechanism = lambda: Scram(ScramExchange(lambda _login: _VERIFIER, "server"))  # noqa: E731
    return {**MECHANISMS, MECHANISM: scram, "EXTERNAL": External, "OAUTHBEARER": OAuthBearer, "XOAUTH2": XOAuth2}


class Judge:
    """One conversation under judgement. `choose(n)` returns a number below n for each answer."""

    def __init__(
        self,
        choose: Callable[[int], int],
        *,
        tls: bool = False,
        normalises: bool = False,
        required: bool = False,
        size: int = 5_000,
    ) -> None:
        self.contents: list[bytes] = []
        self.events: list[Event] = []
        self.output = b""
        self.room = ContentRoom(2 * size)
        self.dialogue = Dialogue(
            Capabilities(
                hostname="mx.example.net",
                mechanisms=mechanisms(),
                starttls=True,
                tls_required=required,
                auth_required=required,
                auth_needs_tls=required,
            ),
            DialogueLimits(recipients=20, content=ContentLimits(size=size, line=2_000, normalises=normalises)),
            now=0.0,
            tls=tls,
            room=self.room,
        )
        self._choose = choose
        self._required, self._normalises, self._size = required, normalises, size
        self._now = 0.0
        self._tls = tls
        self._stream = bytearray()
        self._hello = self._mail = self._authenticated = False
        self._recipients = self._contents_due = self._lines = 0
        self._claims = _Claims(choose)
        self.dialogue.greet()
        self._listen()

    def say(self, octets: bytes) -> None:
        """Send octets in one piece."""
        if self.dialogue.closed:
            return
        self._stream += octets
        self._lines += octets.count(b"\n")
        self.dialogue.receive_data(octets)
        self._listen()

    def wait(self, seconds: float) -> None:
        self._now += seconds
        self.dialogue.tick(self._now)
        self._listen()

    def hang_up(self) -> None:
        """End the client's side; whatever comes after it is not the client's."""
        self.dialogue.receive_eof()
        self._listen()
        assert self.dialogue.closed

    def shut_down(self) -> None:
        self.dialogue.shut_down()
        self._listen()

    def finish(self) -> None:
        """Drop the connection: nothing may be left of it."""
        self.dialogue.abandon()
        self.dialogue.content_done()
        assert self.dialogue.next_event() is None
        assert self.dialogue.data_to_send() == b""
        assert self.room.take(2 * self._size) is None, "a content kept its room"
        replies = len(re.findall(rb"^[0-9]{3} ", self.output, re.MULTILINE))
        assert replies <= self._lines + 4, "more replies than lines"
        assert len(self.contents) <= self._stream.count(b"\r\n.\r\n"), "a content without an end"

    def _listen(self) -> None:
        for event in self.dialogue.events():
            self.events.append(event)
            if not isinstance(event, Noticed):
                self._judge(event)
                self._answer(event)
            elif event.incident is Incident.CONTENT_REFUSED:
                self._mail, self._recipients, self._contents_due = False, 0, 0
        output = self.dialogue.data_to_send()
        self.output += output
        lines = output.split(b"\r\n")
        assert lines.pop() == b"", "an unfinished line"
        for line in lines:
            assert (_CHALLENGE if line.startswith(b"334 ") else _REPLY_LINE).fullmatch(line), line
        for line, following in pairwise(lines):
            assert line[3:4] != b"-" or following[:3] == line[:3], "a reply inside a reply"
        assert not lines or lines[-1][3:4] == b" ", "a reply without an end"

    def _judge(self, event: Event) -> None:
        """Compare an event with what may come now."""
        secure = (self._tls and self._authenticated) or not self._required
        match event:
            case Mail():
                assert self._hello
                assert secure
                assert not self._mail, "a second MAIL"
            case Rcpt():
                assert self._mail
                assert self._recipients < 20
            case Data():
                assert self._mail
                assert self._recipients
            case ContentReceived(content=content):
                assert self._contents_due == 1, "a content that was not asked for"
                self._judge_content(content)
            case StartTls():
                assert not self._tls
                assert not self._mail
            case Login():
                assert self._hello
                assert not self._authenticated
                assert self._tls or not self._required
                assert not self._mail

    def _judge_content(self, content: bytes) -> None:
        assert len(content) <= self._size
        assert content.count(b"\r\n") == content.count(b"\r") == content.count(b"\n")
        assert content == b"" or content.endswith(b"\r\n")
        assert b"\0" not in content
        if not self._normalises:
            said = self._stream.replace(b"\r\n.", b"\r\n")  # RFC 5321 §4.5.2
            assert b"\r\n" + content + b"\r\n" in said, "a content that nobody sent"
        self.contents.append(content)

    def _answer(self, event: Event) -> None:
        answer = _ANSWERS[self._choose(len(_ANSWERS))]
        if isinstance(event, Login):
            answer = self._claims.answer(self.dialogue, event)
            if not answer:
                return
        elif isinstance(event, StartTls):
            answer = str(READY_FOR_TLS) if answer == str(OK) else answer
        elif isinstance(event, Data) and answer == str(OK):
            self.dialogue.take_content((None, 10)[self._choose(8) == 7])
            self._contents_due = 1
            return
        done = answer[0] == "2"
        if isinstance(event, Hello) and done:
            self.dialogue.reply(self.dialogue.ehlo_lines() if event.extended else "250 mx.example.net")
        else:
            self.dialogue.reply(answer)
        if isinstance(event, ContentReceived):
            self.dialogue.content_done()
        self._follow(event, done=done)
        if isinstance(event, StartTls) and done and not self.dialogue.closed and self._choose(4):
            self._shake_hands()

    def _follow(self, event: Event, *, done: bool) -> None:
        match event:
            case Hello():
                self._hello = self._hello or done
                self._mail, self._recipients = False, 0
            case Mail():
                self._mail, self._recipients = done, 0
            case Rcpt():
                self._recipients += done
            case Reset() | ContentReceived() | Quit():
                self._mail, self._recipients, self._contents_due = False, 0, 0
            case Login():
                self._authenticated = done

    def _shake_hands(self) -> None:
        self.dialogue.tls_started()
        self._tls = True
        self._stream.clear()
        self._hello = self._mail = self._authenticated = False
        self._recipients = self._contents_due = 0
        self.contents.clear()


class _Claims:
    """Proves logins: SCRAM as the product does, all else by chance."""

    def __init__(self, choose: Callable[[int], int]) -> None:
        self._choose = choose
        self.proven = False

    def answer(self, dialogue: Dialogue, event: Login) -> str:
        """Return the reply to a login, empty where a last challenge went out in its place."""
        if event.heard:
            return str(AUTHENTICATED if self.proven else AUTH_INVALID)
        if isinstance(event.claim, ScramExchange):
            final = event.claim.finish()
            self.proven = final is not None
        else:
            self.proven = self._choose(2) == 1
            final = b'{"status":"invalid_token"}' if not self.proven and event.claim is not None else None
        if final is not None:
            dialogue.challenge(final)
            return ""
        return str(AUTHENTICATED if self.proven else AUTH_INVALID)


def _b64(text: str) -> bytes:
    return base64.b64encode(text.encode()) + b"\r\n"


def _scram_final() -> bytes:
    """Return the client's last message for the nonce `c` and the password of the verifier."""
    client = ScramClient([MECHANISM], "demo", "secret", c_nonce="c")
    client.get_client_first()
    server = ScramExchange(lambda _login: _VERIFIER, "server")
    client.set_server_first((server.answer_first(b"n,,n=demo,r=c") or b"").decode())
    return _b64(client.get_client_final())


_TOKEN = "n,a=demo,\x01auth=Bearer abc\x01\x01"
PIECES: tuple[bytes, ...] = (
    b"EHLO client.example.com\r\n", b"HELO client\r\n", b"EHLO \r\n", b"MAIL FROM:<a@example.com>\r\n", b"MAIL FROM:<>\r\n",
    b"MAIL FROM:<a@example.com> SIZE=100 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=x\r\n", b"MAIL FROM:<a@example.com> BODY=BINARYMIME\r\n",
    b"MAIL FROM:<bad\r\n", b"RCPT TO:<447700900123@sms.example.net>\r\n", b"RCPT TO:<b@example.com> NOTIFY=NEVER ORCPT=rfc822;b\r\n", b"RCPT TO:<>\r\n",
    b"DATA\r\n", b"DATA\n", b"DATA x\r\n", b".\r\n", b"..\r\n", b"\r\n.\r\n", b"text\r\n", b"\r\n", b"\r", b"\n", b"\0", b".", b"\xff", b" ",
    b"RSET\r\n", b"NOOP\r\n", b"VRFY a\r\n", b"EXPN a\r\n", b"HELP\r\n", b"QUIT\r\n", b"XYZZY\r\n", b"GET / HTTP/1.1\r\n",
    b"STARTTLS\r\n", b"STARTTLS\r\nEHLO injected\r\n", b"\x16\x03\x01\x00\x05",
    b"BDAT 5 LAST\r\n", b"BDAT 0\r\n", b"BURL x LAST\r\n",
    b"AUTH PLAIN\r\n", b"AUTH PLAIN AGRlbW8Ac2VjcmV0\r\n", b"AUTH PLAIN =\r\n", b"AUTH LOGIN\r\n", b"AUTH LOGIN ZGVtbw==\r\n", b"AUTH\r\n", b"AUTH X x y\r\n",
    b"AUTH EXTERNAL =\r\n", b"AUTH EXTERNAL\r\n", b"AUTH EXTERNAL ZGVtbw==\r\n", b"AUTH SCRAM-SHA-256\r\n", b"AUTH SCRAM-SHA-256 " + _b64("n,,n=demo,r=c"),
    b"AUTH SCRAM-SHA-256 " + _b64("y,a=demo,n=de=2Cmo,r=c"), b"AUTH SCRAM-SHA-256-PLUS =\r\n", b"AUTH OAUTHBEARER " + _b64(_TOKEN), b"AUTH OAUTHBEARER\r\n",
    b"AUTH XOAUTH2 " + _b64("user=demo\x01auth=Bearer abc\x01\x01"), b"AUTH XOAUTH2\r\n",
    b"*\r\n", b"=\r\n", b"ZGVtbw==\r\n", b"AQ==\r\n", _b64("n,,n=demo,r=c"), _b64(_TOKEN), _b64("c=biws,r=cserver,p=AAAA"), _b64("\0demo\0secret"), _scram_final(),
    b"x" * 600, b"x" * 13_000, b"y" * 2_100 + b"\r\n", b"RCPT TO:<c@example.com>\r\n" * 25, b"NOOP\r\n" * 60,
    *ENDS.values(),
)  # fmt: skip


def take(raw: bytes) -> Judge:
    """Play a conversation that any octets describe.

    The first says what the listener demands, the second how many octets come in a piece, the third begins the answers.
    Of the rest FE and the octet behind it are a whole piece of `PIECES`, FF and the octet behind it something else that
    happens, and all others are what the client says.
    """
    flags, pieces, seed = (*raw[:3], 0, 0, 0)[:3]
    judge = Judge(
        _answers_of(seed), tls=bool(flags & 1), normalises=bool(flags & 2), required=bool(flags & 4), size=5_000
    )
    said = bytearray()

    def send() -> None:
        step = pieces or len(said) or 1
        for start in range(0, len(said), step):
            judge.say(bytes(said[start : start + step]))
        said.clear()

    rest = iter(raw[3:])
    for octet in rest:
        if octet == 0xFE:
            said += PIECES[next(rest, 0) % len(PIECES)]
        elif octet == 0xFF:
            send()
            _happen(judge, next(rest, 0))
        else:
            said.append(octet)
    send()
    judge.finish()
    return judge


def _happen(judge: Judge, what: int) -> None:
    if what < 200:
        judge.wait(what)
    elif what < 220:
        judge.shut_down()
    elif what < 240:
        judge.hang_up()


def _answers_of(seed: int) -> Callable[[int], int]:
    """Return a chooser that agrees with everything for 0, and else goes its own way."""
    state = seed

    def choose(below: int) -> int:
        nonlocal state
        state = (state * 1_103_515_245 + 12_345) % 2**31 if seed else 0
        return (state >> 8) % below

    return choose


def seeds() -> Iterator[bytes]:
    """Yield conversations for a search to begin with: whole ones, and each piece alone after EHLO."""
    head = b"\x00\x00\x00"
    mail = b"EHLO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\n"
    yield head + mail + mail + b"QUIT\r\n"
    yield b"\x04\x05\x07" + b"EHLO c\r\nSTARTTLS\r\nEHLO c\r\nAUTH PLAIN AGRlbW8Ac2VjcmV0\r\n" + mail
    for number in range(len(PIECES)):
        yield head + b"\xfe\x00\xfe" + bytes([number]) + b"\xfe\x03\xfe\x08\xfe\x0b"
