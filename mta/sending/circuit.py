"""The circuit breaker of one destination: after some failures in a row nobody calls it for a while.

Pure: a state value, three transitions, monotonic seconds as argument. Not here: what counts as the destination's
failure (mta.sending.answers) and who keeps the states (mta.sending.connections).
"""

from dataclasses import dataclass, replace

from sms.outcome import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitRule:
    """Opens after `failures` in a row, first for `pause` seconds, then twice as long each time, up to `longest`."""

    failures: int = 3
    pause: float = 60.0
    longest: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """Failures in a row, until when the circuit is open, whether one call is out to probe, and the last problem."""

    failures: int = 0
    open_until: float = 0.0
    probing: bool = False
    problem: Problem | None = None


CLOSED = Circuit()


def may_call(circuit: Circuit, now: float) -> bool:
    """Tell whether a call may go out now; behind an opened circuit only one at a time may, once its pause is over."""
    if not circuit.open_until:
        return True
    return now >= circuit.open_until and not circuit.probing


def after_start(circuit: Circuit) -> Circuit:
    """Return the state once a call that `may_call` granted has gone out."""
    return replace(circuit, probing=True) if circuit.open_until else circuit


def after_failure(circuit: Circuit, rule: CircuitRule, now: float, problem: Problem) -> Circuit:
    """Return the state after a call that the destination failed as a whole; calls that ran side by side count once."""
    if circuit.open_until > now:
        return circuit
    failures = circuit.failures + 1
    beyond = failures - rule.failures
    pause = min(rule.pause * 2 ** min(beyond, 20), rule.longest) if beyond >= 0 else 0.0
    return Circuit(failures=failures, open_until=now + pause if pause else 0.0, problem=problem)


def after_abort(circuit: Circuit) -> Circuit:
    """Return the state after a call that ended without telling anything about the destination."""
    return replace(circuit, probing=False)
