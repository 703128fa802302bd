"""MTA-STS: the record, the policy file, and which policy is in force when things fail (case 32, RFC 8461)."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.resolver import TableResolver
from tls.mtasts import Fetched, MemoryStsCache, StsLookup, StsPolicy, parse_sts_policy, parse_sts_record
from tls.policy import StsMode

RECORDS = [
    (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
    (["v=STSv1;id=a"], "a"),
    (["v=STSv1 ; id=a; new=field"], "a"),
    (["v=spf1 -all", "v=STSv1; id=a"], "a"),
    (["v=STSv1; id=a", "v=STSv1; id=b"], None),
    (["v=STSv1; id="], None),
    (["v=STSv1; id=has-dash"], None),
    (["v=STSv1; id=" + "a" * 33], None),
    (["v=STSv2; id=a"], None),
    (["id=a; v=STSv1"], None),
    (["v=STSv1"], None),
    ([], None),
]


@pytest.mark.parametrize(("texts", "policy_id"), RECORDS)
def test_the_record_announces_a_policy(texts, policy_id):
    assert parse_sts_record(texts) == policy_id


def body(mode: str = "enforce", age: str = "604800", hosts: tuple[str, ...] = ("mx.example.com",)) -> bytes:
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {host}" for host in hosts), f"max_age: {age}", ""]
    return "\r\n".join(lines).encode()


def test_a_policy_file_is_read():
    policy = parse_sts_policy(body(hosts=("MX.example.com", "*.mail.example.com")))
    assert policy == StsPolicy(
        mode=StsMode.ENFORCE, mx=("mx.example.com", "*.mail.example.com"), max_age=timedelta(days=7)
    )


AGES = [("0", 0), ("1", 1), ("31557600", 31557600), ("9999999999", 31557600), ("99999999999", None), ("-1", None), ("", None), ("1.5", None)]  # fmt: skip


@pytest.mark.parametrize(("age", "seconds"), AGES)
def test_case_32_the_age_is_bounded(age, seconds):
    policy = parse_sts_policy(body(age=age))
    assert (policy.max_age.total_seconds() if policy else None) == seconds


BROKEN = [
    b"",
    b"<html><body>version: STSv1</body></html>",
    body(mode="strict"),
    body(hosts=()),
    body(hosts=("bad name",)),
    body(hosts=("*",)),
    body(hosts=("*.*.example.com",)),
    body(hosts=("a.example",) * 300),
    body().replace(b"STSv1", b"STSv2"),
    body() + b"no colon\r\n",
    body() + "mx: bücher.example\r\n".encode(),
    b"\xff\xfe" + body(),
]


@pytest.mark.parametrize("broken", BROKEN)
def test_case_32_what_is_not_a_policy_file_is_none(broken):
    assert parse_sts_policy(broken) is None


def test_a_policy_of_mode_none_needs_no_hosts_and_unknown_fields_are_skipped():
    policy = parse_sts_policy(b"version: STSv1\nmode: none\nfuture: x\nmax_age: 60\nmode: enforce\n")
    assert policy is not None
    assert policy.mode is StsMode.NONE


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(data):
    parse_sts_policy(data)
    parse_sts_policy(body() + data)


# --- which policy is in force ------------------------------------------------------------------------------------


class Host:
    """A policy host that answers what the test says, and counts."""

    def __init__(self) -> None:
        self.answer = Fetched(body=body())
        self.calls = 0

    async def fetch(self, domain: str) -> Fetched:
        self.calls += 1
        await asyncio.sleep(0)
        return self.answer


class StsHarness:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, tzinfo=UTC)
        self.host = Host()
        self.cache = MemoryStsCache()
        self.announce("1")

    def announce(self, policy_id: str | None, *, failing: bool = False) -> None:
        name = "_mta-sts.example.com"
        self.resolver = TableResolver(
            texts={name: [f"v=STSv1; id={policy_id}"]} if policy_id else {},
            failing=frozenset({name}) if failing else frozenset(),
        )
        self.lookup = StsLookup(self.resolver, self.host, self.cache, now=lambda: self.now)

    async def mode(self) -> StsMode:
        return (await self.lookup.find("example.com")).mode


async def test_a_policy_is_fetched_once_and_then_kept():
    world = StsHarness()
    assert await world.mode() is StsMode.ENFORCE
    assert await world.mode() is StsMode.ENFORCE
    assert world.host.calls == 1


async def test_many_mails_at_once_fetch_once():
    world = StsHarness()
    results = await asyncio.gather(*(world.lookup.find("example.com") for _ in range(50)))
    assert {result.mode for result in results} == {StsMode.ENFORCE}
    assert world.host.calls == 1


async def test_case_32_a_policy_outlasts_its_record_its_host_and_a_restart():
    world = StsHarness()
    await world.mode()
    world.announce(None)
    assert await world.mode() is StsMode.ENFORCE
    world.announce(None, failing=True)
    assert await world.mode() is StsMode.ENFORCE
    world.announce("2")
    world.host.answer = Fetched(fault="connection refused")
    assert await world.mode() is StsMode.ENFORCE
    assert world.host.calls == 2


async def test_case_32_a_new_id_with_a_broken_policy_keeps_the_old_one():
    world = StsHarness()
    await world.mode()
    world.announce("2")
    world.host.answer = Fetched(body=b"<html>oops</html>")
    assert await world.mode() is StsMode.ENFORCE


async def test_case_32_a_new_id_with_another_mode_takes_force_at_once():
    world = StsHarness()
    await world.mode()
    for mode in ("testing", "none", "enforce"):
        world.announce(mode)
        world.host.answer = Fetched(body=body(mode=mode))
        assert await world.mode() == mode


async def test_a_policy_ends_with_its_age():
    world = StsHarness()
    await world.mode()
    world.now += timedelta(days=7, seconds=1)
    world.announce(None)
    assert await world.mode() is StsMode.ABSENT


async def test_case_32_an_age_of_zero_counts_for_this_mail_only():
    world = StsHarness()
    world.host.answer = Fetched(body=body(age="0"))
    assert await world.mode() is StsMode.ENFORCE
    assert await world.mode() is StsMode.ENFORCE
    assert world.host.calls == 2
    world.announce(None)
    assert await world.mode() is StsMode.ABSENT


async def test_case_32_without_a_kept_policy_an_unreachable_host_is_no_policy_and_says_so():
    world = StsHarness()
    world.host.answer = Fetched(fault="mta-sts.example.com did not answer in time")
    result = await world.lookup.find("example.com")
    assert (result.mode, "did not answer" in result.cause) == (StsMode.FAILED, True)


async def test_a_failed_fetch_is_not_repeated_for_five_minutes():
    world = StsHarness()
    world.host.answer = Fetched(fault="down")
    await world.mode()
    world.host.answer = Fetched(body=body())
    assert await world.mode() is StsMode.FAILED
    world.now += timedelta(minutes=5)
    assert await world.mode() is StsMode.ENFORCE
    assert world.host.calls == 2
