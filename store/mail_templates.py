"""Customers' own templates and graphics in the database.

Not here: whether one may be stored (gateway.admin.mail_templates), what it may do (templates.confined).
"""

from dataclasses import dataclass

from store.engine.database import Transaction
from store.mail_rules import touch_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRef:
    """Which template stands for which customer, profile (0: all of them) and form (a word of templates.forms)."""

    customer_key: int
    profile_key: int
    form: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGraphic:
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


_LISTED = (
    "SELECT t.customer_key, t.profile_key, t.form, c.name, coalesce(p.name, ''), t.set_at, t.set_by"
    " FROM mail_template t JOIN customer c ON c.key = t.customer_key LEFT JOIN profile p ON p.key = t.profile_key"
    " WHERE t.profile_key = 0 OR p.key IS NOT NULL ORDER BY c.canonical, 5, t.form"
)


def list_templates(tx: Transaction) -> list[StoredTemplate]:
    """Return all templates of customers and profiles that exist, without their sources."""
    return [
        StoredTemplate(
            ref=TemplateRef(customer_key=row[0], profile_key=row[1], form=row[2]),
            customer=row[3],
            profile=row[4],
            set_at=row[5],
            set_by=row[6],
        )
        for row in tx.rows(_LISTED)
    ]


def read_template(tx: Transaction, ref: TemplateRef) -> str | None:
    """Return the source of a template, None where it is gone."""
    rows = tx.rows(
        "SELECT source FROM mail_template WHERE customer_key = ? AND profile_key = ? AND form = ?",
        (ref.customer_key, ref.profile_key, ref.form),
    )
    return str(rows[0][0]) if rows else None


def put_template(tx: Transaction, ref: TemplateRef, source: str, who: str) -> None:
    """Store a template in place of the one before it."""
    remove_template(tx, ref)
    tx.execute(
        "INSERT INTO mail_template (customer_key, profile_key, form, source, set_at, set_by) VALUES (?,?,?,?,?,?)",
        (ref.customer_key, ref.profile_key, ref.form, source, tx.now(), who),
    )
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
    rows = tx.rows(
        "SELECT name, media_type, content FROM mail_graphic WHERE customer_key = ? ORDER BY name", (customer_key,)
    )
    return [StoredGraphic(name=name, media_type=kind, content=bytes(content)) for name, kind, content in rows]


def put_graphic(tx: Transaction, customer_key: int, graphic: StoredGraphic, who: str) -> None:
    """Store a graphic in place of the one of the same name."""
    remove_graphic(tx, customer_key, graphic.name)
    tx.execute(
        "INSERT INTO mail_graphic (customer_key, name, media_type, content, set_at, set_by) VALUES (?,?,?,?,?,?)",
        (customer_key, graphic.name, graphic.media_type, graphic.content, tx.now(), who),
    )


def remove_graphic(tx: Transaction, customer_key: int, name: str) -> bool:
    """Delete a graphic; False if there is none."""
    touch_rules(tx)
    return tx.execute("DELETE FROM mail_graphic WHERE customer_key = ? AND name = ?", (customer_key, name)) > 0
