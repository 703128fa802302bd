"""Registrations of sender IDs and the papers that prove them; those that are approved, for the snapshot.

Not here: who may change them, and what a country asks for (gateway.admin.registrations).
"""

from collections.abc import Sequence
from datetime import date

import peewee
from msgspec import Struct

from addressbook.registrations import RegisteredId, RegistrationKind, Registrations, RegistrationState
from sms.settings import UseCase
from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert
from store.tables import KeyedRow


class RegistrationRow(KeyedRow):
    """One registration; `customer_key` 0: the operator's own, for everybody. `samples` is a JSON list of texts.

    `value` is empty until a code is assigned, `carrier` and `use_case` where it is for each. `until_day` is the last
    day, an ISO date, empty: no end. At `next_at` its end is near or there, at `idle_at` its use is looked at;
    `warned_at` is when too little of it was told of. `renewing`: its customer asks for a later end.
    """

    public_id = peewee.TextField(unique=True)
    customer_key = peewee.BigIntegerField(index=True)
    kind = peewee.TextField()
    value = peewee.TextField()
    country = peewee.TextField()
    carrier = peewee.TextField(default="")
    use_case = peewee.TextField(default="")
    company = peewee.TextField(default="")
    local_entity = peewee.TextField(default="")
    volume = peewee.IntegerField(default=0)
    samples = peewee.TextField(default="[]")
    state = peewee.TextField()
    reason = peewee.TextField(default="")
    asked_by = peewee.TextField()
    made_at = peewee.BigIntegerField()
    changed_at = peewee.BigIntegerField()
    approved_at = peewee.BigIntegerField(null=True)
    until_day = peewee.TextField(default="")
    renewing = peewee.BooleanField(default=False)
    next_at = peewee.BigIntegerField(null=True, index=True)
    idle_at = peewee.BigIntegerField(null=True, index=True)
    warned_at = peewee.BigIntegerField(null=True)

    class Meta:  # noqa: D106 - peewee's configuration
        table_name = "registration"


class RegistrationPaperRow(KeyedRow):
    """A file that proves a registration, such as a letter of authorisation; its octets say its `media_type`."""

    registration_key = peewee.BigIntegerField()
    customer_key = peewee.BigIntegerField(index=True)
    name = peewee.TextField()
    kind = peewee.TextField()
    media_type = peewee.TextField()
    size = peewee.IntegerField()
    content = peewee.BlobField()
    added_at = peewee.BigIntegerField()
    added_by = peewee.TextField()

    class Meta:  # noqa: D106 - peewee's configuration
        table_name = "registration_paper"
        indexes = ((("registration_key", "name"), True),)


class StoredRegistration(Struct, frozen=True, array_like=True):
    """A registration as stored; instants in microseconds."""

    key: int
    public_id: str
    customer_key: int
    kind: RegistrationKind
    value: str
    country: str
    carrier: str
    use_case: str
    company: str
    local_entity: str
    volume: int
    samples: str
    state: RegistrationState
    reason: str
    asked_by: str
    made_at: int
    changed_at: int
    approved_at: int | None
    until_day: str
    renewing: bool
    next_at: int | None
    idle_at: int | None
    warned_at: int | None

    @property
    def until(self) -> date | None:
        """The last day of an approval, None where it has no end."""
        return date.fromisoformat(self.until_day) if self.until_day else None


class PaperEntry(Struct, frozen=True, array_like=True):
    """A paper without its octets; `added_at` in microseconds."""

    name: str
    kind: str
    media_type: str
    size: int
    added_at: int
    added_by: str


class Paper(Struct, frozen=True, array_like=True):
    """A paper as it is served."""

    name: str
    media_type: str
    content: bytes


class _Registered(Struct, frozen=True, array_like=True):
    customer_key: int
    country: str
    value: str
    use_case: str
    carrier: str
    until_day: str


_PUT = Insert(RegistrationRow)
_PUT_PAPER = Insert(RegistrationPaperRow)
_ALL = query(StoredRegistration, "FROM registration")
_DUE = _ALL + " WHERE next_at <= ? OR idle_at <= ? ORDER BY key"
_REGISTERED = query(
    _Registered, "FROM registration WHERE state IN ('approved', 'expired') AND kind = 'name' ORDER BY key"
)
_PAPERS = query(PaperEntry, "FROM registration_paper WHERE registration_key = ? ORDER BY key")
_PAPER = query(Paper, "FROM registration_paper WHERE registration_key = ? AND name = ?")
_USED = (
    "SELECT COUNT(*) FROM detail WHERE customer_key = ? AND accepted_at >= ? AND accepted_at < ?"
    " AND country = ? AND sender_id = ? AND state NOT IN ('rejected', 'failed', 'cancelled')"
)
_USED_BY_ALL = _USED.replace("customer_key = ? AND ", "", 1)


def load_registrations(tx: Transaction) -> Registrations:
    """Return the names that are approved until a day, over or not; an unknown use case is left out."""
    return Registrations(
        RegisteredId(
            customer_key=row.customer_key,
            country=row.country,
            value=row.value,
            use_case=UseCase(row.use_case) if row.use_case else None,
            carrier=row.carrier,
            until=date.fromisoformat(row.until_day) if row.until_day else None,
        )
        for row in tx.select(_Registered, _REGISTERED)
        if row.use_case in {"", *UseCase}
    )


def put_registration(tx: Transaction, row: StoredRegistration) -> None:
    """Store a registration, in place of the one with its key."""
    tx.execute("DELETE FROM registration WHERE key = ?", (row.key,))
    stored = _PUT.row(**{name: getattr(row, name) for name in StoredRegistration.__struct_fields__})
    tx.insert(_PUT, [stored])


def find_registration(tx: Transaction, public_id: str) -> StoredRegistration | None:
    """Return the registration of an id."""
    return next(iter(tx.select(StoredRegistration, _ALL + " WHERE public_id = ?", (public_id,))), None)


def find_registrations(
    tx: Transaction, customer_key: int | None = None, states: Sequence[RegistrationState] = ()
) -> list[StoredRegistration]:
    """Return the registrations of a customer, or of all, in any of some states (none: in each), newest change first."""
    conditions, values = ["1 = 1"], list[object]()
    if customer_key is not None:
        conditions.append("customer_key = ?")
        values.append(customer_key)
    if states:
        conditions.append(f"state IN ({', '.join('?' * len(states))})")
        values += [state.value for state in states]
    condition = f" WHERE {' AND '.join(conditions)} ORDER BY changed_at DESC, key DESC"
    return tx.select(StoredRegistration, _ALL + condition, values)


def find_same(tx: Transaction, country: str, value: str) -> list[StoredRegistration]:
    """Return who registered a name in a country, however it is spelled."""
    found = tx.select(StoredRegistration, _ALL + " WHERE country = ? AND kind = 'name' ORDER BY key", (country,))
    return [row for row in found if row.value.casefold() == value.casefold()]


def registrations_due(tx: Transaction, now: int) -> list[StoredRegistration]:
    """Return those whose end or use must be looked at by an instant (microseconds)."""
    return tx.select(StoredRegistration, _DUE, (now, now))


def count_used(tx: Transaction, row: StoredRegistration, since: int, until: int) -> int:
    """Return how many SMS had a registered name as their sender in its country in a time (microseconds)."""
    if not row.customer_key:
        return int(tx.value(_USED_BY_ALL, (since, until, row.country, row.value)))
    return int(tx.value(_USED, (row.customer_key, since, until, row.country, row.value)))


def add_paper(tx: Transaction, key: int, row: StoredRegistration, entry: PaperEntry, content: bytes) -> None:
    """Store a paper of a registration, in place of the one of its name."""
    remove_paper(tx, row.key, entry.name)
    stored = _PUT_PAPER.row(
        key=key,
        registration_key=row.key,
        customer_key=row.customer_key,
        content=content,
        **{name: getattr(entry, name) for name in PaperEntry.__struct_fields__},
    )
    tx.insert(_PUT_PAPER, [stored])


def remove_paper(tx: Transaction, registration_key: int, name: str) -> bool:
    """Delete a paper; False if there is none."""
    statement = "DELETE FROM registration_paper WHERE registration_key = ? AND name = ?"
    return tx.execute(statement, (registration_key, name)) > 0


def papers_of(tx: Transaction, registration_key: int) -> list[PaperEntry]:
    """Return the papers of a registration without their octets, oldest first."""
    return tx.select(PaperEntry, _PAPERS, (registration_key,))


def read_paper(tx: Transaction, registration_key: int, name: str) -> Paper | None:
    """Return one paper of a registration."""
    return next(iter(tx.select(Paper, _PAPER, (registration_key, name))), None)


def octets_of(tx: Transaction, customer_key: int) -> int:
    """Return how large all papers of a customer are."""
    return int(
        tx.value("SELECT coalesce(sum(size), 0) FROM registration_paper WHERE customer_key = ?", (customer_key,))
    )
