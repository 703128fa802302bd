"""Who a number is to a customer: its users by their phones, and the name in the values of a list's member.

A phone that several users have names nobody. Not here: the users themselves (people), reading lists (store.lists).
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol


class Phoned(Protocol):
    """Somebody of a customer with a phone: digits, or empty."""

    @property
    def key(self) -> int:
        """The key."""

    @property
    def customer_id(self) -> int:
        """Whose."""

    @property
    def phone(self) -> str:
        """The digits."""


PhoneIndex = Mapping[int, Mapping[str, tuple[int, ...]]]
"""Customer → digits of a phone → the keys of its users; only users with a phone are in it."""

_NAMES: Final = ("name", "full_name", "display_name", "nombre_completo", "nom_complet", "vollständiger_name")
_FIRST: Final = ("first_name", "given_name", "vorname", "nombre", "prénom", "prenom")
_LAST: Final = ("last_name", "surname", "family_name", "nachname", "apellido", "apellidos", "nom")
NAME_COLUMNS: Final = frozenset((*_NAMES, *_FIRST, *_LAST))
"""The columns of a list in which a name can stand."""


def index_phones(users: Iterable[Phoned]) -> PhoneIndex:
    """Return the index of users."""
    index: dict[int, dict[str, list[int]]] = {}
    for user in users:
        if user.phone:
            index.setdefault(user.customer_id, {}).setdefault(user.phone, []).append(user.key)
    return {customer: {phone: tuple(keys) for phone, keys in phones.items()} for customer, phones in index.items()}


def moved_phones(index: PhoneIndex, before: Mapping[int, Phoned], changed: Mapping[int, Phoned | None]) -> PhoneIndex:
    """Return the index after a change of users, who were as in `before`; what did not move is shared."""
    moved = {key: (before.get(key), after) for key, after in changed.items()}
    gone = [old for old, new in moved.values() if old is not None and old.phone and not _same(old, new)]
    come = [new for old, new in moved.values() if new is not None and new.phone and not _same(old, new)]
    copied = {user.customer_id: dict(index.get(user.customer_id, {})) for user in (*gone, *come)}
    leaving, coming = index_phones(gone), index_phones(come)
    for customer, phones in copied.items():
        left, joined = leaving.get(customer, {}), coming.get(customer, {})
        for phone in {*left, *joined}:
            without = set(left.get(phone, ()))
            stay = (key for key in phones.pop(phone, ()) if key not in without)
            if keys := (*stay, *joined.get(phone, ())):
                phones[phone] = keys
    return {**index, **copied} if copied else index


def _same(one: Phoned | None, other: Phoned | None) -> bool:
    return one is not None and other is not None and (one.customer_id, one.phone) == (other.customer_id, other.phone)


def common_name(names: Iterable[str]) -> str:
    """Return the name that all of a phone's users have, empty where they differ or have none."""
    remaining = iter(names)
    first = next(remaining, "")
    return first if all(name == first for name in remaining) else ""


def name_in_values(values: Mapping[str, str]) -> str:
    """Return the name in the values of a member of a list, empty where they have none."""
    whole = next((values[column] for column in _NAMES if values.get(column)), "")
    parts = (next((values[column] for column in columns if values.get(column)), "") for columns in (_FIRST, _LAST))
    return whole or " ".join(filter(None, parts))
