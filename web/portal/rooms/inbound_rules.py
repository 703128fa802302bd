"""What is done with inbound SMS: the customer's numbers, its keywords and actions, and what would follow from a text.

Not here: what is allowed (gateway.admin.keywords, gateway.admin.actions), templates of pushes (templates), their
secrets, which the operator sets.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.rights import Right
from gateway.admin import actions, keywords
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.numbers import list_numbers
from inbound.actions import ActionKind, ListMode, MailTo, PushForm, StopScope
from web.portal.page import POST, Page
from web.portal.rooms.inbound import ROOM, has_inbox, read_phone
from web.portal.visit import Visit, or_again

_ANSWERS: Final = ("text",)
_FIELDS: Final[Mapping[ActionKind, Sequence[str]]] = {
    ActionKind.MAIL: ("to", "addresses", "profile"),
    ActionKind.REPLY: _ANSWERS,
    ActionKind.STOP: ("text", "scope"),
    ActionKind.START: ("text", "scope"),
    ActionKind.HELP: _ANSWERS,
    ActionKind.LIST: ("addresses", "at", "mode"),
    ActionKind.PUSH: ("url", "method", "form"),
    ActionKind.SMPP: ("login",),
}
"""What the page changes of each kind; what else is set of an action stays."""
_CHOICES: Final[Mapping[str, Sequence[str]]] = {
    "to": tuple(MailTo),
    "mode": tuple(ListMode),
    "scope": ("customer", *(one for one in StopScope if one != "customer")),
    "form": tuple(PushForm),
    "method": ("POST", "PUT"),
}
_DEFAULTS: Final = {
    "to": "static",
    "mode": "changes",
    "scope": "customer",
    "form": "xml",
    "method": "POST",
    "at": "10:00",
}
_HIDDEN: Final = ("password_file=", "template=", "user=", "header.")
_LONGEST: Final = 1_600
_FIELD_OF: Final[Mapping[str, str]] = {
    FaultCode.BAD_WORD: "word",
    FaultCode.KEYWORD_EXISTS: "word",
    FaultCode.KEYWORD_ANSWERED: "word",
    FaultCode.ANSWER_DEMANDED: "word",
    FaultCode.BAD_ACTION_NAME: "name",
    FaultCode.ACTION_EXISTS: "name",
    FaultCode.NO_KEYWORD: "keyword",
    FaultCode.NO_PROFILE: "profile",
    FaultCode.NO_LOGIN: "login",
    FaultCode.BAD_PUSH: "url",
}


async def show_rules(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show numbers, keywords and actions."""
    customer = visit.customer.name
    rows = await _rows(visit)
    return visit.show(
        "rooms/inbound/rules",
        errors=errors,
        numbers=await visit.desk.look(partial(list_numbers, customer=customer)),
        keywords=await visit.desk.look(partial(keywords.list_keywords, customer=customer)),
        actions=rows,
        kinds=[kind for kind in ActionKind if kind not in actions.ONE_EACH and _is_contracted(visit, kind)],
        inbox=has_inbox(visit),
    )


@or_again(show_rules, _FIELD_OF)
async def add_keyword(visit: Visit) -> Response:
    """Add a keyword, for one number or all."""
    form = visit.form
    word = form.line("word")
    await visit.change(
        partial(
            keywords.make_keyword,
            word=word,
            customer=visit.customer.name,
            number=_number(form.text("number")),
            alone=form.ticked("alone"),
        )
    )
    return visit.go(f"{visit.here}/inbound/rules", "rules.keyword.added", word=word)


@or_again(show_rules)
async def change_keyword(visit: Visit) -> Response:
    """Let nothing but courtesy follow a keyword, or more words."""
    word, number = visit.form.line("word"), _number(visit.form.text("number"))
    alone = visit.form.text("alone") == "yes"
    await visit.change(
        partial(keywords.change_keyword, word=word, customer=visit.customer.name, number=number, alone=alone)
    )
    return visit.go(f"{visit.here}/inbound/rules", "rules.keyword.changed", word=word)


@or_again(show_rules, _FIELD_OF)
async def remove_keyword(visit: Visit) -> Response:
    """Remove a keyword that no action has."""
    word, number = visit.form.line("word"), _number(visit.form.text("number"))
    await visit.change(partial(keywords.drop_keyword, word=word, customer=visit.customer.name, number=number))
    return visit.go(f"{visit.here}/inbound/rules", "rules.keyword.removed", word=word)


async def show_action(visit: Visit) -> Response:
    """Show the form of an action: of one that there is by its name, or of a new one by its kind."""
    return await _action(visit, visit.asked("name"), visit.asked("kind"))


async def _show_action_again(visit: Visit, errors: Mapping[str, str]) -> Response:
    return await _action(visit, visit.form.line("before"), visit.form.text("kind"), errors)


@or_again(_show_action_again, _FIELD_OF)
async def set_action(visit: Visit) -> Response:
    """Add an action, or change one."""
    form, customer = visit.form, visit.customer.name
    before, name = form.line("before"), form.line("before") or form.line("name")
    rows = await _rows(visit)
    kind = _kind(visit, rows, before, form.text("kind"))
    row = next((row for row in rows if row["action"] == before), None)
    assignments = {field: form.text(field) for field in _fields(kind, row) if field in form}
    own: dict[str, Any] = {"customer": customer, "assignments": assignments, "check_push": visit.desk.check_push}
    if before.lower() not in actions.BUILT_IN:
        own |= {"number": form.text("number"), "keyword": form.line("keyword")}
    if before and before.lower() not in actions.BUILT_IN:
        own["active"] = form.ticked("active")
    if before:
        await visit.change(partial(actions.change_action, name=name, **own))
    else:
        await visit.change(partial(actions.make_action, name=name, kind=kind.value, **own))
    return visit.go(f"{visit.here}/inbound/rules", "rules.action.saved", name=name)


@or_again(show_rules, _FIELD_OF)
async def remove_action(visit: Visit) -> Response:
    """Remove an action; of one that every customer has, what was set of it."""
    name = visit.form.line("name")
    await visit.change(partial(actions.drop_action, name=name, customer=visit.customer.name))
    return visit.go(f"{visit.here}/inbound/rules", "rules.action.removed", name=name)


async def simulate(visit: Visit) -> Response:
    """Show what would follow from an SMS; nothing is done. Of one that is another customer's, nothing is told."""
    errors, view = dict[str, str](), None
    text, to = visit.asked("text")[:_LONGEST], visit.asked("to")
    numbers = await visit.desk.look(partial(list_numbers, customer=visit.customer.name))
    if text:
        try:
            phone = read_phone(visit, visit.asked("from"))
        except AdminFault as fault:
            errors["from"] = visit.fault(fault)
        else:
            if not phone:
                errors["from"] = visit.say("rules.simulate.from-needed")
            elif to not in {str(row["number"]) for row in numbers}:
                errors["to"] = visit.say("rules.simulate.to-needed")
            else:
                view = await asyncio.to_thread(visit.desk.simulate, f"+{phone}", to, text)
    return visit.show(
        "rooms/inbound/simulate",
        errors=errors,
        numbers=[(str(row["number"]), str(row["number"])) for row in numbers],
        asked={"from": visit.asked("from"), "to": to, "text": text},
        view=view if view is not None and view["customer"] == visit.customer.name else None,
        foreign=view is not None and view["customer"] != visit.customer.name,
        inbox=has_inbox(visit),
    )


async def _action(visit: Visit, name: str, kind: str, errors: Mapping[str, str] | None = None) -> Response:
    rows = await _rows(visit)
    found = _kind(visit, rows, name, kind)
    row = next((row for row in rows if row["action"] == name), None)
    settings = row["settings"] if row is not None else ()
    assert isinstance(settings, list | tuple)
    values = dict(str(item).partition("=")[::2] for item in settings)
    keyword_rows = await visit.desk.look(partial(keywords.list_keywords, customer=visit.customer.name))
    return visit.show(
        "rooms/inbound/action",
        errors=errors,
        row=row,
        kind=found,
        fields=_fields(found, row),
        values={**_DEFAULTS, **values},
        choices=_CHOICES,
        placed=name.lower() not in actions.BUILT_IN,
        numbers=await visit.desk.look(partial(list_numbers, customer=visit.customer.name)),
        words=dict.fromkeys(str(item["keyword"]) for item in keyword_rows),
    )


async def _rows(visit: Visit) -> Sequence[Mapping[str, object]]:
    """Return the actions that are shown: those of kinds that the customer has contracted."""
    rows = await visit.desk.look(partial(actions.list_actions, customer=visit.customer.name))
    return [
        {
            **row,
            "settings": [item for item in _items(row) if not item.startswith(_HIDDEN)],
            "own_template": any(item.startswith("template=") for item in _items(row)),
        }
        for row in rows
        if _is_contracted(visit, ActionKind(str(row["kind"])))
    ]


def _fields(kind: ActionKind, row: Mapping[str, object] | None) -> Sequence[str]:
    """Return what may be changed here.

    Where a push that brings a secret of the operator goes, is the operator's to say; the form of one with a template of
    its own changes with it.
    """
    proven = row is not None and any(item.startswith("login=") for item in _items(row))
    fixed = {"url": proven, "form": row is not None and bool(row["own_template"])}
    return [field for field in _FIELDS[kind] if not fixed.get(field, False)]


def _items(row: Mapping[str, object]) -> Sequence[str]:
    settings = row["settings"]
    return [str(item) for item in settings] if isinstance(settings, list) else []


def _kind(visit: Visit, rows: Sequence[Mapping[str, object]], name: str, kind: str) -> ActionKind:
    """Return the kind of an action by its name, or one to be made. Raises HTTPException 404 for none."""
    if name:
        kind = next((str(row["kind"]) for row in rows if row["action"] == name), "")
    if kind not in list(ActionKind) or not _is_contracted(visit, ActionKind(kind)):
        raise HTTPException(404)
    return ActionKind(kind)


def _is_contracted(visit: Visit, kind: ActionKind) -> bool:
    return kind.option is None or visit.has(kind.option)


def _number(text: str) -> str:
    return "" if text == actions.ALL_NUMBERS else text


_RULES: Final = f"{ROOM}/rules"

PAGES = (
    Page(path=_RULES, handler=show_rules, right=Right.SEE_INBOUND),
    Page(path=f"{_RULES}/keywords", methods=POST, handler=add_keyword, right=Right.CHANGE_INBOUND),
    Page(path=f"{_RULES}/keywords/alone", methods=POST, handler=change_keyword, right=Right.CHANGE_INBOUND),
    Page(path=f"{_RULES}/keywords/remove", methods=POST, handler=remove_keyword, right=Right.CHANGE_INBOUND),
    Page(path=f"{_RULES}/action", handler=show_action, right=Right.CHANGE_INBOUND),
    Page(path=f"{_RULES}/action", methods=POST, handler=set_action, right=Right.CHANGE_INBOUND),
    Page(path=f"{_RULES}/action/remove", methods=POST, handler=remove_action, right=Right.CHANGE_INBOUND),
    Page(path=f"{_RULES}/simulate", handler=simulate, right=Right.SEE_INBOUND),
)
