"""What the documents say is what the code does: standards, options, commands, pictures, links."""

import re
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.__main__ import PLACES, main
from cli.examples import EXAMPLES
from config.example import example_toml
from config.field_types import docs_of, hints_of, item_hint, key_of, options_of, unwrap
from config.model import Config
from sms.settings import FIELDS
from tests.command_examples import example_commands, named_commands, refused, unknown
from tests.command_reference import command_reference, walk
from tests.conformance import CONFORMANCE, missing_proofs
from tests.country_pages import country_pages
from tests.directory_options_reference import options_reference
from tests.inlined_template import inlined_templates
from tests.lifecycle_picture import draw_lifecycle, picture_in
from tests.standards_index import cited_in_code, listed_in, rewritten, verdicts_in

ROOT = Path(__file__).parents[1]
STANDARDS = (ROOT / "docs/standards.md").read_text("utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

GUIDES = [file for file in DOCUMENTS if file.parent.name != "adr" and file.name not in {"CHANGELOG.md", "commands.md"}]


def test_every_cited_clause_is_listed_with_its_file_and_no_other_is():
    cited = {(name, clause, file) for name, rows in cited_in_code().items() for clause in rows for file in rows[clause]}
    listed = {
        (name, clause, file) for name, rows in listed_in(STANDARDS).items() for clause in rows for file in rows[clause]
    }
    assert sorted(cited - listed) == [], "run: make example"
    assert sorted(listed - cited) == [], "run: make example"


def test_whatever_shows_that_a_clause_is_kept_is_there():
    assert missing_proofs() == []
    kept = {duty.kept for duties in CONFORMANCE.values() for duty in duties}
    assert kept == {"yes", "partly", "no"}


def test_every_standard_says_whether_it_is_kept():
    assert {name: said for name, said in verdicts_in(STANDARDS).items() if not said} == {}


def test_a_standard_that_is_kept_is_cited_where_it_is_kept():
    kept = {name for name, said in verdicts_in(STANDARDS).items() if said in {"yes", "partly"}}
    assert kept - cited_in_code().keys() == set()


def test_the_index_of_standards_is_as_it_would_be_written():
    assert rewritten(STANDARDS) == STANDARDS, "run: make example"


def test_the_example_file_is_current():
    assert (ROOT / "mail2sms.example.toml").read_text("utf-8") == example_toml(), "run: make example"


def test_the_picture_of_a_messages_life_is_the_table():
    assert picture_in((ROOT / "docs/architecture.md").read_text("utf-8")) == draw_lifecycle(), "run: make example"


def test_the_reference_of_commands_is_current():
    assert (ROOT / "docs/commands.md").read_text("utf-8") == command_reference(), "run: make example"


def test_the_pages_of_countries_are_those_of_the_tables():
    assert (ROOT / "docs/countries.md").read_text("utf-8") == country_pages(), "run: make example"


def test_the_reference_of_directory_options_is_current():
    assert (ROOT / "docs/directory-options.md").read_text("utf-8") == options_reference(), "run: make example"


def test_the_standard_mails_are_inlined_as_they_stand():
    inlined = {file.name: file.read_text("utf-8") for file in (ROOT / "templates/mail").glob("*.inlined.html")}
    assert inlined == inlined_templates(), "run: make example"


def test_the_overview_has_the_commands_own_sentences():
    context = click.Context(main)
    for name, place in PLACES.items():
        command = main.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert " ".join((command.help or "").split("\n\n")[0].split()) == place.sentence


def test_every_command_shows_an_example_that_the_program_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAIL2SMS_CONFIG", "/etc/mail2sms/mail2sms.toml")
    assert set(PLACES) <= set(EXAMPLES)
    for name in PLACES:
        example = EXAMPLES[name]
        words = example.split()
        assert words[:2] == ["mail2sms", name]
        assert not refused(words[1:]), example
        assert example in CliRunner().invoke(main, [name, "--help"]).output


def test_every_command_has_a_help_text_and_the_readme_names_the_first_words():
    readme = (ROOT / "README.md").read_text("utf-8")
    for path, command in walk(main, ("mail2sms",)):
        assert (command.help or "").strip(), path
        if len(path) == 2:
            assert f"`{' '.join(path)}" in readme or f"`{path[1]} …`" in readme, path


def tables(kind: type, path: str = "") -> list[tuple[str, type]]:
    """Return every dataclass of the operator's file with its place."""
    found = [(path, kind)]
    hints = hints_of(kind)
    for item in options_of(kind):
        bare, shape = unwrap(hints[item.name])
        inner, inner_shape = unwrap(item_hint(bare)) if item_hint(bare) else (bare, shape)
        if inner_shape is None and is_dataclass(inner) and isinstance(inner, type):
            found += tables(inner, f"{path}.{key_of(item)}".lstrip("."))
    return found


TABLES = tables(Config)


@pytest.mark.parametrize("place", [place for place, _ in TABLES])
def test_every_option_says_what_it_is_for(place):
    kind = dict(TABLES)[place]
    hints, docs = hints_of(kind), docs_of(kind)
    silent = []
    for item in options_of(kind):
        bare, shape = unwrap(hints[item.name])
        inner = unwrap(item_hint(bare))[0] if item_hint(bare) else bare
        if not (docs[item.name] or (shape is None and is_dataclass(inner) and inner.__doc__)):
            silent.append(item.name)
    assert silent == []


@pytest.mark.parametrize("place", [place for place, kind in TABLES if kind.__module__.startswith("config.")])
def test_every_option_is_read_by_the_program(place):
    readers = [file for package in ("mta", "process", "cli", "gateway") for file in (ROOT / package).rglob("*.py")]
    code = "\n".join(file.read_text("utf-8") for file in readers)
    own = "\n".join(
        re.findall(r"(?:self|server)\.\w+", "\n".join(file.read_text("utf-8") for file in ROOT.glob("config/*.py")))
    )
    kind = dict(TABLES)[place]
    read_by_property = {
        "database",
        "data_dir",
        "level",
        "names",
        "pins",
        "ca_file",
        "ciphers",
        "minimum_version",
        "from_address",
        "database_password_file",
        "hosts",
        "client_ca_file",
        "local_http",
    }
    unread = [
        item.name
        for item in options_of(kind)
        if not re.search(rf"\.{item.name}\b", code)
        and not (item.name in read_by_property and re.search(rf"\.{item.name}\b", own))
    ]
    assert unread == []


def test_every_setting_stands_in_the_example_file():
    text = example_toml()
    assert [name for name in FIELDS if f"#{name} = " not in text] == []
    assert len(FIELDS) == len(fields(__import__("sms.settings").settings.Settings))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_an_example_is_one_that_the_program_takes(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAIL2SMS_CONFIG", "/etc/mail2sms/mail2sms.toml")
    assert [fault for words in example_commands(document) if (fault := refused(words))] == []


@pytest.mark.parametrize("document", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_sentence_names_exists_with_its_options(document):
    assert [fault for text in named_commands(document) if (fault := unknown(text))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_that_documents_name_exist(document):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = set(re.findall(r"(?:`|\$ |«)make ([a-z]+)", document.read_text("utf-8")))
    assert {name for name in named if not re.search(rf"(?m)^{name}:", makefile)} == set()


def test_files_that_the_architecture_names_exist():
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    built = "\n".join(line for line in text.splitlines() if "planned" not in line)
    named = set(re.findall(r"\b((?:mta|gateway|smpp|tls|sms|store|templates)(?:/[a-z_]+)+)\b(?!/)", built))
    missing = {name for name in named if not (ROOT / f"{name}.py").exists() and not (ROOT / name).is_dir()}
    assert missing == set()


def test_the_lock_has_every_dependency_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]["postgresql"]
    wanted = [*project["project"]["dependencies"], *extras, *project["dependency-groups"]["dev"]]
    names = {re.split(r"[^A-Za-z0-9_.-]", item)[0].lower() for item in wanted}
    locked = re.findall(r"(?m)^([a-z0-9._-]+)(?:\[[a-z,]+\])?==", (ROOT / "requirements.lock").read_text("utf-8"))
    assert names - set(locked) == set(), "run: make lock"


def test_the_lock_names_no_index():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert [line for line in lock.splitlines() if "://" in line or line.startswith(("--", "-i"))] == []
    pinned = re.findall(r"(?m)^([a-z0-9._-]+(?:\[[a-z,]+\])?)==\S+(?: ; .*?)? \\$", lock)
    assert len(pinned) == len(re.findall(r"(?m)^[a-z0-9]", lock)) > 30
