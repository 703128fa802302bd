"""Which limits of use bind a sender, each with its period around an instant, and which are used up.

Pure but for `SpentLimits`, which remembers refusals. Not here: counting (store.usage), setting limits (admin).
"""

from datetime import datetime

from addressbook.hierarchy import Constraints, LayerKind
from addressbook.senders import Sender
from addressbook.snapshot import Snapshot
from sms.outcome import Refusal, Refused
from sms.usage import LimitReached, Period, UsageClaim, UsageLimit, period_around


def claims_of(snapshot: Snapshot, sender: Sender, now: datetime) -> tuple[UsageClaim, ...]:
    """Return the limits that bind a sender's jobs now; nearly always none."""
    found = snapshot.limits(sender)
    if not found:
        return ()
    return tuple(
        claim_of(snapshot, owner, rules, limit, sender.customer.key, now)
        for owner, rules in found
        for limit in rules.usage
    )


def claim_of(  # noqa: PLR0913, PLR0917 - what a claim consists of
    snapshot: Snapshot, owner: int, rules: Constraints, limit: UsageLimit, customer_id: int, now: datetime
) -> UsageClaim:
    """Return one limit of an owner with its period, which begins at midnight of the owner's zone."""
    zone = snapshot.zone_of(0 if rules.kind is LayerKind.SYSTEM else customer_id)
    begins_at, ends_at = (None, None) if limit.period is Period.MINUTE else period_around(now, limit.period, zone)
    return UsageClaim(
        counter=f"{owner}:{limit.name}",
        owner=rules.name,
        limit=limit,
        zone=zone,
        begins_at=begins_at,
        ends_at=ends_at,
    )


def refuse(reached: LimitReached, now: datetime) -> Refused:
    """Return the refusal by a limit, for good where no waiting helps."""
    if reached.is_for_good:
        return Refused(refusal=Refusal.LIMIT_TOO_SMALL, detail=str(reached))
    return Refused(refusal=Refusal.LIMIT_REACHED, detail=str(reached), wait=reached.free_at - now)


class SpentLimits:
    """The limits that were found used up, so that the next mail is refused before its content comes.

    One that was raised since is another limit. Only what holds for a single SMS is kept.
    """

    def __init__(self) -> None:
        self._spent: dict[tuple[str, int], LimitReached] = {}

    def note(self, reached: LimitReached) -> None:
        """Remember a refusal, if one SMS more would be refused too."""
        claim = reached.claim
        if claim.ends_at is not None and not claim.limit.country and reached.used >= claim.limit.most:
            self._spent[claim.counter, claim.limit.most] = reached

    def find(self, snapshot: Snapshot, sender: Sender, now: datetime) -> LimitReached | None:
        """Return a limit of a sender that is used up until later than now."""
        for claim in claims_of(snapshot, sender, now) if self._spent else ():
            found = self._spent.get((claim.counter, claim.limit.most))
            if found is not None and found.free_at > now:
                return found
            if found is not None:
                del self._spent[claim.counter, claim.limit.most]
        return None
