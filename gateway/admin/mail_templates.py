"""Customers' own templates and graphics: judged before they are kept, each change audited.

A template is tried with every kind of mail that it may make, so that what goes out later was seen to work. Not here:
how templates run (templates.confined), which one a mail takes (gateway.mail_rules).
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from addressbook.people import Customer, Profile
from gateway.admin.actions import get_push, template_of
from gateway.admin.edit import AuditAction, Changed, Edit, Subject
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer, get_profile
from inbound.actions import Action
from sms.settings import Settings
from store.engine.database import Transaction
from store.engine.keys import to_instant
from store.mail_templates import (
    StoredGraphic,
    TemplateRef,
    TemplateVersion,
    graphics_of,
    list_templates,
    put_graphic,
    put_template,
    read_template,
    remove_graphic,
    remove_template,
    sources_of,
    versions_of,
)
from templates.confined import ConfinedTemplates
from templates.fitness import check_template
from templates.forms import MailForm
from templates.graphics import Graphic, GraphicRefused, find_too_large, point_graphics, read_graphic, shown_graphics
from templates.render import LARGEST_SOURCE, Renderer, TemplateBroken
from templates.samples import views_of, views_to_try


@dataclass(frozen=True, slots=True)
class TemplateOwner:
    """Whose template: a customer's for all its profiles, one profile's, or an action's that pushes inbound SMS."""

    customer: str
    profile: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What templates are tried with."""

    confined: ConfinedTemplates = field(default_factory=ConfinedTemplates)
    renderer: Renderer = field(default_factory=Renderer)

    def find_faults(self, source: str, form: MailForm, graphics: Mapping[str, Graphic]) -> list[str]:
        """Return what is wrong with a template, in sentences for its author; empty where nothing is."""
        faults = check_template(source, form, self.renderer, self.confined)
        missing = () if faults else self._missing(source, form, graphics)
        return faults or [f"cid:{name} shows a graphic that is not there" for name in missing]

    def _missing(self, source: str, form: MailForm, graphics: Mapping[str, Graphic]) -> list[str]:
        shown: dict[str, None] = {}
        for view in views_to_try(form, self.renderer):
            shown.update(dict.fromkeys(shown_graphics(self.confined.run(source, view))))
        return [name for name in shown if name not in graphics]

    def preview(
        self, source: str, form: MailForm, settings: Settings, graphics: Mapping[str, Graphic]
    ) -> Iterator[str]:
        """Yield what the template makes of the samples of a form. Raises TemplateBroken."""
        for view in views_of(form, self.renderer, settings, graphics.get(settings.logo)):
            yield self.confined.run(source, view)

    def close(self) -> None:
        """End the process that templates run in."""
        self.confined.close()


@dataclass(frozen=True, slots=True)
class FoundOwner:
    """Whose template, as it is stored."""

    customer: Customer
    profile: Profile | None
    action: Action | None = None

    def ref(self, form: str) -> TemplateRef:
        """Return which template it is; an action has one."""
        if self.action is not None:
            return template_of(self.action)
        profile_key = self.profile.key if self.profile is not None else 0
        return TemplateRef(customer_key=self.customer.key, profile_key=profile_key, form=str(form))

    @property
    def facts(self) -> dict[str, str]:
        """Its names."""
        return {"customer": self.customer.name, "profile": self.profile.name if self.profile is not None else ""}

    @property
    def target(self) -> str:
        """How the audit names it."""
        return "/".join(filter(None, self.facts.values()))


def find_owner(tx: Transaction, owner: TemplateOwner) -> FoundOwner:
    """Return whose template it is. Raises AdminFault."""
    customer = get_customer(tx, owner.customer)
    if owner.action:
        return FoundOwner(customer, None, get_push(tx, customer, owner.action)[0])
    return FoundOwner(customer, get_profile(tx, customer, owner.profile) if owner.profile else None)


def graphics_by_name(tx: Transaction, customer_key: int) -> dict[str, Graphic]:
    """Return a customer's graphics."""
    return {
        found.name: Graphic(name=found.name, media_type=found.media_type, content=found.content)
        for found in graphics_of(tx, customer_key)
    }


def find_graphics(tx: Transaction, owner: TemplateOwner) -> dict[str, Graphic]:
    """Return the graphics that an owner's templates may show."""
    return graphics_by_name(tx, find_owner(tx, owner).customer.key)


def find_source(tx: Transaction, owner: TemplateOwner, form: MailForm) -> str:
    """Return the source of an owner's own template for a form. Raises AdminFault where the standard one goes out."""
    found = find_owner(tx, owner)
    source = read_template(tx, found.ref(form))
    if source is None:
        raise AdminFault(FaultCode.NO_OWN_TEMPLATE, form=form.value, **found.facts)
    return source


def check_source(source: str, form: MailForm, graphics: Mapping[str, Graphic], workshop: Workshop) -> list[str]:
    """Return what is wrong with a template."""
    if len(source) > LARGEST_SOURCE:
        return [f"the template has {len(source)} characters; {LARGEST_SOURCE} are allowed"]
    try:
        return workshop.find_faults(source, form, graphics)
    except TemplateBroken as broken:
        return [str(broken)]


def set_template(
    edit: Edit, owner: TemplateOwner, form: MailForm, source: str, checked_with: Mapping[str, Graphic]
) -> Changed:
    """Keep a template that `check_source` found good with these graphics; refused where they are others by now."""
    found = find_owner(edit.tx, owner)
    present = graphics_by_name(edit.tx, found.customer.key)
    if any(name not in present for name in checked_with):
        raise AdminFault(FaultCode.GRAPHIC_REMOVED_MEANWHILE)
    put_template(edit.tx, found.ref(form), source, edit.who)
    detail = f"{form}, {len(source)} characters"
    whose = found.customer.key
    return edit.done(AuditAction.SET_TEMPLATE, Subject(found.target, whose, detail), form=form.value, **found.facts)


def reset_template(edit: Edit, owner: TemplateOwner, form: MailForm) -> Changed:
    """Take a template away, so that the next weaker or the standard one goes out."""
    found = find_owner(edit.tx, owner)
    if not remove_template(edit.tx, found.ref(form), edit.who):
        raise AdminFault(FaultCode.NO_TEMPLATE_TO_RESET, form=form.value, **found.facts)
    whose, word = found.customer.key, form.value
    return edit.done(AuditAction.RESET_TEMPLATE, Subject(found.target, whose, word), form=word, **found.facts)


def add_graphic(edit: Edit, customer: str, name: str, content: bytes) -> Changed:
    """Keep a graphic for a customer's templates, in place of the one of the same name."""
    owner = get_customer(edit.tx, customer)
    try:
        graphic = read_graphic(name, content)
    except GraphicRefused as refused:
        raise AdminFault(FaultCode.BAD_GRAPHIC, cause=str(refused)) from None
    fault = find_too_large({**graphics_by_name(edit.tx, owner.key), name: graphic}.values())
    if fault:
        raise AdminFault(FaultCode.BAD_GRAPHIC, cause=fault)
    stored = StoredGraphic(name=name, media_type=graphic.media_type, content=content)
    put_graphic(edit.tx, owner.key, stored, edit.who)
    detail = f"{name}, {graphic.media_type}, {len(content)} octets"
    return edit.done(AuditAction.ADD_GRAPHIC, Subject(owner.name, owner.key, detail), customer=owner.name, name=name)


def drop_graphic(edit: Edit, customer: str, name: str) -> Changed:
    """Take a graphic away that no template of the customer shows."""
    owner = get_customer(edit.tx, customer)
    if any(f"cid:{name}" in source for source in sources_of(edit.tx, owner.key)):
        raise AdminFault(FaultCode.GRAPHIC_IN_USE, customer=owner.name, name=name)
    if not remove_graphic(edit.tx, owner.key, name):
        raise AdminFault(FaultCode.NO_GRAPHIC, customer=owner.name, name=name)
    return edit.done(AuditAction.REMOVE_GRAPHIC, Subject(owner.name, owner.key, name), customer=owner.name, name=name)


def list_versions(tx: Transaction, owner: TemplateOwner, form: str) -> list[dict[str, object]]:
    """Return what an owner's template was, the latest first: plain values. `form` is a Form, or «push»."""
    return [
        {
            "number": version.number,
            "set_at": to_instant(version.set_at).isoformat(timespec="seconds"),
            "set_by": version.set_by,
            "form": version.push_form or form,
            "characters": len(version.source),
        }
        for version in versions_of(tx, find_owner(tx, owner).ref(form))
    ]


def find_version(tx: Transaction, owner: TemplateOwner, form: str, number: int) -> TemplateVersion:
    """Return one version of an owner's template. Raises AdminFault."""
    found = find_owner(tx, owner)
    for version in versions_of(tx, found.ref(form)):
        if version.number == number:
            return version
    raise AdminFault(FaultCode.NO_TEMPLATE_VERSION, form=form, number=number, **found.facts)


def list_own_templates(tx: Transaction, customer: str) -> list[dict[str, object]]:
    """Return the templates and graphics of a customer as plain values, of all customers where none is named."""
    owner = get_customer(tx, customer) if customer else None
    return [
        {
            "customer": found.customer,
            "profile": found.profile,
            "form": found.ref.form,
            "set_at": to_instant(found.set_at).isoformat(timespec="seconds"),
            "set_by": found.set_by,
            "graphics": list(graphics_by_name(tx, found.ref.customer_key)),
        }
        for found in list_templates(tx)
        if owner is None or found.ref.customer_key == owner.key
    ]


def for_browser(html: str, graphics: Mapping[str, Graphic]) -> str:
    """Return a mail's HTML for a browser, with its graphics inside."""
    return point_graphics(html, lambda name: _data_url(graphics[name]) if name in graphics else f"cid:{name}")


def _data_url(graphic: Graphic) -> str:
    return f"data:{graphic.media_type};base64,{b64encode(graphic.content).decode()}"
