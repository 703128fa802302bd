"""One text and rows of values → one text per recipient; a missing value is a fault and never leaves a gap.

A placeholder is `{{ column }}` or `{{ column|filter|… }}`; there is nothing else, and values are never read as
templates. Case, blanks and hyphens of columns are ignored. Not here: where rows come from (lists,
addressbook.table_file), what a fault causes (gateway.accept).
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sms.outcome import Refusal, Refused

NUMBER_COLUMNS: Final = frozenset(
    {"number", "phone", "phone_number", "mobile", "mobile_number", "mobile_phone", "msisdn", "cell", "telephone"}
    | {"nummer", "rufnummer", "telefon", "telefonnummer", "handy", "handynummer", "mobil", "mobilnummer"}
    | {"tel", "tel_nr", "telefon_nr", "handy_nr", "mobil_nr", "mobiltelefon", "phone_no", "mobile_no", "cell_phone"}
    | {"numéro_de_téléphone", "numéro_de_portable", "n_de_portable", "número_de_teléfono", "número_de_móvil"}
    | {"número", "numero", "teléfono", "telefono", "móvil", "movil", "téléphone", "portable"}
)
COLUMNS_LIMIT: Final = 100
VALUE_LIMIT: Final = 2_000
PLACEHOLDERS_LIMIT: Final = 100
LENGTH_LIMIT: Final = 4_000
"""More than the most parts hold: without it a few octets of text could become gigabytes over many rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One recipient: `line` is its line in the file, from 1; `values` has a value for every canonical column."""

    line: int
    number: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows with the same columns: canonical names in the file's order, including that of the number."""

    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One place to fill: the column's canonical name, the filters in order, and the default for an empty value."""

    column: str
    filters: tuple[str, ...] = ()
    default: str | None = None


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """A parsed text: literal texts and placeholders in turn."""

    pieces: tuple[str | Placeholder, ...]

    @property
    def columns(self) -> frozenset[str]:
        """The columns that the text names."""
        return frozenset(piece.column for piece in self.pieces if isinstance(piece, Placeholder))


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """What is wrong with one recipient of a personalised text; `row` names it in the sender's words."""

    row: str
    text: str

    def __str__(self) -> str:
        return f"{self.row}: {self.text}"


def _title(text: str) -> str:
    return _WORD.sub(lambda match: match[0][0].upper() + match[0][1:].lower(), text)


def _first(text: str) -> str:
    words = text.split(maxsplit=1)
    return words[0] if words else ""


_WORD: Final = re.compile(r"[^\W_](?:[\w'\u2019]*\w)?")
_FILTERS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {"upper": str.upper, "lower": str.lower, "title": _title, "first": _first, "trim": str.strip}
)
_OPEN: Final = "{{"
_CLOSE: Final = "}}"
# Mail clients turn straight quotes into typographic ones.
_QUOTES: Final = "\"'\u00ab\u00bb\u2018\u2019\u201a\u201c\u201d\u201e\u2039\u203a"
_DEFAULT: Final = re.compile(rf"default\s*\(\s*[{_QUOTES}]([^{_QUOTES}]{{0,200}})[{_QUOTES}]\s*\)")
_SPLIT: Final = re.compile(rf"\|(?=(?:[^{_QUOTES}]*[{_QUOTES}][^{_QUOTES}]*[{_QUOTES}])*[^{_QUOTES}]*\Z)")
_LONGEST: Final = 300
_COLUMN: Final = re.compile(r"\w+(?:_\w+)*")
# Braces of code are none: those of LaTeX follow a command or a group, those of a workflow follow a dollar sign.
_LEFT_OPEN: Final = re.compile(
    r"(?<![{}$\\^_])\{\{[ \t\xa0]*[^\W\d]\w{0,60}(?:[ -]\w{1,60}){0,4}[ \t\xa0]*(?:\|[^{}\n]{0,200})?\}\}(?!\})"
)
_COMMAND: Final = re.compile(r"\\[A-Za-z]{1,30}\Z")


def canonical_column(text: str) -> str:
    """Return the form in which columns are compared: lower case, words joined by `_`; empty if it is no name."""
    name = "_".join(unicodedata.normalize("NFC", text).lower().replace("-", " ").replace("_", " ").split())
    return name if len(name) <= COLUMNS_LIMIT and _COLUMN.fullmatch(name) else ""


def parse_template(text: str) -> TextTemplate | Refused:
    """Parse a text with placeholders; TEMPLATE_INCOMPLETE says which one cannot be read, and why."""
    pieces: list[str | Placeholder] = []
    rest = text
    if text.count(_OPEN) > PLACEHOLDERS_LIMIT:
        return _refused(f"the text has more than {PLACEHOLDERS_LIMIT} placeholders")
    while _OPEN in rest:
        before, _, rest = rest.partition(_OPEN)
        inside, closed, rest = rest.partition(_CLOSE)
        if not closed:
            return _refused(f"'{{{{{inside[:40]}' has no end: a placeholder is {{{{ column }}}}")
        placeholder = _read_placeholder(inside)
        if isinstance(placeholder, str):
            return _refused(f"'{{{{ {' '.join(inside.split())[:40]} }}}}': {placeholder}")
        pieces += (before, placeholder)
    pieces.append(rest)
    return TextTemplate(tuple(piece for piece in pieces if piece != ""))


def find_placeholder(text: str) -> str:
    """Return the first placeholder of a text that nothing fills, empty for none; other braces are its own."""
    if _OPEN not in text:
        return ""
    for found in _LEFT_OPEN.finditer(text):
        if not _COMMAND.search(text, max(0, found.start() - 40), found.start()):
            return found[0]
    return ""


def _refused(detail: str) -> Refused:
    return Refused(refusal=Refusal.TEMPLATE_INCOMPLETE, detail=detail)


def _read_placeholder(inside: str) -> Placeholder | str:
    """Return the placeholder between the braces, or what is wrong with it."""
    if len(inside) > _LONGEST:
        return "a placeholder is {{ column }} or {{ column|filter }}"
    name, *words = (part.strip() for part in _SPLIT.split(inside))
    column = canonical_column(name)
    if not column:
        return "a placeholder is {{ column }} or {{ column|filter }}"
    filters: list[str] = []
    default: str | None = None
    for word in words:
        given = _DEFAULT.fullmatch(word)
        if given is not None:
            default = given[1]
        elif word in _FILTERS:
            filters.append(word)
        else:
            return f"there is no filter '{word[:20]}', only {', '.join(sorted(_FILTERS))} and default('...')"
    return Placeholder(column, tuple(filters), default)


def render(template: TextTemplate, row: str, values: Mapping[str, str]) -> str | RowFault:
    """Return the text of one recipient; a fault names each value that is missing or empty without a default.

    A text longer than LENGTH_LIMIT is a fault too.
    """
    filled: list[str] = []
    missing: dict[str, None] = {}
    for piece in template.pieces:
        if isinstance(piece, str):
            filled.append(piece)
            continue
        value = values.get(piece.column, "").strip()
        for name in piece.filters:
            value = _FILTERS[name](value)
        if not value and piece.default is None:
            missing[piece.column] = None
        filled.append(value or piece.default or "")
    if missing:
        return RowFault(row=row, text=f"no value for {', '.join(missing)}")
    if sum(map(len, filled)) > LENGTH_LIMIT:
        return RowFault(row=row, text=f"the text is longer than {LENGTH_LIMIT} characters")
    return "".join(filled)


def sum_up(faults: Sequence[RowFault], *, named: int = 5) -> str:
    """Return faults in one sentence that names the first rows and counts the others."""
    told = "; ".join(map(str, faults[:named]))
    more = len(faults) - named
    return f"{told}; {more} more rows" if more > 0 else told
