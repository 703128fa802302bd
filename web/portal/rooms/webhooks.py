"""Webhooks: where pushes go, the key that signs them, a test with its answer, and the log with each attempt.

Not here: the URL itself, which is the setting `push_url` of a level (settings), pushes of inbound SMS (inbound).
"""

import asyncio
import base64
import secrets
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.hierarchy import LayerKind
from addressbook.rights import Right
from gateway.admin.faults import AdminFault
from gateway.admin.push_keys import set_push_key
from gateway.admin.push_places import PushPlace, push_places
from gateway.admin.push_templates import sample_push
from gateway.admin.pushes import PushesWanted, ToldPush, push_of, pushes_before, replay_push_of
from gateway.admin.webhooks import list_webhooks, pause_webhook, resume_webhook
from gateway.ports import MailAttempt
from sms.message import Origin
from sms.outbox import WAITING, OutboxState
from sms.outcome import Done
from web.portal.page import POST, Page
from web.portal.rooms.interface_tabs import ROOT, WEBHOOKS, tabs
from web.portal.visit import Visit, or_again

_ROWS: Final = 100
_HOURS: Final = ("24", "168", "0")


async def show_webhooks(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show where pushes go, and the newest of them."""
    return await _list(visit, errors)


async def make_key(visit: Visit) -> Response:
    """Make another key that signs the customer's pushes."""
    secret, asked = secrets.token_bytes(32), visit.form.text("keep")
    beside = timedelta(hours=int(asked)) if asked in _HOURS else timedelta()
    await visit.change(partial(set_push_key, customer=visit.customer.name, secret=secret, beside=beside))
    return visit.show(
        "rooms/interfaces/secret",
        name=visit.customer.name,
        secret=f"whsec_{base64.b64encode(secret).decode('ascii')}",
        kind="signing",
        back="/interfaces/webhooks",
    )


@or_again(show_webhooks, {"": "url"})
async def try_url(visit: Visit) -> Response:
    """Push a sample to one of the customer's URLs now, and show what came of it."""
    url, customer, desk = visit.form.text("url"), visit.customer, visit.desk
    place = next((place for place in await _places(visit) if place.url == url), None)
    if place is None:
        raise HTTPException(404)
    user = place.name if place.kind in {LayerKind.USER, LayerKind.PINNED} else ""  # whose own key signs
    desk.check_push_url(url, customer.name)
    states = desk.snapshot.layers.resolve(customer.key, Origin.MAIL.value).settings.push_states
    attempt = await desk.push_now(sample_push(customer.name, url, desk.now(), of_message=bool(states), user=user))
    return await _list(visit, attempt=attempt)


async def show_one(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show a push with its attempts."""
    return visit.show("rooms/interfaces/push", errors=errors, push=await _push(visit), waiting=WAITING)


@or_again(show_webhooks)
async def pause(visit: Visit) -> Response:
    """Have pushes to the webhook of a user wait, or go out again."""
    address, paused = visit.form.line("address"), visit.form.text("paused") == "yes"
    change = pause_webhook if paused else resume_webhook
    await visit.change(partial(change, customer=visit.customer.name, address=address))
    said = "interfaces.hooks.is-paused" if paused else "interfaces.hooks.is-resumed"
    return visit.go(f"{visit.here}/interfaces/webhooks", said, address=address)


@or_again(show_one)
async def replay(visit: Visit) -> Response:
    """Send a push that has ended again."""
    push = await _push(visit)
    here = f"{visit.here}/interfaces/webhooks/{push.push}"
    await visit.change(partial(replay_push_of, customer=visit.customer.name, name=push.push))
    return visit.go(here, "interfaces.push.replayed")


async def _list(visit: Visit, errors: Mapping[str, str] | None = None, attempt: MailAttempt | None = None) -> Response:
    state, user = visit.asked("state"), visit.asked("user").strip()
    wanted = PushesWanted(
        state=state if state in set(OutboxState) else "",
        user=user,
        before=visit.asked_count("before"),
    )
    query = partial(pushes_before, customer=visit.customer.name, wanted=wanted, limit=_ROWS + 1)
    pushes = await visit.desk.look(query)
    asked = urlencode({"state": state, "user": user, "before": pushes[_ROWS - 1].place}) if len(pushes) > _ROWS else ""
    places = await _places(visit)
    return visit.show(
        "rooms/interfaces/webhooks",
        errors=errors,
        shown_tabs=tabs(visit),
        places=[(place, _href(place)) for place in places],
        hooks=await visit.desk.look(partial(list_webhooks, customer=visit.customer.name, after="", limit=_ROWS)),
        urls=[(url, url) for url in dict.fromkeys(place.url for place in places)],
        pushes=pushes[:_ROWS],
        older=asked,
        attempt=attempt,
        is_taken=attempt is not None and isinstance(attempt.outcome, Done),
        problem="" if attempt is None or isinstance(attempt.outcome, Done) else attempt.outcome.problem.text,
        states=[("", visit.say("interfaces.push.all"))]
        + [(item.value, visit.say(f"reports.outbox.{item}")) for item in OutboxState],
        hours=[(hours, visit.say(f"interfaces.hours.h{hours}")) for hours in _HOURS],
        state=state,
        user=user,
    )


async def _places(visit: Visit) -> list[PushPlace]:
    return await asyncio.to_thread(lambda: list(push_places(visit.desk.snapshot, visit.customer.key)))


async def _push(visit: Visit) -> ToldPush:
    """Return the push that the path names, which is the customer's; any other one is not there."""
    try:
        return await visit.desk.look(partial(push_of, customer=visit.customer.name, name=visit.parameter("push")))
    except AdminFault as fault:
        raise HTTPException(404) from fault


def _href(place: PushPlace) -> str:
    match place.kind:
        case LayerKind.CUSTOMER:
            return "/settings/-/push_url"
        case LayerKind.SERVICE:
            return f"/settings/service/{place.name}/push_url"
        case LayerKind.PROFILE:
            return f"/settings/profile/{place.owner_key}/push_url"
        case _:
            return f"/settings/user/{place.owner_key}/push_url"


_HERE = f"{ROOT}/webhooks"
_CHANGE = Right.CHANGE_INTERFACES

PAGES = (
    Page(path=_HERE, handler=show_webhooks, right=Right.SEE_INTERFACES, options=WEBHOOKS),
    Page(path=f"{_HERE}/key", methods=POST, handler=make_key, right=_CHANGE, options=WEBHOOKS),
    Page(path=f"{_HERE}/test", methods=POST, handler=try_url, right=_CHANGE, options=WEBHOOKS),
    Page(path=f"{_HERE}/pause", methods=POST, handler=pause, right=_CHANGE, options=WEBHOOKS),
    Page(path=f"{_HERE}/{{push:str}}", handler=show_one, right=Right.SEE_INTERFACES, options=WEBHOOKS),
    Page(path=f"{_HERE}/{{push:str}}/replay", methods=POST, handler=replay, right=_CHANGE, options=WEBHOOKS),
)
