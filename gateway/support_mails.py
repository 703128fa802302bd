"""Answers about support requests that come by mail, to an address that we signed.

Not here: what a mail says (mta.support_mail), the use case (gateway.admin.support).
"""

from collections.abc import Callable
from functools import partial

import structlog

from gateway.admin.edit import Administration
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.support import SupportDesk, answer_request
from gateway.ports import Clock
from gateway.support_address import SECRET, read_address
from sms.outcome import Refusal, Refused
from store.engine.database import Database
from store.engine.keys import Keys
from store.secrets import find_secret
from store.support import SupportRequest, find_request_by_key

log = structlog.get_logger()


class SupportMails:
    """Takes answers; `written` is called when there is a letter to send."""

    def __init__(
        self, *, database: Database, keys: Keys, clock: Clock, desk: SupportDesk, written: Callable[[], None]
    ) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._desk = desk
        self._written = written

    async def take(self, local_part: str, author: str, text: str, digest: str) -> str | Refused:
        """Keep an answer and return the id of its request, or why it is not kept."""
        secret = await self._database.read(lambda tx: find_secret(tx, SECRET))
        named = read_address(secret, local_part) if secret is not None else None
        if named is None:
            return _unknown()
        key, side = named
        request: SupportRequest | None = await self._database.read(partial(find_request_by_key, key=key))
        if request is None:
            return _unknown()
        administration = Administration(self._database, self._keys, author, self._clock.now)
        answer = partial(
            answer_request, request=request.public_id, text=text, side=side, digest=digest, desk=self._desk
        )
        try:
            await administration.change(answer)
        except AdminFault as fault:
            return _refused(fault)
        self._written()
        log.info("support_answered", request=request.public_id, side=side.value)
        return request.public_id


def _unknown() -> Refused:
    return Refused(refusal=Refusal.ADDRESS_UNKNOWN, detail="No support request is answered at this address.")


def _refused(fault: AdminFault) -> Refused:
    if fault.code is FaultCode.REQUEST_IS_CLOSED:
        detail = f"The request {fault.facts['request']} is closed: open a new one."
        return Refused(refusal=Refusal.ADDRESS_UNKNOWN, detail=detail)
    return Refused(refusal=Refusal.NO_TEXT, detail="The mail has no text to keep, or too much of it.")
