"""Pushes over real connections: what is posted and signed, where it never goes, and what each answer comes to."""

import base64
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from gateway.ports import PushCredential, PushNetworks
from gateway.pushes import Pushes
from gateway.report_pool import LARGE_REPORT, LargeReports
from inbound.actions import InboundRules, PushForm, PushLogin
from process.push import PUSH_LADDER
from sms.outcome import Done, Failed, ProblemCode, Retry
from sms.report import Channel
from store.push_keys import PushTerms
from templates.push_fields import status_fields
from tests.kit.application import Application
from tests.kit.clock import Clock
from tests.kit.resolver import TableResolver
from tests.kit.status_samples import NOW, many, notice, report
from tls.contexts import ClientCertificate, ClientContexts, ClientRole
from web.push import PushSender

LOOPBACK = ("127.0.0.0/8", "::1/128")
KEY = bytes(range(32))
EARLIER_KEY = bytes(range(32, 64))
CUSTOMERS = ("demo", "other")
SECRET = "whsec_" + base64.b64encode(KEY).decode()


async def standard_template(customer, profile):
    return PushForm.JSON, ""


async def terms_of(customer, user):
    return PushTerms(keys=(KEY, EARLIER_KEY) if customer == "demo" else ())


async def no_rules():
    return InboundRules()


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def large():
    reports = LargeReports()
    yield reports
    reports.close()


@pytest.fixture
def sender(authority, tmp_path, large):
    """Return a function that makes a sender; it trusts `authority` and calls loopback unless told otherwise."""
    made = []

    def make(networks=LOOPBACK, resolver=None, deadline_seconds=10.0, credentials=(), **allowed):
        pushes = Pushes(
            rules=no_rules,
            template_of=standard_template,
            terms_of=terms_of,
            allowances_of=dict.fromkeys(CUSTOMERS, (PushNetworks(networks=networks, **allowed),)),
            credentials_of={"demo": tuple(credentials)},
            large=large,
        )
        made.append(pushes)
        file = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(file)
        contexts = ClientContexts()
        return PushSender(
            request_of=pushes.request_of,
            resolver=resolver or TableResolver(hosts={"app.example.com": ["127.0.0.1"]}),
            context=lambda ca_file, certificate: contexts.get(
                ClientRole(verify=True, check_hostname=True, ca_file=ca_file or file, certificate=certificate)
            ),
            clock=Clock(NOW),
            deadline_seconds=deadline_seconds,
        )

    yield make
    for pushes in made:
        pushes.close()


@pytest.fixture
async def application(authority):
    """Return a function that starts an application; a certificate's `name` makes it one under TLS."""
    running = []

    async def start(*answers, name="", asks=False, **certificate):
        context = None
        if name:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            if asks:
                context.verify_mode = ssl.CERT_REQUIRED
                authority.configure_trust(context)
            authority.issue_cert(name, **certificate).configure_cert(context)
        running.append(await Application(answers, context).start())
        return running[-1]

    yield start
    for each in running:
        await each.stop()


def push(url, **changes):
    return notice(recipient=url, channel=Channel.PUSH, **changes)


async def test_a_push_is_a_signed_post_of_the_job_report_under_verified_tls(application, sender):
    app = await application(name="app.example.com")
    attempt = await sender().send(push(f"https://app.example.com:{app.port}/sms?of=us"))
    (taken,) = app.pushes
    assert attempt.outcome == Done()
    assert attempt.tls.startswith("TLSv1.3 ")
    assert (attempt.host, attempt.address, attempt.reply) == ("app.example.com", "127.0.0.1", "200 Answer")
    assert taken.line == "POST /sms?of=us HTTP/1.1"
    assert taken.headers["host"] == f"app.example.com:{app.port}"
    assert taken.headers["content-type"] == "application/json"
    assert taken.headers["webhook-id"] == "N_20261123071519Z77C1A0"
    assert int(taken.headers["webhook-timestamp"]) == int(NOW.timestamp())
    assert taken.is_signed_with(SECRET)
    assert taken.report["jobId"] == "J.20261123071504Z5D1E2F"


async def test_while_a_key_is_changed_the_one_before_signs_as_well(application, sender):
    app = await application()
    await sender().send(push(f"http://127.0.0.1:{app.port}/"))
    (taken,) = app.pushes
    assert [
        taken.is_signed_with("whsec_" + base64.b64encode(key).decode()) for key in (KEY, EARLIER_KEY, b"x" * 32)
    ] == [
        True,
        True,
        False,
    ]


@pytest.fixture
def token(tmp_path):
    file = tmp_path / "token"
    file.write_text("s3cret-token\n")
    return file


async def test_a_bearer_is_shown_to_the_url_that_it_is_for_and_to_those_below_it(application, sender, token):
    app = await application()
    url = f"http://127.0.0.1:{app.port}"
    one = sender(credentials=[PushCredential(url=f"{url}/sms", login=PushLogin.BEARER, password_file=token)])
    for path in ("/sms", "/sms/in?x=1", "/smsx", "/sms/../other", "/sms/%2e%2e/other", "/"):
        await one.send(push(f"{url}{path}"))
    shown = [taken.headers.get("authorization") for taken in app.pushes]
    assert shown == ["Bearer s3cret-token"] * 2 + [None] * 4


async def test_no_other_port_scheme_or_customer_is_shown_a_login(application, sender, token):
    app, other = await application(), await application()
    one = sender(
        credentials=[PushCredential(url=f"http://127.0.0.1:{app.port}/", login=PushLogin.BEARER, password_file=token)]
    )
    await one.send(push(f"http://127.0.0.1:{other.port}/"))
    await one.send(push(f"http://127.0.0.1:{app.port}/", report=report(customer="other")))
    assert [taken.headers.get("authorization") for taken in (*app.pushes, *other.pushes)] == [None, None]


async def test_a_password_that_cannot_be_read_puts_the_push_off_and_nobody_is_called(application, sender, tmp_path):
    app = await application()
    missing = PushCredential(
        url=f"http://127.0.0.1:{app.port}/", login=PushLogin.BASIC, user="us", password_file=tmp_path / "missing"
    )
    attempt = await sender(credentials=[missing]).send(push(f"http://127.0.0.1:{app.port}/"))
    assert isinstance(attempt.outcome, Retry)
    assert not attempt.called
    assert app.pushes == []


async def test_an_application_that_asks_for_a_certificate_gets_ours(authority, application, sender, tmp_path):
    app = await application(name="app.example.com", asks=True)
    ours = authority.issue_cert("gateway.example.net")
    certificate_file, key_file = tmp_path / "ours.pem", tmp_path / "ours.key"
    ours.cert_chain_pems[0].write_to_path(certificate_file)
    ours.private_key_pem.write_to_path(key_file)
    url = f"https://app.example.com:{app.port}/sms"
    shown = PushCredential(url=url, certificate=ClientCertificate(certificate_file=certificate_file, key_file=key_file))
    without = await sender().send(push(url))
    with_it = await sender(credentials=[shown]).send(push(url))
    assert isinstance(without.outcome, Retry)
    assert with_it.outcome == Done()
    assert [taken.certificate for taken in app.pushes] == [True]


async def test_an_allowed_network_is_called_from_its_address_and_trusts_its_authorities_alone(sender, tmp_path):
    private = trustme.CA()
    file = tmp_path / "private.pem"
    private.cert_pem.write_to_path(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    private.issue_cert("app.example.com").configure_cert(context)
    app = await Application(context=context).start()
    url = f"https://app.example.com:{app.port}/"
    trusted = await sender(ca_file=file, source_address="127.0.0.9").send(push(url))
    usual = await sender().send(push(url))
    await app.stop()
    assert trusted.outcome == Done()
    assert isinstance(usual.outcome, Retry)
    assert [taken.client for taken in app.pushes] == ["127.0.0.9"]


async def test_a_second_attempt_has_the_same_identity_so_that_it_can_be_folded(application, sender):
    app = await application(503)
    told = push(f"http://127.0.0.1:{app.port}/")
    for _ in range(2):
        await sender().send(told)
    assert [taken.headers["webhook-id"] for taken in app.pushes] == [told.public_id.replace(".", "_")] * 2


@pytest.mark.parametrize(("recipients", "apart"), [(LARGE_REPORT, False), (LARGE_REPORT + 1, True)])
async def test_only_a_large_push_is_made_and_signed_in_a_thread(application, sender, monkeypatch, recipients, apart):
    threads = []

    def watched(told):
        threads.append(threading.current_thread())
        return status_fields(told)

    monkeypatch.setattr("gateway.pushes.status_fields", watched)
    app = await application()
    await sender().send(push(f"http://127.0.0.1:{app.port}/", job=many(recipients)))
    assert [thread is not threading.main_thread() for thread in threads] == [apart]
    assert len(app.pushes[0].report["recipients"]) == recipients
    assert app.pushes[0].is_signed_with(SECRET)


async def test_a_customer_without_a_key_gets_no_signature(application, sender):
    app = await application()
    await sender().send(push(f"http://127.0.0.1:{app.port}/", job=report(customer="other")))
    assert "webhook-signature" not in app.pushes[0].headers


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Done) for status in (200, 201, 202, 204)),
        *((status, Failed) for status in (400, 410, 413, 415, 422)),
        *((status, Retry) for status in (301, 302, 307, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504)),
    ],
)
async def test_an_answer_is_taken_as_its_status_says(application, sender, status, kind):
    app = await application(status)
    attempt = await sender().send(push(f"http://127.0.0.1:{app.port}/"))
    assert isinstance(attempt.outcome, kind)
    assert attempt.reply == f"{status} Answer"


async def test_a_redirect_is_not_followed(application, sender):
    elsewhere = await application()
    answer = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{elsewhere.port}/\r\nContent-Length: 0\r\n\r\n"
    app = await application(answer.encode())
    attempt = await sender().send(push(f"http://127.0.0.1:{app.port}/"))
    assert isinstance(attempt.outcome, Retry)
    assert "redirects are not followed" in attempt.outcome.problem.text
    assert elsewhere.pushes == []


@pytest.mark.parametrize("name", ["other.example.com", "*.example.net"])
async def test_a_certificate_of_another_name_is_not_trusted_and_nothing_is_posted(application, sender, name):
    app = await application(name=name)
    attempt = await sender().send(push(f"https://app.example.com:{app.port}/"))
    assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY
    assert isinstance(attempt.outcome, Retry)
    assert app.pushes == []


async def test_a_certificate_that_has_expired_is_not_trusted(application, sender):
    app = await application(name="app.example.com", not_after=datetime.now(UTC) - timedelta(hours=1))
    attempt = await sender().send(push(f"https://app.example.com:{app.port}/"))
    assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY
    assert "expired" in attempt.outcome.problem.text
    assert app.pushes == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "192.168.0.9", "169.254.169.254", "::1", "::ffff:10.0.0.1", "0.0.0.0"]
)
async def test_a_name_that_leads_into_our_own_network_is_not_called(application, sender, address):
    app = await application()
    one = sender((), TableResolver(hosts={"app.example.com": [address]}))
    attempt = await one.send(push(f"https://app.example.com:{app.port}/"))
    assert isinstance(attempt.outcome, Failed)
    assert "not a public address" in attempt.outcome.problem.text
    assert app.pushes == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_an_address_of_this_machine_is_called_only_where_the_operator_allows_it(application, sender, host):
    app = await application()
    attempt = await sender(()).send(push(f"http://{host}:{app.port}/"))
    assert isinstance(attempt.outcome, Failed)
    assert app.pushes == []


async def test_where_the_first_address_is_dead_the_next_one_is_called(application, sender):
    app = await application()
    both = TableResolver(hosts={"app.example.com": ["::1", "127.0.0.1"]})
    attempt = await sender(resolver=both).send(push(f"http://app.example.com:{app.port}/"))
    assert (attempt.outcome, attempt.address) == (Done(), "127.0.0.1")


async def test_what_cannot_be_reached_is_tried_again_later(application, sender):
    app = await application()
    await app.stop()
    attempt = await sender().send(push(f"http://127.0.0.1:{app.port}/"))
    assert isinstance(attempt.outcome, Retry)
    assert attempt.outcome.problem.code is ProblemCode.HOST_UNREACHABLE


@pytest.mark.parametrize(
    ("resolver", "code"),
    [
        (TableResolver(failing=frozenset({"app.example.com"})), ProblemCode.DNS_FAILED),
        (TableResolver(), ProblemCode.NO_SUCH_DOMAIN),
    ],
)
async def test_a_name_without_an_address_is_tried_again_later(sender, resolver, code):
    attempt = await sender(resolver=resolver).send(push("https://app.example.com/"))
    assert isinstance(attempt.outcome, Retry)
    assert attempt.outcome.problem.code is code


async def test_an_application_that_never_answers_costs_no_more_than_the_deadline(application, sender):
    app = await application(None)
    deadlines = iter([0.2, 2, 20])  # the first is enough, unless the machine is busy
    while not app.pushes:
        attempt = await sender(deadline_seconds=next(deadlines)).send(push(f"http://127.0.0.1:{app.port}/"))
        assert attempt.outcome.problem.text == "It did not answer in time."
    assert len(app.pushes) == 1


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000])
async def test_what_is_no_answer_in_http_is_tried_again_later(application, sender, answer):
    app = await application(answer)
    attempt = await sender().send(push(f"http://127.0.0.1:{app.port}/"))
    assert isinstance(attempt.outcome, Retry)
    assert attempt.outcome.problem.code is ProblemCode.PUSH_DEFERRED


async def test_an_answer_without_end_is_not_read(application, sender):
    app = await application(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 1000)
    attempt = await sender().send(push(f"http://127.0.0.1:{app.port}/"))
    assert attempt.outcome == Done()


async def test_a_proxy_of_the_environment_is_not_used(application, sender, monkeypatch):
    app, proxy = await application(), await application()
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
    await sender().send(push(f"http://127.0.0.1:{app.port}/"))
    assert (len(app.pushes), len(proxy.pushes)) == (1, 0)


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_a_push_is_tried_again_three_times_in_a_minute_nine_times_more_in_ten_and_then_every_quarter(jitter):
    created = at = datetime(2026, 11, 23, tzinfo=UTC)
    after: list[timedelta] = []
    while due := PUSH_LADDER.next_at(len(after) + 1, created, at, jitter):
        at = due
        after.append(due - created)
    assert len([wait for wait in after if wait <= timedelta(minutes=1)]) == 3
    assert len([wait for wait in after if wait <= timedelta(minutes=10)]) == 12
    assert after[-1] == timedelta(hours=48)
    assert 180 <= len(after) <= 230


def test_chance_spreads_the_retries_and_none_follows_48_hours():
    created = datetime(2026, 11, 23, tzinfo=UTC)
    assert len({PUSH_LADDER.next_at(1, created, created, chance / 5) for chance in range(5)}) == 5
    assert PUSH_LADDER.next_at(200, created, created + timedelta(hours=48), 0.5) is None
