"""`mail2sms`, which is also `python -m cli`: the command line. Each command stands in cli.

A command's module is loaded when the command is called: they need very different parts of the house, and nobody who
asks for the queue waits for mail servers and templates.
"""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final, NamedTuple

import click

from cli.examples import EXAMPLES


class CommandPlace(NamedTuple):
    """Where a command stands, and the sentence that says in the overview what it does: that of the command itself."""

    module: str
    name: str
    sentence: str


PLACES: Final = {
    "serve": CommandPlace(
        "serve", "serve", "Run the gateway in the foreground until SIGTERM or Ctrl-C; SIGHUP reads certificates again."
    ),
    "check": CommandPlace(
        "setup",
        "check",
        "Tell everything that is wrong with a configuration, each with file, line and what is expected.",
    ),
    "init": CommandPlace(
        "setup",
        "init",
        "Write a first configuration that serves at once: loopback, SQLite, the sandbox carrier, a customer demo.",
    ),
    "completion": CommandPlace(
        "completion",
        "completion",
        'Print the script by which a shell completes commands and options: eval "$(mail2sms completion bash)".',
    ),
    "demo": CommandPlace(
        "demo",
        "demo",
        "Show a mail become an SMS, and an answer from the phone a mail, on a page of this machine, until Ctrl-C.",
    ),
    "explain": CommandPlace(
        "explain",
        "explain",
        "Print what would become of a mail: verdict, texts, parts, settings with their origin; as JSON to a pipe.",
    ),
    "queue": CommandPlace("queue", "queue", "Look at the queue and handle what waits in it."),
    "status": CommandPlace(
        "queue",
        "status",
        "Show the trace of one job, by its id or the mail's Message-ID: messages, parts, receipts, notices.",
    ),
    "health": CommandPlace(
        "health",
        "health",
        "Show on one screen what serves, what waits since when, and what needs a hand; the exit code is then 1.",
    ),
    "jobs": CommandPlace(
        "jobs",
        "jobs",
        "Find this week's jobs, or others, by number, sender ID, user, customer and state; «status» shows one whole.",
    ),
    "cancel": CommandPlace(
        "queue",
        "cancel_job",
        "Cancel a job or message: what waits ends at once, a carrier that has it is asked for it back.",
    ),
    "inbound": CommandPlace(
        "inbound", "inbound", "Look at SMS that came from phones, and at what would follow from one."
    ),
    "carrier": CommandPlace("carriers", "carrier", "Look at the ways to the handsets, and try one."),
    "route": CommandPlace(
        "carriers",
        "route",
        "Say which carrier takes a number, which come after it, and why; nothing is sent.",
    ),
    "customer": CommandPlace(
        "customers",
        "customer",
        "Handle who pays: domains, address ranges, logins, settings and constraints.",
    ),
    "profile": CommandPlace("profiles", "profile", "Handle the settings that several users of a customer share."),
    "user": CommandPlace(
        "users", "user", "Handle who sends: addresses, profiles, logins and settings pinned to one person."
    ),
    "login": CommandPlace(
        "logins",
        "login_commands",
        "Handle what applications and people log in with, and the settings of what an application sends.",
    ),
    "portal": CommandPlace(
        "portal",
        "portal_commands",
        "Handle who signs in to the portal: accounts and their roles at customers.",
    ),
    "support": CommandPlace("support", "support", "Read and answer the support requests of customers."),
    "declaration": CommandPlace(
        "declarations",
        "declaration",
        "Ask customers to declare something, such as the consent of their staff, and see who did.",
    ),
    "senderid": CommandPlace(
        "senderids",
        "senderid",
        "Handle registrations of sender IDs: request, submit, approve, refuse and renew them, with their evidence.",
    ),
    "people": CommandPlace(
        "people",
        "people",
        "Handle the address book file, the settings of everybody, and the list of changes.",
    ),
    "dirsync": CommandPlace(
        "dirsync",
        "dirsync",
        "Handle customers' directories: LDAP servers and watched folders that say who may send, and how.",
    ),
    "archive": CommandPlace("archive", "archive", "Look at the months of customers: what was sent and received."),
    "audit": CommandPlace("audit", "audit", "Look at who changed what."),
    "tls": CommandPlace("tls", "tls", "Look at the TLS of outgoing mail, and demand more of it."),
    "template": CommandPlace("template", "template", "Handle customers' own status mails and mails of received SMS."),
    "push": CommandPlace(
        "push",
        "push",
        "Look at pushes to customers' applications and send them again; handle their keys and templates.",
    ),
    "dkim": CommandPlace("dkim", "dkim", "Make and check the keys that sign status mails."),
    "number": CommandPlace(
        "numbers",
        "number",
        "Handle our numbers, which handsets write to: whose they are, who shares them, which carriers serve them.",
    ),
    "keyword": CommandPlace(
        "keywords",
        "keyword",
        "Handle keywords: a text that begins with one has its actions instead of the default ones.",
    ),
    "action": CommandPlace(
        "actions",
        "action",
        "Handle what is done with a customer's inbound SMS: mail, reply, list or push, by default or for a keyword.",
    ),
    "stoplist": CommandPlace(
        "stoplist",
        "stoplist",
        "Handle stop lists: who wants no more SMS of a customer, or of one of its services.",
    ),
    "country": CommandPlace(
        "countries",
        "country",
        "Look at the rules of the countries that SMS go to, and at what an issue changes.",
    ),
    "erase": CommandPlace("erase", "erase", "Erase what is known of a number or of a user, with a receipt."),
    "limits": CommandPlace("limits", "limits", "Look at the limits of use."),
    "list": CommandPlace(
        "lists",
        "distribution_list",
        "Handle distribution lists: a mail to lista+NAME@DOMAIN reaches every member, as one job with one report.",
    ),
}


class CommandGroup(click.Group):
    """The group of all commands, each of which is loaded when it is called; the overview loads none."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's own)
        """Return the names in the order of the overview."""
        return sorted(PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None where there is none of this name."""
        if cmd_name in PLACES and cmd_name not in self.commands:
            place = PLACES[cmd_name]
            command = getattr(import_module(f"cli.{place.module}"), place.name)
            command.epilog = f"\b\nExample:\n  {EXAMPLES[cmd_name]}"
            self.add_command(command, cmd_name)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a fault names the operator's file that was used where the caller did not."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            from cli.context import name_found_config

            name_found_config(error, ctx)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  (click's own)
        """Write the overview as click does, from the sentences that stand here."""
        width = formatter.width - 6 - max(map(len, PLACES))
        overview = {name: click.Command(name, help=PLACES[name].sentence) for name in sorted(PLACES)}
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(width)) for name, command in overview.items()])


@click.group(cls=CommandGroup)
@click.version_option(package_name="mail2sms", prog_name="mail2sms")
def main() -> None:
    """Run and administer a mail transfer agent between e-mail and SMS.

    The operator's file is the one of --config, else of MAIL2SMS_CONFIG, else ./mail2sms.toml where file and folder are
    yours and nobody else may write there, else /etc/mail2sms/mail2sms.toml.
    """
    # What is written holds secrets, numbers and texts: nobody else reads it, whatever its folder allows.
    os.umask(0o077)
    when_loaded("structlog", _quieten)


def _quieten(structlog: ModuleType) -> None:
    """Leave standard output to the command's answer; serving configures its log from the operator's file."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def when_loaded(name: str, do: Callable[[ModuleType], None]) -> None:
    """Do something with a library now, or as soon as something of the command loads it: it costs, and few need it."""
    if name in sys.modules:
        do(sys.modules[name])
    elif not any(isinstance(finder, _Finder) and finder.name == name for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(name, do))


class _Finder:
    """Fulfils importlib.abc.MetaPathFinder, whose module loads more than a command does."""

    def __init__(self, name: str, do: Callable[[ModuleType], None]) -> None:
        self.name = name
        self._do = do

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how the library is loaded: as by anybody, and then what is done with it."""
        found = PathFinder.find_spec(fullname, path, target) if fullname == self.name else None
        if found is not None and found.loader is not None:
            load, do = found.loader.exec_module, self._do

            def load_and_do(module: ModuleType) -> None:
                load(module)
                do(module)

            found.loader.exec_module = load_and_do  # type: ignore[method-assign]
        return found


if __name__ == "__main__":
    main(prog_name="mail2sms")
