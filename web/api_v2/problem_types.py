"""The public registry of problems of REST version 2: type, status, title, cause and remedy of each (RFC 9457 §4).

A type never changes its meaning. Refusals have theirs in `web.problems`' statuses, `sms.next_steps` and here; the
others are of HTTP alone. Not here: the sentence about one request (gateway), pages of the registry (page).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sms.next_steps import STEPS, Step
from sms.outcome import Refusal
from web.problems import STATUS_OF_REFUSAL

BASE: Final = "/api/v2"


class HttpProblem(StrEnum):
    """What only HTTP can get wrong."""

    INVALID_REQUEST = "invalid-request"
    INSUFFICIENT_SCOPE = "insufficient-scope"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    REQUEST_RUNNING = "request-running"
    NOTHING_TO_CANCEL = "nothing-to-cancel"
    WEBHOOK_EXISTS = "webhook-exists"
    PUSH_NOT_OVER = "push-not-over"
    TOO_LARGE = "too-large"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One type: the last word of its address, its status, and what a reader needs."""

    slug: str
    status: int
    title: str
    cause: str
    remedy: str

    @property
    def address(self) -> str:
        """Where its page is, which is its `type`; a reference relative to the server (RFC 9457 §3.1.1)."""
        return f"{BASE}/problems/{self.slug}"


_MAIL: Final = "Requests do not meet it; it is listed because jobs that came by mail may name it."
_REMEDIES: Final[Mapping[Step, str]] = MappingProxyType(
    {
        Step.SEND_LATER: (
            "Wait for as long as Retry-After says, then send the same request with the same Idempotency-Key."
        ),
        Step.CHECK_NUMBER: (
            "Write the number in E.164, such as +447700900101; POST /api/v2/explain shows how it is read."
        ),
        Step.ASK_ADMINISTRATOR: "Ask the administrator of your account, who can permit it.",
        Step.FEWER_RECIPIENTS: "Divide the job.",
        Step.OTHER_WAY: "Send nothing more to this number; who wants SMS again writes START.",
        Step.OTHER_SENDER: "Leave `sender_id` out, or use one that is permitted.",
        Step.CORRECT_OPTION: "Mend the setting that `detail` names.",
        Step.FILL_VALUES: "Give every recipient all values that the text names.",
        Step.WRITE_TEXT: "Write a text with something to read.",
        Step.PLAIN_CHARACTERS: "Leave the character out, or set `unencodable` to smart or switch.",
        Step.SHORTEN: "Shorten it.",
        Step.CHANGE_TEXT: "Change the text if it is meant; set `duplicate_detection` to false if it is meant often.",
        Step.SEND_AGAIN: "Use a new key for each request, and the same one only to send the same request again.",
    }
)
"""What an application does where a sender of mail takes this step."""
# Where an application can do something else, or more exactly.
_OWN_REMEDIES: Final[Mapping[Refusal | HttpProblem, str]] = MappingProxyType(
    {
        HttpProblem.INVALID_REQUEST: "Mend what `errors` names, each with the form that is expected.",
        HttpProblem.INSUFFICIENT_SCOPE: "Use a key with that scope: `mail2sms login add-key LOGIN NAME --scope SCOPE`.",
        HttpProblem.NOT_FOUND: "Compare the path and the id with what you were answered before.",
        HttpProblem.METHOD_NOT_ALLOWED: "Use a method that the header Allow names.",
        HttpProblem.REQUEST_RUNNING: (
            "Wait a second, then send it again with the same key: you get the answer of the first."
        ),
        HttpProblem.NOTHING_TO_CANCEL: "Ask for the job to see what became of it.",
        HttpProblem.WEBHOOK_EXISTS: "Rotate its secret, or delete it first.",
        HttpProblem.PUSH_NOT_OVER: "Wait: it is tried again by itself. One that was sent or failed can be replayed.",
        HttpProblem.TOO_LARGE: "Divide the job.",
        Refusal.AUTHENTICATION_REQUIRED: (
            "Send `Authorization: Bearer` with an API key, or HTTP Basic with login and password."
        ),
        Refusal.AUTHENTICATION_FAILED: (
            "Make a new key (`mail2sms login rotate-key`), or set a new password (`mail2sms login rotate`)."
        ),
        Refusal.TLS_REQUIRED: "Use https.",
        Refusal.SENDER_NOT_AUTHORISED: (
            "Use the login of an active application; `mail2sms login list` shows whose each one is."
        ),
        Refusal.RELAY_DENIED: _MAIL,
        Refusal.NUMBER_CANNOT_RECEIVE: "Use a mobile number of the recipient.",
        Refusal.NOT_CONTRACTED: "Ask the operator: `mail2sms customer option CUSTOMER --add rest`.",
        Refusal.SUSPENDED: "Ask the operator, who ends it: `mail2sms customer resume CUSTOMER`.",
        Refusal.SETTING_NOT_PERMITTED: "Leave out the setting that `detail` names.",
        Refusal.TOO_LATE: "Choose a later time, or none.",
        Refusal.MAIL_MALFORMED: _MAIL,
        Refusal.MAIL_TOO_LARGE: _MAIL,
        Refusal.MAIL_LOOP: _MAIL,
        Refusal.AUTOMATIC_MAIL: _MAIL,
        Refusal.LIMIT_TOO_SMALL: "Divide the job, or ask the administrator for a larger amount.",
    }
)
# Titles and causes.
_TEXTS: Final[Mapping[Refusal | HttpProblem, tuple[str, str]]] = MappingProxyType(
    {
        HttpProblem.INVALID_REQUEST: (
            "The request can't be read",
            "A field, a parameter or a header has not the form that is documented.",
        ),
        HttpProblem.INSUFFICIENT_SCOPE: (
            "The API key may not do that",
            "The key, or the login, has not the scope that this call needs.",
        ),
        HttpProblem.NOT_FOUND: (
            "There is nothing here",
            "There is no such path, or nothing of this id that you may see.",
        ),
        HttpProblem.METHOD_NOT_ALLOWED: ("This path takes another method", "The path is right and the method is not."),
        HttpProblem.REQUEST_RUNNING: (
            "The same request is under way",
            "A request with the same Idempotency-Key has not been answered yet.",
        ),
        HttpProblem.NOTHING_TO_CANCEL: (
            "It is too late to cancel",
            "All SMS have ended, or are at a carrier that gives nothing back.",
        ),
        HttpProblem.WEBHOOK_EXISTS: ("There is a webhook already", "A user has one webhook at most."),
        HttpProblem.PUSH_NOT_OVER: (
            "The push can't be sent again",
            "It waits, is being sent, or was skipped: its webhook was deleted, or later news overtook it.",
        ),
        HttpProblem.TOO_LARGE: ("The body is too large", "The request has more octets than a request may have."),
        Refusal.AUTHENTICATION_REQUIRED: ("Log in", "The request has no credentials."),
        Refusal.AUTHENTICATION_FAILED: (
            "The credentials are wrong",
            "The API key is nobody's or has ended, or login or password is wrong.",
        ),
        Refusal.TLS_REQUIRED: ("TLS is required", "Requests of this customer are taken under TLS only."),
        Refusal.SENDER_NOT_AUTHORISED: (
            "This login may not send here",
            "The user of the login is inactive, the login is for mail alone, or another site's page made the request.",
        ),
        Refusal.PROOF_UNAVAILABLE: ("The login can't be proven now", "What proves logins does not answer."),
        Refusal.RELAY_DENIED: ("No relay", "A mail was for an address that is not served here."),
        Refusal.ADDRESS_MALFORMED: ("The address is malformed", "The recipient has not the form of an address."),
        Refusal.ADDRESS_UNKNOWN: ("The address is unknown", "The recipient names nobody whom we know."),
        Refusal.NUMBER_MALFORMED: ("This is no number", "The recipient has other characters than a number."),
        Refusal.NUMBER_IMPOSSIBLE: ("There is no such number", "It is too short or too long for its country."),
        Refusal.NUMBER_INVALID: ("The number is not in use", "The numbering plan of its country has no such number."),
        Refusal.NUMBER_CANNOT_RECEIVE: ("The number can't receive SMS", "It is a fixed line or a service number."),
        Refusal.NOT_CONTRACTED: ("Not contracted", "The customer has not the option `rest`."),
        Refusal.SUSPENDED: (
            "Suspended",
            "The operator has suspended the customer, or its option `rest`; `detail` has the reason.",
        ),
        Refusal.COUNTRY_NOT_ALLOWED: ("The country is not allowed", "A limit leaves out the country of the number."),
        Refusal.NUMBER_TYPE_NOT_ALLOWED: (
            "The kind of number is not allowed",
            "A limit leaves out numbers of this kind.",
        ),
        Refusal.STOP_LIST: (
            "The recipient is on a stop list",
            "The recipient asked for no more SMS, or an administrator entered the number.",
        ),
        Refusal.NO_ROUTE: ("No carrier for this number", "No carrier is set up for it."),
        Refusal.SENDER_ID_NOT_PERMITTED: ("The sender ID is not permitted", "The customer may not show this sender."),
        Refusal.SENDER_ID_IMPOSSIBLE: (
            "The country does not let this sender ID pass",
            "A rule of the recipient's country refuses it, and no `fallback_sender_id` is set that passes there.",
        ),
        Refusal.SENDER_ID_UNREGISTERED: (
            "The sender ID is not registered in the country",
            "The country's networks block it until it is registered, and no `fallback_sender_id` is set.",
        ),
        Refusal.CONTENT_NOT_ALLOWED: (
            "The country does not let this text pass",
            "A rule of the recipient's country refuses something in the text, such as a link.",
        ),
        Refusal.SETTING_NOT_PERMITTED: (
            "A setting is not permitted",
            "A message may not set it, or an administrator has locked it.",
        ),
        Refusal.OPTION_MALFORMED: (
            "A setting has no such value",
            "The value of a setting has not the form that is expected.",
        ),
        Refusal.TEMPLATE_INCOMPLETE: (
            "Values are missing",
            "The text has a placeholder for which a recipient has no value.",
        ),
        Refusal.NO_TEXT: ("There is no text", "A text is blank."),
        Refusal.NOT_ENCODABLE: (
            "A character can't be sent",
            "The text has a character that its alphabet lacks, and the settings replace none.",
        ),
        Refusal.TOO_MANY_PARTS: ("The text is too long", "It needs more parts than `max_parts` allows."),
        Refusal.DUPLICATE: (
            "The same text went to the same number",
            "Duplicate detection is on, and the same text went to this number within 10 minutes.",
        ),
        Refusal.KEY_REUSED: (
            "The Idempotency-Key was used for another request",
            "A key names one request for seven days, and this content is another.",
        ),
        Refusal.TOO_LATE: ("The time is past", "It would end before it could go out."),
        Refusal.MAIL_MALFORMED: ("The mail is malformed", "A mail can't be read."),
        Refusal.MAIL_TOO_LARGE: ("The mail is too large", "A mail has too many octets."),
        Refusal.MAIL_LOOP: ("The mail goes round in a circle", "A mail came back to where it was before."),
        Refusal.AUTOMATIC_MAIL: ("The mail was written by a program", "An automatic answer is not sent as SMS."),
        Refusal.TOO_MANY_RECIPIENTS: ("Too many recipients", "There are too many recipients."),
        Refusal.JOB_TOO_LARGE: (
            "Too many recipients for one job",
            "It has more recipients than `max_recipients` allows.",
        ),
        Refusal.RATE_LIMITED: ("Too many requests", "More jobs or wrong passwords than a minute has room for."),
        Refusal.LIMIT_REACHED: ("A limit is reached", "The agreed amount of this time is used up."),
        Refusal.LIMIT_TOO_SMALL: (
            "More than a limit allows at all",
            "This job alone is larger than the agreed amount.",
        ),
        Refusal.NO_STORAGE: ("There is no room", "The gateway has no room to keep a job."),
        Refusal.INTERNAL: ("The gateway can't answer now", "Something failed in the gateway; its log says what."),
    }
)

_STATUS: Final[Mapping[HttpProblem, int]] = MappingProxyType(
    {
        HttpProblem.INVALID_REQUEST: 400,
        HttpProblem.INSUFFICIENT_SCOPE: 403,
        HttpProblem.NOT_FOUND: 404,
        HttpProblem.METHOD_NOT_ALLOWED: 405,
        HttpProblem.REQUEST_RUNNING: 409,
        HttpProblem.NOTHING_TO_CANCEL: 409,
        HttpProblem.WEBHOOK_EXISTS: 409,
        HttpProblem.PUSH_NOT_OVER: 409,
        HttpProblem.TOO_LARGE: 413,
    }
)


def _type_of(kind: Refusal | HttpProblem) -> ProblemType:
    status = _STATUS[kind] if isinstance(kind, HttpProblem) else STATUS_OF_REFUSAL[kind]
    remedy = _OWN_REMEDIES.get(kind) or _REMEDIES[STEPS[kind]]
    return ProblemType(kind.value, status, *_TEXTS[kind], remedy)


PROBLEM_TYPES: Final[Mapping[Refusal | HttpProblem, ProblemType]] = MappingProxyType(
    {kind: _type_of(kind) for kind in (*HttpProblem, *Refusal)}
)
