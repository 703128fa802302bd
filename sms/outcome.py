"""The closed lists of what can go wrong: refusals before acceptance, outcomes after an attempt.

Not here: SMTP replies (mta.smtp.engine.replies), HTTP answers (web) and SMPP statuses (smpp), which are tables over
these lists. A problem has one sentence for the customer; its cause, which may name hosts and codes, is only for the
log.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Refusal(StrEnum):
    """Why a submission, or one recipient of it, was not accepted. Nothing was stored for it and nothing is billed."""

    AUTHENTICATION_REQUIRED = "authentication-required"
    AUTHENTICATION_FAILED = "authentication-failed"
    TLS_REQUIRED = "tls-required"
    SENDER_NOT_AUTHORISED = "sender-not-authorised"
    PROOF_UNAVAILABLE = "proof-unavailable"
    RELAY_DENIED = "relay-denied"
    ADDRESS_MALFORMED = "address-malformed"
    ADDRESS_UNKNOWN = "address-unknown"
    NUMBER_MALFORMED = "number-malformed"
    NUMBER_IMPOSSIBLE = "number-impossible"
    NUMBER_INVALID = "number-invalid"
    NUMBER_CANNOT_RECEIVE = "number-cannot-receive"
    NOT_CONTRACTED = "not-contracted"
    SUSPENDED = "suspended"
    COUNTRY_NOT_ALLOWED = "country-not-allowed"
    NUMBER_TYPE_NOT_ALLOWED = "number-type-not-allowed"
    STOP_LIST = "stop-list"
    NO_ROUTE = "no-route"
    SENDER_ID_NOT_PERMITTED = "sender-id-not-permitted"
    SENDER_ID_IMPOSSIBLE = "sender-id-impossible"
    SENDER_ID_UNREGISTERED = "sender-id-unregistered"
    CONTENT_NOT_ALLOWED = "content-not-allowed"
    SETTING_NOT_PERMITTED = "setting-not-permitted"
    OPTION_MALFORMED = "option-malformed"
    TEMPLATE_INCOMPLETE = "template-incomplete"
    NO_TEXT = "no-text"
    NOT_ENCODABLE = "not-encodable"
    TOO_MANY_PARTS = "too-many-parts"
    DUPLICATE = "duplicate"
    KEY_REUSED = "key-reused"
    TOO_LATE = "too-late"
    MAIL_MALFORMED = "mail-malformed"
    MAIL_TOO_LARGE = "mail-too-large"
    MAIL_LOOP = "mail-loop"
    AUTOMATIC_MAIL = "automatic-mail"
    TOO_MANY_RECIPIENTS = "too-many-recipients"
    JOB_TOO_LARGE = "job-too-large"
    RATE_LIMITED = "rate-limited"
    LIMIT_REACHED = "limit-reached"
    LIMIT_TOO_SMALL = "limit-too-small"
    NO_STORAGE = "no-storage"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One refusal, with a sentence that tells the sender what is wrong, where, and how to mend it.

    `wait` is how long waiting helps, where that is known.
    """

    refusal: Refusal
    detail: str = ""
    wait: timedelta | None = None


class ProblemCode(StrEnum):
    """What went wrong in an attempt; templates translate it."""

    LINK_DOWN = "link-down"
    LINK_LOST = "link-lost"
    NO_ANSWER = "no-answer"
    THROTTLED = "throttled"
    CARRIER_BUSY = "carrier-busy"
    NUMBER_REFUSED = "number-refused"
    SENDER_REFUSED = "sender-refused"
    CONTENT_REFUSED = "content-refused"
    CARRIER_REFUSED = "carrier-refused"
    PARTS_INCOMPLETE = "parts-incomplete"
    NOT_DELIVERED = "not-delivered"
    VALIDITY_ENDED = "validity-ended"
    DELETED = "deleted"
    NO_RECEIPT = "no-receipt"
    STATE_UNKNOWN = "state-unknown"
    RESTARTED = "restarted"
    STOP_LIST = "stop-list"
    CANCELLED = "cancelled"
    DRY_RUN = "dry-run"
    NO_ROUTE = "no-route"
    HOST_UNREACHABLE = "host-unreachable"
    DNS_FAILED = "dns-failed"
    NO_SUCH_DOMAIN = "no-such-domain"
    TLS_POLICY = "tls-policy"
    MAIL_REFUSED = "mail-refused"
    MAIL_DEFERRED = "mail-deferred"
    PUSH_REFUSED = "push-refused"
    PUSH_DEFERRED = "push-deferred"
    PUSH_GONE = "push-gone"
    USER_INACTIVE = "user-inactive"
    RETRIES_EXHAUSTED = "retries-exhausted"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A code, a sentence for the customer, and the cause for the log."""

    code: ProblemCode
    text: str
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The other side has it. `reference` is its own id for it, empty if it gives none.

    `network` (MCC and MNC) and `price` are what a carrier says beside it.
    """

    reference: str = ""
    network: str = ""
    price: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Nothing was taken; a later attempt may work. `after` is the requested pause, None for our schedule.

    `waits` are the pauses after the first, second, … of these answers, the last one repeated; none: our schedule. After
    `attempts` of them in a row it is a failure; 0: never. `failover` is that of the failure then.
    """

    problem: Problem
    after: timedelta | None = None
    waits: tuple[timedelta, ...] = ()
    attempts: int = 0
    failover: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Nothing was taken and no later attempt will change that.

    `failover` says whether the carriers behind in the route may get it; None: as the carrier's rule says.
    """

    problem: Problem
    failover: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The attempt was sent and its answer was lost: the other side may or may not have it."""

    problem: Problem


Outcome = Done | Retry | Failed | Unknown
