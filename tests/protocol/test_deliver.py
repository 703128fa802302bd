"""Mail out against peers of our own that answer as told: the way, the stages, the reuse, the limits."""

import asyncio
import ssl
from dataclasses import replace
from datetime import timedelta

import pytest

from mta.sandbox import Sandbox
from mta.sending.connections import PoolLimits
from mta.sending.routes import RelayLogin, Route
from sms.outcome import Done, Failed, ProblemCode, Retry, Unknown
from sms.retry import BreakerRule, Ladder
from tests.kit.mail_servers import (
    CUT,
    DOMAIN,
    DRIP,
    ENDLESS,
    GARBAGE,
    HOST,
    PATIENT,
    SILENT,
    Identity,
    Peer,
    issue,
    make_deliverer,
    one_host,
    server_context,
    status_mail,
)
from tests.kit.resolver import TableResolver
from tls.contexts import ClientCertificate
from tls.mx import AddressGuard
from tls.policy import PolicyEntry, TlsLevel, TlsPolicy

IMPATIENT = replace(PATIENT, connect=0.3, command=0.3)


@pytest.fixture(scope="module")
def identity() -> Identity:
    return issue()


async def test_a_mail_goes_by_mx_and_arrives_byte_for_byte():
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Done)
    assert (attempt.host, attempt.address, attempt.tls, attempt.policy) == (HOST, "127.0.0.1", "", "may (system)")
    assert attempt.reply == "250 2.0.0 kept"
    assert peer.mails == [status_mail().message.replace(b"\r\n.lead", b"\r\n..lead") + b".\r\n"]
    assert peer.in_clear[:3] == [
        "EHLO gateway.example.net",
        f"MAIL FROM:<> SIZE={len(status_mail().message)}",
        f"RCPT TO:<anna@{DOMAIN}>",
    ]


async def test_level_may_uses_tls_where_it_is_offered_and_says_which(identity, tmp_path):
    async with Peer(server_context(identity, tmp_path)) as peer:
        deliverer = make_deliverer(peer.port)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert attempt.tls.startswith("TLSv1.3 TLS_")
    assert peer.verbs_in_clear == ["EHLO", "STARTTLS"]


async def test_level_none_never_begins_tls(identity, tmp_path):
    async with Peer(server_context(identity, tmp_path)) as peer:
        deliverer = make_deliverer(peer.port, TlsLevel.NONE)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Done)
    assert "STARTTLS" not in peer.verbs_in_clear


async def test_the_sandbox_keeps_what_is_delivered_to_it(tmp_path):
    with Sandbox(hostname=HOST, folder=tmp_path / "box") as sandbox:
        deliverer = make_deliverer(sandbox.port)
        await deliverer.deliver(status_mail())
        mail = await sandbox.wait_for_mail(5)
        await deliverer.close()
    assert mail.content == status_mail().message
    assert mail.file is not None
    assert mail.file.read_bytes() == status_mail().message
    assert (mail.envelope_from, mail.recipients, mail.greeting) == ("", (f"anna@{DOMAIN}",), "gateway.example.net")
    assert mail.tls.startswith("TLSv1.3")
    assert mail.message["Subject"] == "status"


async def test_the_sandbox_says_when_no_mail_came():
    with Sandbox(offer_tls=False) as sandbox, pytest.raises(TimeoutError):
        await sandbox.wait_for_mail(0.01)


# --- what each answer at each stage means (rule 8) ---------------------------------------------------------------

ANSWERS = [
    ("GREETING", "554 no service", Retry, ProblemCode.MAIL_DEFERRED),
    ("GREETING", "421 too busy", Retry, ProblemCode.MAIL_DEFERRED),
    ("GREETING", CUT, Retry, ProblemCode.HOST_UNREACHABLE),
    ("GREETING", GARBAGE, Retry, ProblemCode.HOST_UNREACHABLE),
    ("GREETING", SILENT, Retry, ProblemCode.HOST_UNREACHABLE),
    ("GREETING", DRIP, Retry, ProblemCode.HOST_UNREACHABLE),
    ("EHLO", "421 go away", Retry, ProblemCode.MAIL_DEFERRED),
    ("EHLO", "450 not now", Retry, ProblemCode.MAIL_DEFERRED),
    ("EHLO", ENDLESS, Retry, ProblemCode.HOST_UNREACHABLE),
    ("EHLO", DRIP, Retry, ProblemCode.HOST_UNREACHABLE),
    ("MAIL", "451 4.7.1 greylisted", Retry, ProblemCode.MAIL_DEFERRED),
    ("MAIL", "550 5.7.1 no", Failed, ProblemCode.MAIL_REFUSED),
    ("MAIL", "421 closing", Retry, ProblemCode.MAIL_DEFERRED),
    ("RCPT", "450 4.2.1 later", Retry, ProblemCode.MAIL_DEFERRED),
    ("RCPT", "552 5.2.2 full", Retry, ProblemCode.MAIL_DEFERRED),
    ("RCPT", "550 5.1.1 unknown", Failed, ProblemCode.MAIL_REFUSED),
    ("RCPT", CUT, Retry, ProblemCode.HOST_UNREACHABLE),
    ("RCPT", ENDLESS, Retry, ProblemCode.HOST_UNREACHABLE),
    ("RCPT", GARBAGE, Retry, ProblemCode.HOST_UNREACHABLE),
    ("DATA", "452 4.3.1 disk", Retry, ProblemCode.MAIL_DEFERRED),
    ("DATA", "554 5.6.0 no", Failed, ProblemCode.MAIL_REFUSED),
    ("DATA", CUT, Retry, ProblemCode.HOST_UNREACHABLE),
    ("DOT", "451 4.3.0 later", Retry, ProblemCode.MAIL_DEFERRED),
    ("DOT", "421 4.3.2 closing", Retry, ProblemCode.MAIL_DEFERRED),
    ("DOT", "554 5.7.1 spam", Failed, ProblemCode.MAIL_REFUSED),
    ("DOT", CUT, Unknown, ProblemCode.NO_ANSWER),
    ("DOT", SILENT, Unknown, ProblemCode.NO_ANSWER),
    ("DOT", "354 go on", Unknown, ProblemCode.NO_ANSWER),
    ("DOT", "150 wait", Unknown, ProblemCode.NO_ANSWER),
    ("DOT", GARBAGE, Unknown, ProblemCode.NO_ANSWER),
]


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)], ids=["in turn", "pipelined"])
@pytest.mark.parametrize(("stage", "answer", "outcome", "code"), ANSWERS, ids=lambda value: repr(value)[:30])
async def test_case_34_each_answer_at_each_stage_has_its_meaning(stage, answer, outcome, code, extensions):
    async with Peer(extensions=extensions, answers={stage: answer}) as peer:
        if answer not in (SILENT, DRIP, ENDLESS, "150 wait"):
            patience = PATIENT
        else:
            patience = replace(PATIENT, content=0.3) if stage == "DOT" else IMPATIENT
        deliverer = make_deliverer(peer.port, patience=patience)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert type(attempt.outcome) is outcome
    assert not isinstance(attempt.outcome, Done)
    assert attempt.outcome.problem.code is code
    assert "\n" not in attempt.reply
    assert "Error" not in attempt.reply
    assert len(attempt.reply) < 400


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)], ids=["in turn", "pipelined"])
@pytest.mark.parametrize("stage", ["EHLO", "MAIL", "RCPT", "DATA"])
async def test_case_34_a_reset_inside_tls_defers_at_each_stage(stage, extensions, identity, tmp_path):
    async with Peer(server_context(identity, tmp_path), extensions=extensions, answers={f"tls:{stage}": CUT}) as peer:
        deliverer = make_deliverer(peer.port, TlsLevel.ENCRYPT)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert "MAIL" not in peer.verbs_in_clear


async def test_case_35_a_drop_after_the_dot_is_unknown_and_the_same_mail_may_be_sent_again():
    async with Peer(answers={"DOT": CUT}) as peer:
        deliverer = make_deliverer(peer.port)
        first = await deliverer.deliver(status_mail())
        peer.answers.clear()
        second = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(first.outcome, Unknown)
    assert isinstance(second.outcome, Done)
    assert peer.mails[0] == peer.mails[1]


async def test_a_peers_words_reach_the_trace_as_one_harmless_line():
    async with Peer(answers={"RCPT": "550-5.1.1 \x1b[31mno\r\n550 \x00such " + "x" * 900}) as peer:
        deliverer = make_deliverer(peer.port)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert attempt.reply.startswith("550 5.1.1 [31mno such xxx")
    assert len(attempt.reply) <= 304


# --- several hosts -----------------------------------------------------------------------------------------------


def two_hosts() -> TableResolver:
    return TableResolver(
        mx_records={DOMAIN: [(20, "second.example.com"), (10, "first.example.com")]},
        hosts={"first.example.com": ["127.0.0.1"], "second.example.com": ["127.0.0.2"]},
    )


@pytest.mark.parametrize("answers", [{"GREETING": "554 no"}, {"EHLO": "421 no"}, {"MAIL": CUT}, {"MAIL": "421 bye"}])
async def test_what_concerns_the_host_leads_to_the_next_host(answers):
    async with Peer(answers=answers) as first, Peer(host="127.0.0.2", port=first.port) as second:
        deliverer = make_deliverer(first.port, resolver=two_hosts())
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Done)
    assert attempt.host == "second.example.com"
    assert len(second.mails) == 1


@pytest.mark.parametrize("answers", [{"RCPT": "550 5.1.1 unknown"}, {"RCPT": "450 later"}, {"DOT": CUT}])
async def test_what_concerns_the_mail_is_not_carried_to_the_next_host(answers):
    async with Peer(answers=answers) as first, Peer(host="127.0.0.2", port=first.port) as second:
        deliverer = make_deliverer(first.port, resolver=two_hosts())
        await deliverer.deliver(status_mail())
        await deliverer.close()
    assert second.connections == 0


async def test_a_refused_connection_leads_to_the_next_address_and_host():
    resolver = TableResolver(
        mx_records={DOMAIN: [(10, "first.example.com"), (20, "second.example.com")]},
        hosts={"first.example.com": ["127.0.0.3", "127.0.0.4"], "second.example.com": ["127.0.0.5", "127.0.0.1"]},
    )
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port, resolver=resolver)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert (attempt.host, attempt.address) == ("second.example.com", "127.0.0.1")


# --- DNS (case 33) -----------------------------------------------------------------------------------------------

DNS = [
    (TableResolver(failing=frozenset({DOMAIN})), Retry, ProblemCode.DNS_FAILED),
    (TableResolver(), Failed, ProblemCode.NO_SUCH_DOMAIN),
    (TableResolver(mx_records={DOMAIN: [(0, ".")]}), Failed, ProblemCode.NO_SUCH_DOMAIN),
    (TableResolver(mx_records={DOMAIN: [(0, "a\x00b")]}), Retry, ProblemCode.HOST_UNREACHABLE),
    (TableResolver(mx_records={DOMAIN: [(0, HOST)]}, failing=frozenset({HOST})), Retry, ProblemCode.HOST_UNREACHABLE),
    (TableResolver(mx_records={DOMAIN: [(0, HOST)]}), Retry, ProblemCode.HOST_UNREACHABLE),
]


@pytest.mark.parametrize(("resolver", "outcome", "code"), DNS)
async def test_case_33_what_dns_says_decides_without_a_connection(resolver, outcome, code):
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port, resolver=resolver)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert type(attempt.outcome) is outcome
    assert not isinstance(attempt.outcome, Done)
    assert attempt.outcome.problem.code is code
    assert peer.connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0"])
async def test_case_33_an_mx_into_our_own_network_is_not_called(address):
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port, resolver=one_host(address), guard=AddressGuard())
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert "not a public address" in attempt.reply
    assert peer.connections == 0


async def test_case_33_an_mx_that_is_ourselves_is_not_called():
    async with Peer() as peer:
        name = "gateway.example.net"
        resolver = TableResolver(mx_records={DOMAIN: [(10, name)]}, hosts={name: ["127.0.0.1"]})
        deliverer = make_deliverer(peer.port, resolver=resolver)
        attempt = await deliverer.deliver(status_mail())
        own = AddressGuard(allowed=("127.0.0.0/8",), own=frozenset({"127.0.0.1"}))
        second = make_deliverer(peer.port, guard=own)
        other = await second.deliver(status_mail())
        await deliverer.close()
        await second.close()
    assert isinstance(attempt.outcome, Retry)
    assert "our own name" in attempt.reply
    assert "our own address" in other.reply
    assert peer.connections == 0


async def test_case_33_a_hundred_mx_records_take_one_attempt_with_few_calls():
    names = {f"mx{number}.example.com": ["127.0.0.9"] for number in range(100)}
    resolver = TableResolver(mx_records={DOMAIN: [(number, name) for number, name in enumerate(names)]}, hosts=names)
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port, resolver=resolver)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert attempt.host in {f"mx{number}.example.com" for number in range(5)}


async def test_an_address_that_could_carry_a_command_is_never_sent():
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port)
        for recipient in (
            "a b@example.com",
            "a>\r\nRSET@example.com",
            "a<b@example.com",
            "nobody",
            "@example.com",
            "a@exa mple.com",
        ):
            attempt = await deliverer.deliver(status_mail(recipient=recipient))
            assert isinstance(attempt.outcome, Failed), recipient
        attempt = await deliverer.deliver(status_mail(envelope_from="x> SIZE=1"))
        assert isinstance(attempt.outcome, Failed)
        await deliverer.close()
    assert peer.connections == 0


async def test_a_quoted_local_part_travels_as_it_is():
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port)
        await deliverer.deliver(status_mail(recipient='"a b"@example.com'))
        await deliverer.close()
    assert 'RCPT TO:<"a b"@example.com>' in peer.in_clear


# --- routes ------------------------------------------------------------------------------------------------------


async def test_a_route_beats_mx_and_when_it_is_down_the_mail_waits():
    async with Peer() as mx, Peer(host="127.0.0.2") as sap:
        port = sap.port
        deliverer = make_deliverer(mx.port, routes=(Route(domain=".example.com", host="[127.0.0.2]", port=port),))
        routed = await deliverer.deliver(status_mail(recipient="wf-batch@s4p.example.com"))
        await deliverer.close()
    async with Peer() as mx:
        route = Route(domain=DOMAIN, host="127.0.0.2", port=port)
        deliverer = make_deliverer(mx.port, routes=(route,))
        waiting = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(routed.outcome, Done)
    assert (routed.host, sap.mails != []) == ("127.0.0.2", True)
    assert isinstance(waiting.outcome, Retry)
    assert mx.connections == 0


async def test_a_source_address_is_used_and_where_it_is_not_ours_the_mail_waits():
    async with Peer() as peer:
        route = Route(domain=DOMAIN, host="127.0.0.1", port=peer.port, source_address="127.0.0.77")
        deliverer = make_deliverer(1, routes=(route,))
        attempt = await deliverer.deliver(status_mail())
        assert isinstance(attempt.outcome, Done)
        down = Route(domain=DOMAIN, host="127.0.0.1", port=peer.port, source_address="192.0.2.1")
        second = make_deliverer(1, routes=(down,))
        waiting = await second.deliver(status_mail())
        await deliverer.close()
        await second.close()
        assert peer.connections == 1
    assert isinstance(waiting.outcome, Retry)


async def test_a_password_goes_out_inside_tls_only(identity, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("käse\n")
    login = RelayLogin(user="gateway", password_file=secret)
    async with Peer(server_context(identity, tmp_path), extensions=("AUTH PLAIN LOGIN",)) as peer:
        deliverer = make_deliverer(1, routes=(Route(domain="*", host="127.0.0.1", port=peer.port, login=login),))
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Done)
    assert attempt.policy == f"encrypt (route of {DOMAIN})"
    assert "AUTH PLAIN AGdhdGV3YXkAa8Okc2U=" in peer.in_tls
    assert peer.verbs_in_clear == ["EHLO", "STARTTLS"]


@pytest.mark.parametrize(("answer", "extensions"), [("535 5.7.8 no", ("AUTH PLAIN",)), ("235 ok", ("AUTH CRAM-MD5",))])
async def test_a_refused_login_waits_and_shows_no_secret(answer, extensions, identity, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("hunter2")
    login = RelayLogin(user="gateway", password_file=secret)
    async with Peer(server_context(identity, tmp_path), extensions=extensions, answers={"AUTH": answer}) as peer:
        deliverer = make_deliverer(1, routes=(Route(domain="*", host="127.0.0.1", port=peer.port, login=login),))
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert attempt.outcome.problem.code is ProblemCode.MAIL_DEFERRED
    assert "hunter2" not in repr(attempt)
    assert "MAIL" not in [line.split()[0] for line in peer.in_tls]


async def test_a_login_without_tls_on_offer_waits_and_is_not_sent(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("hunter2")
    login = RelayLogin(user="gateway", password_file=secret)
    async with Peer(extensions=("AUTH PLAIN",)) as peer:
        route = Route(domain="*", host="127.0.0.1", port=peer.port, login=login, tls=TlsPolicy(level=TlsLevel.NONE))
        deliverer = make_deliverer(1, routes=(route,))
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert peer.verbs_in_clear == ["EHLO"]


async def test_a_client_certificate_is_shown_and_may_be_the_login(identity, tmp_path):
    own = issue(names=("gateway.example.net",))
    files = own.write(tmp_path, "own")
    context = server_context(identity, tmp_path)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cafile=files[0])
    certificate = ClientCertificate(certificate_file=files[0], key_file=files[1])
    async with Peer(context, extensions=("AUTH PLAIN EXTERNAL",)) as peer:
        route = Route(domain="*", host="127.0.0.1", port=peer.port, certificate=certificate)
        deliverer = make_deliverer(1, TlsLevel.ENCRYPT, routes=(route,))
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Done)
    assert peer.clients == [own.der]
    assert "AUTH EXTERNAL =" in peer.in_tls


async def test_a_refusal_inside_implicit_tls_is_the_hosts_and_not_the_policys(identity, tmp_path):
    context = server_context(identity, tmp_path)
    async with Peer(context, implicit=True, answers={"GREETING": "554 closed"}) as peer:
        route = Route(domain="*", host="127.0.0.1", port=peer.port, implicit_tls=True)
        deliverer = make_deliverer(1, routes=(route,))
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert attempt.outcome.problem.code is ProblemCode.MAIL_DEFERRED


async def test_implicit_tls_against_a_host_in_clear_is_a_matter_of_policy():
    async with Peer() as peer:
        route = Route(domain="*", host="127.0.0.1", port=peer.port, implicit_tls=True)
        deliverer = make_deliverer(1, routes=(route,))
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY


async def test_no_login_goes_out_in_clear_even_where_clear_text_is_allowed(tmp_path):
    files = issue(names=("gateway.example.net",)).write(tmp_path, "own")
    certificate = ClientCertificate(certificate_file=files[0], key_file=files[1])
    async with Peer(extensions=("AUTH EXTERNAL",)) as peer:
        route = Route(domain="*", host="127.0.0.1", port=peer.port, certificate=certificate)
        deliverer = make_deliverer(1, TlsLevel.MAY, routes=(route,))
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert peer.verbs_in_clear == ["EHLO"]


async def test_implicit_tls_speaks_nothing_in_clear(identity, tmp_path):
    async with Peer(server_context(identity, tmp_path), implicit=True) as peer:
        route = Route(domain="*", host="127.0.0.1", port=peer.port, implicit_tls=True)
        deliverer = make_deliverer(1, routes=(route,))
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Done)
    assert attempt.tls.startswith("TLSv1.3")
    assert peer.in_clear == []


# --- extensions --------------------------------------------------------------------------------------------------

EIGHT_BIT = "Subject: x\r\n\r\nÄ\r\n".encode()


@pytest.mark.parametrize(
    ("mail", "extensions", "outcome"),
    [
        (status_mail(message=EIGHT_BIT), ("8BITMIME",), Done),
        (status_mail(message=EIGHT_BIT), (), Failed),
        (status_mail(message=b"x" * 2000), ("SIZE 1000",), Failed),
        (status_mail(message=b"x" * 2000), ("SIZE 0",), Done),
        (status_mail(message=b"x" * 2000), ("SIZE " + "9" * 5_000,), Done),
        (status_mail(message=b"x" * 2000), ("SIZE",), Done),
        (status_mail(recipient="änna@example.com"), ("SMTPUTF8", "8BITMIME"), Done),
        (status_mail(recipient="änna@example.com"), (), Failed),
        (status_mail(recipient="anna@bücher.example.com"), (), Done),
    ],
)
async def test_what_the_peer_cannot_take_is_not_sent_to_it(mail, extensions, outcome):
    async with Peer(extensions=extensions) as peer:
        deliverer = make_deliverer(1, routes=(Route(domain="*", host="127.0.0.1", port=peer.port),))
        attempt = await deliverer.deliver(mail)
        await deliverer.close()
    assert type(attempt.outcome) is outcome
    assert len(peer.mails) == (outcome is Done)


async def test_bare_line_ends_leave_as_crlf():
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port)
        await deliverer.deliver(status_mail(message=b"Subject: x\n\nhi\n.\nMAIL FROM:<>\r.\r\nend"))
        await deliverer.close()
    assert peer.mails == [b"Subject: x\r\n\r\nhi\r\n..\r\nMAIL FROM:<>\r\n..\r\nend\r\n.\r\n"]


async def test_an_old_server_without_ehlo_is_greeted_with_helo():
    async with Peer(answers={"EHLO": "502 unknown"}) as peer:
        deliverer = make_deliverer(peer.port)
        attempt = await deliverer.deliver(status_mail())
        strict = make_deliverer(peer.port, TlsLevel.ENCRYPT)
        waiting = await strict.deliver(status_mail())
        await deliverer.close()
        await strict.close()
    assert isinstance(attempt.outcome, Done)
    assert isinstance(waiting.outcome, Retry)


# --- reuse, places, breaker --------------------------------------------------------------------------------------


async def test_a_connection_is_used_again_for_the_same_domain_and_policy():
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port)
        for _ in range(3):
            assert isinstance((await deliverer.deliver(status_mail())).outcome, Done)
        await deliverer.close()
    assert peer.connections == 1
    assert len(peer.mails) == 3


async def test_customers_with_different_policies_share_no_connection(identity, tmp_path):
    entries = (PolicyEntry(policy=TlsPolicy(level=TlsLevel.ENCRYPT), customer="strict"),)
    async with Peer(server_context(identity, tmp_path)) as peer:
        deliverer = make_deliverer(peer.port, *entries)
        free = await deliverer.deliver(status_mail(), customer="free")
        strict = await deliverer.deliver(status_mail(), customer="strict")
        again = await deliverer.deliver(status_mail(), customer="strict")
        await deliverer.close()
    assert (free.policy, strict.policy) == ("may (system)", "encrypt (customer strict)")
    assert again.tls == strict.tls
    assert peer.connections == 2


async def test_a_kept_connection_that_the_peer_ended_costs_nothing():
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port)
        await deliverer.deliver(status_mail())
        peer.answers["MAIL"] = "421 idle too long"
        task = asyncio.create_task(deliverer.deliver(status_mail()))
        while peer.connections < 2:
            await asyncio.sleep(0)
        peer.answers.clear()
        attempt = await task
        await deliverer.close()
    assert isinstance(attempt.outcome, Done)


async def test_a_refusal_on_a_kept_connection_counts_and_is_not_asked_again():
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port)
        await deliverer.deliver(status_mail())
        peer.answers["MAIL"] = "550 5.7.1 enough of you"
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Failed)
    assert peer.connections == 1


async def test_idle_connections_end_by_themselves():
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port, pool=PoolLimits(idle_seconds=0.01))
        await deliverer.deliver(status_mail())
        while "QUIT" not in peer.in_clear:
            await asyncio.sleep(0.005)
        await deliverer.deliver(status_mail())
        await deliverer.close()
    assert peer.connections == 2


async def test_one_dead_destination_holds_only_its_own_places():
    resolver = TableResolver(
        mx_records={"dead.example": [(10, "dead.example")], DOMAIN: [(10, HOST)]},
        hosts={"dead.example": ["127.0.0.2"], HOST: ["127.0.0.1"]},
    )
    async with Peer() as alive, Peer(host="127.0.0.2", port=alive.port, answers={"GREETING": SILENT}) as dead:
        pool = PoolLimits(connections=2, wait_seconds=0.05)
        deliverer = make_deliverer(alive.port, resolver=resolver, pool=pool)
        stuck = [asyncio.create_task(deliverer.deliver(status_mail(recipient="x@dead.example"))) for _ in range(10)]
        fine = await deliverer.deliver(status_mail())
        while sum(task.done() for task in stuck) < 8:
            await asyncio.sleep(0.005)
        done = [task for task in stuck if task.done()]
        waiting = [task for task in stuck if not task.done()]
        assert isinstance(fine.outcome, Done)
        assert dead.connections == 2
        outcomes = [task.result().outcome for task in done]
        assert all(isinstance(outcome, Retry) and outcome.after for outcome in outcomes)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await deliverer.close()


async def test_a_destination_that_keeps_failing_is_left_alone_then_probed_by_one_mail():
    now = 1000.0
    async with Peer(answers={"GREETING": "421 no"}) as peer:
        breaker = BreakerRule(failures=2, rests=Ladder.of_seconds(60, 120))
        deliverer = make_deliverer(peer.port, breaker=breaker, monotonic=lambda: now)
        for _ in range(5):
            attempt = await deliverer.deliver(status_mail())
        assert peer.connections == 2
        assert isinstance(attempt.outcome, Retry)
        assert attempt.outcome.after == timedelta(seconds=60)
        assert attempt.outcome.problem.code is ProblemCode.MAIL_DEFERRED
        assert not attempt.called
        now += 61
        peer.answers.clear()
        assert isinstance((await deliverer.deliver(status_mail())).outcome, Done)
        assert isinstance((await deliverer.deliver(status_mail())).outcome, Done)
        await deliverer.close()


async def test_mails_that_wait_for_a_place_do_not_join_a_probe_that_is_out():
    now = 1000.0
    async with Peer(answers={"GREETING": "421 no"}) as peer:
        deliverer = make_deliverer(
            peer.port,
            breaker=BreakerRule(failures=1, rests=Ladder.of_seconds(60)),
            pool=PoolLimits(connections=3),
            patience=IMPATIENT,
            monotonic=lambda: now,
        )
        await deliverer.deliver(status_mail())
        now += 61
        peer.answers["GREETING"] = SILENT
        attempts = await asyncio.gather(*(deliverer.deliver(status_mail()) for _ in range(9)))
        await deliverer.close()
    assert all(isinstance(attempt.outcome, Retry) for attempt in attempts)
    assert peer.connections == 2


async def test_policies_that_cannot_be_read_make_every_mail_wait():
    def broken():
        raise ValueError("corrupt")

    async with Peer() as peer:
        deliverer = make_deliverer(peer.port, policies=broken)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert not attempt.called
    assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY
    assert peer.connections == 0
