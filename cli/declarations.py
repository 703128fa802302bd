"""`mail2sms declaration …`: what the operator asks customers to declare. Not here: what is allowed (gateway.admin)."""

from datetime import datetime
from functools import partial
from pathlib import Path

import click

from cli.admin_session import admin_session, one_customer_option
from cli.context import config_option
from cli.files import read_text
from cli.shapes import NAME, change_command, due_option, table_command, view_command
from cli.use_cases import declarations


@click.command("add")
@config_option
@NAME
@click.option("--text", "files", multiple=True, metavar="LANGUAGE=FILE", help="Its Markdown; may be repeated.")
@click.option(
    "--country",
    "countries",
    multiple=True,
    metavar="XX",
    help="It is about the content that this country forbids, in every language; may be repeated.",
)
@click.option("--customer", "customers", multiple=True, metavar="NAME", help="Who is asked; may be repeated.")
@click.option("--everybody", is_flag=True, help="All customers are asked.")
@due_option
@click.option("--suspend", "suspends", is_flag=True, help="Who has not confirmed by then is suspended.")
def add(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    name: str,
    files: tuple[str, ...],
    countries: tuple[str, ...],
    customers: tuple[str, ...],
    everybody: bool,
    due: datetime | None,
    suspends: bool,
) -> None:
    """Ask customers for a declaration; with --text it is a new version of it, whose first line is its title.

    With --country its text names what is known to be forbidden in SMS there; --text says it otherwise in a language.
    """
    texts = terms_of(countries) if countries else {}
    for given in files:
        language, equals, path = given.partition("=")
        if not equals:
            raise click.UsageError(f"«{given}»: LANGUAGE=FILE is expected, such as en=consent.md")
        texts[language] = read_text(Path(path))
    with admin_session(file) as session:
        session.change(
            partial(
                declarations.add_declaration,
                name=name,
                texts=texts,
                customers=customers,
                everybody=everybody,
                due=due,
                suspends=suspends,
                portal=session.config.portal_address,
            )
        )


def terms_of(countries: tuple[str, ...]) -> dict[str, str]:
    """Return what customers confirm about content for countries, by language."""
    from gateway.admin.countries import banned_content
    from templates.country_words import write_terms
    from templates.words import Dictionary, find_languages

    bans = {letters.strip().upper(): banned_content(letters) for letters in countries}
    unknown = [letters for letters, named in bans.items() if not named]
    if unknown:
        raise click.UsageError(f"Nothing is known to be forbidden in SMS to {', '.join(unknown)}; see «country show».")
    words = Dictionary()
    return {language: write_terms(bans, words.words(language)) for language in find_languages()}


declaration = click.Group(
    "declaration",
    help="Ask customers to declare something, such as the consent of their staff, and see who did.",
    commands=[
        add,
        table_command(
            "list",
            "List who is asked for what by when, and who confirmed.",
            declarations.list_declarations,
            one_customer_option,
        ),
        view_command(
            "show", "Show the newest version of a declaration with its texts.", declarations.show_declaration, NAME
        ),
        change_command(
            "confirm",
            "Write down that a customer confirmed, as on paper; its suspension for that ends.",
            declarations.confirm_declaration,
            NAME,
            click.option("--customer", required=True, metavar="NAME", help="Which customer."),
            click.option("--by", default="", metavar="PERSON", help="Who confirmed; else whoever calls."),
        ),
    ],
)
