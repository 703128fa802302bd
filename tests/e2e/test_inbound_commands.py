"""`mail2sms number|keyword|action|stoplist`: what an administrator types, and what comes of it in a real database."""

import csv
import io
import json
from pathlib import Path

import pytest

from cli.actions import action
from cli.customers import customer
from cli.keywords import keyword
from cli.numbers import number
from cli.stoplist import stoplist
from tests.e2e.test_people_commands import Terminal

LONG = "+447700900201"


@pytest.fixture
def terminal(tmp_path: Path, gateway_database: str) -> Terminal:
    made = Terminal(tmp_path / "gateway", gateway_database)
    made.run(customer, "add", "acme", "--domain", "acme.example.com")
    made.run(customer, "set", "acme", "default_country=GB")
    return made


def test_a_number_is_set_up_shared_listed_and_removed(terminal: Terminal) -> None:
    said = terminal.run(number, "add", LONG, "--sharing", "prefix", "--carrier", "sandbox", "--join-within", "2m")
    assert said == f"The number {LONG} is active, prefix, shared, by sandbox.\n"
    assert "there are: sandbox" in terminal.run(number, "set", LONG, "--carrier", "nobody", ok=False)
    assert "no duration" in terminal.run(number, "set", LONG, "--join-within", "soon", ok=False)
    said = terminal.run(number, "share", LONG, "--customer", "acme", "--word", "Taxi")
    assert said == f"Texts to {LONG} that begin with «taxi» are for «acme».\n"
    (row,) = json.loads(terminal.run(number, "list", "--json"))
    assert (row["number"], row["words"], row["join_within"]) == (LONG, ["taxi = acme"], "120 s")
    terminal.run(number, "unshare", LONG, "--word", "taxi")
    terminal.run(number, "set", LONG, "--sharing", "dedicated", "--customer", "acme", "--any-carrier")
    assert "acme" in terminal.run(number, "list", "--customer", "acme")
    assert terminal.run(number, "remove", LONG) == f"The number {LONG} was removed.\n"


def test_actions_for_keywords_are_set_up_and_listed(terminal: Terminal) -> None:
    terminal.run(keyword, "add", "Taxi", "--customer", "acme")
    said = terminal.run(
        action, "add", "Desk", "--customer", "acme", "--kind", "mail", "--keyword", "taxi", "addresses=a@example.com"
    )
    assert said == "The action «Desk» (mail) of «acme» was added.\n"
    terminal.run(action, "set", "stop", "--customer", "acme", "text.de=Tschüss.", "scope=service")
    rows = {row["action"]: row for row in json.loads(terminal.run(action, "list", "--customer", "acme", "--json"))}
    assert set(rows) == {"Reply", "Stop", "Start", "Help", "Desk"}
    assert rows["Desk"]["settings"] == ["addresses=a@example.com"]
    assert rows["Desk"]["keyword"] == "Taxi"
    assert rows["Stop"]["settings"] == ["text.de=Tschüss.", "scope=service"]
    assert "Desk" in terminal.run(keyword, "list")
    assert "remove them" in terminal.run(keyword, "remove", "taxi", "--customer", "acme", ok=False)
    terminal.run(action, "remove", "Desk", "--customer", "acme")
    terminal.run(keyword, "remove", "taxi", "--customer", "acme")


def test_a_push_is_set_up_only_to_where_the_operator_allows_and_with_a_template_that_works(terminal: Terminal) -> None:
    push = ("add", "App", "--customer", "acme", "--kind", "push")
    assert "not allowed" in terminal.run(action, *push, "url=http://127.0.0.1/sms", ok=False)
    broken = terminal.file("broken.json", '{"text": {{ nothing_of_this_name }} }')
    url = "url=https://app.example.com/sms"
    said = terminal.run(action, *push, "--template-file", broken, url, "form=json", ok=False)
    assert "nothing was changed" in said
    assert "App" not in terminal.run(action, "list")
    terminal.run(action, *push, url, "form=json", "header.X-Key-Id=7")
    assert "header.X-Key-Id=7" in terminal.run(action, "list", "--customer", "acme")


def test_a_push_keeps_its_form_where_its_own_template_does_not_make_another(terminal: Terminal) -> None:
    own, url = terminal.file("own.json", '{"text": {{ text }} }'), "url=https://app.example.com/sms"
    push = ("App", "--customer", "acme")
    terminal.run(action, "add", *push, "--kind", "push", url, "form=json", "--template-file", own)
    assert "nothing was changed" in terminal.run(action, "set", *push, "form=xml", ok=False)
    assert "form=json" in terminal.run(action, "list", "--customer", "acme")
    terminal.run(action, "set", *push, "form=xml", "template=")
    assert "form=json" not in terminal.run(action, "list", "--customer", "acme")


def test_what_is_not_contracted_is_refused_with_the_option_that_is_missing(terminal: Terminal) -> None:
    assert "sms2mail" not in terminal.run(customer, "option", "acme", "--remove", "sms2mail")
    said = terminal.run(
        action, "add", "Desk", "--customer", "acme", "--kind", "mail", "addresses=a@example.com", ok=False
    )
    assert "has not contracted the option sms2mail" in said
    shown = json.loads(terminal.run(customer, "show", "acme", "--json"))
    assert "sms2mail" not in shown["options"]
    assert "express" in json.loads(terminal.run(customer, "show", "demo", "--json"))["options"]


def test_a_stop_list_is_added_to_listed_and_ended_and_the_entries_are_kept(terminal: Terminal) -> None:
    said = terminal.run(stoplist, "add", "07700 900101", "+447700900102", "--customer", "acme")
    assert said == "2 more on the stop list of «acme» for all services.\n"
    assert "for the service sap" in terminal.run(
        stoplist, "add", "+447700900101", "--customer", "acme", "--service", "sap"
    )
    assert "no service" in terminal.run(stoplist, "add", LONG, "--customer", "acme", "--service", "fax", ok=False)
    assert "no number of a phone" in terminal.run(stoplist, "add", "hello", "--customer", "acme", ok=False)
    assert "1 entry" in terminal.run(stoplist, "remove", "+447700900101", "--customer", "acme", "--service", "sap")
    terminal.run(stoplist, "remove", "+447700900101", "--customer", "acme")
    assert "there is no +447700900101" in terminal.run(
        stoplist, "remove", "+447700900101", "--customer", "acme", ok=False
    )
    rows = json.loads(terminal.run(stoplist, "list", "--customer", "acme", "--json"))
    assert [(row["number"], row["service"], row["origin"]) for row in rows] == [("+447700900102", "all", "admin")]
    rows = json.loads(
        terminal.run(stoplist, "list", "--customer", "acme", "--ended", "--number", "+447700900101", "--json")
    )
    assert [(row["service"], bool(row["ended_at"])) for row in rows] == [("all", True), ("sap", True)]


def test_a_file_of_stops_is_taken_whole_or_not_at_all_and_what_is_exported_can_be_taken_again(
    terminal: Terminal,
) -> None:
    bad = terminal.file("bad.csv", "number,service\n+447700900101,mail\n12,\n+447700900102,fax\n")
    said = terminal.run(stoplist, "import", bad, "--customer", "acme", ok=False)
    assert "line 3: «12»" in said
    assert "line 4: «fax»: there is no such service" in said
    assert json.loads(terminal.run(stoplist, "list", "--customer", "acme", "--json")) == []
    good = terminal.file("good.csv", "phone;service\n07700 900101;mail\n+447700900102;all\n+447700900102;\n")
    said = terminal.run(stoplist, "import", good, "--customer", "acme")
    assert said == "2 more on the stop list of «acme», 1 were on it already.\n"
    exported = terminal.run(stoplist, "export", "--customer", "acme")
    cells = [cell for row in csv.reader(io.StringIO(exported)) for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    terminal.run(customer, "add", "rival")
    again = terminal.file("again.csv", exported)
    assert "2 more" in terminal.run(stoplist, "import", again, "--customer", "rival")
    ours, theirs = (
        [(row["number"], row["service"]) for row in json.loads(terminal.run(stoplist, "list", *words, "--json"))]
        for words in (("--customer", "acme"), ("--customer", "rival"))
    )
    assert ours == theirs == [("+447700900101", "mail"), ("+447700900102", "all")]


@pytest.mark.slow
def test_a_long_file_of_stops_is_taken_in_portions_and_comes_out_as_it_went_in(terminal: Terminal) -> None:
    # More than one portion, and more cells when they are exported than a table of a mail may have.
    numbers = [f"+4477009{n:05}" for n in range(25_001)]
    table = terminal.file("long.csv", "number\n" + "\n".join(numbers) + "\n")
    said = terminal.run(stoplist, "import", table, "--customer", "acme").splitlines()
    assert [line.partition(" ")[0] for line in said] == ["10000", "10000", "5001"]
    again = terminal.file("again.csv", terminal.run(stoplist, "export", "--customer", "acme"))
    said = terminal.run(stoplist, "import", again, "--customer", "acme").splitlines()
    assert [line.partition(" ")[0] for line in said] == ["0", "0", "0"]
    rows = json.loads(terminal.run(stoplist, "list", "--customer", "acme", "--json"))
    assert [row["number"] for row in rows] == numbers
