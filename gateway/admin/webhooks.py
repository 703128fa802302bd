"""Webhooks of users, as of applications: where what becomes of their own jobs is pushed, beside the customer's URL.

A webhook is the user's own `push_url` with `push_states` and `status_channel`, and a key. Not here: what is pushed
(gateway.pushes), pushes one by one (pushes), what inbound SMS do (actions).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from addressbook.people import Customer, User
from gateway.admin.edit import AuditAction, Changed, Edit, Subject
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer, get_user_of
from gateway.admin.push_actions import check_push_url
from gateway.admin.push_keys import set_push_key
from gateway.admin.settings import UserScope, set_settings, unset_settings
from sms.facts import Fact
from sms.lifecycle import MessageState
from sms.settings import NONE, StatusChannel
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_stored
from store.push_keys import StoredWebhook, find_webhooks, forget_push_key, make_due, set_paused

_FIELDS = ("push_url", "push_states", "status_channel")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTarget:
    """Where a webhook of a user is, and what it is told: of each message at these `states`, of whole jobs without."""

    user: str
    url: str
    states: Collection[MessageState] = ()
    channel: StatusChannel = StatusChannel.PUSH


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookKey:
    """What there is to tell of the webhook of the user with this address; `made_at` None: no key of its own signs."""

    address: str
    paused: bool
    made_at: datetime | None
    made_by: str
    previous_until: datetime | None


def create_webhook(
    edit: Edit, customer: str, target: WebhookTarget, secret: bytes, networks_of: Mapping[str, tuple[str, ...]]
) -> Changed:
    """Give a user a webhook that this secret signs. Raises AdminFault where it has one, or it would not be in force."""
    owner = get_customer(edit.tx, customer)
    user = get_user_of(edit.tx, owner, target.user)
    if find_webhooks(edit.tx, owner.key, "", 1, user.address):
        raise AdminFault(FaultCode.WEBHOOK_EXISTS, address=user.address)
    check_push_url(target.url, owner.name, networks_of)
    texts = (target.url, ",".join(target.states) or NONE.value, target.channel.value)
    done = set_settings(edit, UserScope(user.address), dict(zip(_FIELDS, texts, strict=True)))
    match done.facts["clamped"]:
        case ((str(field), _, str(by)), *_):
            raise AdminFault(FaultCode.LOCKED, field=field, by=by)
    return set_push_key(edit, owner.name, secret, user=user.address)


def rotate_webhook(edit: Edit, customer: str, address: str, secret: bytes, beside: timedelta) -> Changed:
    """Give a webhook another key; the one before signs as well for as long as `beside`."""
    owner, user = _owner_of(edit.tx, customer, address)
    return set_push_key(edit, owner.name, secret, beside, user.address)


def pause_webhook(edit: Edit, customer: str, address: str) -> Changed:
    """Make pushes to a webhook wait, until it is resumed or their time is over. Raises AdminFault without a key."""
    owner, user = _owner_of(edit.tx, customer, address)
    return _set_paused(edit, owner, user, AuditAction.PAUSE_WEBHOOK, paused=True)


def resume_webhook(edit: Edit, customer: str, address: str) -> Changed:
    """Send pushes to a webhook again, at once those that wait."""
    owner, user = _owner_of(edit.tx, customer, address)
    due = make_due(edit.tx, owner.key, user.address, to_stored(edit.now))
    return _set_paused(edit, owner, user, AuditAction.RESUME_WEBHOOK, paused=False, pushes=due)


def remove_webhook(edit: Edit, customer: str, address: str) -> Changed:
    """End a webhook and forget its key: what is still to be told of its user's jobs is not pushed there."""
    owner, user = _owner_of(edit.tx, customer, address)
    unset_settings(edit, UserScope(user.address), _FIELDS)
    forget_push_key(edit.tx, user.key)
    make_due(edit.tx, owner.key, user.address, to_stored(edit.now))
    return edit.done(AuditAction.REMOVE_WEBHOOK, Subject(user.address, owner.key), address=user.address)


def list_webhooks(tx: Transaction, customer: str, after: str, limit: int) -> list[WebhookKey]:
    """Return webhooks of a customer by the addresses of their users, behind one."""
    return [_key_of(found) for found in find_webhooks(tx, get_customer(tx, customer).key, after, limit)]


def show_webhook(tx: Transaction, customer: str, address: str) -> WebhookKey:
    """Return the webhook of a user. Raises AdminFault."""
    owner = get_customer(tx, customer)
    user = get_user_of(tx, owner, address)
    found = find_webhooks(tx, owner.key, "", 1, user.address)
    if not found:
        raise AdminFault(FaultCode.NO_WEBHOOK, address=user.address)
    return _key_of(found[0])


def _owner_of(tx: Transaction, customer: str, address: str) -> tuple[Customer, User]:
    """Return whose webhook it is. Raises AdminFault where there is none."""
    found = show_webhook(tx, customer, address)
    owner = get_customer(tx, customer)
    return owner, get_user_of(tx, owner, found.address)


def _set_paused(
    edit: Edit, owner: Customer, user: User, action: AuditAction, *, paused: bool, **facts: Fact
) -> Changed:
    if not set_paused(edit.tx, user.key, paused=paused):
        raise AdminFault(FaultCode.NO_WEBHOOK, address=user.address)
    return edit.done(action, Subject(user.address, owner.key), address=user.address, **facts)


def _key_of(found: StoredWebhook) -> WebhookKey:
    return WebhookKey(
        address=found.address,
        paused=found.paused,
        made_at=to_instant(found.made_at) if found.made_at else None,
        made_by=found.made_by,
        previous_until=to_instant(found.previous_until) if found.previous_until else None,
    )
