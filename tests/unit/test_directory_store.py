"""store.directory and directory_changes on a real database: what is written is read, whole or by what changed."""

import sqlite3
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network

import psycopg
import pytest
from structlog.testing import capture_logs

from addressbook.hierarchy import Constraints, LayerKey, LayerKind, Layers
from addressbook.people import AddressRange, Credential, CredentialKind, Directory, User
from sms.settings import FIELDS, UNSET, SettingProblem, format_setting, parse_setting
from store import directory_changes
from store.audit import AuditLine, AuditSearch, read_audit
from store.directory import LOG_REACH, load_directory, read_version, refresh
from store.directory_changes import AddressTakenError, CellToStore, DirectoryChanges, read_cells
from store.directory_tables import (
    AddressRangeRow,
    ConstraintRow,
    CredentialRow,
    CustomerDomainRow,
    CustomerRow,
    DirectoryChangeRow,
    ProfileRow,
    SettingRow,
    UserRow,
)
from store.engine.database import Database, Transaction
from store.engine.keys import Keys
from tests.kit.readers import DatabaseReaders

Step = Callable[[DirectoryChanges], object]


class World(DatabaseReaders):
    """A database, and a reader that follows it only by refreshing."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.database.open()
        self.keys = Keys(1, lambda: 1_800_000_000.0)
        self.followed: tuple[Directory, Layers] = self.load()

    def change(self, *steps: Step) -> list[object]:
        def run(tx: Transaction, _items: list[None]) -> list[list[object]]:
            changes = DirectoryChanges(tx, self.keys, "anna", 1_000_000)
            results = [step(changes) for step in steps]
            changes.finish()
            return [results]

        return self.database.write_now(run, None)

    def load(self) -> tuple[Directory, Layers]:
        return self.database.read_now(load_directory)

    def follow(self) -> tuple[Directory, Layers]:
        self.followed = self.database.read_now(lambda tx: refresh(tx, *self.followed))
        return self.followed


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.database.close()


def key_of(result: object) -> int:
    assert isinstance(result, int)
    return result


def cell(kind: LayerKind, owner: int, field: str, text: str | None, service: str = "") -> CellToStore:
    return CellToStore(key=LayerKey(kind, owner, service), field=field, text=text, origin="manual:anna")


def same(left: tuple[Directory, Layers], right: tuple[Directory, Layers]) -> bool:
    """Return whether two snapshots answer alike, whatever way they were made."""

    def facts(snapshot: tuple[Directory, Layers]) -> tuple[object, ...]:
        directory, layers = snapshot
        people = directory.customers(), directory.profiles(), directory.users(), directory.credentials()
        resolved = [
            layers.resolve(user.customer_id, service, user.profile_id, user.key)
            for user in directory.users()
            for service in ("mail", "sap")
        ]
        rules = [layers.constraints(customer.key) for customer in directory.customers()]
        return directory.version, layers.version, set(directory.ranges), *people, resolved, rules

    return facts(left) == facts(right)


def test_an_empty_database_has_version_0_and_nobody(world: World) -> None:
    directory, layers = world.load()
    assert (directory.version, layers.version) == (0, 0)
    assert directory.customers() == ()
    assert world.follow()[0] is world.followed[0]


def test_what_is_written_is_loaded(world: World) -> None:
    (customer,) = map(key_of, world.change(lambda c: c.add_customer("Example Ltd")))
    (profile,) = map(key_of, world.change(lambda c: c.add_profile(customer, "Alarm")))
    user = User(key=0, customer_id=customer, address="anna@example.com", profile_id=profile, name="Anna Keller")
    (keys,) = world.change(lambda c: c.add_users([user], "manual"))
    assert isinstance(keys, dict)
    anna = keys["anna@example.com"]
    login = Credential(login="anna", customer_id=customer, user_id=anna, kind=CredentialKind.PASSWORD, verifier="v")
    rules = Constraints(
        kind=LayerKind.CUSTOMER,
        owner="Example Ltd",
        locked=frozenset({"flash", "coding"}),
        sender_ids=frozenset({"Shop"}),
        max_parts=3,
        express=False,
        flash=False,
        countries=frozenset(),
    )
    world.change(
        lambda c: c.add_domain(customer, "example.com"),
        lambda c: c.add_domain(customer, "example.net"),
        lambda c: c.add_range(AddressRange(network=ip_network("192.0.2.0/24"), customer_id=customer)),
        lambda c: c.put_credential(login),
        lambda c: c.set_customer(customer, active=False, default_profile=profile),
        lambda c: c.put_constraints(customer, rules),
        lambda c: c.put_cells(
            [
                cell(LayerKind.SYSTEM, 0, "language", "de"),
                cell(LayerKind.CUSTOMER, customer, "cost_centre", "4711"),
                cell(LayerKind.SERVICE, customer, "report_format", "dsn", "sap"),
                cell(LayerKind.PROFILE, profile, "validity", "90m"),
                cell(LayerKind.USER, anna, "sender_id", "Shop"),
                cell(LayerKind.PINNED, anna, "cost_centre", "<none>"),
            ]
        ),
    )
    directory, layers = world.load()
    found = directory.customer_named("example ltd")
    assert found is not None
    assert (found.domains, found.active, found.default_profile_id) == (("example.com", "example.net"), False, profile)
    assert directory.ranges_of_client(ip_address("192.0.2.7"))[0] == AddressRange(
        network=ip_network("192.0.2.0/24"), customer_id=found.key
    )
    assert directory.credential("anna") == login
    loaded = directory.user("anna@example.com")
    assert loaded is not None
    assert (loaded.name, loaded.profile_id, loaded.active) == ("Anna Keller", profile, True)
    assert layers.constraints(customer) == (rules,)
    resolved = layers.resolve(customer, "sap", profile, anna)
    assert resolved.origins() == {
        "language": ("system", "manual:anna"),
        "cost_centre": ("pinned", "manual:anna"),
        "report_format": ("service", "manual:anna"),
        "validity": ("profile", "manual:anna"),
        "sender_id": ("user", "manual:anna"),
        "max_parts": ("constraint", "constraint of customer Example Ltd"),
    }
    owners = {name: resolved.explained[name].owner for name in ("cost_centre", "report_format", "validity")}
    assert owners == {"cost_centre": "anna@example.com", "report_format": "Example Ltd, sap", "validity": "Alarm"}


def test_every_kind_of_change_is_followed_without_loading_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    customer, other = map(key_of, world.change(lambda c: c.add_customer("A"), lambda c: c.add_customer("B")))
    profile, spare = map(
        key_of, world.change(lambda c: c.add_profile(customer, "P"), lambda c: c.add_profile(customer, "Q"))
    )
    people = [User(key=0, customer_id=customer, address=f"u{i}@example.com", profile_id=profile) for i in range(3)]
    (keys,) = world.change(lambda c: c.add_users(people, "file"))
    assert isinstance(keys, dict)
    first, second, third = (keys[f"u{i}@example.com"] for i in range(3))
    world.follow()
    monkeypatch.setattr("store.directory.load_directory", lambda _tx: pytest.fail("loaded everything"))
    rules = Constraints(kind=LayerKind.CUSTOMER, owner="A", max_parts=2)
    system = Constraints(kind=LayerKind.SYSTEM, express=False)
    login = Credential(login="l", customer_id=customer, user_id=second, kind=CredentialKind.PASSWORD, verifier="v")
    steps: list[Step] = [
        lambda c: c.add_domain(customer, "example.com"),
        lambda c: c.remove_domain(customer, "example.com"),
        lambda c: c.add_range(AddressRange(network=ip_network("192.0.2.0/24"), customer_id=other)),
        lambda c: c.remove_range(other, "192.0.2.0/24"),
        lambda c: c.add_range(AddressRange(network=ip_network("2001:db8::/32"), customer_id=other)),
        lambda c: c.set_customer(customer, active=False, default_profile=profile),
        lambda c: c.remove_profile(spare),
        lambda c: c.set_users([User(key=first, customer_id=customer, address="", name="New", active=False)]),
        lambda c: c.put_credential(login),
        lambda c: c.put_cells([cell(LayerKind.USER, second, "language", "de")]),
        lambda c: c.put_cells([cell(LayerKind.PINNED, second, "language", "es")]),
        lambda c: c.put_cells([cell(LayerKind.PINNED, second, "language", None)]),
        lambda c: c.put_cells([cell(LayerKind.SERVICE, customer, "max_parts", "9", "sap")]),
        lambda c: c.put_cells([cell(LayerKind.SYSTEM, 0, "max_parts", "8")]),
        lambda c: c.put_cells([cell(LayerKind.CUSTOMER, customer, "flash", "on")]),
        lambda c: c.put_cells([cell(LayerKind.PROFILE, profile, "preview", "off")]),
        lambda c: c.put_constraints(customer, rules),
        lambda c: c.put_constraints(0, system),
        lambda c: c.remove_user(second),
        lambda c: c.remove_credential("l"),
    ]
    for number, step in enumerate(steps):
        world.change(step)
        if number % 2:
            assert same(world.follow(), world.load()), number
    assert world.follow()[0].version == len(steps) + 3
    assert world.follow()[0].user_with_id(third) is not None


@pytest.mark.parametrize("reason", ["customer removed", "too many records", "too many versions"])
def test_where_the_log_does_not_reach_everything_is_loaded(
    world: World, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    customer, other = map(key_of, world.change(lambda c: c.add_customer("A"), lambda c: c.add_customer("B")))
    world.follow()
    people = [User(key=0, customer_id=customer, address=f"u{i}@example.com") for i in range(20)]
    if reason == "customer removed":
        world.change(lambda c: c.add_users(people, "file"), lambda c: c.remove_customer(other))
    elif reason == "too many records":
        monkeypatch.setattr(directory_changes, "MOST_TOUCHED", 10)
        world.change(lambda c: c.add_users(people, "file"))
    else:

        def many(tx: Transaction, _items: list[None]) -> list[None]:
            for number in range(LOG_REACH + 2):
                changes = DirectoryChanges(tx, world.keys, "anna", 0)
                changes.add_domain(customer, f"d{number}.example.com")
                changes.finish()
            return [None]

        world.database.write_now(many, None)
        assert len(world.stored(DirectoryChangeRow)) == LOG_REACH + 1
    assert same(world.follow(), world.load())


def test_removing_a_customer_removes_what_is_its_own_and_nothing_else(world: World) -> None:
    keys = list(map(key_of, world.change(lambda c: c.add_customer("A"), lambda c: c.add_customer("B"))))
    for letter, customer in zip("ab", keys, strict=True):
        (profile,) = map(key_of, world.change(lambda c, k=customer: c.add_profile(k, "P")))  # type: ignore[misc]
        user = User(key=0, customer_id=customer, address=f"u@{letter}.example.com", profile_id=profile)
        (made,) = world.change(lambda c, u=user: c.add_users([u], "file"))  # type: ignore[misc]
        assert isinstance(made, dict)
        login = Credential(login=letter, customer_id=customer, kind=CredentialKind.PASSWORD, verifier="v")
        cells = [
            cell(LayerKind.CUSTOMER, customer, "language", "de"),
            cell(LayerKind.PROFILE, profile, "language", "de"),
            cell(LayerKind.USER, made[user.address], "language", "de"),
        ]
        rules = Constraints(kind=LayerKind.CUSTOMER, max_parts=2)
        octet = ord(letter)
        world.change(
            lambda c, k=customer, a=letter: c.add_domain(k, f"{a}.example.com"),  # type: ignore[misc]
            lambda c, k=customer, o=octet: c.add_range(
                AddressRange(network=ip_network(f"192.0.2.{o}/32"), customer_id=k)
            ),  # type: ignore[misc]
            lambda c, one=login: c.put_credential(one),  # type: ignore[misc]
            lambda c, some=cells: c.put_cells(some),  # type: ignore[misc]
            lambda c, k=customer, r=rules: c.put_constraints(k, r),  # type: ignore[misc]
        )
    world.change(lambda c: c.remove_customer(keys[0]))
    remaining = {
        CustomerRow: 1,
        CustomerDomainRow: 1,
        ProfileRow: 1,
        UserRow: 1,
        CredentialRow: 1,
        AddressRangeRow: 1,
        SettingRow: 3,
        ConstraintRow: 1,
    }
    assert {table: len(world.stored(table)) for table in remaining} == remaining
    assert world.load()[0].user("u@b.example.com") is not None


def test_a_cell_replaces_the_one_before_and_none_takes_it_away(world: World) -> None:
    key = LayerKey(LayerKind.SYSTEM)
    for text in ("de", "es"):
        world.change(lambda c, t=text: c.put_cells([cell(LayerKind.SYSTEM, 0, "language", t)]))  # type: ignore[misc]
    (stored,) = world.database.read_now(lambda tx: read_cells(tx, key))
    assert (stored.text, stored.set_by, stored.set_at) == ("es", "anna", 1_000_000)
    world.change(lambda c: c.put_cells([cell(LayerKind.SYSTEM, 0, "language", None)]))
    assert world.database.read_now(lambda tx: read_cells(tx, key)) == []
    assert world.follow()[1].layer(key) is None


def test_a_stored_value_that_this_program_does_not_know_is_left_out_and_logged(world: World) -> None:
    world.change(
        lambda c: c.put_cells(
            [
                cell(LayerKind.SYSTEM, 0, "language", "de"),
                cell(LayerKind.SYSTEM, 0, "of_a_later_version", "1"),
                cell(LayerKind.SYSTEM, 0, "max_parts", "many"),
            ]
        )
    )
    with capture_logs() as logs:
        _, layers = world.load()
    layer = layers.layer(LayerKey(LayerKind.SYSTEM))
    assert layer is not None
    assert set(layer.cells) == {"language"}
    assert {(line["event"], line["field"]) for line in logs} == {
        ("stored_setting_unknown", "of_a_later_version"),
        ("stored_setting_invalid", "max_parts"),
    }


def test_a_change_that_touches_nothing_makes_no_version(world: World) -> None:
    world.change(lambda c: c.audit(AuditLine(action="look", target="nobody")))
    assert world.database.read_now(read_version) == 0
    (entry,) = world.database.read_now(lambda tx: read_audit(tx, AuditSearch()))
    assert (entry.who, entry.action, entry.target) == ("anna", "look", "nobody")


@pytest.mark.parametrize(
    "again",
    [
        lambda c, customer: c.add_customer(" EXAMPLE "),
        lambda c, customer: c.add_domain(customer, "example.com"),
        lambda c, customer: c.add_range(AddressRange(network=ip_network("192.0.2.0/24"), customer_id=customer)),
        lambda c, customer: c.add_profile(customer, "p"),
        lambda c, customer: c.add_users([User(key=0, customer_id=customer, address="u@example.com")], "file"),
    ],
)
def test_the_tables_keep_names_unique_even_if_nobody_checks(world: World, again: Callable) -> None:
    (customer,) = map(key_of, world.change(lambda c: c.add_customer("Example")))
    world.change(
        lambda c: c.add_domain(customer, "example.com"),
        lambda c: c.add_range(AddressRange(network=ip_network("192.0.2.0/24"), customer_id=customer)),
        lambda c: c.add_profile(customer, "P"),
        lambda c: c.add_users([User(key=0, customer_id=customer, address="u@example.com")], "file"),
    )
    version = world.database.read_now(read_version)
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.UniqueViolation, AddressTakenError)):
        world.change(lambda c: again(c, customer))
    assert world.database.read_now(read_version) == version


SAMPLES = {
    "sender_id": ["+447700900123", "447700900123", "Shop", "12345", "NOTICE 24"],
    "fallback_sender_id": ["+447700900123"],
    "validity": ["90m", "2d", "5"],
    "disclaimers": ["a, b", "x"],
    "address_prefixes": ["SMS,FAX"],
    "default_country": ["de"],
    "time_zone": ["Europe/Madrid"],
    "language": ["de", "de-AT"],
    "cost_centre": ["4711 Ä"],
    "end_marker": ["##"],
    "max_parts": ["20"],
    "national_languages": ["turkish", "Hindi, urdu"],
    "parameters": ["pe_id=1101", "b@ACME=x y, a=0x00"],
    "max_recipients": ["3000"],
    "accent": ["#0A7D4B", "#123456"],
    "logo": ["logo", "brand-2"],
    "text_days": ["30"],
    "summary_addresses": ["boss@example.com, Office@example.com"],
    "status_address": ["alarms@example.com"],
    "contact": ["it@example.com", "+44 20 7946 0000"],
    "inbound_history": ["20"],
    "push_states": ["all", "sent, Delivered", "rejected,failed"],
    "push_url": ["https://app.example.com/sms?of=us", "https://[2001:db8::1]:8443/", "http://127.0.0.1:8080/push"],
}


@pytest.mark.parametrize("field", list(FIELDS))
def test_every_setting_survives_being_stored(field: str) -> None:
    texts = SAMPLES.get(field) or [*FIELDS[field].expected.replace(" or ", ", ").split(", ")]
    for text in [*texts, "<none>"]:
        value = parse_setting(field, text)
        assert not isinstance(value, SettingProblem), text
        assert value is not UNSET
        assert parse_setting(field, format_setting(value)) == value
