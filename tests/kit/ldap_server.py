"""An LDAP server of any manners on loopback: it pages its entries, and does on a page what the test tells it to.

It says what RFC 4511 says, octet by octet, so that it can also say what no server of this world does. Each connection
has a thread, since our reader waits in the test's own.
"""

import base64
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self

from addressbook.sources import LdapSource, LdapTls
from dirsync.ber import ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE, SET, NotBer, element, integer, parts_of
from dirsync.controls import PAGED_RESULTS, paged_request
from dirsync.ldap_messages import Message, MessageCutter
from tests.kit.mail_servers import Identity
from tests.kit.patience import PATIENCE

START_TLS, WHO_AM_I = "1.3.6.1.4.1.1466.20037", "1.3.6.1.4.1.4203.1.11.3"
_BIND, _UNBIND, _SEARCH, _EXTENDED = 0x60, 0x42, 0x63, 0x77
_NAMES: Mapping[int, str] = {_BIND: "bind", _UNBIND: "unbind", _SEARCH: "search", _EXTENDED: "extended"}


class Manner(StrEnum):
    """What the server does on a page, beside ending it with a result code."""

    CLOSES = "closes the connection after half the page"
    CUTS = "closes it in the middle of a message"
    HANGS = "is silent after half the page"
    RESETS = "resets the connection after half the page"
    SAYS_GOODBYE = "gives notice of disconnection"
    FORGETS_PAGING = "leaves the control of the next page out"
    REPEATS = "gives the same cookie and no entry"
    STARTS_AGAIN = "gives the same cookie and the first page"
    GARBLES = "says what is not LDAP"
    REFERS = "has a part of the answer on another server"
    REPEATS_THE_LAST_ENTRY = "begins with the last entry of the page before"
    NAMELESS = "has an entry without the anchor"
    ANSWERS_ANOTHER = "answers a request that nobody made"


class _EndOfConnection(Exception):  # noqa: N818 - what the test wants, no defect
    """Raised where the server wants to close."""


@dataclass
class LdapServer:
    """A server of `entries` in pages of the size that is asked for; `on_page` says what it does on which, from 1 on.

    A result code on a page comes after half of its entries. `who` is its answer to «Who am I?», None if it knows no such
    operation. `start_tls` is its result for StartTLS; with `speaks_tls` False a success is followed by clear text.
    """

    entries: int = 10
    on_page: Mapping[int, int | Manner] = field(default_factory=dict)
    bind_code: int = 0
    who: bytes | None = b"dn:cn=reader"
    start_tls: int = 0
    speaks_tls: bool = True
    injected: bytes = b""
    context: ssl.SSLContext | None = None
    implicit: bool = False
    uri: str = "ldap://elsewhere.example.com/dc=example,dc=com"
    asked: list[str] = field(default_factory=list)
    """What was asked, in order; `tls:` before it where it came under TLS."""
    password_file: Path | None = None

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self._connections: list[socket.socket] = []
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)

    def source(self, tls: LdapTls = LdapTls.LOOPBACK_ONLY, **changes: object) -> LdapSource:
        """Return how all entries of this server are read, three on a page."""
        usual: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.port,
            "tls": tls,
            "base": "dc=example,dc=com",
            "filter": "(objectClass=person)",
            "bind_dn": "cn=reader",
            "password_file": str(self.password_file),
            "page_size": 3,
            "answer_seconds": 60.0,
        }
        return LdapSource(**(usual | changes))  # type: ignore[arg-type]

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        dialogue = _Dialogue(self, connection, self._over)
        with suppress(OSError, NotBer, _EndOfConnection):
            if self.implicit:
                dialogue.begin_tls()
            dialogue.run()
        dialogue.close()


class _Dialogue:
    """One connection."""

    def __init__(self, server: LdapServer, connection: socket.socket, over: threading.Event) -> None:
        self._server = server
        self._connection = connection
        self._over = over
        self._inbox = MessageCutter()

    def begin_tls(self) -> None:
        assert self._server.context is not None
        self._connection = self._server.context.wrap_socket(self._connection, server_side=True)

    def close(self) -> None:
        self._connection.close()

    def run(self) -> None:
        answers: Mapping[int, Callable[[Message], None]] = {
            _BIND: self._bind,
            _SEARCH: self._search,
            _EXTENDED: self._extended,
        }
        while (message := self._next()) is not None:
            said = _NAMES.get(message.kind, hex(message.kind))
            if message.kind == _EXTENDED:
                said = {START_TLS: "starttls", WHO_AM_I: "whoami"}.get(_name_of(message), "extended")
            under = "tls:" if isinstance(self._connection, ssl.SSLSocket) else ""
            self._server.asked.append(under + said)
            if message.kind == _UNBIND:
                return
            answers[message.kind](message)

    def _next(self) -> Message | None:
        while (message := self._inbox.next()) is None:
            octets = self._connection.recv(1 << 16)
            if not octets:
                return None
            self._inbox.add(octets)
        return message

    def _say(self, number: int, tag: int, *parts: bytes, controls: bytes = b"") -> None:
        self._connection.sendall(_message(number, tag, *parts, controls=controls))

    def _bind(self, message: Message) -> None:
        self._say(message.id, 0x61, *_result(self._server.bind_code))

    def _extended(self, message: Message) -> None:
        server = self._server
        if _name_of(message) == WHO_AM_I:
            if server.who is None:
                self._say(message.id, 0x78, *_result(2))
            else:
                self._say(message.id, 0x78, *_result(0), element(0x8B, server.who))
            return
        said = _message(message.id, 0x78, *_result(server.start_tls))
        self._connection.sendall(said + server.injected)
        if server.start_tls == 0 and server.speaks_tls:
            self.begin_tls()

    def _search(self, message: Message) -> None:
        (_, inside), *_rest = parts_of(message.controls[PAGED_RESULTS])
        (_, size_octets), (_, cookie) = parts_of(inside)
        server, size = self._server, int.from_bytes(size_octets)
        page = int(cookie or b"1")
        manner = server.on_page.get(page, 0)
        numbers = list(range((page - 1) * size + 1, min(page * size, server.entries) + 1))
        following = b"" if page * size >= server.entries else b"%d" % (page + 1)
        if manner is Manner.STARTS_AGAIN:
            numbers, following = list(range(1, size + 1)), cookie
        elif manner is Manner.REPEATS:
            numbers, following = [], cookie
        elif manner is Manner.REPEATS_THE_LAST_ENTRY:
            numbers.insert(0, numbers[0] - 1)
        elif manner is Manner.ANSWERS_ANOTHER:
            self._say(message.id + 1, 0x65, *_result(0))
        half = len(numbers) if isinstance(manner, Manner) and manner in _AT_THE_END else (len(numbers) + 1) // 2
        for number in numbers[: half if manner else None]:
            self._say(message.id, 0x64, *_entry(number, has_anchor=manner is not Manner.NAMELESS))
        if isinstance(manner, Manner):
            self._misbehave(manner, message.id)
            code = 0
        else:
            code = manner
        referral = element(0xA3, element(OCTET_STRING, server.uri.encode())) if code == 10 else b""
        control = element(
            SEQUENCE,
            element(OCTET_STRING, PAGED_RESULTS.encode()),
            element(OCTET_STRING, paged_request(0, following)),
        )
        controls = b"" if manner is Manner.FORGETS_PAGING else element(0xA0, control)
        self._say(message.id, 0x65, *_result(code), referral, controls=controls)

    def _misbehave(self, manner: Manner, number: int) -> None:
        if manner is Manner.CLOSES:
            raise _EndOfConnection
        if manner is Manner.RESETS:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            raise _EndOfConnection
        if manner is Manner.CUTS:
            whole = _message(number, 0x64, *_entry(99))
            self._connection.sendall(whole[: len(whole) // 2])
            raise _EndOfConnection
        if manner is Manner.HANGS:
            self._over.wait(600)
            raise _EndOfConnection
        if manner is Manner.SAYS_GOODBYE:
            self._say(0, 0x78, *_result(52), element(0x8A, b"1.3.6.1.4.1.1466.20036"))
            raise _EndOfConnection
        if manner is Manner.GARBLES:
            self._connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            raise _EndOfConnection
        if manner is Manner.REFERS:
            self._say(number, 0x73, element(OCTET_STRING, self._server.uri.encode()))


_AT_THE_END = frozenset(Manner) - {Manner.CLOSES, Manner.CUTS, Manner.HANGS, Manner.RESETS}


def anchor_of(number: int) -> str:
    """Return the anchor of one of the entries; the first is 1."""
    return f"00000000-0000-4000-8000-{number:012}"


def pin_of(identity: Identity) -> str:
    """Return the pin of a key."""
    return base64.b64encode(hashlib.sha256(identity.spki).digest()).decode("ascii")


def _name_of(message: Message) -> str:
    return next(content for _, content in parts_of(message.data[message.start : message.end])).decode("ascii")


def _message(number: int, tag: int, *parts: bytes, controls: bytes = b"") -> bytes:
    return element(SEQUENCE, integer(number, INTEGER), element(tag, *parts), controls)


def _result(code: int) -> Iterator[bytes]:
    yield integer(code, ENUMERATED)
    yield element(OCTET_STRING)
    yield element(OCTET_STRING, f"this is result {code}".encode() if code else b"")


def _entry(number: int, *, has_anchor: bool = True) -> tuple[bytes, bytes]:
    values = {"mail": f"user{number}@example.com"}
    if has_anchor:
        values["entryUUID"] = anchor_of(number)
    attributes = (
        element(SEQUENCE, element(OCTET_STRING, name.encode()), element(SET, element(OCTET_STRING, value.encode())))
        for name, value in values.items()
    )
    return element(OCTET_STRING, f"uid=user{number},dc=example,dc=com".encode()), element(SEQUENCE, *attributes)
