"""When each API key was used last. Not here: the keys themselves (directory_changes)."""

from collections.abc import Sequence
from datetime import datetime

from store.directory_tables import ApiKeyUseRow
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_stored
from store.engine.statements import Insert

_USES = Insert(ApiKeyUseRow)


def note_use(tx: Transaction, uses: Sequence[tuple[str, datetime]]) -> list[None]:
    """Store that keys, by their logins, were used at these instants."""
    latest = dict(sorted(uses, key=lambda use: use[1]))
    tx.execute_many("DELETE FROM api_key_use WHERE login = ?", [(login,) for login in latest])
    tx.insert(_USES, [_USES.row(login=login, used_at=to_stored(at)) for login, at in latest.items()])
    return [None for _ in uses]


def last_uses(tx: Transaction, logins: Sequence[str]) -> dict[str, datetime]:
    """Return when each of these keys was used last; one that never was is absent."""
    found = tx.rows_in("SELECT login, used_at FROM api_key_use WHERE login IN (??)", logins)
    return {login: to_instant(at) for login, at in found}
