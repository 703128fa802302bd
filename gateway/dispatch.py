"""Due messages to carriers, and the carriers' answers back into states.

A part is committed as `submitting` before a byte of it goes out, and no more parts are taken than the carrier's window
has free. Answers are settled in batches. Not here: receipts (track), which carrier serves whom (routing), the wire
(smpp).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from gateway.ports import Carrier, Clock
from gateway.routing import CarrierRoutes
from gateway.worker import Worker
from sms.outcome import Failed, Outcome, Problem, ProblemCode, Unknown
from store.database import Database
from store.keys import to_stored
from store.outbound import Outbound, Take
from store.progress import Answer, Progress, ProgressStore, Recovery

log = structlog.get_logger()

_LOOK_EVERY = 1.0
_RESTARTED = Problem(
    code=ProblemCode.RESTARTED,
    text="The gateway was stopped while the carrier was taking the message, so the carrier may have it or not.",
)


class Dispatch:
    """Feeds the carriers; `notices_written` is called when a settled job left a notice."""

    def __init__(  # noqa: PLR0913 - the use case names everything it needs, once
        self,
        *,
        database: Database,
        outbound: Outbound,
        progress: ProgressStore,
        carriers: Sequence[Carrier],
        routes: CarrierRoutes,
        clock: Clock,
        owner: str,
        notices_written: Callable[[], None],
    ) -> None:
        self._database = database
        self._outbound = outbound
        self._progress = progress
        self._carriers: Mapping[str, Carrier] = {carrier.name: carrier for carrier in carriers}
        self._routes = routes
        self._clock = clock
        self._owner = owner
        self._notices_written = notices_written
        self._answers: list[Answer] = []
        self._feeders = {
            name: Worker(f"feed-{name}", self._feeder(carrier), look_every=_LOOK_EVERY)
            for name, carrier in self._carriers.items()
        }
        self._settler = Worker("settle", self._settle, look_every=_LOOK_EVERY)

    async def recover(self) -> int:
        """Settle what dead processes were submitting: by each carrier's rule, unknown or sent again.

        Returns how many parts that were. Call it before `start`; with PostgreSQL also now and then (store.leases).
        """
        found = 0
        while True:
            wish = Recovery(owner=self._owner, now=to_stored(self._clock.now()), problem=_RESTARTED)
            recovered = await self._database.write(self._progress.recover, wish)
            if recovered.notices:
                self._notices_written()
            if not recovered.parts:
                break
            found += recovered.parts
        if found:
            log.warning("parts_left_behind", parts=found)
        return found

    def start(self) -> None:
        """Begin to feed and to settle."""
        self._settler.start()
        for feeder in self._feeders.values():
            feeder.start()

    async def stop_feeding(self) -> None:
        """Take nothing new from the queue; answers are still settled."""
        for feeder in self._feeders.values():
            await feeder.stop()

    async def stop(self) -> None:
        """Settle the last answers and end."""
        await self._settler.stop()
        while self._answers:
            await self._settle()

    def kick(self) -> None:
        """Say that something new is queued."""
        for feeder in self._feeders.values():
            feeder.kick()

    def answered(self, carrier: str, part_key: int, outcome: Outcome) -> None:
        """Take one answer of a carrier; it is settled with its neighbours."""
        self._answers.append(
            Answer(
                part_key=part_key,
                carrier=carrier,
                outcome=outcome,
                at=to_stored(self._clock.now()),
                owner=self._owner,
            )
        )
        self._settler.kick()

    def window_changed(self, carrier: str) -> None:
        """Learn that a carrier may take more."""
        self._feeders[carrier].kick()

    def _feeder(self, carrier: Carrier) -> Callable[[], Awaitable[bool]]:
        async def feed() -> bool:
            room = carrier.free_window()
            if room <= 0:
                return False
            take = Take(
                carrier=carrier.name,
                routes=self._routes_for(carrier),
                most_parts=room,
                now=to_stored(self._clock.now()),
                owner=self._owner,
            )
            parts = await self._database.write(self._outbound.take, take)
            if parts:
                carrier.submit(parts)
            return bool(parts)

        return feed

    def _routes_for(self, carrier: Carrier) -> tuple[str, ...]:
        """Return the routes this carrier serves now: those where no better carrier has room."""
        return tuple(
            route
            for route in self._routes.routes_of(carrier.name)
            if all(
                self._carriers[better].free_window() <= 0
                for better in route.split(">")[: route.split(">").index(carrier.name)]
                if better in self._carriers
            )
        )

    async def _settle(self) -> bool:
        answers, self._answers = self._answers, []
        if not answers:
            return False
        try:
            progress = await self._database.write(self._progress.settle, answers)
        except Exception:
            # What a carrier accepted must not be forgotten: it stays here until the database takes it.
            self._answers = answers + self._answers
            raise
        self._tell(answers, progress)
        return True

    def _tell(self, answers: Sequence[Answer], progress: Sequence[Progress]) -> None:
        for answer, change in zip(answers, progress, strict=True):
            if isinstance(answer.outcome, Failed | Unknown):
                problem = answer.outcome.problem
                log.warning(
                    "part_not_sent",
                    message=change.message_id,
                    carrier=answer.carrier,
                    problem=problem.code.value,
                    cause=problem.cause,
                )
            elif change.state is not None:
                log.debug("part_settled", message=change.message_id, carrier=answer.carrier, state=change.state.value)
            if change.settled_job:
                log.info("job_settled", job=change.settled_job)
        if any(change.notices for change in progress):
            self._notices_written()
        self.kick()
