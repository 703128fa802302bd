"""addressbook.source_options: what is typed of a customer's directory, and the directory that it makes."""

import json

import pytest

from addressbook.source_options import (
    OptionFault,
    load_options,
    merge_options,
    options_digest,
    options_of,
    read_options,
    show_options,
    write_options,
)
from addressbook.source_table import MAPPED, SOURCE_OPTIONS
from addressbook.sources import (
    CustomerDirectory,
    DeltaMethod,
    FolderSource,
    GroupList,
    GroupRule,
    Guard,
    LdapSource,
    SourceKind,
)
from cli.words import option_fault_sentence
from sms.settings import FIELDS

NEEDED = {
    "host": "ldap.example.com",
    "base": "ou=people,dc=example,dc=com",
    "bind_dn": "cn=reader,dc=example,dc=com",
    "password_file": "/etc/mail2sms/ldap.secret",
}
FOLDER = {"folder": "/var/lib/mail2sms/in"}
NEEDED_BY = {SourceKind.OPENLDAP: NEEDED, SourceKind.ACTIVE_DIRECTORY: NEEDED, SourceKind.FOLDER: FOLDER}


def made(kind: SourceKind = SourceKind.OPENLDAP, **options: str) -> CustomerDirectory:
    directory = read_options(kind, NEEDED_BY[kind] | {key.replace("__", "."): text for key, text in options.items()})
    assert isinstance(directory, CustomerDirectory), directory
    return directory


def faults(options: dict[str, str], kind: SourceKind = SourceKind.OPENLDAP) -> list[str]:
    found = read_options(kind, NEEDED_BY[kind] | options)
    return (
        [option_fault_sentence(fault) for fault in found if isinstance(fault, OptionFault)]
        if isinstance(found, tuple)
        else []
    )


def test_four_options_make_a_directory_of_openldap() -> None:
    directory = made()
    assert isinstance(directory.source, LdapSource)
    assert (directory.source.port, directory.source.filter) == (636, "(&(objectClass=inetOrgPerson)(mail=*))")
    assert directory.mapping == {"address": "mail", "name": "displayName || cn", "phone": "mobile | number"}
    assert (directory.every, directory.full_every, directory.guard) == (60, 1440, Guard())


def test_the_same_options_make_an_active_directory_with_its_addresses_and_disabled_accounts() -> None:
    directory = made(SourceKind.ACTIVE_DIRECTORY)
    assert isinstance(directory.source, LdapSource)
    assert directory.source.delta is DeltaMethod.USN
    assert directory.mapping["address"] == "proxyAddresses | primary || mail"
    assert directory.mapping["active"] == "userAccountControl | disabled || accountExpires | expires"


def test_a_folder_is_all_that_a_directory_of_files_needs() -> None:
    assert made(SourceKind.FOLDER, delimiter="tab").source == FolderSource(folder=FOLDER["folder"], delimiter="\t")


def test_the_port_follows_the_kind_of_tls_unless_it_is_given() -> None:
    ports = [made(tls="ldaps"), made(tls="starttls"), made(tls="starttls", port="1389")]
    assert [each.source.port for each in ports if isinstance(each.source, LdapSource)] == [636, 389, 1389]


def test_a_referral_that_is_ignored_may_name_a_dn() -> None:
    directory = made(ignored_referrals="ldap://a.example.com/dc=a,dc=com ldap://b.example.com")
    assert isinstance(directory.source, LdapSource)
    assert directory.source.ignored_referrals == ("ldap://a.example.com/dc=a,dc=com", "ldap://b.example.com")


def test_group_rules_come_in_the_order_of_their_numbers() -> None:
    directory = made(profile__10="cn=b,dc=x => Standard", profile__2="cn=a=>Sales Team,dc=x=>Sales Team")
    assert directory.profiles == (
        GroupRule(group="cn=a=>Sales Team,dc=x", profile="Sales Team"),
        GroupRule(group="cn=b,dc=x", profile="Standard"),
    )


def test_a_list_has_its_group_and_its_authors() -> None:
    directory = read_options(
        SourceKind.OPENLDAP,
        NEEDED | {"list.Crew.North": "cn=crew,dc=x", "list.Crew.North.authors": "Anna@Example.com, @Example.net"},
    )
    assert isinstance(directory, CustomerDirectory)
    assert directory.lists == (
        GroupList(group="cn=crew,dc=x", name="Crew.North", authors=("anna@example.com", "@example.net")),
    )


def test_all_faults_are_said_at_once() -> None:
    assert faults({"hots": "x", "port": "ldaps", "every": "0", "folder": "/in", "map.cost_center": "x"}) == [
        "«port»: 'ldaps' is not a number from 1 to 65535.",
        "«every»: '0' is not a number of minutes.",
        "A directory of the kind openldap has no option «folder».",
        "There is no option «hots»; did you mean «host»?",
        "There is no option «map.cost_center»; did you mean «map.cost_centre»?",
    ]


CASES = [
    ("a missing base", {"base": ""}, "«base» is missing. The DN below which users are read."),
    ("no password file", {"password_file": ""}, "«password_file» is missing."),
    ("no certificate", {"bind": "external"}, "«certificate_file» is missing."),
    ("no address", {"map.address": "-"}, "«map.address» is missing."),
    ("authors without a list", {"list.crew.authors": "*"}, "«list.crew» is missing."),
    ("a filter cut short", {"filter": "(&(mail=*)(cn=*)"}, "is not an LDAP filter in brackets"),
    ("two filters", {"filter": "(mail=*)(cn=*)"}, "is not an LDAP filter in brackets"),
    ("a filter without brackets", {"filter": "mail=*"}, "is not an LDAP filter in brackets"),
    ("clear text", {"tls": "none"}, "tls=none would send the password in clear text to ldap.example.com"),
    ("delta of another kind", {"delta": "usn"}, "'usn' is not none, syncrepl"),
    ("an unknown transform", {"map.name": "cn | uper"}, "There is no transform «uper»; did you mean «upper»?"),
    ("a rule without a profile", {"profile.1": "cn=a,dc=x"}, "is not GROUP-DN => PROFILE"),
    ("a rule without a number", {"profile.first": "cn=a,dc=x => A"}, "did you mean «profile.N»?"),
    ("the N of the table", {"profile.N": "cn=a,dc=x => A"}, "There is no option «profile.n»"),
    ("a list's name", {"list.a b": "cn=a,dc=x"}, "is not a list's name"),
    ("a bad author", {"list.a": "cn=a,dc=x", "list.a.authors": "anna"}, "is not addresses, @domains or *"),
    ("a bad pin", {"pins": "abc"}, "'abc' is not SHA-256 of public keys"),
]


@pytest.mark.parametrize(("options", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_fault_says_what_is_expected(options: dict[str, str], said: str) -> None:
    (fault,) = faults(options)
    assert said in fault


@pytest.mark.parametrize("key", ["password", "bind_password", "bind_pw", "password_file"])
def test_a_password_is_never_a_value_and_never_repeated(key: str) -> None:
    found = faults({key: "s3cret-Word"})
    assert any("password_file" in each for each in found)
    assert not any("s3cret" in each for each in found)


def test_clear_text_is_for_this_machine() -> None:
    assert isinstance(made(tls="none", host="127.0.0.1"), CustomerDirectory)


def test_options_are_kept_as_typed_and_read_back() -> None:
    kept = write_options(merge_options({}, NEEDED | {"Page-Size": "100", "list.Crew": "cn=c,dc=x"}))
    assert json.loads(kept) == NEEDED | {"page_size": "100", "list.Crew": "cn=c,dc=x"}
    assert write_options(load_options(kept)) == kept


def test_an_empty_text_is_the_default_again_and_a_hyphen_is_no_mapping_at_all() -> None:
    options = merge_options(NEEDED | {"every": "5", "map.phone": "-"}, {"every": ""})
    directory = read_options(SourceKind.OPENLDAP, options)
    assert isinstance(directory, CustomerDirectory)
    assert directory.every == 60
    assert "phone" not in directory.mapping


def test_the_options_in_force_are_shown_as_they_would_be_typed() -> None:
    shown = show_options(SourceKind.OPENLDAP, NEEDED | {"every": "5"})
    assert shown["every"] == "5"
    assert shown["map.address"] == "mail"
    assert "map.cost_centre" not in shown
    assert read_options(SourceKind.OPENLDAP, shown) == made(every="5")


def test_the_digest_changes_with_what_decides_who_is_read_and_as_what() -> None:
    before = options_digest(made())
    decides = [
        made(filter="(mail=*)"),
        made(base="dc=example,dc=com"),
        made(map__cost_centre="departmentNumber"),
        made(profile__1="cn=a,dc=x => A"),
        made(list__crew="cn=a,dc=x"),
    ]
    assert before not in {options_digest(each) for each in decides}
    assert {
        options_digest(each) for each in (made(every="5"), made(host="ldap2.example.com"), made(page_size="7"))
    } == {before}
    assert options_digest(made(SourceKind.FOLDER)) != options_digest(made(SourceKind.FOLDER, form="15-columns"))


@pytest.mark.parametrize("kind", SourceKind)
def test_every_default_and_every_example_is_right(kind: SourceKind) -> None:
    for option in options_of(kind):
        assert option.help.endswith(".")
        option.parse(option.example)
        if option.defaults[kind]:
            option.parse(option.defaults[kind])


def test_every_setting_can_be_mapped() -> None:
    keys = {option.key for option in SOURCE_OPTIONS}
    assert {f"map.{name}" for name in MAPPED} <= keys
    assert set(FIELDS) < set(MAPPED)
