"""When to try again, and when to give up: the retry ladder of mail out.

Pure: instants and chance are arguments. Not here: who tries (gateway.worker), what counts as temporary
(mta.sending.answers). RFC 5321 §4.5.4.1. The steps are those of mox.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

LADDER = tuple(timedelta(minutes=minutes) for minutes in (7.5, 15, 30, 60, 120, 240, 480, 960))
EXPIRE_AFTER = timedelta(days=2)

# A wait is varied by this part of itself, so that mails which failed together do not come back together.
_SPREAD = 0.2


def next_attempt(  # noqa: PLR0913 - the ladder has two settings beside the four facts
    attempt: int,
    accepted_at: datetime,
    now: datetime,
    jitter: float,
    *,
    waits: Sequence[timedelta] = LADDER,
    expire_after: timedelta = EXPIRE_AFTER,
) -> datetime | None:
    """Return when to try after `attempt` attempts (1 after the first), None where the mail's time is over.

    `jitter` is 0 to 1 and varies the wait by a fifth in all. The last wait repeats; the last attempt falls on the
    expiry itself. Expiry counts from acceptance, not from the first failure.
    """
    expires_at = accepted_at + expire_after
    if now >= expires_at:
        return None
    wait = waits[min(max(attempt, 1), len(waits)) - 1]
    due = now + wait * (1 - _SPREAD / 2 + _SPREAD * min(max(jitter, 0.0), 1.0))
    return min(due, expires_at)
