"""Customers' own templates and graphics: judged before they are kept, each change audited.

A template is tried with every kind of notice, so that what goes out later was seen to work. Not here: how templates
run (templates.confined), which one a mail takes (gateway.mail_rules).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from addressbook.people import Customer
from gateway.admin.customers import Answer, Change, Edit, Fault, no_customer, no_profile, with_customer
from sms.report import NoticeKind
from sms.settings import Settings
from store.directory import find_customer, find_profile
from store.engine.database import Transaction
from store.engine.keys import to_instant
from store.mail_templates import (
    StoredGraphic,
    TemplateRef,
    graphics_of,
    list_templates,
    put_graphic,
    put_template,
    read_template,
    remove_graphic,
    remove_template,
    sources_of,
)
from templates.confined import ConfinedTemplates
from templates.fitness import check_template
from templates.forms import Form, kind_of
from templates.graphics import Graphic, GraphicRefused, find_too_large, point_graphics, read_graphic, shown_graphics
from templates.render import LARGEST_SOURCE, Renderer, TemplateBroken
from templates.samples import sample_reports, sample_reports_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateOwner:
    """Whose template: a customer's for all its profiles, or one profile's."""

    customer: str
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What templates are tried with."""

    confined: ConfinedTemplates = field(default_factory=ConfinedTemplates)
    renderer: Renderer = field(default_factory=Renderer)

    def find_faults(self, source: str, graphics: Mapping[str, Graphic]) -> list[str]:
        """Return what is wrong with a template, in sentences for its author; empty where nothing is."""
        faults = check_template(source, self.renderer, self.confined)
        return faults or [f"cid:{name} shows a graphic that is not there" for name in self._missing(source, graphics)]

    def _missing(self, source: str, graphics: Mapping[str, Graphic]) -> list[str]:
        shown: dict[str, None] = {}
        for kind in NoticeKind:
            for report in sample_reports(kind):
                html = self.confined.run(source, self.renderer.view(kind, report))
                shown.update(dict.fromkeys(shown_graphics(html)))
        return [name for name in shown if name not in graphics]

    def preview(self, source: str, form: Form, settings: Settings) -> Iterator[str]:
        """Yield what the template makes of the samples of a form. Raises TemplateBroken."""
        for report in sample_reports_of(form, settings):
            yield self.confined.run(source, self.renderer.view(kind_of(form), report))

    def close(self) -> None:
        """End the process that templates run in."""
        self.confined.close()


def find_template_owner(tx: Transaction, owner: TemplateOwner) -> tuple[Customer, int] | Fault:
    """Return the customer and the key of its profile, 0 for all of them."""
    customer = find_customer(tx, owner.customer)
    if customer is None:
        return no_customer(owner.customer)
    if not owner.profile:
        return customer, 0
    profile = find_profile(tx, customer.id, owner.profile)
    return no_profile(owner.profile, customer) if profile is None else (customer, profile.id)


def graphics_by_name(tx: Transaction, customer_key: int) -> dict[str, Graphic]:
    """Return a customer's graphics."""
    return {
        found.name: Graphic(name=found.name, media_type=found.media_type, content=found.content)
        for found in graphics_of(tx, customer_key)
    }


def find_graphics(tx: Transaction, owner: TemplateOwner) -> dict[str, Graphic] | Fault:
    """Return the graphics that an owner's templates may show."""
    found = find_template_owner(tx, owner)
    return found if isinstance(found, Fault) else graphics_by_name(tx, found[0].id)


def find_source(tx: Transaction, owner: TemplateOwner, form: Form) -> str | Fault | None:
    """Return the source of an owner's own template for a form, None where the standard one goes out."""
    found = find_template_owner(tx, owner)
    if isinstance(found, Fault):
        return found
    return read_template(tx, TemplateRef(customer_key=found[0].id, profile_key=found[1], form=form.value))


def check_source(source: str, graphics: Mapping[str, Graphic], workshop: Workshop) -> list[str]:
    """Return what is wrong with a template."""
    if len(source) > LARGEST_SOURCE:
        return [f"the template has {len(source)} characters; {LARGEST_SOURCE} are allowed"]
    try:
        return workshop.find_faults(source, graphics)
    except TemplateBroken as broken:
        return [str(broken)]


def set_template(owner: TemplateOwner, form: Form, source: str, checked_with: Mapping[str, Graphic]) -> Change:
    """Keep a template that `check_source` found good with these graphics; refused where they are others by now."""

    def act(edit: Edit, customer: Customer, profile_key: int) -> Answer:
        present = graphics_by_name(edit.tx, customer.id)
        if any(name not in present for name in checked_with):
            return Fault(sentence="A graphic was removed while the template was checked; try again.")
        ref = TemplateRef(customer_key=customer.id, profile_key=profile_key, form=form.value)
        put_template(edit.tx, ref, source, edit.who)
        sentence = f"The form «{form}» of {_spoken(customer, owner)} now has its own template."
        return edit.done("template.set", _target(customer, owner), sentence, f"{form}, {len(source)} characters")

    return _with_owner(owner, act)


def reset_template(owner: TemplateOwner, form: Form) -> Change:
    """Take a template away, so that the next weaker or the standard one goes out."""

    def act(edit: Edit, customer: Customer, profile_key: int) -> Answer:
        ref = TemplateRef(customer_key=customer.id, profile_key=profile_key, form=form.value)
        if not remove_template(edit.tx, ref):
            return Fault(sentence=f"The form «{form}» of {_spoken(customer, owner)} has no template of its own.")
        sentence = f"The form «{form}» of {_spoken(customer, owner)} no longer has a template of its own."
        return edit.done("template.reset", _target(customer, owner), sentence, form.value)

    return _with_owner(owner, act)


def add_graphic(customer_name: str, name: str, content: bytes) -> Change:
    """Keep a graphic for a customer's templates, in place of the one of the same name."""

    def act(edit: Edit, customer: Customer) -> Answer:
        try:
            graphic = read_graphic(name, content)
        except GraphicRefused as refused:
            return Fault(sentence=f"The graphic is refused: {refused}.")
        others = graphics_by_name(edit.tx, customer.id)
        fault = find_too_large({**others, name: graphic}.values())
        if fault:
            return Fault(sentence=f"The graphic is refused: {fault}.")
        stored = StoredGraphic(name=name, media_type=graphic.media_type, content=content)
        put_graphic(edit.tx, customer.id, stored, edit.who)
        sentence = f"Templates of «{customer.name}» can now show the graphic as cid:{name}."
        detail = f"{name}, {graphic.media_type}, {len(content)} octets"
        return edit.done("template.graphic-add", customer.name, sentence, detail)

    return with_customer(customer_name, act)


def drop_graphic(customer_name: str, name: str) -> Change:
    """Take a graphic away that no template of the customer shows."""

    def act(edit: Edit, customer: Customer) -> Answer:
        if any(f"cid:{name}" in source for source in sources_of(edit.tx, customer.id)):
            return Fault(sentence=f"A template of «{customer.name}» shows cid:{name}; change that first.")
        if not remove_graphic(edit.tx, customer.id, name):
            return Fault(sentence=f"The customer «{customer.name}» has no graphic «{name}».")
        sentence = f"The graphic «{name}» of «{customer.name}» was removed."
        return edit.done("template.graphic-remove", customer.name, sentence, name)

    return with_customer(customer_name, act)


def list_own_templates(tx: Transaction, customer_name: str) -> list[dict[str, object]] | Fault:
    """Return the templates and graphics of a customer as plain values, of all customers where none is named."""
    customer = find_customer(tx, customer_name) if customer_name else None
    if customer_name and customer is None:
        return no_customer(customer_name)
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
        if customer is None or found.ref.customer_key == customer.id
    ]


def embed_graphics(html: str, graphics: Mapping[str, Graphic], to_url: Callable[[Graphic], str]) -> str:
    """Return a mail's HTML for a browser, its graphics where `to_url` says."""
    return point_graphics(html, lambda name: to_url(graphics[name]) if name in graphics else f"cid:{name}")


def _with_owner(owner: TemplateOwner, act: Callable[[Edit, Customer, int], Answer]) -> Change:
    def run(edit: Edit) -> Answer:
        found = find_template_owner(edit.tx, owner)
        return found if isinstance(found, Fault) else act(edit, *found)

    return run


def _spoken(customer: Customer, owner: TemplateOwner) -> str:
    return (f"the profile «{owner.profile}» of " if owner.profile else "") + f"the customer «{customer.name}»"


def _target(customer: Customer, owner: TemplateOwner) -> str:
    return f"{customer.name}/{owner.profile}" if owner.profile else customer.name
