"""Builds the commands that repeat one shape: what was typed goes by its names to one use case, whose answer is printed.

Not here: commands that do more than that; they stand with their noun.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cli.admin_session import admin_session, csv_option, json_option, print_rows, print_view
from cli.context import config_option
from cli.printed import constraint_words
from sms.number import NumberType

if TYPE_CHECKING:
    from gateway.admin.edit import Changed
    from gateway.admin.settings import Scope


class _Since(click.ParamType[datetime]):
    """An instant, or how long ago it was; with `ahead`, how long it is until then."""

    name = "WHEN"

    def __init__(self, *, ahead: bool = False) -> None:
        self._sign = 1 if ahead else -1

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the instant; ends the command for anything else."""
        if isinstance(value, datetime):
            return value
        from config.field_types import parse_duration

        text = str(value)
        try:
            if re.fullmatch(r"[0-9.]+[a-z]+", text):
                return datetime.now(UTC) + self._sign * parse_duration(text)
            found = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"«{text}» is neither a time such as 2026-11-23T07:15 (UTC) nor a duration such as 2h", param, ctx
            )
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


since_option = click.option(
    "--since", type=_Since(), help="From this time on, such as 2026-11-23T07:15 (UTC), or 2h ago."
)

from_option = click.option(
    "--from",
    "since",
    type=_Since(ahead=True),
    help="From this time on, such as 2026-12-01T06:00 (UTC), or in 2h; else at once.",
)

ahead_option = click.option(
    "--until",
    type=_Since(ahead=True),
    help="Until this time, such as 2026-12-24T18:00 (UTC), or for 2d; else for good.",
)


def _monday() -> datetime:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=today.weekday())


this_week_option = click.option(
    "--since",
    type=_Since(),
    default=_monday,
    show_default="Monday, 00:00 UTC",
    help="From this time on, such as 2026-11-23T07:15 (UTC), or 2h ago.",
)

due_option = click.option(
    "--due", type=_Since(ahead=True), help="By when, such as 2026-12-24T18:00 (UTC), or 14d ahead; else in 30 days."
)

until_option = click.option("--until", type=_Since(), help="Before this time.")

F = TypeVar("F", bound=Callable[..., Any])
Parameter = Callable[[F], F]
View = Mapping[str, object]

NAME = click.argument("name")
_USAGE: Sequence[Parameter[Any]] = (
    click.option("--countries", metavar="DE,ES|any", help="The countries that may be written to."),
    click.option(
        "--number-types",
        metavar="TYPES|any",
        help=f"The types of numbers that may be written to: {', '.join(NumberType)}.",
    ),
    click.option(
        "--usage",
        multiple=True,
        metavar="[agreed:]WHAT/PERIOD[@COUNTRY][:CARRIER]=N|any",
        help="How much may be sent: sms/day=500, parts/month=10000, sms/minute=30, sms/day@FR=20, sms/day:alpha=900;"
        " may be repeated. Nothing is refused by what is agreed, agreed:sms/month=90000: who passes it is told of.",
    ),
)
_LIMITS: Sequence[Parameter[Any]] = (
    click.option("--lock", multiple=True, metavar="FIELD", help="Nobody below may change it."),
    click.option("--unlock", multiple=True, metavar="FIELD", help="Lift a lock."),
    click.option("--sender-ids", metavar="A,B|any", help="The sender IDs that may be used."),
    click.option("--max-parts", metavar="N|any", help="Parts of one SMS at most."),
    click.option("--express/--no-express", default=None, help="Whether express is allowed."),
    click.option("--flash/--no-flash", default=None, help="Whether flash is allowed."),
    *_USAGE,
)


def change_command(
    name: str, sentence: str, use_case: "Callable[..., Changed]", *parameters: Parameter[Any]
) -> click.Command:
    """Return a command that makes a change, and prints what it did."""

    def run(*, file: Path, **typed: Any) -> None:
        with admin_session(file) as session:
            session.change(lambda edit: use_case(edit, **typed))

    return _command(name, sentence, run, config_option, *parameters)


def each_command(name: str, sentence: str, use_case: "Callable[..., Changed]") -> click.Command:
    """Return a command that makes the same change to each of the things it is given, one after the other."""

    def run(*, file: Path, names: tuple[str, ...]) -> None:
        with admin_session(file) as session:
            for each in names:
                session.change(partial(use_case, name=each))

    return _command(name, sentence, run, config_option, click.argument("names", metavar="ID…", nargs=-1, required=True))


def view_command(name: str, sentence: str, query: Callable[..., View], *parameters: Parameter[Any]) -> click.Command:
    """Return a command that prints one record."""

    def run(*, file: Path, as_json: bool, **typed: Any) -> None:
        with admin_session(file) as session:
            view = dict(session.look(lambda tx: query(tx, **typed)))
        if view.get("options", ()) is None:
            view["options"] = sorted(session.default_options)
        if isinstance(restrictions := view.get("constraints"), dict):
            view["constraints"] = constraint_words(restrictions)
        print_view(view, as_json=as_json)

    return _command(name, sentence, run, config_option, json_option, *parameters)


def table_command(
    name: str, sentence: str, query: Callable[..., Sequence[View]], *parameters: Parameter[Any]
) -> click.Command:
    """Return a command that prints records, a line for each."""

    def run(*, file: Path, as_json: bool, as_csv: bool, **typed: Any) -> None:
        with admin_session(file) as session:
            rows = session.look(lambda tx: query(tx, **typed))
        print_rows(rows, as_json=as_json, as_csv=as_csv)

    return _command(name, sentence, run, config_option, json_option, csv_option, *parameters)


def settings_commands(
    scope: "Callable[..., Scope]", *parameters: Parameter[Any], set_help: str, unset_help: str
) -> tuple[click.Command, ...]:
    """Return `set` and `unset`; `parameters` name whose settings, and `scope` takes them by these names."""

    def set_fields(*, file: Path, assignments: tuple[str, ...], **typed: str) -> None:
        from gateway.admin.settings import set_settings

        given = assigned(assignments)
        with admin_session(file) as session:
            session.change(lambda edit: set_settings(edit, scope(**typed), given))

    def unset_fields(*, file: Path, fields: tuple[str, ...], **typed: str) -> None:
        from gateway.admin.settings import unset_settings

        with admin_session(file) as session:
            session.change(lambda edit: unset_settings(edit, scope(**typed), fields))

    assignments = click.argument("assignments", nargs=-1, required=True, metavar="FIELD=VALUE…")
    fields = click.argument("fields", nargs=-1, required=True, metavar="FIELD…")
    return (
        _command("set", set_help, set_fields, config_option, *parameters, assignments),
        _command("unset", unset_help, unset_fields, config_option, *parameters, fields),
    )


def limit_command(
    sentence: str, scope: "Callable[..., Scope]", *parameters: Parameter[Any], binds_settings: bool = True
) -> click.Command:
    """Return `limit`, which changes constraints; a call without any option ends the command.

    Only the system and customers bind what settings may say.
    """

    def run(*, file: Path, **typed: Any) -> None:
        from gateway.admin.constraints import ConstraintLimits, limit

        names = {item.name for item in fields(ConstraintLimits)}
        limits = ConstraintLimits(**{name: typed.pop(name) for name in names & typed.keys()})
        if limits == ConstraintLimits():
            raise click.UsageError("nothing to change: give at least one option")
        with admin_session(file) as session:
            session.change(lambda edit: limit(edit, scope(**typed), limits))

    return _command("limit", sentence, run, config_option, *parameters, *(_LIMITS if binds_settings else _USAGE))


def _command(name: str, sentence: str, run: Callable[..., None], *parameters: Parameter[Any]) -> click.Command:
    for parameter in reversed(parameters):
        run = parameter(run)
    return click.command(name, help=sentence)(run)


def assigned(words: Sequence[str]) -> dict[str, str]:
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
