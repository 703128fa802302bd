"""Mail to the postmaster is kept within its bounds, forwarded once, and then forgotten, on both databases."""

from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from structlog.testing import capture_logs

from gateway.outbox import ChannelRules, OutboxLoop
from gateway.ports import MailAttempt, PostmasterMail
from gateway.postmaster import (
    POSTMASTER,
    NewPostmasterMail,
    Postmaster,
    PostmasterBounds,
    network_of,
    pack,
    unpack,
)
from mta.sending.compose import MailIdentity
from mta.sending.forward import compose_forward
from sms.outbox import OutboxEvent
from sms.outcome import Done, Failed, Problem, ProblemCode, Refusal, Refused, Retry
from sms.report import Channel
from sms.retry import Ladder
from store.answers import Rules
from store.engine.database import Database
from store.engine.keys import to_stored
from store.outbox import NewRow
from store.outbox_views import find_content, list_forwards
from tests.kit.clock import START, Clock
from tests.kit.fakes import FakeMailbox
from tests.kit.store_harness import SECOND, StoreHarness
from tests.unit.test_config import SMALL, complain, load

NOW = to_stored(START)
DAY = 86_400 * SECOND
WAITS = Problem(code=ProblemCode.HOST_UNREACHABLE, text="No host answers.", cause="connection refused")
RAW = b"From: <bob@example.org>\r\nSubject: Your mail\r\n\r\nPlease stop.\r\n"
IDENTITY = MailIdentity(
    from_name="SMS gateway",
    from_address="sms@sms.example.net",
    hostname="gateway.example.net",
    message_id_domain="sms.example.net",
)


@pytest.fixture
def database(database_url):
    made = Database(database_url)
    made.open()
    yield made
    made.close()


@pytest.fixture
def world(database):
    return StoreHarness("", Rules(), database=database, owner="one")


def new(raw: bytes = RAW, **changes) -> NewRow:
    about = {
        "sender": "bob@example.org",
        "recipients": "postmaster",
        "client": "203.0.113.9",
        "helo": "mx.example.org",
        "octets": len(raw),
    }
    facts = {"kind": POSTMASTER, "prefix": "P", "recipient": "ops@example.com", "now": NOW, "about": about}
    return NewRow(**{**facts, "content": pack(raw), **changes})


def add(world, raw: bytes = RAW, **changes) -> str | None:
    name: str | None = world.database.write_now(world.outbox.add, new(raw, **changes))
    return name


def content(world, name: str | None) -> bytes | None:
    stored: bytes | None = world.database.read_now(lambda tx: find_content(tx, name=name or ""))
    return stored


@pytest.mark.parametrize("raw", [RAW, RAW + bytes(range(256)) * 500], ids=["small", "large"])
def test_a_mail_is_kept_octet_by_octet_and_a_large_one_compressed(raw, world):
    name = add(world, raw)
    (taken,) = world.notices()
    assert (taken.public_id, taken.attempt) == (name, 1)
    assert (len(taken.content) < len(raw)) is (len(raw) > 65_536)
    assert unpack(taken.content) == raw
    assert content(world, name) == taken.content


def test_what_waits_is_bounded(world):
    kept = [add(world, most=2) for _ in range(3)]
    assert [name is None for name in kept] == [False, False, True]
    world.end_notice(world.notices(1)[0])
    assert add(world, most=2) is not None


def test_what_was_forwarded_loses_its_content_and_after_thirty_days_its_row(world):
    name = add(world)
    (taken,) = world.notices()
    world.end_notice(taken, reply="250 2.0.0 queued")
    (listed,) = world.database.read_now(lambda tx: list_forwards(tx, limit=5))
    assert (listed.mail_id, listed.state, listed.last_reply) == (name, "sent", "250 2.0.0 queued")
    assert content(world, name) is None
    assert world.database.write_now(world.outbox.forget, NOW + 30 * DAY) == 0
    assert world.database.write_now(world.outbox.forget, NOW + 30 * DAY + 1) == 1
    assert world.outbox_rows() == world.outbox_attempts() == []


def test_of_those_given_up_only_the_newest_keep_their_content(world, monkeypatch):
    monkeypatch.setattr("store.outbox.CONTENTS_KEPT", 5)
    names = [add(world) for _ in range(7)]
    for _ in names:
        (taken,) = world.notices(1)
        world.end_notice(taken, OutboxEvent.FAIL)
        world.now += 1
    assert [content(world, name) is None for name in names] == [True] * 2 + [False] * 5


@pytest.mark.parametrize("name", ["P.1", "P.x", "P." + "9" * 40, "P.²", ""])
def test_an_id_that_names_nothing_finds_nothing(name, world):
    assert content(world, name) is None


def postmaster_of(
    world, address: str = "ops@example.com", monotonic: Callable[[], float] = lambda: 0.0, **bounds
) -> Postmaster:
    return Postmaster(
        database=world.database,
        outbox=world.outbox,
        address=address,
        clock=Clock(),
        written=lambda: None,
        bounds=PostmasterBounds(**bounds),
        monotonic=monotonic,
    )


def came(client: str = "203.0.113.9", content: bytes = RAW) -> NewPostmasterMail:
    return NewPostmasterMail(
        sender="bob@example.org", recipients=("postmaster",), client=client, helo="mx.example.org", content=content
    )


@pytest.mark.parametrize(
    ("outcome", "event", "state", "said"),
    [
        (Done(), "forwarded", "sent", "250 2.0.0 queued"),
        (Retry(problem=WAITS), "waits", "queued", "No host answers."),
        (Failed(problem=WAITS), "given_up", "failed", "No host answers."),
    ],
)
async def test_a_mail_that_is_kept_is_forwarded_as_it_came_and_the_log_says_what_came_of_it(
    outcome, event, state, said, world
):
    reply = "250 2.0.0 queued" if isinstance(outcome, Done) else ""
    box = FakeMailbox()
    box.answer = lambda _: MailAttempt(outcome=outcome, reply=reply)
    ladder = Ladder(waits=[timedelta(minutes=1)], expire_after=timedelta(days=2))
    loop = OutboxLoop(
        database=world.database,
        outbox=world.outbox,
        channels={Channel.MAIL: ChannelRules(sender=box, ladder=ladder)},
        clock=Clock(),
        owner="one",
        chance=lambda: 0.0,
    )
    with capture_logs() as logs:
        name = await postmaster_of(world).keep(came())
        assert await loop.step()
        await loop.stop(60)
    (mail,) = box.told
    assert (mail.identity, mail.recipient, mail.content) == (name, "ops@example.com", RAW)
    assert [entry["event"] for entry in logs] == ["postmaster_mail_received", f"postmaster_mail_{event}"]
    (listed,) = world.database.read_now(lambda tx: list_forwards(tx, limit=5))
    assert (listed.state, listed.attempts, listed.last_reply) == (state, 1, said)


def refusal_of(said: str | Refused | None) -> Refusal | None:
    return said.refusal if isinstance(said, Refused) else None


async def test_a_network_has_its_share_of_an_hour_and_all_networks_have_theirs(world):
    now = [0.0]
    postmaster = postmaster_of(world, monotonic=lambda: now[0], per_network=2, per_hour=3)
    assert postmaster.admit("203.0.113.9") is None
    assert postmaster.admit("203.0.113.200") is None
    assert refusal_of(postmaster.refuse("203.0.113.7")) is Refusal.RATE_LIMITED
    assert refusal_of(postmaster.admit("203.0.113.7")) is Refusal.RATE_LIMITED
    assert postmaster.admit("2001:db8::1") is None
    assert refusal_of(postmaster.refuse("198.51.100.1")) is Refusal.RATE_LIMITED
    now[0] = 3600.0
    assert postmaster.refuse("203.0.113.7") is None


async def test_one_mail_too_many_that_waits_is_refused(world):
    postmaster = postmaster_of(world, waiting=1)
    assert refusal_of(await postmaster.keep(came())) is None
    assert refusal_of(await postmaster.keep(came())) is Refusal.NO_STORAGE


async def test_without_a_mailbox_nothing_is_taken(world):
    postmaster = postmaster_of(world, "")
    assert refusal_of(postmaster.refuse("203.0.113.9")) is Refusal.ADDRESS_UNKNOWN
    assert refusal_of(postmaster.admit("203.0.113.9")) is Refusal.ADDRESS_UNKNOWN
    assert world.outbox_rows() == []


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", ""),
    ],
)
def test_neighbours_count_as_one_source(client, network):
    assert network_of(client) == network


@pytest.mark.parametrize(
    ("mail", "mailbox"),
    [
        ("", ""),
        ('admin_address = "admin@example.com"', "admin@example.com"),
        ('admin_address = "admin@example.com"\npostmaster = "ops@example.org"', "ops@example.org"),
        ('admin_address = "postmaster@sms.example.net"', ""),
    ],
)
def test_the_operators_file_names_the_mailbox_or_the_administrators_serves(mail, mailbox, tmp_path):
    assert load(tmp_path, f"{SMALL}\n[mail]\n{mail}\n").postmaster == mailbox


def test_a_mailbox_that_leads_back_here_is_refused(tmp_path):
    (problem,) = complain(tmp_path, f'{SMALL}\n[mail]\npostmaster = "me@SMS.example.net"\n')
    assert "postmaster: expected an address of another domain" in str(problem)


def forwarded(content: bytes, **changes):
    facts = {
        "identity": "P.77",
        "recipient": "ops@example.com",
        "sender": "bob@example.org",
        "recipients": "Postmaster",
        "client": "203.0.113.9",
        "helo": "mx.example.org",
        "received_at": START,
        "content": content,
        **changes,
    }
    return compose_forward(PostmasterMail(**facts), identity=IDENTITY)


def test_a_mail_goes_on_attached_as_it_came_from_nobody_and_marked_as_ours():
    mail = forwarded(RAW)
    assert (mail.envelope_from, mail.recipient, mail.smtputf8) == ("", "ops@example.com", False)
    read = message_from_bytes(mail.message, policy=policy.default)
    assert read["Subject"] == "Mail to the postmaster: Your mail"
    assert (read["Auto-Submitted"], read["X-Mail2SMS-Notice"]) == ("auto-generated", "P.77")
    assert read["X-Loop"] == "postmaster@gateway.example.net"
    assert read["Message-ID"] == mail.message_id == "<pm.P.77@sms.example.net>"
    words, attached = read.iter_parts()
    assert "Sender:   <bob@example.org>" in words.get_content()
    assert attached.get_content_type() == "message/rfc822"
    assert RAW in mail.message
    assert forwarded(RAW).message == mail.message


@pytest.mark.parametrize(
    "raw",
    [
        "Subject: Grüße\r\n\r\nÄrger\r\n".encode(),
        b"Subject: x\r\n\r\n" + b"x" * 2000 + b"\r\n",
        b"Subject: x\r\n\r\n\0\r\n",
    ],
    ids=["8-bit", "a long line", "NUL"],
)
def test_what_may_be_changed_on_its_way_is_attached_as_a_file(raw):
    mail = forwarded(raw)
    assert mail.message.isascii()
    _, attached = message_from_bytes(mail.message, policy=policy.default).iter_parts()
    assert (attached.get_filename(), attached.get_content()) == ("mail.eml", raw)


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"no header\r\n", b"Subject:\r\n\r\n", b"Subject: x" * 20_000])
def test_a_mail_without_a_subject_or_a_header_goes_on_all_the_same(raw):
    read = message_from_bytes(forwarded(raw).message, policy=policy.default)
    assert read["Subject"].startswith("Mail to the postmaster:")
    assert len(list(read.iter_parts())) == 2


def test_nothing_that_a_stranger_says_becomes_a_field_or_a_part():
    mail = forwarded(
        b"Subject: =?utf-8?b?YQ0KQmNjOiBldmlsQGV4YW1wbGUub3Jn?=\r\n\r\n", helo="a\r\n--x\r\nBcc: evil@example.org"
    )
    read = message_from_bytes(mail.message, policy=policy.default)
    assert read["Bcc"] is None
    assert len(list(read.iter_parts())) == 2
