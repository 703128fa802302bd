"""`mail2sms dkim …`: makes keys that sign our mail, and compares them with what DNS publishes.

Rotation: make a second key, publish its record, add its table, and take the old table away once no mail signed with it
travels any more; its record last. Not here: signing (mta.sending.sign). RFC 6376 §3.6, RFC 8463.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from addressbook.canonical import canonical_domain
from cli.context import config_option, read_config
from cli.files import file_faults, write_private
from config.mail import DkimKey
from config.model import Config
from mta.sending.sign import KeyKind, Signer, new_key
from process.mail_out import build_resolver
from tls.resolver import DnsAnswer, Lookup


@click.group()
def dkim() -> None:
    """Make and check the keys that sign status mails."""


@dkim.command("new")
@config_option
@click.argument("domain")
@click.option("--selector", metavar="NAME", help="The record is at NAME._domainkey.DOMAIN; without it, from the date.")
@click.option("--kind", type=click.Choice([*map(str, KeyKind)]), default=str(KeyKind.RSA), show_default=True)
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where it is kept.")
def new(file: Path, domain: str, selector: str | None, kind: str, directory: Path | None) -> None:
    """Make a key, and print the DNS record to publish and the table for the operator's file.

    Without --directory the key is written beside the operator's file. Publish the record first: mail that is signed
    with a key that nobody can look up counts as unsigned. Many senders have one RSA and one Ed25519 key.
    """
    read_config(file)
    name = canonical_domain(domain)
    if name is None or "." not in name:
        raise click.BadParameter(f"«{domain}» is not a domain such as example.com", param_hint="DOMAIN")
    chosen = selector or f"{kind}{datetime.now(UTC):%Y%m%d}"
    folder = directory or Path(os.path.abspath(file)).parent  # noqa: PTH100 - links stay links, as the file is read
    try:
        key = new_key(name, chosen, KeyKind(kind))
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    path = folder / f"{chosen}.{name}.dkim.pem"
    if path.exists():
        raise click.ClickException(f"{path} exists already; nothing was overwritten")
    with file_faults():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, key.private_pem)
    shown = path.name if directory is None else str(path)
    click.echo(f"{path}: the private key; nobody else can read it.\n")
    click.echo(f"The DNS record to publish:\n\n{key.zone_line}\n")
    click.echo("Then the table for the operator's file (restart the gateway afterwards):\n")
    click.echo(f'[[mail.dkim]]\ndomain = "{name}"\nselector = "{chosen}"\nkey_file = "{shown}"')


@dkim.command("check")
@config_option
@click.argument("domain")
def check(file: Path, domain: str) -> None:
    """Compare each key of DOMAIN in the operator's file with its DNS record; ends with 1 where one does not fit."""
    config = read_config(file)
    name = canonical_domain(domain)
    keys = [key for key in config.mail.dkim_keys if key.domain == name]
    if not keys:
        raise click.ClickException(f"The operator's file has no [[mail.dkim]] of {domain}.")
    good = True
    for key in keys:
        faults = list(_find_faults(config, key))
        good = good and not faults
        click.echo(f"{key.selector}._domainkey.{key.domain}: {'; '.join(faults) or 'fits the key'}")
    sys.exit(0 if good else 1)


def _find_faults(config: Config, key: DkimKey) -> Iterator[str]:
    try:
        wanted = Signer(key.domain, key.selector, key.key_file.read_bytes()).record_text
    except OSError as error:
        yield f"{key.key_file}: {error.strerror}"
        return
    except ValueError as error:
        yield f"{key.key_file}: {error}"
        return
    answer = asyncio.run(build_resolver(config).txt(f"{key.selector}._domainkey.{key.domain}"))
    yield from judge_record(answer, wanted)


def judge_record(answer: DnsAnswer[str], wanted: str) -> Iterator[str]:
    """Yield what is wrong with a published key record beside the one that the key needs."""
    if answer.lookup is Lookup.FAILED:
        yield f"DNS gave no answer: {answer.cause}"
        return
    records = [text for text in answer.values if "p=" in text]
    if len(records) != 1:
        # RFC 6376 §3.6.2.2: with several records a verifier may take any of them
        yield f"there are {len(records)} key records" if records else "there is no key record; publish it first"
        return
    published, needed = _tags(records[0]), _tags(wanted)
    if published.get("v", "DKIM1") != "DKIM1":
        yield f"its version is {published['v']}, not DKIM1"
    if published.get("k", "rsa") != needed["k"]:
        yield f"it is of kind {published.get('k', 'rsa')}, the key of kind {needed['k']}"
    elif not published.get("p"):
        yield "the key is revoked there: p= is empty"
    elif published["p"] != needed["p"]:
        yield "another key is published there"
    if "y" in published.get("t", "").split(":"):
        yield "t=y tells verifiers that this is a test: they treat the mail as unsigned"
    if "sha256" not in published.get("h", "sha256").split(":"):
        yield "h= does not allow sha256"
    if not {"*", "email"} & set(published.get("s", "*").split(":")):
        yield "s= does not allow email"


def _tags(text: str) -> dict[str, str]:
    """Return the tags of a record without white space (RFC 6376 §3.2)."""
    pairs = (item.partition("=") for item in text.split(";") if "=" in item)
    return {name.strip(): "".join(value.split()) for name, _, value in pairs}
