"""The pages of signing in at the issuer of a customer: the way there, and what comes of it.

The way is a link, since no form may lead to another site. Not here: what the issuer's answer proves
(gateway.portal.issuers).
"""

from typing import Final

from starlette.responses import Response

from gateway.portal.issuers import IssuerAnswer, IssuerFailed, IssuerFailure
from web.portal.cookie import DEPARTURE, drop_cookie, give_cookie, read_cookie, token_of
from web.portal.gate import SIGN_IN
from web.portal.page import POST, OpenPage
from web.portal.sign_in import browser_of, enter, own_path, show_sign_in
from web.portal.visit import Guest

_ISSUER: Final = f"{SIGN_IN}/issuer"
# RFC 6585 §4
_STATUSES: Final = {
    IssuerFailure.NONE: 422,
    IssuerFailure.STATE: 410,
    IssuerFailure.UNAVAILABLE: 503,
    IssuerFailure.BUSY: 429,
}
_REFUSED: Final = 403
# The issuer has let in somebody whom we don't: without being asked anew it would do so again.
_WRONG_PERSON: Final = {IssuerFailure.UNVERIFIED, IssuerFailure.FOREIGN, IssuerFailure.NO_ACCOUNT}


async def show_way(guest: Guest) -> Response:
    """Show the way to the issuer for an address, the same whether it has an account or not."""
    address, back = guest.form.line("address"), own_path(guest.form.line("next"))
    departure = await guest.desk.issuers.begin(address, back, anew=guest.form.ticked("anew"))
    if isinstance(departure, IssuerFailed):
        return await _show_failure(guest, departure, back, field="address")
    answer = guest.show("issuer", url=departure.url, host=departure.host)
    return give_cookie(answer, guest.request, DEPARTURE, departure.kept)


async def come_back(guest: Guest) -> Response:
    """Begin the session of who comes back from an issuer."""
    answer = IssuerAnswer(
        customer_key=int(guest.parameter("customer")),
        kept=read_cookie(guest.request, DEPARTURE),
        state=guest.asked("state"),
        code=guest.asked("code"),
        issuer=guest.asked("iss"),
        error=guest.asked("error"),
    )
    found = await guest.desk.issuers.finish(answer, browser_of(guest))
    if not isinstance(found, IssuerFailed):
        return drop_cookie(await enter(guest, found.token, found.back), guest.request, DEPARTURE)
    if found.failure is IssuerFailure.STATE:
        # By «back», or a second time: who has signed in meanwhile has nothing to mend.
        session = await guest.desk.sign_in.sessions.find(token_of(guest.request))
        if session is not None and session.stage.is_open:
            return guest.go("/")
        return await _show_failure(guest, found, "")
    return drop_cookie(await _show_failure(guest, found, ""), guest.request, DEPARTURE)


async def _show_failure(guest: Guest, failed: IssuerFailed, back: str, field: str = "") -> Response:
    said = guest.say(f"issuer.{failed.failure}", address=failed.address)
    status = _STATUSES.get(failed.failure, _REFUSED)
    anew = failed.failure in _WRONG_PERSON
    return await show_sign_in(guest, back, status=status, errors={field: said}, anew=anew)


OPEN_PAGES = (
    OpenPage(path=_ISSUER, methods=POST, handler=show_way),
    OpenPage(path=f"{_ISSUER}/{{customer:int}}/back", handler=come_back),
)
