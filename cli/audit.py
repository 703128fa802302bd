"""`mail2sms audit`: who changed what, when, from what to what. Not here: what is audited (gateway.admin)."""

import click

from cli.admin_session import one_customer_option
from cli.shapes import since_option, table_command
from gateway.admin.audit import list_audit


def changes_command(name: str) -> click.Command:
    """Return the command that lists changes, under a name."""
    return table_command(
        name,
        "List who changed what, newest first; what a directory's run changed counts once it was applied.",
        list_audit,
        one_customer_option,
        since_option,
        click.option(
            "--about",
            "--target",
            "about",
            default="",
            metavar="NAME",
            help="Only changes of this customer, user, profile, …",
        ),
        click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many."),
    )


audit = click.Group("audit", help="Look at who changed what.", commands=[changes_command("list")])
