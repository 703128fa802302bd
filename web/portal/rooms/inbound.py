"""The inbox: conversations with handsets, each with what was received and sent, and an answer by hand.

Not here: stop lists (stop_lists), what is done with what comes (rules), reports of it (reports).
"""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.options import Option
from addressbook.rights import Right
from gateway.admin.faults import AdminFault
from gateway.admin.stop_list import parse_handsets
from gateway.portal.inbox import Inbox
from sms.outcome import Refused
from web.portal.page import CUSTOMER, POST, Page
from web.portal.rooms.send_form import LONGEST, say_refused
from web.portal.visit import Visit

ROOM: Final = f"{CUSTOMER}/inbound"
_INBOX: Final = frozenset({Option.SMS2MAIL, Option.APPLICATION, Option.LIST, Option.SMS_TO_SMPP})
_LONGEST_NAME: Final = 20
_MOST_LOOKS: Final = 180
"""A page that nobody touches follows what comes for half an hour; then its session may end as any other."""


async def show_room(visit: Visit) -> Response:
    """Show conversations, the newest first; who has contracted none sees the stop list."""
    if not has_inbox(visit):
        return visit.go(f"{visit.here}/inbound/stops")
    errors, page = dict[str, str](), None
    try:
        phone = read_phone(visit, visit.asked("phone"))
        page = await _inbox(visit).page(visit.customer, phone=phone, after=visit.asked("after"))
    except AdminFault as fault:
        errors = {"phone": visit.fault(fault)}
    return visit.show(
        "rooms/inbound/list",
        errors=errors,
        page=page,
        asked=visit.asked("phone"),
        paged=bool(visit.asked("after")),
        look=_next_look(visit),
        inbox=True,
    )


async def show_conversation(visit: Visit) -> Response:
    """Show what was exchanged with a handset, the newest first."""
    return await _conversation(visit)


async def answer(visit: Visit) -> Response:
    """Send an answer; the same form sends it once."""
    text = visit.form.text("text")
    if not text.strip():
        return await _conversation(visit, visit.say("send.errors.text"))
    if len(text) > LONGEST:
        return await _conversation(visit, visit.say("send.errors.longest", most=LONGEST))
    key, name = int(visit.parameter("conversation")), visit.form.line("once")[:_LONGEST_NAME]
    done = await _inbox(visit).answer(visit.customer, visit.account.address, key, text, name)
    if done is None:
        raise HTTPException(404)
    if isinstance(done, Refused):
        return await _conversation(visit, say_refused(visit, done))
    return visit.go(f"{visit.here}/inbound/conversations/{key}", "inbound.answer.taken")


def has_inbox(visit: Visit) -> bool:
    """Return whether the customer has contracted any way by which inbound SMS reach it."""
    return any(map(visit.has, _INBOX))


def country_of(visit: Visit) -> str:
    """Return the country of the customer's national numbers."""
    return visit.desk.snapshot.default_country_of(visit.customer.key)


def read_phone(visit: Visit, text: str) -> str:
    """Return the digits of a number that is looked for, empty for none. Raises AdminFault."""
    typed = " ".join(text.split())[:100]
    return parse_handsets([typed], country_of(visit))[0] if typed else ""


async def _conversation(visit: Visit, error: str = "") -> Response:
    place = visit.asked_count("before")
    found = await _inbox(visit).view(visit.customer, int(visit.parameter("conversation")), place)
    if found is None:
        raise HTTPException(404)
    return visit.show(
        "rooms/inbound/conversation",
        errors={"text": error} if error else {},
        view=found,
        found=found.line,
        once=visit.form.line("once") or str(visit.desk.keys.take()),
        look=0 if place else _next_look(visit),
        is_older=bool(place),
    )


def _inbox(visit: Visit) -> Inbox:
    return Inbox(database=visit.desk.database, applications=visit.desk.applications, book=visit.desk.book)


def _next_look(visit: Visit) -> int:
    """Return the number of the next look of a page that follows what comes by itself, 0 where it has looked enough."""
    done = visit.asked_count("look")
    return done + 1 if done < _MOST_LOOKS else 0


_ONE: Final = f"{ROOM}/conversations/{{conversation:int}}"

PAGES = (
    Page(path=ROOM, handler=show_room, right=Right.SEE_INBOUND, menu="inbound.menu"),
    Page(path=_ONE, handler=show_conversation, right=Right.SEE_INBOUND, options=_INBOX),
    Page(path=_ONE, methods=POST, handler=answer, right=Right.CHANGE_INBOUND, options=_INBOX),
)
