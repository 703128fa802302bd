"""The rings and doors of docs/architecture.md hold, and no module stands outside them."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[1]
LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
CONTRACTS = {contract["name"]: contract for contract in LINTER["contracts"]}
RINGS = next(contract["layers"] for contract in LINTER["contracts"] if contract["type"] == "layers")
CORE = next(contract for name, contract in CONTRACTS.items() if name.startswith("the core has no"))["source_modules"]
LONGEST = 500


def modules() -> Iterator[tuple[str, Path]]:
    """Yield every module of the product with its file."""
    for package in LINTER["root_packages"]:
        for file in sorted((ROOT / package).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__"), file


def test_the_import_contracts_are_kept(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_every_module_stands_in_exactly_one_ring():
    ringed = [name.strip("() ") for ring in RINGS for name in ring.replace("|", ":").split(":")]
    homes = {
        name: [ring for ring in ringed if name == ring or name.startswith(f"{ring}.")]
        for name, file in modules()
        if file.name != "__init__.py" or name in ringed
    }
    assert {name: rings for name, rings in homes.items() if len(rings) != 1} == {}


def test_a_package_itself_holds_a_docstring_and_nothing_else():
    for name, file in modules():
        if file.name == "__init__.py":
            body = ast.parse(file.read_text("utf-8")).body
            assert len(body) == 1, name
            assert isinstance(body[0], ast.Expr), name


CLOCKS = {"now", "utcnow", "today", "monotonic", "perf_counter", "time_ns"}


@pytest.mark.parametrize("root", CORE)
def test_the_core_asks_nobody_for_the_time(root):
    files = [file for name, file in modules() if name == root or name.startswith(f"{root}.")]
    assert files, root
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
            assert called not in CLOCKS, f"{file}:{getattr(node, 'lineno', 0)}"


def test_nothing_happens_at_import():
    """Only definitions and constants stand at the top of a module; what runs stands under `__main__`."""
    for name, file in modules():
        for node in ast.parse(file.read_text("utf-8")).body if name != "cli.__main__" else ():
            assert not isinstance(node, ast.For | ast.While | ast.With), f"{file}:{node.lineno}"
            if isinstance(node, ast.Expr):
                declares = ast.unparse(node.value).partition("(")[0].endswith(".add_index")  # a table's, in peewee
                assert isinstance(node.value, ast.Constant) or declares, f"{file}:{node.lineno}"
            if isinstance(node, ast.If):
                assert ast.unparse(node.test) == "TYPE_CHECKING" or "__name__" in ast.unparse(node.test), (
                    f"{file}:{node.lineno}"
                )


def test_names_that_mean_nothing_are_not_used():
    empty = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "base", "misc"}
    assert [name for name, _ in modules() if empty & set(name.replace("_", ".").split("."))] == []


def test_the_name_of_a_class_means_one_thing():
    homes: dict[str, list[str]] = {}
    for name, file in modules():
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(name)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_mails_applications_and_people_request_and_nobody_wishes():
    asked = [name for name, file in modules() if "wish" in file.read_text("utf-8").lower()]
    assert asked == ["mta.reading.footer_words"]  # «best wishes»


def test_no_file_grows_beyond_what_one_reader_holds():
    long = {name: len(file.read_text("utf-8").splitlines()) for name, file in modules()}
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}
