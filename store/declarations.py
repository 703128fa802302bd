"""Declarations that the operator asks of customers: their texts by version, who was asked, and who confirmed."""

import json
from collections.abc import Iterator, Mapping

import peewee
from msgspec import Struct

from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert
from store.tables import KeyedRow


class DeclarationRow(KeyedRow):
    """One version of a declaration; `texts` is JSON: language → Markdown, whose first line is the title."""

    name = peewee.TextField()
    version = peewee.IntegerField()
    texts = peewee.TextField()
    made_at = peewee.BigIntegerField()

    class Meta:  # noqa: D106 - peewee's configuration
        table_name = "declaration"
        indexes = ((("name", "version"), True),)


class DeclarationRequestRow(KeyedRow):
    """A customer that is asked for one version. `next_at` is when it is reminded or suspended next; null: never more.

    `language` is that of the text which was confirmed, empty where the operator confirmed for the customer.
    """

    declaration_key = peewee.BigIntegerField(index=True)
    customer_key = peewee.BigIntegerField(index=True)
    asked_at = peewee.BigIntegerField()
    due_at = peewee.BigIntegerField()
    suspends = peewee.BooleanField()
    next_at = peewee.BigIntegerField(null=True, index=True)
    confirmed_at = peewee.BigIntegerField(null=True)
    confirmed_by = peewee.TextField(default="")
    language = peewee.TextField(default="")

    class Meta:  # noqa: D106 - peewee's configuration
        table_name = "declaration_request"


class _Declaration(Struct, frozen=True, array_like=True):
    key: int
    name: str
    version: int
    texts: str
    made_at: int


class Declaration(Struct, frozen=True):
    """One version of a declaration: its texts by language."""

    key: int
    name: str
    version: int
    texts: Mapping[str, str]
    made_at: int

    def text_in(self, language: str) -> tuple[str, str]:
        """Return the language and text for a reader: in that language, else in English, else in the first there is."""
        for wanted in (language, language.partition("-")[0], "en"):
            if wanted in self.texts:
                return wanted, self.texts[wanted]
        return next(iter(self.texts.items()))

    def title_in(self, language: str) -> str:
        """Return the first line of that text without the marks of a heading."""
        return title_of(self.text_in(language)[1])


def title_of(text: str) -> str:
    """Return the title of a text: its first line."""
    return text.strip().partition("\n")[0].lstrip("# ").strip()


class DeclarationRequest(Struct, frozen=True, array_like=True):
    """A customer that is asked for a declaration; instants in microseconds."""

    key: int
    declaration_key: int
    customer_key: int
    asked_at: int
    due_at: int
    suspends: bool
    next_at: int | None
    confirmed_at: int | None
    confirmed_by: str
    language: str


_PUT = Insert(DeclarationRow)
_PUT_REQUEST = Insert(DeclarationRequestRow)
_ALL = query(_Declaration, "FROM declaration")
_REQUESTS = query(DeclarationRequest, "FROM declaration_request")


def put_declaration(tx: Transaction, made: Declaration) -> None:
    """Store a new version."""
    texts = json.dumps(dict(made.texts), ensure_ascii=False)
    row = _PUT.row(key=made.key, name=made.name, version=made.version, texts=texts, made_at=made.made_at)
    tx.insert(_PUT, [row])


def find_declaration(tx: Transaction, name: str) -> Declaration | None:
    """Return the newest version of a declaration."""
    return next(_opened(tx, " WHERE name = ? ORDER BY version DESC LIMIT 1", name), None)


def declaration_with_key(tx: Transaction, key: int) -> Declaration | None:
    """Return one version by its key."""
    return next(_opened(tx, " WHERE key = ?", key), None)


def all_declarations(tx: Transaction) -> list[Declaration]:
    """Return all versions by name, the newest first."""
    return list(_opened(tx, " ORDER BY name, version DESC"))


def _opened(tx: Transaction, condition: str, *values: object) -> Iterator[Declaration]:
    for row in tx.select(_Declaration, _ALL + condition, values):
        yield Declaration(row.key, row.name, row.version, json.loads(row.texts), row.made_at)


def put_request(tx: Transaction, row: DeclarationRequest) -> None:
    """Store a request, in place of the one with its key."""
    remove_request(tx, row.key)
    stored = _PUT_REQUEST.row(**{name: getattr(row, name) for name in DeclarationRequest.__struct_fields__})
    tx.insert(_PUT_REQUEST, [stored])


def remove_request(tx: Transaction, key: int) -> None:
    """Delete a request."""
    tx.execute("DELETE FROM declaration_request WHERE key = ?", (key,))


def requests_of(
    tx: Transaction, *, customer_key: int | None = None, declaration_key: int | None = None
) -> list[DeclarationRequest]:
    """Return the requests of a customer, of a declaration, or all, the newest first."""
    asked = (("customer_key", customer_key), ("declaration_key", declaration_key))
    wanted = [(f"{name} = ?", key) for name, key in asked if key is not None]
    condition = f" WHERE {' AND '.join(name for name, _ in wanted)}" if wanted else ""
    return tx.select(DeclarationRequest, _REQUESTS + condition + " ORDER BY key DESC", [key for _, key in wanted])


def requests_due(tx: Transaction, now: int) -> list[DeclarationRequest]:
    """Return those whose customer must be reminded, or suspended, by an instant (microseconds)."""
    return tx.select(DeclarationRequest, _REQUESTS + " WHERE next_at <= ? ORDER BY key", (now,))
