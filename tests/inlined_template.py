"""Writes the standard status mail with its CSS inlined: `python -m tests.inlined_template FILE` (make example)."""

import sys
from pathlib import Path

from templates.customers import html_environment, inline_template
from templates.render import standard_template


def inlined_template() -> str:
    """Return what the gateway compiles at its start."""
    return f"{inline_template(html_environment(), standard_template())}\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(inlined_template(), encoding="utf-8")
