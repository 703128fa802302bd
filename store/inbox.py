"""What came from handsets: fragments as they arrived. Not here: joining them and what they lead to."""

from dataclasses import dataclass

from sms.message import InboundFragment
from store.engine.database import Transaction
from store.engine.keys import Keys
from store.engine.statements import Insert
from store.tables import InboundFragmentRow

_FRAGMENTS = Insert(InboundFragmentRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedFragment:
    """One fragment and when it came, in microseconds."""

    fragment: InboundFragment
    at: int


def count_fragments(tx: Transaction) -> int:
    """Return how many fragments are kept: all that ever came, while nothing reads them."""
    return int(tx.value("SELECT count(*) FROM inbound_fragment"))


class Inbox:
    """The statements of the inbox; its methods are batch functions for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def add(self, tx: Transaction, arrived: list[ArrivedFragment]) -> list[int]:
        """Store fragments; returns their keys."""
        keys = [self._keys.take() for _ in arrived]
        tx.insert(
            _FRAGMENTS,
            [
                _FRAGMENTS.row(
                    key=key,
                    carrier=item.fragment.carrier,
                    source=item.fragment.source,
                    destination=item.fragment.destination,
                    body=item.fragment.text,
                    reference=item.fragment.reference,
                    idx=item.fragment.index,
                    total=item.fragment.total,
                    received_at=item.at,
                )
                for key, item in zip(keys, arrived, strict=True)
            ],
        )
        return keys
