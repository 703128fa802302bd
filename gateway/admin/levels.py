"""The settings of one level: a customer, one of its services, a profile, a user or a list.

What is in force there, from where, what is its own, who locks it, and whom a change would reach.
Not here: changes (settings), what is in force for one user by command (explained).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from addressbook.hierarchy import Cell, Explained, Layer, LayerKey, LayerKind, Layers, Resolved, resolve
from addressbook.people import Directory, User
from addressbook.snapshot import Snapshot
from gateway.admin.settings import FoundScope, Scope, find_scope, limits_of
from gateway.admin.views import spoken_value
from sms.settings import UNSET
from store.directory_changes import read_cells
from store.engine.database import Transaction
from store.engine.keys import to_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSetting:
    """One setting at a level. `own` is what the level itself says as it is typed, empty where it says nothing.

    `locked_by` is who decides it above, None where the level may.
    """

    name: str
    explained: Explained
    own: str
    set_at: datetime | None
    set_by: str
    locked_by: LayerKind | None

    @property
    def value(self) -> str:
        """The value in force, as it is typed."""
        return spoken_value(self.explained.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """All settings at one level, for submissions through a service."""

    found: FoundScope
    service: str
    settings: tuple[LevelSetting, ...]

    def setting(self, name: str) -> LevelSetting:
        """Return one setting. Raises KeyError."""
        found = next((item for item in self.settings if item.name == name), None)
        if found is None:
            raise KeyError(name)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """So many users of a customer would have another value: `before` and `after` as they are typed."""

    before: str
    after: str
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """Whom a change would reach; `kept` users keep the value that they have, as a stronger level or a limit says."""

    reached: tuple[Reached, ...]
    kept: int


def show_level(tx: Transaction, snapshot: Snapshot, scope: Scope, service: str = "") -> Level:
    """Return the settings of a level, for a service where that matters. Raises AdminFault for one that there is not."""
    found = find_scope(tx, scope)
    service = found.key.service or service
    resolved = resolve(_stack(snapshot, found, service), snapshot.layers.constraints(found.customer_id))
    cells = {cell.field: cell for cell in read_cells(tx, found.key)}
    limits = limits_of(tx, found.customer_id)
    return Level(
        found=found,
        service=service,
        settings=tuple(
            LevelSetting(
                name=name,
                explained=explained,
                own=cells[name].text if name in cells else "",
                set_at=to_instant(cells[name].set_at) if name in cells else None,
                set_by=cells[name].set_by if name in cells else "",
                locked_by=next((rule.kind for rule in limits.rules if rule.locks(name, found.key.kind)), None),
            )
            for name, explained in resolved.explained.items()
        ),
    )


def foresee(snapshot: Snapshot, found: FoundScope, service: str, name: str, value: object) -> Foreseen:
    """Return whom it would reach if a level said `value` for a setting (UNSET: nothing any more).

    A list has no users: what its settings reach is every mail to it. Takes milliseconds for each thousand users that
    have the setting to themselves: call it in a thread.
    """
    moved: Counter[tuple[str, str]] = Counter()
    known: dict[tuple[int | None, int | None], tuple[str, str]] = {}
    for user in _users_below(snapshot.directory, found):
        profile = snapshot.directory.profile_in_force(user.customer_id, user)
        own = any(name in layer.cells for layer in _own_layers(snapshot.layers, user))
        group = (
            profile.key if profile is not None else None,
            user.key if own or found.key.owner_id == user.key else None,
        )
        if group not in known:
            stack = snapshot.layers.stack(user.customer_id, found.key.service or service, *group)
            rules = snapshot.layers.constraints(user.customer_id)
            changed = _with_cell(stack, found, name, value)
            known[group] = (_value(resolve(stack, rules), name), _value(resolve(changed, rules), name))
        moved[known[group]] += 1
    reached = [
        Reached(before=was, after=will, users=users) for (was, will), users in moved.most_common() if was != will
    ]
    return Foreseen(reached=tuple(reached), kept=sum(users for (was, will), users in moved.items() if was == will))


def _stack(snapshot: Snapshot, found: FoundScope, service: str) -> list[Layer]:
    """Return the stored layers of a level and of those above it."""
    kind, owner = found.key.kind, found.key.owner_id
    user = snapshot.directory.user_with_id(owner) if kind is LayerKind.PINNED else None
    profile = snapshot.directory.profile_in_force(found.customer_id, user) if user is not None else None
    profile_id = owner if kind is LayerKind.PROFILE else profile.key if profile is not None else None
    stack = [*snapshot.layers.stack(found.customer_id, service, profile_id, user.key if user is not None else None)]
    of_list = snapshot.layers.layer(found.key) if kind is LayerKind.LIST else None
    return [*stack, of_list] if of_list is not None else stack


def _users_below(directory: Directory, found: FoundScope) -> Iterator[User]:
    kind, owner = found.key.kind, found.key.owner_id
    if kind is LayerKind.PINNED:
        user = directory.user_with_id(owner)
        return iter(() if user is None else (user,))
    users = directory.users(found.customer_id)
    if kind is LayerKind.PROFILE:
        return (user for user in users if _has_profile(directory, user, owner))
    return iter(users if kind in {LayerKind.CUSTOMER, LayerKind.SERVICE} else ())


def _has_profile(directory: Directory, user: User, profile_id: int) -> bool:
    profile = directory.profile_in_force(user.customer_id, user)
    return profile is not None and profile.key == profile_id


def _own_layers(layers: Layers, user: User) -> Iterator[Layer]:
    for kind in (LayerKind.USER, LayerKind.PINNED):
        layer = layers.layer(LayerKey(kind, user.key))
        if layer is not None:
            yield layer


def _with_cell(stack: tuple[Layer, ...], found: FoundScope, name: str, value: object) -> list[Layer]:
    """Return layers in which the level says another value, or none."""
    kind = found.key.kind
    old = next((layer for layer in stack if layer.kind is kind), Layer(kind=kind, owner=found.name))
    cells = {field: cell for field, cell in old.cells.items() if field != name}
    if value is not UNSET:
        cells[name] = Cell(value, "")
    return [*(layer for layer in stack if layer.kind is not kind), replace(old, cells=cells)]


def _value(resolved: Resolved, name: str) -> str:
    return spoken_value(resolved.explained[name].value)
