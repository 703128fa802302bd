"""API keys of logins: what they may do, until when, and by which digests they are found.

A key is shown once, when it is made; only its SHA-256 is kept. It is random enough that no slow hash is needed. Not
here: who makes one (gateway.admin.logins), who proves one (gateway.auth.api_keys).
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

PREFIX: Final = "m2s_"
"""How every key begins, so that scanners for leaked secrets find it."""


class Scope(StrEnum):
    """What an API key may do."""

    SEND = "send"
    READ = "read"
    INBOUND = "inbound"
    STOP_LIST = "stop-list"
    USERS = "users"
    WEBHOOKS = "webhooks"
    DIRECTORY = "directory"


LOGIN_SCOPES: Final = frozenset({Scope.SEND, Scope.READ, Scope.INBOUND})
"""What a login with its password may do; the rest needs a key that names it."""


OF_ALL: Final = frozenset({Scope.INBOUND, Scope.STOP_LIST, Scope.USERS, Scope.WEBHOOKS})
"""What concerns all of a customer, and so is for its applications alone: a person's login has the person's jobs."""


def digest_of(key: str) -> str:
    """Return what is kept of a key."""
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def join_verifier(digest: str, previous: str, until: datetime | None) -> str:
    """Return the verifier of a key that replaces another one, which stays good until an instant; None: no longer."""
    if until is None or not previous:
        return digest
    return f"{digest} {previous.split(maxsplit=1)[0]}@{int(until.timestamp())}"


def digests_in(verifier: str) -> Iterable[str]:
    """Return the digests of a verifier, those with an end among them."""
    return (word.partition("@")[0] for word in verifier.split())


def is_good(verifier: str, digest: str, now: datetime) -> bool:
    """Return whether a verifier takes a digest now."""
    for word in verifier.split():
        known, _, until = word.partition("@")
        if known == digest:
            return not until or now.timestamp() < int(until)
    return False


def parse_scopes(text: str) -> frozenset[Scope]:
    """Return the scopes that a text names with commas or blanks between them. Raises ValueError for any other word."""
    return frozenset(Scope(word.strip().lower()) for word in text.replace(",", " ").split())
