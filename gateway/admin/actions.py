"""Changes to what is done with a customer's inbound SMS, and a view of it.

Reply, Stop, Start and Help every customer has from the beginning, without a row; to set one makes its row. Not here:
what the settings mean (action_fields), the words that choose actions (keywords).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from addressbook.canonical import canonical_name
from addressbook.people import Customer
from gateway.admin.action_fields import read_settings, show_settings
from gateway.admin.customers import is_name
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, ValueChange, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.keywords import get_keyword
from gateway.admin.lookup import get_customer, get_login, get_profile
from gateway.admin.numbers import check_reached, get_number, name_of
from inbound.actions import Action, ActionKind, ActionSettings, AnswerAction, PushAction, SmppAction
from sms.facts import Fact
from store.directory_lookup import all_customers, profiles_of
from store.engine.database import Transaction
from store.inbound_rules import (
    action_problems,
    actions_of,
    add_action,
    keywords_of,
    load_numbers,
    remove_action,
    set_action,
)
from store.mail_templates import TemplateRef, TemplateVersion, add_versions, remove_versions

CheckPush = Callable[[PushAction, str], None]
"""Raises AdminFault where a push of the customer of this name can't be as it says."""

BUILT_IN: Final[Mapping[str, ActionKind]] = MappingProxyType(
    {kind.value: kind for kind in (ActionKind.REPLY, ActionKind.STOP, ActionKind.START, ActionKind.HELP)}
)
_PRIVATE: Final = frozenset({"text", "header", "template", "user", "password_file"})
ONE_EACH: Final = frozenset({ActionKind.STOP, ActionKind.START, ActionKind.HELP})
ALL_NUMBERS: Final = "all"
NO_KEYWORD: Final = ""


def make_action(  # noqa: PLR0913 - an action has a name, a place and settings
    edit: Edit,
    name: str,
    customer: str,
    kind: str,
    assignments: Mapping[str, str],
    *,
    check_push: CheckPush,
    number: str = ALL_NUMBERS,
    keyword: str = NO_KEYWORD,
) -> Changed:
    """Add an action: for one number or all, by default or for texts that a keyword opens."""
    owner = get_customer(edit.tx, customer)
    sort = ActionKind(kind)
    if not is_name(name) or canonical_name(name) in BUILT_IN:
        raise AdminFault(FaultCode.BAD_ACTION_NAME, name=name)
    if sort in ONE_EACH:
        raise AdminFault(FaultCode.BUILT_IN_ACTION, kind=sort.value)
    if _find(edit.tx, owner, name) is not None:
        raise AdminFault(FaultCode.ACTION_EXISTS, customer=owner.name, name=name)
    made = Action(
        key=edit.stored.new_key(),
        customer_key=owner.key,
        name=name,
        kind=sort,
        settings=_read(edit, owner, sort, None, assignments, check_push),
    )
    made = _placed(edit, owner, made, number, keyword)
    add_action(edit.tx, made)
    _keep_version(edit, made, None)
    return _done(edit, AuditAction.ADD_ACTION, owner, made, None)


def change_action(  # noqa: PLR0913 - as above
    edit: Edit,
    name: str,
    customer: str,
    assignments: Mapping[str, str],
    *,
    check_push: CheckPush,
    number: str | None = None,
    keyword: str | None = None,
    active: bool | None = None,
) -> Changed:
    """Change an action; None leaves as it is. One of the four that every customer has becomes the customer's own."""
    owner = get_customer(edit.tx, customer)
    before = _find(edit.tx, owner, name)
    kind = before.kind if before is not None else BUILT_IN.get(canonical_name(name))
    if kind is None:
        raise AdminFault(FaultCode.NO_ACTION, customer=owner.name, name=name)
    if canonical_name(name) in BUILT_IN and kind in ONE_EACH and (number, keyword, active) != (None, None, None):
        raise AdminFault(FaultCode.BUILT_IN_ACTION, kind=kind.value)
    settings = _read(edit, owner, kind, before.settings if before is not None else None, assignments, check_push)
    if before is None:
        made = Action(
            key=edit.stored.new_key(),
            customer_key=owner.key,
            name=kind.value.capitalize(),
            kind=kind,
            settings=settings,
        )
        add_action(edit.tx, made)
    else:
        made = replace(before, settings=settings)
    made = _placed(edit, owner, made, number, keyword)
    made = replace(made, active=made.active if active is None else active)
    set_action(edit.tx, made)
    _keep_version(edit, made, before)
    return _done(edit, AuditAction.SET_ACTION, owner, made, before)


def drop_action(edit: Edit, name: str, customer: str) -> Changed:
    """Remove an action; of the four that every customer has, what the customer set of its own."""
    owner = get_customer(edit.tx, customer)
    found = _find(edit.tx, owner, name)
    if found is None:
        built_in = BUILT_IN.get(canonical_name(name))
        code = FaultCode.NO_ACTION if built_in is None else FaultCode.ACTION_IS_STANDARD
        raise AdminFault(code, customer=owner.name, name=name)
    remove_action(edit.tx, found.key)
    remove_versions(edit.tx, template_of(found))
    edit.stored.touch_inbound()
    target, facts = f"{owner.name}/{found.name}", {"customer": owner.name, "name": found.name}
    return edit.done(AuditAction.REMOVE_ACTION, Subject(target, owner.key), **facts)


def list_actions(tx: Transaction, customer: str = "") -> list[Mapping[str, object]]:
    """Return actions, of one customer if named, with those that every customer has, as rows."""
    numbers = load_numbers(tx)
    rows: list[Mapping[str, object]] = []
    for owner in [get_customer(tx, customer)] if customer else all_customers(tx):
        stored = actions_of(tx, owner.key)
        words = {item.key: item.word for item in keywords_of(tx, owner.key)}
        profiles = {item.key: item.name for item in profiles_of(tx, owner.key)}
        problems = action_problems(tx, owner.key)
        have = {canonical_name(action.name) for action in stored}
        standard = [
            Action(key=0, customer_key=owner.key, name=name.capitalize(), kind=kind, settings=AnswerAction())
            for name, kind in BUILT_IN.items()
            if name not in have
        ]
        for action in (*standard, *stored):
            number = numbers.with_key(action.number_key) if action.number_key is not None else None
            rows.append(
                {
                    "action": action.name,
                    "customer": owner.name,
                    "kind": action.kind.value,
                    "number": name_of(number) if number is not None else ALL_NUMBERS,
                    "keyword": words.get(action.keyword_key or 0, ""),
                    "active": action.active,
                    "problem": problems.get(action.key, ""),
                    "settings": list(show_settings(action.kind, action.settings, profiles))
                    or ["standard" if not action.key else "default"],
                }
            )
    return rows


def find_push(tx: Transaction, owner: Customer, name: str) -> tuple[Action, PushAction] | None:
    """Return an action of a customer that pushes, with its settings; None where there is none of this name."""
    found = _find(tx, owner, name)
    return (found, found.settings) if found is not None and isinstance(found.settings, PushAction) else None


def get_push(tx: Transaction, owner: Customer, name: str) -> tuple[Action, PushAction]:
    """Return the same. Raises AdminFault where there is none."""
    found = find_push(tx, owner, name)
    if found is None:
        raise AdminFault(FaultCode.NO_ACTION, customer=owner.name, name=name)
    return found


def list_pushes(tx: Transaction, customer: str) -> list[tuple[Action, PushAction]]:
    """Return the actions of a customer that push, with their settings."""
    found = actions_of(tx, get_customer(tx, customer).key)
    return [(action, action.settings) for action in found if isinstance(action.settings, PushAction)]


def template_of(action: Action) -> TemplateRef:
    """Return under which words the versions of an action's template stand."""
    return TemplateRef(customer_key=action.customer_key, profile_key=0, form=f"action {action.key}")


def _keep_version(edit: Edit, action: Action, before: Action | None) -> None:
    """Keep among its versions what a push says from now on, and what it said before the first of them."""
    was, becomes = (_version(edit, each) for each in (before, action))
    if becomes is None or (was is None and not becomes.source):
        return
    if was is None or (was.source, was.push_form) != (becomes.source, becomes.push_form):
        made = TemplateVersion(0, becomes.source, becomes.push_form, becomes.set_at, edit.who)
        add_versions(edit.tx, template_of(action), filter(None, [was]), [made])


def _version(edit: Edit, action: Action | None) -> TemplateVersion | None:
    if action is None or not isinstance(action.settings, PushAction):
        return None
    return TemplateVersion(0, action.settings.template, action.settings.form.value, edit.tx.now(), "")


def _read(  # noqa: PLR0913, PLR0917 - what settings are read with
    edit: Edit,
    owner: Customer,
    kind: ActionKind,
    before: ActionSettings | None,
    assignments: Mapping[str, str],
    check_push: CheckPush,
) -> ActionSettings:
    if kind.option is not None:
        edit.check_option(owner, kind.option)
    settings = read_settings(kind, before, assignments, lambda name: get_profile(edit.tx, owner, name).key)
    if isinstance(settings, PushAction):
        check_push(settings, owner.name)
    if isinstance(settings, SmppAction) and get_login(edit.tx, settings.login).customer_id != owner.key:
        raise AdminFault(FaultCode.NO_LOGIN, login=settings.login)
    return settings


def _placed(edit: Edit, owner: Customer, action: Action, number: str | None, keyword: str | None) -> Action:
    """Return an action for the texts that are named: to a number, and opened by a keyword; None leaves as it is."""
    if number is not None:
        found = get_number(edit.tx, number) if number and number != ALL_NUMBERS else None
        if found is not None:
            check_reached(found, owner)
        action = replace(action, number_key=found.key if found is not None else None)
    if keyword is not None:
        key = _keyword_key(edit, owner, action, keyword) if keyword else None
        action = replace(action, keyword_key=key)
    return action


def _keyword_key(edit: Edit, owner: Customer, action: Action, word: str) -> int:
    """Return the key of a keyword: that of the action's number, else the one for all numbers."""
    if action.number_key is not None:
        number = load_numbers(edit.tx).with_key(action.number_key)
        try:
            return get_keyword(edit.tx, owner, word, number.digits if number is not None else "").key
        except AdminFault as fault:
            if fault.code is not FaultCode.NO_KEYWORD:
                raise
    return get_keyword(edit.tx, owner, word).key


def _find(tx: Transaction, owner: Customer, name: str) -> Action | None:
    wanted = canonical_name(name)
    return next((item for item in actions_of(tx, owner.key) if canonical_name(item.name) == wanted), None)


def _done(edit: Edit, done: AuditAction, owner: Customer, action: Action, before: Action | None) -> Changed:
    edit.stored.touch_inbound()
    made = differences(_told(edit.tx, before) if before is not None else {}, _told(edit.tx, action))
    values = [
        ValueChange(item.field, _public(item.field, item.before), _public(item.field, item.after)) for item in made
    ]
    facts: dict[str, Fact] = {
        "customer": owner.name,
        "name": action.name,
        "kind": action.kind.value,
        "active": action.active,
    }
    return edit.done(done, Subject(f"{owner.name}/{action.name}", owner.key, action.kind.value, values=values), **facts)


def _told(tx: Transaction, action: Action) -> dict[str, object]:
    """Return what is set of an action, by its names."""
    number = load_numbers(tx).with_key(action.number_key) if action.number_key is not None else None
    words = {item.key: item.word for item in keywords_of(tx, action.customer_key)}
    profiles = {item.key: item.name for item in profiles_of(tx, action.customer_key)}
    shown = (str(item).partition("=")[::2] for item in show_settings(action.kind, action.settings, profiles))
    return {
        "active": action.active,
        "number": name_of(number) if number is not None else None,
        "keyword": words.get(action.keyword_key or 0),
        **dict(shown),
    }


def _public(name: str, text: str) -> str:
    """Return what the audit has of a value: what an answer says, or proves a push, is nobody's business there."""
    if name == "url":
        return text.partition("?")[0]
    return "(set)" if text and name.partition(".")[0] in _PRIVATE else text
