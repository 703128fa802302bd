"""The desk at which a customer's templates are written: tried, shown with samples, a real job or SMS, kept in versions.

A template runs in a child process, which ends with its answer. Not here: pages, what may be kept
(gateway.admin.mail_templates, gateway.admin.push_templates).
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

import msgspec

from addressbook.options import Option
from addressbook.people import Customer
from addressbook.snapshot import Snapshot
from gateway.admin.actions import CheckPush, change_action, get_push, list_pushes
from gateway.admin.edit import Change
from gateway.admin.mail_templates import (
    TemplateOwner,
    Workshop,
    check_source,
    find_owner,
    find_version,
    for_browser,
    graphics_by_name,
    reset_template,
    set_template,
)
from gateway.admin.push_templates import PushTopic, PushWorkshop, reset_push_template, set_push_template
from gateway.inbound_mail import Addressed, can_answer, with_names
from gateway.phone_names import find_names
from gateway.ports import Clock
from gateway.pushes import headers_of
from inbound.actions import PushAction, PushForm, PushLogin
from sms.message import Origin
from sms.report import JobReport
from sms.settings import Settings
from store.application_views import find_job_of
from store.engine.database import Database, Transaction
from store.engine.keys import Keys, to_stored
from store.inbound_search import InboundFilter, ListedSms, find_inbound_of, search_inbound
from store.inbound_views import load_inbound_reports
from store.mail_templates import read_push_template, read_template
from store.portal_drafts import NewDraft, add_drafts, find_draft
from store.views import load_reports
from templates.forms import MailForm, kind_of
from templates.graphics import Graphic
from templates.inbound_view import InboundReader, InboundView
from templates.pushes import CONTENT_TYPES, form_stored_as, standard_push_template
from templates.render import TemplateBroken, View, standard_template
from templates.samples import views_of
from templates.view import StatusView
from templates.words import find_languages

R = TypeVar("R")
Told = JobReport | Addressed | None
"""What a template is shown with: a real job, a real SMS, or a sample."""
W = TypeVar("W", Workshop, PushWorkshop)

INBOUND: Final = str(MailForm.INBOUND)
PUSH: Final = "push"
INBOUND_PUSH: Final = "inbound-push"
"""Kinds of templates: of mails of inbound SMS, of status pushes, and of the push of an action for inbound SMS."""
KINDS: Final = (*map(str, MailForm), PUSH, INBOUND_PUSH)
PUSH_FORMS: Final = tuple(map(str, PushForm))
LANGUAGES: Final = find_languages
_KEPT: Final = timedelta(days=1)
_REMEMBERED: Final = 16
_MOST_SMS: Final = 20
_HIDDEN: Final = "…"
_OPTIONS: Final[Mapping[str, Option]] = {
    MailForm.INBOUND: Option.SMS2MAIL,
    PUSH: Option.PUSH,
    INBOUND_PUSH: Option.APPLICATION,
}
_TOPICS: Final = {PUSH: PushTopic.STATUS, INBOUND_PUSH: PushTopic.INBOUND}


class TemplateDraft(msgspec.Struct, frozen=True, kw_only=True, tag="template"):
    """A template that is being written; `push_form` is that of a push's body. Without source: the standard one."""

    source: str
    push_form: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTemplate:
    """What a template makes of one sample of `total`, or the sentence that says why it makes nothing."""

    content: str = ""
    problem: str = ""
    total: int = 0


def option_of(kind: str) -> Option | None:
    """Return what must be contracted for a kind of template, None for what everybody has."""
    return _OPTIONS.get(kind)


def names_of(kind: str) -> tuple[str, ...]:
    """Return the names that a template of a mail sees."""
    view = InboundView if kind == MailForm.INBOUND else StatusView
    return () if kind in _TOPICS else tuple(f"m.{item.name}" for item in fields(view))


def read_current(tx: Transaction, owner: TemplateOwner, kind: str) -> tuple[TemplateDraft, bool]:
    """Return an owner's template, and whether it is its own: else the standard one. Raises AdminFault."""
    found = find_owner(tx, owner)
    if kind == INBOUND_PUSH:
        _, settings = get_push(tx, found.customer, owner.action)
        if not settings.template:
            return standard_of(kind, settings.form), False
        return TemplateDraft(source=settings.template, push_form=settings.form.value), True
    if kind == PUSH:
        own = read_push_template(tx, found.ref(PUSH))
        if own is None:
            return standard_of(kind, PushForm.JSON), False
        return TemplateDraft(source=own[1], push_form=form_stored_as(own[0]).value), True
    source = read_template(tx, found.ref(kind))
    return TemplateDraft(source=source or standard_template(MailForm(kind))), source is not None


def is_push(kind: str) -> bool:
    """Return whether a template makes the body of a push, not a mail."""
    return kind in _TOPICS


def standard_of(kind: str, push_form: str) -> TemplateDraft:
    """Return our own template of a push with a body of this form, from which customers start."""
    return TemplateDraft(source=standard_push_template(PushForm(push_form), _TOPICS[kind].value), push_form=push_form)


def read_version(tx: Transaction, owner: TemplateOwner, kind: str, number: int) -> TemplateDraft:
    """Return what a template was. Raises AdminFault."""
    found = find_version(tx, owner, kind, number)
    push_form = form_stored_as(found.push_form).value if found.push_form else ""
    return TemplateDraft(source=found.source, push_form=push_form)


def keeping(
    owner: TemplateOwner,
    kind: str,
    draft: TemplateDraft,
    checked_with: Mapping[str, Graphic],
    check_push: CheckPush,
) -> Change:
    """Return the change that keeps a template that was found good with these graphics."""
    if kind == INBOUND_PUSH:
        return _setting(owner, {"form": draft.push_form, "template": draft.source}, check_push)
    if kind == PUSH:
        return partial(set_push_template, owner=owner, form=PushForm(draft.push_form), source=draft.source)
    return partial(set_template, owner=owner, form=MailForm(kind), source=draft.source, checked_with=checked_with)


def resetting(owner: TemplateOwner, kind: str, check_push: CheckPush, push_form: str = "") -> Change:
    """Return the change that takes an own template away; an action has a body of `push_form` then, if given."""
    if kind == INBOUND_PUSH:
        return _setting(owner, {**({"form": push_form} if push_form else {}), "template": ""}, check_push)
    if kind == PUSH:
        return partial(reset_push_template, owner=owner)
    return partial(reset_template, owner=owner, form=MailForm(kind))


def _setting(owner: TemplateOwner, assignments: Mapping[str, str], check_push: CheckPush) -> Change:
    return partial(
        change_action, name=owner.action, customer=owner.customer, assignments=assignments, check_push=check_push
    )


def actions_of(tx: Transaction, customer: str) -> Mapping[str, PushAction]:
    """Return what a customer's actions that push inbound SMS do, by their names."""
    return {action.name: settings for action, settings in list_pushes(tx, customer)}


def head_of(push: PushAction) -> str:
    """Return the beginning of a push as HTTP has it, without what may be a secret or is not known: an ellipsis."""
    url, query, _ = push.url.partition("?")
    login = {} if push.login is PushLogin.NONE else {"Authorization": f"{push.login.value.capitalize()} {_HIDDEN}"}
    headers = {"Content-Type": CONTENT_TYPES[push.form], **headers_of(push.form)}
    names = {name.lower() for name in push.headers}
    shown = {
        **{name: text for name, text in headers.items() if name.lower() not in names},
        **dict.fromkeys(push.headers, _HIDDEN),
        **login,
        **dict.fromkeys(("webhook-id", "webhook-timestamp", "webhook-signature"), _HIDDEN),
    }
    lines = [
        f"{push.method} {url or _HIDDEN}{query and query + _HIDDEN}",
        *(f"{name}: {text}" for name, text in shown.items()),
    ]
    return "".join(f"{line}\n" for line in lines) + "\n"


def settings_of(snapshot: Snapshot, customer: Customer, profile: str, kind: str) -> Settings:
    """Return the settings in force for a user of a customer and profile, so that samples look as its mails."""
    found = snapshot.directory.profile_named(customer.key, profile) if profile else None
    key = found.key if found is not None else customer.default_profile_id
    service = Origin.INBOUND if kind == MailForm.INBOUND else Origin.MAIL
    return snapshot.layers.resolve(customer.key, service.value, key, None).settings


def in_language(settings: Settings, language: str) -> Settings:
    """Return settings whose mails are in this language."""
    return replace(settings, language=language)


class Studio:
    """Tries and shows templates, one at a time; one object per process."""

    def __init__(self, *, database: Database, keys: Keys, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._lock = asyncio.Lock()
        self._shown: dict[object, ShownTemplate] = {}

    async def keep(self, customer: Customer, account: str, draft: TemplateDraft) -> int:
        """Keep a draft for a day; return its key."""
        now = self._clock.now()
        content = msgspec.json.encode(draft).decode()
        key, until = self._keys.take(), to_stored(now + _KEPT)
        kept = NewDraft(key=key, customer_key=customer.key, account=account, content=content, expires_at=until)
        await self._database.write(add_drafts, (kept, to_stored(now)))
        return key

    async def find(self, customer: Customer, account: str, key: int) -> TemplateDraft | None:
        """Return an account's draft, None where there is none of this key."""
        now = to_stored(self._clock.now())
        found = await self._database.read(lambda tx: find_draft(tx, key, customer.key, account, now))
        try:
            return None if found is None else msgspec.json.decode(found.content, type=TemplateDraft)
        except msgspec.MsgspecError:
            return None  # that of something else

    async def graphics(self, customer: Customer) -> dict[str, Graphic]:
        """Return a customer's graphics."""
        return await self._database.read(lambda tx: graphics_by_name(tx, customer.key))

    async def report_of(self, customer: Customer, public_id: str) -> JobReport | None:
        """Return the report of a real job of the customer, None where there is none of this id."""

        def load(tx: Transaction) -> JobReport | None:
            job = find_job_of(tx, customer.key, public_id)
            return None if job is None else load_reports(tx, [job.key]).get(job.key)

        return await self._database.read(load)

    async def latest_sms(self, customer: Customer) -> list[ListedSms]:
        """Return the SMS that came last to a customer, the newest first."""
        wanted = InboundFilter(customer_key=customer.key)
        return await self._database.read(lambda tx: search_inbound(tx, wanted, _MOST_SMS))

    async def sms_of(self, snapshot: Snapshot, customer: Customer, profile: str, public_id: str) -> Addressed | None:
        """Return a real SMS that the customer received, for a reader with a profile; None where there is none."""

        def load(tx: Transaction) -> Addressed | None:
            key = find_inbound_of(tx, customer.key, public_id)
            report = None if key is None else load_inbound_reports(tx, [key]).get(key)
            if report is None:
                return None
            reader = InboundReader(
                settings=settings_of(snapshot, customer, profile, INBOUND),
                profile=profile,
                name=find_names(tx, customer.key, [report.phone]).get(report.phone, ""),
                answerable=can_answer(report),
            )
            return Addressed(report=with_names(report, snapshot.directory), reader=reader)

        return await self._database.read(load)

    async def find_faults(self, kind: str, draft: TemplateDraft, graphics: Mapping[str, Graphic]) -> list[str]:
        """Return what is wrong with a template, in sentences for its author; empty where nothing is."""
        if kind in _TOPICS:
            form, topic = PushForm(draft.push_form), _TOPICS[kind]
            return await self._with_push(lambda made: made.find_faults(form, draft.source, topic))
        return await self._with_mail(lambda made: check_source(draft.source, MailForm(kind), graphics, made))

    async def show(  # noqa: PLR0913 - what is shown
        self,
        kind: str,
        draft: TemplateDraft,
        settings: Settings,
        graphics: Mapping[str, Graphic],
        *,
        sample: int,
        told: Told = None,
    ) -> ShownTemplate:
        """Return what a template makes of a sample, counted from 1, or of a real job or SMS, for a browser."""
        if told is not None:
            return await self._show(kind, draft, settings, graphics, sample, told)
        key = (kind, draft.source, draft.push_form, settings, tuple(graphics.values()), sample)
        if key not in self._shown:
            while len(self._shown) >= _REMEMBERED:
                del self._shown[next(iter(self._shown))]
            self._shown[key] = await self._show(kind, draft, settings, graphics, sample, None)
        return self._shown[key]

    async def _show(  # noqa: PLR0913, PLR0917 - the same
        self,
        kind: str,
        draft: TemplateDraft,
        settings: Settings,
        graphics: Mapping[str, Graphic],
        sample: int,
        told: Told,
    ) -> ShownTemplate:
        try:
            if kind in _TOPICS:
                form, topic = PushForm(draft.push_form), _TOPICS[kind]
                if isinstance(told, Addressed):
                    report = told.report
                    return ShownTemplate(
                        content=await self._with_push(lambda made: made.preview_of(form, draft.source, report)), total=1
                    )
                bodies = await self._with_push(lambda made: list(made.preview(form, draft.source, topic)))
                return ShownTemplate(content=bodies[min(sample, len(bodies)) - 1], total=len(bodies))
            return await self._with_mail(partial(_show_mail, kind, draft, settings, graphics, sample, told))
        except TemplateBroken as broken:
            return ShownTemplate(problem=str(broken))

    async def _with_mail(self, run: Callable[[Workshop], R]) -> R:
        async with self._lock:
            return await asyncio.to_thread(_apart, Workshop(), run)

    async def _with_push(self, run: Callable[[PushWorkshop], R]) -> R:
        async with self._lock:
            return await asyncio.to_thread(_apart, PushWorkshop(), run)


def _apart(made: W, run: Callable[[W], R]) -> R:
    with closing(made):
        return run(made)


def _show_mail(  # noqa: PLR0913, PLR0917 - what is shown
    kind: str,
    draft: TemplateDraft,
    settings: Settings,
    graphics: Mapping[str, Graphic],
    sample: int,
    told: Told,
    made: Workshop,
) -> ShownTemplate:
    form, logo = MailForm(kind), graphics.get(settings.logo)
    views: list[View]
    if isinstance(told, Addressed):
        views = [made.renderer.view_inbound(told.report, replace(told.reader, settings=settings), logo=logo)]
    elif told is not None:
        report = replace(told, settings=replace(told.settings, language=settings.language))
        views = [made.renderer.view(kind_of(form), report, logo=logo)]
    else:
        views = list(views_of(form, made.renderer, settings, logo))
    html = made.confined.run(draft.source, views[min(sample, len(views)) - 1])
    return ShownTemplate(content=for_browser(html, graphics), total=len(views))
