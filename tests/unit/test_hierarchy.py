"""addressbook.hierarchy: which layer wins, what constraints do, and that remembering changes no answer."""

import weakref
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addressbook.hierarchy import (
    STRENGTH,
    Cell,
    Constraints,
    Layer,
    LayerKey,
    LayerKind,
    Layers,
    LayersChange,
    layer_of,
    refuse_country,
    resolve,
)
from addressbook.lists import DistributionLists
from addressbook.overruled import Overrules, overruling
from addressbook.people import Customer, Directory, Profile, User
from addressbook.senders import Sender
from addressbook.snapshot import Snapshot
from sms.message import Priority
from sms.number import SenderId, SenderKind
from sms.outcome import Refusal
from sms.settings import FIELDS, NONE, UNSET, Settings, StatusReport, TextSource

REAL_LAYERS = [kind for kind in LayerKind if kind not in (LayerKind.BUILT_IN, LayerKind.CONSTRAINT)]
SHOP = SenderId(value="Shop", kind=SenderKind.ALPHANUMERIC)
OTHER = SenderId(value="Other", kind=SenderKind.ALPHANUMERIC)


def layer(kind: LayerKind, **cells: object) -> Layer:
    return layer_of(kind, cells, f"origin of {kind}", f"owner of {kind}")


def test_nothing_set_means_the_built_in_settings() -> None:
    resolved = resolve([])
    assert resolved.settings == Settings()
    assert set(resolved.explained) == set(FIELDS)
    assert {item.layer for item in resolved.explained.values()} == {LayerKind.BUILT_IN}
    assert resolved.origins() == {}


@pytest.mark.parametrize("weaker_index", range(len(REAL_LAYERS) - 1))
def test_each_layer_gives_way_to_the_next_whatever_their_order(weaker_index: int) -> None:
    weak, strong = REAL_LAYERS[weaker_index : weaker_index + 2]
    layers = [layer(strong, max_parts=7), layer(weak, max_parts=3)]
    resolved = resolve(layers)
    assert resolved.settings.max_parts == 7
    explained = resolved.explained["max_parts"]
    assert (explained.layer, explained.owner, explained.origin) == (strong, f"owner of {strong}", f"origin of {strong}")
    assert [(cell.value, cell.layer) for cell in explained.shadowed] == [(3, weak), (4, LayerKind.BUILT_IN)]
    assert resolved.origins() == {"max_parts": (strong.value, f"origin of {strong}")}


def test_an_unset_cell_inherits_and_is_seen_to() -> None:
    resolved = resolve([layer(LayerKind.CUSTOMER, cost_centre="4711"), layer(LayerKind.USER, cost_centre=UNSET)])
    assert resolved.settings.cost_centre == "4711"
    explained = resolved.explained["cost_centre"]
    assert explained.layer is LayerKind.CUSTOMER
    assert [cell.layer for cell in explained.shadowed] == [LayerKind.USER, LayerKind.BUILT_IN]


@pytest.mark.parametrize(
    ("field", "below", "neutral"),
    [
        ("cost_centre", "4711", ""),
        ("sender_id", SHOP, None),
        ("status_report", StatusReport.ON_FAILURE, StatusReport.NEVER),
        ("max_parts", 7, 4),
    ],
)
def test_none_ends_inheritance_with_the_neutral_value(field: str, below: object, neutral: object) -> None:
    resolved = resolve([layer(LayerKind.CUSTOMER, **{field: below}), layer(LayerKind.USER, **{field: NONE})])
    assert getattr(resolved.settings, field) == neutral
    assert resolved.explained[field].ended
    assert resolved.explained[field].value == neutral


@pytest.mark.parametrize(("field", "value"), [("preview", False), ("max_parts", 0), ("cost_centre", "")])
def test_a_falsy_value_is_a_value(field: str, value: object) -> None:
    resolved = resolve([layer(LayerKind.USER, **{field: value})])
    assert resolved.explained[field].layer is LayerKind.USER


def test_origins_may_differ_per_field() -> None:
    patch = {"priority": Priority.EXPRESS, "max_parts": 2}
    made = layer_of(LayerKind.MESSAGE, patch, {"priority": "header Importance"})
    assert made.cells == {"priority": Cell(Priority.EXPRESS, "header Importance"), "max_parts": Cell(2, "message")}


def test_a_message_may_only_set_what_messages_may() -> None:
    resolved = resolve([layer(LayerKind.MESSAGE, text_source=TextSource.SUBJECT, max_parts=2)])
    assert resolved.settings.text_source is TextSource.BODY
    assert resolved.settings.max_parts == 2
    assert [(item.refusal, item.detail) for item in resolved.refused] == [
        (Refusal.SETTING_NOT_PERMITTED, "text_source cannot be set by a message.")
    ]


def test_a_trial_may_set_everything_even_what_is_locked() -> None:
    rules = Constraints(kind=LayerKind.CUSTOMER, owner="Acme", locked=frozenset({"text_source"}))
    resolved = resolve([layer(LayerKind.TRIAL, text_source=TextSource.SUBJECT)], [rules])
    assert resolved.settings.text_source is TextSource.SUBJECT
    assert resolved.refused == ()


@pytest.mark.parametrize(
    ("owner", "kind", "barred"),
    [
        (LayerKind.SYSTEM, LayerKind.SYSTEM, False),
        (LayerKind.SYSTEM, LayerKind.CUSTOMER, True),
        (LayerKind.SYSTEM, LayerKind.SERVICE, True),
        (LayerKind.CUSTOMER, LayerKind.CUSTOMER, False),
        (LayerKind.CUSTOMER, LayerKind.SERVICE, False),
        (LayerKind.CUSTOMER, LayerKind.PROFILE, True),
        (LayerKind.CUSTOMER, LayerKind.USER, True),
        (LayerKind.CUSTOMER, LayerKind.PINNED, True),
        (LayerKind.CUSTOMER, LayerKind.LIST, True),
    ],
)
def test_a_lock_bars_the_layers_beneath_its_owner(owner: LayerKind, kind: LayerKind, barred: bool) -> None:
    rules = Constraints(kind=owner, owner="Acme", locked=frozenset({"max_parts"}))
    resolved = resolve([layer(kind, max_parts=7)], [rules])
    assert resolved.settings.max_parts == (4 if barred else 7)
    assert [(item.wanted, item.value) for item in resolved.clamped] == ([(7, 4)] if barred else [])
    assert resolved.refused == ()


def test_a_message_that_changes_a_locked_field_is_refused_and_told_who_locked_it() -> None:
    rules = Constraints(kind=LayerKind.CUSTOMER, owner="Acme", locked=frozenset({"priority"}))
    resolved = resolve([layer(LayerKind.MESSAGE, priority=Priority.EXPRESS)], [rules])
    assert [item.detail for item in resolved.refused] == ["priority is locked by customer Acme."]
    same = resolve([layer(LayerKind.MESSAGE, priority=Priority.NORMAL)], [rules])
    assert same.refused == ()


def test_limits_clamp_and_name_the_stricter_owner() -> None:
    system = Constraints(kind=LayerKind.SYSTEM, max_parts=10, flash=False)
    customer = Constraints(kind=LayerKind.CUSTOMER, owner="Acme", max_parts=6, express=False)
    asked = layer(LayerKind.MESSAGE, max_parts=20, priority=Priority.EXPRESS, flash=True)
    resolved = resolve([asked], [system, customer])
    settings = resolved.settings
    assert (settings.max_parts, settings.priority, settings.flash) == (6, Priority.NORMAL, False)
    assert [str(item.why) for item in resolved.clamped] == [
        "the system allows 10 parts at most",
        "the system does not allow flash",
        "customer Acme allows 6 parts at most",
        "customer Acme does not allow express",
    ]
    assert [dict(item.why.facts) for item in resolved.clamped[::2]] == [
        {"by": "the system", "most": 10},
        {"by": "customer Acme", "most": 6},
    ]
    explained = resolved.explained["max_parts"]
    assert (explained.layer, explained.origin) == (LayerKind.CONSTRAINT, "constraint of customer Acme")
    assert [cell.value for cell in explained.shadowed] == [10, 20, 4]


def test_why_a_value_is_not_in_force_comes_with_the_facts_of_its_code() -> None:
    assert str(overruling(Overrules.TOO_MANY_PARTS, by="the system", most=1)) == "the system allows one part at most"
    with pytest.raises(TypeError, match="locked comes with"):
        overruling(Overrules.LOCKED, by="the system")


@pytest.mark.parametrize("kind", [LayerKind.CUSTOMER, LayerKind.PINNED, LayerKind.MESSAGE, LayerKind.TRIAL])
def test_a_sender_id_that_is_not_permitted_refuses_whoever_set_it(kind: LayerKind) -> None:
    rules = Constraints(kind=LayerKind.CUSTOMER, owner="Acme", sender_ids=frozenset({"Shop", "Alarm"}))
    assert resolve([layer(kind, sender_id=SHOP)], [rules]).refused == ()
    refused = resolve([layer(kind, sender_id=OTHER)], [rules]).refused
    assert [(item.refusal, item.detail) for item in refused] == [
        (
            Refusal.SENDER_ID_NOT_PERMITTED,
            "The sender ID Other is not among those that customer Acme permits (Alarm, Shop).",
        )
    ]


def test_no_sender_id_at_all_is_always_permitted() -> None:
    rules = Constraints(kind=LayerKind.CUSTOMER, owner="Acme", sender_ids=frozenset())
    assert resolve([layer(LayerKind.USER, sender_id=NONE)], [rules]).refused == ()


@pytest.mark.parametrize(("country", "allowed"), [("DE", True), ("ES", False), ("FR", False), ("", False)])
def test_a_country_must_be_allowed_by_system_and_customer(country: str, allowed: bool) -> None:
    rules = [
        Constraints(kind=LayerKind.SYSTEM, countries=frozenset({"DE", "ES"})),
        Constraints(kind=LayerKind.CUSTOMER, owner="Acme", countries=frozenset({"DE", "FR"})),
    ]
    refused = refuse_country(country, rules)
    assert (refused is None) is allowed
    if refused is not None:
        assert refused.refusal is Refusal.COUNTRY_NOT_ALLOWED
    assert refuse_country(country, [Constraints(kind=LayerKind.SYSTEM)]) is None


def test_a_field_that_does_not_exist_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError):
        resolve([layer(LayerKind.USER, no_such_field=1)])


VALUES: Mapping[str, Sequence[object]] = {
    "max_parts": (1, 4, 9, 20),
    "priority": tuple(Priority),
    "flash": (True, False),
    "sender_id": (SHOP, OTHER),
    "text_source": tuple(TextSource),
    "validity": (timedelta(hours=1), timedelta(hours=48)),
}
PATCHES = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from((UNSET, NONE, *values)) for name, values in VALUES.items()}
)
STACKS = st.fixed_dictionaries({}, optional=dict.fromkeys(REAL_LAYERS, PATCHES))
RULES = st.builds(
    Constraints,
    kind=st.just(LayerKind.CUSTOMER),
    owner=st.just("Acme"),
    locked=st.frozensets(st.sampled_from(sorted(VALUES))),
    sender_ids=st.none() | st.frozensets(st.sampled_from(["Shop", "Other"])),
    max_parts=st.none() | st.integers(1, 20),
    express=st.booleans(),
    flash=st.booleans(),
)


@given(STACKS)
def test_the_strongest_cell_that_speaks_decides(stack: dict[LayerKind, dict[str, object]]) -> None:
    stack.pop(LayerKind.MESSAGE, None)
    resolved = resolve([layer(kind, **patch) for kind, patch in stack.items()])
    for name in VALUES:
        speaking = [kind for kind, patch in stack.items() if patch.get(name, UNSET) is not UNSET]
        if not speaking:
            assert getattr(resolved.settings, name) == getattr(Settings(), name)
            continue
        strongest = max(speaking, key=STRENGTH.__getitem__)
        value = stack[strongest][name]
        assert getattr(resolved.settings, name) == (FIELDS[name].neutral if value is NONE else value)
        assert resolved.explained[name].layer is strongest


@given(STACKS, RULES)
def test_the_explanation_tells_the_settings_and_keeps_every_cell(
    stack: dict[LayerKind, dict[str, object]], rules: Constraints
) -> None:
    resolved = resolve([layer(kind, **patch) for kind, patch in stack.items()], [rules])
    for name in FIELDS:
        explained = resolved.explained[name]
        assert explained.value == getattr(resolved.settings, name)
        cells = 1 + sum(name in patch for patch in stack.values())
        by_constraint = explained.layer is LayerKind.CONSTRAINT
        assert 1 + len(explained.shadowed) == cells + by_constraint
    assert rules.max_parts is None or resolved.settings.max_parts <= rules.max_parts
    assert rules.express or resolved.settings.priority is Priority.NORMAL
    assert rules.flash or not resolved.settings.flash


STORED = {
    LayerKind.SYSTEM: LayerKey(LayerKind.SYSTEM),
    LayerKind.CUSTOMER: LayerKey(LayerKind.CUSTOMER, 1),
    LayerKind.SERVICE: LayerKey(LayerKind.SERVICE, 1, "mail"),
    LayerKind.PROFILE: LayerKey(LayerKind.PROFILE, 2),
    LayerKind.USER: LayerKey(LayerKind.USER, 3),
    LayerKind.PINNED: LayerKey(LayerKind.PINNED, 3),
}


@given(STACKS, RULES)
def test_remembered_answers_are_those_of_resolving_from_nothing(
    stack: dict[LayerKind, dict[str, object]], rules: Constraints
) -> None:
    all_layers = {kind: layer(kind, **patch) for kind, patch in stack.items()}
    stored = {STORED[kind]: item for kind, item in all_layers.items() if kind in STORED}
    further = [item for kind, item in all_layers.items() if kind not in STORED]
    snapshot = Snapshot(Directory(), Layers(layers=stored, constraints={1: rules}), DistributionLists())
    for _ in range(2):
        assert snapshot.resolve(sender(3), "mail", further) == resolve(all_layers.values(), [rules])
        assert snapshot.resolve(sender(3), "mail") == resolve(stored.values(), [rules])


def sender(user: int) -> Sender:
    return Sender(
        customer=Customer(key=1, name="Acme"),
        user=User(key=user, customer_id=1, address=f"{user}@acme.example.com"),
        profile=Profile(key=2, customer_id=1, name="ops"),
    )


def test_only_the_layers_of_this_submission_apply() -> None:
    stored = {
        LayerKey(LayerKind.CUSTOMER, 1): layer(LayerKind.CUSTOMER, max_parts=2),
        LayerKey(LayerKind.SERVICE, 1, "sap"): layer(LayerKind.SERVICE, max_parts=3),
        LayerKey(LayerKind.PROFILE, 5): layer(LayerKind.PROFILE, max_parts=5),
        LayerKey(LayerKind.USER, 6): layer(LayerKind.USER, max_parts=6),
    }
    layers = Layers(layers=stored, constraints={0: Constraints(kind=LayerKind.SYSTEM, max_parts=19)})
    asked: list[tuple[int, str, int | None, int | None]] = [
        (1, "mail", None, None),
        (1, "sap", None, None),
        (1, "sap", 5, None),
        (1, "sap", 5, 6),
        (2, "mail", None, None),
        (1, "mail", 9, 9),
    ]
    assert [layers.resolve(*who).settings.max_parts for who in asked] == [2, 3, 5, 6, 4, 2]
    assert len(layers.constraints(2)) == 1


def test_a_change_is_seen_by_the_new_layers_only() -> None:
    key = LayerKey(LayerKind.CUSTOMER, 1)
    before = Layers(version=1, layers={key: layer(LayerKind.CUSTOMER, max_parts=2)})
    assert before.resolve(1, "mail").settings.max_parts == 2
    rules = Constraints(kind=LayerKind.CUSTOMER, owner="Acme", max_parts=3)
    after = before.apply(LayersChange(version=2, layers={key: None}, constraints={1: rules}))
    assert after.resolve(1, "mail").settings.max_parts == 3
    assert before.resolve(1, "mail").settings.max_parts == 2
    assert (before.version, after.version) == (1, 2)
    again = after.apply(LayersChange(version=3, constraints={1: None}))
    assert again.resolve(1, "mail").settings.max_parts == 4


def test_users_without_settings_share_one_answer_and_memory_is_bounded() -> None:
    stored = {LayerKey(LayerKind.USER, user): layer(LayerKind.USER, max_parts=2) for user in range(1, 50)}
    snapshot = Snapshot(Directory(), Layers(layers=stored), DistributionLists(), most_settings=10)
    assert snapshot.resolve(sender(1000), "mail") is snapshot.resolve(sender(1001), "mail")
    answers = [weakref.ref(snapshot.resolve(sender(user), "mail")) for user in range(1, 50)]
    kept = [resolved for answer in answers if (resolved := answer()) is not None]
    assert len(kept) == 10
    assert {resolved.settings.max_parts for resolved in kept} == {2}
