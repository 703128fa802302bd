"""The certificate that an authority gives us: one for all nodes, with its key, and how its renewal goes.

Values of the table meta, in JSON. Not here: when it is renewed (gateway.certificate_renewal).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from store.engine.database import Transaction
from store.meta import put_meta, read_meta

_RENEWAL = "acme.renewal"
_CHALLENGES = "acme.challenges"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """The certificate, as the key and the chain in PEM (empty: none yet), and for what it was given (`given_for`).

    `failures` in a row of asking for `asked_for`; the next attempt is at `next_at`. `problem` says what was wrong last.
    """

    pem: str = ""
    given_for: str = ""
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    asked_for: str = ""
    failures: int = 0
    next_at: datetime | None = None
    problem: str = ""


def read_renewal(tx: Transaction) -> Renewal:
    """Return how the renewal goes."""
    stored = read_meta(tx, _RENEWAL)
    return Renewal() if stored is None else msgspec.json.decode(stored, type=Renewal)


def write_renewal(tx: Transaction, batch: Sequence[Renewal]) -> list[None]:
    """Keep how the renewal goes."""
    put_meta(tx, _RENEWAL, msgspec.json.encode(batch[-1]).decode())
    return [None] * len(batch)


def write_challenges(tx: Transaction, batch: Sequence[Mapping[str, str]]) -> list[None]:
    """Keep the answers that the authority will ask for, by token, in place of those before."""
    put_meta(tx, _CHALLENGES, msgspec.json.encode(batch[-1]).decode())
    return [None] * len(batch)


def find_challenge(tx: Transaction, token: str) -> str | None:
    """Return the answer to a token, None for one that is not ours."""
    stored = read_meta(tx, _CHALLENGES)
    return None if stored is None else msgspec.json.decode(stored, type=dict[str, str]).get(token)
