"""Secrets that all nodes share, kept in the database and made when first asked for."""

import os

from store.engine.database import Transaction
from store.meta import begin_meta, read_meta

_OCTETS = 32


def secret_named(tx: Transaction, name: str) -> bytes:
    """Return the secret of this name, 32 octets of chance; the first call of all nodes makes it."""
    begin_meta(tx, f"secret.{name}", os.urandom(_OCTETS).hex())
    found = find_secret(tx, name)
    assert found is not None
    return found


def find_secret(tx: Transaction, name: str) -> bytes | None:
    """Return the secret of this name if there is one."""
    stored = read_meta(tx, f"secret.{name}")
    return None if stored is None else bytes.fromhex(stored)
