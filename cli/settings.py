"""`… set` and `… unset`: one pair of commands for whoever has settings: the system, customers, profiles, users, lists.

Not here: what may be set (gateway.admin.settings) and what a text means (sms.settings).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from cli.admin_session import admin_session
from cli.context import config_option
from gateway.admin.settings import Owner, set_settings, unset_settings

Parameter = Callable[[Callable[..., None]], Callable[..., None]]


def with_settings(
    owner: Callable[..., Owner], *parameters: Parameter, set_help: str, unset_help: str
) -> Callable[[click.Group], click.Group]:
    """Give a group its `set` and `unset`; `parameters` name whose settings, and `owner` takes them by these names."""

    def decorate(group: click.Group) -> click.Group:
        @group.command("set", help=set_help)
        @config_option
        @_all_of(parameters)
        @click.argument("assignments", nargs=-1, required=True, metavar="FIELD=VALUE…")
        def set_fields(*, file: Path, assignments: tuple[str, ...], **named: str) -> None:
            with admin_session(file) as desk:
                desk.change(set_settings(owner(**named), _assigned(assignments)))

        @group.command("unset", help=unset_help)
        @config_option
        @_all_of(parameters)
        @click.argument("fields", nargs=-1, required=True, metavar="FIELD…")
        def unset_fields(*, file: Path, fields: tuple[str, ...], **named: str) -> None:
            with admin_session(file) as desk:
                desk.change(unset_settings(owner(**named), fields))

        return group

    return decorate


def _all_of(parameters: Sequence[Parameter]) -> Parameter:
    """Return the parameters as one decorator; they stand in the usage as they were given."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for parameter in reversed(parameters):
            command = parameter(command)
        return command

    return decorate


def _assigned(words: Sequence[str]) -> dict[str, str]:
    """Return FIELD=VALUE words as a mapping; a word without `=` or a field given twice ends the command."""
    assignments: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise click.UsageError(f"«{word}»: FIELD=VALUE is expected")
        if name in assignments:
            raise click.UsageError(f"«{name}» is given twice")
        assignments[name] = value
    return assignments
