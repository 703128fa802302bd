"""`mail2sms init` and `mail2sms check`: the first configuration serves, and a wrong one is explained line by line."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from cli.admin_session import admin_session
from cli.context import opened
from cli.setup import check, init, write_configuration
from config.field_types import read_secret
from config.model import Config, load_config
from gateway.admin.constraints import ConstraintLimits, limit
from gateway.admin.customers import add_customer, remove_customer
from gateway.admin.settings import CustomerScope, set_settings
from store.directory_lookup import find_credential, find_customer
from tests.kit.patience import PATIENCE
from tests.kit.peer import require_peer
from tests.kit.ports import free_port
from tls.listening import TlsMode

ROOT = Path(__file__).parents[2]


def run(command, *arguments: object) -> Result:
    with capture_logs():  # the program logs to standard error, which only its main() arranges
        return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `init` has made."""
    made = tmp_path_factory.mktemp("house") / "new" / "gateway"
    result = run(init, made, "--listen", "[::1]:2626")
    assert result.exit_code == 0, result.output
    return made


def told_by_check(output: str) -> list[str]:
    """Return the lines of `check`; another program of this machine may have the port that HTTP is served at."""
    return [line for line in output.splitlines() if "HTTP would not be served to this machine" not in line]


def test_the_first_configuration_is_right_and_serves_on_loopback_only(folder):
    config = load_config(folder / "mail2sms.toml")
    assert isinstance(config, Config)
    assert config.warnings == ()
    assert [(str(listener.address), listener.is_loopback) for listener in config.listeners] == [("[::1]:2626", True)]
    assert [carrier.kind for carrier in config.carriers] == ["sandbox"]
    assert config.server.sqlite_file == folder / "mail2sms.db"
    assert config.mail.sandbox == folder / "mailbox"
    result = run(check, "--config", folder / "mail2sms.toml")
    assert (result.exit_code, told_by_check(result.output)) == (0, [f"{folder}/mail2sms.toml: ok"])


def test_the_first_configuration_documents_every_option(folder):
    text = (folder / "mail2sms.toml").read_text("utf-8")
    assert "#max_line_length = 8192" in text
    assert "# Where it listens. Required." in text


def test_secrets_stand_in_files_that_nobody_else_can_read(folder):
    secrets = sorted(folder.glob("*.password"))
    assert secrets
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    assert all(len(read_secret(path)) >= 16 for path in secrets)
    assert read_secret(folder / "demo.password") not in (folder / "mail2sms.toml").read_text("utf-8")


def test_the_customer_demo_can_log_in_with_the_password_of_the_file(folder):
    with opened(folder / "mail2sms.toml") as (database, _keys):
        customer = database.read_now(lambda tx: find_customer(tx, "demo"))
        credential = database.read_now(lambda tx: find_credential(tx, "demo"))
    assert customer is not None
    assert credential is not None
    assert credential.customer_id == customer.key
    assert PasswordHasher().verify(credential.verifier, read_secret(folder / "demo.password"))


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%20b", "zwei Wörter"])
def test_the_database_lies_in_the_folder_whatever_its_name(name, tmp_path):
    made = tmp_path / name
    result = run(init, made)
    assert result.exit_code == 0, result.output
    assert (made / "mail2sms.db").exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_is_written_while_serving_lies_in_the_data_folder_alone(tmp_path):
    result = run(init, tmp_path / "etc", "--data-dir", str(tmp_path / "var"))
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "etc").iterdir()) == ["demo.password", "mail2sms.toml"]
    assert (tmp_path / "var" / "mail2sms.db").exists()
    assert run(check, "--config", tmp_path / "etc" / "mail2sms.toml").exit_code == 0


def test_a_second_init_changes_nothing(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in {".toml", ".password"}}
    result = run(init, folder)
    assert result.exit_code == 1
    assert "nothing was changed" in result.output
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.name in before}


def test_a_password_file_that_is_there_is_never_overwritten(tmp_path):
    (tmp_path / "demo.password").write_text("mine\n", encoding="utf-8")
    assert run(init, tmp_path).exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["demo.password"]
    assert read_secret(tmp_path / "demo.password") == "mine"


def test_an_address_that_is_none_leaves_no_files_behind(tmp_path):
    result = run(init, tmp_path / "new", "--listen", "nowhere")
    assert result.exit_code == 2
    assert "--listen: expected HOST:PORT, got 'nowhere'" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_command_that_init_prints_sends_a_mail_over_loopback_or_a_network(host, tmp_path):
    require_peer("swaks", shutil.which("swaks"))
    result = run(init, tmp_path / "new gateway", "--listen", f"{host}:{free_port()}")
    assert result.exit_code == 0, result.output
    (command,) = [line.strip() for line in result.output.splitlines() if line.startswith("  swaks ")]
    config = load_config(tmp_path / "new gateway" / "mail2sms.toml")
    assert isinstance(config, Config)
    assert config.warnings == ()
    serving = [sys.executable, "-m", "cli", "serve", "--config", str(config.file)]
    with subprocess.Popen(serving, cwd=ROOT, stderr=subprocess.PIPE, text=True) as gateway:
        assert gateway.stderr is not None
        try:
            assert any("listening" in line for line in gateway.stderr)
            sent = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=PATIENCE)
            assert sent.returncode == 0, sent.stdout + sent.stderr
            assert "250 2.0.0 J." in sent.stdout
            assert (" ESMTPSA" in sent.stdout or "TLS started" in sent.stdout) == (host != "127.0.0.1")
        finally:
            gateway.terminate()
            gateway.communicate(timeout=PATIENCE)


def test_on_a_network_nobody_logs_in_without_tls(tmp_path):
    assert run(init, tmp_path / "new", "--listen", "0.0.0.0:2529").exit_code == 0
    config = load_config(tmp_path / "new" / "mail2sms.toml")
    assert isinstance(config, Config)
    (listener,) = config.listeners
    assert listener.tls is TlsMode.OFFER
    assert not listener.auth_in_clear
    assert stat.S_IMODE((tmp_path / "new" / "gateway.key").stat().st_mode) == 0o600
    assert run(check, "--config", config.file).exit_code == 0


@pytest.mark.parametrize("address", ["nowhere:99999", "2525"])
def test_what_is_no_address_leaves_nothing_behind(address, tmp_path):
    result = run(init, tmp_path / "new" / "gateway", "--listen", address)
    assert result.exit_code == 2
    assert "expected HOST:PORT" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_that_would_be_wrong_leaves_no_folder_behind(tmp_path):
    with pytest.raises(click.ClickException, match="expected a domain"):
        write_configuration(tmp_path / "new" / "gateway", "127.0.0.1:2525", server={"hostname": "a b", "domains": []})
    assert list(tmp_path.iterdir()) == []


def test_check_tells_of_a_certificate_file_that_holds_none(folder, tmp_path):
    (tmp_path / "gateway.pem").write_text("nothing\n")
    (tmp_path / "gateway.key").write_text("nothing\n")
    (tmp_path / "gateway.key").chmod(0o600)
    text = (
        (folder / "mail2sms.toml")
        .read_text("utf-8")
        .replace('tls = "off"', 'tls = "offer"\ncertificate_file = "gateway.pem"\nkey_file = "gateway.key"', 1)
    )
    file = tmp_path / "mail2sms.toml"
    file.write_text(text)
    result = run(check, "--config", file)
    assert result.exit_code == 1
    line = (folder / "mail2sms.toml").read_text("utf-8").splitlines().index("[[listener]]") + 1
    assert f"{file}:{line}: [[listener]] loopback: {tmp_path}/gateway.pem holds no certificate" in result.output


def test_check_tells_of_a_language_of_the_operators_file_that_has_no_words(tmp_path):
    assert run(init, tmp_path / "new").exit_code == 0
    file = tmp_path / "new" / "mail2sms.toml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("\n[settings]\n", '\n[settings]\nlanguage = "xx"\n'))
    result = run(check, "--config", file)
    assert result.exit_code == 0
    assert "warning: language = xx" in result.output


def test_check_prints_every_error_with_its_line_and_what_is_expected(folder, tmp_path):
    text = (folder / "mail2sms.toml").read_text("utf-8").replace('tls = "off"', 'tls = "sometimes"', 1)
    file = tmp_path / "broken.toml"
    file.write_text(text + "[lmits]\n", encoding="utf-8")
    result = run(check, "--config", file)
    line = text.splitlines().index('tls = "sometimes"') + 1
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f'{file}:{line}: listener[1].tls: expected off, offer, require or implicit, got "sometimes"',
        f'{file}:{len(text.splitlines()) + 1}: lmits: unknown key, did you mean "limits"?',
    ]


def test_check_tells_what_stored_settings_contradict_and_neither_makes_nor_changes_a_database(folder, tmp_path):
    with admin_session(folder / "mail2sms.toml") as session:
        torn, limits = CustomerScope("Torn"), ConstraintLimits(sender_ids="Other")
        session.change(
            lambda edit: add_customer(edit, "Torn"),
            lambda edit: set_settings(edit, torn, {"sender_id": "Shop"}),
            lambda edit: limit(edit, torn, limits),
            silent=True,
        )
    before = {path.name: path.read_bytes() for path in folder.glob("mail2sms.db*")}
    result = run(check, "--config", folder / "mail2sms.toml")
    assert result.exit_code == 0
    told, ok = told_by_check(result.output)
    assert told == (
        f"{folder}/mail2sms.toml: warning: Every SMS of customer «Torn» is refused: The sender ID Shop is not among those "
        "that customer Torn permits (Other)."
    )
    assert ok == f"{folder}/mail2sms.toml: ok"
    assert {path.name: path.read_bytes() for path in folder.glob("mail2sms.db*")} == before
    with admin_session(folder / "mail2sms.toml") as session:
        session.change(lambda edit: remove_customer(edit, "Torn"), silent=True)
    empty = tmp_path / "empty.toml"
    empty.write_text((folder / "mail2sms.toml").read_text("utf-8"), "utf-8")
    assert told_by_check(run(check, "--config", empty).output) == [f"{empty}: ok"]
    assert not (tmp_path / "mail2sms.db").exists()
    (tmp_path / "mail2sms.db").write_bytes(b"")
    assert "not all tables of this version" in run(check, "--config", empty).output
    (tmp_path / "mail2sms.db").write_bytes(b"no database at all" * 100)
    assert "the database cannot be read" in run(check, "--config", empty).output


def test_check_of_a_file_that_is_not_there_says_so(tmp_path):
    result = run(check, "--config", tmp_path / "no.toml")
    assert result.exit_code == 1
    assert result.output.startswith(f"{tmp_path}/no.toml:1: expected a TOML file that can be read")
