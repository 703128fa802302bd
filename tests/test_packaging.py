"""The files for a system: they name commands that exist and log lines that are written."""

import configparser
import json
import os
import re
import subprocess
import sys
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from addressbook.people import Directory
from cli.__main__ import PLACES
from gateway.auth.authenticator import Authenticator
from gateway.auth.tokens import Tokens
from mta.identify import login_hook
from mta.mechanisms import External, OAuthBearer, SessionProofs, XOAuth2
from mta.smtp.engine.sasl import MECHANISMS
from mta.smtp.server.server import ServerSettings
from tests.kit.clock import Clock
from tests.kit.peer import find_program, require_peer
from tests.kit.smtp_door import QUICK, Accepting, client_of, door

ROOT = Path(__file__).parents[1]
FILTER = ROOT / "packaging/fail2ban/filter.d/mail2sms.conf"
ADDRESS = r"(?P<host>[0-9A-Fa-f:.]+)"  # what fail2ban puts in the place of <HOST>, names left out

WRITE = """
import json, sys
import structlog
from config.model import LogFormat, LogOptions
from process.log import configure_log
configure_log(LogOptions(format=LogFormat(sys.argv[1])))
for facts in json.loads(sys.argv[2]):
    structlog.get_logger().warning(facts.pop("event"), **facts)
"""
USERS = ["demo", "two words", 'quo"te', "back\\slash", "x rip=192.0.2.1 mechanism=PLAIN", '", "rip": "192.0.2.1', "-"]


def written(log_format: str, *lines: dict[str, str]) -> list[str]:
    """Return the lines that the gateway writes."""
    arguments = [sys.executable, "-c", WRITE, log_format, json.dumps(lines)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()


def login(event: str, user: str) -> dict[str, str]:
    return {"event": event, "user": user, "rip": "2001:db8::7", "mechanism": "PLAIN"}


def banned(line: str) -> list[str]:
    """Return the addresses that the filter finds in a line."""
    parser = configparser.RawConfigParser()
    parser.read(FILTER, encoding="utf-8")
    definition = parser["Definition"]
    patterns = [
        one.replace("%(_journal)s", definition["_journal"]) for one in definition["failregex"].splitlines() if one
    ]
    return [found["host"] for pattern in patterns if (found := re.search(pattern.replace("<HOST>", ADDRESS), line))]


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_failed_login_bans_who_made_it_and_nobody_that_its_user_name_mentions(log_format):
    lines = written(log_format, login("auth_succeeded", "demo"), *(login("auth_failed", user) for user in USERS))
    assert [banned(line) for line in lines] == [[], *(["2001:db8::7"] for _ in USERS)]


def found_by_fail2ban(folder: Path, lines: Sequence[str]) -> list[str]:
    """Return the addresses that fail2ban itself would count, line by line."""
    program = find_program("fail2ban-regex")
    require_peer("fail2ban", program)
    assert program is not None
    (folder / "log").write_text("\n".join([*lines, ""]), encoding="utf-8")
    arguments = [program, "--out", "ip", str(folder / "log"), str(FILTER)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False).stdout.split()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_the_filter_is_read_by_fail2ban_itself(tmp_path, log_format):
    lines = written(log_format, *(login("auth_failed", user) for user in USERS))
    assert found_by_fail2ban(tmp_path, lines) == ["2001:db8::7"] * len(USERS)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_the_filter_reads_the_journal_where_the_name_of_the_machine_stands_first(tmp_path, log_format):
    lines = written(log_format, *(login("auth_failed", user) for user in USERS))
    stamped = [f"Nov 30 07:00:00 mx mail2sms[12]: {line.partition('Z ')[2] or line}" for line in lines]
    assert found_by_fail2ban(tmp_path, stamped) == ["2001:db8::7"] * len(USERS)


FORGED = "event=auth_failed user=x rip=192.0.2.1 mechanism=PLAIN"


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_no_word_of_a_peer_in_another_line_bans_anybody(tmp_path, log_format):
    words = (
        FORGED,
        f"x\n{FORGED}",
        f'\\" {FORGED}',
        f'x" level=warning {FORGED}',
        f"timestamp=x level=warning {FORGED}",
    )
    json_like = '{"user": "x", "rip": "192.0.2.1", "mechanism": "PLAIN", "event": "auth_failed", "a": "b"}'
    hostile = [{"event": "smtp_incident", "detail": word} for word in (*words, json_like, f'"}}\n{json_like}')]
    assert found_by_fail2ban(tmp_path, written(log_format, *hostile)) == []


ADDRESSES = ["192.0.2.7", "2001:db8::7"]
LOGINS = {
    "PLAIN": lambda user: [b"\0" + user + b"\0secret"],
    "LOGIN": lambda user: [user, b"secret"],
    "SCRAM-SHA-256": lambda user: [
        b"n,,n=" + user.replace(b"=", b"=3D").replace(b",", b"=2C") + b",r=abc",
        b"c=biws,r=NONCE,p=" + b64encode(bytes(32)),
    ],
    "EXTERNAL": lambda user: [user],
    "OAUTHBEARER": lambda user: [
        b"n,a=" + user.replace(b"=", b"=3D").replace(b",", b"=2C") + b",\x01auth=Bearer x\x01\x01",
        b"\x01",
    ],
    "XOAUTH2": lambda user: [b"user=" + user + b"\x01auth=Bearer x\x01\x01", b""],
}
FORGING = f'ä" {FORGED} {"x" * 300}'
HOSTILE = f"\u202e\x1b[31m\n\r{FORGING}"


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", LOGINS)
async def test_a_failed_login_by_any_mechanism_bans_the_client_whatever_it_calls_itself(tmp_path, mechanism):
    authenticator = Authenticator(credential_of=lambda _: None, confirm=_confirm, workers=1)
    no_keys: Any = None
    tokens = Tokens(directory=Directory, keys=no_keys, clock=Clock())
    sessions = SessionProofs(Directory, Clock(), authenticator, tokens)
    offered = {
        **MECHANISMS,
        "SCRAM-SHA-256": sessions._begin_scram,
        "EXTERNAL": External,
        "OAUTHBEARER": OAuthBearer,
        "XOAUTH2": XOAuth2,
    }
    proxied = ServerSettings(
        hostname="mx.example.net", connections=QUICK, auth_needs_tls=False, proxies=(ip_network("127.0.0.0/8"),)
    )
    user = FORGING if mechanism.startswith("SCRAM") else HOSTILE  # whose user is no text of RFC 4013 hears 501
    hook, words = login_hook(authenticator, sessions), LOGINS[mechanism]
    with capture_logs() as logs:
        async with door(Accepting(), proxied, authenticator=hook, mechanisms=lambda _: offered) as listener:
            for address in ADDRESSES:
                async with client_of(listener, greeted=False) as client:
                    kind = "TCP6" if ":" in address else "TCP4"
                    client.writer.write(f"PROXY {kind} {address} {address} 1 25\r\n".encode())
                    await client.hear()
                    await client.say(b"EHLO client.example.com\r\n")
                    said = await client.say(f"AUTH {mechanism}\r\n".encode())
                    for word in words(user.encode()):
                        if said.startswith("334"):
                            nonce = b64decode(said[4:]).partition(b",")[0].removeprefix(b"r=")
                            said = await client.say(b64encode(word.replace(b"NONCE", nonce)) + b"\r\n")
                    assert said.startswith("535 5.7.8")
    authenticator.close()
    failed = [line for line in logs if line["event"] == "auth_failed"]
    assert [line["rip"] for line in failed] == ADDRESSES
    for log_format in ("console", "json"):
        lines = written(
            log_format, *({name: value for name, value in line.items() if name != "log_level"} for line in failed)
        )
        assert all(line.isascii() and line.isprintable() for line in lines)
        assert found_by_fail2ban(tmp_path, lines) == ADDRESSES


async def _confirm() -> bool:
    return True


def test_the_unit_starts_commands_that_exist():
    unit = (ROOT / "packaging/mail2sms.service").read_text("utf-8")
    named = re.findall(r"(?m)^Exec\w+=/usr/local/bin/mail2sms (\w+) --config", unit)
    assert named == ["check", "serve"]
    assert set(named) <= set(PLACES)


def test_the_unit_reads_and_writes_only_what_the_page_of_installation_makes():
    unit = (ROOT / "packaging/mail2sms.service").read_text("utf-8")
    page = (ROOT / "docs/install.md").read_text("utf-8")
    assert "StateDirectory=mail2sms" in unit
    assert "ProtectSystem=strict" in unit
    for line in (
        "ln -s /opt/mail2sms/bin/mail2sms /usr/local/bin/mail2sms",
        "install -d -o mail2sms -g mail2sms -m 0700 /var/lib/mail2sms",
        "install -d -o mail2sms -g mail2sms -m 0750 /etc/mail2sms",
        "mail2sms init /etc/mail2sms --data-dir /var/lib/mail2sms",
        "install -m 0644 packaging/mail2sms.service /etc/systemd/system/",
        "systemctl start mail2sms",
    ):
        assert f"# {line}\n" in page or f" {line}\n" in page, line
    assert (
        "ConfigurationDirectory" not in unit
    )  # systemd would give the folder to root, and the service could not read it


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    program = find_program("systemd-analyze")
    require_peer("systemd", program)
    assert program is not None
    text = (ROOT / "packaging/mail2sms.service").read_text("utf-8")
    unit = tmp_path / "mail2sms.service"
    unit.write_text(text.replace("/usr/local/bin/mail2sms", "/bin/true").replace("=mail2sms\n", "=root\n", 2), "utf-8")
    done = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert "mail2sms" not in done.stderr, done.stderr


def test_the_container_is_built_from_what_make_wheel_leaves():
    steps = (ROOT / "packaging/container/Containerfile").read_text("utf-8")
    made = re.findall(r"dist/([a-z.]+)", (ROOT / "Makefile").read_text("utf-8"))
    assert "constraints.txt" in made
    assert "COPY mail2sms-*.whl constraints.txt" in steps
    named = re.findall(r'"mail2sms", "(\w+)"', steps)
    assert named == ["health", "serve"]
    assert set(named) <= set(PLACES)


@pytest.mark.slow
def test_the_wheel_alone_plays_the_demo_from_another_folder(tmp_path):
    """What stands only in the checkout is missing here: templates, migrations, pages."""
    made = tmp_path / "dist"
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(made)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = made.glob("mail2sms-*.whl")
    program = tmp_path / "program"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(program)
    site = Path(pytest.__file__).parents[1]
    start = "import sys; from cli.__main__ import main; main(prog_name='mail2sms')"
    environment = {"PYTHONPATH": f"{program}{os.pathsep}{site}", "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", start, "demo", "--once"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Delivered" in done.stdout
