"""`mail2sms template …`: customers' own mails and their graphics: tried, previewed, kept.

Not here: what a template may do (templates.render, templates.confined), what is allowed (gateway.admin.mail_templates).
"""

import html
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from cli.admin_session import AdminSession, admin_session, one_customer_option
from cli.context import config_option, used_config
from cli.files import file_faults, read_text
from cli.shapes import NAME, change_command, table_command
from gateway.admin.mail_templates import (
    TemplateOwner,
    Workshop,
    add_graphic,
    check_source,
    drop_graphic,
    find_graphics,
    find_source,
    find_version,
    for_browser,
    list_own_templates,
    list_versions,
    reset_template,
    set_template,
)
from sms.message import Origin
from sms.settings import Settings
from templates.forms import MailForm
from templates.graphics import Graphic
from templates.render import TemplateBroken, standard_template

_form = click.argument("form", metavar="KIND", type=click.Choice([*map(str, MailForm)]))
_source = click.argument("source_file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_customer = click.option("--customer", required=True, metavar="NAME", help="Whose mails.")
_profile = click.option("--profile", default="", metavar="NAME", help="Only those of this profile.")


@contextmanager
def _workshop() -> Iterator[Workshop]:
    workshop = Workshop()
    try:
        yield workshop
    finally:
        workshop.close()


@click.command("show")
@click.argument("form", metavar="[KIND]", type=click.Choice([*map(str, MailForm)]), default=str(MailForm.RESULT))
@click.option("--config", "file", metavar="FILE", type=click.Path(path_type=Path), help="The operator's file.")
@click.option("--customer", default="", metavar="NAME", help="Its own one rather than the standard one.")
@_profile
def show(form: str, file: Path | None, customer: str, profile: str) -> None:
    """Print the standard template, from which own ones start, or a customer's own one."""
    if not customer:
        click.echo(standard_template(MailForm(form)), nl=False)
        return
    with admin_session(file or used_config()) as session:
        source = session.look(lambda tx: find_source(tx, TemplateOwner(customer, profile), MailForm(form)))
    click.echo(source, nl=False)


@click.command("set")
@config_option
@_customer
@_profile
@_form
@_source
def set_one(file: Path, customer: str, profile: str, form: str, source_file: Path) -> None:
    """Make FILE the template for a kind of mail; refused where it fails for any sample."""
    owner, source = TemplateOwner(customer, profile), read_text(source_file)
    with admin_session(file) as session, _workshop() as workshop:
        graphics = _graphics(session, owner)
        _refuse_broken(source_file, check_source(source, MailForm(form), graphics, workshop))
        session.change(lambda edit: set_template(edit, owner, MailForm(form), source, graphics))


@click.command("restore")
@config_option
@_customer
@_profile
@_form
@click.argument("number", type=int)
def restore(file: Path, customer: str, profile: str, form: str, number: int) -> None:
    """Make a template what it was in version NUMBER, as a version of its own; refused where that fails by now."""
    owner = TemplateOwner(customer, profile)
    with admin_session(file) as session, _workshop() as workshop:
        version = session.look(lambda tx: find_version(tx, owner, form, number))
        if not version.source:
            session.change(lambda edit: reset_template(edit, owner, MailForm(form)))
            return
        graphics = _graphics(session, owner)
        _refuse_broken(Path(f"version {number}"), check_source(version.source, MailForm(form), graphics, workshop))
        session.change(lambda edit: set_template(edit, owner, MailForm(form), version.source, graphics))


@click.command("check")
@config_option
@_customer
@_profile
@_form
@_source
def check(file: Path, customer: str, profile: str, form: str, source_file: Path) -> None:
    """Try FILE as «set» would, and keep nothing."""
    with admin_session(file) as session, _workshop() as workshop:
        graphics = _graphics(session, TemplateOwner(customer, profile))
        _refuse_broken(source_file, check_source(read_text(source_file), MailForm(form), graphics, workshop))
    click.echo(f"{source_file}: good for the form «{form}».")


@click.command("preview")
@config_option
@_customer
@_profile
@_form
@_source
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="HTML", help="Where to write.")
def preview(  # noqa: PLR0913, PLR0917 - the options of the command
    file: Path, customer: str, profile: str, form: str, source_file: Path, output: Path | None
) -> None:
    """Write a page that shows what FILE makes of samples, in the customer's language; open it in a browser."""
    owner = TemplateOwner(customer, profile)
    output = output or source_file.with_suffix(".preview.html")
    with admin_session(file) as session, _workshop() as workshop:
        graphics = _graphics(session, owner)
        settings = _settings_of(session, owner, MailForm(form))
        try:
            mails = list(workshop.preview(read_text(source_file), MailForm(form), settings, graphics))
        except TemplateBroken as broken:
            _refuse_broken(source_file, [str(broken)])
    with file_faults():
        output.write_text(_page(form, mails, graphics), "utf-8")
    click.echo(f"{output}: {len(mails)} samples of the form «{form}».")


@click.command("add")
@config_option
@_customer
@NAME
@_source
def add_one(file: Path, customer: str, name: str, source_file: Path) -> None:
    """Keep a PNG, JPEG or GIF: 100 KB at most, 300 KB for all of a customer's together."""
    with file_faults():
        content = source_file.read_bytes()
    with admin_session(file) as session:
        session.change(lambda edit: add_graphic(edit, customer, name, content))


def _graphics(session: AdminSession, owner: TemplateOwner) -> dict[str, Graphic]:
    return session.look(lambda tx: find_graphics(tx, owner))


def _refuse_broken(source_file: Path, faults: list[str]) -> None:
    if faults:
        for fault in faults:
            click.echo(f"{source_file}: {fault}", err=True)
        sys.exit(1)


def _settings_of(session: AdminSession, owner: TemplateOwner, form: MailForm) -> Settings:
    """Return the settings in force for a user of this customer and profile, so that samples speak their language."""
    directory, layers = session.in_force()
    customer = directory.customer_named(owner.customer)
    if customer is None:
        return Settings()
    profile = directory.profile_named(customer.key, owner.profile) if owner.profile else None
    profile_key = profile.key if profile is not None else customer.default_profile_id
    service = Origin.INBOUND if form is MailForm.INBOUND else Origin.MAIL
    return layers.resolve(customer.key, service.value, profile_key, None).settings


def _page(form: str, mails: list[str], graphics: Mapping[str, Graphic]) -> str:
    frames = [
        f'<h2>{form} {number}</h2>\n<iframe sandbox srcdoc="{html.escape(for_browser(mail, graphics))}"></iframe>'
        for number, mail in enumerate(mails, 1)
    ]
    style = "body{font:15px sans-serif;margin:2em}iframe{width:100%;height:46em;border:1px solid #aab4c0}"
    head = f'<!DOCTYPE html>\n<meta charset="utf-8">\n<title>{form}</title>\n<style>{style}</style>\n'
    return head + "\n".join(frames) + "\n"


graphic = click.Group(
    "graphic",
    help="Handle the graphics that a customer's templates show as cid:NAME.",
    commands=[
        add_one,
        change_command("remove", "Take a graphic away that no template shows any more.", drop_graphic, _customer, NAME),
    ],
)

template = click.Group(
    "template",
    help="""Handle customers' own status mails and mails of received SMS.

    KIND is accepted, result, correction, delayed, failure (a result in which something failed), dry-run, or inbound (a
    received SMS). A failure or correction without a template of its own takes that of the result.
    """,
    commands=[
        graphic,
        show,
        set_one,
        check,
        preview,
        restore,
        table_command(
            "versions",
            "List what a template was, the latest first; one without characters was none.",
            lambda tx, customer, profile, form: list_versions(tx, TemplateOwner(customer, profile), form),
            _customer,
            _profile,
            _form,
        ),
        change_command(
            "reset",
            "Take an own template away; the next weaker or the standard one goes out again.",
            lambda edit, customer, profile, form: reset_template(
                edit, TemplateOwner(customer, profile), MailForm(form)
            ),
            _customer,
            _profile,
            _form,
        ),
        table_command("list", "List customers' own templates and graphics.", list_own_templates, one_customer_option),
    ],
)
