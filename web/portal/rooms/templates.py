"""The template editor: status mails, mails of received SMS and pushes, seen beside their code; logo, colour, versions.

What a template makes is shown in a frame of its own, which its answer's policy keeps from everything. Not here: how it
is tried, and what may be kept (gateway.portal.studio).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.rights import Right
from gateway.admin.mail_templates import (
    TemplateOwner,
    add_graphic,
    drop_graphic,
    list_own_templates,
    list_versions,
)
from gateway.admin.settings import CustomerScope, set_settings
from gateway.portal import studio
from gateway.portal.studio import TemplateDraft, Told
from inbound.actions import PushAction, PushForm
from web.portal.page import CUSTOMER, POST, Page
from web.portal.visit import Visit, or_again

_POLICY: Final = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'"
)
_LOOK: Final = ("logo", "accent", "contact")
_SCHEME: Final = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)")
_OF_SMS: Final = frozenset({studio.INBOUND, studio.INBOUND_PUSH})
_MOST_GRAPHIC: Final = 400_000
_MOST_SOURCE: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is worked on: a kind of template of an owner. `view` is how it is looked at, as fields of a query.

    `push` is what the action does whose push it is.
    """

    kind: str
    owner: TemplateOwner
    view: Mapping[str, str]
    push: PushAction | None = None


async def show_all(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show which templates there are, the look of all, and the graphics."""
    name = visit.customer.name
    rows = await visit.desk.look(partial(list_own_templates, customer=name))
    settings = studio.settings_of(visit.desk.snapshot, visit.customer, "", "result")
    kinds = [kind for kind in studio.KINDS if _is_contracted(visit, kind)]
    pushes = partial(studio.actions_of, customer=name)
    return visit.show(
        "rooms/templates/list",
        errors=errors,
        kinds=[kind for kind in kinds if kind != studio.INBOUND_PUSH],
        actions=await visit.desk.look(pushes) if studio.INBOUND_PUSH in kinds else {},
        owners=["", *(item.name for item in visit.desk.snapshot.directory.profiles(visit.customer.key))],
        own={(row["profile"], "push" if str(row["form"]).startswith("push-") else row["form"]): row for row in rows},
        look={field: getattr(settings, field) for field in _LOOK},
        graphics=list(await visit.desk.studio.graphics(visit.customer)),
    )


@or_again(show_all)
async def change_look(visit: Visit) -> Response:
    """Change logo, colour and contact without code."""
    settings = studio.settings_of(visit.desk.snapshot, visit.customer, "", "result")
    typed = {field: visit.form.line(field) for field in _LOOK}
    wanted = {field: text for field, text in typed.items() if text != getattr(settings, field)}
    if not wanted:
        return visit.go(f"{visit.here}/templates")
    await visit.change(partial(set_settings, scope=CustomerScope(visit.customer.name), assignments=wanted))
    return visit.go(f"{visit.here}/templates", "templates.look.done")


@or_again(show_all, {"": "graphic"})
async def upload_graphic(visit: Visit) -> Response:
    """Keep a graphic."""
    upload = visit.form.file("graphic")
    if upload is None:
        return await show_all(visit, {"graphic": visit.say("templates.graphics.none-chosen")})
    name = visit.form.line("name") or upload.name.rpartition("/")[2].rpartition("\\")[2]
    await visit.change(partial(add_graphic, customer=visit.customer.name, name=name, content=upload.content))
    return visit.go(f"{visit.here}/templates", "templates.graphics.done", name=name)


@or_again(show_all)
async def remove_graphic(visit: Visit) -> Response:
    """Take a graphic away."""
    name = visit.form.text("name")
    await visit.change(partial(drop_graphic, customer=visit.customer.name, name=name))
    return visit.go(f"{visit.here}/templates", "templates.graphics.removed", name=name)


async def edit(visit: Visit) -> Response:
    """Show a template: its code, what it makes, and what it was."""
    work = await _work(visit, visit.asked)
    draft = await _draft(visit, visit.asked("draft"))
    return await _edit(visit, work, draft)


async def _show_again(visit: Visit, errors: Mapping[str, str]) -> Response:
    work = await _work(visit, visit.form.text)
    draft = _written(visit, work) if "source" in visit.form else None
    return await _edit(visit, work, draft, errors)


@or_again(_show_again)
async def work_on(visit: Visit) -> Response:
    """Preview what was written, or keep it."""
    work = await _work(visit, visit.form.text)
    draft = _written(visit, work)
    if len(draft.source) > _MOST_SOURCE:
        raise HTTPException(413)
    if visit.form.text("do") != "save":
        key = await visit.desk.studio.keep(visit.customer, visit.account.address, draft)
        return visit.go(_path(visit, work, draft=str(key)))
    graphics = await visit.desk.studio.graphics(visit.customer)
    faults = await visit.desk.studio.find_faults(work.kind, draft, graphics)
    if faults:
        return await _edit(visit, work, draft, {"source": " ".join(faults)})
    await visit.change(studio.keeping(work.owner, work.kind, draft, graphics, visit.desk.check_push))
    return visit.go(_path(visit, work), "templates.edit.saved")


@or_again(_show_again)
async def reset(visit: Visit) -> Response:
    """Take an own template away."""
    work = await _work(visit, visit.form.text)
    await visit.change(studio.resetting(work.owner, work.kind, visit.desk.check_push))
    return visit.go(_path(visit, work), "templates.edit.reset")


@or_again(_show_again)
async def restore(visit: Visit) -> Response:
    """Make a template what it was in a version; one that fails by now is opened as a draft."""
    work, number = await _work(visit, visit.form.text), visit.form.text("number")
    if not number.isdecimal() or len(number) > 9:
        raise HTTPException(404)
    version = await visit.desk.look(lambda tx: studio.read_version(tx, work.owner, work.kind, int(number)))
    if not version.source:
        await visit.change(studio.resetting(work.owner, work.kind, visit.desk.check_push, version.push_form))
        return visit.go(_path(visit, work), "templates.edit.restored", number=number)
    graphics = await visit.desk.studio.graphics(visit.customer)
    faults = await visit.desk.studio.find_faults(work.kind, version, graphics)
    if faults:
        return await _edit(visit, work, version, {"source": " ".join(faults)})
    await visit.change(studio.keeping(work.owner, work.kind, version, graphics, visit.desk.check_push))
    return visit.go(_path(visit, work), "templates.edit.restored", number=number)


async def frame(visit: Visit) -> Response:
    """Show what a template makes, in a document that may do nothing."""
    work = await _work(visit, visit.asked)
    current, _ = await visit.desk.look(lambda tx: studio.read_current(tx, work.owner, work.kind))
    draft = await _draft(visit, visit.asked("draft")) or current
    language = visit.asked("language")
    settings = studio.settings_of(visit.desk.snapshot, visit.customer, work.owner.profile, work.kind)
    if language in studio.LANGUAGES():
        settings = studio.in_language(settings, language)
    told = await _told(visit, work)
    shown = await visit.desk.studio.show(
        work.kind,
        draft,
        settings,
        await visit.desk.studio.graphics(visit.customer),
        sample=_sample(work),
        told=told,
    )
    if shown.problem:
        content, media = shown.problem, "text/plain"
    elif studio.is_push(work.kind):
        push = work.push or PushAction(url=settings.push_url)
        content = studio.head_of(replace(push, form=PushForm(draft.push_form))) + shown.content
        media = "text/plain"
    else:
        content, media = _in_colours(shown.content, dark=bool(visit.asked("dark"))), "text/html"
    return Response(content, media_type=media, headers={"Content-Security-Policy": _POLICY})


def _in_colours(html: str, *, dark: bool) -> str:
    """Return a mail as it looks in a light or a dark mail program, whatever the reader's own is."""
    return _SCHEME.sub(lambda found: "(min-width:0)" if (found[1] == "dark") is dark else "(max-width:0)", html)


async def _told(visit: Visit, work: Work) -> Told:
    """Return the real job or SMS to show, for who may see it; None for a sample.

    Raises HTTPException 404 for an SMS that is none of the customer's.
    """
    sms, job = work.view.get("sms", ""), work.view.get("job", "")
    if sms and work.kind in _OF_SMS:
        desk, found = visit.desk, None
        if _may_see_sms(visit, work):
            found = await desk.studio.sms_of(desk.snapshot, visit.customer, work.owner.profile, sms)
        if found is None:
            raise HTTPException(404)
        return found
    if not job or studio.is_push(work.kind) or work.kind == studio.INBOUND or not visit.may(Right.SEE_REPORTS):
        return None
    return await visit.desk.studio.report_of(visit.customer, job)


async def _edit(
    visit: Visit, work: Work, draft: TemplateDraft | None, errors: Mapping[str, str] | None = None
) -> Response:
    current, is_own = await visit.desk.look(lambda tx: studio.read_current(tx, work.owner, work.kind))
    versions = await visit.desk.look(lambda tx: list_versions(tx, work.owner, work.kind))
    errors, told = dict(errors or {}), await _told(visit, work)
    if work.view.get("job") and not errors and told is None:
        errors["job"] = visit.say("templates.edit.no-job")
    key = visit.asked("draft")
    if errors.get("source") and draft is not None:
        key = str(await visit.desk.studio.keep(visit.customer, visit.account.address, draft))
    return visit.show(
        "rooms/templates/edit",
        errors=errors,
        work=work,
        draft=draft or current,
        draft_key=key if draft is not None else "",
        is_own=is_own,
        versions=[{**one, "set_at": datetime.fromisoformat(str(one["set_at"]))} for one in versions],
        is_push=studio.is_push(work.kind),
        names=studio.names_of(work.kind),
        languages=studio.LANGUAGES(),
        push_forms=studio.PUSH_FORMS,
        sample=_sample(work),
        latest=await visit.desk.studio.latest_sms(visit.customer) if _may_see_sms(visit, work) else [],
        query=_query(work, draft=key if draft is not None else ""),
    )


def _may_see_sms(visit: Visit, work: Work) -> bool:
    return work.kind in _OF_SMS and visit.may(Right.SEE_INBOUND)


async def _work(visit: Visit, given: Callable[[str], str]) -> Work:
    kind, profile = visit.parameter("kind"), given("profile")
    if kind not in studio.KINDS or not _is_contracted(visit, kind):
        raise HTTPException(404)
    if profile and visit.desk.snapshot.directory.profile_named(visit.customer.key, profile) is None:
        raise HTTPException(404)
    view = {field: given(field).strip()[:80] for field in ("language", "sample", "job", "sms")}
    if kind != studio.INBOUND_PUSH:
        return Work(kind=kind, owner=TemplateOwner(visit.customer.name, profile), view=view)
    action = given("of_action")
    pushes = await visit.desk.look(partial(studio.actions_of, customer=visit.customer.name))
    if action not in pushes or profile:
        raise HTTPException(404)
    owner = TemplateOwner(visit.customer.name, action=action)
    return Work(kind=kind, owner=owner, view=view, push=pushes[action])


def _is_contracted(visit: Visit, kind: str) -> bool:
    option = studio.option_of(kind)
    return option is None or visit.has(option)


def _written(visit: Visit, work: Work) -> TemplateDraft:
    """Return what was written; another form of a push's body begins with our own template."""
    source, push_form = visit.form.text("source"), visit.form.text("push_form")
    if not studio.is_push(work.kind):
        return TemplateDraft(source=source)
    if push_form not in studio.PUSH_FORMS:
        raise HTTPException(400)
    if visit.form.text("do") == "standard":
        return studio.standard_of(work.kind, push_form)
    return TemplateDraft(source=source, push_form=push_form)


async def _draft(visit: Visit, key: str) -> TemplateDraft | None:
    if not key.isdecimal() or len(key) > 18:
        return None
    return await visit.desk.studio.find(visit.customer, visit.account.address, int(key))


def _sample(work: Work) -> int:
    given = work.view["sample"]
    return max(1, int(given)) if given.isdecimal() and len(given) < 4 else 1


def _path(visit: Visit, work: Work, **more: str) -> str:
    return f"{visit.here}/templates/{work.kind}?{_query(work, **more)}"


def _query(work: Work, **more: str) -> str:
    given = {"profile": work.owner.profile, "of_action": work.owner.action, **work.view, **more}
    return urlencode({name: text for name, text in given.items() if text})


_ROOM: Final = f"{CUSTOMER}/templates"
_ONE: Final = f"{_ROOM}/{{kind}}"

PAGES = (
    Page(path=_ROOM, handler=show_all, right=Right.SEE_TEMPLATES, menu="templates.menu"),
    Page(path=f"{_ROOM}/look", methods=POST, handler=change_look, right=Right.CHANGE_TEMPLATES),
    Page(
        path=f"{_ROOM}/graphics", methods=POST, handler=upload_graphic, right=Right.CHANGE_TEMPLATES, most=_MOST_GRAPHIC
    ),
    Page(path=f"{_ROOM}/graphics/remove", methods=POST, handler=remove_graphic, right=Right.CHANGE_TEMPLATES),
    Page(path=_ONE, handler=edit, right=Right.SEE_TEMPLATES),
    Page(path=_ONE, methods=POST, handler=work_on, right=Right.CHANGE_TEMPLATES, most=4 * _MOST_SOURCE),
    Page(path=f"{_ONE}/frame", handler=frame, right=Right.SEE_TEMPLATES),
    Page(path=f"{_ONE}/reset", methods=POST, handler=reset, right=Right.CHANGE_TEMPLATES),
    Page(path=f"{_ONE}/restore", methods=POST, handler=restore, right=Right.CHANGE_TEMPLATES),
)
