"""Mail to the postmaster is kept within its bounds, forwarded once, and then forgotten, on both databases."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from email import message_from_bytes, policy

import pytest
from structlog.testing import capture_logs

from gateway.ports import MailAttempt
from gateway.postmaster import NewPostmasterMail, Postmaster, PostmasterBounds, PostmasterMail, network_of
from mta.sending.compose import MailIdentity
from mta.sending.forward import compose_forward
from sms.outcome import Done, Failed, Outcome, Problem, ProblemCode, Refusal, Refused, Retry, Unknown
from store.engine.database import Database
from store.engine.keys import Keys, to_stored
from store.leases import Leases, NodeLeaseRequest
from store.postmaster import (
    GIVEN_UP_KEPT,
    ForwardEnd,
    NewForward,
    PostmasterStore,
    TakeForward,
    find_content,
    list_forwards,
    pack,
)
from tests.kit.clock import START
from tests.kit.store_harness import SECOND
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


def rows(database, columns: str = "state") -> list[tuple]:
    return [
        tuple(row)
        for row in database.read_now(lambda tx: tx.rows(f"SELECT {columns} FROM forwarded_mail ORDER BY key"))
    ]


def new(raw: bytes = RAW, *, now: int = NOW, most: int = 9) -> NewForward:
    return NewForward(
        sender="bob@example.org",
        recipients="postmaster",
        client="203.0.113.9",
        helo="mx.example.org",
        packed=pack(raw),
        now=now,
        most=most,
    )


def take(now: int = NOW, owner: str = "one") -> TakeForward:
    return TakeForward(owner=owner, now=now)


@pytest.mark.parametrize("raw", [RAW, RAW + bytes(range(256)) * 500], ids=["small", "large"])
def test_a_mail_is_kept_octet_by_octet_and_a_large_one_compressed(raw, database):
    store = PostmasterStore(Keys(1, START.timestamp))
    key = database.write_now(store.add, new(raw))
    assert rows(database, "octets, compressed") == [(len(raw), len(raw) > 65_536)]
    taken = database.write_now(store.take, take(NOW))
    assert taken is not None
    assert (taken.key, taken.content, taken.attempt) == (key, raw, 1)
    assert database.read_now(lambda tx: find_content(tx, name=f"P.{key}")) == raw


def test_a_mail_that_a_process_took_is_nobody_elses_until_that_process_is_dead(database):
    store, leases = PostmasterStore(Keys(1, START.timestamp)), Leases()
    database.write_now(leases.acquire, NodeLeaseRequest(owner="one", node=1))
    database.write_now(store.add, new())
    assert database.write_now(store.take, take(NOW - 1)) is None
    assert database.write_now(store.take, take(NOW)) is not None
    assert database.write_now(store.take, take(NOW + DAY, "two")) is None
    alive = database.write_now(store.recover, NOW)
    assert alive == (0 if database.postgresql else 1)  # a SQLite file has no second process to ask
    database.write_now(leases.release, "one")
    assert alive + database.write_now(store.recover, NOW) == 1
    again = database.write_now(store.take, take(NOW, "two"))
    assert again is not None
    assert again.attempt == 2
    database.write_now(store.end, ForwardEnd(key=again.key, attempt=1, state="failed", now=NOW))
    assert rows(database, "state") == [("sending",)]  # what the process that ended says changes nothing


def test_what_waits_is_bounded(database):
    store = PostmasterStore(Keys(1, START.timestamp))
    kept = [database.write_now(store.add, new(most=2)) for _ in range(3)]
    assert [key is None for key in kept] == [False, False, True]
    database.write_now(store.take, take())
    database.write_now(store.end, ForwardEnd(key=kept[0] or 0, attempt=1, state="forwarded", now=NOW))
    assert database.write_now(store.add, new(most=2)) is not None


def test_what_was_forwarded_loses_its_content_and_after_thirty_days_its_row(database):
    store = PostmasterStore(Keys(1, START.timestamp))
    key = database.write_now(store.add, new()) or 0
    database.write_now(store.take, take())
    end = ForwardEnd(key=key, attempt=1, state="forwarded", now=NOW, last_reply="250 2.0.0 queued")
    database.write_now(store.end, end)
    (listed,) = database.read_now(lambda tx: list_forwards(tx, limit=5))
    assert (listed.mail_id, listed.state, listed.last_reply) == (f"P.{key}", "forwarded", "250 2.0.0 queued")
    assert database.read_now(lambda tx: find_content(tx, name=f"P.{key}")) == b""
    database.write_now(store.take, take(NOW + 30 * DAY))
    assert len(rows(database)) == 1
    database.write_now(store.take, take(NOW + 30 * DAY + 1))
    assert rows(database) == []


def test_of_those_given_up_only_the_newest_keep_their_content(database):
    store = PostmasterStore(Keys(1, START.timestamp))
    keys = [database.write_now(store.add, new(most=GIVEN_UP_KEPT + 9)) or 0 for _ in range(GIVEN_UP_KEPT + 2)]
    for step, key in enumerate(keys):
        database.write_now(store.take, take())
        database.write_now(store.end, ForwardEnd(key=key, attempt=1, state="failed", now=NOW + step))
    contents = [database.read_now(lambda tx, key=key: find_content(tx, name=f"P.{key}")) for key in keys]
    assert contents == [b""] * 2 + [RAW] * GIVEN_UP_KEPT


@pytest.mark.parametrize("name", ["P.1", "P.x", "P." + "9" * 40, "P.²", ""])
def test_an_id_that_names_nothing_finds_nothing(name, database):
    assert database.read_now(lambda tx: find_content(tx, name=name)) is None


class Clock:
    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at


class FakeMailSender:
    """Answers each mail with the next outcome; `None` breaks."""

    def __init__(self, *outcomes: Outcome | None) -> None:
        self.outcomes = list(outcomes)
        self.brought: list[PostmasterMail] = []

    async def send_forward(self, mail: PostmasterMail) -> MailAttempt:
        self.brought.append(mail)
        outcome = self.outcomes.pop(0)
        if outcome is None:
            raise RuntimeError("broken")
        return MailAttempt(outcome=outcome, reply="250 2.0.0 queued" if isinstance(outcome, Done) else "")


def postmaster_of(database, postman, clock, monotonic: Callable[[], float] = lambda: 0.0, **bounds) -> Postmaster:
    def following(attempt: int, created_at: datetime, now: datetime) -> datetime | None:
        return now + timedelta(minutes=1) if attempt < 4 else None

    return Postmaster(
        database=database,
        keys=Keys(1, lambda: clock.now().timestamp()),
        sender=postman,
        next_attempt=following,
        clock=clock,
        owner="one",
        bounds=PostmasterBounds(**bounds),
        monotonic=monotonic,
    )


def came(client: str = "203.0.113.9", content: bytes = RAW) -> NewPostmasterMail:
    return NewPostmasterMail(
        sender="bob@example.org", recipients=("postmaster",), client=client, helo="mx.example.org", content=content
    )


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ((Done(),), "forwarded"),
        ((Retry(problem=WAITS), Done()), "forwarded"),
        ((None, Done()), "forwarded"),
        ((Failed(problem=WAITS),), "failed"),
        ((Retry(problem=WAITS),) * 4, "failed"),
    ],
)
async def test_a_mail_is_tried_again_until_it_is_forwarded_or_its_time_is_over(database, outcomes, state):
    clock, postman = Clock(), FakeMailSender(*outcomes)
    postmaster = postmaster_of(database, postman, clock)
    with capture_logs() as logs:
        name = await postmaster.keep(came())
        for _ in outcomes:
            assert await postmaster._step()
            clock.at += timedelta(minutes=3)
        assert not await postmaster._step()
    assert [mail.identity for mail in postman.brought] == [name] * len(outcomes)
    assert postman.brought[-1].content == RAW
    reply = "250 2.0.0 queued" if state == "forwarded" else "connection refused"
    assert rows(database, "state, attempts, last_reply") == [(state, len(outcomes), reply)]
    events = [line["event"] for line in logs]
    assert events[0] == "postmaster_mail_received"
    assert events[-1] == ("postmaster_mail_forwarded" if state == "forwarded" else "postmaster_mail_given_up")


async def test_a_mail_that_its_server_never_confirms_is_sent_three_times_and_says_so_in_the_list(database):
    clock, doubt = Clock(), Unknown(problem=WAITS)
    postman = FakeMailSender(doubt, doubt, Retry(problem=WAITS), doubt)
    postmaster = postmaster_of(database, postman, clock)
    await postmaster.keep(came())
    for _ in range(4):
        assert await postmaster._step()
        postmaster = postmaster_of(database, postman, clock)  # which remembers what an earlier process saw
        clock.at += timedelta(minutes=3)
    assert not await postmaster._step()
    (listed,) = database.read_now(lambda tx: list_forwards(tx, limit=5))
    assert (listed.state, listed.attempts, listed.last_reply) == ("failed", 4, "No host answers.")
    kept = "SELECT count(*) FROM notice_attempt"
    assert database.read_now(lambda tx: tx.rows(kept))[0][0] == 3
    database.write_now(PostmasterStore(Keys(1, START.timestamp)).take, take(NOW + 31 * DAY))
    assert database.read_now(lambda tx: tx.rows(kept))[0][0] == 0


async def test_a_stop_waits_for_no_peer_and_the_mail_goes_out_after_the_next_start(database):
    asked = asyncio.Event()

    class Slow:
        async def send_forward(self, mail: PostmasterMail) -> MailAttempt:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    postmaster = postmaster_of(database, Slow(), Clock())
    postmaster.start()
    await postmaster.keep(came())
    await asyncio.wait_for(asked.wait(), 60)
    await asyncio.wait_for(postmaster.stop(), 60)
    assert rows(database) == [("queued",)]
    assert await postmaster_of(database, FakeMailSender(Done()), Clock())._step()
    assert rows(database) == [("forwarded",)]


async def test_what_is_taken_while_the_process_stops_is_put_back(database):
    postmaster = postmaster_of(database, FakeMailSender(), Clock())
    await postmaster.keep(came())
    step = asyncio.create_task(postmaster._step())
    await asyncio.sleep(0)  # the step now waits for the database
    stop = asyncio.create_task(postmaster.stop())
    assert not await step
    await stop
    assert rows(database) == [("queued",)]


def refusal_of(said: str | Refused | None) -> Refusal | None:
    return said.refusal if isinstance(said, Refused) else None


async def test_a_network_has_its_share_of_an_hour_and_all_networks_have_theirs(database):
    now = [0.0]
    postmaster = postmaster_of(database, FakeMailSender(), Clock(), lambda: now[0], per_network=2, per_hour=3)
    assert postmaster.admit("203.0.113.9") is None
    assert postmaster.admit("203.0.113.200") is None
    assert refusal_of(postmaster.refuse("203.0.113.7")) is Refusal.RATE_LIMITED
    assert refusal_of(postmaster.admit("203.0.113.7")) is Refusal.RATE_LIMITED
    assert postmaster.admit("2001:db8::1") is None
    assert refusal_of(postmaster.refuse("198.51.100.1")) is Refusal.RATE_LIMITED
    now[0] = 3600.0
    assert postmaster.refuse("203.0.113.7") is None


async def test_one_mail_too_many_that_waits_is_refused(database):
    postmaster = postmaster_of(database, FakeMailSender(), Clock(), waiting=1)
    assert refusal_of(await postmaster.keep(came())) is None
    assert refusal_of(await postmaster.keep(came())) is Refusal.NO_STORAGE


async def test_without_a_mailbox_nothing_is_taken(database):
    postmaster = postmaster_of(database, None, Clock())
    assert refusal_of(postmaster.refuse("203.0.113.9")) is Refusal.ADDRESS_UNKNOWN
    assert refusal_of(postmaster.admit("203.0.113.9")) is Refusal.ADDRESS_UNKNOWN
    postmaster.start()
    await postmaster.stop()
    assert rows(database) == []


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
        "sender": "bob@example.org",
        "recipients": "Postmaster",
        "client": "203.0.113.9",
        "helo": "mx.example.org",
        "received_at": START,
        "content": content,
        **changes,
    }
    return compose_forward(PostmasterMail(**facts), recipient="ops@example.com", identity=IDENTITY)


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
