"""The files for a system: they name commands that exist and log lines that are written."""

import configparser
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cli.__main__ import PLACES
from tests.kit.peer import find_program, require_peer

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
    patterns = [pattern for pattern in parser["Definition"]["failregex"].splitlines() if pattern]
    return [found["host"] for pattern in patterns if (found := re.search(pattern.replace("<HOST>", ADDRESS), line))]


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_failed_login_bans_who_made_it_and_nobody_that_its_user_name_mentions(log_format):
    lines = written(log_format, login("auth_succeeded", "demo"), *(login("auth_failed", user) for user in USERS))
    assert [banned(line) for line in lines] == [[], *(["2001:db8::7"] for _ in USERS)]


def test_the_filter_is_read_by_fail2ban_itself(tmp_path):
    program = find_program("fail2ban-regex")
    require_peer("fail2ban", program)
    assert program is not None
    lines = written("console", *(login("auth_failed", user) for user in USERS))
    (tmp_path / "log").write_text("\n".join([*lines, ""]), encoding="utf-8")
    done = subprocess.run([program, str(tmp_path / "log"), str(FILTER)], capture_output=True, text=True, check=False)
    assert f"{len(USERS)} matched" in done.stdout, done.stdout


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
