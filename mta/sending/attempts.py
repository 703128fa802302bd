"""One attempt to deliver one mail: its policy, its hosts in order, and its outcome.

Orchestration only: hosts come from mta.sending.targets, meanings from mta.sending.answers, connections from an opener
(mta.sending.deliver). A destination that keeps failing is not called for a while; a busy one delays a mail only
briefly.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

import structlog

from gateway.ports import MailAttempt, TlsFailure
from mta.sending.answers import DeliveryFault, Stage, decide_outcome
from mta.sending.compose import ComposedMail
from mta.sending.connections import Destination, Destinations, PooledConnection
from mta.sending.outgoing import DeliverySettings, HostCheck, TlsFailureTaker
from mta.sending.routes import RouteTable
from mta.sending.targets import (
    DeliveryPlan,
    MailTarget,
    Planner,
    ignores_published,
    split_recipient,
    to_ascii_domain,
)
from sms.message import TlsTag
from sms.outcome import Done, Failed, Outcome, Problem, ProblemCode, Retry
from sms.retry import CLOSED
from tls.policy import DaneState, Demand, PolicyTable, StsMode, TlsLevel
from tls.report import SessionResult, judge_session
from tls.verdict import TlsVerdict

log = structlog.get_logger()

_QUOTED_LOCAL = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"')
_UNSAFE_ADDRESS = re.compile(r"[\x00-\x20\x7f<>]")
_BUSY = timedelta(seconds=30)
_PROBING = timedelta(seconds=15)


class FaultError(Exception):
    """A stage of the dialogue failed; `tls_begun`: the peer offered TLS and we tried it; `verdict` if TLS failed."""

    def __init__(self, fault: DeliveryFault, *, tls_begun: bool = False, verdict: TlsVerdict | None = None) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.verdict = verdict
        self.tls_begun = tls_begun


@dataclass(slots=True)
class Call:
    """One call of one host, up to `deadline` in monotonic seconds; the call fills in the rest.

    `source` is our own address, `verdict` the one on its TLS.
    """

    target: MailTarget
    demand: Demand
    deadline: float
    address: str = ""
    source: str = ""
    tls: str = ""
    chain: tuple[bytes, ...] = ()
    verdict: TlsVerdict | None = None
    ignores_published: bool = False


class OpenConnection(PooledConnection, Protocol):
    """A connection that was judged good enough for the mails of its demand."""

    @property
    def address(self) -> str:
        """The address called."""

    @property
    def tls(self) -> str:
        """Protocol version and cipher, empty in clear."""

    async def send(self, sender: str, recipient: str, message: bytes, deadline: float) -> str:
        """Run one transaction and return the last reply; raises `FaultError`, after which only `close` may follow."""


class Opener(Protocol):
    """Makes connections; raises `FaultError` for every fault, before any MAIL or AUTH in clear."""

    async def open(self, call: Call) -> OpenConnection:
        """Make the call and judge the host."""


class Deliverer:
    """Attempts deliveries, several at a time; each mail calls `policies`, which may raise: then it waits.

    `on_tls_failure` is called at the first failure in a row and at every `alert_after`th.
    """

    def __init__(  # noqa: PLR0913 - each collaborator by name
        self,
        settings: DeliverySettings,
        *,
        opener: Opener,
        planner: Planner,
        routes: RouteTable,
        policies: Callable[[], PolicyTable],
        on_tls_failure: TlsFailureTaker | None,
        monotonic: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._opener = opener
        self._planner = planner
        self._routes = routes
        self._policies = policies
        self._on_tls_failure = on_tls_failure
        self._monotonic = monotonic
        self._destinations: Destinations[OpenConnection] = Destinations(settings.pool)

    async def close(self) -> None:
        """End all idle connections."""
        await self._destinations.close()

    async def deliver(self, mail: ComposedMail, *, customer: str = "") -> MailAttempt:
        """Try once to deliver the mail; never raises for faults of a peer or a network."""
        parsed = split_recipient(mail.recipient)
        if parsed is None or not _is_safe(mail.recipient) or not _is_safe(mail.envelope_from):
            return MailAttempt(outcome=Failed(problem=_problem(ProblemCode.MAIL_REFUSED, "No valid mail address.")))
        domain = parsed[1]
        table = self._read_policies(domain)
        if table is None:
            text = f"The TLS policies cannot be read, so mail for {domain} waits."
            return MailAttempt(outcome=Retry(problem=_problem(ProblemCode.TLS_POLICY, text)), called=False)
        destination = self._destinations.get(
            (domain, customer, table.find(domain, customer), self._routes.find(domain), mail.tls_tag)
        )
        if not destination.breaker.may_call(self._monotonic()):
            return self._refuse_call(destination)
        if not await self._destinations.enter(destination):
            text = f"Many mails for {domain} are on their way already."
            busy = Retry(problem=_problem(ProblemCode.MAIL_DEFERRED, text), after=_BUSY)
            return MailAttempt(outcome=busy, called=False)
        try:
            # Ask again: the breaker may have opened while this mail waited for its place.
            if not destination.breaker.may_call(self._monotonic()):
                return self._refuse_call(destination)
            destination.breaker = destination.breaker.started()
            try:
                return await self._attempt(mail, domain, customer, table, destination)
            finally:
                destination.breaker = destination.breaker.ended()
        finally:
            self._destinations.leave(destination)

    def _read_policies(self, domain: str) -> PolicyTable | None:
        try:
            return self._policies()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the store, the mail waits and nothing is guessed
            log.error("tls_policies_unavailable", domain=domain, cause=repr(error))
            return None

    def _refuse_call(self, destination: Destination[OpenConnection]) -> MailAttempt:
        problem = destination.problem or _problem(ProblemCode.HOST_UNREACHABLE, "The destination failed repeatedly.")
        pause = timedelta(seconds=destination.breaker.open_until - self._monotonic())
        return MailAttempt(outcome=Retry(problem=problem, after=max(pause, _PROBING)), called=False)

    async def _attempt(
        self,
        mail: ComposedMail,
        domain: str,
        customer: str,
        table: PolicyTable,
        destination: Destination[OpenConnection],
    ) -> MailAttempt:
        plan = await self._planner.plan(domain, customer, table, mail.tls_tag)
        sessions: list[SessionResult] = []
        if isinstance(plan, DeliveryPlan):
            attempt, destination_failed = await self._try_hosts(plan, mail, destination, sessions)
            attempt = replace(attempt, sessions=tuple(sessions))
        else:
            attempt, destination_failed = MailAttempt(outcome=plan), isinstance(plan, Retry)
        outcome = attempt.outcome
        if destination_failed and isinstance(outcome, Retry):
            destination.breaker = destination.breaker.failed(self._monotonic(), self._settings.breaker)
            destination.problem = outcome.problem
        else:
            destination.breaker = CLOSED
        self._count_tls(destination, domain, customer, attempt)
        _log_attempt(mail, domain, attempt)
        return attempt

    def _count_tls(
        self, destination: Destination[OpenConnection], domain: str, customer: str, attempt: MailAttempt
    ) -> None:
        outcome = attempt.outcome
        if not (isinstance(outcome, Retry) and outcome.problem.code is ProblemCode.TLS_POLICY):
            if isinstance(outcome, Done):
                destination.failures = 0
            return
        destination.failures += 1
        if self._on_tls_failure and (
            destination.failures == 1 or destination.failures % self._settings.alert_after == 0
        ):
            alert = TlsFailure(
                domain=domain,
                customer=customer,
                policy=attempt.policy,
                cause=outcome.problem.cause,
                failures=destination.failures,
            )
            self._on_tls_failure(alert)

    async def _try_hosts(
        self,
        plan: DeliveryPlan,
        mail: ComposedMail,
        destination: Destination[OpenConnection],
        sessions: list[SessionResult],
    ) -> tuple[MailAttempt, bool]:
        """Try the hosts in order; the second value says whether all of them failed. Each call adds its session."""
        deadline = self._monotonic() + self._settings.patience.attempt
        failed: MailAttempt | None = None
        tls_only, certain = False, True
        for target in plan.targets[: self._settings.hosts_per_attempt]:
            demand = await self._planner.demand(plan, target, tls_only=tls_only)
            ignores = ignores_published(plan.tag, demand.level)
            call = Call(target=target, demand=demand, deadline=deadline, ignores_published=ignores)
            try:
                reply = await self._try_with_less(mail, call, destination)
            except FaultError as error:
                call.verdict = call.verdict or error.verdict
                self._note_session(call, sessions)
                decision = decide_outcome(error.fault, plan.domain)
                attempt = _describe_attempt(decision.outcome, call, str(error.fault))
                if not decision.try_next:
                    return attempt, False
                log.info("mail_host_failed", domain=plan.domain, host=target.host, fault=str(error.fault))
                tls_only = tls_only or (error.tls_begun and plan.tag is not TlsTag.OPTIONAL)
                certain = certain and error.fault.stage.concerns_tls and not _is_guesswork(demand)
                if failed is None or not _is_tls_failure(failed):
                    failed = attempt
            else:
                self._note_session(call, sessions)
                return _describe_attempt(Done(reference=reply), call, reply), False
        if failed is None:
            problem = _problem(ProblemCode.HOST_UNREACHABLE, f"The domain {plan.domain} names no usable mail server.")
            return MailAttempt(outcome=Retry(problem=problem)), True
        if plan.tag is TlsTag.REQUIRED and certain and isinstance(failed.outcome, Retry):
            failed = replace(failed, outcome=_never(failed.outcome))
        return failed, True

    def _note_session(self, call: Call, sessions: list[SessionResult]) -> None:
        """Add what a call's TLS came to, as what the domain publishes sees it.

        A call over a kept connection is no session of its own, and for some mails nobody asked what is published.
        """
        if call.verdict is None or call.ignores_published or not self._settings.counts_sessions:
            return
        noted = judge_session(call.demand, call.verdict, address=call.address, source=call.source)
        if noted is not None:
            sessions.append(noted)

    async def _try_with_less(self, mail: ComposedMail, call: Call, destination: Destination[OpenConnection]) -> str:
        """Try a host; once more in clear where TLS failed and the mail's sender asked for no more (RFC 8689 §4.2.2)."""
        try:
            return await self._try_host(mail, call, destination)
        except FaultError as error:
            if not error.tls_begun or mail.tls_tag is not TlsTag.OPTIONAL or call.demand.tls_required:
                raise
        policy = replace(call.demand.policy, level=TlsLevel.NONE)
        call.demand, call.tls = replace(call.demand, policy=policy, origin="TLS-Required: No of the mail"), ""
        return await self._try_host(mail, call, destination)

    async def _try_host(self, mail: ComposedMail, call: Call, destination: Destination[OpenConnection]) -> str:
        key = (call.demand, call.target)
        sender, recipient = to_ascii_domain(mail.envelope_from), to_ascii_domain(mail.recipient)
        connection = self._destinations.take(destination, key)
        reused = connection is not None
        while True:
            if connection is None:
                connection = await self._opener.open(call)
            call.address, call.tls = connection.address, connection.tls
            sent = False
            try:
                reply = await connection.send(sender, recipient, mail.message, call.deadline)
                sent = True
            except FaultError as error:
                # The peer may have closed a kept connection meanwhile: that is no fault of the host.
                if not reused or error.fault.stage is not Stage.MAIL or error.fault.code not in {0, 421}:
                    raise
            finally:
                if sent:
                    self._destinations.keep(destination, key, connection)
                else:
                    self._destinations.discard(connection)
            if sent:
                return reply
            connection, reused = None, False

    async def check(self, domain: str, customer: str = "") -> tuple[HostCheck, ...] | Outcome:
        """Call all hosts of a domain as for a mail, stop before MAIL, and return what each shows.

        Raises what `policies` raises.
        """
        plan = await self._planner.plan(domain, customer, self._policies())
        if not isinstance(plan, DeliveryPlan):
            return plan
        checks = []
        for target in plan.targets:
            demand = await self._planner.demand(plan, target)
            deadline = self._monotonic() + self._settings.patience.attempt
            call, fault = Call(target=target, demand=demand, deadline=deadline), ""
            try:
                connection = await self._opener.open(call)
                await connection.close()
            except FaultError as error:
                fault = str(error.fault)
            checks.append(
                HostCheck(
                    host=target.host,
                    address=call.address,
                    demand=demand,
                    tls=call.tls,
                    fault=fault,
                    chain=call.chain,
                )
            )
        return tuple(checks)


def _is_safe(address: str) -> bool:
    """Return whether an address is safe on a command line; only quotes may contain spaces and brackets."""
    return not _UNSAFE_ADDRESS.search(_QUOTED_LOCAL.sub("", address, count=1) if address.startswith('"') else address)


def _problem(code: ProblemCode, text: str, cause: str = "") -> Problem:
    return Problem(code=code, text=text, cause=cause)


def _is_tls_failure(attempt: MailAttempt) -> bool:
    return isinstance(attempt.outcome, Retry) and attempt.outcome.problem.code is ProblemCode.TLS_POLICY


def _is_guesswork(demand: Demand) -> bool:
    """Return whether DNS or a policy's host left open what the domain publishes."""
    return demand.dane.state is DaneState.FAILED or demand.sts.mode is StsMode.FAILED


def _never(outcome: Retry) -> Failed:
    """Return the end of a mail that no host takes as REQUIRETLS demands: it does not wait (RFC 8689 §4.2.1)."""
    problem = outcome.problem
    return Failed(problem=replace(problem, text=problem.text.replace("4.7.", "5.7.", 1)))


def _describe_attempt(outcome: Outcome, call: Call, reply: str) -> MailAttempt:
    return MailAttempt(
        outcome=outcome,
        host=call.target.host,
        address=call.address,
        tls=call.tls,
        policy=str(call.demand),
        reply=reply,
    )


def _log_attempt(mail: ComposedMail, domain: str, attempt: MailAttempt) -> None:
    log.info(
        "mail_attempt",
        message_id=mail.message_id,
        domain=domain,
        outcome=type(attempt.outcome).__name__.lower(),
        host=attempt.host,
        address=attempt.address,
        tls=attempt.tls or "none",
        policy=attempt.policy,
        reply=attempt.reply,
    )
