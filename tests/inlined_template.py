"""Writes the standard mails with their CSS inlined: `python -m tests.inlined_template FOLDER` (make example)."""

import sys
from pathlib import Path

from templates.customers import html_environment, inline_template
from templates.render import standard_source


def inlined_templates() -> dict[str, str]:
    """Return what the gateway compiles at its start, by file name."""
    return {f"{name}.inlined.html": _inlined(name) for name in ("status", "inbound", "directory", "alert")}


def _inlined(name: str) -> str:
    return f"{inline_template(html_environment(), standard_source(name))}\n"


if __name__ == "__main__":
    for name, inlined in inlined_templates().items():
        (Path(sys.argv[1]) / name).write_text(inlined, encoding="utf-8")
