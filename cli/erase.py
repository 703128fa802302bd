"""`mail2sms erase`: what is known of a number or of a user is erased. Not here: what that is (gateway.admin.erase)."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.admin_session import admin_session, json_option
from cli.context import config_option
from cli.files import file_faults, write_private
from cli.printed import plain, when

if TYPE_CHECKING:
    from gateway.admin.erase import ErasureReceipt


@click.command()
@config_option
@json_option
@click.argument("number", default="", metavar="[NUMBER]")
@click.option("--user", default="", metavar="ADDRESS", help="What this user sent, in place of a number.")
@click.option("--cancel", is_flag=True, help="Cancel what waits before; carriers are asked for what they have.")
@click.option(
    "--receipt",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the receipt there, too; it must not exist.",
)
def erase(  # noqa: PLR0913 - every option by name
    file: Path, number: str, user: str, receipt: Path | None, *, cancel: bool, as_json: bool
) -> None:
    """Erase what is known of a number or of a user, with a receipt.

    The receipt names neither. Texts, numbers and addresses go; states, parts and times stay, so that details agree with
    sums. What is not over is not erased, and nothing else then.
    """
    if bool(number) is bool(user):
        raise click.UsageError("a NUMBER or --user ADDRESS is needed, and not both")
    from gateway.admin.erase import Erasing
    from reports.downloads import sweep_files

    with admin_session(file) as session:
        erasing = Erasing(session.database, session.administration, lambda: datetime.now(UTC))
        done = erasing.erase_number(number, cancel=cancel) if number else erasing.erase_user(user, cancel=cancel)
        sweep_files(session.config.server.data_dir, session.database)
    text = json.dumps(asdict(done), default=plain, indent=2) if as_json else "\n".join(_lines(done))
    if receipt is not None:
        with file_faults("; it is erased all the same, and this is the receipt:\n" + text):
            write_private(receipt, f"{text}\n".encode())
    click.echo(text)


def _lines(done: "ErasureReceipt") -> list[str]:
    of_number = done.what == "number"
    lines = [
        f"Receipt {done.id}: what was known of a {done.what} was erased at {when(done.at)} UTC.",
        f"Erased: the texts of {done.messages} SMS" + (" and the number in them" if of_number else ""),
    ]
    if of_number:
        lines += [
            f"Erased: {done.inbound} received SMS, their texts and the number; {done.conversations} conversations",
            f"Blotted out: the number in {done.words} words of support requests and mails about them",
            f"Stays: {done.kept.stop_entries} entries of stop lists with their evidence, so that nobody writes to it",
            f"Stays: {done.kept.list_members} members of lists and {done.kept.users} users with this number",
        ]
    else:
        lines += [
            f"Erased: the sender and the mail of {done.jobs} jobs, the address of {done.mails} mails that were sent",
            f"Stays: {done.sums} sums, which count for no user any more",
        ]
        if done.kept.users:
            lines.append("Stays: the user itself, whom «user remove» takes away")
    return [
        *lines,
        f"Erased: {done.contents} files of mails that nobody got",
        f"Taken back: {done.downloads} files that accounts had asked for, of whatever customer",
        "Stays: sums, states, parts and times; earlier lines of the audit; other words of support requests; backups.",
    ]
