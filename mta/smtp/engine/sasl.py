"""SASL mechanisms as exchanges of octets in one or more steps: PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login).

A mechanism is pure: its maker gives it what it must know. Not here: when AUTH is allowed (mta.smtp.engine.dialogue),
whether a password is right (gateway.auth).
"""

import binascii
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

from mta.smtp.engine import replies
from mta.smtp.engine.replies import Reply

LINE_OCTETS: Final = 12288  # RFC 4954 §4, with CRLF


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What the server sends next, before base64."""

    octets: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The result of an exchange."""

    login: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The result of an exchange that ends in something else than a password; who proves logins knows its `content`.

    `login` may be empty where the content says it.
    """

    login: bytes
    content: object = field(repr=False)


class Mechanism(Protocol):
    """One exchange of one mechanism."""

    def begin(self) -> Challenge:
        """Return the challenge for a client that sent no initial response."""

    def take(self, response: bytes) -> Challenge | Credentials | Claim | Reply:
        """Take a decoded response; anything but a challenge ends the mechanism's part."""


class Plain:
    """RFC 4616."""

    def begin(self) -> Challenge:
        """Return an empty challenge."""
        return Challenge(octets=b"")

    def take(self, response: bytes) -> Credentials | Reply:
        """Take authorisation identity, login and password, divided by NUL."""
        words = response.split(b"\0")
        if len(words) != 3 or not words[1]:
            return replies.AUTH_NOT_BASE64
        if words[0] not in {b"", words[1]}:
            return replies.AUTH_INVALID  # nobody may act for another user, RFC 4616 §2
        return Credentials(login=words[1], password=words[2])


class LoginThenPassword:
    """LOGIN, which asks for the login and then for the password."""

    __slots__ = ("_login",)

    def __init__(self) -> None:
        self._login: bytes | None = None

    def begin(self) -> Challenge:
        """Ask for the login."""
        return Challenge(octets=b"Username:")

    def take(self, response: bytes) -> Challenge | Credentials:
        """Take the login, then the password."""
        if self._login is None:
            self._login = response
            return Challenge(octets=b"Password:")
        return Credentials(login=self._login, password=response)


MakeMechanism = Callable[[], Mechanism]
MECHANISMS: Final[Mapping[str, MakeMechanism]] = MappingProxyType({"LOGIN": LoginThenPassword, "PLAIN": Plain})


class Exchange:
    """One AUTH exchange as lines: base64 around a mechanism (RFC 4954 §4)."""

    __slots__ = ("_mechanism", "name")

    def __init__(self, name: str, mechanism: Mechanism) -> None:
        self.name = name
        self._mechanism = mechanism

    def begin(self) -> bytes:
        """Return the line that follows `334 ` for a client that sent no initial response."""
        return b64encode(self._mechanism.begin().octets)

    def take(self, line: bytes) -> bytes | Credentials | Claim | Reply:
        """Take one line of the client, a star to cancel; return the next challenge or what ends the exchange."""
        if len(line) + 2 > LINE_OCTETS:
            return replies.AUTH_LINE_TOO_LONG
        if line == b"*":
            return replies.AUTH_CANCELLED
        try:
            response = binascii.a2b_base64(line, strict_mode=True)
        except binascii.Error:
            return replies.AUTH_NOT_BASE64
        found = self._mechanism.take(response)
        return b64encode(found.octets) if isinstance(found, Challenge) else found
