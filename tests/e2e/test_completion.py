"""A shell completes commands and options by the script that `completion` prints; tried in a real bash."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from cli.completion import SHELLS
from tests.kit.patience import PATIENCE

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script(shell):
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0, result.output
    assert "_MAIL2SMS_COMPLETE" in result.output


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (["mail2sms", "que"], "queue"),
        (["mail2sms", "queue", "li"], "list"),
        (["mail2sms", "queue", "list", "--js"], "--json"),
        (["mail2sms", "jobs", "--state", "deliv"], "delivered"),
    ],
    ids=" ".join,
)
def test_bash_completes_what_is_typed(typed, found, tmp_path):
    program = tmp_path / "mail2sms"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c \'from cli.__main__ import main; main(prog_name="mail2sms")\' "$@"\n'
    )
    program.chmod(0o755)
    words = " ".join(typed)
    script = (
        f'eval "$(mail2sms completion bash)"\nCOMP_WORDS=({words})\nCOMP_CWORD={len(typed) - 1}\n'
        "_mail2sms_completion mail2sms\necho ${COMPREPLY[@]}\n"
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [found], done.stderr
