"""The pages before and after a session: signing in and out.

Not here: what proves somebody (gateway.portal.sign_in).
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response

from gateway.portal.sessions import LONGEST, Sessions
from gateway.portal.sign_in import SignIn
from sms.outcome import Refusal
from web.portal.gate import SIGN_IN, cookie_of
from web.portal.page import GET, POST, OpenPage, Page
from web.portal.visit import Guest, Visit


class SignInPages:
    """The pages with what they need."""

    def __init__(self, sign_in: SignIn, sessions: Sessions) -> None:
        self._sign_in = sign_in
        self._sessions = sessions

    def open_pages(self) -> Sequence[OpenPage]:
        """Return the pages for who has not signed in."""
        return [
            OpenPage(path=SIGN_IN, methods=GET, handler=self._ask),
            OpenPage(path=SIGN_IN, methods=POST, handler=self._take),
        ]

    def pages(self) -> Sequence[Page]:
        """Return the pages of who has."""
        return [Page(path="/sign-out", methods=POST, right=None, handler=self._sign_out)]

    async def _ask(self, guest: Guest) -> Response:
        return guest.show("sign-in", next=guest.asked("next"))

    async def _take(self, guest: Guest) -> Response:
        address, password = guest.form.line("address"), guest.form.text("password")
        agent = guest.request.headers.get("user-agent", "")
        token = await self._sign_in.by_password(address, password, guest.client, agent)
        if isinstance(token, Refusal):
            kind = "sign-in.busy" if token is Refusal.RATE_LIMITED else "sign-in.wrong"
            status = 429 if token is Refusal.RATE_LIMITED else 422
            return guest.show(
                "sign-in", status=status, errors={"address": guest.say(kind)}, next=guest.form.line("next")
            )
        answer = RedirectResponse(own_path(guest.form.line("next")), status_code=303)
        secure = guest.request.url.scheme == "https"
        answer.set_cookie(
            cookie_of(guest.request),
            token,
            max_age=int(LONGEST.total_seconds()),
            path="/",
            secure=secure,
            httponly=True,
            samesite="lax",
        )
        return answer

    async def _sign_out(self, visit: Visit) -> Response:
        await self._sessions.end(visit.session)
        answer = visit.go(SIGN_IN, "sign-in.signed-out")
        answer.delete_cookie(cookie_of(visit.request), path="/", secure=visit.request.url.scheme == "https")
        return answer


def own_path(text: str) -> str:
    """Return a path of the portal that a request names, the portal itself for any other address."""
    parts = urlsplit(text) if text.isascii() and text.isprintable() else urlsplit("")
    own = text.startswith("/portal/") and "\\" not in text and "//" not in text and ".." not in text
    return text if own and not parts.scheme and not parts.netloc else "/portal/"
