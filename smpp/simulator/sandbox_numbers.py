"""Numbers by which the sandbox carrier shows what can become of an SMS; every other number gets its SMS at once.

They are of ranges that no subscriber has (Ofcom, NANPA). Not here: carrying it out (simulator), the sandbox's other
behaviour (script).
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

from smpp.simulator.script import ReceiptTime, Submitted, Treatment
from smpp.wire.statuses import Status
from sms.message import ReceiptState

ANSWER: Final = "OK, I am on my way."
_BUSY_FOR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxNumber:
    """One of these numbers, in E.164 with its plus: what the sandbox does with its SMS, in words and as a treatment.

    `busy` refuses the first two submits of each three for the moment.
    """

    number: str
    shows: str
    treatment: Treatment
    busy: bool = False


def _ends(state: ReceiptState, error: str) -> Treatment:
    return Treatment(state=state, error=error)


SANDBOX_NUMBERS: Final = (
    SandboxNumber(
        number="+447700900990",
        shows="not delivered: the network says that the phone does not exist",
        treatment=_ends(ReceiptState.UNDELIVERABLE, "001"),
    ),
    SandboxNumber(
        number="+447700900991",
        shows="expires: the phone stays off until the validity ends",
        treatment=_ends(ReceiptState.EXPIRED, "027"),
    ),
    SandboxNumber(
        number="+447700900992",
        shows="silence: the carrier takes the SMS and never says what became of it",
        treatment=Treatment(receipt=ReceiptTime.NEVER),
    ),
    SandboxNumber(number="+447700900993", shows="delivered after a minute", treatment=Treatment(receipt_delay=60.0)),
    SandboxNumber(
        number="+447700900994",
        shows="a busy carrier: the first two attempts are put off, the third is delivered",
        treatment=Treatment(),
        busy=True,
    ),
    SandboxNumber(
        number="+447700900995",
        shows="the carrier refuses the number",
        treatment=Treatment(status=Status.RINVDSTADR),
    ),
    SandboxNumber(
        number="+447700900996",
        shows=f"delivered, and the phone answers «{ANSWER}»",
        treatment=Treatment(answer=ANSWER),
    ),
    SandboxNumber(
        number="+12025550199",
        shows="rejected by the network, as spam is",
        treatment=_ends(ReceiptState.REJECTED, "008"),
    ),
)


class SandboxNumbers:
    """Treats submits by their number, as `Script.treat`; a receipt comes after `receipt_delay` seconds at least."""

    def __init__(self, receipt_delay: float = 0.0) -> None:
        self._delay = receipt_delay
        self._known = {one.number.removeprefix("+"): one for one in SANDBOX_NUMBERS}
        self._submits: Counter[str] = Counter()

    def __call__(self, submitted: Submitted) -> Treatment | None:
        """Return how a submit is treated, None where its number is none of these."""
        return self.treat(submitted.number)

    def treat(self, number: str) -> Treatment | None:
        """Return the same for a number alone."""
        known = self._known.get(number.lstrip("+0"))
        if known is None:
            return None
        if known.busy:
            self._submits[known.number] += 1
            if self._submits[known.number] % (_BUSY_FOR + 1):
                return Treatment(status=Status.RMSGQFUL)
        return replace(known.treatment, receipt_delay=max(self._delay, known.treatment.receipt_delay))
