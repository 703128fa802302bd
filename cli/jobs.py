"""`mail2sms jobs`: which jobs there were. Not here: everything of one of them (queue)."""

import click

from addressbook.proof import ProofKind
from cli.admin_session import one_customer_option
from cli.shapes import since_option, table_command, until_option
from gateway.admin.jobs import list_jobs
from sms.lifecycle import MessageState

jobs = table_command(
    "jobs",
    "Find jobs by number, sender, customer, state and time, newest first; «status» then shows one of them whole.",
    list_jobs,
    click.option("--number", default="", metavar="NUMBER", help="Sent to this handset: +447700900123."),
    click.option(
        "--sender", default="", metavar="ADDRESS", help="Of this sender, or of all of a domain: @example.com."
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
    since_option,
    until_option,
    click.option("--limit", "most", default=50, show_default=True, help="At most so many."),
)
