"""Due messages to carriers, and the carriers' answers back into states.

A part is committed as `submitting` before a byte of it goes out, and no more parts are taken than the carrier's window
has free. Answers are settled in batches. What was taken and given to no carrier, because the answer to the commit was
lost, goes back to the queue. Not here: receipts (track), which carrier serves whom (routing), the wire (smpp).
"""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final

import structlog

from addressbook.numbers import OwnNumbers
from gateway.handed import HandedMessages
from gateway.health import Health, HealthRules
from gateway.ports import Carrier, Clock
from gateway.routing import CarrierRoutes
from gateway.taking import LOOK_EVERY, Taking
from gateway.worker import Worker
from sms.lifecycle import MessageState
from sms.message import PartToSubmit
from sms.number import MobileNumber, parse_sender_id
from sms.outcome import Failed, Outcome, Problem, ProblemCode, Refused, Unknown
from sms.route import LOST_ROUTE, SANDBOX_ROUTE, SEPARATOR
from sms.schedule import Hours
from store.answers import CarrierAnswer
from store.batches import in_lists
from store.due import Take
from store.engine.database import Database
from store.engine.keys import to_stored
from store.jobs import Outbound
from store.recovery import Recovery
from store.rerouting import NewRoute, StrandedRoute, find_stranded, look_again, reroute
from store.results import Progress, ResultStore

log = structlog.get_logger()

NO_HOURS: Final[Mapping[str, Hours]] = MappingProxyType({})
_LOOK_EVERY = 1.0
_RESTARTED = Problem(
    code=ProblemCode.RESTARTED,
    text="The gateway was stopped while the carrier was taking the message, so the carrier may have it or not.",
)
_BROKE = Problem(
    code=ProblemCode.INTERNAL,
    text="The gateway failed while it gave the message to the carrier, so the carrier may have it or not.",
)


class Dispatch:
    """Feeds the carriers; `notices_written` is called when a settled job left a notice.

    `handed` tells after a kill of what no link was given anything.
    """

    def __init__(  # noqa: PLR0913 - the use case names everything it needs, once
        self,
        *,
        database: Database,
        outbound: Outbound,
        progress: ResultStore,
        carriers: Sequence[Carrier],
        routes: CarrierRoutes,
        clock: Clock,
        owner: str,
        notices_written: Callable[[], None],
        handed: HandedMessages,
        hours: Mapping[str, Hours] = NO_HOURS,
        rules: HealthRules | None = None,
        numbers: Callable[[], OwnNumbers] = OwnNumbers,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._outbound = outbound
        self._progress = progress
        self._settle_answers = in_lists(progress.settle)
        self._carriers: Mapping[str, Carrier] = {carrier.name: carrier for carrier in carriers}
        self._routes = routes
        self._clock = clock
        self._owner = owner
        self._notices_written = notices_written
        self._handed = handed
        self._hours = hours
        self._rules = rules or HealthRules()
        self._numbers = numbers
        self._monotonic = monotonic
        self._health = dict.fromkeys(self._carriers, Health())
        self._answers: list[CarrierAnswer] = []
        self._taking = Taking()
        self._held: dict[int, int] = {}  # the parts that were taken and have no settled answer, each with its message
        self._feeders = {
            name: Worker(f"feed-{name}", self._feeder(carrier), look_every=_LOOK_EVERY)
            for name, carrier in self._carriers.items()
        }
        self._settler = Worker("settle", self._settle, look_every=_LOOK_EVERY)
        self._giver = Worker("give-back", self.give_back, look_every=LOOK_EVERY)

    async def recover(self) -> int:
        """Settle what dead processes were submitting: by each carrier's rule, unknown or sent again.

        Returns how many parts that were. Call it before `start`; with PostgreSQL also now and then (store.leases).
        """
        found = 0
        while True:
            now = to_stored(self._clock.now())
            request = Recovery(owner=self._owner, now=now, problem=_RESTARTED, handed=self._handed.earlier)
            recovered = await self._database.write(self._progress.recover, request)
            for job in recovered.settled_jobs:
                log.info("job_settled", job=job, by="recovery")
            if recovered.notices:
                self._notices_written()
            if not recovered.parts:
                break
            found += recovered.parts
        if found:
            log.warning("parts_left_behind", parts=found)
        return found

    async def reroute(self) -> int:
        """Give queued messages whose route names no carrier of today a route of today's; returns how many.

        A number that no carrier serves any more keeps waiting until its validity ends, and the log says so.
        """
        count, lost = 0, 0
        await self._database.write(look_again, LOST_ROUTE)
        while strays := await self._database.read(
            partial(find_stranded, known=self._routes.known | {LOST_ROUTE, SANDBOX_ROUTE})
        ):
            routes = [self._route_of(item) for item in strays]
            lost += routes.count(LOST_ROUTE)
            changes = [NewRoute(key=item.key, route=route) for item, route in zip(strays, routes, strict=True)]
            count += await self._database.write(reroute, changes)
        if count:
            log.warning("messages_rerouted", messages=count, without_carrier=lost)
        return count

    def _route_of(self, stray: StrandedRoute) -> str:
        """Return the route of today, of one of our numbers as its sender ID by that number's carriers."""
        number, sender_id = MobileNumber(digits=stray.number), parse_sender_id(stray.sender)
        among = self._numbers().carriers_for(sender_id, stray.customer_key, number)
        found = among if isinstance(among, Refused) else self._routes.explain(number, stray.customer, among)
        if isinstance(found, Refused):
            return LOST_ROUTE
        left = [name for name in found.carriers if name not in stray.tried.split(SEPARATOR)]
        return next(
            (route for at in range(len(left)) if (route := SEPARATOR.join(left[at:])) in self._routes.known), LOST_ROUTE
        )

    def start(self) -> None:
        """Begin to feed and to settle; what an earlier process left is recovered by now."""
        self._handed.begin()
        self._settler.start()
        self._giver.start()
        for feeder in self._feeders.values():
            feeder.start()

    async def stop_feeding(self) -> None:
        """Take nothing new from the queue; answers are still settled."""
        for feeder in self._feeders.values():
            await feeder.stop()
        await self._giver.stop()

    async def stop(self) -> None:
        """Take nothing new, settle the last answers and end."""
        await self.stop_feeding()
        await self._settler.stop()
        while self._answers:
            await self._settle()

    def kick(self) -> None:
        """Say that something may be queued on any route."""
        for feeder in self._feeders.values():
            feeder.kick()

    def queued(self, routes: Collection[str]) -> None:
        """Say that something new is queued on these routes; where none leads anywhere, on none ("")."""
        for carrier in {name for route in routes for name in route.split(SEPARATOR)} & self._feeders.keys():
            self._feeders[carrier].kick()

    def answered(self, carrier: str, part_key: int, outcome: Outcome) -> None:
        """Take one answer of a carrier; it is settled with its neighbours."""
        self._note(carrier, self._health[carrier].heard(outcome, self._monotonic(), self._rules))
        self._take(carrier, part_key, outcome)

    def answered_late(self, carrier: str, part_key: int, outcome: Outcome) -> None:
        """Take an answer that comes after its part was settled as unanswered: it says what became of that part."""
        log.info("part_answered_late", carrier=carrier, part=part_key, outcome=type(outcome).__name__.lower())
        self._take(carrier, part_key, outcome)

    def _take(self, carrier: str, part_key: int, outcome: Outcome) -> None:
        at = to_stored(self._clock.now())
        answer = CarrierAnswer(part_key=part_key, carrier=carrier, outcome=outcome, at=at, owner=self._owner)
        self._answers.append(answer)
        self._settler.kick()

    def window_changed(self, carrier: str) -> None:
        """Learn that a carrier may take more."""
        self._feeders[carrier].kick()

    def _feeder(self, carrier: Carrier) -> Callable[[], Awaitable[bool]]:
        async def feed() -> bool:
            room = carrier.free_window()
            self._note(carrier.name, self._health[carrier.name].looked(room, self._monotonic()))
            if room <= 0 or not self._is_open(carrier.name):
                return False
            routes = self._routes_for(carrier.name)
            if not routes:
                return False
            take = Take(
                carrier=carrier.name,
                routes=routes,
                most_parts=room,
                now=to_stored(self._clock.now()),
                owner=self._owner,
                cost_label=self._routes.cost_of(carrier.name),
                whole_texts=self._routes.takes_whole_texts(carrier.name),
            )
            try:
                async with self._taking.under_way():
                    parts = await self._database.write(self._outbound.take, take)
                    self._held |= {part.part_key: part.message_key for part in parts}
            except Exception:
                self._giver.kick()  # it may be committed all the same
                raise
            if parts:
                self._handed.note({part.message_key for part in parts}, self._held.values())
                self._give(carrier, parts)
            return bool(parts)

        return feed

    def _give(self, carrier: Carrier, parts: Sequence[PartToSubmit]) -> None:
        """Give parts to a link; where that breaks nobody will answer for them, and some may have gone out."""
        try:
            carrier.submit(parts)
        except Exception as error:
            log.exception("submit_broke", carrier=carrier.name, cause=f"{type(error).__name__}: {error}"[:300])
            for part in parts:
                self.answered(carrier.name, part.part_key, Unknown(problem=_BROKE))

    async def give_back(self) -> bool:
        """Queue again what this process took and does not hold: no link was given it."""
        async with self._taking.at_rest():
            held = frozenset(self._held.values())
            request = Recovery(owner=self._owner, held=held, now=to_stored(self._clock.now()))
            given_back = await self._database.write(self._progress.recover, request)
        if given_back.parts:
            log.warning("parts_given_back", parts=given_back.parts)
            self.kick()
        return False

    def _routes_for(self, name: str) -> tuple[str, ...]:
        """Return the routes a carrier serves now: those where no better one is fit, nor, while it rests, any other."""
        resting = not self._fit(name)
        chosen = []
        for route in self._routes.routes_of(name):
            carriers = route.split(SEPARATOR)
            rivals = carriers if resting else carriers[: carriers.index(name)]
            if not any(other != name and self._fit(other) for other in rivals):
                chosen.append(route)
        return tuple(chosen)

    def _fit(self, name: str) -> bool:
        health = self._health.get(name)
        return health is not None and self._is_open(name) and health.fit(self._monotonic(), self._rules)

    def _is_open(self, name: str) -> bool:
        hours = self._hours.get(name)
        return hours is None or hours.open_at(self._clock.now())

    def _note(self, name: str, health: Health) -> None:
        """Remember a carrier's health; say when it begins and ends to rest."""
        before = self._health[name]
        self._health[name] = health
        if health.breaker.rests > before.breaker.rests:
            log.warning("carrier_rests", carrier=name, seconds=round(health.breaker.open_until - self._monotonic()))
            self.kick()
        elif before.breaker.rests and not health.breaker.rests:
            log.info("carrier_well_again", carrier=name)

    async def _settle(self) -> bool:
        answers, self._answers = self._answers, []
        if not answers:
            return False
        try:
            progress = await self._database.write(self._settle_answers, answers)
        except Exception:
            # What a carrier accepted must not be forgotten: it stays here until the database takes it.
            self._answers = answers + self._answers
            raise
        for answer in answers:
            self._held.pop(answer.part_key, None)
        self._tell(answers, progress)
        return True

    def _tell(self, answers: Sequence[CarrierAnswer], progress: Sequence[Progress]) -> None:
        for answer, change in zip(answers, progress, strict=True):
            if isinstance(answer.outcome, Failed | Unknown):
                problem = answer.outcome.problem
                log.warning(
                    "part_not_sent",
                    message=change.message_id,
                    carrier=answer.carrier,
                    problem=problem.code.value,
                    cause=problem.cause,
                    goes_on=change.state is MessageState.QUEUED,
                )
            elif change.state is not None:
                log.debug("part_settled", message=change.message_id, carrier=answer.carrier, state=change.state.value)
            if change.settled_job:
                log.info("job_settled", job=change.settled_job)
        if any(change.notices for change in progress):
            self._notices_written()
        self.kick()
