"""The layers of settings: which value is in force, its origin, and what the constraints changed.

A layer is a set of cells of one owner. A field without a cell is unmanaged there; a cell holds UNSET (inherit), NONE
(the field's neutral value, inheritance ends) or a value. `Layers` has all stored layers as of one version.

Not here: parsing values (sms.settings), identities (people), the cache (snapshot), what a refusal does to a submission
(gateway.plan).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Final

from addressbook.overruled import Overrules, Overruling, overruling
from sms.facts import Fact
from sms.message import MAIL_SERVICES, Priority
from sms.number import NumberType, SenderId
from sms.outcome import Refusal, Refused
from sms.serialise import freeze_origins, freeze_settings
from sms.settings import FIELDS, NONE, UNSET, Settings, SettingsPatch, Unencodable
from sms.usage import UsageLimit


class LayerKind(StrEnum):
    """Every layer, weak to strong: the order of definition is the order of strength.

    `TRIAL` is the what-if of `explain` and ignores locks. `CONSTRAINT` is no layer: it decided a clamped value.
    """

    BUILT_IN = "built-in"
    SYSTEM = "system"
    CUSTOMER = "customer"
    SERVICE = "service"
    PROFILE = "profile"
    USER = "user"
    PINNED = "pinned"
    LIST = "list"
    MESSAGE = "message"
    TRIAL = "trial"
    CONSTRAINT = "constraint"


STRENGTH: Final[Mapping[LayerKind, int]] = MappingProxyType({kind: index for index, kind in enumerate(LayerKind)})


@dataclass(frozen=True, slots=True)
class Cell:
    """The value of one field in one layer, with its origin: `manual:anna`, `file:people.csv …, line 12, sms-id`."""

    value: object
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The cells of one owner. `owner` is shown to people: a name, an address, a service of a customer."""

    kind: LayerKind
    owner: str = ""
    cells: Mapping[str, Cell] = field(default_factory=dict)


def layer_of(kind: LayerKind, patch: SettingsPatch, origin: str | Mapping[str, str], owner: str = "") -> Layer:
    """Return a patch as a layer; `origin` is one text for all fields or a text per field."""
    return Layer(
        kind=kind,
        owner=owner,
        cells={
            name: Cell(value, origin if isinstance(origin, str) else origin.get(name, kind.value))
            for name, value in patch.items()
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """The limits of an owner for those below it. None means any.

    `kind` is SYSTEM or CUSTOMER; PROFILE or USER for countries, types of numbers and limits of use alone. This owner
    decides a locked field (a customer's services belong to it), and layers below cannot change it. `by_contract`: the
    limits are what the customer has not contracted. Without `reject` no text is refused for its characters.
    """

    kind: LayerKind
    owner: str = ""
    locked: frozenset[str] = frozenset()
    sender_ids: frozenset[str] | None = None
    max_parts: int | None = None
    express: bool = True
    flash: bool = True
    countries: frozenset[str] | None = None
    number_types: frozenset[NumberType] | None = None
    usage: tuple[UsageLimit, ...] = ()
    push: bool = True
    reject: bool = True
    by_contract: bool = False

    @property
    def name(self) -> str:
        """The owner in a sentence: `the system`, `customer Example Ltd`."""
        if self.by_contract:
            return f"the contract of customer {self.owner}"
        return "the system" if self.kind is LayerKind.SYSTEM else f"{self.kind} {self.owner}".rstrip()

    def locks(self, field_name: str, kind: LayerKind) -> bool:
        """Return whether the owner's lock bars a cell of this layer."""
        if field_name not in self.locked or kind is LayerKind.TRIAL:
            return False
        last_allowed = LayerKind.SERVICE if self.kind is LayerKind.CUSTOMER else self.kind
        return STRENGTH[kind] > STRENGTH[last_allowed]


@dataclass(frozen=True, slots=True)
class Shadowed:
    """A cell without effect, and why."""

    value: object
    layer: LayerKind
    owner: str
    origin: str
    why: Overruling


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The value of one field with the layer and origin that decided it; `shadowed` has the other cells, last first.

    `ended`: the deciding cell was NONE, so that the value is the field's neutral one.
    """

    value: object
    layer: LayerKind
    origin: str
    owner: str = ""
    ended: bool = False
    shadowed: tuple[Shadowed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamped:
    """A stored or requested value that a constraint changed, and why."""

    field: str
    wanted: object
    value: object
    why: Overruling


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """The settings in force with their explanation; without slots, since it caches its own JSON.

    `refused` is empty if the submission may continue; each entry's detail names field and constraint.
    """

    settings: Settings
    explained: Mapping[str, Explained]
    refused: tuple[Refused, ...] = ()
    clamped: tuple[Clamped, ...] = ()

    def origins(self) -> dict[str, tuple[str, str]]:
        """Return the deciding layer and origin of each field that is not built-in, for the job's stored record."""
        return {
            name: (item.layer.value, item.origin)
            for name, item in self.explained.items()
            if item.layer is not LayerKind.BUILT_IN
        }

    @cached_property
    def settings_json(self) -> str:
        """The settings as a job stores them."""
        return freeze_settings(self.settings)

    @cached_property
    def origins_json(self) -> str:
        """The origins as a job stores them."""
        return freeze_origins(self.origins())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stacked:
    """The result of some layers before the clamps; further layers can follow."""

    settings: Settings
    explained: Mapping[str, Explained]
    refused: tuple[Refused, ...] = ()
    clamped: tuple[Clamped, ...] = ()


def _built_in() -> _Stacked:
    settings = Settings()
    return _Stacked(
        settings=settings,
        explained={
            item.name: Explained(
                value=getattr(settings, item.name), layer=LayerKind.BUILT_IN, origin=LayerKind.BUILT_IN.value
            )
            for item in fields(Settings)
        },
    )


_BUILT_IN: Final = _built_in()


_SAYS_NOTHING: Final = overruling(Overrules.SAYS_NOTHING)
_WEAKER: Final = {kind: overruling(Overrules.WEAKER, layer=kind.value) for kind in LayerKind}


def _why_barred(name: str, layer: Layer, constraints: Iterable[Constraints]) -> Overruling | None:
    """Return why this layer's cell does not count, None if it does."""
    if layer.kind is LayerKind.MESSAGE and not FIELDS[name].message_may_set:
        return overruling(Overrules.NOT_BY_MESSAGE, field=name)
    for constraint in constraints:
        if constraint.locks(name, layer.kind):
            return overruling(Overrules.LOCKED, field=name, by=constraint.name)
    return None


def _lay(below: _Stacked, layers: Iterable[Layer], constraints: Sequence[Constraints]) -> _Stacked:
    explained: dict[str, Explained] = dict(below.explained)
    refused, clamped = list(below.refused), list(below.clamped)
    changed: dict[str, object] = {}
    for layer in layers:
        for name, cell in layer.cells.items():
            before = explained[name]
            value = FIELDS[name].neutral if cell.value is NONE else cell.value
            why = _why_barred(name, layer, constraints)
            if cell.value is UNSET or why is not None:
                note = Shadowed(cell.value, layer.kind, layer.owner, cell.origin, why or _SAYS_NOTHING)
                explained[name] = replace(before, shadowed=(note, *before.shadowed))
                if why is None or cell.value is UNSET or value == before.value:
                    continue
                if layer.kind is LayerKind.MESSAGE:
                    refused.append(Refused(refusal=Refusal.SETTING_NOT_PERMITTED, detail=f"{why}."))
                else:
                    clamped.append(Clamped(field=name, wanted=value, value=before.value, why=why))
                continue
            merge = FIELDS[name].merge
            if merge is not None and cell.value is not NONE:
                value = merge(before.value, value)
            was = Shadowed(before.value, before.layer, before.owner, before.origin, _WEAKER[layer.kind])
            explained[name] = Explained(
                value=value,
                layer=layer.kind,
                origin=cell.origin,
                owner=layer.owner,
                ended=cell.value is NONE,
                shadowed=(was, *before.shadowed),
            )
            changed[name] = value
    settings = replace(below.settings, **changed) if changed else below.settings  # type: ignore[arg-type]  # by name
    return _Stacked(settings=settings, explained=explained, refused=tuple(refused), clamped=tuple(clamped))


def _constrain(stacked: _Stacked, constraints: Sequence[Constraints]) -> Resolved:
    decided: dict[str, Explained] = {}
    refused, clamped = list(stacked.refused), list(stacked.clamped)
    changed: dict[str, object] = {}

    def clamp(name: str, value: object, constraint: Constraints, code: Overrules, **facts: Fact) -> None:
        why = overruling(code, by=constraint.name, **facts)
        before = decided.get(name) or stacked.explained[name]
        was = Shadowed(before.value, before.layer, before.owner, before.origin, why)
        decided[name] = Explained(
            value=value,
            layer=LayerKind.CONSTRAINT,
            origin=f"constraint of {constraint.name}",
            owner=constraint.owner,
            shadowed=(was, *before.shadowed),
        )
        clamped.append(Clamped(field=name, wanted=before.value, value=value, why=why))
        changed[name] = value

    for rule in constraints:
        parts = changed.get("max_parts", stacked.settings.max_parts)
        if rule.max_parts is not None and isinstance(parts, int) and parts > rule.max_parts:
            clamp("max_parts", rule.max_parts, rule, Overrules.TOO_MANY_PARTS, most=rule.max_parts)
        if not rule.express and changed.get("priority", stacked.settings.priority) is Priority.EXPRESS:
            clamp("priority", Priority.NORMAL, rule, Overrules.NO_EXPRESS)
        if not rule.flash and changed.get("flash", stacked.settings.flash) is True:
            clamp("flash", False, rule, Overrules.NO_FLASH)
        if not rule.push and changed.get("push_url", stacked.settings.push_url):
            clamp("push_url", "", rule, Overrules.NO_PUSH)
        if not rule.reject and changed.get("unencodable", stacked.settings.unencodable) is Unencodable.REJECT:
            clamp("unencodable", Unencodable.SMART, rule, Overrules.NO_REJECT)
        sender = stacked.settings.sender_id
        if rule.sender_ids is not None and sender is not None and sender.value not in rule.sender_ids:
            refused.append(_sender_refused(sender, rule))
        fallback = changed.get("fallback_sender_id", stacked.settings.fallback_sender_id)
        if rule.sender_ids is not None and isinstance(fallback, SenderId) and fallback.value not in rule.sender_ids:
            clamp("fallback_sender_id", None, rule, Overrules.NO_SUCH_SENDER, sender_id=fallback.value)
    return Resolved(
        settings=replace(stacked.settings, **changed) if changed else stacked.settings,  # type: ignore[arg-type]  # by name
        explained={**stacked.explained, **decided} if decided else stacked.explained,
        refused=tuple(refused),
        clamped=tuple(clamped),
    )


def _sender_refused(sender: SenderId, rule: Constraints) -> Refused:
    allowed = ", ".join(sorted(rule.sender_ids or ())) or "none"
    return Refused(
        refusal=Refusal.SENDER_ID_NOT_PERMITTED,
        detail=f"The sender ID {sender.value} is not among those that {rule.name} permits ({allowed}).",
    )


def resolve(layers: Iterable[Layer], constraints: Sequence[Constraints] = ()) -> Resolved:
    """Return the settings in force with these layers above the built-in one, in any order of arguments.

    A cell of a field that does not exist raises KeyError. Constraints are those of the system, then of the customer.
    """
    in_order = sorted(layers, key=lambda layer: STRENGTH[layer.kind])
    return _constrain(_lay(_BUILT_IN, in_order, constraints), constraints)


def refuse_type(kind: NumberType, constraints: Iterable[Constraints]) -> Refused | None:
    """Return why a recipient whose number is of this type is refused, None if it is not."""
    for rule in constraints:
        if rule.number_types is not None and kind not in rule.number_types:
            allowed = ", ".join(sorted(rule.number_types)) or "no type"
            detail = f"SMS to numbers of the type {kind} are not allowed by {rule.name}, only to {allowed}."
            return Refused(refusal=Refusal.NUMBER_TYPE_NOT_ALLOWED, detail=detail)
    return None


def refuse_country(country: str, constraints: Iterable[Constraints]) -> Refused | None:
    """Return why a recipient's country (ISO 3166, two letters, empty if unknown) is refused, None if it is not."""
    for rule in constraints:
        if rule.countries is not None and country not in rule.countries:
            allowed = ", ".join(sorted(rule.countries)) or "no country"
            return Refused(
                refusal=Refusal.COUNTRY_NOT_ALLOWED,
                detail=f"SMS to {country or 'an unknown country'} are not allowed by {rule.name}, only to {allowed}.",
            )
    return None


@dataclass(frozen=True, slots=True)
class LayerKey:
    """Names a stored layer: the record's key (0 for the system), and the service if `kind` is SERVICE."""

    kind: LayerKind
    owner_id: int = 0
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersChange:
    """The changes of `version`: new layers and constraints by key, None if they were removed."""

    version: int
    layers: Mapping[LayerKey, Layer | None] = field(default_factory=dict)
    constraints: Mapping[int, Constraints | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSettings:
    """The combined stored layers of one sender: in force alone, or with further layers above them."""

    stacked: _Stacked
    constraints: tuple[Constraints, ...]
    resolved: Resolved

    def with_further(self, further: Sequence[Layer]) -> Resolved:
        """Return the settings in force with a submission's own layers; `resolved` itself if they are empty."""
        laid = sorted((layer for layer in further if layer.cells), key=lambda layer: STRENGTH[layer.kind])
        return _constrain(_lay(self.stacked, laid, self.constraints), self.constraints) if laid else self.resolved


class Layers:
    """All stored layers and constraints as of one version; `constraints` has the system's under key 0.

    A change makes a new object. `snapshot.Snapshot` caches the results.
    """

    __slots__ = ("_constraints", "_contracts", "_layers", "_of_mail", "version")

    def __init__(
        self,
        *,
        version: int = 0,
        layers: Mapping[LayerKey, Layer] = MappingProxyType({}),
        constraints: Mapping[int, Constraints] = MappingProxyType({}),
        contracts: Mapping[int, Constraints] = MappingProxyType({}),
        of_mail: Constraints | None = None,
    ) -> None:
        self.version = version
        self._layers = layers
        self._constraints = constraints
        self._contracts = contracts
        self._of_mail = of_mail

    def bound_by(self, contracts: Mapping[int, Constraints], of_mail: Constraints | None) -> "Layers":
        """Return the same layers, bound also by what customers have not contracted, and by a rule for mails alone."""
        return Layers(
            version=self.version,
            layers=self._layers,
            constraints=self._constraints,
            contracts=contracts,
            of_mail=of_mail,
        )

    def apply(self, change: LayersChange) -> "Layers":
        """Return the layers after the change; this object does not change."""
        layers, constraints = dict(self._layers), dict(self._constraints)
        for key, layer in change.layers.items():
            if layer is None:
                layers.pop(key, None)
            else:
                layers[key] = layer
        for owner_id, rules in change.constraints.items():
            if rules is None:
                constraints.pop(owner_id, None)
            else:
                constraints[owner_id] = rules
        return Layers(version=change.version, layers=layers, constraints=constraints)

    def layer(self, key: LayerKey) -> Layer | None:
        """Return one stored layer."""
        return self._layers.get(key)

    def constraints(self, customer_id: int) -> tuple[Constraints, ...]:
        """Return the constraints that bind a customer's submissions: the system's, then its own and its contract's."""
        found = [self._constraints.get(0)]
        if customer_id:
            found += (self._constraints.get(customer_id), self._contracts.get(customer_id))
        return tuple(rules for rules in found if rules is not None)

    def all_constraints(self) -> Mapping[int, Constraints]:
        """Return the stored constraints of all owners by their keys, 0 for the system."""
        return self._constraints

    def limits(
        self, customer_id: int, profile_id: int | None, user_id: int | None
    ) -> tuple[tuple[int, Constraints], ...]:
        """Return by its key each owner whose constraints bind a sender: system, customer, profile and user."""
        owners = dict.fromkeys((0, customer_id, profile_id, user_id))
        return tuple(
            (owner, rules)
            for owner in owners
            if owner is not None and (rules := self._constraints.get(owner)) is not None
        )

    def stack(self, customer_id: int, service: str, profile_id: int | None, user_id: int | None) -> tuple[Layer, ...]:
        """Return the stored layers that apply, weak to strong; layers that do not exist are left out."""
        keys = [
            LayerKey(LayerKind.SYSTEM),
            LayerKey(LayerKind.CUSTOMER, customer_id),
            LayerKey(LayerKind.SERVICE, customer_id, service),
        ]
        if profile_id is not None:
            keys.append(LayerKey(LayerKind.PROFILE, profile_id))
        if user_id is not None:
            keys += (LayerKey(LayerKind.USER, user_id), LayerKey(LayerKind.PINNED, user_id))
        return tuple(layer for layer in map(self._layers.get, keys) if layer is not None)

    def resolve(
        self,
        customer_id: int,
        service: str,
        profile_id: int | None = None,
        user_id: int | None = None,
        further: Sequence[Layer] = (),
    ) -> Resolved:
        """Return the settings in force for a submission; `further` are its list, message and trial layers, if any."""
        return self.lay_stored(customer_id, service, profile_id, user_id).with_further(further)

    def lay_stored(self, customer_id: int, service: str, profile_id: int | None, user_id: int | None) -> StoredSettings:
        """Return the stored layers that apply, combined."""
        rules = self.constraints(customer_id)
        if self._of_mail is not None and service in MAIL_SERVICES:
            rules = (*rules, self._of_mail)
        stacked = _lay(_BUILT_IN, self.stack(customer_id, service, profile_id, user_id), rules)
        return StoredSettings(stacked=stacked, constraints=rules, resolved=_constrain(stacked, rules))

    def has_cells(self, user_id: int) -> bool:
        """Return whether a user has own layers."""
        return LayerKey(LayerKind.USER, user_id) in self._layers or LayerKey(LayerKind.PINNED, user_id) in self._layers
