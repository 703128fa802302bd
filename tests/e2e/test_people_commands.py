"""`mail2sms customer|profile|user|people`: what an administrator types, and what comes of it in a real database."""

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from mta.commands.people import customer, people, profile, user
from mta.commands.setup import init
from mta.identify import PasswordProver


class Terminal:
    """A first configuration made by `init`, and commands run against it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        assert CliRunner().invoke(init, [str(folder)]).exit_code == 0
        self.secret = folder / "given.password"
        self.secret.write_text("correct horse battery\nsecond line\n")

    def run(self, group, *words: object, ok: bool = True) -> str:
        command, *arguments = (str(word) for word in words)
        result = CliRunner().invoke(group, [command, "--config", str(self.folder / "mail2sms.toml"), *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert (result.exit_code == 0) is ok, result.output
        return result.output


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The database of a first configuration, made once."""
    folder = tmp_path_factory.mktemp("fresh") / "gateway"
    Terminal(folder)
    return b""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path / "gateway")
    made.run(customer, "add", "Example", "--domain", "example.com", "--address-range", "192.0.2.0/24")
    return made
