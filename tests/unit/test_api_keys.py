"""API keys: made once, kept as a digest, good for what they name and until they end, replaced without a gap."""

import asyncio
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner

from addressbook.api_keys import PREFIX, Scope, digest_of, parse_scopes
from addressbook.people import CredentialKind
from addressbook.senders import Principal
from gateway.admin import customers, logins, users
from gateway.admin.faults import FaultCode
from gateway.auth.api_keys import ApiKeys
from sms.outcome import Refusal, Refused
from tests.kit.admin_harness import NOW, AdminHarness
from tests.kit.in_process import undo_a_command

KEY, NEXT = PREFIX + "a" * 40, PREFIX + "b" * 40


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def office(database_url):
    made = AdminHarness(database_url)
    made.do(customers.add_customer, "Example")
    made.do(users.add_application, "Example", "erp")
    made.do(logins.add_login, "erp", "hash", customer="Example", user="erp")
    yield made
    made.close()


def add(office, name="erp-key", key=KEY, **terms):
    return office.do(logins.add_key, name, digest_of(key), login="erp", **{"scopes": {Scope.SEND}, **terms})


def prove(office, key, clock=None):
    async def confirm() -> bool:
        return True

    directory, _ = office.load()
    keys = ApiKeys(database=office.database, key_of=directory.api_key, confirm=confirm, clock=clock or Clock())
    return asyncio.run(keys.prove(key))


def test_a_key_sends_as_the_user_of_its_login_with_the_scopes_that_it_names(office):
    add(office, scopes={Scope.SEND, Scope.STOP_LIST}, sandbox=True)
    proven = prove(office, KEY)
    assert isinstance(proven, Principal)
    user = office.load()[0].user("erp")
    assert (proven.user_id, proven.login, proven.sandbox) == (user.key, "erp-key", True)
    assert proven.scopes == {Scope.SEND, Scope.STOP_LIST}


def test_a_login_may_send_and_read_and_nothing_that_is_the_administrators(office):
    assert Principal(customer_id=1).scopes == {Scope.SEND, Scope.READ, Scope.INBOUND}


@pytest.mark.parametrize("key", ["", "x", KEY[:-1], KEY + "x", PREFIX, f"{PREFIX}{'x' * 300}", "erp", digest_of(KEY)])
def test_what_is_no_key_proves_nobody(office, key):
    add(office)
    proven = prove(office, key)
    assert isinstance(proven, Refused)
    assert proven.refusal is Refusal.AUTHENTICATION_FAILED


def test_a_key_ends_when_it_was_said_to(office):
    clock = Clock()
    add(office, expires_at=NOW + timedelta(days=90))
    assert isinstance(prove(office, KEY, clock), Principal)
    clock.at = NOW + timedelta(days=90)
    refused = prove(office, KEY, clock)
    assert isinstance(refused, Refused)
    assert "ended" in refused.detail


def test_a_key_that_was_disabled_or_removed_proves_nobody(office):
    add(office)
    office.do(logins.set_login_active, "erp-key", active=False)
    assert isinstance(prove(office, KEY), Refused)
    office.do(logins.set_login_active, "erp-key", active=True)
    assert isinstance(prove(office, KEY), Principal)
    office.do(logins.remove_login, "erp-key")
    assert isinstance(prove(office, KEY), Refused)


def test_the_old_key_ends_at_once_or_when_it_was_said_to(office):
    clock = Clock()
    add(office)
    office.do(logins.rotate_key, "erp-key", digest_of(NEXT), keep_until=NOW + timedelta(hours=24))
    assert isinstance(prove(office, KEY, clock), Principal)
    assert isinstance(prove(office, NEXT, clock), Principal)
    clock.at = NOW + timedelta(hours=24)
    assert isinstance(prove(office, KEY, clock), Refused)
    assert isinstance(prove(office, NEXT, clock), Principal)
    office.do(logins.rotate_key, "erp-key", digest_of(KEY))
    assert isinstance(prove(office, NEXT, Clock()), Refused)
    assert isinstance(prove(office, KEY, Clock()), Principal)


def test_a_key_is_kept_as_a_digest_and_listed_with_its_terms_and_last_use(office):
    add(office, expires_at=NOW + timedelta(days=1))
    (row,) = [row for row in office.look(logins.list_logins, "Example") if row["kind"] == CredentialKind.KEY]
    assert (row["login"], row["user"], row["scopes"], row["used_at"]) == ("erp-key", "erp", "send", "")
    assert row["expires_at"] == "2026-11-24T16:00:00+00:00"
    assert KEY not in str(office.look(logins.list_logins, "Example"))
    assert KEY not in str(office.audit())
    prove(office, KEY)
    (row,) = [row for row in office.look(logins.list_logins, "Example") if row["kind"] == CredentialKind.KEY]
    assert row["used_at"] == "2026-11-23T16:00:00+00:00"


def test_a_key_needs_a_free_name_a_scope_and_the_login_of_a_user(office):
    digest = digest_of(KEY)
    assert office.refuse(logins.add_key, "k", digest, login="nobody", scopes={Scope.SEND})[0] is FaultCode.NO_LOGIN
    assert office.refuse(logins.add_key, "k", digest, login="erp", scopes=())[0] is FaultCode.NO_SCOPE
    assert office.refuse(logins.add_key, "erp", digest, login="erp", scopes={Scope.SEND})[0] is FaultCode.LOGIN_TAKEN
    office.do(logins.add_login, "relay", "hash", customer="Example")
    refused = office.refuse(logins.add_key, "k", digest, login="relay", scopes={Scope.SEND})
    assert refused[0] is FaultCode.LOGIN_OF_NO_USER
    assert office.refuse(logins.rotate_key, "erp", digest)[0] is FaultCode.LOGIN_IS_NO_KEY


def test_scopes_are_read_from_words():
    assert parse_scopes("send, READ  stop-list") == {Scope.SEND, Scope.READ, Scope.STOP_LIST}
    assert parse_scopes("") == frozenset()
    with pytest.raises(ValueError, match="everything"):
        parse_scopes("send everything")


def test_the_command_shows_a_key_once_and_takes_its_name_from_then_on(tmp_path):
    from cli.__main__ import main

    def run(*words: str) -> str:
        result = CliRunner().invoke(main, [*words, "--config", str(tmp_path / "house" / "mail2sms.toml")])
        undo_a_command()
        assert result.exit_code == 0, result.output
        return result.output

    assert CliRunner().invoke(main, ["init", str(tmp_path / "house")]).exit_code == 0
    undo_a_command()
    run("customer", "add", "Example")
    run("login", "add", "erp", "--customer", "Example", "--random-password-file", str(tmp_path / "password"))
    shown = run("login", "add-key", "erp", "erp-key", "--scope", "send", "--expires", "90d").splitlines()
    assert shown[-1].startswith(PREFIX)
    run("login", "rotate-key", "erp-key", "--keep", "1h", "--key-file", str(tmp_path / "key"))
    written = (tmp_path / "key").read_text()
    assert written.startswith(PREFIX)
    listed = run("login", "list", "--customer", "Example", "--csv")
    assert "erp-key" in listed
    assert shown[-1] not in listed
    run("login", "disable", "erp-key")
    run("login", "remove", "erp-key")
