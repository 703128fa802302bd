"""The commands of mail2sms that a document names, and whether the program takes them."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from cli.__main__ import main

_PROMPT = re.compile(r"(?:[$#] )?(?:sudo (?:-u \S+ )?)?(?:[\w./-]*/)?mail2sms (?=\S)")
_SENTENCE = re.compile(r"[`«]mail2sms ([a-z][^`»]*)[`»]")
_PLACES_OF_FILES = "does not exist"


def example_commands(document: Path) -> Iterator[list[str]]:
    """Yield the words of every command in the blocks of a document, as a shell would give them."""
    text = document.read_text("utf-8").replace("\\\n", " ")
    blocks = re.findall(r"(?ms)^ *```(?:console|sh|bash)?\n(.*?)^ *```", text)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"(?m)^    (mail2sms .*)$", text)
    for line in lines:
        for part in re.split(r" && | \| |; ", line.strip()):
            prompt = _PROMPT.match(part)
            if prompt:
                words = shlex.split(part[prompt.end() :], comments=True)
                end = next((at for at, word in enumerate(words) if re.match(r"[0-9]?[<>]", word)), len(words))
                yield words[:end]


def named_commands(document: Path) -> Iterator[str]:
    """Yield what the sentences of a document say behind `mail2sms`."""
    yield from _SENTENCE.findall(document.read_text("utf-8").replace("\n", " "))


def refused(words: Sequence[str]) -> str:
    """Return why the program does not take these words, "" where it does; files need not be there."""
    try:
        _parse(main, list(words), None)
    except click.UsageError as error:
        if _PLACES_OF_FILES not in error.format_message():
            return f"mail2sms {shlex.join(words)}: {error.format_message()}"
    except click.exceptions.Exit:  # --help, --version
        pass
    return ""


def unknown(text: str) -> str:
    """Return which command or option of a text there is not, "" where all of them are."""
    words = text.split()
    command: click.Command = main
    while isinstance(command, click.Group) and words:
        below = command.get_command(click.Context(command), words[0])
        if below is None:
            return "" if words[0] in {"…", "COMMAND"} else f"mail2sms {text}: no command «{words[0]}»"
        command, words = below, words[1:]
    context = click.Context(command)
    known = {name for option in command.get_params(context) for name in (*option.opts, *option.secondary_opts)}
    named = [word.strip("[],;.").split("=")[0] for word in words if word.strip("[").startswith("--")]
    return next((f"mail2sms {text}: no option {name}" for name in named if name not in known), "")


def _parse(command: click.Command, words: list[str], parent: click.Context | None) -> None:
    """Parse words as click does, down to the last command; none is called."""
    with command.make_context(command.name, words, parent=parent) as context:
        rest = [*context._protected_args, *context.args]
        if isinstance(command, click.Group) and rest:
            _, below, more = command.resolve_command(context, rest)
            assert below is not None
            _parse(below, more, context)
