"""`mail2sms serve`: run the gateway until it is told to stop.

Not here: what runs (process.gateway). SIGTERM and SIGINT stop it gracefully; a second one ends it at once, which loses
nothing. SIGHUP reads the listeners' certificates again.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import click
import structlog

from cli.context import config_option, database_of, read_config
from cli.country_words import change_sentence
from cli.words import contradiction_sentences
from config.model import Config
from gateway.admin.countries import keep_issue
from process.gateway import running_gateway
from process.log import configure_log
from process.routes import contradictions_of
from store.engine.database import StorageError
from tls.contexts import ContextError

log = structlog.get_logger()


@click.command()
@config_option
@click.option(
    "--only",
    type=click.Choice(["http"]),
    help="Only answer by HTTP, beside gateways that share the PostgreSQL database; needs a node number of its own.",
)
def serve(file: Path, only: str | None) -> None:
    """Run the gateway in the foreground until SIGTERM or Ctrl-C; SIGHUP reads certificates again."""
    config = read_config(file)
    configure_log(config.log)
    for warning in config.warnings:
        log.warning("configuration", problem=str(warning))
    run(serve_until_told(config, only_http=only is not None))


def run(main: object) -> None:
    """Run a coroutine on uvloop where it is installed, else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)  # type: ignore[arg-type]
    else:
        uvloop.run(main)  # type: ignore[arg-type]


async def serve_until_told(config: Config, *, only_http: bool = False) -> None:
    """Start the gateway, wait for a signal, stop it; where it can't start, say why and end the program with 1."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, told)
    loop.add_signal_handler(signal.SIGHUP, _read_at_start)
    database = database_of(config.server)
    async with AsyncExitStack() as stack:
        try:
            for name in database.open(serving=True):
                log.info("migrated", migration=name)
            stack.callback(database.close)
            gateway = await stack.enter_async_context(running_gateway(config, database, only_http=only_http))
        except (StorageError, ContextError, OSError, ValueError) as error:
            click.echo(f"{config.file}: cannot start: {error}", err=True)
            sys.exit(1)
        found = await asyncio.to_thread(contradictions_of, config.carriers, gateway.directory)
        for sentence in contradiction_sentences(found):
            log.warning("configuration", problem=sentence)
        for change in await asyncio.to_thread(keep_issue, config.server.data_dir):
            log.warning("country_rule_changed", change=change_sentence(change), stricter=change.is_stricter)
        loop.add_signal_handler(signal.SIGHUP, gateway.reload)
        tune_gc()
        notify_system("READY=1")
        await _first(told, gateway.lost)
        notify_system("STOPPING=1")
        log.info("stopping")
    if gateway.lost.is_set():
        click.echo("another node has taken over what was this one's: start again under a lease of its own", err=True)
        sys.exit(1)


async def _first(*events: asyncio.Event) -> None:
    """Return when one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def tune_gc() -> None:
    """Leave what was loaded at the start out of garbage collection, and collect young objects in larger portions.

    A mail or an SMS leaves no cycles behind; at the default threshold the collector costs a third of a receipt.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _read_at_start() -> None:
    """Ignore SIGHUP, which would end the process: what it asks for is being done."""


def _stop(told: asyncio.Event) -> None:
    if told.is_set():
        os._exit(1)  # the second signal: what was acknowledged is committed, so nothing is lost
    told.set()


def notify_system(state: str) -> None:
    """Tell the service manager, where there is one (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(state.encode(), address)
