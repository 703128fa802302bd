"""Jinja for what customers write: no globals, few filters, no text methods, no operators that multiply.

It cannot reach the network, files, other templates or Python; the process that it runs in bounds its time and memory
(templates.confined). Not here: what a template makes, and what that may be (customers, push_sandbox).
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, Template, TemplateError, nodes
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from templates.render import LARGEST_SOURCE, TemplateBroken

_MISSING = re.compile(r"has no (?:attribute|element) '(\w+)'|'(\w+)' is undefined")
_NO_FILTER = re.compile(r"No filter named '(\w+)'\.?")
_TEXT_METHODS = frozenset({"startswith", "endswith", "upper", "lower", "strip"})
_FORBIDDEN: Mapping[type[nodes.Node], str] = MappingProxyType(
    {
        nodes.Include: "a template can't use other templates",
        nodes.Import: "a template can't use other templates",
        nodes.FromImport: "a template can't use other templates",
        nodes.Extends: "a template can't use other templates",
        nodes.EvalContextModifier: "autoescape can't be switched: every value is escaped",
        nodes.ScopedEvalContextModifier: "autoescape can't be switched: every value is escaped",
        nodes.FilterBlock: "{% filter %} can't be used: it would change marks with the text",
    }
)


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, reduced. `plain` are types of plain data, whose public attributes may be read."""

    intercepted_binops = frozenset({"*", "**", "%"})
    plain: frozenset[type] = frozenset()

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Return whether a template may read this attribute."""
        if type(obj) in self.plain:
            return not attr.startswith("_")  # the general check costs more than the rest of a mail
        if isinstance(obj, str):
            return attr in _TEXT_METHODS
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Multiply numbers only."""
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if not numbers or operator == "**":
            raise SecurityError(f"the operator {operator} is only for numbers here, and ** for nothing")
        return super().call_binop(context, operator, left, right)


def check_source(environment: Environment, source: str) -> None:
    """Raise TemplateBroken for a source that is too long, or uses what no template may; TemplateError of jinja2."""
    if len(source) > LARGEST_SOURCE:
        raise TemplateBroken(f"the template has {len(source)} characters; {LARGEST_SOURCE} are allowed")
    tree = environment.parse(source)
    for forbidden in tree.find_all(tuple(_FORBIDDEN)):
        raise TemplateBroken(f"line {forbidden.lineno}: {_FORBIDDEN[type(forbidden)]}")
    environment.compile(tree, raw=True)  # what the author wrote has other lines than what is inlined


def said_of(error: TemplateError, environment: Environment) -> TemplateBroken:
    """Return the sentence for its author of a template that can't be compiled."""
    line = getattr(error, "lineno", None)
    found = _NO_FILTER.fullmatch(error.message or "")
    meant = get_close_matches(found[1], sorted(environment.filters), 1) if found else []
    sentence = f"{error.message} Did you mean «{meant[0]}»?" if meant else error.message
    return TemplateBroken(f"line {line}: {sentence}" if line else str(error))


def run_template(
    template: Template, source: str, names: Iterable[str], values: Mapping[str, object], *, largest: int
) -> str:
    """Return what a template writes, `largest` characters at most. `names` are those that its author may mean.

    Raises TemplateBroken for faults that the author can mend.
    """
    chunks: list[str] = []
    size = 0
    try:
        for chunk in template.generate(values):
            size += len(chunk)
            if size > largest:
                raise TemplateBroken(f"it makes more than {largest} characters")
            chunks.append(chunk)
    except UndefinedError as error:
        raise TemplateBroken(_unknown_name(template.environment, source, names, str(error))) from error
    except TemplateError as error:
        raise TemplateBroken(str(error)) from error
    except (ArithmeticError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        raise TemplateBroken(f"it fails with {type(error).__name__}: {error}") from error
    return "".join(chunks)


def _unknown_name(environment: Environment, source: str, names: Iterable[str], message: str) -> str:
    """Return the sentence for an unknown name, with its first line and the nearest known name."""
    found = _MISSING.search(message)
    if found is None:
        return message
    name = found[1] or found[2]
    lines = (line for line, kind, value in environment.lex(source) if kind == "name" and value == name)
    meant = get_close_matches(name, sorted(names), 1)
    where = f"line {line}: " if (line := next(lines, 0)) else ""
    return f"{where}nothing is called «{name}» here" + (f"; did you mean «{meant[0]}»?" if meant else "")
