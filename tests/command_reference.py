"""Writes docs/commands.md from the commands themselves: `python -m tests.command_reference FILE` (make example)."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from cli.__main__ import main

HEAD = """\
# Commands

Every command with its options, as `mail2sms COMMAND --help` says it. Written by `make example`; a test keeps it true.
"""


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield a command and all below it, each with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in sorted(command.list_commands(context)):
            below = command.get_command(context, name)
            assert below is not None
            yield from walk(below, (*path, name))


def command_reference() -> str:
    """Return the document."""
    parts = [HEAD]
    for path, command in walk(main, ("mail2sms",)):
        context = click.Context(command, info_name=" ".join(path), terminal_width=100)
        parts.append(f"{'#' * min(len(path) + 1, 4)} {' '.join(path)}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(command_reference(), encoding="utf-8")
