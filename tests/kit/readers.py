"""Readers of the store for tests: what a table has, rows by the names of their columns, whatever database it is in."""

import json
from collections import Counter, namedtuple
from collections.abc import Callable, Sequence
from typing import Any

from store.cancels import CancelRequestRow
from store.directory_tables import AuditRow, CustomerRow
from store.engine.database import Database
from store.engine.statements import columns_of, table_of
from store.inbound_tables import InboundEffectRow, InboundSmsRow
from store.push_keys import PushKeyRow
from store.tables import (
    InboundFragmentRow,
    JobRow,
    MessageRow,
    OutboxAttemptRow,
    OutboxRow,
    PartRow,
    ReceiptRow,
    SeenRow,
    StoredRow,
)

Query = Callable[..., Sequence[Sequence[Any]]]


def read(query: Query, model: type[StoredRow], **equal: Any) -> list[Any]:
    """Return the rows of a table whose columns have these values, by key; `query` runs SQL with `?` for each value."""
    row = namedtuple("row", columns_of(model))  # type: ignore[misc]  # noqa: PYI024 - names of the model
    where = " AND ".join(f"{column} IS NULL" if value is None else f"{column} = ?" for column, value in equal.items())
    sql = f"SELECT {', '.join(row._fields)} FROM {table_of(model)} WHERE {where or '1 = 1'} ORDER BY 1"
    return [row._make(values) for values in query(sql, *(value for value in equal.values() if value is not None))]


class StoreReaders:
    """What is stored, for a class that has `rows`; each reader takes columns with the values they must have."""

    rows: Query

    def stored(self, model: type[StoredRow], **equal: Any) -> list[Any]:
        """Return the rows of any table, for those that have no reader of their own."""
        return read(self.rows, model, **equal)

    def jobs(self, **equal: Any) -> list[Any]:
        """Return jobs in the order of acceptance."""
        return self.stored(JobRow, **equal)

    def job(self, public_id: str) -> Any:
        """Return one job by its public id."""
        (found,) = self.jobs(public_id=public_id)
        return found

    def messages(self, job: str = "", **equal: Any) -> list[Any]:
        """Return messages in the order of acceptance, of one job by its public id, or all."""
        if job:
            equal["job_key"] = self.job(job).key
        return self.stored(MessageRow, **equal)

    def states(self) -> Counter[str]:
        """Return how many messages are in each state, however many there are."""
        found: Any = self.rows("SELECT state, count(*) FROM message GROUP BY state")
        return Counter(dict(found))

    def parts(self, number: str = "", **equal: Any) -> list[Any]:
        """Return parts that a carrier was offered, of the messages to one number, or all."""
        if not number:
            return self.stored(PartRow, **equal)
        return [part for message in self.messages(number=number) for part in self.parts(message_key=message.key)]

    def receipts(self, **equal: Any) -> list[Any]:
        """Return receipts in the order in which they came."""
        return self.stored(ReceiptRow, **equal)

    def outbox_rows(self, **equal: Any) -> list[Any]:
        """Return what is or was owed to somebody, oldest first."""
        return self.stored(OutboxRow, **equal)

    def facts_told(self, **equal: Any) -> list[tuple[str, dict[str, Any]]]:
        """Return whom rows of the outbox tell what, oldest first: recipients, and the facts of each."""
        return [(row.recipient, json.loads(row.about)) for row in self.outbox_rows(**equal)]

    def letters(self, **equal: Any) -> list[tuple[str, dict[str, Any]]]:
        """Return the same of letters."""
        return self.facts_told(kind="letter", **equal)

    def outbox_attempts(self, **equal: Any) -> list[Any]:
        """Return the attempts to pay what is owed, oldest first."""
        return self.stored(OutboxAttemptRow, **equal)

    def inbound_fragments(self, **equal: Any) -> list[Any]:
        """Return fragments of what phones sent that wait for others."""
        return self.stored(InboundFragmentRow, **equal)

    def inbound_texts(self, carrier: str = "") -> list[tuple[str, str, str, str]]:
        """Return carrier, source, destination and text of what phones sent, joined or not yet, sorted."""
        columns = "SELECT carrier, source, destination, body FROM"
        found = self.rows(f"{columns} inbound_fragment UNION ALL {columns} inbound_sms")
        return sorted((str(a), str(b), str(c), str(d)) for a, b, c, d in found if carrier in {"", a})

    def inbound_sms(self, **equal: Any) -> list[Any]:
        """Return what phones sent, joined, oldest first."""
        return self.stored(InboundSmsRow, **equal)

    def inbound_effects(self, **equal: Any) -> list[Any]:
        """Return what followed from what phones sent."""
        return self.stored(InboundEffectRow, **equal)

    def cancel_requests(self, **equal: Any) -> list[Any]:
        """Return requests to cancel that are not carried out."""
        return self.stored(CancelRequestRow, **equal)

    def seen(self, **equal: Any) -> list[Any]:
        """Return the digests of submissions that are known."""
        return self.stored(SeenRow, **equal)

    def unfinished(self) -> int:
        """Return how many messages have no end yet and how many mails or pushes are still owed, together."""
        ((count,),) = self.rows(
            "SELECT (SELECT count(*) FROM message WHERE NOT ended)"
            " + (SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending'))"
        )
        return int(count)

    def customers(self, **equal: Any) -> list[Any]:
        """Return customers, oldest first."""
        return self.stored(CustomerRow, **equal)

    def push_keys(self, **equal: Any) -> list[Any]:
        """Return the keys with which pushes are signed."""
        return self.stored(PushKeyRow, **equal)

    def audit(self, **equal: Any) -> list[Any]:
        """Return what administrators did, oldest first."""
        return self.stored(AuditRow, **equal)


class DatabaseReaders(StoreReaders):
    """The same for a class that has an open `database`."""

    database: Database

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """Return what SQL finds."""
        return self.database.read_now(lambda tx: tx.rows(sql, values))


def readers_of(database: Database) -> DatabaseReaders:
    """Return the readers of an open database."""
    readers = DatabaseReaders()
    readers.database = database
    return readers
