"""`mail2sms senderid …`: registrations of sender IDs. Not here: what is allowed (gateway.admin.registrations)."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from addressbook.registrations import RegistrationKind
from cli.admin_session import admin_session, csv_option, json_option, one_customer_option, print_rows, print_view
from cli.context import config_option
from cli.files import file_faults, write_private
from cli.use_cases import registration_papers, registration_views, registrations
from sms.settings import UseCase

if TYPE_CHECKING:
    from gateway.admin.edit import Changed
    from gateway.admin.requested_registration import RequestedRegistration

_REGISTRATION = click.argument("registration", metavar="ID")
_OF_REQUEST = (
    click.option("--carrier", default="", metavar="NAME", help="Only by this carrier; else by each."),
    click.option(
        "--use-case", default="", metavar="USE-CASE", help=f"Only for this, else for each: {', '.join(UseCase)}."
    ),
    click.option("--company", default="", metavar="NAME", help="Whose name it is."),
    click.option("--local-entity", default="", metavar="NAME", help="Its company in the country."),
    click.option("--volume", default=0, type=click.IntRange(min=0), metavar="N", help="SMS expected in a month."),
    click.option(
        "--sample", "samples", multiple=True, metavar="TEXT", help="A text as it will be sent; may be repeated."
    ),
    click.option("--country", required=True, metavar="XX", help="Where: two letters such as ES."),
    click.option("--name", "value", default="", metavar="NAME", help="The sender ID; its case counts."),
)


def _request_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say what is requested."""
    for option in _OF_REQUEST:
        function = option(function)
    return function


class _Day(click.ParamType[date]):
    """A day."""

    name = "DAY"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day; ends the command for anything else."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"«{value}» is no day such as 2027-11-30", param, ctx)


_UNTIL = click.option("--until", type=_Day(), help="The last day (UTC), such as 2027-11-30; else it has no end.")
_ALSO = click.option("--also", is_flag=True, help="Even if other customers have the name in the country.")
_REASON = click.option("--reason", required=True, metavar="TEXT", help="Why; its customer reads it.")


@click.command("list")
@config_option
@json_option
@csv_option
@one_customer_option
@click.option("--ended", is_flag=True, help="Those that are withdrawn too.")
def show_all(file: Path, customer: str, *, as_json: bool, as_csv: bool, ended: bool) -> None:
    """List the registrations, the last changed first."""
    with admin_session(file) as session:
        rows = session.look(lambda tx: registration_views.list_registrations(tx, customer, ended=ended))
    print_rows(rows, as_json=as_json, as_csv=as_csv)


@click.command("show")
@config_option
@json_option
@_REGISTRATION
def show_one(file: Path, registration: str, *, as_json: bool) -> None:
    """Show a registration with its papers, its history, and what its country asks for."""
    with admin_session(file) as session:
        judge, now = session.registrar.judge, datetime.now(UTC)
        view = session.look(lambda tx: registration_views.show_registration(tx, registration, judge, now))
    print_view(view, as_json=as_json)


@click.command("request")
@config_option
@click.option("--customer", default="", metavar="NAME", help="Whose it is; without it everybody's.")
@click.option(
    "--kind", default=RegistrationKind.NAME.value, type=click.Choice([*map(str, RegistrationKind)]), help="Of what."
)
@_request_options
def request(*, file: Path, customer: str, **typed: Any) -> None:
    """Begin a draft of a registration; a code has no name, it is assigned when it is approved."""
    with admin_session(file) as session:
        session.change(
            partial(
                registrations.request_registration,
                customer=customer,
                requested=_requested(typed),
                registrar=session.registrar,
            )
        )


@click.command("edit")
@config_option
@_REGISTRATION
@_request_options
def edit(*, file: Path, registration: str, **typed: Any) -> None:
    """Change a draft, or one that was refused: all of it but its kind is as the options say."""
    with admin_session(file) as session:
        session.change(
            partial(
                registrations.edit_registration,
                registration=registration,
                requested=_requested(typed),
                registrar=session.registrar,
            )
        )


def _requested(typed: dict[str, Any]) -> "RequestedRegistration":
    from gateway.admin.requested_registration import RequestedRegistration

    return RequestedRegistration(**typed)


def _step(name: str, sentence: str, use_case: "Callable[..., Changed]", *options: Any) -> click.Command:
    """Return a command that moves one registration."""

    def run(*, file: Path, registration: str, **typed: Any) -> None:
        with admin_session(file) as session:
            session.change(partial(use_case, registration=registration, registrar=session.registrar, **typed))

    for option in reversed((config_option, _REGISTRATION, *options)):
        run = option(run)
    return click.command(name, help=sentence)(run)


@click.command("evidence")
@config_option
@_REGISTRATION
@click.option("--add", type=click.Path(path_type=Path), metavar="FILE", help="Keep this PDF, PNG or JPEG with it.")
@click.option("--letter", is_flag=True, help="What is added is a letter of authorisation.")
@click.option("--remove", metavar="NAME", help="Delete the paper of this name from a draft.")
@click.option("--save", metavar="NAME", help="Write the paper of this name to --output.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Must not exist.")
def evidence(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    registration: str,
    add: Path | None,
    letter: bool,
    remove: str | None,
    save: str | None,
    output: Path | None,
) -> None:
    """Add a paper to a registration, save or remove one; «senderid show» names them."""
    if sum(given is not None for given in (add, remove, save)) != 1 or (save is None) != (output is None):
        raise click.UsageError("one of --add, --remove, and --save with --output is needed")
    with admin_session(file) as session:
        if add is not None:
            with file_faults(""):
                content = add.read_bytes()
            put = partial(registration_papers.put_paper, name=add.name, content=content, is_letter=letter)
            session.change(partial(put, registration=registration))
        elif remove is not None:
            session.change(partial(registration_papers.drop_paper, registration=registration, name=remove))
        elif save is not None and output is not None:
            paper = session.look(lambda tx: registration_papers.open_paper(tx, registration, save))
            with file_faults(""):
                write_private(output, paper.content)
            click.echo(f"{output}: {paper.media_type}, {len(paper.content)} octets.")


senderid = click.Group(
    "senderid",
    help="Handle registrations of sender IDs: request, submit, approve, refuse and renew them, with their evidence.",
    commands=[
        show_all,
        show_one,
        request,
        edit,
        evidence,
        _step("submit", "Submit a draft; what its country asks for must be there.", registrations.submit_registration),
        _step(
            "approve",
            "Approve what was submitted; it counts within a second.",
            registrations.approve_registration,
            _UNTIL,
            click.option("--code", default="", metavar="NUMBER", help="The number or short code that is assigned."),
            _ALSO,
        ),
        _step("refuse", "Refuse what was submitted.", registrations.refuse_registration, _REASON),
        _step("renew", "Approve until a later day.", registrations.renew_registration, _UNTIL, _ALSO),
        _step("withdraw", "End a registration for good.", registrations.withdraw_registration),
        _step("drop", "Say that the register has dropped it.", registrations.drop_registration, _REASON),
    ],
)
