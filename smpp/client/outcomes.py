"""The outcome of a request: from the carrier's answer, a missing answer, or values that no PDU can carry.

Not here: what a status means (statuses), what an outcome does to a message (gateway.dispatch).
"""

from collections.abc import Mapping
from types import MappingProxyType

from smpp.dialect.dialect import Dialect
from smpp.dialect.outcomes import decide_outcome
from smpp.dialect.receipts import STATES, WORD_OF, parse_absolute_time
from smpp.session.events import Missing
from smpp.wire.bodies import GenericNack, QuerySmResp
from smpp.wire.fields import PduError
from smpp.wire.pdu import Pdu
from smpp.wire.statuses import Status, StatusVerdict, meaning_of
from sms.message import Receipt, ReceiptState
from sms.outcome import Failed, Outcome, Problem, ProblemCode, Retry, Unknown

LINK_DOWN = Retry(
    problem=Problem(code=ProblemCode.LINK_DOWN, text="The connection to the carrier is down; the SMS waits.")
)
_LOST = Unknown(
    problem=Problem(
        code=ProblemCode.LINK_LOST,
        text="The connection to the carrier broke before it answered; the SMS may have been sent.",
    )
)
_NO_ANSWER = Unknown(
    problem=Problem(
        code=ProblemCode.NO_ANSWER, text="The carrier has not answered in time; the SMS may have been sent."
    )
)
WITHOUT_ANSWER: Mapping[Missing, Outcome] = MappingProxyType(
    {
        Missing.UNSENT: LINK_DOWN,
        Missing.LOST: _LOST,
        Missing.TIMED_OUT: _NO_ANSWER,
    }
)


def outcome_of_unwritable(error: PduError) -> Outcome:
    """Return the outcome of a part that no PDU can carry: its number or sender is at fault, or our own data."""
    meaning = meaning_of(error.status)
    if meaning.verdict is StatusVerdict.FAIL:
        return Failed(problem=Problem(code=meaning.code, text=meaning.text, cause=str(error)))
    return Failed(
        problem=Problem(code=ProblemCode.INTERNAL, text="This SMS cannot be written for the carrier.", cause=str(error))
    )


def status_of(answer: Pdu) -> int:
    """Return the status of an answer; a generic_nack refuses even if its status is 0."""
    if isinstance(answer.body, GenericNack) and not answer.status:
        return Status.RUNKNOWNERR
    return answer.status


def read_query_answer(answer: Pdu, carrier: str, carrier_id: str, dialect: Dialect) -> Receipt | Outcome:
    """Return the state of a part as a receipt, or why it is not known (§4.8.2)."""
    body = answer.body
    if answer.status or not isinstance(body, QuerySmResp):
        return decide_outcome(status_of(answer) or Status.RQUERYFAIL, overrides=dialect.statuses)
    state = STATES.get(body.message_state, ReceiptState.OTHER)
    return Receipt(
        carrier=carrier,
        carrier_id=carrier_id,
        # A carrier means the same by a state's number as by its word in receipts.
        state=dialect.receipt_states.get(WORD_OF.get(state, ""), state),
        error=str(body.error_code) if body.error_code else "",
        done_at=parse_absolute_time(body.final_date),
        word=WORD_OF.get(state, str(body.message_state)),
    )
