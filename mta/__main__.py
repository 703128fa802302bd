"""`mail2sms`, which is also `python -m mta`: the command line. Each command stands in mta.commands."""

import logging
import sys

import click
import structlog

from mta.commands.carriers import carrier, route
from mta.commands.customers import customer, profile
from mta.commands.demo import demo
from mta.commands.dkim import dkim
from mta.commands.explain import explain
from mta.commands.lists import distribution_list
from mta.commands.people import people, user
from mta.commands.queue import cancel_job, queue, status
from mta.commands.serve import serve
from mta.commands.setup import check, init
from mta.commands.template import template
from mta.commands.tls import tls


@click.group()
@click.version_option(package_name="mail2sms", prog_name="mail2sms")
def main() -> None:
    """Run and administer a mail transfer agent between e-mail and SMS."""
    # A command's answer alone goes to standard output. Serving configures its log from the operator's file.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


for command in (
    serve,
    check,
    init,
    demo,
    explain,
    queue,
    status,
    cancel_job,
    carrier,
    route,
    customer,
    profile,
    user,
    people,
    tls,
    template,
    dkim,
    distribution_list,
):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="mail2sms")
