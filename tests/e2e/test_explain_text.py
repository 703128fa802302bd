"""`mail2sms explain` for people: what a terminal gets, what --text gives, what a pipe gets, and what no mail can do there."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from cli.explained_text import ExplainedLine, lay_out
from tests.kit.in_process import undo_a_command
from tests.kit.installation import mail, write_first
from tests.kit.patience import PATIENCE
from tests.kit.testbed import administer

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "explain.md"
SAMPLES = Path(__file__).parent / "samples"
TO = ("--to", "+447700900101@sms.example.net")
GIVEN = ("--as", "demo", "--from", "anna@example.com", *TO)
# What moves a cursor, sets a title, fills the clipboard, overwrites the line, or reorders what is shown.
HOSTILE = (
    "\x1b[2J\x1b[H",
    "\x9b2J",
    "\x1b]0;title\x07",
    "\x1b]52;c;QUFB\x1b\\",
    "\rWould be sent",
    "\x08\x08",
    "\u202e",
)
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def house(tmp_path, gateway_database):
    """What `init` writes, with the customer demo."""
    write_first(tmp_path / "house", gateway_database)
    return tmp_path / "house"


@pytest.fixture
def note(tmp_path):
    """Write a plain mail with this text and return its file."""

    def write(text: str, **fields) -> str:
        file = tmp_path / "note.eml"
        file.write_bytes(mail(text, **fields))
        return str(file)

    return write


def run(house: Path, *arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(main, ["explain", "--config", str(house / "mail2sms.toml"), *arguments])
    undo_a_command()
    assert result.exit_code == exit_code, result.output
    return result.output


def at_a_terminal(columns: int, house: Path, *arguments: str, **environment: str) -> list[str]:
    """Run the command at a terminal of so many columns and return its rows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    command = [sys.executable, "-m", "cli", "explain", "--config", str(house / "mail2sms.toml"), *arguments]
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=kept | {"TERM": "xterm", "PYTHONUTF8": "1"} | environment,
    )
    os.close(theirs)
    read = b""
    try:
        while piece := os.read(ours, 65536):
            read += piece
    except OSError:
        pass  # Linux says EIO where nobody has the terminal open any more
    os.close(ours)
    assert process.wait(timeout=PATIENCE) == 0, read
    return read.decode().replace("\r\n", "\n").splitlines()


def without_colour(rows: list[str]) -> list[str]:
    return [re.sub("\x1b\\[[0-9;]*m", "", row) for row in rows]


@pytest.mark.slow
def test_a_terminal_gets_text_as_wide_as_it_is_with_the_verdict_first_and_in_colour(house, note):
    file = note(" ".join(f"Zeile{n}" for n in range(80)))
    rows = at_a_terminal(50, house, *GIVEN, file)
    assert rows[0] == "\x1b[32m\x1b[1mWould be sent: 1 SMS in 4 parts\x1b[0m"
    assert [row for row in rows[1:] if "\x1b" in row and "would not be sent" not in row] == []
    shown = without_colour(rows)
    assert max(map(len, shown)) <= 50
    assert shown[-1] == "--json prints everything."
    assert without_colour(at_a_terminal(50, house, *GIVEN, file, NO_COLOR="1"))[0] == shown[0]


@pytest.mark.slow
def test_no_color_is_heeded_and_json_is_json_at_a_terminal_too(house, note):
    assert "\x1b" not in "\n".join(at_a_terminal(70, house, *GIVEN, note("Hello"), NO_COLOR="1"))
    rows = at_a_terminal(70, house, *GIVEN, "--json", note("Hello"))
    assert (rows[0], rows[-1]) == ("{", "}")


def test_a_pipe_gets_the_json_that_json_gives_byte_by_byte(house, note):
    def timeless(told: str) -> str:
        return re.sub(r'"(due_at|expires_at)": "[^"]+"', r'"\1": "…"', told)

    file = note("Gate 4 – 5 €")
    piped = run(house, *GIVEN, file)
    assert timeless(piped) == timeless(run(house, *GIVEN, "--json", file))
    assert piped.startswith('{\n  "version": 2,\n')


def test_json_and_text_exclude_each_other(house, note):
    assert "exclude each other" in run(house, *GIVEN, "--json", "--text", note("Hello"), exit_code=2)


def test_the_documented_text_is_what_is_printed(house, note, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    documented = DOCUMENTATION.read_text("utf-8").partition("```text\n")[2].partition("```")[0]
    told = run(house, *GIVEN, "--text", note("Gate 4 – 5 €"))

    def timeless(text: str) -> str:
        return re.sub(r"valid until [-0-9: ]+", "valid until … ", text)

    assert timeless(told) == timeless(documented)


def test_what_is_refused_cut_replaced_limited_and_set_is_said(house, note):
    administer(house, "customer limit demo --usage sms/day=5 --max-parts 2")
    told = run(
        house, *GIVEN, "--to", "00447700900101@sms.example.net", "--to", "12@sms.example.net", "--text",
        "--set", "subject_options=on", "--set", "coding=gsm7", "--set", "unencodable=smart",
        note("漢漢–" + "x" * 400, subject="[VALIDITY:4]"),
    )  # fmt: skip
    flat = " ".join(told.split())
    assert told.startswith("Would be sent: 1 SMS in 2 parts; 1 recipient refused\n")
    for said in (
        "+44 7700 900101 (GB), given as +447700900101@sms.example.net; by sandbox",
        "not sent again: it is the number of +447700900101@sms.example.net",
        "12@sms.example.net; refused: 550 5.1.3 ",
        "options VALIDITY: 4",
        "part 1/2 153 characters, 153 of 153 septets",
        "«漢» (U+6F22) becomes «Han», 2 times; «–» (U+2013) becomes «-»",
        "cut 101 characters would not be sent:",
        "limits sms/day of customer demo: 0 of 5 used, 5 left, this mail asks for 1; begins anew 2",
        "max_parts = 2 from constraint demo (constraint of customer demo)",
        "validity = 4h from message (subject)",
    ):
        assert said in flat, told
    assert "status_report" not in told


def test_a_mail_that_asks_for_more_than_a_limit_leaves_is_refused_as_the_server_does(house, note):
    administer(house, "customer limit demo --usage parts/day=2")
    told = run(house, *GIVEN, "--text", note("x" * 400))
    assert told.startswith("Would be refused: limit-too-small\nSMTP reply   55")
    assert "goes out" not in told
    assert "parts/day of customer demo: 0 of 2 used, 2 left, this mail asks for 3" in " ".join(told.split())
    assert run(house, *GIVEN, "--text", note("Hello")).startswith("Would be sent")
    shown = run(house, *GIVEN, note("Hello"))
    assert '"limit": "parts/day",\n      "most": 2,\n      "used": 0,\n      "left": 2,' in shown


def test_each_verdict_has_its_own_first_line(house, note):
    refused = run(house, "--from", "anna@example.org", *TO, "--text", note("Hello"))
    assert refused.startswith("Would be refused: authentication-required\nSMTP reply   530 5.7.0 ")
    dropped = run(house, "--as", "demo", "--from", "<>", *TO, "--text", str(SAMPLES / "s5.eml"))
    assert dropped.startswith("Would be accepted and not sent: it is an automatic answer\nby its field In-Reply-To")
    dry = run(
        house, "--as", "demo", "--from", "anna@example.com", "--to", "explain+447700900101@sms.example.net", "--text",
        note("Hello"),
    )  # fmt: skip
    assert dry.startswith("Dry run: nothing would be sent; the answer would say: 1 SMS in 1 part\n")


@pytest.mark.slow
def test_no_sequence_of_a_mail_reaches_the_terminal(house, note):
    hostile = "".join(HOSTILE).replace("\r", "")
    file = note(f"Hi {hostile} there", subject="=?utf-8?q?=1B[2J=C2=9B2J=E2=80=AEsubject?=")
    rows = at_a_terminal(80, house, *GIVEN, "--set", "text_source=both", "--to", f"{hostile}@sms.example.net", file)
    assert OBEYED.search("\n".join(without_colour(rows))) is None
    assert any("[U+202E]" in row for row in rows)


@pytest.mark.parametrize("verbatim", [False, True])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_line_holds_what_a_terminal_obeys(hostile, verbatim):
    rows = list(lay_out(ExplainedLine(f"before{hostile}after", "text", verbatim=verbatim), 60))
    assert OBEYED.search("\n".join(rows)) is None
    assert all("│ " in row for row in rows) is verbatim


def test_wide_characters_count_twice_and_nothing_of_a_text_is_lost():
    text = "本日18時にシステム停止します。" * 5
    rows = [row[15:] for row in lay_out(ExplainedLine(text, "", verbatim=True), 60)]
    assert "".join(rows) == text
    assert all(len(row) <= 45 // 2 + row.count("1") + row.count("8") for row in rows)
    words = [row.strip() for row in lay_out(ExplainedLine(" ".join(["word"] * 60), "to"), 40)]
    assert " ".join(words).removeprefix("to").split() == ["word"] * 60
    assert all(len(row) <= 40 for row, _ in pairwise(words))
