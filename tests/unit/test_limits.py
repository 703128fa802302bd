"""Limits of use where jobs are accepted: nothing beyond them is kept, and nothing is counted that is not."""

import asyncio
from datetime import timedelta

import pytest

from gateway.accept import Accepted
from gateway.admin.limits import list_limits
from sms.outcome import Refusal, Refused
from store.usage import UsageRow
from tests.kit.clock import Clock
from tests.kit.testbed import ANNA, BOB, administer, judge, open_core, proven


@pytest.fixture
def core(house):
    core = open_core(house, Clock())
    yield core
    core.database.close()


async def limit(core, command):
    administer(core.folder, command)
    await core.book.refresh()


async def keep(core, number=1, **mail):
    return await core.acceptance.keep(judge(core, "acme", message_id=f"<{number}@example.com>", **mail).plan)


def used(core):
    return {row["limit"]: row["used"] for row in limits_of(core)}


def limits_of(core):
    return core.database.read_now(lambda tx: list_limits(tx, core.book.current, "", core.clock.now()))


@pytest.mark.parametrize(
    "command",
    [
        "people limit --usage sms/day=2",
        "customer limit acme --usage sms/day=2",
        "profile limit ops --customer acme --usage sms/day=2",
        f"user limit {ANNA} --usage sms/day=2",
        "customer limit acme --usage sms/month=2",
        "customer limit acme --usage parts/day=2",
        "customer limit acme --usage sms/day@GB=2",
        "customer limit acme --usage sms/minute=2",
    ],
)
async def test_what_is_beyond_a_limit_is_refused_for_now_and_not_kept(core, command):
    await limit(core, command)
    for number in (1, 2):
        assert isinstance(await keep(core, number), Accepted)
    refused = await keep(core, 3)
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.LIMIT_REACHED
    assert command.rpartition(" ")[2].partition("=")[0] in refused.detail
    assert len(core.jobs()) == 2
    assert list(used(core).values()) == [2]


async def test_of_a_job_that_does_not_fit_nothing_is_sent(core):
    await limit(core, "customer limit acme --usage sms/day=3")
    assert isinstance(await keep(core, 1, to=("+447700900101", "+447700900102")), Accepted)
    refused = await keep(core, 2, to=("+447700900103", "+447700900104"))
    assert "2 are used and 2 were asked for" in refused.detail
    assert isinstance(await keep(core, 3, to=("+447700900105",)), Accepted)
    assert used(core) == {"sms/day": 3}


async def test_a_job_that_is_larger_than_the_limit_is_refused_for_good(core):
    await limit(core, "customer limit acme --usage sms/day=1")
    refused = await keep(core, 1, to=("+447700900101", "+447700900102"))
    assert refused.refusal is Refusal.LIMIT_TOO_SMALL
    assert core.jobs() == []


async def test_a_mail_that_comes_again_is_counted_once(core):
    await limit(core, "customer limit acme --usage sms/day=2")
    first = await keep(core, 1)
    assert await keep(core, 1) == Accepted(job_id=first.job_id, repeated=True)
    assert used(core) == {"sms/day": 1}


async def test_refused_recipients_are_not_counted(core):
    await limit(core, "customer limit acme --usage sms/day=2")
    await keep(core, 1, to=("+447700900101", "+4930123456"))
    assert used(core) == {"sms/day": 1}


async def test_many_mails_at_once_never_pass_a_limit(core):
    await limit(core, "customer limit acme --usage sms/day=5")
    kept = await asyncio.gather(*(keep(core, number) for number in range(12)))
    assert sum(isinstance(one, Accepted) for one in kept) == 5
    assert used(core) == {"sms/day": 5}


async def test_the_limit_of_another_country_or_user_does_not_count(core):
    await limit(core, "customer limit acme --usage sms/day@FR=0")
    await limit(core, f"user add {BOB} --customer acme")
    await limit(core, f"user limit {BOB} --usage sms/day=0")
    assert isinstance(await keep(core, 1), Accepted)


async def test_every_limit_that_binds_is_counted(core):
    await limit(core, "people limit --usage sms/day=10")
    await limit(core, "customer limit acme --usage parts/month=10 --usage sms/day@GB=10")
    await limit(core, f"user limit {ANNA} --usage sms/minute=10")
    await keep(core, 1)
    assert [(row["of"], row["limit"], row["used"], row["left"]) for row in limits_of(core)] == [
        ("the system", "sms/day", 1, 9),
        ("customer acme", "parts/month", 1, 9),
        ("customer acme", "sms/day@GB", 1, 9),
        (f"user {ANNA}", "sms/minute", 1, 9),
    ]


async def test_the_next_day_begins_at_nothing(core):
    await limit(core, "customer limit acme --usage sms/day=1")
    assert isinstance(await keep(core, 1), Accepted)
    assert isinstance(await keep(core, 2), Refused)
    core.clock.move(timedelta(days=1))
    assert used(core) == {"sms/day": 0}
    assert isinstance(await keep(core, 3), Accepted)


async def test_a_minute_refills_steadily(core):
    await limit(core, "customer limit acme --usage sms/minute=2")
    for number in (1, 2):
        assert isinstance(await keep(core, number), Accepted)
    assert "try again after" in (await keep(core, 3)).detail
    core.clock.move(timedelta(seconds=30))
    assert isinstance(await keep(core, 4), Accepted)
    assert isinstance(await keep(core, 5), Refused)


async def test_after_a_refusal_the_next_mail_is_refused_before_its_content_comes(core):
    await limit(core, "customer limit acme --usage sms/day=1")
    principal = proven(core, "acme")
    await keep(core, 1)
    assert core.judge.judge_reverse_path(principal, ANNA) is None
    await keep(core, 2)
    refused = core.judge.judge_reverse_path(principal, ANNA)
    assert refused.refusal is Refusal.LIMIT_REACHED
    await limit(core, "customer limit acme --usage sms/day=2")
    assert core.judge.judge_reverse_path(principal, ANNA) is None


async def test_the_customers_administrator_is_told_once_a_day_that_a_limit_is_near_and_reached(core):
    administer(core.folder, "customer admin acme sms-admin@example.com")
    await limit(core, "customer limit acme --usage sms/day=5")
    for number in range(8):
        await keep(core, number)
    near, *reached = core.alerts
    assert (near.address, near.subject) == (
        "sms-admin@example.com",
        "The limit sms/day of customer acme is nearly reached",
    )
    assert {alert.topic for alert in reached} == {reached[0].topic}
    assert "5 are used" in reached[0].text


async def test_more_than_agreed_is_sent_and_told_once_a_day(core):
    await limit(core, "customer limit acme --usage agreed:sms/month=5 --usage agreed:sms/day:sandbox=900")
    kept = [await keep(core, number) for number in range(8)]
    assert all(isinstance(item, Accepted) for item in kept)
    assert used(core) == {"agreed:sms/month": 8, "agreed:sms/day:sandbox": 8}
    assert [alert.subject for alert in core.alerts] == [
        "The volume agreed:sms/month of customer acme is nearly reached",
        "More is sent than agreed: agreed:sms/month of customer acme",
    ]


@pytest.mark.parametrize("owner", ["customer limit acme", "profile limit ops --customer acme", f"user limit {ANNA}"])
async def test_countries_and_types_of_numbers_are_bound_where_limits_are(core, owner):
    await limit(core, f"{owner} --countries DE,FR")
    judged = judge(core, "acme")
    assert judged.plan.refused.refusal is Refusal.COUNTRY_NOT_ALLOWED
    await limit(core, f"{owner} --countries any --number-types voip")
    judged = judge(core, "acme")
    assert judged.plan.refused.refusal is Refusal.NUMBER_TYPE_NOT_ALLOWED
    await limit(core, f"{owner} --number-types any")
    assert judge(core, "acme").plan.refused is None


async def test_the_limits_of_a_user_go_with_the_user(core):
    await limit(core, f"user limit {ANNA} --usage sms/day=5")
    await keep(core, 1)
    await limit(core, f"user remove {ANNA}")
    assert limits_of(core) == []
    assert core.stored(UsageRow) == []


async def test_without_limits_nothing_is_counted(core):
    await keep(core, 1)
    assert core.stored(UsageRow) == []
