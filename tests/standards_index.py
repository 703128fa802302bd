"""Reads which clauses of which standards the code cites, and keeps docs/standards.md in step.

`python -m tests.standards_index FILE` (make example) rewrites the tables of the document; its words (what a standard is
and whether we keep it) stay as they are, and a standard that is new gets a section that asks for them. RFC 5321 and RFC
3207 are listed clause by clause besides (tests.conformance).
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.conformance import conformance_table

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "sms",
    "addressbook",
    "inbound",
    "tls",
    "smpp",
    "templates",
    "store",
    "config",
    "gateway",
    "web",
    "dirsync",
    "mta",
    "process",
    "cli",
)
WHOLE = "as a whole"
ASK = "**?**: say whether it is kept: yes, partly or no."

_CITED = re.compile(
    r"\b(RFC \d{3,4}|SMPP 3\.4|3GPP TS \d\d\.\d{3}|U(?:AX|TS) #\d+|ITU-T E\.164)"
    r"((?:,? ?(?:and )?§§?[0-9A-Z][\w.]*(?:[-–][0-9.]+)?)*)"
)
_CLAUSE = re.compile(r"§+([0-9A-Z][\w.]*(?:[-–][0-9.]+)?)")
_SECTION = re.compile(r"(?ms)^## ((?:RFC|SMPP|3GPP|U[AT][XS]|ITU-T)[^:\n]*):([^\n]*)\n(.*?)(?=^## |\Z)")
_TABLE = re.compile(r"(?m)^\|.*\n?")

Citations = Mapping[str, Mapping[str, frozenset[str]]]


def cited_in_code() -> Citations:
    """Return standard → clause → files."""
    found: dict[str, dict[str, set[str]]] = {}
    for file in _sources():
        for match in _CITED.finditer(re.sub(r"\n\s*(?:# )?", " ", file.read_text("utf-8"))):
            clauses = [clause.rstrip(".") for clause in _CLAUSE.findall(match[2])] or [WHOLE]
            for clause in clauses:
                found.setdefault(match[1], {}).setdefault(clause, set()).add(str(file.relative_to(ROOT)))
    return {name: {clause: frozenset(files) for clause, files in rows.items()} for name, rows in found.items()}


def _sources() -> Iterator[Path]:
    for package in PACKAGES:
        for pattern in ("*.py", "*.j2", "*.html", "*.txt"):
            yield from sorted((ROOT / package).rglob(pattern))


def listed_in(text: str) -> Citations:
    """Return the same of the document's tables."""
    listed: dict[str, dict[str, frozenset[str]]] = {}
    for name, _, body in _SECTION.findall(text):
        rows = re.findall(r"(?m)^\| (?:§(\S+)|(as a whole)) \| (.*) \|$", body)
        listed[name] = {clause or whole: frozenset(re.findall(r"`([^`]+)`", files)) for clause, whole, files in rows}
    return listed


def verdicts_in(text: str) -> Mapping[str, str]:
    """Return what each section says of its standard: yes, partly, no, or something else where nobody said it yet."""
    verdicts = {}
    for name, _, body in _SECTION.findall(text):
        said = re.match(r"\s*\*\*(yes|partly|no)\*\*", body)
        verdicts[name] = said[1] if said else ""
    return verdicts


def rewritten(text: str) -> str:
    """Return the document with tables as the code says, sections in order, and the words that it had."""
    head = text[: match.start()] if (match := _SECTION.search(text)) else text
    words = {name: (title, _TABLE.sub("", body).strip()) for name, title, body in _SECTION.findall(text)}
    cited = cited_in_code()
    parts = [head.rstrip() + "\n"]
    for name in sorted(cited.keys() | words.keys(), key=_order):
        title, said = words.get(name, (" ?", ASK))
        rows = cited.get(name, {})
        table = "".join(
            f"| {clause if clause == WHOLE else '§' + clause} | {', '.join(f'`{file}`' for file in sorted(rows[clause]))} |\n"
            for clause in sorted(rows, key=_order)
        )
        if not table and said == ASK:
            continue
        parts.append(
            f"## {name}:{title}\n\n{said}\n"
            + (f"\n| Clause | Where |\n| --- | --- |\n{table}" if table else "")
            + conformance_table(name)
        )
    return "\n".join(parts)


def _order(name: str) -> list[tuple[int, int | str]]:
    """Sort numbers as numbers; the whole before its clauses."""
    if name == WHOLE:
        return []
    return [(0, int(piece)) if piece.isdigit() else (1, piece) for piece in re.findall(r"\d+|[^\d]+", name)]


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(rewritten(document.read_text("utf-8")), encoding="utf-8")
