"""The files for a system: they name commands that exist and log lines that are written."""

import configparser
import json
import re
import subprocess
import sys
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
    named = re.findall(r"(?m)^Exec\w+=/usr/bin/mail2sms (\w+) --config", unit)
    assert named == ["check", "serve"]
    assert set(named) <= set(PLACES)
