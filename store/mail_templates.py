"""Customers' own templates, of mails and pushes, their versions, and graphics in the database.

Not here: whether one may be stored (gateway.admin.mail_templates), what it may do (templates.confined).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from msgspec import Struct

from addressbook.canonical import canonical_name
from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert
from store.mail_rules import touch_rules
from store.mail_rules_tables import MailGraphicRow, MailTemplateRow, TemplateVersionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRef:
    """Which template stands for which customer, profile (0: all of them) and form (a word of templates.forms)."""

    customer_key: int
    profile_key: int
    form: str


class StoredGraphic(Struct, frozen=True, array_like=True):
    """One graphic of a customer."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTemplate:
    """One template with its names and who set it when (microseconds); `profile` is empty for all profiles."""

    ref: TemplateRef
    customer: str
    profile: str
    set_at: int
    set_by: str


class TemplateVersion(Struct, frozen=True, array_like=True):
    """What a template was from `set_at` (microseconds) on; `source` is empty where there was no own one.

    `set_by` is empty where nobody knows who set it, and `set_at` then says until when it was so.
    """

    number: int
    source: str
    push_form: str
    set_at: int
    set_by: str


class _Listed(Struct, frozen=True, array_like=True):
    customer_key: int
    profile_key: int
    form: str
    customer: str
    profile: str
    set_at: int
    set_by: str


_LISTED = query(
    _Listed,
    "FROM mail_template t JOIN customer c ON c.key = t.customer_key LEFT JOIN profile p ON p.key = t.profile_key"
    " WHERE t.profile_key = 0 OR p.key IS NOT NULL ORDER BY c.canonical, 5, t.form",
    "t",
    customer="c.name",
    profile="coalesce(p.name, '')",
)
_GRAPHICS = query(StoredGraphic, "FROM mail_graphic WHERE customer_key = ? ORDER BY name")
_GRAPHIC = query(
    StoredGraphic,
    "FROM mail_graphic g JOIN customer c ON c.key = g.customer_key WHERE c.canonical = ? AND g.name = ?",
    "g",
)
# Templates for pushes stand beside those for mails, by a form such as push-xml.
_IS_PUSH = "form LIKE 'push-%'"
_PUSH = (
    "SELECT t.form, t.source FROM mail_template t JOIN customer c ON c.key = t.customer_key"  # noqa: S608 - ours
    f" LEFT JOIN profile p ON p.key = t.profile_key WHERE c.canonical = ? AND t.{_IS_PUSH}"
    " AND (t.profile_key = 0 OR p.name = ?) ORDER BY t.profile_key DESC LIMIT 1"
)
_VERSIONS = query(
    TemplateVersion,
    "FROM template_version WHERE customer_key = ? AND profile_key = ? AND form = ? ORDER BY number DESC",
)
_NEW_VERSION = Insert(TemplateVersionRow)
_MOST_VERSIONS = 50
_ANY_NUMBER = 2**31 - 1
_PUSH_WORD = "push"
_PUT_TEMPLATE = Insert(MailTemplateRow, replace=True)
_PUT_GRAPHIC = Insert(MailGraphicRow, replace=True)


def list_templates(tx: Transaction) -> list[StoredTemplate]:
    """Return all templates of customers and profiles that exist, without their sources."""
    return [
        StoredTemplate(
            ref=TemplateRef(customer_key=row.customer_key, profile_key=row.profile_key, form=row.form),
            customer=row.customer,
            profile=row.profile,
            set_at=row.set_at,
            set_by=row.set_by,
        )
        for row in tx.select(_Listed, _LISTED)
    ]


def read_template(tx: Transaction, ref: TemplateRef) -> str | None:
    """Return the source of a template, None where it is gone."""
    source: str | None = tx.value(
        "SELECT source FROM mail_template WHERE customer_key = ? AND profile_key = ? AND form = ?",
        (ref.customer_key, ref.profile_key, ref.form),
    )
    return source


def find_push_template(tx: Transaction, customer: str, profile: str) -> tuple[str, str] | None:
    """Return form and source of the template for pushes of a profile's jobs.

    The profile's own one, else the customer's; None where there is neither.
    """
    rows: list[tuple[str, str]] = tx.rows(_PUSH, (canonical_name(customer), profile))
    return rows[0] if rows else None


def put_push_template(tx: Transaction, ref: TemplateRef, source: str, who: str) -> None:
    """Store a template for pushes in place of the one before it, whatever its form."""
    _note_version(tx, ref, source, who)
    _remove_pushes(tx, ref)
    _put(tx, ref, source, who)


def remove_push_template(tx: Transaction, ref: TemplateRef, who: str) -> bool:
    """Delete the template for pushes of any form; False if there is none."""
    if read_push_template(tx, ref) is None:
        return False
    _note_version(tx, ref, "", who)
    _remove_pushes(tx, ref)
    return True


def read_push_template(tx: Transaction, ref: TemplateRef) -> tuple[str, str] | None:
    """Return form and source of a template for pushes of any form, None if there is none."""
    rows: list[tuple[str, str]] = tx.rows(
        f"SELECT form, source FROM mail_template WHERE customer_key = ? AND profile_key = ? AND {_IS_PUSH}",  # noqa: S608 - ours
        (ref.customer_key, ref.profile_key),
    )
    return rows[0] if rows else None


def _remove_pushes(tx: Transaction, ref: TemplateRef) -> None:
    tx.execute(
        f"DELETE FROM mail_template WHERE customer_key = ? AND profile_key = ? AND {_IS_PUSH}",  # noqa: S608 - ours
        (ref.customer_key, ref.profile_key),
    )


def put_template(tx: Transaction, ref: TemplateRef, source: str, who: str) -> None:
    """Store a template in place of the one before it, which stays among its versions."""
    _note_version(tx, ref, source, who)
    _put(tx, ref, source, who)


def _put(tx: Transaction, ref: TemplateRef, source: str, who: str) -> None:
    row = _PUT_TEMPLATE.row(
        customer_key=ref.customer_key,
        profile_key=ref.profile_key,
        form=ref.form,
        source=source,
        set_at=tx.now(),
        set_by=who,
    )
    tx.insert(_PUT_TEMPLATE, [row])


def remove_template(tx: Transaction, ref: TemplateRef, who: str) -> bool:
    """Delete a template, which stays among its versions; False if there is none."""
    if read_template(tx, ref) is None:
        return False
    _note_version(tx, ref, "", who)
    tx.execute(
        "DELETE FROM mail_template WHERE customer_key = ? AND profile_key = ? AND form = ?",
        (ref.customer_key, ref.profile_key, ref.form),
    )
    return True


def versions_of(tx: Transaction, ref: TemplateRef) -> list[TemplateVersion]:
    """Return what a template was, the latest first; the first is what it is. Those of pushes have one order."""
    return tx.select(TemplateVersion, _VERSIONS, (ref.customer_key, ref.profile_key, _version_word(ref)))


def _version_word(ref: TemplateRef) -> str:
    return _PUSH_WORD if ref.form.startswith(_PUSH_WORD) else ref.form


def _note_version(tx: Transaction, ref: TemplateRef, source: str, who: str) -> None:
    """Store what a template becomes, behind what it is."""
    word = _version_word(ref)
    was, becomes = (
        [
            TemplateVersion(0, content, form if content and form != word else "", at, by)
            for form, content, at, by in rows
        ]
        for rows in (tx.rows(*_current(ref, word)), [(ref.form, source, tx.now(), who)])
    )
    add_versions(tx, replace(ref, form=word), was, becomes)


def add_versions(
    tx: Transaction, ref: TemplateRef, was: Iterable[TemplateVersion], becomes: Iterable[TemplateVersion]
) -> None:
    """Store what a template becomes, behind what it was where nothing was ever stored; the oldest of many go.

    Versions are numbered here.
    """
    touch_rules(tx)  # and nobody else changes one until this transaction ends
    latest = versions_of(tx, ref)[:1]
    number = latest[0].number if latest else 0
    for version in [*(() if latest else was), *becomes]:
        number += 1
        row = _NEW_VERSION.row(
            customer_key=ref.customer_key,
            profile_key=ref.profile_key,
            form=ref.form,
            number=number,
            source=version.source,
            push_form=version.push_form,
            set_at=version.set_at,
            set_by=version.set_by,
        )
        tx.insert(_NEW_VERSION, [row])
    _remove_versions(tx, ref, number - _MOST_VERSIONS)


def remove_versions(tx: Transaction, ref: TemplateRef) -> None:
    """Forget what a template was."""
    touch_rules(tx)
    _remove_versions(tx, ref, _ANY_NUMBER)


def _remove_versions(tx: Transaction, ref: TemplateRef, until: int) -> None:
    tx.execute(
        "DELETE FROM template_version WHERE customer_key = ? AND profile_key = ? AND form = ? AND number <= ?",
        (ref.customer_key, ref.profile_key, ref.form, until),
    )


def _current(ref: TemplateRef, word: str) -> tuple[str, tuple[int | str, ...]]:
    found = "SELECT form, source, set_at, set_by FROM mail_template WHERE customer_key = ? AND profile_key = ? AND "
    if word == _PUSH_WORD:
        return found + _IS_PUSH, (ref.customer_key, ref.profile_key)
    return found + "form = ?", (ref.customer_key, ref.profile_key, ref.form)


def sources_of(tx: Transaction, customer_key: int) -> list[str]:
    """Return the sources of all templates of a customer."""
    rows = tx.rows("SELECT source FROM mail_template WHERE customer_key = ?", (customer_key,))
    return [source for (source,) in rows]


def graphics_of(tx: Transaction, customer_key: int) -> list[StoredGraphic]:
    """Return a customer's graphics by name."""
    return tx.select(StoredGraphic, _GRAPHICS, (customer_key,))


def find_graphic(tx: Transaction, customer: str, name: str) -> StoredGraphic | None:
    """Return one graphic of a customer, None where there is none of this name."""
    return next(iter(tx.select(StoredGraphic, _GRAPHIC, (canonical_name(customer), name))), None)


def put_graphic(tx: Transaction, customer_key: int, graphic: StoredGraphic, who: str) -> None:
    """Store a graphic in place of the one of the same name."""
    row = _PUT_GRAPHIC.row(
        customer_key=customer_key,
        name=graphic.name,
        media_type=graphic.media_type,
        content=graphic.content,
        set_at=tx.now(),
        set_by=who,
    )
    tx.insert(_PUT_GRAPHIC, [row])
    touch_rules(tx)


def remove_graphic(tx: Transaction, customer_key: int, name: str) -> bool:
    """Delete a graphic; False if there is none."""
    touch_rules(tx)
    return tx.execute("DELETE FROM mail_graphic WHERE customer_key = ? AND name = ?", (customer_key, name)) > 0
