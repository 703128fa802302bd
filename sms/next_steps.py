"""What a sender can do about an SMS that did not arrive: one step for each reason, as a closed table.

Not here: the words, which are those of a mail (`[step]` of the catalogues) or of an interface (web.api_v2).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sms.outcome import ProblemCode, Refusal


class Step(StrEnum):
    """What the sender does next."""

    SEND_LATER = "send-later"
    ASK_RECIPIENT = "ask-recipient"
    CHECK_NUMBER = "check-number"
    OTHER_SENDER = "other-sender"
    OTHER_WORDS = "other-words"
    ASK_ADMINISTRATOR = "ask-administrator"
    TRY_PHONE = "try-phone"
    OTHER_WAY = "other-way"
    SEND_AGAIN = "send-again"
    CORRECT_OPTION = "correct-option"
    FILL_VALUES = "fill-values"
    WRITE_TEXT = "write-text"
    PLAIN_CHARACTERS = "plain-characters"
    SHORTEN = "shorten"
    CHANGE_TEXT = "change-text"
    NEW_MAIL = "new-mail"
    FEWER_RECIPIENTS = "fewer-recipients"


# What has a code in both lists stands here once.
STEPS: Final[Mapping[str, Step]] = MappingProxyType(
    {
        ProblemCode.LINK_DOWN: Step.SEND_LATER,
        ProblemCode.LINK_LOST: Step.ASK_RECIPIENT,
        ProblemCode.NO_ANSWER: Step.ASK_RECIPIENT,
        ProblemCode.THROTTLED: Step.SEND_LATER,
        ProblemCode.CARRIER_BUSY: Step.SEND_LATER,
        ProblemCode.NUMBER_REFUSED: Step.CHECK_NUMBER,
        ProblemCode.SENDER_REFUSED: Step.OTHER_SENDER,
        ProblemCode.CONTENT_REFUSED: Step.OTHER_WORDS,
        ProblemCode.CARRIER_REFUSED: Step.ASK_ADMINISTRATOR,
        ProblemCode.PARTS_INCOMPLETE: Step.ASK_RECIPIENT,
        ProblemCode.NOT_DELIVERED: Step.TRY_PHONE,
        ProblemCode.VALIDITY_ENDED: Step.TRY_PHONE,
        ProblemCode.DELETED: Step.SEND_LATER,
        ProblemCode.NO_RECEIPT: Step.ASK_RECIPIENT,
        ProblemCode.STATE_UNKNOWN: Step.ASK_RECIPIENT,
        ProblemCode.RESTARTED: Step.ASK_RECIPIENT,
        ProblemCode.STOP_LIST: Step.OTHER_WAY,
        ProblemCode.CANCELLED: Step.SEND_AGAIN,
        ProblemCode.NO_ROUTE: Step.ASK_ADMINISTRATOR,
        ProblemCode.HOST_UNREACHABLE: Step.SEND_LATER,
        ProblemCode.DNS_FAILED: Step.SEND_LATER,
        ProblemCode.NO_SUCH_DOMAIN: Step.ASK_ADMINISTRATOR,
        ProblemCode.TLS_POLICY: Step.ASK_ADMINISTRATOR,
        ProblemCode.MAIL_REFUSED: Step.ASK_ADMINISTRATOR,
        ProblemCode.MAIL_DEFERRED: Step.SEND_LATER,
        ProblemCode.PUSH_REFUSED: Step.ASK_ADMINISTRATOR,
        ProblemCode.PUSH_DEFERRED: Step.SEND_LATER,
        ProblemCode.PUSH_GONE: Step.ASK_ADMINISTRATOR,
        ProblemCode.USER_INACTIVE: Step.ASK_ADMINISTRATOR,
        ProblemCode.RETRIES_EXHAUSTED: Step.SEND_LATER,
        ProblemCode.INTERNAL: Step.SEND_LATER,
        Refusal.AUTHENTICATION_REQUIRED: Step.ASK_ADMINISTRATOR,
        Refusal.AUTHENTICATION_FAILED: Step.ASK_ADMINISTRATOR,
        Refusal.SENDER_NOT_AUTHORISED: Step.ASK_ADMINISTRATOR,
        Refusal.RELAY_DENIED: Step.CHECK_NUMBER,
        Refusal.TLS_REQUIRED: Step.ASK_ADMINISTRATOR,
        Refusal.ADDRESS_MALFORMED: Step.CHECK_NUMBER,
        Refusal.ADDRESS_UNKNOWN: Step.CHECK_NUMBER,
        Refusal.NUMBER_MALFORMED: Step.CHECK_NUMBER,
        Refusal.NUMBER_IMPOSSIBLE: Step.CHECK_NUMBER,
        Refusal.NUMBER_INVALID: Step.CHECK_NUMBER,
        Refusal.NUMBER_CANNOT_RECEIVE: Step.CHECK_NUMBER,
        Refusal.NOT_CONTRACTED: Step.ASK_ADMINISTRATOR,
        Refusal.SUSPENDED: Step.ASK_ADMINISTRATOR,
        Refusal.COUNTRY_NOT_ALLOWED: Step.ASK_ADMINISTRATOR,
        Refusal.SENDER_ID_NOT_PERMITTED: Step.OTHER_SENDER,
        Refusal.SENDER_ID_IMPOSSIBLE: Step.OTHER_SENDER,
        Refusal.SENDER_ID_UNREGISTERED: Step.OTHER_SENDER,
        Refusal.CONTENT_NOT_ALLOWED: Step.CHANGE_TEXT,
        Refusal.SETTING_NOT_PERMITTED: Step.ASK_ADMINISTRATOR,
        Refusal.OPTION_MALFORMED: Step.CORRECT_OPTION,
        Refusal.TEMPLATE_INCOMPLETE: Step.FILL_VALUES,
        Refusal.NO_TEXT: Step.WRITE_TEXT,
        Refusal.NOT_ENCODABLE: Step.PLAIN_CHARACTERS,
        Refusal.TOO_MANY_PARTS: Step.SHORTEN,
        Refusal.DUPLICATE: Step.CHANGE_TEXT,
        Refusal.KEY_REUSED: Step.SEND_AGAIN,
        Refusal.TOO_LATE: Step.ASK_ADMINISTRATOR,
        Refusal.PROOF_UNAVAILABLE: Step.SEND_LATER,
        Refusal.MAIL_MALFORMED: Step.NEW_MAIL,
        Refusal.MAIL_TOO_LARGE: Step.NEW_MAIL,
        Refusal.MAIL_LOOP: Step.ASK_ADMINISTRATOR,
        Refusal.AUTOMATIC_MAIL: Step.ASK_ADMINISTRATOR,
        Refusal.TOO_MANY_RECIPIENTS: Step.FEWER_RECIPIENTS,
        Refusal.JOB_TOO_LARGE: Step.FEWER_RECIPIENTS,
        Refusal.RATE_LIMITED: Step.SEND_LATER,
        Refusal.LIMIT_REACHED: Step.SEND_LATER,
        Refusal.PROOF_UNAVAILABLE: Step.SEND_LATER,
        Refusal.LIMIT_TOO_SMALL: Step.FEWER_RECIPIENTS,
        Refusal.NUMBER_TYPE_NOT_ALLOWED: Step.ASK_ADMINISTRATOR,
        Refusal.NO_STORAGE: Step.SEND_LATER,
    }
)
