"""An inbound SMS pushed to an application over real connections: forms, logins, order, and that each event arrives."""

import asyncio
import base64
import hashlib
import json
import re
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import parse_qsl

import pytest
from lxml import etree

from gateway.admin.pushes import list_pushes, replay_failed, replay_push, show_push
from gateway.outbox import ChannelRules, OutboxLoop
from gateway.ports import PushNetworks
from gateway.pushes import Pushes
from gateway.report_pool import LargeReports
from inbound.actions import ActionKind, PushAction, PushForm, PushLogin
from process.push import PUSH_LADDER
from sms.report import Channel
from store.inbound_tables import ActionRow
from store.outbox import OutboxEnd
from store.push_keys import PushTerms
from tests.kit.application import Application
from tests.kit.fakes import until
from tests.kit.inbound_harness import InboundHarness, piece
from tests.kit.resolver import TableResolver
from web.push import PushSender

KEY = bytes(range(32))
TRUSTING = ssl.create_default_context()
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER = "+447700900124"
REDIRECT = b"HTTP/1.1 307 Elsewhere\r\nLocation: https://elsewhere.example.com/\r\nContent-Length: 0\r\n\r\n"
PAUSE = b"HTTP/1.1 429 Slowly\r\nRetry-After: 1800\r\nContent-Length: 0\r\n\r\n"
NASTY = "<b>&amp; \"x\" 'y' = 1&a=b%20 \N{SNOWMAN}\nsecond line"


async def standard_template(customer, profile):
    return PushForm.JSON, ""


async def terms_of(customer, user):
    return PushTerms(keys=(KEY,))


class World(InboundHarness):
    """A gateway with one customer, whose application takes SMS by push; `gone` are those that were given up."""

    async def begin(self, networks=("127.0.0.0/8",), *, deadline_seconds=10.0) -> None:
        self.furnish()
        self.away = False
        self.gone: list[tuple[str, OutboxEnd]] = []
        self.large = LargeReports()
        self.pushes = Pushes(
            rules=self.rules,
            template_of=standard_template,
            terms_of=terms_of,
            allowances_of={"example ltd": (PushNetworks(networks=networks),)},
            credentials_of={},
            large=self.large,
        )
        sender = PushSender(
            request_of=self.pushes.request_of,
            resolver=TableResolver(hosts={"app.example.com": ["127.0.0.1"], "public.example.com": ["8.8.8.8"]}),
            context=lambda ca_file, certificate: TRUSTING,
            clock=self.clock,
            deadline_seconds=deadline_seconds,
        )
        rules = ChannelRules(
            sender=sender, ladder=PUSH_LADDER, given_up=lambda taken, end: self.gone.append((taken.public_id, end))
        )
        self.loop = OutboxLoop(
            database=self.database,
            outbox=self.outbox,
            channels={Channel.PUSH: rules},
            clock=self.clock,
            owner="me",
            chance=lambda: 0.5,
        )
        self.loop.start()

    async def rules(self):
        return self.book.rules if not self.away and await self.book.confirm() else None

    def add_push(self, app: Application, **changes) -> int:
        settings = PushAction(**{"url": f"http://127.0.0.1:{app.port}/sms", "form": PushForm.JSON, **changes})
        return self.add_action(self.customer, settings, ActionKind.PUSH)

    async def came(self, *texts: str, source: str = "+447700900123") -> None:
        """Let the phone send these."""
        for text in texts:
            await self.arrive(piece(text, source=source))
            await self.handle()
        self.loop.kick()

    async def later(self, by: timedelta) -> None:
        self.clock.move(by)
        self.loop.kick()

    def states(self):
        return [(row.state, row.attempts) for row in self.outbox_rows(kind="inbound-push")]

    async def end(self) -> None:
        await self.loop.stop(5)
        self.pushes.close()
        self.large.close()
        self.database.close()


@pytest.fixture
async def world(database_url):
    world = World(database_url)
    yield world
    await world.end()


@pytest.fixture
async def application():
    """Return a function that starts an application."""
    running = []

    async def start(*answers):
        running.append(await Application(answers).start())
        return running[-1]

    yield start
    for each in running:
        await each.stop()


def texts(app: Application) -> list[str]:
    return [push.report["text"] for push in app.pushes]


def ids(app: Application) -> list[str]:
    return [push.headers["webhook-id"] for push in app.pushes]


@pytest.mark.slow
async def test_whatever_a_receiver_does_the_order_is_kept_and_each_event_arrives_with_one_id(world, application):
    late = asyncio.Event()
    answers = [500, None, REDIRECT, 404, late, b"SMTP\r\n"]
    app = await application(*answers)
    await world.begin(deadline_seconds=2.0)
    world.add_push(app)
    await world.came("one", "two", "three")
    for attempts in range(1, len(answers) + 1):
        waits = [("queued", attempts), ("queued", 0), ("queued", 0)]
        await until(partial(lambda expected: world.states() == expected, waits))
        await world.later(timedelta(minutes=16))
    late.set()
    await until(lambda: [state for state, _ in world.states()] == ["sent"] * 3)
    assert texts(app) == ["one"] * (len(answers) + 1) + ["two", "three"]
    first, *_, second, third = ids(app)
    assert set(ids(app)) == {first, second, third}
    assert ids(app).count(first) == len(answers) + 1


async def test_another_phone_waits_for_no_one_elses_push(world, application):
    app = await application(None)
    await world.begin(deadline_seconds=60)
    world.add_push(app)
    await world.came("hangs", "behind it")
    await app.has(1)
    await world.came("well", source=OTHER)
    await until(lambda: [state for state, _ in world.states()] == ["sending", "queued", "sent"])
    assert texts(app) == ["hangs", "well"]


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        (PAUSE, timedelta(minutes=30)),
        (PAUSE.replace(b"1800", b"Mon, 23 Nov 2026 16:40:00 GMT"), timedelta(minutes=40)),
        (PAUSE.replace(b"1800", b"999999999"), timedelta(hours=1)),
        (PAUSE.replace(b"1800", b"1"), timedelta(seconds=16)),
        (PAUSE.replace(b"429 ", b"503 "), timedelta(minutes=30)),
        (PAUSE.replace(b"429 ", b"500 "), timedelta(seconds=16)),
        (PAUSE.replace(b"1800", b"soon"), timedelta(seconds=16)),
    ],
)
async def test_who_asks_for_a_pause_has_it_up_to_an_hour(world, application, answer, pause):
    app = await application(answer)
    await world.begin()
    world.add_push(app)
    await world.came("one")
    await until(lambda: world.states() == [("queued", 1)])
    (row,) = world.outbox_rows(kind="inbound-push")
    assert row.due_at - row.created_at == pause.total_seconds() * 1_000_000


async def test_who_is_gone_gets_nothing_more_and_the_action_says_why(world, application):
    app = await application(410)
    await world.begin()
    key = world.add_push(app)
    await world.came("one", "two")
    await until(lambda: [state for state, _ in world.states()][:1] == ["failed"])
    (action,) = world.stored(ActionRow, key=key)
    assert not action.active
    assert "It answered with status 410" in action.problem
    await until(lambda: [state for state, _ in world.states()] == ["failed", "failed"])
    (name, end), *_ = world.gone
    assert (end.reason, end.ends_action) == ("push-gone", key)
    assert [entry.action for entry in world.audit()][-1] == "action.gone"
    assert [name.replace(".", "_")] == ids(app)
    await world.came("three")
    assert len(world.states()) == 2


async def test_what_failed_is_sent_again_in_its_order_with_the_same_ids(world, application):
    app = await application(400, 422)
    await world.begin()
    world.add_push(app)
    began = world.clock.now()
    await world.came("one", "two", "three")
    await until(lambda: [state for state, _ in world.states()] == ["failed", "failed", "sent"])
    world.clock.move(timedelta(days=20))
    done = world.admin.change_now(lambda edit: replay_failed(edit, began, "Example Ltd"))
    assert done[0].facts["pushes"] == 2
    world.loop.kick()
    await until(lambda: [state for state, _ in world.states()] == ["sent"] * 3)
    assert texts(app) == ["one", "two", "three", "one", "two"]
    assert ids(app)[3:] == ids(app)[:2]
    assert [entry.action for entry in world.audit()][-1] == "push.replay-failed"


async def test_a_push_that_is_sent_again_has_all_its_attempts_anew(world, application):
    app = await application(200, 503)
    await world.begin()
    world.add_push(app)
    await world.came("one")
    await until(lambda: world.states() == [("sent", 1)])
    (name,) = ids(app)
    world.clock.move(timedelta(days=20))
    world.admin.change_now(lambda edit: replay_push(edit, name))
    await world.later(timedelta(0))
    await until(lambda: world.states() == [("queued", 1)])
    await world.later(timedelta(minutes=1))
    await until(lambda: world.states() == [("sent", 2)])
    assert ids(app) == [name] * 3
    (listed,) = world.database.read_now(lambda tx: list_pushes(tx, customer="Example Ltd", state="sent"))
    assert (listed["push"], listed["customer"], listed["event"]) == (
        name.replace("_", "."),
        "Example Ltd",
        "inbound-push",
    )
    shown = world.database.read_now(lambda tx: show_push(tx, name))
    assert ["200 Answer" in attempt for attempt in shown["attempts"]] == [True, False, True]


FIELDS = {
    "cuNo": "Example Ltd",
    "storeTs": "2026-11-23T16:00:00.000Z",
    "src": "+447700900123",
    "dst": "+447700900999",
    "text": NASTY,
}


def of_xml(body: bytes) -> dict[str, str]:
    return {field.tag: field.text or "" for field in etree.fromstring(body)}


def of_soap(body: bytes) -> dict[str, str]:
    return {field.tag: field.text or "" for field in etree.fromstring(body)[0][0]}


def of_pairs(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("ascii"), strict_parsing=True))


READERS: dict[PushForm, tuple[str, Callable[[bytes], dict[str, str]]]] = {
    PushForm.XML: ("application/xml; charset=utf-8", of_xml),
    PushForm.JSON: ("application/json", json.loads),
    PushForm.KEY_VALUE: ("application/x-www-form-urlencoded", of_pairs),
    PushForm.SOAP: ("text/xml; charset=utf-8", of_soap),
}


@pytest.mark.parametrize(("form", "method"), [*((form, "POST") for form in PushForm), (PushForm.XML, "PUT")])
async def test_each_form_brings_all_fields_whatever_the_text(world, application, form, method):
    content_type, read = READERS[form]
    app = await application()
    await world.begin()
    world.add_push(app, form=form, method=method, headers={"X-Of": "us"})
    await world.came(NASTY)
    await until(lambda: world.states() == [("sent", 1)])
    (push,) = app.pushes
    fields = read(push.body)
    assert fields.pop("smsId").startswith("I.")
    assert fields == FIELDS
    assert push.line == f"{method} /sms HTTP/1.1"
    assert (push.headers["content-type"], push.headers["x-of"]) == (content_type, "us")
    assert push.headers.get("soapaction") == ('""' if form is PushForm.SOAP else None)
    assert push.is_signed_with(SECRET)


async def test_the_library_of_standard_webhooks_verifies_a_push_and_none_that_was_changed(world, application):
    app = await application()
    world.clock.instant = datetime.now(UTC)
    await world.begin()
    world.add_push(app)
    await world.came("Signed")
    await until(lambda: world.states() == [("sent", 1)])
    (push,) = app.pushes
    assert push.is_verified_with(SECRET)
    other = "whsec_" + base64.b64encode(bytes(32)).decode()
    assert not push.is_verified_with(other)


async def test_a_template_of_its_own_renames_leaves_out_and_adds_fields_in_any_form(world, application):
    app = await application()
    await world.begin()
    template = "<Sms version='2'><To>{{ dst }}</To><Body>{{ text|upper }}</Body></Sms>"
    world.add_push(app, form=PushForm.XML, template=template)
    await world.came("<hello>")
    await until(lambda: world.states() == [("sent", 1)])
    assert app.pushes[0].body == b"<Sms version='2'><To>+447700900999</To><Body>&lt;HELLO&gt;</Body></Sms>"


async def test_a_template_that_fails_is_no_attempt_and_goes_out_when_it_is_mended(world, application):
    app = await application()
    await world.begin()
    world.add_push(app, template='{"text":{{ txt }}}')
    await world.came("one")
    await until(lambda: [row.problem for row in world.outbox_rows(kind="inbound-push")] != [""])
    (row,) = world.outbox_rows(kind="inbound-push")
    assert (row.state, row.attempts) == ("queued", 0)
    assert "nothing is called «txt» here; did you mean «text»?" in row.problem
    assert app.pushes == []


def of_digest(header: str) -> dict[str, str]:
    return dict(re.findall(r'(\w+)="?([^",]*)"?', header.removeprefix("Digest ")))


@pytest.mark.parametrize(("algorithm", "digest"), [("SHA-256", hashlib.sha256), ("MD5", hashlib.md5)])
async def test_a_digest_login_answers_the_challenge_with_the_operators_password(
    world, application, tmp_path, algorithm, digest
):
    challenge = f'Digest realm="sms", nonce="abc", qop="auth", algorithm={algorithm}'
    app = await application(
        f"HTTP/1.1 401 Who\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 99999999\r\n\r\n".encode()
    )
    (tmp_path / "password").write_text("Käse\n", "utf-8")
    await world.begin()
    world.add_push(app, login=PushLogin.DIGEST, user="anna", password_file=str(tmp_path / "password"), method="PUT")
    await world.came("one")
    await until(lambda: world.states() == [("sent", 1)])
    asked, proven = app.pushes
    assert "authorization" not in asked.headers
    said = of_digest(proven.headers["authorization"])

    def h(text):
        return digest(text.encode()).hexdigest()

    proof = f"{h('anna:sms:Käse')}:abc:{said['nc']}:{said['cnonce']}:auth:{h('PUT:/sms')}"
    assert said["response"] == h(proof)
    assert asked.body == proven.body


async def test_a_basic_login_brings_the_password_and_no_row_or_log_has_it(world, application, tmp_path):
    app = await application()
    (tmp_path / "password").write_text("geheim 12\n", "utf-8")
    await world.begin()
    world.add_push(app, login=PushLogin.BASIC, user="anna", password_file=str(tmp_path / "password"))
    await world.came("one")
    await until(lambda: world.states() == [("sent", 1)])
    assert app.pushes[0].headers["authorization"] == "Basic " + base64.b64encode(b"anna:geheim 12").decode()
    assert not any("geheim" in str(row) for row in (*world.outbox_rows(), *world.outbox_attempts()))


async def test_while_the_actions_cannot_be_read_nothing_is_given_up(world, application):
    app = await application()
    await world.begin()
    world.add_push(app)
    world.away = True
    await world.came("one")
    await until(lambda: "can't be read now" in world.outbox_rows(kind="inbound-push")[0].problem)
    world.away = False
    await world.later(timedelta(minutes=1))
    await until(lambda: world.states() == [("sent", 1)])


async def test_a_password_that_cannot_be_read_is_no_attempt(world, application, tmp_path):
    app = await application()
    await world.begin()
    world.add_push(app, login=PushLogin.BASIC, user="anna", password_file=str(tmp_path / "missing"))
    await world.came("one")
    await until(lambda: "can't be read" in world.outbox_rows(kind="inbound-push")[0].problem)
    assert app.pushes == []


@pytest.mark.parametrize(
    ("url", "networks", "said"),
    [
        ("http://127.0.0.1:{port}/", (), "127.0.0.1 is not a public address"),
        ("https://127.0.0.1:{port}/", (), "127.0.0.1 is not a public address"),
        ("http://app.example.com:{port}/", (), "127.0.0.1 is not a public address"),
        ("http://public.example.com:{port}/", (), "8.8.8.8 is not one that it may be sent to over http"),
        ("https://localhost:{port}/", ("10.0.0.0/8", "::1/128"), "127.0.0.1 is not a public address"),
        ("http://127.0.0.1:{port}/", ("127.0.0.2/32",), "127.0.0.1 is not a public address"),
    ],
)
async def test_what_the_operator_does_not_allow_to_this_customer_is_not_called(world, application, url, networks, said):
    app = await application()
    await world.begin(networks)
    world.add_push(app, url=url.format(port=app.port))
    await world.came("one")
    await until(lambda: world.states() == [("failed", 1)])
    assert said in world.outbox_rows(kind="inbound-push")[0].problem
    assert app.pushes == []
