"""Logins of applications: each belongs to one user with settings of its own, is rotated, and can be stopped."""

import pytest

from addressbook.senders import Principal, Sender, find_login_sender
from gateway.admin import customers, explained, logins, profiles, settings, user_import, users, views
from gateway.admin.faults import FaultCode
from gateway.admin.settings import LoginScope
from sms.outcome import Refused
from tests.kit.admin_harness import AdminHarness
from tests.kit.testbed import administer, open_core


@pytest.fixture
def office(database_url):
    made = AdminHarness(database_url)
    made.do(customers.add_customer, "Example")
    made.do(customers.add_customer, "Other")
    yield made
    made.close()


def sender_of(directory, user):
    found = find_login_sender(directory, Principal(customer_id=user.customer_id, user_id=user.key))
    assert isinstance(found, Sender)
    return found


def test_a_login_without_a_user_is_that_of_a_new_application(office):
    office.do(users.add_application, "Example", "ERP")
    office.do(logins.add_login, "erp", "hash", customer="Example", user="erp")
    directory = office.load()[0]
    user = directory.user("erp")
    assert user is not None
    assert (user.is_application, user.customer_id) == (True, directory.customer_named("Example").key)
    assert directory.credential("ERP").user_id == user.key
    assert sender_of(directory, user).user == user


def test_an_application_has_the_profile_that_it_is_given_else_the_customers_default(office):
    office.do(profiles.add_profile, "Example", "alarms")
    office.do(users.add_application, "Example", "erp", profile="alarms")
    directory = office.load()[0]
    user = directory.user("erp")
    assert user is not None
    profile = sender_of(directory, user).profile
    assert profile is not None
    assert profile.name == "alarms"


def test_a_name_is_one_applications(office):
    office.do(users.add_application, "Example", "erp")
    assert office.refuse(users.add_application, "Other", "ERP")[0] is FaultCode.USER_EXISTS
    for name in ("erp@example.com", "", "two words", "-", "x" * 65):
        assert office.refuse(users.add_application, "Example", name)[0] is FaultCode.BAD_APPLICATION_NAME


def test_settings_of_a_login_are_those_of_its_user_and_explained_so(office):
    office.do(users.add_application, "Example", "erp")
    office.do(logins.add_login, "erp-1", "hash", customer="Example", user="erp")
    office.do(settings.set_settings, LoginScope("ERP-1"), {"sender_id": "Example"})
    directory, layers = office.load()
    told = office.look(explained.explain_user, directory, layers, "ERP", "rest", ("sender_id",)).view()
    cell = told["settings"]["sender_id"]
    assert (cell["value"], cell["layer"]) == ("Example", "pinned")
    assert office.look(views.show_user, "erp")["logins"] == ["erp-1"]


def test_a_login_of_a_whole_customer_has_no_settings_of_its_own(office):
    office.do(logins.add_login, "relay", "hash", customer="Example")
    refused = office.refuse(settings.set_settings, LoginScope("relay"), {"sender_id": "Example"})
    assert refused == (FaultCode.LOGIN_OF_NO_USER, {"login": "relay"})


def test_a_new_password_leaves_all_else_of_a_login_as_it_is(office):
    office.do(users.add_application, "Example", "erp")
    office.do(logins.add_login, "erp", "old", customer="Example", user="erp", scram="s1")
    office.do(logins.set_login_active, "erp", active=False)
    office.do(logins.rotate_login, "ERP", "new", "s2")
    found = office.load()[0].credential("erp")
    assert (found.verifier, found.scram, found.active) == ("new", "s2", False)
    office.do(logins.set_login_active, "erp", active=True)
    assert office.load()[0].credential("erp").active
    assert office.refuse(logins.rotate_login, "nobody", "new", "s") == (FaultCode.NO_LOGIN, {"login": "nobody"})


def test_an_address_book_file_has_people_alone(office):
    office.do(users.add_application, "Example", "erp")
    assert "erp" not in [user.address for user in office.look(user_import.export_users, "Example")]


def test_the_commands_of_logins(house):
    folder = house.server.data_dir
    (folder / "secret").write_text("correct horse\n")
    for line in (
        f"login add erp --customer acme --password-file {folder}/secret",
        "login set erp sender_id=ACME",
        f"login rotate erp --random-password-file {folder}/new",
        "login disable erp",
        "login enable erp",
        "login list --customer acme",
        "user explain erp --service rest sender_id",
        "user disable erp",
    ):
        administer(folder, line)
    core = open_core(house)
    directory = core.book.current.directory
    core.database.close()
    user = directory.user("erp")
    assert user is not None
    refused = find_login_sender(directory, Principal(customer_id=user.customer_id, user_id=user.key))
    assert isinstance(refused, Refused)
