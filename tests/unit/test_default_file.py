"""Which operator's file a command uses where none is named, and that a fault says which one it was."""

import os

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from config.default_file import find_default

ME = os.geteuid()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "mine"
    made.mkdir(mode=0o700)
    (made / "mail2sms.toml").touch(0o600)
    return made


@pytest.fixture
def system(tmp_path):
    file = tmp_path / "system.toml"
    file.touch()
    return file


@pytest.fixture
def mail2sms(monkeypatch, folder):
    """Run a command in a folder of the caller's."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MAIL2SMS_CONFIG", raising=False)
    return lambda *words: CliRunner().invoke(main, list(words))


def test_the_file_of_a_folder_of_ones_own_is_used(folder, system):
    assert find_default(folder, system=system).file == folder / "mail2sms.toml"


def test_without_one_the_systems_file_is_used_and_where_there_is_none_no_other(tmp_path, system):
    assert find_default(tmp_path, system=system).file == system
    assert find_default(tmp_path, system=tmp_path / "no.toml").file is None


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_skipped_and_said(mode, folder, system):
    (folder / "mail2sms.toml").chmod(mode)
    found = find_default(folder, system=system)
    assert found.file == system
    assert found.skipped.startswith(f"others may write to {folder}/mail2sms.toml")


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_that_others_may_write_is_skipped_and_said(mode, folder, system):
    folder.chmod(mode)
    found = find_default(folder, system=system)
    assert found.file == system
    assert found.skipped.startswith(f"others may write to {folder} ")


def test_what_belongs_to_somebody_else_is_skipped_and_said_whose_it_is(folder, system):
    found = find_default(folder, system=system, user=ME + 1)
    assert found.file == system
    assert found.skipped.startswith(f"{folder} belongs to ")


def test_a_link_is_used_only_where_what_it_leads_to_is_ones_own_too(folder, system, tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    target = foreign / "real.toml"
    target.touch(0o600)
    (folder / "mail2sms.toml").unlink()
    (folder / "mail2sms.toml").symlink_to(target)
    assert find_default(folder, system=system).file == folder / "mail2sms.toml"
    foreign.chmod(0o777)
    assert find_default(folder, system=system).skipped.startswith(f"others may write to {foreign}")
    foreign.chmod(0o755)
    target.unlink()
    assert find_default(folder, system=system).skipped == f"{target}: No such file or directory"


@pytest.mark.parametrize("what", ["mail2sms.toml", "."])
def test_root_does_not_take_a_file_that_a_user_put_into_his_folder(what, folder, system):
    if ME == 0:
        os.chown(folder / what, 12345, 12345)
    found = find_default(folder, system=system, user=0)
    assert found.file == system
    assert " belongs to " in found.skipped


def test_the_option_comes_first_then_the_variable_then_the_folder(mail2sms, monkeypatch, folder, tmp_path):
    for name in ("given", "named"):
        (tmp_path / f"{name}.toml").write_text(name)
    (folder / "mail2sms.toml").write_text("found")
    assert mail2sms("check").output.startswith(f"{folder}/mail2sms.toml:1: ")
    monkeypatch.setenv("MAIL2SMS_CONFIG", str(tmp_path / "named.toml"))
    assert mail2sms("check").output.startswith(f"{tmp_path}/named.toml:1: ")
    assert mail2sms("check", "--config", str(tmp_path / "given.toml")).output.startswith(f"{tmp_path}/given.toml:1: ")
    monkeypatch.setenv("MAIL2SMS_CONFIG", "")
    assert mail2sms("check").output.startswith(f"{folder}/mail2sms.toml:1: ")


def test_a_fault_names_the_file_that_was_found(mail2sms, monkeypatch, folder):
    made = mail2sms("init", "gateway")
    assert made.exit_code == 0, made.output
    monkeypatch.chdir(folder / "gateway")
    result = mail2sms("customer", "show", "nobody")
    assert result.exit_code == 1
    assert f"Configuration: {folder}/gateway/mail2sms.toml" in result.stderr
    monkeypatch.setenv("MAIL2SMS_CONFIG", "mail2sms.toml")
    assert "Configuration: mail2sms.toml (MAIL2SMS_CONFIG)" in mail2sms("customer", "show", "nobody").stderr
    named = mail2sms("customer", "show", "nobody", "--config", "mail2sms.toml")
    assert named.exit_code == 1
    assert "Configuration:" not in named.stderr


def test_a_command_that_skips_a_file_says_so_on_standard_error_alone(mail2sms, folder):
    assert mail2sms("init", "gateway").exit_code == 0
    folder.chmod(0o777)
    result = mail2sms("customer", "list")
    assert "./mail2sms.toml is not used: others may write to" in result.stderr
    assert result.stdout == ""


def test_help_needs_no_configuration(mail2sms, folder):
    (folder / "mail2sms.toml").unlink()
    assert mail2sms("queue", "list", "--help").exit_code == 0
