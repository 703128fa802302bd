"""The tables of distribution lists: who may write to one, whom it reaches, with which values.

Not here: reading and writing them (lists).
"""

# ruff: noqa: D106 - peewee's Meta is configuration, the docstring is its model's

import peewee

from store.tables import KeyedRow, StoredRow


class ListRow(KeyedRow):
    """A list of one customer. `canonical` is its name as compared; `columns` are those of its values, as JSON.

    `members_key` names the set of its members, and `directory_key` the directory whose group it is.
    """

    customer_key = peewee.BigIntegerField()
    name = peewee.TextField()
    canonical = peewee.TextField()
    columns = peewee.TextField(default="[]")
    members_key = peewee.BigIntegerField(default=0)
    directory_key = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "distribution_list"
        indexes = ((("customer_key", "canonical"), True),)


class ListMemberRow(StoredRow):
    """One number of a set of members with its values by column, as JSON; `number` is E.164 without the plus."""

    list_key = peewee.BigIntegerField()
    number = peewee.TextField()
    seq = peewee.IntegerField()
    content = peewee.TextField(default="{}")

    class Meta:
        table_name = "list_member"
        primary_key = peewee.CompositeKey("list_key", "number")


class ListAuthorRow(StoredRow):
    """Who may write to a list: a canonical address, `@` and a domain, or `*` for everybody of the customer."""

    list_key = peewee.BigIntegerField()
    author = peewee.TextField()

    class Meta:
        table_name = "list_author"
        primary_key = peewee.CompositeKey("list_key", "author")
