"""The pure decisions of mail out: the ladder, the circuit, routes, what answers mean."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.sending.answers import DeliveryFault, Stage, clean_reply, decide_outcome
from mta.sending.circuit import CLOSED, CircuitRule, after_abort, after_failure, after_start, may_call
from mta.sending.routes import RelayLogin, Route, RouteTable
from mta.sending.schedule import EXPIRE_AFTER, LADDER, next_attempt
from mta.sending.targets import split_recipient
from sms.outcome import Done, Failed, Problem, ProblemCode, Retry, Unknown
from tls.policy import TlsLevel, TlsPolicy

ACCEPTED = datetime(2026, 11, 23, 12, tzinfo=UTC)
PROBLEM = Problem(code=ProblemCode.HOST_UNREACHABLE, text="x")

# --- the ladder --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "minutes"), [(1, 7.5), (2, 15), (3, 30), (4, 60), (5, 120), (6, 240), (8, 960), (99, 960)]
)
def test_the_waits_grow_and_the_last_one_repeats(attempt, minutes):
    assert next_attempt(attempt, ACCEPTED, ACCEPTED, 0.5) == ACCEPTED + timedelta(minutes=minutes)


@given(attempt=st.integers(1, 50), age=st.timedeltas(timedelta(0), EXPIRE_AFTER * 2), jitter=st.floats(0, 1))
def test_a_next_attempt_is_ahead_never_beyond_the_expiry_and_near_its_step(attempt, age, jitter):
    now = ACCEPTED + age
    due = next_attempt(attempt, ACCEPTED, now, jitter)
    if now >= ACCEPTED + EXPIRE_AFTER:
        assert due is None
        return
    assert due is not None
    wait = LADDER[min(attempt, len(LADDER)) - 1]
    assert now < due <= ACCEPTED + EXPIRE_AFTER
    assert due == ACCEPTED + EXPIRE_AFTER or abs((due - now) / wait - 1) <= 0.1001


def test_the_operator_may_set_waits_and_expiry():
    waits = (timedelta(seconds=1), timedelta(seconds=2))
    assert next_attempt(2, ACCEPTED, ACCEPTED, 0.5, waits=waits) == ACCEPTED + timedelta(seconds=2)
    assert next_attempt(1, ACCEPTED, ACCEPTED + timedelta(hours=1), 0, expire_after=timedelta(hours=1)) is None


# --- the circuit -------------------------------------------------------------------------------------------------

RULE = CircuitRule(failures=3, pause=60, longest=200)


def test_a_circuit_opens_after_failures_in_a_row_and_for_longer_each_time():
    circuit = CLOSED
    for _ in range(2):
        circuit = after_failure(circuit, RULE, 0, PROBLEM)
        assert may_call(circuit, 0)
    now, pauses = 0.0, []
    for _ in range(4):
        circuit = after_failure(circuit, RULE, now, PROBLEM)
        assert not may_call(circuit, now)
        pauses.append(circuit.open_until - now)
        now = circuit.open_until
        assert may_call(circuit, now)
    assert pauses == [60, 120, 200, 200]


def test_only_one_call_probes_a_circuit_whose_pause_is_over():
    circuit = CLOSED
    for _ in range(3):
        circuit = after_failure(circuit, RULE, 0, PROBLEM)
    probing = after_start(circuit)
    assert not may_call(probing, 61)
    assert may_call(after_abort(probing), 61)
    assert after_start(CLOSED) == CLOSED


def test_calls_that_ran_side_by_side_count_once_when_the_circuit_opens():
    circuit = CLOSED
    for _ in range(20):
        circuit = after_failure(circuit, RULE, 0, PROBLEM)
    assert circuit.open_until == 60


# --- routes ------------------------------------------------------------------------------------------------------


def test_the_most_specific_route_wins():
    exact, below, star = (
        Route(domain=name, host=host)
        for name, host in (("a.example.com", "exact"), (".example.com", "below"), ("*", "[Star]"))
    )
    table = RouteTable([star, below, exact])
    assert table.find("a.example.com") is exact
    assert table.find("b.a.example.com") is below
    assert table.find("example.com") is star
    assert star.host_name == "star"
    assert RouteTable([below]).find("example.com") is None


def test_a_route_with_a_password_or_implicit_tls_demands_encryption(tmp_path):
    login = RelayLogin(user="u", password_file=tmp_path)
    for route in (
        Route(domain="*", host="x", login=login),
        Route(domain="*", host="x", implicit_tls=True),
        Route(domain="*", host="x", login=login, tls=TlsPolicy(level=TlsLevel.MAY)),
    ):
        assert route.demanded == TlsPolicy(level=TlsLevel.ENCRYPT)
    secure = TlsPolicy(level=TlsLevel.SECURE)
    assert Route(domain="*", host="x", login=login, tls=secure).demanded == secure
    assert Route(domain="*", host="x").demanded is None


RECIPIENTS = [
    ("anna@Example.COM", ("anna", "example.com")),
    ("WF-BATCH@s4p-100.erp.example.com", ("WF-BATCH", "s4p-100.erp.example.com")),
    ('"a@b"@example.com', ('"a@b"', "example.com")),
    ("x@bücher.example", ("x", "xn--bcher-kva.example")),
    ("x@[192.0.2.1]", ("x", "[192.0.2.1]")),
    ("x@[IPv6:2001:db8::1]", ("x", "[ipv6:2001:db8::1]")),
    ("x@[nonsense]", None),
    ("@example.com", None),
    ("nobody", None),
    ("x@", None),
]


@pytest.mark.parametrize(("recipient", "parts"), RECIPIENTS)
def test_a_recipient_has_a_local_part_and_a_domain(recipient, parts):
    assert split_recipient(recipient) == parts


# --- answers -----------------------------------------------------------------------------------------------------


@given(stage=st.sampled_from(list(Stage)), code=st.integers(0, 599))
def test_only_refusals_of_the_mail_itself_are_final_and_only_the_dot_leaves_doubt(stage, code):
    fault = DeliveryFault(stage=stage, code=code if code >= 200 else 0, cause="x")
    decision = decide_outcome(fault, "example.com")
    assert not isinstance(decision.outcome, Done)
    if isinstance(decision.outcome, Failed):
        assert code >= 500
        assert not stage.concerns_host
    if isinstance(decision.outcome, Unknown):
        assert stage is Stage.CONTENT
    if decision.try_next:
        assert isinstance(decision.outcome, Retry)
        assert stage is not Stage.CONTENT


@given(st.text())
def test_a_cleaned_reply_is_one_short_line_without_control_characters(text):
    cleaned = clean_reply(text)
    assert len(cleaned) <= 300
    assert cleaned.isprintable() or not cleaned
