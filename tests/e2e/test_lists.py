"""Distribution lists and tables, dry runs and later starts, through the running gateway and its commands."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from itertools import count
from smtplib import SMTPDataError

import pytest

from tests.fuzz import hostile
from tests.kit.effort import spent_at_most
from tests.kit.installation import DOMAIN, SENDER, mail
from tests.kit.patience import PATIENCE
from tests.unit.test_table_file import xlsx

MANY = 3_000


@pytest.fixture
def many(thorough):
    """Return how many rows stand for three thousand, the most of one mail."""
    return MANY if thorough else 400


@pytest.fixture
async def running(site):
    await site.open()
    await site.command("customer", "set", "demo", "default_country=GB", "subject_options=on")
    await site.start()
    return site


def rows(count: int, bad: int = 0) -> str:
    """Return a table with a number per row; the line `bad` has no name."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["number", "name", "amount"])
    for n in range(count):
        writer.writerow([f"+44770090{n:04}", "" if n + 2 == bad else f"Name {n}", f"{n},50"])
    return out.getvalue()


def with_table(text: str, table: str | bytes, *, message_id: str) -> bytes:
    """Return a mail to bulk@ with a table: CSV as a text, a workbook as octets."""
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = SENDER, f"bulk@{DOMAIN}", message_id
    message.set_content(text)
    if isinstance(table, bytes):
        kind = "vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        message.add_attachment(table, maintype="application", subtype=kind, filename="people.xlsx")
    else:
        message.add_attachment(table.encode(), maintype="text", subtype="csv", filename="people.csv")
    return message.as_bytes(policy=SMTP)


async def deliver(site, raw: bytes, *to: str) -> str:
    """Send a mail as it is and return the job's id; raises SMTPDataError where it is refused."""

    def work():
        with site.client() as client:
            client.mail(SENDER)
            for name in to:
                code, answer = client.rcpt(f"{name}@{DOMAIN}")
                assert code == 250, answer
            code, answer = client.data(raw)
            if code != 250:
                raise SMTPDataError(code, answer)
            return answer.decode().split()[1]

    return await asyncio.to_thread(work)


@pytest.mark.slow
async def test_three_thousand_personalised_rows_are_one_job_with_one_report(site, tmp_path, many):
    text = "Dear {{ name|upper }}, you owe {{ amount }} EUR." + " Please pay." * 10 + " Thanks"
    await site.open()
    await site.command("customer", "set", "demo", "default_country=GB")
    file = tmp_path / "people.csv"
    file.write_text(rows(many))
    await site.command("list", "add", "crew", "--customer", "demo", "--author", "@example.com")
    told = await site.command("list", "import", "crew", str(file), "--customer", "demo")
    assert f"{many} members" in told
    await site.start()
    with spent_at_most(600, site.cpu):
        job = await deliver(site, mail(text, to=["lista+crew"], message_id="<1@example.com>"), "lista+crew")
    assert len(site.jobs()) == 1
    bodies = [(message.number, message.body, message.part_count) for message in site.messages()]
    assert len(bodies) == many
    for n, (number, body, parts) in enumerate(bodies):
        expected = f"Dear NAME {n}, you owe {n},50 EUR." + " Please pay." * 10 + " Thanks"
        assert (number, body) == (f"44770090{n:04}", expected)
        assert parts == (1 if len(expected) <= 160 else 2)
    assert {parts for _, _, parts in bodies} == {1, 2}
    assert await deliver(site, mail(text, to=["lista+crew"], message_id="<1@example.com>"), "lista+crew") == job
    await site.until_all_told()
    assert len(await site.box.wait_for_mails(1, PATIENCE)) == 1
    assert set(site.states()) == {"delivered"}


async def test_one_bad_row_of_three_thousand_sends_nothing_and_is_named(running, many):
    raw = with_table("Dear {{ name }}: {{ amount }}", rows(many, bad=234), message_id="<2@example.com>")
    with spent_at_most(600, running.cpu), pytest.raises(SMTPDataError) as refused:
        await deliver(running, raw, "bulk")
    assert refused.value.smtp_code == 554
    assert "line 234 (+447700900232): no value for name" in str(refused.value.smtp_error)
    assert running.jobs() == []
    good = with_table("Dear {{ name }}: {{ amount }}", rows(3), message_id="<3@example.com>")
    job = await deliver(running, good, "bulk")
    await running.until_all_told()
    assert set(running.state(job).values()) == {"delivered"}


async def test_three_thousand_rows_of_a_workbook_are_one_job(running, many):
    people = [["number", "name", "amount"], *([f"+44770090{n:04}", f"Name {n}", n + 0.5] for n in range(many))]
    raw = with_table("{{ name }}: {{ amount }}", xlsx(people), message_id="<x@example.com>")
    with spent_at_most(600, running.cpu):
        job = await deliver(running, raw, "bulk")
    assert [message.body for message in running.messages(job)] == [f"Name {n}: {n}.5" for n in range(many)]


@pytest.mark.slow
async def test_tables_that_would_grow_without_bound_are_refused_and_the_gateway_goes_on(running):
    long = "number,a\r\n" + "".join(f"+44770090{n:04},{'x' * 1_500}\r\n" for n in range(MANY))
    cases: list[tuple[str, str | bytes, str]] = [
        ("{{ a }} " * 12_000, long, "more than 100 placeholders"),
        ("{{ a }} " * 99, long, "line 2 (+447700900000): the text is longer than 4000 characters"),
        ("{{ name }}", hostile.TABLES["two cells at the ends of the sheet"], "more than 50000 rows"),
        ("{{ name }}", hostile.TABLES["a cell of 90 MB"], "too large when it is unpacked"),
        ("{{ name }}", hostile.TABLES["many rows of text"], "At most 3000 recipients"),
    ]
    for number, (text, table, said) in enumerate(cases):
        with pytest.raises(SMTPDataError) as refused:
            await deliver(running, with_table(text, table, message_id=f"<b{number}@example.com>"), "bulk")
        assert refused.value.smtp_code == 554
        assert said in str(refused.value.smtp_error)
    assert running.jobs() == []
    job = await deliver(running, mail("Still here", message_id="<b9@example.com>"), "+447700900123")
    await running.until(lambda: running.state(job) == {"447700900123": "delivered"})


@pytest.mark.slow
async def test_a_start_and_a_blackout_are_waited_for(running):
    now = datetime.now(UTC)
    start, end = now + timedelta(seconds=3), now + timedelta(seconds=4)
    later = mail("Later", subject=f"[JOBPERIOD:{start.isoformat()}]", message_id="<w1@example.com>")
    quiet = f"[BLACKOUTPERIODS:{(now - timedelta(hours=1)).isoformat()}/{end.isoformat()}]"
    dark = mail("Dark", subject=quiet, message_id="<w2@example.com>")
    jobs = [await deliver(running, later, "+447700900123"), await deliver(running, dark, "+447700900124")]
    states = [set(running.state(job).values()) for job in jobs]
    assert states == [{"queued"}, {"queued"}] or datetime.now(UTC) >= start  # on a busy machine
    await running.until(lambda: all(set(running.state(job).values()) == {"delivered"} for job in jobs))
    taken = {item.submitted.number: item.submitted.at for item in running.carrier.record.taken}
    assert taken["447700900123"] >= start
    assert taken["447700900124"] >= end


async def test_a_mail_that_comes_again_is_told_its_first_job_and_only_new_recipients_make_one(running):
    hop = b"Received: from relay.example by mx.example; Mon, 23 Nov 2026 10:00:00 +0000\r\n"
    raw = mail("Once", message_id="<r1@example.com>")
    first = await deliver(running, raw, "+447700900125")
    assert await deliver(running, hop + raw, "00447700900125") == first
    other = await deliver(running, hop + raw, "+447700900125", "+447700900127")
    assert set(running.state(other)) == {"447700900127"}


async def test_a_mail_without_message_id_whose_client_heard_the_answer_is_another_mail(running):
    raw = mail("Fire", message_id="")
    jobs = {await deliver(running, raw, "+447700900126") for _ in range(3)}
    assert len(jobs) == 3


async def test_a_text_is_sent_once_where_the_subject_asks_for_it(running):
    subject = "[DUPLICATEDETECTION:ON]"
    first = await deliver(running, mail("Fire", subject=subject, message_id="<d1@example.com>"), "+447700900123")
    with pytest.raises(SMTPDataError) as refused:
        await deliver(running, mail("Fire", subject=subject, message_id="<d2@example.com>"), "+447700900123")
    assert first in str(refused.value.smtp_error)
    both = mail("Fire", subject=subject, message_id="<d3@example.com>")
    job = await deliver(running, both, "+447700900123", "+447700900124")
    await running.until(lambda: running.state(job).get("447700900124") == "delivered")
    assert running.state(job)["447700900123"] == "rejected"


async def test_a_dry_run_survives_a_crash_and_is_answered_without_sending(running):
    job = await deliver(running, mail("Hi “there”", message_id="<4@example.com>"), "explain+447700900123")
    await running.kill()
    await running.start()
    assert "Nothing was sent" in await running.told()
    assert running.state(job) == {"447700900123": "cancelled"}
    assert running.parts() == []


async def test_a_dry_run_says_what_would_be_sent(running):
    await running.command("customer", "set", "demo", "cost_centre=4711")
    told = ""
    async with asyncio.timeout(PATIENCE):
        for asked in count(1):  # the gateway looks once a second for what another process changed
            dry = mail("Hi “there”", subject="[DRYRUN] x", message_id=f"<dry{asked}@example.com>")
            await deliver(running, dry, "+447700900123")
            told = await running.told(asked)
            if "4711" in told:
                break
    for fact in ("Nothing was sent", 'Hi "there"', "+44 7700 900123", "alpha", "4711", "set by your company"):
        assert fact in told
    assert set(running.states()) <= {"cancelled"}


async def test_a_later_start_is_kept_and_a_machines_alert_goes_out(running):
    await deliver(
        running,
        mail("Later", subject="[JOBPERIOD:2027-01-01T08:00:00Z]", message_id="<6@example.com>"),
        "+447700900123",
    )
    alert = mail("Disk full", message_id="<7@example.com>").replace(
        b"From:", b"Auto-Submitted: auto-generated\r\nFrom:", 1
    )
    job = await deliver(running, alert, "+447700900124")
    await running.until(lambda: running.state(job) == {"447700900124": "delivered"})
    assert [message.state for message in running.messages(number="447700900123")] == ["queued"]


async def test_lists_are_handled_by_commands_that_change_nothing_half_way(site, tmp_path):
    await site.open()
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("phone;name\n+447700900101;Anna\n+44 7700 900101;Anna again\n+447700900102;Bob\n")
    bad.write_text("phone;name\n+447700900101;Anna\nnobody;Bob\n+44770;Cy\n")
    add = ["list", "add", "crew", "--customer", "demo"]
    assert "nobody yet may write" in await site.command(*add)
    assert "already has a list" in await site.command(*add, code=1)
    assert "cannot be a list's name" in await site.command("list", "add", "a b", "--customer", "demo", code=1)
    told = await site.command("list", "import", "crew", str(good), "--customer", "demo")
    assert "2 members, 1 row with a number twice" in told
    told = await site.command("list", "import", "crew", str(bad), "--customer", "demo", code=1)
    assert "line 3" in told
    assert "line 4" in told
    assert "nothing was changed" in told
    assert '"name": "Bob"' in await site.command("list", "members", "crew", "--customer", "demo", "--json")
    told = await site.command(
        "list", "authors", "crew", "--customer", "demo", "--add", "Anna@Example.com", "--add", "*"
    )
    assert "*, anna@example.com" in told
    assert "no author" in await site.command("list", "authors", "crew", "--customer", "demo", "--add", "x", code=1)
    await site.command("list", "set", "crew", "--customer", "demo", "max_parts=2")
    assert "crew" in await site.command("list", "show", "--json")
    assert "removed with 2 members" in await site.command("list", "remove", "crew", "--customer", "demo")
    assert await site.command("list", "show", "--json") == "[]\n"
    audit = await site.command("people", "audit", "--json")
    assert audit.count('"list.') == 4
