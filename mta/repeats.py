"""A mail without Message-ID is a repeat only if its client did not hear the answer to the first.

Until then its keys stand in the store, so that a crash loses nothing; they go as soon as the client has heard «250».
Mails of a client that is still there and waits are several submissions, however alike. Not here: what makes two mails
alike (mta.reading.dedup_keys), how it is known what a client heard (mta.smtp.engine.delivered_replies).
"""

import asyncio
from time import monotonic
from weakref import WeakValueDictionary

from gateway.accept import Acceptance, Accepted, SnapshotChanged
from gateway.dedup_keys import resubmission_key
from gateway.planned import JobPlan
from mta.smtp.engine.delivered_replies import DeliveredReplies
from sms.outcome import Refused


class Repeats:
    """Keeps the plans of all connections of this process."""

    def __init__(self, acceptance: Acceptance) -> None:
        self._acceptance = acceptance
        self._waiting: WeakValueDictionary[bytes, DeliveredReplies] = WeakValueDictionary()
        self._forgetting: set[asyncio.Task[None]] = set()

    async def keep(self, plan: JobPlan, delivered_replies: DeliveredReplies) -> Accepted | SnapshotChanged | Refused:
        """Store a plan as a job, as `Acceptance.keep` does."""
        submission = plan.submission
        if submission.identified or not submission.digest:
            return await self._acceptance.keep(plan)
        if self._forgetting:
            await asyncio.wait(self._forgetting)
        name = resubmission_key(submission.digest, submission.sender.customer.name, "")
        other = self._waiting.get(name)
        if other is not None and other.open(monotonic()):
            return await self._acceptance.keep(plan.unrepeatable())
        self._waiting[name] = delivered_replies
        kept = await self._acceptance.keep(plan)
        if isinstance(kept, Accepted) and not delivered_replies.lost:
            delivered_replies.expect(lambda: self._heard(name, kept))
        else:
            self._waiting.pop(name, None)
        return kept

    def _heard(self, name: bytes, kept: Accepted) -> None:
        self._waiting.pop(name, None)
        task = asyncio.get_running_loop().create_task(self._acceptance.forget(kept))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)
