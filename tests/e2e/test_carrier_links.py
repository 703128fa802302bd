"""The links to carriers on the real process: how they are bound, what TLS demands of them, and how one is tried by hand."""

import asyncio
import json
import re
import signal
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from process.clock import SystemClock
from smpp.simulator.script import Script
from smpp.simulator.simulator import Simulator
from sms.message import Alphabet
from sms.parts import encode_text
from sms.settings import Unencodable
from store.carrier_links import CarrierLinkRow
from tests.kit.forked_program import ForkedProgram
from tests.kit.mute_server import mute_server
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port

NUMBER = "447700900123"


@pytest.fixture
def authority():
    return trustme.CA()


def context_of(certificate, clients: trustme.CA | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if clients is not None:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
async def carrier():
    """Return a function that starts a further carrier."""
    running = []

    async def start(tls: ssl.SSLContext | None = None, **options) -> Simulator:
        running.append(Simulator(accounts={"gateway": "secret"}, clock=SystemClock(), tls=tls, **options))
        await running[-1].start()
        return running[-1]

    yield start
    for each in running:
        await each.stop()


def lines_of(site, event: str, carrier: str) -> list[str]:
    return [line for line in site.log if f"event={event}" in line and f"carrier={carrier}" in line]


async def test_a_link_under_tls_is_bound_only_where_the_certificate_is_good_and_the_log_says_why_not(
    site, carrier, authority
):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    offered = {
        "good": context_of(authority.issue_cert("localhost")),
        "other-name": context_of(authority.issue_cert("smsc.example.org")),
        "too-old": context_of(authority.issue_cert("localhost", not_after=yesterday)),
        "stranger": context_of(trustme.CA().issue_cert("localhost")),
        "in-clear": None,
    }
    simulators = {name: await carrier(context) for name, context in offered.items()}
    site.folder.mkdir(parents=True)
    authority.cert_pem.write_to_path(site.folder / "smsc-ca.pem")
    site.more_carriers = [
        {"name": name, "host": "localhost", "port": simulator.port, "tls": "require", "ca_file": "smsc-ca.pem"}
        for name, simulator in simulators.items()
    ]
    for extra, digit in zip(site.more_carriers, range(1, 9), strict=False):
        extra["prefixes"] = [f"44770090060{digit}"]
    await site.open()
    await site.start()
    job = await site.send("Sealed", to=("+447700900601",))
    await site.until(lambda: site.state(job) == {"447700900601": "delivered"})
    reasons = {
        "other-name": "not valid for 'localhost'",
        "too-old": "expired",
        "stranger": "unable to get local issuer certificate",
        "in-clear": "",
    }
    for name, reason in reasons.items():
        await site.until(lambda name=name: len(lines_of(site, "smpp_connect_failed", name)) > 1)
        assert reason in lines_of(site, "smpp_connect_failed", name)[0]
        assert (simulators[name].bound, lines_of(site, "smpp_bound", name)) == (0, [])
    assert simulators["good"].bound == 1


async def test_an_old_message_centre_is_bound_where_its_ciphers_are_named_and_nowhere_else(site, carrier, authority):
    def old():
        context = context_of(authority.issue_cert("localhost", key_type=trustme.KeyType.RSA))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES128-SHA256")
        return context

    simulators = {name: await carrier(old()) for name in ("named", "unnamed")}
    site.folder.mkdir(parents=True)
    authority.cert_pem.write_to_path(site.folder / "smsc-ca.pem")
    site.more_carriers = [
        {"name": name, "host": "localhost", "port": simulator.port, "tls": "require", "ca_file": "smsc-ca.pem"}
        for name, simulator in simulators.items()
    ]
    site.more_carriers[0]["tls_ciphers"] = "ECDHE+AESGCM:AES128-SHA256"
    await site.open()
    await site.start()
    await site.until(lambda: bool(lines_of(site, "smpp_bound", "named")))
    await site.until(lambda: len(lines_of(site, "smpp_connect_failed", "unnamed")) > 1)
    assert (simulators["named"].bound, simulators["unnamed"].bound) == (1, 0)


async def test_a_carrier_that_wants_our_certificate_gets_it(site, carrier, authority):
    known = await carrier(context_of(authority.issue_cert("localhost"), clients=authority))
    unknown = await carrier(context_of(authority.issue_cert("localhost"), clients=trustme.CA()))
    site.folder.mkdir(parents=True)
    authority.cert_pem.write_to_path(site.folder / "smsc-ca.pem")
    own = authority.issue_cert("gateway.example.net")
    own.cert_chain_pems[0].write_to_path(site.folder / "client.pem")
    own.private_key_pem.write_to_path(site.folder / "client.key")
    (site.folder / "client.key").chmod(0o600)
    both = {
        "host": "localhost",
        "tls": "require",
        "ca_file": "smsc-ca.pem",
        "certificate_file": "client.pem",
        "key_file": "client.key",
    }
    site.more_carriers = [
        {"name": "known", "port": known.port, **both},
        {"name": "unknown", "port": unknown.port, **both},
    ]
    await site.open()
    await site.start()
    await site.until(lambda: bool(lines_of(site, "smpp_bound", "known")))
    assert known.bound == 1
    assert unknown.bound == 0


async def test_a_carrier_for_one_way_only_is_used_for_that_way_only(site, carrier):
    bringing = await carrier()
    site.more_carriers = [{"name": "in", "port": bringing.port, "bind": "receiver", "priority": 1}]
    await site.open(bind="transmitter", receipts=False, priority=10)
    await site.start()
    await site.until(lambda: all(lines_of(site, "smpp_bound", name) for name in ("alpha", "in")))
    assert "state=bound-tx" in lines_of(site, "smpp_bound", "alpha")[0]
    assert "state=bound-rx" in lines_of(site, "smpp_bound", "in")[0]
    assert "1. alpha" in await site.command("route", f"+{NUMBER}")
    job = await site.send("Out only")
    await site.until(lambda: site.state(job) == {NUMBER: "submitted"})
    assert await site.told()
    encoded = encode_text("In only", coding=Alphabet.GSM7, unencodable=Unencodable.SMART, max_parts=1)
    await bringing.deliver("447700900777", "12345", encoded)
    assert [(name, text) for name, _, _, text in site.inbound_texts()] == [("in", "In only")]
    assert bringing.record.taken == []


async def test_an_idle_link_is_bound_anew_where_the_operator_says_so(site):
    await site.open(inactivity_timeout="1s")
    await site.start()
    await site.until(lambda: len(lines_of(site, "smpp_bound", "alpha")) > 2)
    assert "reason=inactive" in lines_of(site, "smpp_ended", "alpha")[0]
    job = await site.send("Still works")
    await site.until(lambda: site.state(job) == {NUMBER: "delivered"})


async def test_a_carrier_that_does_not_answer_enquire_link_is_left_and_bound_anew(site):
    await site.open(Script(hang_at=1), enquire_link="200ms", response_timeout="300ms")
    await site.start()
    job = await site.send("Lost")
    await site.until(lambda: site.state(job) == {NUMBER: "unknown"})
    await site.until(lambda: len(lines_of(site, "smpp_bound", "alpha")) > 1)


async def test_a_refused_bind_is_said_with_its_status_and_tried_again(site):
    await site.open(system_id="stranger")
    await site.start()
    await site.until(lambda: len(lines_of(site, "smpp_bind_refused", "alpha")) > 1)
    assert "RINVSYSID" in lines_of(site, "smpp_bind_refused", "alpha")[0]


async def test_the_links_of_an_account_with_two_hosts_are_shown_with_host_and_time_and_move_when_one_goes(
    site, carrier
):
    first, second = await carrier(), await carrier()
    hosts = [f"127.0.0.1:{each.port}" for each in (first, second)]
    await site.open(links=2, hosts=hosts)
    await site.start()
    await site.until(lambda: len(site.stored(CarrierLinkRow, is_up=True)) == 2)
    since = r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    listed = await site.command("carrier", "list")
    for number, host in enumerate(hosts, 1):
        assert re.search(f"    link {number} up at {host} {since}\n", listed)
    await first.stop()
    # It is there when the link has tried its own host again, and names why that failed.
    moved = "SELECT count(*) FROM carrier_link WHERE host = ? AND is_up AND trouble LIKE '%connection refused%'"
    await site.until(lambda: site.rows(moved, hosts[1]) == [(1,)])
    said = await site.command("health")
    refused = re.escape(f"({hosts[0]}: connection refused: nothing listens there, or a firewall is between)")
    assert re.search(f"carrier      alpha: link 1 up at {hosts[1]} {since} {refused}\n", said)
    job = await site.send("By the other host")
    await site.until(lambda: site.state(job) == {NUMBER: "delivered"})
    assert [taken.submitted.text for taken in second.record.taken] == ["By the other host"]
    bound = f"host={hosts[1]}"
    await site.until(lambda: sum(bound in line for line in lines_of(site, "smpp_bound", "alpha")) == 2)
    await site.stop()
    assert "No process serves" in await site.command("carrier", "list")


async def test_a_carrier_whose_host_is_away_is_told_with_the_cause_where_an_operator_looks(site):
    await site.open(port=free_port())
    await site.start()
    await site.until(lambda: len(site.stored(CarrierLinkRow, is_up=False)) == 1)
    cause = "connection refused: nothing listens there, or a firewall is between"
    (link,) = json.loads(await site.command("carrier", "list", "--json"))[0]["links"]
    assert (link["is_up"], link["trouble"]) == (False, cause)
    assert "link 1 down since" in await site.command("health")
    site.execute("UPDATE carrier_link SET since_at = since_at - 120000000")
    said = await site.command("health", code=1)
    assert re.search(f"LOOK         link 1 to alpha is down since .*: {re.escape(cause)}\n", said)


# carrier test, against a message centre that is a process of its own


@pytest.fixture
async def centre(tmp_path):
    """Return a function that starts `python -m smpp.simulator` and returns its port."""
    running = []

    async def start(*options: str) -> int:
        program = ForkedProgram("smpp.simulator", "--port", "0", "--system-id", "gateway", *options, outputs=(1,))
        lines = program.lines()
        running.append((program, lines))
        return int(await asyncio.wait_for(anext(lines), PATIENCE))

    yield start
    for program, lines in running:
        program.send_signal(signal.SIGTERM)
        await program.wait()
        await lines.aclose()


async def try_carrier(site, *options: str, code: int = 0) -> str:
    """Run `carrier test` as a process, as an operator does, and return what it prints."""
    words = ("carrier", "test", "--config", str(site.file), *options, f"+{NUMBER}")
    ended, said = await asyncio.wait_for(ForkedProgram("cli", *words, outputs=(1, 2)).communicate(), PATIENCE)
    assert ended == code, said
    return said


async def test_a_carrier_is_tried_with_one_sms_and_its_receipt_is_shown(site, centre, tmp_path):
    record = tmp_path / "taken.jsonl"
    port = await centre("--record", str(record), "--id-in-response", "hex", "--id-in-receipt", "decimal")
    dialect = {"id_in_response": "hex", "id_in_receipt": "decimal"}
    await site.open(port=port, dialect=dialect)
    said = await try_carrier(site, "--from", "Shop", "--text", "Trial 1")
    assert f"Bound to 127.0.0.1:{port} as gateway." in said
    assert "Taken under id " in said
    assert "Receipt: delivered" in said
    (line,) = record.read_text().splitlines()
    assert '"text": "Trial 1"' in line
    assert '"sender": "Shop"' in line


async def test_a_carrier_is_tried_under_tls(site, centre, authority, tmp_path):
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "smsc.pem")
    port = await centre("--tls-chain", str(tmp_path / "smsc.pem"))
    site.folder.mkdir(parents=True)
    authority.cert_pem.write_to_path(site.folder / "ca.pem")
    site.more_carriers = [{"name": "beta", "host": "localhost", "port": port, "tls": "require", "ca_file": "ca.pem"}]
    await site.open()
    assert "Receipt: delivered" in await try_carrier(site, "--carrier", "beta")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--refuse", f"{NUMBER}=11"), "Refused: The carrier refuses this number. (ESME_RINVDSTADR"),
        (("--password", "other"), "ESME_RINVPASWD (0x0E): the password is wrong."),
        (("--system-id", "other"), "ESME_RINVSYSID (0x0F): the system_id is wrong."),
    ],
)
async def test_what_is_wrong_with_a_carrier_is_said_and_the_exit_code_is_1(site, centre, options, said):
    port = await centre(*options)
    await site.open(port=port)
    read = await try_carrier(site, code=1)
    assert said in read
    assert len(read.splitlines()) <= 2


@pytest.mark.parametrize(
    ("closes", "options", "said"),
    [
        (None, {}, "connection refused"),
        (None, {"host": "no-such-host.invalid"}, "No bind to no-such-host.invalid:"),
        (True, {}, "it closed the connection without an answer to the bind"),
        (False, {"response_timeout": "3s"}, "it has not answered yet …\nNo bind"),
        (True, {"tls": "require"}, "it closed the connection"),
    ],
)
async def test_why_there_is_no_bind_is_said_in_one_sentence(site, closes, options, said):
    async with mute_server(closes=bool(closes)) as port:
        await site.open(port=free_port() if closes is None else port, **options)
        read = await try_carrier(site, code=1)
    assert said in read
    assert len(read.splitlines()) <= 2


async def test_each_host_of_an_account_is_tried_and_one_sms_is_sent(site, centre, tmp_path):
    record = tmp_path / "taken.jsonl"
    hosts = [f"127.0.0.1:{port}" for port in (free_port(), await centre(), await centre("--record", str(record)))]
    await site.open(hosts=[hosts[0], hosts[2], hosts[1]], links=2)
    said = await try_carrier(site, code=1)
    first, second, took, receipt, third = said.splitlines()
    assert first.startswith(f"No bind to {hosts[0]} as gateway: connection refused")
    assert (second, third) == (f"Bound to {hosts[2]} as gateway.", f"Bound to {hosts[1]} as gateway.")
    assert took.startswith("Taken under id ")
    assert receipt.startswith("Receipt: delivered")
    assert len(record.read_text().splitlines()) == 1


async def test_a_plain_port_where_tls_is_wanted_is_said(site, centre):
    await site.open(port=await centre(), tls="require")
    assert "TLS: " in await try_carrier(site, code=1)


async def test_a_carrier_that_gives_no_receipts_is_asked_for_none(site):
    await site.open(receipts=False)
    await site.start()
    job = await site.send("No receipt, please")
    await site.told()
    assert site.state(job) == {NUMBER: "submitted"}
    assert [taken.submitted.pdu.body.registered_delivery for taken in site.carrier.record.taken] == [0]
