"""Customers' own templates, of mails and pushes, and graphics in the database.

Not here: whether one may be stored (gateway.admin.mail_templates), what it may do (templates.confined).
"""

from dataclasses import dataclass

from msgspec import Struct

from addressbook.canonical import canonical_name
from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert
from store.mail_rules import touch_rules
from store.mail_rules_tables import MailGraphicRow, MailTemplateRow


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
    remove_push_template(tx, ref)
    put_template(tx, ref, source, who)


def remove_push_template(tx: Transaction, ref: TemplateRef) -> bool:
    """Delete the template for pushes of any form; False if there is none."""
    touch_rules(tx)
    gone = tx.execute(
        f"DELETE FROM mail_template WHERE customer_key = ? AND profile_key = ? AND {_IS_PUSH}",  # noqa: S608 - ours
        (ref.customer_key, ref.profile_key),
    )
    return gone > 0


def put_template(tx: Transaction, ref: TemplateRef, source: str, who: str) -> None:
    """Store a template in place of the one before it."""
    row = _PUT_TEMPLATE.row(
        customer_key=ref.customer_key,
        profile_key=ref.profile_key,
        form=ref.form,
        source=source,
        set_at=tx.now(),
        set_by=who,
    )
    tx.insert(_PUT_TEMPLATE, [row])
    touch_rules(tx)


def remove_template(tx: Transaction, ref: TemplateRef) -> bool:
    """Delete a template; False if there is none."""
    touch_rules(tx)
    gone = tx.execute(
        "DELETE FROM mail_template WHERE customer_key = ? AND profile_key = ? AND form = ?",
        (ref.customer_key, ref.profile_key, ref.form),
    )
    return gone > 0


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
