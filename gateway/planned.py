"""A submission decided, as values: each recipient, the texts, when it goes out, and the job to be stored.

Not here: the decisions (gateway.plan).
"""

from msgspec import Struct
from msgspec.structs import replace

from countries.findings import Finding
from countries.judge import NOTHING, Judgement
from gateway.submission import RecipientRequest, Submission
from sms.job import NewJob
from sms.message import EncodedText
from sms.number import MobileNumber
from sms.outcome import Refused
from sms.parameters import Parameters
from sms.personalise import RowFault
from sms.schedule import Schedule
from sms.sender_rate import SenderRate


class PlannedMessage(Struct, frozen=True, kw_only=True):
    """What would become of one recipient; `duplicate_of` is the earlier address that names the same number.

    `encoded` is its own text, None where it has that of the plan, and so is `schedule`. `costs` are the labels of its
    carriers, `parameters` what they get beside the text. `judgement` is what the rules of its country say,
    `findings` what they did; its sender ID may send no faster than its `rate`.
    """

    wanted: RecipientRequest
    number: MobileNumber | None = None
    country: str = ""
    refused: Refused | None = None
    route: str = ""
    costs: tuple[str, ...] = ()
    duplicate_of: str = ""
    encoded: EncodedText | None = None
    parameters: Parameters = ()
    schedule: Schedule | None = None
    judgement: Judgement = NOTHING
    findings: tuple[Finding, ...] = ()
    rate: SenderRate | None = None


class JobPlan(Struct, frozen=True, kw_only=True):
    """A submission decided: each recipient judged, the texts made ready, when it goes out, and the `job` to be stored.

    `refused` says why nothing of it may be kept; then there is no job, and `encoded` and `schedule` may be None.
    `faults` has all rows that are to blame. `encoded` is also None where every recipient has a text of its own.
    """

    submission: Submission
    encoded: EncodedText | None
    messages: tuple[PlannedMessage, ...]
    schedule: Schedule | None
    job: NewJob | None = None
    refused: Refused | None = None
    faults: tuple[RowFault, ...] = ()

    def encoded_of(self, message: PlannedMessage) -> EncodedText | None:
        """Return the text that one of the recipients would get."""
        return message.encoded or self.encoded

    def unrepeatable(self) -> "JobPlan":
        """Return the plan of a submission that is no repeat of one alike, and of which none will be."""
        if self.job is None:
            return self
        messages = tuple(replace(message, digest=b"") for message in self.job.messages)
        return replace(self, job=replace(self.job, messages=messages))
