"""Registrations of sender IDs: a customer's own with their evidence, and all of them for the operator."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import partial
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.registrations import RegistrationKind
from addressbook.rights import Right
from countries.book import RuleSubject
from countries.registering import demands_of
from gateway.admin import registrations
from gateway.admin.edit import Changed
from gateway.admin.faults import AdminFault
from gateway.admin.registration_papers import LARGEST_PAPER, drop_paper, open_paper, put_paper
from gateway.admin.registration_views import WholeRegistration, shown_registrations, whole_registration
from gateway.admin.requested_registration import RequestedRegistration
from sms.settings import UseCase
from web.attachments import attachment_headers
from web.portal.page import CUSTOMER, POST, Page
from web.portal.visit import Visit

_DESK: Final = "/operator/sender-ids"
_OWN: Final = f"{CUSTOMER}/sender-ids"
_FIELD_OF: Final = {
    "bad-registered-name": "value",
    "registration-exists": "value",
    "sender-id-has-no-way": "value",
    "registered-by-others": "also",
    "bad-country": "country",
    "due-is-past": "until",
    "bad-reason": "reason",
    "bad-paper": "paper",
    "paper-too-large": "paper",
    "too-many-papers": "paper",
}
_CODE_FAULTS: Final = frozenset({"code-missing", "code-taken", "code-of-other-kind", "bad-number", "number-exists"})


async def list_all(visit: Visit) -> Response:
    """Show the registrations of the customer, or of all customers."""
    key = visit.at.key if visit.at is not None else None
    rows = await visit.desk.look(partial(shown_registrations, customer_key=key))
    return visit.show("rooms/sender-ids/list", rows=rows, room=f"/portal{_room(visit)}")


async def new(visit: Visit) -> Response:
    """Ask for the country, then for what that country wants to know."""
    return _form(visit, visit.asked("country"))


async def request(visit: Visit) -> Response:
    """Keep a draft."""
    try:
        (done,) = await visit.change(
            partial(
                registrations.request_registration,
                customer=_whose(visit),
                requested=_requested(visit),
                registrar=visit.desk.registrar,
            )
        )
    except AdminFault as fault:
        return _form(visit, visit.form.line("country"), _errors(visit, fault))
    return visit.go(f"{_room(visit)}/{done.facts['registration']}", "sender-ids.kept")


async def show_one(visit: Visit) -> Response:
    """Show a registration, what is to be done next, and its history."""
    return await _show(visit)


async def work_on(visit: Visit) -> Response:
    """Change a draft, or do what a button says: a step of the registration."""
    step = visit.form.text("step") or "edit"
    steps = _STEPS if visit.at is not None else {**_STEPS, **_DESK_STEPS}
    if step not in steps:
        raise HTTPException(404)
    try:
        await visit.change(steps[step](visit))
    except AdminFault as fault:
        if fault.code == "no-registration":
            raise HTTPException(404) from fault
        return await _show(visit, _errors(visit, fault))
    return visit.go(f"{_room(visit)}/{visit.parameter('registration')}", f"sender-ids.done.{step}")


async def upload(visit: Visit) -> Response:
    """Keep a paper."""
    given = visit.form.file("paper")
    if given is None:
        return await _show(visit, {"paper": visit.say("sender-ids.papers.none-chosen")})
    put = partial(
        put_paper,
        registration=visit.parameter("registration"),
        name=given.name,
        content=given.content,
        is_letter=visit.form.ticked("letter"),
        customer=_whose(visit),
    )
    return await _changed_papers(visit, put, "sender-ids.papers.done")


async def remove(visit: Visit) -> Response:
    """Delete a paper."""
    drop = partial(
        drop_paper,
        registration=visit.parameter("registration"),
        name=visit.form.text("name"),
        customer=_whose(visit),
    )
    return await _changed_papers(visit, drop, "sender-ids.papers.removed")


async def fetch(visit: Visit) -> Response:
    """Return a paper, never shown in the browser."""
    read = partial(
        open_paper,
        registration=visit.parameter("registration"),
        name=visit.parameter("name"),
        customer=_whose(visit),
    )
    try:
        paper = await visit.desk.look(read)
    except AdminFault as fault:
        raise HTTPException(404) from fault
    return Response(paper.content, media_type=paper.media_type, headers=attachment_headers(paper.name))


async def _changed_papers(visit: Visit, change: Callable[..., Changed], said: str) -> Response:
    try:
        await visit.change(change)
    except AdminFault as fault:
        if fault.code == "no-registration":
            raise HTTPException(404) from fault
        return await _show(visit, _errors(visit, fault))
    return visit.go(f"{_room(visit)}/{visit.parameter('registration')}", said)


def _form(visit: Visit, country: str, errors: dict[str, str] | None = None) -> Response:
    """Show the form for a country; without one, the choice of it."""
    known = visit.desk.registrar.judge.book.countries
    letters = country.strip().upper()
    place = RuleSubject(country=letters, customer=_whose(visit))
    demands = demands_of(visit.desk.registrar.judge, place, None, visit.desk.now().date())
    return visit.show(
        "rooms/sender-ids/new",
        errors=errors,
        room=f"/portal{_room(visit)}",
        countries=sorted(((one, _name_of(visit, one)) for one in known), key=lambda pair: pair[1].casefold()),
        country=letters if letters in known else "",
        name=_name_of(visit, letters) if letters in known else "",
        demands=demands,
        **_choices(visit),
    )


async def _show(visit: Visit, errors: dict[str, str] | None = None) -> Response:
    whole = await _read(visit)
    return visit.show(
        "rooms/sender-ids/one",
        errors=errors,
        room=f"/portal{_room(visit)}",
        whole=whole,
        one=whole.one,
        name=_name_of(visit, whole.one.country),
        country=whole.one.country,
        demands=whole.demands,
        changes=visit.may(Right.CHANGE_SENDER_IDS if visit.at is not None else Right.CHANGE_OPERATE),
        editable=whole.one.state in registrations.EDITABLE,
        submittable=whole.one.state in registrations.SUBMITTABLE,
        renewable=whole.one.state in registrations.RENEWABLE,
        living=whole.one.state in registrations.LIVING,
        **_choices(visit),
    )


async def _read(visit: Visit) -> WholeRegistration:
    """Return the registration of the path; that of others is not there."""
    try:
        return await visit.desk.look(
            partial(
                whole_registration,
                registration=visit.parameter("registration"),
                judge=visit.desk.registrar.judge,
                now=visit.desk.now(),
                customer=_whose(visit),
            )
        )
    except AdminFault as fault:
        raise HTTPException(404) from fault


def _choices(visit: Visit) -> dict[str, Any]:
    return {
        "kinds": [(kind.value, visit.say(f"sender-ids.kinds.{kind}")) for kind in RegistrationKind],
        "use_cases": [("", visit.say("sender-ids.each-use-case"))]
        + [(one.value, visit.say(f"sender-ids.use-cases.{one}")) for one in UseCase],
        "carriers": [("", visit.say("sender-ids.each-carrier"))]
        + [(one, one) for one in sorted(visit.desk.registrar.carriers)],
    }


def _name_of(visit: Visit, letters: str) -> str:
    known = visit.desk.registrar.judge.book.countries
    return visit.look.territory(visit.language, letters) or (known[letters].name if letters in known else letters)


def _requested(visit: Visit) -> RequestedRegistration:
    form = visit.form
    volume = "".join(form.line("volume").split())
    return RequestedRegistration(
        country=form.line("country"),
        kind=form.line("kind") if form.line("kind") in set(RegistrationKind) else RegistrationKind.NAME.value,
        value=form.text("value").strip(),
        carrier=form.line("carrier"),
        use_case=form.line("use_case") if form.line("use_case") in set(UseCase) else "",
        company=form.line("company"),
        local_entity=form.line("local_entity"),
        # What is no number is refused as one that is too large.
        volume=int(volume) if volume.isascii() and volume.isdecimal() and len(volume) < 10 else -1 if volume else 0,
        samples=tuple(form.text("samples").split("\n\n")),
    )


def _step(use_case: Callable[..., Changed]) -> Callable[[Visit], Callable[..., Changed]]:
    """Return what makes the change of a button that has no fields."""

    def change(visit: Visit) -> Callable[..., Changed]:
        own = {"customer": _whose(visit)} if visit.at is not None else {}
        return partial(use_case, **_about(visit), **own)

    return change


def _edit(visit: Visit) -> Callable[..., Changed]:
    return partial(
        registrations.edit_registration, **_about(visit), requested=_requested(visit), customer=_whose(visit)
    )


def _approve(visit: Visit) -> Callable[..., Changed]:
    return partial(
        registrations.approve_registration,
        **_about(visit),
        until=_until(visit),
        code=visit.form.line("code"),
        also=visit.form.ticked("also"),
    )


def _renew(visit: Visit) -> Callable[..., Changed]:
    also = visit.form.ticked("also")
    return partial(registrations.renew_registration, **_about(visit), until=_until(visit), also=also)


def _with_reason(use_case: Callable[..., Changed]) -> Callable[[Visit], Callable[..., Changed]]:
    def change(visit: Visit) -> Callable[..., Changed]:
        return partial(use_case, **_about(visit), reason=visit.form.line("reason"))

    return change


_STEPS: Final[dict[str, Callable[[Visit], Callable[..., Changed]]]] = {
    "edit": _edit,
    "submit": _step(registrations.submit_registration),
    "ask-renewal": _step(registrations.ask_renewal),
    "withdraw": _step(registrations.withdraw_registration),
}
_DESK_STEPS: Final[dict[str, Callable[[Visit], Callable[..., Changed]]]] = {
    "approve": _approve,
    "renew": _renew,
    "refuse": _with_reason(registrations.refuse_registration),
    "drop": _with_reason(registrations.drop_registration),
}


def _about(visit: Visit) -> dict[str, Any]:
    return {"registration": visit.parameter("registration"), "registrar": visit.desk.registrar}


def _until(visit: Visit) -> date | None:
    """Return the last day of a form; what is no day is over, and so refused at its field."""
    text = visit.form.line("until")
    if not text:
        return None
    with suppress(ValueError):
        return date.fromisoformat(text)
    return date.min


def _errors(visit: Visit, fault: AdminFault) -> dict[str, str]:
    code = str(fault.code)
    if code == "registration-incomplete":
        missing = fault.facts["missing"]
        names = missing if isinstance(missing, tuple) else ()
        return {
            "": visit.say("sender-ids.missing") + " " + ", ".join(visit.say(f"sender-ids.needs.{n}") for n in names)
        }
    if code == "bad-registration-text":
        return {str(fault.facts["field"]): visit.fault(fault)}
    return {"code" if code in _CODE_FAULTS else _FIELD_OF.get(code, ""): visit.fault(fault)}


def _whose(visit: Visit) -> str:
    return visit.customer.name if visit.at is not None else ""


def _room(visit: Visit) -> str:
    return f"{visit.here}/sender-ids" if visit.at is not None else _DESK


_ONE: Final = "{registration}"
_MOST: Final = LARGEST_PAPER + 100_000
_SEE, _CHANGE = Right.SEE_SENDER_IDS, Right.CHANGE_SENDER_IDS


def _pages(room: str, see: Right, change: Right) -> tuple[Page, ...]:
    one, papers = f"{room}/{_ONE}", f"{room}/{_ONE}/papers"
    return (
        Page(path=room, handler=list_all, right=see, menu="sender-ids.menu"),
        Page(path=f"{room}/new", handler=new, right=change),
        Page(path=f"{room}/new", methods=POST, handler=request, right=change),
        Page(path=one, handler=show_one, right=see),
        Page(path=one, methods=POST, handler=work_on, right=change),
        Page(path=papers, methods=POST, handler=upload, right=change, most=_MOST),
        Page(path=f"{papers}/remove", methods=POST, handler=remove, right=change),
        Page(path=f"{papers}/{{name}}", handler=fetch, right=see),
    )


PAGES = (*_pages(_OWN, _SEE, _CHANGE), *_pages(_DESK, Right.SEE_OPERATE, Right.CHANGE_OPERATE))
