"""Writes the standard mails with their CSS inlined: `python -m tests.inlined_template FOLDER` (make example)."""

import sys
from pathlib import Path

from templates.customers import html_environment, inline_template
from templates.forms import Form
from templates.render import file_of, standard_template


def inlined_templates() -> dict[str, str]:
    """Return what the gateway compiles at its start, by file name."""
    return {file_of(form).replace(".", ".inlined."): _inlined(form) for form in (Form.RESULT, Form.INBOUND)}


def _inlined(form: Form) -> str:
    return f"{inline_template(html_environment(), standard_template(form))}\n"


if __name__ == "__main__":
    for name, inlined in inlined_templates().items():
        (Path(sys.argv[1]) / name).write_text(inlined, encoding="utf-8")
