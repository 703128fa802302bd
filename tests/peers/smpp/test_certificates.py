"""TLS to node's smpp as the carriers of the real process: which certificates and versions are taken, and what the log says."""

from datetime import UTC, datetime, timedelta

import pytest_asyncio

from tests.kit.installation import Installation
from tests.peers.smpp.node import centres
from tests.peers.smpp.tls import Authority

GOOD = {"good": "TLSv1.3", "good-1-2": "TLSv1.2"}
# The words are OpenSSL's, and those of Python around it.
REFUSED = {
    "other-name": "Hostname mismatch, certificate is not valid for 'localhost'",
    "stranger": "unable to get local issuer certificate",
    "too-old": "certificate has expired",
    "old-tls": "tlsv1 alert protocol version",
}


@pytest_asyncio.fixture
async def world(tmp_path, gateway_database):
    """Return a site whose carriers all demand TLS, and what the carriers are told."""
    authority = Authority(tmp_path / "certificates")
    stranger = Authority(tmp_path / "stranger")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    good = authority.files()
    shown = {
        **dict.fromkeys([*GOOD, "old-tls"], good),
        "other-name": authority.files("smsc.example.org"),
        "stranger": stranger.files(),
        "too-old": authority.files(not_after=yesterday),
    }
    versions = {"good-1-2": "TLSv1.2", "old-tls": "TLSv1.1"}
    wanted = [
        {"name": name, "key": str(key), "certificate": str(chain), "max_version": versions.get(name, "TLSv1.3")}
        for name, (key, chain) in shown.items()
    ]
    async with centres(*wanted) as (facts, ports):
        site = Installation(tmp_path / "site", gateway_database)
        site.more_carriers = [
            {
                "name": name,
                "host": "localhost",
                "port": port,
                "prefixes": [f"44770090060{digit}"],
                "tls": "require",
                "ca_file": str(authority.file),
            }
            for digit, (name, port) in enumerate(ports.items())
        ]
        await site.open()
        try:
            await site.start()
            yield site, facts
        finally:
            await site.close()


def lines_of(site: Installation, event: str, carrier: str) -> list[str]:
    return [line for line in site.log if f"event={event} " in line and f"carrier={carrier} " in line]


async def test_a_carrier_is_bound_under_tls_1_2_and_later_with_a_good_certificate_only_and_the_log_says_why_not(world):
    site, facts = world
    await facts.until(lambda: len(facts.those("bound")) == len(GOOD))
    for name, reason in REFUSED.items():
        await site.until(lambda name=name: bool(lines_of(site, "smpp_connect_failed", name)))
        assert reason in lines_of(site, "smpp_connect_failed", name)[0]
        assert lines_of(site, "smpp_bound", name) == []
    assert {fact["centre"]: fact["protocol"] for fact in facts.those("bound")} == GOOD
    await facts.until(lambda: {fact["centre"] for fact in facts.those("handshake_failed")} == set(REFUSED))
