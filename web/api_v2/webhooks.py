"""Webhooks over REST version 2: where what becomes of the jobs of a login's user is pushed.

Not here: what a webhook is (gateway.admin.webhooks), single pushes (pushes), how one travels (web.push).
"""

import base64
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Final, Literal
from urllib.parse import quote

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from addressbook.api_keys import Scope
from addressbook.canonical import canonical_address, canonical_application
from addressbook.people import User
from addressbook.senders import Principal, Sender
from gateway.admin.edit import Change
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.office import AdminOffice
from gateway.admin.push_templates import sample_push
from gateway.admin.webhooks import (
    WebhookKey,
    WebhookTarget,
    create_webhook,
    list_webhooks,
    pause_webhook,
    remove_webhook,
    resume_webhook,
    rotate_webhook,
    show_webhook,
)
from gateway.ports import MailAttempt
from sms.lifecycle import MessageState
from sms.message import Origin
from sms.outcome import Done
from sms.report import MessageNotice, Notice
from sms.settings import SettingProblem, Settings, StatusChannel, parse_setting
from web.api_v2.answers import answer, no_such, refuse_fields
from web.api_v2.calls import CURSOR, LIMIT, Answer, CallParameter, Operation
from web.api_v2.faults import refuse_fault
from web.api_v2.problem_types import BASE
from web.api_v2.request import read_body, read_list
from web.problems import BadField

_CURSORS: Final = re.compile(r"[^\x00-\x1f]{1,320}")
_LONGEST_OVERLAP: Final = 30 * 24 * 3600
PushNow = Callable[[Notice | MessageNotice], Awaitable[MailAttempt | None]]

State = Literal["submitted", "delivered", "undelivered", "expired", "rejected", "failed", "cancelled", "unknown"]
States = Annotated[
    list[State],
    Meta(
        description="At which states each SMS is pushed by itself. Empty: each job is pushed once it has ended.",
        examples=[["delivered", "undelivered", "expired", "rejected", "failed", "cancelled", "unknown"]],
    ),
]
Secret = Annotated[str, Meta(description="The key that signs (Standard Webhooks), `whsec_…`. It is shown this once.")]


class WebhookToCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where what becomes of the jobs of a user is pushed."""

    url: Annotated[str, Meta(max_length=500, examples=["https://app.example.com/sms"])]
    user: Annotated[
        str, Meta(max_length=320, description="Whose jobs: an application or a person; empty for your own login's.")
    ] = ""
    states: States = []
    channel: Annotated[
        Literal["push", "both"], Meta(description="`both`: status mails as well, as the settings say.")
    ] = "push"


class WebhookAnswer(Struct, frozen=True, kw_only=True):
    """A webhook, with what is in force for its user now."""

    user: str
    url: Annotated[str, Meta(description="Empty where a limit of the customer allows no pushes any more.")]
    states: list[str]
    channel: Annotated[str, Meta(description="push, both, or mail where somebody set that nothing is pushed.")]
    paused: bool
    secret_made_at: Annotated[datetime | None, Meta(description="null: it has no key, and the customer's signs.")]
    secret_made_by: str
    previous_until: Annotated[datetime | None, Meta(description="Until when the key before the present signs, too.")]


class WebhookCreated(WebhookAnswer, frozen=True, kw_only=True):
    """A webhook with its key."""

    secret: Secret


class WebhookPage(Struct, frozen=True, kw_only=True):
    """Webhooks by the addresses of their users."""

    webhooks: list[WebhookAnswer]
    next: Annotated[str | None, Meta(description="The cursor of what follows, null at the end.")]


class SecretToRotate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a key is replaced."""

    overlap_seconds: Annotated[
        int,
        Meta(
            ge=0, le=_LONGEST_OVERLAP, description="How long the key before signs as well; 0 where somebody knows it."
        ),
    ] = 24 * 3600


class WebhookTested(Struct, frozen=True, kw_only=True):
    """What came of one sample, which is signed and sent as a push is; nothing is kept or tried again."""

    taken: Annotated[bool, Meta(description="Whether it was answered with 2xx.")]
    reply: Annotated[str, Meta(description="The status line that answered.")]
    host: str
    address: str
    tls: str
    problem: Annotated[str, Meta(description="Why it was not taken; else empty.")]


_USER: Final = CallParameter(
    name="user",
    place="path",
    schema={"type": "string", "maxLength": 320},
    description="Whose jobs it tells of: the name of an application or the address of a person.",
)


def _call(  # noqa: PLR0913 - a call
    name: str, path: str, summary: str, shape: type[Struct], *, body: type[Struct] | None = None, method: str = "POST"
) -> Operation:
    """Return a call about one webhook."""
    return Operation(
        name=name,
        method=method,
        path=f"{BASE}/webhooks/{{user}}{path}",
        scope=Scope.WEBHOOKS,
        summary=summary,
        status=200,
        answer=shape,
        body=body,
        parameters=(_USER,),
        problems=(404,) if body is None else (400, 404, 413),
    )


WEBHOOK_CALLS: Final = (
    Operation(
        name="listWebhooks",
        method="GET",
        path=f"{BASE}/webhooks",
        scope=Scope.WEBHOOKS,
        summary="List the webhooks by user",
        status=200,
        answer=WebhookPage,
        parameters=(CURSOR, LIMIT),
        problems=(400,),
    ),
    Operation(
        name="createWebhook",
        method="POST",
        path=f"{BASE}/webhooks",
        scope=Scope.WEBHOOKS,
        summary="Push what becomes of a user's jobs to a URL, signed with a key of its own",
        status=201,
        answer=WebhookCreated,
        body=WebhookToCreate,
        problems=(400, 404, 409, 413),
    ),
    _call("getWebhook", "", "Return a webhook", WebhookAnswer, method="GET"),
    _call(
        "deleteWebhook",
        "",
        "End a webhook: nothing more is pushed there, not even what waits",
        WebhookAnswer,
        method="DELETE",
    ),
    _call("rotateWebhookSecret", "/rotate-secret", "Replace the key that signs", WebhookCreated, body=SecretToRotate),
    _call("pauseWebhook", "/pause", "Let pushes wait, each for up to two days", WebhookAnswer),
    _call("resumeWebhook", "/resume", "Send pushes again, at once those that wait", WebhookAnswer),
    _call("testWebhook", "/test", "Push a sample now and tell what was answered", WebhookTested),
)


class Webhooks:
    """What answers them. `networks_of` are those beside the public ones, by customer; `push_now` makes one attempt."""

    def __init__(self, office: AdminOffice, networks_of: Mapping[str, tuple[str, ...]], push_now: PushNow) -> None:
        self._office = office
        self._networks_of = networks_of
        self._push_now = push_now

    def answers(self) -> Mapping[str, Answer]:
        """Return what answers each call."""
        return {
            "listWebhooks": self._list,
            "createWebhook": self._create,
            "getWebhook": self._get,
            "deleteWebhook": self._delete,
            "rotateWebhookSecret": self._rotate,
            "pauseWebhook": self._pause,
            "resumeWebhook": self._resume,
            "testWebhook": self._test,
        }

    async def _list(self, request: Request, _: Principal, sender: Sender) -> Response:
        wanted = read_list(request.query_params, _CURSORS)
        if isinstance(wanted, list):
            return refuse_fields(wanted)
        found = await self._office.look(
            partial(list_webhooks, customer=sender.customer.name, after=wanted.cursor, limit=wanted.limit + 1)
        )
        shown = [self._answer_of(sender, key) for key in found[: wanted.limit]]
        return answer(WebhookPage(webhooks=shown, next=shown[-1].user if len(found) > wanted.limit else None))

    async def _create(self, request: Request, principal: Principal, sender: Sender) -> Response:
        given = read_body(await request.body(), WebhookToCreate)
        if isinstance(given, list):
            return refuse_fields(given)
        found = parse_setting("push_url", given.url)
        if isinstance(found, SettingProblem) or not given.url.startswith("http"):
            expected = "an https URL without user, password and fragment"
            return refuse_fields([BadField(field="url", expected=expected)])
        own = sender.user.address if sender.user is not None else ""
        user = self._find(given.user or own, sender)
        if user is None:
            return no_such("user")
        target = WebhookTarget(
            user=user.address,
            url=given.url,
            states=tuple(map(MessageState, given.states)),
            channel=StatusChannel(given.channel),
        )
        secret, name = secrets.token_bytes(32), sender.customer.name
        return await self._show_secret(
            principal,
            sender,
            user,
            secret=secret,
            change=lambda edit: create_webhook(edit, name, target, secret, self._networks_of),
            status=201,
        )

    async def _get(self, request: Request, _: Principal, sender: Sender) -> Response:
        found = await self._webhook(request, sender)
        return found if isinstance(found, Response) else answer(found)

    async def _delete(self, request: Request, principal: Principal, sender: Sender) -> Response:
        found = await self._webhook(request, sender)
        if isinstance(found, Response):
            return found
        refused = await self._change(
            principal, partial(remove_webhook, customer=sender.customer.name, address=found.user)
        )
        return refused or answer(found)

    async def _rotate(self, request: Request, principal: Principal, sender: Sender) -> Response:
        given = read_body(await request.body(), SecretToRotate)
        if isinstance(given, list):
            return refuse_fields(given)
        user = self._find(request.path_params["user"], sender)
        if user is None:
            return no_such("webhook")
        beside, secret, name = timedelta(seconds=given.overlap_seconds), secrets.token_bytes(32), sender.customer.name
        return await self._show_secret(
            principal,
            sender,
            user,
            secret=secret,
            change=lambda edit: rotate_webhook(edit, name, user.address, secret, beside),
        )

    async def _pause(self, request: Request, principal: Principal, sender: Sender) -> Response:
        return await self._switch(request, principal, sender, pause_webhook)

    async def _resume(self, request: Request, principal: Principal, sender: Sender) -> Response:
        return await self._switch(request, principal, sender, resume_webhook)

    async def _test(self, request: Request, _: Principal, sender: Sender) -> Response:
        found = await self._webhook(request, sender)
        if isinstance(found, Response):
            return found
        notice = sample_push(
            sender.customer.name, found.url, self._office.now(), of_message=bool(found.states), user=found.user
        )
        attempt = await self._push_now(notice)
        if attempt is None:
            return no_such("webhook")
        outcome = attempt.outcome
        return answer(
            WebhookTested(
                taken=isinstance(outcome, Done),
                reply=attempt.reply,
                host=attempt.host,
                address=attempt.address,
                tls=attempt.tls,
                problem="" if isinstance(outcome, Done) else outcome.problem.text,
            )
        )

    async def _switch(
        self, request: Request, principal: Principal, sender: Sender, switch: Callable[..., object]
    ) -> Response:
        user = self._find(request.path_params["user"], sender)
        if user is None:
            return no_such("webhook")
        change: Change = partial(switch, customer=sender.customer.name, address=user.address)  # type: ignore[assignment]
        return await self._change(principal, change) or await self._get(request, principal, sender)

    async def _show_secret(  # noqa: PLR0913 - one answer
        self, principal: Principal, sender: Sender, user: User, *, secret: bytes, change: Change, status: int = 200
    ) -> Response:
        refused = await self._change(principal, change)
        if refused is not None:
            return refused
        key = await self._office.look(partial(show_webhook, customer=sender.customer.name, address=user.address))
        shown = self._answer_of(sender, key)
        told = {name: getattr(shown, name) for name in shown.__struct_fields__}
        created = WebhookCreated(**told, secret=f"whsec_{base64.b64encode(secret).decode('ascii')}")
        return answer(
            created, status, {"Location": f"{BASE}/webhooks/{quote(user.address)}"} if status == 201 else None
        )

    async def _change(self, principal: Principal, change: Change) -> Response | None:
        """Carry out a change; returns why it was refused."""
        try:
            await self._office.change(principal.login, change)
        except AdminFault as fault:
            return no_such("webhook") if fault.code is FaultCode.NO_WEBHOOK else refuse_fault(fault)
        return None

    async def _webhook(self, request: Request, sender: Sender) -> WebhookAnswer | Response:
        """Return the webhook that a path names, or 404."""
        user = self._find(request.path_params["user"], sender)
        if user is None:
            return no_such("webhook")
        try:
            key = await self._office.look(partial(show_webhook, customer=sender.customer.name, address=user.address))
        except AdminFault as fault:
            return no_such("webhook") if fault.code is FaultCode.NO_WEBHOOK else refuse_fault(fault)
        return self._answer_of(sender, key)

    def _find(self, given: str, sender: Sender) -> User | None:
        """Return a user of the customer; None for anybody else, as for nobody."""
        canonical = canonical_application(given) or canonical_address(given)
        found = self._office.snapshot.directory.user(canonical) if canonical is not None else None
        return found if found is not None and found.customer_id == sender.customer.key else None

    def _answer_of(self, sender: Sender, key: WebhookKey) -> WebhookAnswer:
        settings = self._settings_of(sender, key.address)
        return WebhookAnswer(
            user=key.address,
            url=settings.push_url,
            states=list(settings.push_states),
            channel=settings.status_channel.value,
            paused=key.paused,
            secret_made_at=key.made_at,
            secret_made_by=key.made_by,
            previous_until=key.previous_until,
        )

    def _settings_of(self, sender: Sender, address: str) -> Settings:
        """Return what is in force for the jobs that a user submits by REST."""
        snapshot = self._office.snapshot
        directory = snapshot.directory
        user = directory.user(address)
        whose = Sender(
            customer=sender.customer, user=user, profile=directory.profile_in_force(sender.customer.key, user)
        )
        return snapshot.resolve(whose, Origin.REST.value).settings
