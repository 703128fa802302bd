"""query_sm, cancel_sm and replace_sm of an ESME: read, and answered with what came of them.

Not here: what they do (gateway.esme). Standard: SMPP 3.4 §4.8, §4.9, §4.10.
"""

from datetime import UTC

from addressbook.senders import Principal
from gateway.esme import SubmittedMessages
from gateway.ports import Clock
from gateway.replacing import NewText
from smpp.dialect.dialect import WireAlphabet
from smpp.dialect.fragments import decode_text
from smpp.dialect.receipts import NUMBER_OF
from smpp.server.statuses import REFUSALS, error_digits
from smpp.server.times import parse_time, validity_until
from smpp.wire.bodies import (
    CancelSm,
    CancelSmResp,
    GenericNack,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    Response,
)
from smpp.wire.pdu import Pdu
from smpp.wire.statuses import Status
from sms.esme import receipt_state
from sms.message import Alphabet
from sms.outcome import Refused

_MOST_ERROR = 255


class EarlierRequests:
    """Fulfils smpp.server.connection.Earlier; `alphabet` is what the octets of a new text mean, unless it is UCS-2."""

    def __init__(self, messages: SubmittedMessages, clock: Clock, alphabet: WireAlphabet) -> None:
        self._messages = messages
        self._clock = clock
        self._alphabet = alphabet

    async def answer(self, principal: Principal, pdu: Pdu) -> tuple[Response, Status]:
        """Answer one request."""
        match pdu.body:
            case QuerySm() as body:
                return await self._query(principal, body)
            case CancelSm() as body:
                number = body.destination_addr.removeprefix("+").removeprefix("00")
                count = await self._messages.cancel(principal, body.message_id, number, body.source_addr)
                return CancelSmResp(), Status.ROK if count else Status.RCANCELFAIL
            case ReplaceSm() as body:
                return ReplaceSmResp(), await self._replace(principal, body)
            case _:
                return GenericNack(), Status.RINVCMDID

    async def _query(self, principal: Principal, body: QuerySm) -> tuple[Response, Status]:
        sms = await self._messages.find(principal, body.message_id, body.source_addr)
        if sms is None:
            return QuerySmResp(), Status.RQUERYFAIL
        error = int(error_digits(sms.error, sms.reason))
        final_date = f"{sms.changed_at.astimezone(UTC):%y%m%d%H%M%S}000+" if sms.ended else ""
        state = NUMBER_OF[receipt_state(sms.state, ended=sms.ended)]
        return QuerySmResp(body.message_id, final_date, state, error if error <= _MOST_ERROR else 0), Status.ROK

    async def _replace(self, principal: Principal, body: ReplaceSm) -> Status:
        now = self._clock.now()
        start_at = parse_time(body.schedule_delivery_time, now)
        if body.schedule_delivery_time and start_at is None:
            return Status.RINVSCHED
        expires_at = parse_time(body.validity_period, now)
        validity = None if expires_at is None else validity_until(expires_at, start_at, now)
        if body.validity_period and validity is None:
            return Status.RINVEXPIRY
        if body.sm_default_msg_id:
            return Status.RINVDFTMSGID
        sms = await self._messages.find(principal, body.message_id, body.source_addr)
        if sms is None:
            return Status.RREPLACEFAIL
        # §4.10.1 has no data_coding: the new text is in that of the old one.
        wire = WireAlphabet.UCS2 if sms.alphabet is Alphabet.UCS2 else self._alphabet
        new = NewText(
            text=decode_text(body.short_message, wire, b""),
            start_at=start_at,
            validity=validity,
            registered=body.registered_delivery,
        )
        done = await self._messages.replace(principal, body.message_id, body.source_addr, new)
        if isinstance(done, Refused):
            return REFUSALS[done.refusal]
        return Status.ROK if done else Status.RREPLACEFAIL
