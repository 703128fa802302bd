"""Nobody slips code into a child process, and what it dies of is said as it was."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from templates.child import Child, ChildEndedError, ChildLateError, ChildMemoryError, ChildUnavailableError
from tests.unit.test_child import make

ROOT = Path(__file__).parents[2]
TRAP = "import os\nwith open({marks!r}, 'a') as file: file.write({name!r} + '\\n')\n"
MODULES = (
    *("mta", "cli", "tls", "templates", "sms", "tests", "mta/reading/confined_reader", "templates/child"),
    *("json", "re", "struct", "signal", "runpy", "pickle", "encodings/idna", "jinja2", "lxml", "msgspec", "premailer"),
    *("sitecustomize", "usercustomize", "lib/python/site-packages/usercustomize"),
)
ENVIRONMENT = {
    "PYTHONPATH": "{folder}",
    "PYTHONHOME": "{folder}",
    "PYTHONSTARTUP": "{folder}/mta.py",
    "PYTHONUSERBASE": "{folder}",
    "PYTHONINSPECT": "1",
    "PYTHONPLATLIBDIR": "{folder}",
    "PYTHONWARNINGS": "error::mta.Trap",
    "PYTHONBREAKPOINT": "mta.trap",
    "LD_PRELOAD": "{folder}/mta.so",
    "LD_LIBRARY_PATH": "{folder}",
    "HOME": "{folder}",
}
# A parent in a hostile folder and environment, which it has on its path as `python -m cli` would.
PARENT = """
import json, os, sys
from mta.reading.confined_reader import ConfinedReader
from mta.reading.mime import MailLimits
from templates.confined import ConfinedTemplates
from templates.render import Renderer
from templates.samples import sample_reports
from sms.report import NoticeKind
folder = os.getcwd()
view = Renderer().view(NoticeKind.RESULT, next(iter(sample_reports(NoticeKind.RESULT))))
sys.path[:0] = ["", folder]
os.environ.update(json.loads(sys.argv[1]))
reader, templates = ConfinedReader(seconds=60), ConfinedTemplates(seconds=60)
said = [reader.read(b"From: a@example.com\\r\\n\\r\\nHi", MailLimits()).author, templates.run("<p>Hi</p>", view)]
for child in (reader.child, templates.child):
    with open(f"/proc/{child.pid}/environ") as file:
        said.append(file.read())
    said.append(os.readlink(f"/proc/{child.pid}/cwd"))
    child.close()
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Return a folder full of traps, and the file in which each that is sprung leaves its name."""
    folder = tmp_path_factory.mktemp("hostile")
    marks = tmp_path_factory.mktemp("marks") / "sprung"
    marks.touch()
    for name in MODULES:
        file = folder / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TRAP.format(marks=str(marks), name=name))
    return folder, marks


@pytest.fixture(scope="module")
def said(hostile):
    folder, _ = hostile
    environment = {name: value.format(folder=folder) for name, value in ENVIRONMENT.items()}
    command = [sys.executable, "-P", "-c", f"import sys\nsys.path.append({str(ROOT)!r})\n" + PARENT]
    done = subprocess.run([*command, json.dumps(environment)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_where_the_house_is_started_is_not_run(name, hostile, said):
    assert said[0] == "a@example.com"
    assert "<p>Hi</p>" in said[1]
    assert name not in hostile[1].read_text().splitlines()


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_variable_of_the_environment_does_not_reach_a_child(name, said):
    for environment in (said[2], said[4]):
        assert f"{name}=" not in environment


def test_a_child_works_in_a_folder_that_is_no_more(hostile, said):
    for folder in (said[3], said[5]):
        assert folder.endswith("(deleted)")
        assert not folder.startswith(str(hostile[0]))


@pytest.mark.parametrize("name", ["json", "sitecustomize"])
def test_the_traps_spring_where_the_path_leads_to_them(name, hostile, tmp_path):
    marks = tmp_path / "sprung"
    (tmp_path / f"{name}.py").write_text(TRAP.format(marks=str(marks), name=name))
    subprocess.run([sys.executable, "-c", "import json"], env={"PYTHONPATH": str(tmp_path)}, check=False)
    assert name in marks.read_text()


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        (b"x", ChildEndedError, "it ended with code 3"),
        (b"m1000000000", ChildMemoryError, "it needs more memory than is allowed"),
        (b"l2000000", ChildEndedError, "its answer is too long"),
        (b"rthe parser broke", ChildEndedError, "it ended with code 1: ValueError: the parser broke"),
        (b"k11", ChildEndedError, "it was killed by signal 11 (SIGSEGV)"),
        (b"k6", ChildEndedError, "it was killed by signal 6 (SIGABRT)"),
        (b"k7", ChildEndedError, "it was killed by signal 7 (SIGBUS)"),
        (b"k4", ChildEndedError, "it was killed by signal 4 (SIGILL)"),
        (b"k40", ChildEndedError, "it was killed by signal 40 (no name)"),
        (b"k9", ChildUnavailableError, "it was killed by signal 9 (SIGKILL)"),
        (b"k15", ChildUnavailableError, "it was killed by signal 15 (SIGTERM)"),
        (b"c", ChildEndedError, "it closed its answers and went on"),
    ],
)
def test_what_a_process_died_of_is_said_as_it_was(request_, kind, words):
    child = make()
    with pytest.raises(kind) as raised:
        child.ask(request_)
    assert type(raised.value) is kind
    assert str(raised.value) == words
    assert child.ask(b".again") == b"again"
    child.close()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("no.such.module", "did not start: it ended with code 1: .*No module named 'no'"),
        ("json.tool", r"did not start: it ended with code 2: .*can't open"),
        ("this", "did not start: it ended with code 0"),
    ],
)
def test_a_process_that_breaks_at_its_start_says_with_what(module, words):
    with pytest.raises(ChildUnavailableError, match=words):
        make(module=module).ask(b".")


def test_a_request_that_never_ends_is_late_and_nothing_else(patient):
    child = make(seconds=0.2)
    child.ask(b".")
    with pytest.raises(ChildLateError, match=r"no answer within 0\.2 seconds"):
        child.ask(b"b")
    child.close()


def test_a_child_that_complains_without_end_is_not_held_up_by_it():
    child = make()
    assert child.ask(b"s5000000") == b"said"
    child.close()


def test_a_child_that_is_kept_warm_is_there_before_it_is_asked_and_again_after_it_broke():
    child = make()
    child.warm()
    first = child.pid
    assert first is not None
    assert child.ask(b".x") == b"x"
    assert child.pid == first
    with pytest.raises(ChildEndedError):
        child.ask(b"x")
    assert child.pid not in {None, first}
    child.close()
    assert child.pid is None


def test_no_folder_of_a_child_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    child = make()
    child.warm()
    assert len([*tmp_path.iterdir()]) == 1
    child.ask(b".")
    assert [*tmp_path.iterdir()] == []
    child.replace()
    broken = Child("no.such.module", seconds=1, memory_bytes=1 << 26, longest_answer=9)
    with pytest.raises(ChildUnavailableError):
        broken.ask(b".")
    child.close()
    assert [*tmp_path.iterdir()] == []
