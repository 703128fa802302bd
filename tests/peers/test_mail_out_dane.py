"""DANE against really signed zones: knot serves them, unbound validates them, mail follows (case 31, RFC 7672)."""

import asyncio
import hashlib
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dns.dnssec
import dns.name
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm

from sms.outcome import Done, Failed, ProblemCode, Retry
from tests.kit.mail_servers import (
    Identity,
    Peer,
    issue,
    make_authority,
    make_deliverer,
    make_intermediate,
    server_context,
    status_mail,
)
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer
from tests.kit.ports import free_port
from tls.nameservers import DnsResolver
from tls.policy import TlsLevel
from tls.resolver import Lookup

KEPT = timedelta(days=1)


def digest_of(identity: Identity) -> str:
    return hashlib.sha256(identity.spki).hexdigest()


def zone_text(port: int, tlsa: tuple[str, ...], extra: str = "") -> str:
    records = "".join(f"_{port}._tcp.mx IN TLSA {each}\n" for each in tlsa)
    return (
        "$TTL 60\n@ IN SOA ns hostmaster 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n"
        f"@ IN MX 10 mx\nmx IN A 127.0.0.1\n{records}{extra}"
    )


@dataclass(frozen=True)
class Zones:
    resolver: DnsResolver
    resolver_port: int
    mail_port: int
    good: Identity
    other: Identity
    chained: Identity
    misnamed: Identity


def sign(name: str, text: str, *, age: timedelta = timedelta(0)) -> tuple[dns.zone.Zone, str]:
    """Sign a zone as of `age` ago; return it with its trust anchor."""
    zone = dns.zone.from_text(text, origin=f"{name}.", relativize=False)
    key = ec.generate_private_key(ec.SECP256R1())
    dnskey = dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
    start = datetime.now(UTC) - age - timedelta(minutes=5)
    with zone.writer() as changes:
        dns.dnssec.sign_zone(zone, changes, keys=[(key, dnskey)], inception=start, expiration=start + KEPT)
    return zone, f"{name}. IN DNSKEY {dnskey.to_text()}"


def forge(zone: dns.zone.Zone, port: int, tlsa: str) -> None:
    """Replace the TLSA record but not its signature."""
    name = dns.name.from_text(f"_{port}._tcp.mx", origin=zone.origin)
    node = zone.get_node(name)
    assert node is not None
    forged = dns.rdataset.from_text("IN", "TLSA", 60, tlsa)
    node.replace_rdataset(forged)


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zones]:
    knot, unbound = find_program("knotd"), find_program("unbound")
    require_peer("knot (an authoritative DNS server)", knot)
    require_peer("unbound (a validating DNS resolver)", unbound)
    folder = tmp_path_factory.mktemp("dns")
    knot_port, unbound_port, mail_port = free_port(), free_port(), free_port()
    good, other, authority = issue(names=("mx.good.example",)), issue(), make_authority()
    chained = issue(make_intermediate(authority), names=("mx.authority.example",))
    misnamed = issue(make_intermediate(authority), names=("mx.elsewhere.example",))
    bound, unbound_record = f"3 1 1 {digest_of(good)}", f"3 1 1 {digest_of(other)}"
    texts = {
        "good.example": zone_text(mail_port, (bound,)),
        "mismatch.example": zone_text(mail_port, (unbound_record,)),
        "rollover.example": zone_text(mail_port, (unbound_record, bound)),
        "bogus.example": zone_text(mail_port, (bound,)),
        "expired.example": zone_text(mail_port, (bound,)),
        "usage.example": zone_text(mail_port, (f"1 1 1 {digest_of(good)}", f"0 1 1 {digest_of(good)}")),
        "digest.example": zone_text(mail_port, (f"3 1 255 {digest_of(good)}",)),
        "empty.example": zone_text(mail_port, ()),
        "alias.example": zone_text(mail_port, (), f"_{mail_port}._tcp.mx IN CNAME _dane\n_dane IN TLSA {bound}\n"),
        "authority.example": zone_text(mail_port, (f"2 1 1 {digest_of(authority)}",)),
        "null.example": zone_text(mail_port, ()).replace("MX 10 mx", "MX 0 ."),
        "unsigned.example": zone_text(mail_port, (bound,)),
    }
    anchors = []
    for name, text in texts.items():
        if name == "unsigned.example":
            (folder / f"{name}.zone").write_text(f"$ORIGIN {name}.\n{text}")
            continue
        zone, anchor = sign(name, text, age=timedelta(days=9) if name == "expired.example" else timedelta(0))
        if name == "bogus.example":
            forge(zone, mail_port, unbound_record)
        zone.to_file(str(folder / f"{name}.zone"), relativize=False)
        anchors.append(anchor)
    (folder / "anchors").write_text("\n".join(anchors) + "\n")
    (folder / "knot.conf").write_text(
        f"server:\n  rundir: {folder}\n  listen: 127.0.0.1@{knot_port}\n"
        f"database:\n  storage: {folder}\n"
        f"template:\n  - id: default\n    storage: {folder}\n    file: %s.zone\n    zonefile-sync: -1\n"
        "    journal-content: none\nzone:\n" + "".join(f"  - domain: {name}\n" for name in texts)
    )
    stubs = "".join(
        f'stub-zone:\n  name: "{name}"\n  stub-addr: 127.0.0.1@{knot_port}\n' for name in (*texts, "refused.example")
    )
    (folder / "unbound.conf").write_text(
        f'server:\n  interface: 127.0.0.1\n  port: {unbound_port}\n  username: ""\n  chroot: ""\n'
        f'  directory: "{folder}"\n  pidfile: "{folder}/unbound.pid"\n  use-syslog: no\n  logfile: "{folder}/unbound.log"\n'
        f'  do-not-query-localhost: no\n  trust-anchor-file: "{folder}/anchors"\n  module-config: "validator iterator"\n'
        '  domain-insecure: "unsigned.example"\n  do-ip6: no\nremote-control:\n  control-enable: no\n' + stubs
    )
    started = []
    try:
        with (folder / "knot.log").open("wb") as log:
            for command in ([knot, "-c", folder / "knot.conf"], [unbound, "-d", "-c", folder / "unbound.conf"]):
                started.append(subprocess.Popen([str(word) for word in command], stdout=log, stderr=log))  # noqa: PERF401 - each must be stopped even if the next fails
        wait_for(folder, knot_port, unbound_port)
        resolver = DnsResolver([("127.0.0.1", unbound_port)], validating=True, deadline_seconds=60)
        assert resolver.trusted
        yield Zones(
            resolver=resolver,
            resolver_port=unbound_port,
            mail_port=mail_port,
            good=good,
            other=other,
            chained=chained,
            misnamed=misnamed,
        )
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(PATIENCE)


def wait_for(folder: Path, *ports: int) -> None:
    ends = time.monotonic() + PATIENCE
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                if time.monotonic() > ends:
                    logs = [file.read_text() for file in folder.glob("*.log")]
                    pytest.fail(f"no DNS server on port {port}: {logs}")
                time.sleep(0.05)


MAY, DANE, ONLY = TlsLevel.MAY, TlsLevel.DANE, TlsLevel.DANE_ONLY
CASES = [
    # zone                  certificate  may   dane  dane-only
    ("good.example",         "good",     "d    d     d"),
    ("good.example",         "other",    "w    w     w"),
    ("mismatch.example",     "good",     "w    w     w"),
    ("rollover.example",     "good",     "d    d     d"),
    ("rollover.example",     "other",    "d    d     d"),
    ("alias.example",        "good",     "d    d     d"),
    ("alias.example",        "other",    "w    w     w"),
    ("authority.example",    "chained",  "d    d     d"),
    ("authority.example",    "misnamed", "w    w     w"),
    ("authority.example",    "other",    "w    w     w"),
    ("bogus.example",        "good",     "w    w     w"),
    ("expired.example",      "good",     "w    w     w"),
    ("refused.example",      "good",     "w    w     w"),
    ("usage.example",        "other",    "d    d     w"),
    ("digest.example",       "other",    "d    d     w"),
    ("empty.example",        "other",    "d    d     w"),
    ("unsigned.example",     "other",    "d    d     w"),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "shown", "expected"), CASES)
async def test_case_31_mail_follows_what_dnssec_proves(zone, shown, expected, zones, tmp_path):
    got = []
    async with Peer(server_context(getattr(zones, shown), tmp_path), port=zones.mail_port) as peer:
        for level in (MAY, DANE, ONLY):
            deliverer = make_deliverer(peer.port, level, resolver=zones.resolver)
            attempt = await deliverer.deliver(status_mail(recipient=f"anna@{zone}"))
            await deliverer.close()
            assert isinstance(attempt.outcome, (Done, Retry))
            got.append("d" if isinstance(attempt.outcome, Done) else "w")
    assert got == expected.split()
    assert "MAIL" not in peer.verbs_in_clear


@pytest.mark.parametrize("zone", ["bogus.example", "mismatch.example"])
async def test_case_31_what_dane_forbids_is_called_a_matter_of_policy(zone, zones, tmp_path):
    async with Peer(server_context(zones.good, tmp_path), port=zones.mail_port) as peer:
        deliverer = make_deliverer(peer.port, MAY, resolver=zones.resolver)
        attempt = await deliverer.deliver(status_mail(recipient=f"anna@{zone}"))
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY
    assert "TLSA" in attempt.outcome.problem.text
    assert zone in attempt.outcome.problem.text


@pytest.mark.parametrize("zone", ["usage.example", "digest.example"])
async def test_case_31_records_that_are_not_usable_still_forbid_clear_text(zone, zones):
    async with Peer(port=zones.mail_port) as peer:
        deliverer = make_deliverer(peer.port, MAY, resolver=zones.resolver)
        attempt = await deliverer.deliver(status_mail(recipient=f"anna@{zone}"))
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY
    assert "MAIL" not in peer.verbs_in_clear


async def test_case_31_a_resolver_that_was_not_named_as_validating_proves_nothing(zones, tmp_path):
    untrusted = DnsResolver([("127.0.0.1", zones.resolver_port)], validating=False)
    answer = await untrusted.mx("good.example")
    assert (answer.lookup, answer.authentic) == (Lookup.FOUND, False)
    async with Peer(server_context(zones.other, tmp_path), port=zones.mail_port) as peer:
        deliverer = make_deliverer(peer.port, ONLY, resolver=untrusted)
        attempt = await deliverer.deliver(status_mail(recipient="anna@good.example"))
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert peer.connections == 0


async def test_case_33_a_null_mx_and_a_missing_domain_end_at_once(zones):
    deliverer = make_deliverer(zones.mail_port, resolver=zones.resolver)
    for recipient in ("anna@null.example", "anna@missing.good.example"):
        attempt = await deliverer.deliver(status_mail(recipient=recipient))
        assert isinstance(attempt.outcome, Failed)
        assert attempt.outcome.problem.code is ProblemCode.NO_SUCH_DOMAIN
    await deliverer.close()


async def test_the_resolver_reads_every_kind_it_is_asked_for(zones):
    resolver = zones.resolver
    mx, addresses = await resolver.mx("good.example"), await resolver.addresses("mx.good.example")
    tlsa = await resolver.tlsa(f"_{zones.mail_port}._tcp.mx.good.example")
    assert [record.host for record in mx.values] == ["mx.good.example"]
    assert [str(address) for address in addresses.values] == ["127.0.0.1"]
    assert tlsa.values[0].data == hashlib.sha256(zones.good.spki).digest()
    assert mx.authentic
    assert addresses.authentic
    assert tlsa.authentic
    assert (await resolver.txt("good.example")).lookup is Lookup.NO_DATA
    assert (await resolver.mx("nothing.good.example")).lookup is Lookup.NO_DOMAIN
    assert (await resolver.mx("bogus..name")).lookup is Lookup.FAILED


class Mute(asyncio.DatagramProtocol):
    """A name server that hears and never answers, or answers nonsense."""

    def __init__(self, answer: bytes = b"") -> None:
        self.answer, self.heard = answer, 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.heard += 1
        if self.answer:
            self.transport.sendto(data[:2] + self.answer, addr)


@pytest.mark.parametrize("answer", [b"", b"\x81\x80nonsense", b"\x81\x82" + b"\0" * 8])
async def test_case_33_a_name_server_that_fails_costs_bounded_time_and_defers(answer):
    loop = asyncio.get_running_loop()
    transport, mute = await loop.create_datagram_endpoint(lambda: Mute(answer), local_addr=("127.0.0.1", 0))
    resolver = DnsResolver([transport.get_extra_info("sockname")], deadline_seconds=0.4)
    deliverer = make_deliverer(1, resolver=resolver)
    attempt = await deliverer.deliver(status_mail())
    await deliverer.close()
    transport.close()
    assert isinstance(attempt.outcome, Retry)
    assert attempt.outcome.problem.code is ProblemCode.DNS_FAILED
    assert 0 < mute.heard < 20  # each of them waits for its deadline at most
