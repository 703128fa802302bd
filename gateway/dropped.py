"""Mail that is taken and not sent leaves a trace, committed before «250» is said, that `status` finds.

Not here: what is dropped (mta.reading.automatic), how long traces are kept (store.dropped).
"""

from dataclasses import dataclass

import structlog

from gateway.ports import Clock
from sms.outcome import Refusal, Refused
from store.dropped import DroppedStore, NewDrop
from store.engine.database import Database, StorageError, StorageFullError
from store.engine.keys import Keys, to_stored

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedMail:
    """One mail of a customer that is a bounce, a receipt or an automatic answer; `mark` names the field that says so.

    An empty `reverse_path` is `<>`; `message_id` is empty where the mail has none.
    """

    customer: str
    reverse_path: str
    author: str
    message_id: str
    reason: str
    mark: str


class DroppedMails:
    """The use case; one object serves all doors."""

    def __init__(self, *, database: Database, keys: Keys, clock: Clock) -> None:
        self._database = database
        self._store = DroppedStore(keys)
        self._clock = clock

    async def keep(self, mail: DroppedMail, client: str) -> str | Refused:
        """Return the id of the committed trace, or why there is none; `client` is the address of the sending host."""
        drop = NewDrop(
            customer=mail.customer,
            reverse_path=mail.reverse_path,
            header_from=mail.author,
            mail_id=mail.message_id,
            client=client,
            reason=mail.reason,
            mark=mail.mark,
            at=to_stored(self._clock.now()),
        )
        try:
            identity = await self._database.write(self._store.add, drop)
        except StorageError as error:
            log.exception("drop_failed", cause=str(error.__cause__ or error)[:300])
            return Refused(refusal=Refusal.NO_STORAGE if isinstance(error, StorageFullError) else Refusal.INTERNAL)
        log.info(
            "mail_dropped",
            mail=identity,
            customer=mail.customer,
            message_id=mail.message_id[:200],
            reason=mail.reason,
            mark=mail.mark,
            peer=client,
        )
        return identity
