"""One connection to a directory: opened, made safe, bound, and asked; the only file that knows ldap3.

ldap3 writes the requests, filters among them. Its transport is not used: it waits without a total limit, copies what
arrived for every message, compares host names with what Python dropped, and reads a missing control as the last page.
Standards: RFC 4511 §4.14 (StartTLS), RFC 4513 §5 (binding), RFC 4515 (filters), RFC 4532 (Who am I).
"""

import os
import socket
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Any, Final

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.core.results import RESULT_CODES
from ldap3.operation.bind import bind_operation
from ldap3.operation.extended import extended_operation
from ldap3.operation.search import search_operation
from ldap3.operation.unbind import unbind_operation
from ldap3.protocol.controls import build_control
from ldap3.protocol.rfc4511 import Controls as ControlsOfRequest
from ldap3.protocol.rfc4511 import LDAPMessage, MessageID, ProtocolOp
from ldap3.utils.asn1 import encode

from addressbook.sources import BindMethod, LdapSource, LdapTls
from dirsync.ber import NotBer
from dirsync.ldap_messages import PASSING, Message, MessageCutter, Result, read_result
from dirsync.ldap_tls import secure
from dirsync.source import Controls, ReadFault, ReadFaultCode, SearchRequest

_START_TLS: Final = "1.3.6.1.4.1.1466.20037"
_WHO_AM_I: Final = "1.3.6.1.4.1.4203.1.11.3"
_SUCCESS: Final = 0
_CONNECT_SECONDS: Final = 15.0
_TAKEN_AT_ONCE: Final = 1 << 16


class LdapConnection:
    """A connection that is bound once it is open; `entries` counts what was read over it, for the faults.

    Each wait ends after the source's `answer_seconds`, all of them with its `deadline_seconds`.
    """

    def __init__(self, source: LdapSource, monotonic: Callable[[], float]) -> None:
        self._source = source
        self._monotonic = monotonic
        self._ends = monotonic() + source.deadline_seconds
        self._ids = count(1)
        self._inbox = MessageCutter()
        self._socket: socket.socket | None = None
        self.entries = 0

    def open(self) -> None:
        """Connect, begin TLS and bind, in this order; raises ReadFault."""
        source = self._source
        secret = b"" if source.bind is BindMethod.EXTERNAL else _read_secret(source.password_file, "password_file")
        if source.certificate_file:
            _read_secret(source.key_file, "key_file")
        self._socket = self._connect()
        if source.tls is LdapTls.STARTTLS:
            self._ask_for_tls(self._socket)
        if source.tls is not LdapTls.LOOPBACK_ONLY:
            self._socket = secure(self._socket, source)
        self._bind(secret)

    def close(self) -> None:
        """Say good-bye and close."""
        if self._socket is not None:
            with suppress(ReadFault):
                self._send("unbindRequest", unbind_operation())
            self._socket.close()

    def search(self, request: SearchRequest) -> Iterator[Message]:
        """Yield what the server says to a search, as it comes; raises ReadFault."""
        scope, wanted = str(request.scope), list(request.attributes)
        try:
            operation = search_operation(
                request.base, request.filter, scope, ldap3.DEREF_NEVER, wanted, request.most, 0, False, True, True
            )
        except LDAPException as error:
            raise ReadFault(ReadFaultCode.BAD_FILTER, filter=request.filter, cause=str(error)) from error
        return self._ask("searchRequest", operation, request.controls)

    def _connect(self) -> socket.socket:
        source = self._source
        try:
            found = socket.getaddrinfo(source.host, source.port, type=socket.SOCK_STREAM)
            addresses = [address[:2] for *_, address in found]
            if source.tls is LdapTls.LOOPBACK_ONLY and not all(_is_loopback(str(host)) for host, _ in addresses):
                raise ReadFault(ReadFaultCode.CLEAR_TEXT, host=source.host)
            return self._first_open(addresses)
        except (OSError, UnicodeError) as error:  # the latter for a name that can be none
            cause = getattr(error, "strerror", "") or str(error)
            raise ReadFault(ReadFaultCode.UNREACHABLE, is_passing=True, host=source.host, cause=cause) from error

    def _first_open(self, addresses: Sequence[Any]) -> socket.socket:
        for address in addresses[:-1]:
            with suppress(OSError):
                return self._opened(address)
        return self._opened(addresses[-1])

    def _opened(self, address: Any) -> socket.socket:
        opened = socket.create_connection(address, min(_CONNECT_SECONDS, self._patience()))
        opened.settimeout(self._patience())
        return opened

    def _ask_for_tls(self, connection: socket.socket) -> None:
        """Return once the server has agreed to begin TLS; whatever else it says, no bind follows."""
        result = self._result_of("extendedReq", extended_operation(_START_TLS))
        said = say(result)
        if result.code == _SUCCESS and not self._inbox.is_empty:
            said = "more words in clear after its consent"  # they would count as said under TLS
        elif result.code == _SUCCESS:
            return
        connection.close()
        raise ReadFault(ReadFaultCode.STARTTLS_REFUSED, host=self._source.host, result=said)

    def _bind(self, secret: bytes) -> None:
        source = self._source
        if source.bind is BindMethod.EXTERNAL:
            name = "EXTERNAL"
            request = bind_operation(3, ldap3.SASL, "", None, ldap3.EXTERNAL, "")
        else:
            name = source.bind_dn
            if not name:  # RFC 4513 §5.1.2: a password without a name binds as nobody
                raise ReadFault(ReadFaultCode.BOUND_AS_NOBODY, name=name)
            request = bind_operation(3, ldap3.SIMPLE, name, secret, auto_encode=True)
        result = self._result_of("bindRequest", request)
        if result.code in PASSING:
            raise ReadFault(ReadFaultCode.BUSY, is_passing=True, result=say(result), entries=0)
        if result.code != _SUCCESS:
            raise ReadFault(ReadFaultCode.BIND_REFUSED, name=name, result=say(result))
        who = self._result_of("extendedReq", extended_operation(_WHO_AM_I))
        if who.code == _SUCCESS and who.value in {b"", b"dn:"}:  # servers without this operation cannot tell
            raise ReadFault(ReadFaultCode.BOUND_AS_NOBODY, name=name)

    def _result_of(self, operation: str, request: Any) -> Result:
        for message in self._ask(operation, request):
            answer = message
        try:
            return read_result(answer)
        except NotBer as error:
            raise self._cut(str(error)) from error

    def _ask(self, operation: str, request: Any, controls: Controls = ()) -> Iterator[Message]:
        number = self._send(operation, request, controls)
        while True:
            message = self._next()
            if message.id != number:
                raise self._cut(self._why_not(message) or f"message {message.id} where {number} belongs")
            yield message
            if message.ends_the_answer:
                return

    def _why_not(self, message: Message) -> str:
        """Return what a notice of disconnection says (RFC 4511 §4.4.1)."""
        try:
            return say(read_result(message)) if message.id == 0 else ""
        except NotBer:
            return ""

    def _send(self, operation: str, request: Any, controls: Controls = ()) -> int:
        number = next(self._ids)
        message = LDAPMessage()
        message["messageID"] = MessageID(number)
        message["protocolOp"] = ProtocolOp().setComponentByName(operation, request)
        if controls:
            message["controls"] = ControlsOfRequest()
            for position, (oid, is_critical, value) in enumerate(controls):
                message["controls"].setComponentByPosition(
                    position, build_control(oid, is_critical, value, encode_control_value=False)
                )
        assert self._socket is not None, "it is not open"
        try:
            self._socket.settimeout(self._patience())
            self._socket.sendall(encode(message))
        except OSError as error:
            raise self._cut(str(error)) from error
        return number

    def _next(self) -> Message:
        """Return the next message; raises ReadFault where the server cuts, is silent, or says what is not LDAP."""
        assert self._socket is not None, "it is not open"
        try:
            while (message := self._inbox.next()) is None:
                self._socket.settimeout(self._patience())
                octets = self._socket.recv(_TAKEN_AT_ONCE)
                if not octets:
                    raise self._cut("the server closed the connection")
                self._inbox.add(octets)
        except TimeoutError as error:
            self._patience()  # the deadline has a fault of its own
            seconds = int(self._source.answer_seconds)
            raise ReadFault(ReadFaultCode.SILENT, is_passing=True, entries=self.entries, seconds=seconds) from error
        except (NotBer, OSError) as error:
            raise self._cut(str(error)) from error
        return message

    def _patience(self) -> float:
        """Return how long the next wait may be; raises ReadFault past the deadline."""
        left = self._ends - self._monotonic()
        if left <= 0:
            seconds = int(self._source.deadline_seconds)
            raise ReadFault(ReadFaultCode.TOO_LONG, entries=self.entries, seconds=seconds)
        return min(self._source.answer_seconds, left)

    def _cut(self, cause: str) -> ReadFault:
        return ReadFault(ReadFaultCode.CUT, is_passing=True, entries=self.entries, cause=cause[:300])


def say(result: Result) -> str:
    """Return the server's words for how an operation ended, with the standard's name for it."""
    return " ".join(filter(None, (str(result.code), RESULT_CODES.get(result.code, ""), result.said)))[:300]


def _is_loopback(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_loopback


def _read_secret(file: str, option: str) -> bytes:
    """Return what is in a secret's file, without its last line end; raises ReadFault if others may read it too."""
    if not file:
        raise ReadFault(ReadFaultCode.FILE_UNREADABLE, file=option, cause="it is not set")
    try:
        with Path(file).open("rb") as opened:
            if os.fstat(opened.fileno()).st_mode & (stat.S_IROTH | stat.S_IWOTH):
                raise ReadFault(ReadFaultCode.FILE_EXPOSED, file=file)
            secret = opened.read().rstrip(b"\r\n")
    except OSError as error:
        raise ReadFault(ReadFaultCode.FILE_UNREADABLE, file=file, cause=str(error.strerror)) from error
    if not secret:  # RFC 4513 §5.1.2: a name without a password binds as nobody
        raise ReadFault(ReadFaultCode.FILE_UNREADABLE, file=file, cause="it is empty")
    return secret
