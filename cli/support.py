"""`mail2sms support …`: requests of customers for help. Not here: what is allowed (gateway.admin)."""

from functools import partial
from pathlib import Path

import click

from cli.admin_session import admin_session, csv_option, json_option, one_customer_option, print_rows
from cli.context import config_option
from cli.files import read_text
from cli.shapes import view_command
from cli.use_cases import support as use_cases

REQUEST = click.argument("request", metavar="ID")


@click.command("list")
@config_option
@json_option
@csv_option
@one_customer_option
@click.option("--ended", is_flag=True, help="Those that are solved or closed too.")
def show_all(file: Path, customer: str, *, as_json: bool, as_csv: bool, ended: bool) -> None:
    """List the support requests, the last changed first."""
    with admin_session(file) as session:
        rows = session.look(lambda tx: use_cases.list_requests(tx, customer, ended=ended))
    print_rows(rows, as_json=as_json, as_csv=as_csv)


@click.command("answer")
@config_option
@REQUEST
@click.option("--text", default="", metavar="TEXT", help="The answer.")
@click.option("--text-file", type=click.Path(path_type=Path), metavar="FILE", help="A file that has the answer.")
def answer(file: Path, request: str, *, text: str, text_file: Path | None) -> None:
    """Answer a support request; who opened it gets the answer by mail."""
    if bool(text) == (text_file is not None):
        raise click.UsageError("--text or --text-file is needed")
    from process.support import desk_of

    told = text if text_file is None else read_text(text_file)
    with admin_session(file) as session:
        desk = desk_of(session.config)
        session.change(partial(use_cases.answer_request, request=request, text=told, desk=desk))


@click.command("close")
@config_option
@REQUEST
@click.option("--solved", is_flag=True, help="It is solved: who opened it is told, and can open it again by an answer.")
def close(file: Path, request: str, *, solved: bool) -> None:
    """Close a support request for good, or say that it is solved."""
    from process.support import desk_of

    with admin_session(file) as session:
        desk = desk_of(session.config)
        session.change(partial(use_cases.close_request, request=request, solved=solved, desk=desk))


support = click.Group(
    "support",
    help="Read and answer the support requests of customers.",
    commands=[
        show_all,
        view_command(
            "show", "Show a support request with all that was written about it.", use_cases.show_request, REQUEST
        ),
        answer,
        close,
    ],
)
