"""The two password mechanisms as exchanges of octets: PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login).

Not here: when AUTH is allowed (mta.smtp.engine.dialogue), whether a password is right (mta.identify).
"""

import binascii
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final

from mta.smtp.engine import replies
from mta.smtp.engine.replies import Reply

LINE_OCTETS: Final = 12288  # RFC 4954 §4, with CRLF
MECHANISMS: Final = frozenset({"PLAIN", "LOGIN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What to send after `334 `, in base64."""

    octets: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The result of an exchange."""

    login: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaslResponse:
    """A decoded response of a foreign mechanism."""

    octets: bytes = field(repr=False)


class Exchange:
    """One AUTH exchange: of a mechanism in `MECHANISMS`, or a `foreign` one whose responses are only decoded."""

    __slots__ = ("_login", "foreign", "mechanism")

    def __init__(self, mechanism: str, *, foreign: bool = False) -> None:
        self.mechanism = mechanism
        self.foreign = foreign
        self._login: bytes | None = None

    def begin(self) -> Challenge:
        """Return the challenge for a client that sent no initial response."""
        return Challenge(octets=b"" if self.mechanism == "PLAIN" else b64encode(b"Username:"))

    def take(self, line: bytes) -> Challenge | Credentials | SaslResponse | Reply:
        """Take one line of the client, RFC 4954 §4: base64, or a star to cancel. A reply ends the exchange."""
        if len(line) + 2 > LINE_OCTETS:
            return replies.AUTH_LINE_TOO_LONG
        if line == b"*":
            return replies.AUTH_CANCELLED
        try:
            response = binascii.a2b_base64(line, strict_mode=True)
        except binascii.Error:
            return replies.AUTH_NOT_BASE64
        if self.foreign:
            return SaslResponse(octets=response)
        return self._plain(response) if self.mechanism == "PLAIN" else self._next_of_login(response)

    def _plain(self, response: bytes) -> Credentials | Reply:
        words = response.split(b"\0")
        if len(words) != 3 or not words[1]:
            return replies.AUTH_NOT_BASE64
        if words[0] not in {b"", words[1]}:
            return replies.AUTH_INVALID  # nobody may act for another user, RFC 4616 §2
        return Credentials(login=words[1], password=words[2])

    def _next_of_login(self, response: bytes) -> Challenge | Credentials:
        if self._login is None:
            self._login = response
            return Challenge(octets=b64encode(b"Password:"))
        return Credentials(login=self._login, password=response)
