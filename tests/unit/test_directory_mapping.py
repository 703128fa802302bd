"""dirsync.mapping: what an entry of a directory says of a user, and what is wrong with it."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addressbook.lists import ListMember
from addressbook.source_options import read_options
from addressbook.sources import CustomerDirectory, SourceKind
from cli.words import file_fault_sentence
from dirsync.groups import Groups
from dirsync.mapping import MappedEntry, Mapper, attributes_of, read_lists
from dirsync.sample import show_entry
from dirsync.source import LdapEntry
from dirsync.strings import normal_dn
from sms.number import SenderId, SenderKind
from sms.settings import NONE, UNSET

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
DN = "cn=Anna,ou=Sales,dc=example,dc=com"
SALES, ALL, CREW = (f"cn={name},ou=groups,dc=example,dc=com" for name in ("sales", "all", "crew"))
NEEDED = {"host": "ldap.example.com", "base": "dc=example,dc=com", "bind_dn": "cn=r", "password_file": "/etc/secret"}
Values = str | bytes | list[str]


def directory(kind: SourceKind = SourceKind.OPENLDAP, **options: str) -> CustomerDirectory:
    made = read_options(kind, NEEDED | {key.replace("__", "."): text for key, text in options.items()})
    assert isinstance(made, CustomerDirectory), made
    return made


def raw(attributes: Mapping[str, Values]) -> dict[str, tuple[bytes, ...]]:
    listed = {name: values if isinstance(values, list) else [values] for name, values in attributes.items()}
    return {
        name.lower(): tuple(each if isinstance(each, bytes) else each.encode() for each in values)
        for name, values in listed.items()
    }


def mapped(
    made: CustomerDirectory, groups: Groups | None = None, *, country: str = "GB", **attributes: Values
) -> MappedEntry:
    mapper = Mapper(made, now=NOON, country=country, groups=groups)
    return mapper.read(LdapEntry(dn=DN, anchor="a-1", attributes=raw({"mail": "anna@example.com"} | attributes)), 7)


def faults(entry: MappedEntry) -> list[str]:
    return [file_fault_sentence(fault) for fault in entry.faults]


def in_groups(*names: str) -> Groups:
    return Groups(members={name: frozenset({normal_dn(DN)} if name in names else ()) for name in (SALES, ALL, CREW)})


def test_an_entry_of_openldap_is_a_user_with_address_name_and_phone() -> None:
    change = mapped(directory(), displayName="Anna  Doe", cn="anna", mobile="07700 900123").change
    assert (change.address, change.name, change.phone) == ("anna@example.com", "Anna Doe", "447700900123")
    assert (change.anchor, change.entry, change.place) == ("a-1", DN, 7)
    assert (change.active, change.profile, change.cells) == (None, None, {})
    assert change.columns == {"address": "mail", "name": "displayName", "phone": "mobile"}


ADDRESSES = [
    ("upper case", "Anna.Doe@EXAMPLE.com", "anna.doe@example.com"),
    ("blanks", "  anna@example.com ", "anna@example.com"),
    ("an international domain", "anna@Bücher.example", "anna@xn--bcher-kva.example"),
    ("the prefix of proxyAddresses", "SMTP:Anna@Example.com", "anna@example.com"),
    ("a local part beyond ASCII", "ÄNNA@example.com", "änna@example.com"),
    ("the first of several", ["anna@example.com", "a@example.com"], "anna@example.com"),
]


@pytest.mark.parametrize(("given_mail", "address"), [row[1:] for row in ADDRESSES], ids=[row[0] for row in ADDRESSES])
def test_a_mail_with_upper_case_spaces_idn_or_a_prefix_has_one_form(given_mail: Values, address: str) -> None:
    assert mapped(directory(), mail=given_mail).change.address == address


def test_the_primary_address_among_proxy_addresses_is_the_address_and_aliases_are_none() -> None:
    proxies = ["smtp:old@example.com", "SIP:anna@example.com", "SMTP:Anna.Doe@example.com"]
    made = directory(SourceKind.ACTIVE_DIRECTORY)
    entry = mapped(made, proxyAddresses=proxies, mail="other@example.com", userAccountControl="512")
    assert entry.change.address == "anna.doe@example.com"
    assert mapped(made, proxyAddresses=proxies[:1], userAccountControl="512").change.address == "anna@example.com"


ACCOUNTS = [
    ("an ordinary account", {"userAccountControl": "512", "accountExpires": "9223372036854775807"}, True),
    ("the disabled bit", {"userAccountControl": "514", "accountExpires": "0"}, False),
    ("an account that has expired", {"userAccountControl": "512", "accountExpires": "134405135999999999"}, False),
    ("an account that expires now", {"userAccountControl": "66048", "accountExpires": "134405136000000000"}, False),
    ("an account that expires soon", {"userAccountControl": "512", "accountExpires": "134405136010000000"}, True),
    ("an account without expiry", {"userAccountControl": "512"}, True),
]


@pytest.mark.parametrize(("attributes", "is_active"), [row[1:] for row in ACCOUNTS], ids=[row[0] for row in ACCOUNTS])
def test_a_disabled_bit_or_a_passed_account_expires_stops_a_user(attributes: dict, is_active: bool) -> None:
    entry = mapped(directory(SourceKind.ACTIVE_DIRECTORY), **attributes)
    assert (entry.change.active, entry.faults) == (is_active, ())


def test_the_next_instant_at_which_an_account_expires_is_known() -> None:
    mapper = Mapper(directory(map__active="shadowExpire | expires", map__default_country="c"), now=NOON)
    for place, days in enumerate(("20790", "20788", "20787", "-1"), 1):
        attributes = raw({"mail": f"u{place}@example.com", "shadowExpire": days, "c": "GB"})
        mapper.read(LdapEntry(dn=DN, anchor=str(place), attributes=attributes), place)
    assert datetime.fromtimestamp(mapper.until, UTC) == datetime(2026, 12, 1, tzinfo=UTC)


def test_an_account_whose_state_may_not_be_read_is_a_fault_and_not_an_active_user() -> None:
    entry = mapped(directory(SourceKind.ACTIVE_DIRECTORY))
    assert faults(entry) == [f"{DN}, userAccountControl: it is absent, or the login may not read it"]


@pytest.mark.parametrize(
    ("expression", "attributes", "is_active"),
    [
        ("pwdAccountLockedTime | locked", {"pwdAccountLockedTime": "000001010000Z"}, False),
        ("pwdAccountLockedTime | locked", {}, True),
        ("nsAccountLock | map(true=off, false=on)", {"nsAccountLock": "TRUE"}, False),
        ("shadowExpire | expires", {"shadowExpire": "20787"}, False),
        ("employeeType | map(active=on, *=off)", {"employeeType": "left"}, False),
    ],
)
def test_other_servers_disable_accounts_as_the_mapping_says(expression: str, attributes: dict, is_active: bool) -> None:
    assert mapped(directory(map__active=expression), **attributes).change.active is is_active


def test_a_cell_has_four_states() -> None:
    made = directory(map__cost_centre="departmentNumber", map__flash="flash", map__language='"<none>"')
    change = mapped(made, departmentNumber="4711").change
    assert "sender_id" not in change.cells  # not mapped: nothing is said
    assert change.cells == {"cost_centre": "4711", "flash": UNSET, "language": NONE}
    assert change.columns["cost_centre"] == "departmentNumber"


def test_a_setting_is_read_as_everywhere() -> None:
    made = directory(map__sender_id="mobile | number", map__max_parts="parts")
    entry = mapped(made, mobile="07700 900123", parts="thirty")
    assert entry.change.cells["sender_id"] == SenderId(value="447700900123", kind=SenderKind.NUMERIC)
    assert faults(entry) == [f"{DN}, parts: 'thirty' is not a number from 1 to 20"]


NUMBERS = [
    ("an exponent", "4,47701E+11", "rounded by a spreadsheet"),
    ("a float", "447700900123.0", "rounded by a spreadsheet"),
    ("a landline", "+44 20 7946 0018", "fixed line"),
    ("an extension", "+44 7700 900123 ext 4", "extension"),
    ("two numbers", "+44 7700 900123, +44 7700 900124", "more than one number"),
    ("a lost plus", "34612345678", "neither plus nor zero"),
]


@pytest.mark.parametrize(("number", "cause"), [row[1:] for row in NUMBERS], ids=[row[0] for row in NUMBERS])
def test_a_number_that_is_none_is_a_fault_with_its_reason_and_never_guessed(number: str, cause: str) -> None:
    entry = mapped(directory(), mobile=number)
    (fault,) = faults(entry)
    assert fault.startswith(f"{DN}, mobile: ")
    assert cause in fault
    assert entry.change.phone == ""


def test_a_number_that_lost_its_zero_is_a_fault_without_a_country() -> None:
    (fault,) = faults(mapped(directory(), country="", mobile="7700900123"))
    assert "lack its country code" in fault


def test_a_national_number_is_of_the_entry_own_country_where_the_mapping_has_one() -> None:
    made = directory(map__default_country="c", map__sender_id="mobile | number")
    spanish = mapped(made, mobile="612 345 678", c="es").change
    assert (spanish.phone, spanish.cells["default_country"]) == ("34612345678", "ES")
    assert spanish.cells["sender_id"] == SenderId(value="34612345678", kind=SenderKind.NUMERIC)
    assert mapped(made, mobile="07700 900123").change.phone == "447700900123"


def test_an_entry_without_an_address_is_a_fault_of_that_attribute() -> None:
    assert faults(mapped(directory(), mail=[])) == [f"{DN}, mail: it has no mail address"]
    assert faults(mapped(directory(), mail="anna")) == [f"{DN}, mail: 'anna' is not a mail address"]
    assert faults(mapped(directory(), mail=b"\xe4@example.com")) == [f"{DN}, mail: the value is not text in UTF-8"]


def test_the_lowest_rule_of_which_an_entry_is_a_member_gives_the_profile() -> None:
    made = directory(profile__2=f"{ALL} => Standard", profile__1=f"{SALES} => Sales")
    assert mapped(made, in_groups(ALL, SALES)).change.profile == "Sales"
    assert mapped(made, in_groups(ALL)).change.profile == "Standard"
    assert mapped(made, in_groups()).change.profile == ""


def test_a_profile_of_the_mapping_counts_where_no_rule_fits() -> None:
    made = directory(profile__1=f"{SALES} => Sales", map__profile="ou | match(^S.*) || dn | match(ou=([^,]+))")
    assert mapped(made, in_groups(SALES)).change.profile == "Sales"
    assert mapped(made, in_groups(), ou="Support").change.profile == "Support"
    assert mapped(made, in_groups()).change.profile == "Sales"
    assert mapped(directory(map__profile="ou")).change.profile == ""


def test_the_members_of_a_list_are_those_with_a_number_each_once() -> None:
    made = directory(list__crew=CREW, list__crew__authors="*", map__active="state | map(left=off, *=on)")
    assert mapped(made, in_groups(CREW)).lists == ("crew",)
    changes = [
        mapped(made, displayName="Anna", mobile="07700 900123").change,
        mapped(made, displayName="Anna again", mobile="+447700900123").change,
        mapped(made, displayName="Ben").change,
        mapped(made, displayName="Carl", mobile="07700 900125", state="left").change,
    ]
    (read,) = read_lists(made.lists, {"crew": changes})
    values = {"number": "+447700900123", "name": "Anna", "e_mail": "anna@example.com"}
    assert (read.name, read.authors) == ("crew", ("*",))
    assert read.members == (ListMember(number="447700900123", values=values),)


def test_a_shown_entry_has_values_with_their_attributes_and_what_is_missing() -> None:
    made = directory(map__cost_centre="departmentNumber", map__language='"<none>"', map__active="state | map(*=off)")
    shown = show_entry(mapped(made, cn="Anna", mobile="12"))
    assert shown.entry == DN
    assert shown.values == {"address": "anna@example.com", "name": "Anna", "active": "on", "language": "<none>"}
    assert (shown.origins["name"], shown.origins["language"]) == ("cn", "")
    assert shown.missing == {"cost_centre": "departmentNumber"}
    assert [fault.column for fault in shown.faults] == ["mobile"]


def test_only_what_the_mapping_names_is_asked_of_the_server() -> None:
    assert attributes_of(directory(map__profile="dn")) == ("cn", "displayname", "mail", "mobile")


def test_equal_entries_share_their_cells() -> None:
    mapper = Mapper(directory(map__cost_centre="departmentNumber"), now=NOON)
    entries = [
        LdapEntry(
            dn=DN, anchor=str(number), attributes=raw({"mail": f"u{number}@example.com", "departmentNumber": "7"})
        )
        for number in range(2)
    ]
    first, second = (mapper.read(entry, place).change for place, entry in enumerate(entries, 1))
    assert first.cells is second.cells
    assert first.columns is second.columns


@given(
    st.dictionaries(
        st.sampled_from(["mail", "cn", "mobile", "displayname", "departmentnumber", "proxyaddresses"]),
        st.lists(st.binary(max_size=60), max_size=3).map(tuple),
    ),
    st.sampled_from(["GB", "ES", ""]),
)
def test_no_octets_of_an_entry_are_more_than_a_change_or_a_fault(attributes: dict, country: str) -> None:
    made = directory(map__cost_centre="departmentNumber", map__sender_id="mobile", map__max_parts="departmentNumber")
    entry = Mapper(made, now=NOON, country=country).read(LdapEntry(dn=DN, anchor="a", attributes=attributes), 1)
    assert entry.change.address or entry.faults
    assert all(file_fault_sentence(fault) for fault in entry.faults)
