"""`mail2sms jobs`: which jobs there were. Not here: everything of one of them (queue)."""

import click

from addressbook.proof import ProofKind
from cli.admin_session import one_customer_option
from cli.shapes import table_command, this_week_option, until_option
from gateway.admin.jobs import list_jobs
from sms.lifecycle import MessageState

jobs = table_command(
    "jobs",
    "Find this week's jobs, or others, by number, sender ID, user, customer and state; «status» shows one whole.",
    list_jobs,
    click.option(
        "--to", "--number", "number", default="", metavar="NUMBER", help="Sent to this handset: +447700900123."
    ),
    click.option("--from", "sender_id", default="", metavar="SENDER", help="With this sender ID."),
    click.option(
        "--user",
        "--sender",
        "sender",
        default="",
        metavar="ADDRESS",
        help="Of this user or other sender, or of all of a domain: @example.com.",
    ),
    one_customer_option,
    click.option(
        "--proof",
        type=click.Choice([kind.value for kind in ProofKind]),
        help="Whose sender was proven by this.",
    ),
    click.option(
        "--state",
        "states",
        multiple=True,
        type=click.Choice([state.value for state in MessageState]),
        help="With a message in this state; may be repeated.",
    ),
    this_week_option,
    until_option,
    click.option("--limit", "most", default=50, show_default=True, help="At most so many."),
)
