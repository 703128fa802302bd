"""The pure decisions of mail out: routes, what answers mean."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.sending.answers import DeliveryFault, Stage, clean_reply, decide_outcome
from mta.sending.routes import RelayLogin, Route, RouteTable
from mta.sending.targets import split_recipient
from sms.outcome import Done, Failed, Problem, ProblemCode, Retry, Unknown
from tls.policy import TlsLevel, TlsPolicy

ACCEPTED = datetime(2026, 11, 23, 12, tzinfo=UTC)
PROBLEM = Problem(code=ProblemCode.HOST_UNREACHABLE, text="x")

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
