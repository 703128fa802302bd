"""What the ESMEs of a customer have bound, and what waits for them. Not here: binding itself (smpp.server)."""

from collections.abc import Iterable
from dataclasses import dataclass

from addressbook.people import CredentialKind
from addressbook.snapshot import Snapshot
from gateway.esme import BoundEsme
from store.engine.database import Transaction
from store.esme import count_waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class EsmeDoorFacts:
    """A door as who connects must know it; `rate` is SMS per second of one login, 0: any."""

    name: str
    host: str
    port: int
    tls: bool
    alphabet: str
    binds: int
    rate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EsmeLogin:
    """A login with its binds at this process, and how many receipts and inbound SMS wait for it at all of them."""

    login: str
    binds: tuple[BoundEsme, ...]
    waits: int


def list_binds(tx: Transaction, snapshot: Snapshot, customer_key: int, bound: Iterable[BoundEsme]) -> list[EsmeLogin]:
    """Return the logins of a customer's applications, and of whoever else is bound, by name."""
    own = [bind for bind in bound if bind.customer_key == customer_key]
    names = {bind.login for bind in own}
    for login in snapshot.directory.credentials(customer_key):
        user = snapshot.directory.user_with_id(login.user_id or 0)
        if login.kind is CredentialKind.PASSWORD and user is not None and user.is_application:
            names.add(login.login)
    waits = count_waiting(tx, names)
    return [
        EsmeLogin(login=name, binds=tuple(bind for bind in own if bind.login == name), waits=waits.get(name, 0))
        for name in sorted(names)
    ]
