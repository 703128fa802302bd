"""`mail2sms number …`: our numbers, whom they belong to and who shares them.

Not here: what is allowed (gateway.admin.numbers).
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from addressbook.numbers import NumberState, Sharing
from cli.admin_session import admin_session, customer_option, one_customer_option
from cli.context import config_option
from cli.shapes import change_command, table_command
from cli.use_cases import numbers
from config.field_types import parse_duration


class _Duration(click.ParamType[timedelta]):
    """A duration as in the operator's file."""

    name = "DURATION"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration; ends the command for anything else."""
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(str(value))
        except ValueError:
            self.fail(f"«{value}» is no duration such as 90s, 10m or 2h", param, ctx)


_NUMBER = click.argument("number")
_COUNTRY = click.option("--country", default="", metavar="XX", help="Of a short code: two letters such as GB.")
_STATE = click.option(
    "--state", type=click.Choice([*map(str, NumberState)]), help="requested and blocked: nobody's for now."
)
_SHARING = click.option(
    "--sharing", type=click.Choice([*map(str, Sharing)]), help="How the customer of a text is found."
)
_CUSTOMER = click.option("--customer", metavar="NAME", help="Whose a dedicated number is; an empty NAME: nobody's.")
_CARRIERS = click.option(
    "--carrier", "carriers", multiple=True, metavar="NAME", help="Serves it; may be repeated. None: any carrier."
)
_JOIN = click.option("--join-within", type=_Duration(), help="How long the parts of one text are waited for (10m).")
_WORD = click.option("--word", required=True, help="The word, or words, that open its texts.")


@click.command("add")
@config_option
@_COUNTRY
@_STATE
@_SHARING
@_CUSTOMER
@_CARRIERS
@_JOIN
@_NUMBER
def add_one(*, file: Path, number: str, **typed: Any) -> None:
    """Add a number: +447700900123 is a long code, 3 to 8 digits are a short code of the country."""
    given = {name: value for name, value in typed.items() if value is not None}
    with admin_session(file) as session:
        known = {carrier.name for carrier in session.config.carriers}
        session.change(lambda edit: numbers.make_number(edit, number, known_carriers=known, **given))


@click.command("set")
@config_option
@_COUNTRY
@_STATE
@_SHARING
@_CUSTOMER
@_CARRIERS
@click.option("--any-carrier", is_flag=True, help="Any carrier serves it.")
@_JOIN
@_NUMBER
def set_one(*, file: Path, number: str, **typed: Any) -> None:
    """Change a number; what no option names stays as it is."""
    with admin_session(file) as session:
        known = {carrier.name for carrier in session.config.carriers}
        session.change(lambda edit: numbers.change_number(edit, number, known_carriers=known, **typed))


number = click.Group(
    "number",
    help="Handle our numbers, which handsets write to: whose they are, who shares them, which carriers serve them.",
    commands=[
        add_one,
        set_one,
        change_command("remove", "Remove a number; what came to it stays.", numbers.drop_number, _NUMBER, _COUNTRY),
        change_command(
            "share",
            "Give a customer the texts to a shared number that a word opens.",
            numbers.share_number,
            customer_option,
            _WORD,
            _NUMBER,
            _COUNTRY,
        ),
        change_command(
            "unshare",
            "Take a word of a shared number from its customer.",
            numbers.unshare_number,
            _WORD,
            _NUMBER,
            _COUNTRY,
        ),
        table_command("list", "List our numbers.", numbers.list_numbers, one_customer_option),
    ],
)
