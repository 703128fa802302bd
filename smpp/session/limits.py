"""Every bound of an SMPP session. Not here: what enforces them (session, timers, late_answers)."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """Every bound of a session; times in seconds, `math.inf` for never.

    `window` is how many of our requests may be open, `inbound_window` how many of theirs before we answer «busy».
    `asides` is how many requests about earlier SMS (query_sm, cancel_sm, replace_sm) may be open beside the window.
    `init_seconds` is how long a connection may take to ask for its bind (SMPP 3.4 §2.9).
    `response_seconds` bounds every answer, also those to bind, unbind and enquire_link. `silence_seconds` is how long
    an answer may be due, with nothing heard, before an enquire_link is sent. A request without an answer is remembered
    for `late_seconds`, at most `late_answers` of them: a `LateAnswer` may still come.
    """

    window: int = 100
    asides: int = 4
    inbound_window: int = 2000
    max_pdu_octets: int = 70_000
    response_seconds: float = 30.0
    enquire_link_seconds: float = 30.0
    silence_seconds: float = 4.0
    inactivity_seconds: float = math.inf
    init_seconds: float = 15.0
    late_seconds: float = 3600.0
    late_answers: int = 10_000
