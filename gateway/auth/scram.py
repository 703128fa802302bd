"""SCRAM-SHA-256 (RFC 5802, RFC 7677): its verifier, and the server's half of an exchange as octets in and out.

The nonce is an argument. Channel binding is not offered. Not here: base64 and challenges (mta.smtp.engine.sasl), how
guesses are bounded (authenticator).
"""

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from scramp import ScramException, ScramMechanism
from scramp.utils import saslprep

MECHANISM: Final = "SCRAM-SHA-256"
ITERATIONS: Final = 65_536  # RFC 7677 §4 has 4096 as the least
_STORED: Final = re.compile(r"SCRAM-SHA-256\$([0-9]+):([^$:]+)\$([^$:]+):([^$:]+)")  # RFC 5803 §3
_SALT_OCTETS: Final = 16
_KEY_OCTETS: Final = 32


@dataclass(frozen=True, slots=True)
class ScramVerifier:
    """What proves a password without being it, and without being of use as one (RFC 5802 §9)."""

    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)
    iterations: int = ITERATIONS

    def __str__(self) -> str:
        salt, stored, server = (
            base64.b64encode(octets).decode("ascii") for octets in (self.salt, self.stored_key, self.server_key)
        )
        return f"{MECHANISM}${self.iterations}:{salt}${stored}:{server}"


def make_verifier(password: str, salt: bytes = b"", iterations: int = ITERATIONS) -> ScramVerifier:
    """Return the verifier of a password, with chance for salt where none is given.

    What SASLprep refuses (RFC 4013 §2.3) is taken as it is typed, as most clients send it.
    """
    try:
        prepared = saslprep(password)
    except ScramException:
        prepared = unicodedata.normalize("NFC", password)
    salt = salt or secrets.token_bytes(_SALT_OCTETS)
    salted = hashlib.pbkdf2_hmac("sha256", prepared.encode(), salt, iterations)
    client_key, server_key = (hmac.digest(salted, word, "sha256") for word in (b"Client Key", b"Server Key"))
    return ScramVerifier(salt, hashlib.sha256(client_key).digest(), server_key, iterations)


def read_verifier(text: str) -> ScramVerifier | None:
    """Return a stored verifier, None for none."""
    found = _STORED.fullmatch(text)
    if found is None:
        return None
    salt, stored, server = (base64.b64decode(word) for word in found.groups()[1:])
    return ScramVerifier(salt, stored, server, int(found[1]))


def feigned_verifier(key: bytes, login: str) -> ScramVerifier:
    """Return a verifier that no password fits, always the same for a login, so that nobody tells it from a real one."""
    salt, stored, server = (
        hmac.digest(key, f"scram {word} {login}".encode(), "sha256") for word in ("salt", "stored", "server")
    )
    return ScramVerifier(salt[:_SALT_OCTETS], stored, server)


class ScramExchange:
    """One exchange: `answer_first`, then `keep_final`, then `finish`. `nonce` is the server's part of it.

    `login` is empty and `verifier` None before the first message.
    """

    def __init__(self, verifier_of: Callable[[str], ScramVerifier], nonce: str) -> None:
        self.login = ""
        self.nonce = nonce
        self.verifier: ScramVerifier | None = None
        self._verifier_of = verifier_of
        self._server = ScramMechanism(MECHANISM).make_server(self._find, s_nonce=nonce)
        self._final = b""

    def answer_first(self, message: bytes) -> bytes | None:
        """Return the server's first message, None where the client's is none, or wants to act for somebody."""
        try:
            self._server.set_client_first(message.decode())
            return str(self._server.get_server_first()).encode()
        except (ScramException, UnicodeError):
            return None

    def keep_final(self, message: bytes) -> None:
        """Keep the client's final message until the proof may be looked at."""
        self._final = message

    def finish(self) -> bytes | None:
        """Return the server's final message, None where the client proved nothing."""
        try:
            self._server.set_client_final(self._final.decode())
            return str(self._server.get_server_final()).encode()
        except (ScramException, UnicodeError):
            return None

    def _find(self, login: str) -> tuple[bytes, bytes, bytes, int]:
        self.login = login
        self.verifier = found = self._verifier_of(login)
        return found.salt, found.stored_key, found.server_key, found.iterations
