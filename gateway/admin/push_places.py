"""Where the status pushes of a customer go, by the levels that say so. Not here: setting that (settings)."""

from collections.abc import Iterator
from dataclasses import dataclass

from addressbook.hierarchy import LayerKey, LayerKind
from addressbook.snapshot import Snapshot
from sms.message import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class PushPlace:
    """A level with a URL of its own: the customer, one of its services, a profile or a user; `owner_key` is its key."""

    kind: LayerKind
    owner_key: int
    name: str
    url: str


def push_places(snapshot: Snapshot, customer_key: int) -> Iterator[PushPlace]:
    """Yield the levels of a customer whose status pushes go to a URL of their own, the weakest first."""
    for key, name in _levels(snapshot, customer_key):
        layer = snapshot.layers.layer(key)
        cell = layer.cells.get("push_url") if layer is not None else None
        if cell is not None and cell.value:
            yield PushPlace(kind=key.kind, owner_key=key.owner_id, name=name, url=str(cell.value))


def _levels(snapshot: Snapshot, customer_key: int) -> Iterator[tuple[LayerKey, str]]:
    directory = snapshot.directory
    customer = directory.customer(customer_key)
    yield LayerKey(LayerKind.CUSTOMER, customer_key), customer.name if customer is not None else ""
    for service in Origin:
        yield LayerKey(LayerKind.SERVICE, customer_key, service.value), service.value
    for profile in directory.profiles(customer_key):
        yield LayerKey(LayerKind.PROFILE, profile.key), profile.name
    for user in directory.users(customer_key):
        yield LayerKey(LayerKind.USER, user.key), user.address
        yield LayerKey(LayerKind.PINNED, user.key), user.address
