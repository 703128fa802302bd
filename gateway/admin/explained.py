"""What is in force for a user, where each value comes from, when it was set and by whom.

Not here: what is set (views).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from addressbook.canonical import canonical_application
from addressbook.hierarchy import Clamped, LayerKey, LayerKind, Layers, Resolved
from addressbook.people import Directory
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.settings import check_service, field_named, limits_of
from gateway.admin.views import View, spoken_value
from store.directory_changes import read_cells
from store.engine.database import Transaction
from store.engine.keys import to_instant


@dataclass(frozen=True, slots=True)
class CellSetting:
    """When a stored cell was set, and by whom."""

    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedUser:
    """What is in force for a user, who it is to us, and the fields that were asked for.

    `stored` has when the cells of stored layers were set and by whom, by layer and field, `locked` whose constraint
    keeps a field from being set for the user.
    """

    address: str
    customer: str
    profile: str
    service: str
    resolved: Resolved
    fields: tuple[str, ...]
    stored: Mapping[tuple[LayerKind, str], CellSetting]
    locked: Mapping[str, str]

    @property
    def clamped(self) -> tuple[Clamped, ...]:
        """What constraints changed among the fields that were asked for."""
        return tuple(item for item in self.resolved.clamped if item.field in self.fields)

    def view(self) -> View:
        """Return it as plain values: per field value, layer, origin and the shadowed cells, strongest first."""
        return {
            "address": self.address,
            "customer": self.customer,
            "profile": self.profile,
            "service": self.service,
            "settings": {name: self._field_view(name) for name in self.fields},
            "refused": [refused.detail for refused in self.resolved.refused],
            "clamped": [str(clamped.why) for clamped in self.clamped],
        }

    def _field_view(self, name: str) -> View:
        explained = self.resolved.explained[name]
        return {
            "value": spoken_value(explained.value),
            "layer": explained.layer.value,
            "owner": explained.owner,
            "origin": explained.origin,
            **self._set_view(explained.layer, name),
            "explicit_none": explained.ended,
            "locked_by": self.locked.get(name, ""),
            "shadowed": [
                {
                    "value": spoken_value(cell.value),
                    "layer": cell.layer.value,
                    "owner": cell.owner,
                    "origin": cell.origin,
                    **self._set_view(cell.layer, name),
                    "why": str(cell.why),
                }
                for cell in explained.shadowed
            ],
        }

    def _set_view(self, layer: LayerKind, name: str) -> View:
        found = self.stored.get((layer, name))
        return {} if found is None else {"set_at": found.at.isoformat(timespec="seconds"), "set_by": found.by}


def explain_user(  # noqa: PLR0913, PLR0917 - what is in force, and what is asked
    tx: Transaction, directory: Directory, layers: Layers, address: str, service: str, names: Sequence[str]
) -> ExplainedUser:
    """Return what is in force for a user's submissions through a service, for some fields or for all."""
    user = directory.user(canonical_application(address) or address)
    if user is None:
        raise AdminFault(FaultCode.NO_USER, address=address)
    check_service(service)
    customer = directory.customer(user.customer_id)
    profile = directory.profile_in_force(user.customer_id, user)
    resolved = layers.resolve(user.customer_id, service, profile.key if profile is not None else None, user.key)
    fields = tuple(map(field_named, names))
    keys = (
        LayerKey(LayerKind.SYSTEM),
        LayerKey(LayerKind.CUSTOMER, user.customer_id),
        LayerKey(LayerKind.SERVICE, user.customer_id, service),
        *([LayerKey(LayerKind.PROFILE, profile.key)] if profile is not None else []),
        LayerKey(LayerKind.USER, user.key),
        LayerKey(LayerKind.PINNED, user.key),
    )
    rules = limits_of(tx, user.customer_id).rules
    return ExplainedUser(
        address=user.address,
        customer=customer.name if customer is not None else "",
        profile=profile.name if profile is not None else "",
        service=service,
        resolved=resolved,
        fields=fields or tuple(resolved.explained),
        stored={
            (key.kind, cell.field): CellSetting(to_instant(cell.set_at), cell.set_by)
            for key in keys
            for cell in read_cells(tx, key)
        },
        locked={
            name: rule.name
            for rule in reversed(rules)
            for name in resolved.explained
            if rule.locks(name, LayerKind.PINNED)
        },
    )
