"""`mail2sms keyword …`: the words that replace a customer's default actions where they open a text.

Not here: what is allowed (gateway.admin.keywords), what is done (cli.actions).
"""

import click

from cli.admin_session import customer_option, one_customer_option
from cli.shapes import change_command, table_command
from cli.use_cases import keywords

_WORD = click.argument("word")
_NUMBER = click.option("--number", default="", metavar="NUMBER", help="Only for texts to this number.")

keyword = click.Group(
    "keyword",
    help="Handle keywords: a text that begins with one has its actions instead of the default ones.",
    commands=[
        change_command(
            "add",
            "Add a keyword; case, accents and punctuation of a text don't count.",
            keywords.make_keyword,
            customer_option,
            _NUMBER,
            click.option("--alone", is_flag=True, help="Only where nothing but courtesy follows it."),
            _WORD,
        ),
        change_command(
            "set",
            "Say whether more words may follow a keyword.",
            keywords.change_keyword,
            customer_option,
            _NUMBER,
            click.option("--alone/--not-alone", required=True, help="Whether nothing but courtesy may follow it."),
            _WORD,
        ),
        change_command(
            "remove", "Remove a keyword that no action has.", keywords.drop_keyword, customer_option, _NUMBER, _WORD
        ),
        table_command("list", "List keywords with their actions.", keywords.list_keywords, one_customer_option),
    ],
)
