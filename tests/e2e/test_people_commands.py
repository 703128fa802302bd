"""`mail2sms customer|profile|user|people`: what an administrator types, and what comes of it in a real database."""

import csv
import io
import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner
from structlog.testing import capture_logs

from cli.audit import audit
from cli.context import opened
from cli.customers import customer
from cli.people import people
from cli.profiles import profile
from cli.users import user
from store.directory_lookup import find_credential
from tests.kit.installation import write_first
from tests.kit.patience import PATIENCE
from tests.unit.test_table_file import xlsx


class Terminal:
    """A first configuration as `init` makes it, and commands run against it."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.config = folder / "mail2sms.toml"
        write_first(folder, database)

    def run(self, group: click.Group, *words: object, ok: bool = True) -> str:
        command, *arguments = (str(word) for word in words)
        with capture_logs():  # the program logs to standard error, which only its main() arranges
            result = CliRunner().invoke(group, [command, "--config", str(self.config), *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert (result.exit_code == 0) is ok, result.output
        return result.output

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path

    def verifier(self, login: str) -> str:
        with opened(self.config) as (database, _keys):
            credential = database.read_now(lambda tx: find_credential(tx, login))
        assert credential is not None
        return credential.verifier


@pytest.fixture
def terminal(tmp_path: Path, gateway_database: str) -> Terminal:
    made = Terminal(tmp_path / "gateway", gateway_database)
    made.run(customer, "add", "Example", "--domain", "example.com", "--address-range", "192.0.2.0/24")
    return made


def test_a_customer_from_the_first_word_to_the_last(terminal: Terminal) -> None:
    secret = terminal.file("secret", "correct horse battery\nsecond line\n")
    said = terminal.run(
        customer, "add", "Third", "--domain", "example.net", "--login", "third", "--password-file", secret
    )
    assert said.splitlines() == [
        "The customer «Third» was added.",
        "The domain example.net now belongs to «Third».",
        "The login «third» of «Third» was added.",
    ]
    assert PasswordHasher().verify(terminal.verifier("third"), "correct horse battery")
    terminal.run(customer, "add-domain", "Third", "example.org")
    terminal.run(customer, "remove-domain", "Third", "example.net")
    terminal.run(customer, "add-range", "Third", "2001:db8::/32")
    terminal.run(customer, "remove-range", "Third", "2001:db8::/32")
    terminal.run(customer, "set", "Third", "cost-centre=4711", "language=de")
    terminal.run(customer, "set", "Third", "report_format=dsn", "--service", "sap")
    terminal.run(customer, "unset", "Third", "language")
    terminal.run(customer, "limit", "Third", "--max-parts", "3", "--no-express", "--countries", "DE,ES")
    terminal.run(customer, "disable", "Third")
    shown = json.loads(terminal.run(customer, "show", "Third", "--json"))
    assert (shown["active"], shown["domains"], shown["logins"]) == (False, ["example.org"], ["third"])
    assert shown["settings"]["cost_centre"]["value"] == "4711"
    assert "language" not in shown["settings"]
    assert shown["settings for sap"]["report_format"]["value"] == "dsn"
    assert shown["constraints"] == "3 parts at most; no express; countries DE, ES"
    words = terminal.run(customer, "show", "Third")
    assert "active: no\n" in words
    assert "address ranges: none\n" in words
    assert "  cost_centre = 4711   (manual:" in words
    terminal.run(customer, "enable", "Third")
    terminal.run(customer, "remove-login", "third")
    terminal.run(customer, "remove", "Third")
    listed = terminal.run(customer, "list")
    assert listed.splitlines()[0].split() == ["name", "active", "suspended", "domains", "users"]
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["demo", "Example"]
    assert [row["name"] for row in json.loads(terminal.run(customer, "list", "--json"))] == ["demo", "Example"]


@pytest.mark.slow
def test_a_claimed_domain_waits_for_name_servers_that_are_silent(terminal: Terminal) -> None:
    silent = terminal.config.read_text("utf-8").replace("\n[mail]\n", '\n[mail]\nresolvers = ["127.9.9.9"]\n')
    assert "resolvers = " in silent
    terminal.config.write_text(silent, "utf-8")
    said = terminal.run(customer, "claim-domain", "Example", "Example.net")
    assert said.splitlines()[1].startswith('_mail2sms.example.net. IN TXT "mail2sms-verify=')
    assert terminal.run(customer, "claim-domain", "Example", "example.net") == said
    assert "claimed domains: example.net (_mail2sms.example.net TXT" in terminal.run(customer, "show", "Example")
    refused = terminal.run(customer, "verify-domain", "Example", "example.net", ok=False)
    assert refused == (
        "Error: Whether the domain example.net is proved is not known: no answer to TXT _mail2sms.example.net in time."
        " Nothing was changed; try again later.\n"
    )
    assert terminal.run(customer, "verify-domain", "Example", "example.org", ok=False) == (
        "Error: The customer «Example» does not claim the domain example.org; «customer claim-domain» first.\n"
    )


def test_a_refused_change_exits_with_1_and_its_sentence_and_changes_nothing(terminal: Terminal) -> None:
    said = terminal.run(customer, "add", "Third", "--domain", "example.com", ok=False)
    assert said == "Error: The domain example.com already belongs to the customer «Example».\n"
    assert "Third" not in terminal.run(customer, "list")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("set", "Example", "max_parts"), "FIELD=VALUE is expected"),
        (("set", "Example", "max_parts=1", "max_parts=2"), "is given twice"),
        (("set", "Example", "max_part=1"), "did you mean «max_parts»?"),
        (("limit", "Example"), "give at least one option"),
        (("add", "Third", "--login", "x"), "--login and --password-file go together"),
        (("add-login", "Example", "x", "--password-file", "/nonexistent/file"), "No such file"),
        (("show", "Nobody"), "There is no customer «Nobody»"),
    ],
)
def test_a_wrong_command_is_told_what_is_wrong(terminal: Terminal, words: tuple[str, ...], part: str) -> None:
    assert part in terminal.run(customer, *words, ok=False)


def test_a_profile_from_the_first_word_to_the_last(terminal: Terminal) -> None:
    of = ("--customer", "Example")
    terminal.run(profile, "add", "Alarm", *of, "--default")
    terminal.run(profile, "add", "Quiet", *of)
    terminal.run(profile, "set", "Alarm", "priority=express", "flash=on", *of)
    terminal.run(profile, "unset", "Alarm", "flash", *of)
    shown = json.loads(terminal.run(profile, "show", "Alarm", *of, "--json"))
    assert (shown["default"], list(shown["settings"])) == (True, ["priority"])
    terminal.run(profile, "default", "Quiet", *of)
    rows = json.loads(terminal.run(profile, "list", *of, "--json"))
    assert rows == [{"name": "Alarm", "default": False, "users": 0}, {"name": "Quiet", "default": True, "users": 0}]
    terminal.run(profile, "remove", "Quiet", *of, ok=False)
    terminal.run(profile, "default", *of)
    terminal.run(profile, "remove", "Quiet", *of)


def test_a_user_from_the_first_word_to_the_last(terminal: Terminal) -> None:
    of = ("--customer", "Example")
    terminal.run(profile, "add", "Alarm", *of)
    made = terminal.folder / "anna.password"
    said = terminal.run(
        user,
        "add",
        "Anna@Example.com",
        *of,
        "--profile",
        "Alarm",
        "--name",
        "Anna Keller",
        "--random-password-file",
        made,
    )
    assert said.splitlines() == [
        "The user anna@example.com of «Example» was added with the profile «Alarm».",
        "The login «anna@example.com» of anna@example.com was added.",
        f"{made}: the new password.",
    ]
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert PasswordHasher().verify(terminal.verifier("anna@example.com"), made.read_text().strip())
    secret = terminal.file("secret", "correct horse battery\n")
    terminal.run(user, "add-login", "anna@example.com", "--login", "anna", "--password-file", secret)
    terminal.run(user, "set", "anna@example.com", "sender_id=+447700900123")
    terminal.run(user, "unset", "anna@example.com", "sender_id")
    terminal.run(user, "profile", "anna@example.com")
    terminal.run(customer, "set", "Example", "default_country=GB")
    said = terminal.run(user, "phone", "anna@example.com", "07700 900123")
    assert said == "The phone of anna@example.com is now +447700900123.\n"
    assert "no number of a phone" in terminal.run(user, "phone", "anna@example.com", "12", ok=False)
    terminal.run(user, "disable", "anna@example.com")
    shown = json.loads(terminal.run(user, "show", "anna@example.com", "--json"))
    assert shown == {
        "address": "anna@example.com",
        "customer": "Example",
        "profile": "",
        "name": "Anna Keller",
        "phone": "+447700900123",
        "active": False,
        "in_directory": "",
        "logins": ["anna", "anna@example.com"],
        "settings from the address book": {},
        "pinned settings": {},
    }
    terminal.run(user, "enable", "anna@example.com")
    terminal.run(user, "remove-login", "anna")
    assert "anna@example.com" in terminal.run(user, "list", *of)
    terminal.run(user, "remove", "anna@example.com")
    assert terminal.run(user, "list") == ""


def test_a_random_password_overwrites_nothing_and_leaves_nothing_after_a_fault(terminal: Terminal) -> None:
    kept = terminal.file("kept", "precious\n")
    add = ("add", "anna@example.com", "--customer", "Example", "--random-password-file")
    assert "nothing was changed" in terminal.run(user, *add, kept, ok=False)
    assert kept.read_text() == "precious\n"
    assert terminal.run(user, "list", "--customer", "Example") == ""
    gone = terminal.folder / "gone"
    terminal.run(user, "add", "x@example.com", "--customer", "Nobody", "--random-password-file", gone, ok=False)
    assert not gone.exists()
    terminal.run(user, *add, gone, "--password-file", kept, ok=False)
    assert not gone.exists()


def test_explain_prints_the_whole_stack_with_what_was_overruled(terminal: Terminal) -> None:
    text = terminal.config.read_text().replace("[settings]\n", '[settings]\ncost_centre = "1"\nlanguage = "es"\n')
    terminal.config.write_text(text)
    terminal.run(user, "add", "anna@example.com", "--customer", "Example")
    terminal.run(customer, "set", "Example", "cost_centre=2")
    terminal.run(user, "set", "anna@example.com", "cost_centre=<none>")
    who = json.loads(terminal.run(customer, "show", "Example", "--json"))["settings"]["cost_centre"]["set_by"]
    said = terminal.run(user, "explain", "anna@example.com", "cost_centre", "language", "max_parts")
    said = re.sub(r"set \d{4}-\d\d-\d\d \d\d:\d\d UTC", "set AT UTC", said)
    assert said.splitlines() == [
        "anna@example.com: customer Example, through mail",
        f"cost_centre = (empty)   from pinned anna@example.com (manual:{who}), set AT UTC by {who}, which stops inheritance",
        f"    not 2   from customer Example (manual:{who}), set AT UTC by {who}: weaker than pinned",
        "    not 1   from system (operator's file): weaker than customer",
        "    not (empty)   from built-in (built-in): weaker than system",
        "language = es   from system (operator's file)",
        "    not en   from built-in (built-in): weaker than system",
        "max_parts = 4   from built-in",
    ]
    view = json.loads(terminal.run(user, "explain", "anna@example.com", "--json", "--service", "sap"))
    assert view["service"] == "sap"
    assert [cell["value"] for cell in view["settings"]["cost_centre"]["shadowed"]] == ["2", "1", ""]
    terminal.run(user, "explain", "x@example.com", ok=False)


def test_the_program_prints_nothing_but_its_answer_to_standard_output(terminal: Terminal) -> None:
    terminal.run(user, "add", "anna@example.com", "--customer", "Example")
    words = ("user", "explain", "--config", str(terminal.config), "--json", "anna@example.com", "max_parts")
    done = subprocess.run([sys.executable, "-m", "cli", *words], capture_output=True, check=True, timeout=PATIENCE)
    assert json.loads(done.stdout)["settings"]["max_parts"]["value"] == "4"


def test_constraints_show_in_explain(terminal: Terminal) -> None:
    terminal.run(user, "add", "anna@example.com", "--customer", "Example")
    terminal.run(user, "set", "anna@example.com", "sender_id=Shop", "max_parts=9")
    terminal.run(customer, "limit", "Example", "--sender-ids", "NOTICE", "--max-parts", "3")
    said = terminal.run(user, "explain", "anna@example.com", "max_parts")
    assert "max_parts = 3   from constraint Example (constraint of customer Example)" in said
    assert "refused: The sender ID Shop is not among those that customer Example permits (NOTICE)." in said
    assert "max_parts: customer Example allows 3 parts at most" in said


BOOK = "e-mail;name;sender-id;max-parts\nanna@example.com;Anna;Shop;3\nbert@example.com;Bert;;99\n"


def test_an_address_book_is_tried_imported_and_exported(terminal: Terminal) -> None:
    book = terminal.file("book.csv", BOOK)
    said = terminal.run(people, "import", book, "--customer", "Example", "--dry-run", "--skip-faulty")
    summary = "1 user would be added, 0 would be changed, 0 unchanged, 0 not in the file and left alone"
    planned = [
        f"{book}: line 3, max-parts: '99' is not a number from 1 to 20",
        "+ anna@example.com",
        f"{summary}; rows left out for 1 fault.",
    ]
    assert said.splitlines() == planned
    said = terminal.run(people, "import", book, "--customer", "Example", "--dry-run", ok=False)
    advice = "Error: nothing is imported: mend these rows, or leave them out by --skip-faulty"
    assert said.splitlines() == [*planned, advice]
    said = terminal.run(people, "import", book, "--customer", "Example", ok=False)
    assert said.splitlines() == [planned[0], advice]
    assert terminal.run(user, "list") == ""
    terminal.run(people, "import", terminal.file("book.csv", BOOK.replace("99", "2")), "--customer", "Example")
    shown = json.loads(terminal.run(user, "show", "anna@example.com", "--json"))
    assert shown["settings from the address book"]["max_parts"]["origin"].endswith("line 2, max-parts")
    changed = terminal.file("book.csv", BOOK.replace("99", "2").replace("Shop;3", ";5"))
    said = terminal.run(people, "import", changed, "--customer", "Example", "--dry-run")
    assert "~ anna@example.com  sender_id: Shop → unset; max_parts: 3 → 5\n" in said
    out = terminal.folder / "out.csv"
    assert terminal.run(people, "export", out, "--customer", "Example") == f"{out}: 2 users.\n"
    said = terminal.run(people, "import", out, "--customer", "Example", "--dry-run")
    assert said.startswith("0 users would be added, 0 would be changed, 2 unchanged")
    printed = terminal.run(people, "export", "-", "--customer", "Example")
    assert printed.splitlines() == out.read_text("utf-8").splitlines()


def test_the_headerless_file_of_15_columns_is_imported(terminal: Terminal) -> None:
    text = "Anna@example.com,Shop,4711,DE,both,3,true,de,88001,true,false,true,html,true,\n#END\n"
    book = terminal.file("m2s.csv", text)
    terminal.run(
        people,
        "import",
        book,
        "--customer",
        "Example",
        "--format",
        "15-columns",
        "--delimiter",
        ",",
        "--end-marker",
        "#END",
    )
    view = json.loads(terminal.run(user, "explain", "anna@example.com", "--json", "unencodable", "text_source"))
    assert {name: item["value"] for name, item in view["settings"].items()} == {
        "unencodable": "simple",
        "text_source": "both",
    }


def test_workbooks_dumps_and_cards_are_imported_like_csv(terminal: Terminal) -> None:
    card = "BEGIN:VCARD\nVERSION:4.0\nFN:Vera\nEMAIL:vera@example.com\nTEL;TYPE=cell:07700 900103\nEND:VCARD\n"
    group = "BEGIN:VCARD\nVERSION:4.0\nKIND:group\nFN:crew\nMEMBER:mailto:vera@example.com\nEND:VCARD\n"
    files = {
        "book.xlsx": xlsx([["e-mail", "name", "phone"], ["xenia@example.com", "Xenia", 7700900101]]),
        "dump.ldif": b"dn: uid=ludo\nmail: ludo@example.com\ncn: Ludo\nmobile: 07700 900102\n",
        "cards.vcf": (card + group).encode(),
    }
    for name, content in files.items():
        book = terminal.file(name, "")
        book.write_bytes(content)
        said = terminal.run(people, "import", book, "--customer", "Example", "--country", "GB")
        assert ("1 group left out" in said) is (name == "cards.vcf")
    exported = terminal.run(people, "export", "-", "--customer", "Example").splitlines()
    assert [line.split(",")[:3] for line in exported[1:]] == [
        ["ludo@example.com", "Ludo", "'+447700900102"],
        ["vera@example.com", "Vera", "'+447700900103"],
        ["xenia@example.com", "Xenia", "'+447700900101"],
    ]


@pytest.mark.parametrize(
    ("text", "options", "part"),
    [
        ("e-mail;langage\nanna@example.com;de\n", (), "unknown columns: 'langage'"),
        ("anna@example.com\n", ("--format", "headed"), "has a mail address where the header"),
        (BOOK, ("--end-marker", "#END"), "so the file may be cut"),
        (BOOK, ("--encoding", "klingon"), "'klingon' is not an encoding"),
    ],
)
def test_a_damaged_book_is_refused_whole(terminal: Terminal, text: str, options: tuple[str, ...], part: str) -> None:
    book = terminal.file("book.csv", text)
    if "klingon" in options:
        book.write_bytes(text.encode() + b"\xf6@example.com;;;\n")
    assert part in terminal.run(people, "import", book, "--customer", "Example", *options, ok=False)
    assert terminal.run(user, "list") == ""


def test_the_system_layer_and_the_audit(terminal: Terminal) -> None:
    terminal.run(people, "set", "language=de", "max_parts=2")
    terminal.run(people, "unset", "max_parts")
    terminal.run(people, "limit", "--no-flash", "--lock", "language")
    shown = json.loads(terminal.run(people, "show", "--json"))
    assert (shown["constraints"], list(shown["settings"])) == ("locked language; no flash", ["language"])
    assert "language is locked by the system" in terminal.run(customer, "set", "Example", "language=es", ok=False)
    entries = json.loads(terminal.run(people, "audit", "--json", "--target", "the system"))
    assert [(entry["field"], entry["before"], entry["after"]) for entry in entries] == [
        ("flash", "", "off"),
        ("locked", "", "language"),
        ("max_parts", "2", ""),
        ("max_parts", "", "2"),
        ("language", "", "de"),
    ]
    assert "customer.add" in terminal.run(people, "audit", "--limit", "100")
    assert json.loads(terminal.run(audit, "list", "--json", "--about", "the system")) == entries


def test_the_audit_of_a_customer_is_a_table_for_spreadsheets(terminal: Terminal) -> None:
    terminal.run(people, "set", "language=de")
    terminal.run(user, "add", "anna@example.com", "--customer", "Example")
    terminal.run(user, "set", "Anna@example.com", "cost_centre==1+2")
    rows = list(csv.DictReader(io.StringIO(terminal.run(audit, "list", "--customer", "example", "--csv"))))
    assert [row["action"] for row in rows] == [
        "settings.set",
        "user.add",
        "customer.add-range",
        "customer.add-domain",
        "customer.add",
    ]
    assert (rows[0]["target"], rows[0]["field"], rows[0]["after"]) == ("anna@example.com", "cost_centre", "'=1+2")
    assert (rows[3]["field"], rows[3]["before"], rows[3]["after"]) == ("domain", "", "example.com")
    about = json.loads(terminal.run(audit, "list", "--about", "ANNA@example.com", "--since", "1h", "--json"))
    assert [(row["customer"], row["action"]) for row in about] == [("Example", "settings.set"), ("Example", "user.add")]
    assert terminal.run(audit, "list", "--since", "2100-01-01") == ""
    assert "no customer" in terminal.run(audit, "list", "--customer", "Nobody", ok=False)
