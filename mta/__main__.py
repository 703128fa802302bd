"""`mail2sms`, which is also `python -m mta`: the command line. Each command stands in mta.commands."""

import click

from mta.commands.customers import customer
from mta.commands.demo import demo
from mta.commands.explain import explain
from mta.commands.people import people, user
from mta.commands.queue import queue, status
from mta.commands.serve import serve
from mta.commands.setup import check, init


@click.group()
@click.version_option(package_name="mail2sms", prog_name="mail2sms")
def main() -> None:
    """A mail transfer agent between e-mail and SMS."""


for command in (serve, check, init, demo, explain, queue, status, customer, people):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="mail2sms")
