"""Whatever a use case of the portal may refuse has words of its own, in every language: found by reading the code."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from string import Formatter

import pytest

import gateway.admin
import gateway.portal
import web.portal.rooms
from gateway.admin.faults import FaultCode
from templates.portal_words import read_words

_ROOMS, _PLACES = web.portal.rooms, (gateway.admin, gateway.portal)
_ENGLISH = {"cause", "expected"}
Unit = tuple[str, str]
"""A function or class at the top of a module: the module's name, and its own."""


@cache
def _units(module: str, folder: str) -> Mapping[str, ast.stmt]:
    tree = ast.parse(Path(folder, f"{module.rpartition('.')[2]}.py").read_text("utf-8"))
    named = {
        item.name: item for item in tree.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    others = [item for item in tree.body if item not in named.values()]
    return {**named, "": ast.Module(body=others, type_ignores=[])}  # type: ignore[dict-item] # what stands in no function


def _modules(*packages) -> dict[str, str]:
    return {
        f"{package.__name__}.{file.stem}": str(file.parent)
        for package in packages
        for file in Path(package.__path__[0]).glob("*.py")
        if file.stem != "__init__"
    }


_KNOWN = _modules(*_PLACES, _ROOMS)


@cache
def _names(module: str) -> Mapping[str, Unit]:
    """Return what the names of a module stand for: its own units, those that it imports, and modules («»)."""
    found: dict[str, Unit] = {name: (module, name) for name in _units(module, _KNOWN[module]) if name}
    for item in ast.walk(_units(module, _KNOWN[module])[""]):
        if isinstance(item, ast.ImportFrom) and item.module:
            for alias in item.names:
                name = alias.asname or alias.name
                if f"{item.module}.{alias.name}" in _KNOWN:
                    found[name] = (f"{item.module}.{alias.name}", "")
                elif item.module in _KNOWN:
                    found[name] = (item.module, alias.name)
    return found


def _uses(unit: Unit) -> Iterator[Unit]:
    """Yield the units that a unit names."""
    module, name = unit
    body = _units(module, _KNOWN[module]).get(name)
    names = _names(module)
    for item in ast.walk(body) if body is not None else ():
        if isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name) and item.value.id in names:
            owner, own = names[item.value.id]
            if not own:
                yield owner, item.attr
        if isinstance(item, ast.Name) and item.id in names and names[item.id][1]:
            yield names[item.id]
            yield names[item.id][0], ""  # a table beside it may name more


def _raised() -> Mapping[FaultCode, Unit]:
    """Return the codes that what the pages call may raise, each with where."""
    ahead = [(module, name) for module in _modules(_ROOMS) for name in _units(module, _KNOWN[module])]
    seen, found = set(ahead), dict[FaultCode, Unit]()
    while ahead:
        unit = ahead.pop()
        body = _units(unit[0], _KNOWN[unit[0]]).get(unit[1])
        for item in ast.walk(body) if body is not None else ():
            if isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name) and item.value.id == "FaultCode":
                found[FaultCode[item.attr]] = unit
        new = set(_uses(unit)) - seen
        seen |= new
        ahead += new
    return found


def test_the_codes_that_pages_may_meet_are_found():
    found = _raised()
    assert {FaultCode.LAST_ADMINISTRATOR, FaultCode.BAD_WORD, FaultCode.NO_SUCH_ROUTE, FaultCode.LOCKED} <= set(found)
    assert FaultCode.TLS_LOWERED not in found  # only a command asks for that


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_each_fault_of_a_page_has_words_that_use_its_facts_but_those_that_are_english_sentences(language):
    words = {
        key.removeprefix("faults."): text for key, text in read_words(language).items() if key.startswith("faults.")
    }
    found = _raised()
    assert {str(code): unit for code, unit in found.items() if str(code) not in words} == {}
    for code in found:
        texts = words[str(code)]
        for text in texts.values() if isinstance(texts, Mapping) else [texts]:
            assert {name for _, name, _, _ in Formatter().parse(text) if name} <= set(code.facts) - _ENGLISH, code
