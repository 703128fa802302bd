"""`mail2sms tls check`, `template …` and `dkim …`: what an administrator sees, against servers and records of the test."""

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding

from cli.__main__ import main
from cli.dkim import judge_record
from mta.sending.sign import KeyKind, new_key
from templates.forms import MailForm
from templates.render import standard_template
from tests.kit.installation import write_first
from tests.kit.mail_servers import HOST, Peer, issue, make_authority, one_host, server_context
from tests.kit.resolver import TableResolver
from tls.resolver import DnsAnswer, Lookup

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"x" * 50 + b"\0\0\0\0IEND\xaeB`\x82"
PAGE = "<!DOCTYPE html><html><head><title>x</title></head><body>{}</body></html>"


class Terminal:
    """A configuration in a folder, and commands run against it in a thread."""

    def __init__(self, folder: Path, database: str, **mail) -> None:
        self.folder = folder
        self.file = folder / "mail2sms.toml"
        write_first(folder, database, mail=mail)

    async def run(self, *words: object, code: int = 0) -> str:
        given = [*map(str, words), "--config", str(self.file)]
        result = await asyncio.to_thread(CliRunner().invoke, main, given)
        assert result.exit_code == code, (result.output, result.exc_info)
        return result.output


@pytest.fixture
def new_terminal(tmp_path, gateway_database):
    """Return a function that makes a terminal; what it is given stands in [mail]."""
    return partial(Terminal, tmp_path / "site", gateway_database)


@pytest.fixture
def name_servers(monkeypatch):
    """Put tables in the place of DNS; `use` names them."""

    def use(resolver) -> None:
        monkeypatch.setattr("process.mail_out.build_resolver", lambda config: resolver)
        monkeypatch.setattr("cli.dkim.build_resolver", lambda config: resolver)

    return use


@pytest.fixture
def good(tmp_path):
    """A certificate for the MX by an authority of its own."""
    authority = make_authority()
    identity = issue(authority, names=(HOST, "example.com"))
    (tmp_path / "identity").mkdir()
    ca_file = tmp_path / "ca.pem"
    authority.write(tmp_path / "identity")
    ca_file.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    return server_context(identity, tmp_path / "identity"), ca_file


def after(output: str, step: str) -> list[str]:
    lines = output.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(step))
    told = []
    for line in lines[start + 1 :]:
        if not line.startswith("  "):
            break
        told.append(line.strip())
    return told


async def test_the_walk_tells_each_step_and_that_mail_goes(new_terminal, name_servers, good):
    context, ca_file = good
    async with Peer(context=context) as peer:
        name_servers(one_host())
        terminal = new_terminal(port=peer.port, private_hosts=True)
        await terminal.run("tls", "enforce", "example.com", "private-ca", "--ca-file", ca_file)
        said = await terminal.run("tls", "check", "Example.com")
        assert (
            after(said, "policy:")[0] == "level private-ca, from domain example.com; mail waits where it can't be had"
        )
        assert after(said, "MTA-STS:") == ["record: none"]
        assert after(said, "TLS reports:") == ["nobody asks for any"]
        assert after(said, "MX:") == [f"10 {HOST}", "not proven by DNSSEC"]
        host = after(said, f"host {HOST}:{peer.port}:")
        assert "demanded: private-ca (domain example.com)" in host
        assert "address: 127.0.0.1; host unproven" in host
        assert any(line.startswith("TLS: TLSv1.3 ") for line in host)
        assert f"names: {HOST}, example.com" in host
        assert any(line.startswith("spki:") for line in host)
        assert host[-1] == "verdict: good"
        assert after(said, "verdict:") == [f"mail goes to {HOST}"]
        assert not {"MAIL", "RCPT", "DATA"} & {line.split(" ")[0] for line in [*peer.in_clear, *peer.in_tls]}


async def test_the_walk_shows_the_certificate_of_a_host_that_is_refused(new_terminal, name_servers, good):
    async with Peer(context=good[0]) as peer:
        name_servers(one_host())
        terminal = new_terminal(port=peer.port, private_hosts=True)
        await terminal.run("tls", "enforce", "example.com", "secure")
        said = await terminal.run("tls", "check", "example.com", code=1)
        host = after(said, f"host {HOST}:{peer.port}:")
        assert "names wanted: example.com or .example.com" in host
        assert any(line.startswith("certificate: CN=") and "issued by CN=Root" in line for line in host)
        (pin,) = [line for line in host if line.startswith("spki:")]
        assert "4.7.5 TLS failed: certificate not verified" in host[-1]
        assert after(said, "verdict:") == ["mail waits: no host shows what is demanded"]
        await terminal.run("tls", "enforce", "example.com", "fingerprint", "--pin", pin)
        assert "verdict: good" in await terminal.run("tls", "check", "example.com")


async def test_the_walk_to_a_named_host_asks_no_mx(new_terminal, name_servers):
    async with Peer() as peer:
        name_servers(TableResolver())
        terminal = new_terminal()
        said = json.loads(await terminal.run("tls", "check", "example.com", "--mx", f"127.0.0.1:{peer.port}", "--json"))
        assert said["granted"] is True
        await terminal.run("tls", "enforce", "example.com", "encrypt")
        said = await terminal.run("tls", "check", "example.com", "--mx", f"127.0.0.1:{peer.port}", code=1)
        assert "4.7.4 the server does not offer STARTTLS, domain example.com, policy encrypt" in said
        assert peer.verbs_in_clear.count("MAIL") == 0


async def test_where_a_domain_wants_reports_that_nobody_sends_it_is_said(new_terminal, name_servers):
    record = {"_smtp._tls.example.com": ["v=TLSRPTv1; rua=mailto:tls@example.com"]}
    name_servers(TableResolver(mx_records={"example.com": [(0, "")]}, texts=record))
    said = await new_terminal().run("tls", "check", "example.com", code=1)
    assert after(said, "TLS reports:") == [
        "mailto:tls@example.com",
        "none goes out: [mail] tls_reports or every [[mail.dkim]] is missing",
    ]


async def test_a_domain_without_hosts_is_told_as_such(new_terminal, name_servers):
    name_servers(TableResolver(mx_records={"example.com": [(0, "")]}))
    said = await new_terminal().run("tls", "check", "example.com", code=1)
    assert "0 . (takes no mail)" in said
    assert "mail would not go out: The domain example.com takes no mail." in said


async def test_the_walk_of_a_route_names_the_route(new_terminal, name_servers):
    async with Peer() as peer:
        name_servers(TableResolver())
        route = {"domain": "example.com", "host": "127.0.0.1", "port": peer.port, "tls": "encrypt"}
        said = await new_terminal(route=[route]).run("tls", "check", "example.com", code=1)
        assert after(said, "route:") == [f"example.com goes to 127.0.0.1:{peer.port}, never by MX; demands encrypt"]
        assert "policy encrypt (route of example.com)" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tls", "enforce", "no domain", "secure"), "is not «example.com»"),
        (("tls", "enforce", "example.com", "fingerprint", "--pin", "spki:00"), "is not spki:HEX"),
        (("tls", "enforce", "example.com", "private-ca", "--ca-file", "/nonexistent"), "holds no usable authorities"),
        (("tls", "check", "example.com", "--mx", "nothing"), "is not HOST:PORT"),
        (("tls", "check", "example.com", "--customer", "Nobody"), "There is no customer «Nobody»"),
    ],
)
async def test_a_wrong_command_is_told_what_is_wrong(new_terminal, words, said):
    result = await asyncio.to_thread(CliRunner().invoke, main, [*words, "--config", str(new_terminal().file)])
    assert result.exit_code != 0
    assert said in result.output


@pytest.mark.slow
async def test_a_template_from_the_standard_one_to_its_reset(new_terminal, tmp_path):
    terminal = new_terminal()
    assert (await asyncio.to_thread(CliRunner().invoke, main, ["template", "show"])).output == standard_template()
    picture, source = tmp_path / "logo.png", tmp_path / "own.html"
    picture.write_bytes(PNG)
    source.write_text(PAGE.format('<img src="cid:logo"><p>{{ m.headline }} {{ m.recipients[0].text }}</p>'))
    whose = ("--customer", "demo")
    assert "cid:logo" in await terminal.run("template", "check", *whose, "result", source, code=1)
    await terminal.run("template", "graphic", "add", *whose, "logo", picture)
    assert "good for the form «result»" in await terminal.run("template", "check", *whose, "result", source)
    await terminal.run("customer", "set", "demo", "language=de")
    said = await terminal.run("template", "preview", *whose, "failure", source, "--output", tmp_path / "page.html")
    assert said.strip().endswith("8 samples of the form «failure».")
    page = (tmp_path / "page.html").read_text()
    assert page.count("<iframe sandbox srcdoc=") == 8
    assert "src=&quot;data:image/png;base64,iVBOR" in page
    assert "konnte nicht zugestellt" in page or "Nicht zugestellt" in page
    await terminal.run("profile", "add", "Alarm", *whose)
    await terminal.run("template", "set", *whose, "--profile", "Alarm", "result", source)
    shown = await terminal.run("template", "show", "result", *whose, "--profile", "Alarm")
    assert shown == source.read_text()
    listed = await terminal.run("template", "list")
    assert listed.splitlines()[1].split()[:3] == ["demo", "Alarm", "result"]
    await terminal.run("template", "reset", *whose, "--profile", "Alarm", "result")
    assert "the standard one goes out" in await terminal.run("template", "show", "result", *whose, code=1)
    await terminal.run("template", "graphic", "remove", *whose, "logo")


async def test_a_template_of_received_sms_starts_from_its_own_standard_one_and_is_seen_with_its_own_samples(
    new_terminal, tmp_path
):
    terminal = new_terminal()
    shown = (await asyncio.to_thread(CliRunner().invoke, main, ["template", "show", "inbound"])).output
    assert shown == standard_template(MailForm.INBOUND)
    source, page, whose = tmp_path / "own.html", tmp_path / "page.html", ("--customer", "demo")
    source.write_text(shown.replace("{{ m.kind_name }}", "Example Ltd · {{ m.kind_name }}"))
    await terminal.run("customer", "set", "demo", "--service=inbound", "language=de")
    said = await terminal.run("template", "preview", *whose, "inbound", source, "--output", page)
    assert said.strip().endswith("6 samples of the form «inbound».")
    assert "Example Ltd · SMS empfangen" in page.read_text()
    await terminal.run("template", "set", *whose, "inbound", source)
    assert await terminal.run("template", "show", "inbound", *whose) == source.read_text()
    assert "nothing is called" in await terminal.run("template", "check", *whose, "result", source, code=1)


async def test_a_broken_template_is_refused_when_it_is_saved(new_terminal, tmp_path):
    terminal = new_terminal()
    source = tmp_path / "own.html"
    source.write_text(PAGE.format("{{ m.nothing }}"))
    said = await terminal.run("template", "set", "--customer", "demo", "result", source, code=1)
    assert "nothing" in said
    assert await terminal.run("template", "list") == ""


RSA = new_key("example.com", "s1", KeyKind.RSA).record_text
OTHER = new_key("example.com", "s1", KeyKind.RSA).record_text
ED = new_key("example.com", "s1", KeyKind.ED25519).record_text


@pytest.mark.parametrize(
    ("published", "said"),
    [
        ([RSA], []),
        ([RSA.replace("v=DKIM1; ", "").replace("k=rsa; ", "")], []),
        ([f"{RSA[:60]} {RSA[60:]}"], []),
        (["v=spf1 -all", RSA], []),
        ([], ["there is no key record; publish it first"]),
        ([RSA, OTHER], ["there are 2 key records"]),
        ([OTHER], ["another key is published there"]),
        ([ED], ["it is of kind ed25519, the key of kind rsa"]),
        (["v=DKIM1; p="], ["the key is revoked there: p= is empty"]),
        ([f"{RSA}; t=y:s"], ["t=y tells verifiers that this is a test: they treat the mail as unsigned"]),
        ([f"{RSA}; h=sha1; s=tlsrpt"], ["h= does not allow sha256", "s= does not allow email"]),
    ],
)
def test_a_published_key_is_compared_with_the_one_that_signs(published, said):
    lookup = Lookup.FOUND if published else Lookup.NO_DOMAIN
    assert list(judge_record(DnsAnswer(lookup=lookup, values=tuple(published)), RSA)) == said


def test_silence_of_dns_is_no_verdict_on_the_key():
    assert list(judge_record(DnsAnswer(lookup=Lookup.FAILED, cause="no answer"), RSA)) == [
        "DNS gave no answer: no answer"
    ]


async def test_a_new_key_is_written_for_nobody_else_and_checked_against_dns(new_terminal, name_servers):
    terminal = new_terminal()
    said = await terminal.run("dkim", "new", "Sms.Example.net", "--kind", "ed25519", "--selector", "mail1")
    key_file = terminal.folder / "mail1.sms.example.net.dkim.pem"
    assert key_file.stat().st_mode & 0o777 == 0o600
    again = await terminal.run("dkim", "new", "sms.example.net", "--selector", "mail1", code=1)
    assert "exists already; nothing was overwritten" in again
    assert "no [[mail.dkim]]" in await terminal.run("dkim", "check", "sms.example.net", code=1)
    terminal.file.write_text(f"{terminal.file.read_text()}\n{said[said.index('[[mail.dkim]]') :]}")
    record = said.split('"')[1]
    assert record.startswith("v=DKIM1; k=ed25519; p=")
    name_servers(TableResolver(texts={"mail1._domainkey.sms.example.net": [record]}))
    assert "fits the key" in await terminal.run("dkim", "check", "sms.example.net")
    name_servers(TableResolver())
    assert "there is no key record" in await terminal.run("dkim", "check", "sms.example.net", code=1)


async def test_one_key_named_twice_is_an_error_in_the_file(new_terminal):
    terminal = new_terminal()
    said = await terminal.run("dkim", "new", "sms.example.net", "--kind", "ed25519", "--selector", "mail1")
    table = said[said.index("[[mail.dkim]]") :]
    terminal.file.write_text(f"{terminal.file.read_text()}\n{table}\n{table}")
    assert '"mail1._domainkey.sms.example.net" stands twice' in await terminal.run("check", code=1)
