"""Changes to the profiles of a customer. Not here: their settings."""

from gateway.admin.customers import is_name
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, ValueChange
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer, get_profile
from inbound.actions import MailAction
from sms.facts import Fact
from store.directory_lookup import count_users, find_profile, logins_of, profiles_of, ranges_of
from store.inbound_rules import actions_of


def add_profile(edit: Edit, customer: str, name: str, *, default: bool = False) -> Changed:
    """Make a profile of a customer, and with `default` the one of users that have none."""
    owner = get_customer(edit.tx, customer)
    if not is_name(name):
        raise AdminFault(FaultCode.BAD_PROFILE_NAME, name=name)
    if find_profile(edit.tx, owner.key, name) is not None:
        raise AdminFault(FaultCode.PROFILE_EXISTS, customer=owner.name, name=name)
    key = edit.stored.add_profile(owner.key, name)
    if default:
        edit.stored.set_customer(owner.key, active=owner.active, default_profile=key)
    detail = "default" if default else ""
    facts: dict[str, Fact] = {"customer": owner.name, "profile": name, "default": default}
    return edit.done(AuditAction.ADD_PROFILE, Subject(f"{owner.name}/{name}", owner.key, detail), **facts)


def set_default_profile(edit: Edit, customer: str, name: str = "") -> Changed:
    """Choose the profile of a customer's users that have none; an empty name chooses none."""
    owner = get_customer(edit.tx, customer)
    profile = get_profile(edit.tx, owner, name) if name else None
    key = profile.key if profile is not None else None
    edit.stored.set_customer(owner.key, active=owner.active, default_profile=key)
    chosen = profile.name if profile is not None else ""
    names = {item.key: item.name for item in profiles_of(edit.tx, owner.key)}
    values = [ValueChange("default_profile", names.get(owner.default_profile_id or 0, ""), chosen)]
    facts = {"customer": owner.name, "profile": chosen}
    return edit.done(AuditAction.CHOOSE_DEFAULT_PROFILE, Subject(owner.name, owner.key, values=values), **facts)


def remove_profile(edit: Edit, customer: str, name: str) -> Changed:
    """Remove a profile that no user, action, login and range has and that is not the default."""
    owner = get_customer(edit.tx, customer)
    profile = get_profile(edit.tx, owner, name)
    users = count_users(edit.tx, profile_key=profile.key)
    if users:
        raise AdminFault(FaultCode.PROFILE_HAS_USERS, name=profile.name, users=users)
    if owner.default_profile_id == profile.key:
        raise AdminFault(FaultCode.PROFILE_IS_DEFAULT, customer=owner.name, name=profile.name)
    actions = tuple(
        action.name
        for action in actions_of(edit.tx, owner.key)
        if isinstance(action.settings, MailAction) and action.settings.profile_key == profile.key
    )
    if actions:
        raise AdminFault(FaultCode.PROFILE_HAS_ACTIONS, name=profile.name, actions=actions)
    bound = tuple(
        [item.login for item in logins_of(edit.tx, owner.key) if item.profile_id == profile.key]
        + [str(item.network) for item in ranges_of(edit.tx, owner.key) if item.profile_id == profile.key]
    )
    if bound:
        raise AdminFault(FaultCode.PROFILE_IS_BOUND, name=profile.name, bound=bound)
    edit.stored.remove_profile(profile.key)
    target = f"{owner.name}/{profile.name}"
    return edit.done(AuditAction.REMOVE_PROFILE, Subject(target, owner.key), customer=owner.name, profile=profile.name)
