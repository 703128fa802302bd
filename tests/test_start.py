"""What a start loads and costs: libraries that cost tens of milliseconds are loaded only by who needs them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.admin_session import admin_session
from cli.setup import write_configuration
from gateway.admin.users import add_user
from tests.kit.patience import PATIENCE

ROOT = Path(__file__).parents[1]
INLINER = {"premailer", "cssutils", "lxml", "requests"}
SERVING = {"aiosmtpd", "aiosmtplib", "jinja2", "dns", "httpx2", "regex", "dkim", *INLINER}
COMMAND = """
import sys
from cli.__main__ import main
try:
    main(sys.argv[1:])
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""
PROCESS = """
import sys
from pathlib import Path
from cli.serve import database_of, read_config, running_gateway
from process.build import build
from process.carriers import build_sandboxes
from process.clock import SystemClock
config = read_config(Path(sys.argv[1]))
database = database_of(config.server)
database.open(serving=True)
build(config, database, build_sandboxes(config.carriers, SystemClock()))
database.close()
print(*sorted(sys.modules), file=sys.stderr)
"""


def loaded(program: str, *words: str) -> set[str]:
    """Return the names of the libraries that a program has loaded at its end."""
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    write_configuration(folder, "127.0.0.1:2525")
    with admin_session(folder / "mail2sms.toml") as session:
        session.change(lambda edit: add_user(edit, "demo", "anna@example.com"), silent=True)
    (folder / "mail.eml").write_bytes(b"From: anna@example.com\r\nSubject: x\r\n\r\nhello\r\n")
    return folder / "mail2sms.toml"


def test_the_overview_loads_no_command():
    assert loaded(COMMAND, "--help") & {"store", "gateway", "smpp", "structlog", "peewee", *SERVING} == set()


ASKING = [
    ("queue", "list"),
    ("queue", "list", "--help"),
    ("status", "J.20261123T160000Z"),
    ("health",),
    ("jobs",),
    ("carrier", "list"),
    ("customer", "list"),
    ("customer", "show", "demo"),
    ("user", "list"),
    ("user", "show", "anna@example.com"),
    ("profile", "list", "--customer", "demo"),
]


def ratio_of(measure: Callable[[], float], compare: Callable[[], float]) -> float:
    """Return how much dearer the first is, of samples taken in turns; early where it is clear.

    Of all samples together, or of the cheapest of each, whichever is less: a busy machine spoils now one, now the other.
    """
    mine, other = [], []
    for _ in range(20):
        other.append(compare())
        mine.append(measure())
        found = min(sum(mine) / sum(other), min(mine) / min(other))
        if len(mine) > 1 and found <= 1.9:
            break
    return found


def cpu_of(*words: str) -> float:
    """Return the seconds of CPU that a program takes from its start to its end."""
    with subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        assert run.stderr is not None
        said = run.stderr.read().decode()
        _, _, used = os.wait4(run.pid, 0)
        run.returncode = 0
    assert "Traceback" not in said, said
    return used.ru_utime + used.ru_stime


@pytest.mark.slow
@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_a_command_that_only_asks_costs_at_most_twice_what_its_libraries_cost(words, file):
    given = words if "--help" in words else (*words, "--config", str(file))
    ratio = ratio_of(lambda: cpu_of("-m", "cli", *given), lambda: cpu_of("-c", "import click, peewee"))
    assert ratio <= 2


@pytest.mark.parametrize(
    "words",
    [
        ("queue", "list", "--config", "{file}"),
        ("status", "--help"),
        ("customer", "list", "--config", "{file}"),
        ("user", "list", "--config", "{file}"),
        ("check", "--config", "{file}"),
        ("explain", "--config", "{file}", "--from", "anna@example.com", "--to", "+447700900123@sms.example.net")
        + ("--as", "demo", "{folder}/mail.eml"),
    ],
    ids=lambda words: words[0],
)
def test_a_command_loads_neither_mail_servers_nor_templates(file, words):
    given = [word.format(file=file, folder=file.parent) for word in words]
    assert loaded(COMMAND, *given) & SERVING == set()


@pytest.mark.slow
def test_the_gateway_starts_without_the_inliner_and_what_only_some_need(file):
    assert loaded(PROCESS, str(file)) & {"httpx2", "regex", *INLINER} == set()
