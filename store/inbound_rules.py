"""Reads and writes our numbers, actions and keywords; what a change touches counts as a change of the directory.

Not here: whether a change is allowed and its audit (gateway.admin). The functions run inside the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

import msgspec
from msgspec import Struct

from addressbook.numbers import NumberKind, NumberShare, NumberState, OwnNumber, OwnNumbers, Sharing
from inbound.actions import SETTINGS_OF, Action, ActionKind, ActionSettings, InboundRules, Keyword
from store.directory import read_version
from store.directory_changes import DirectoryChanges
from store.engine.database import Transaction
from store.engine.rows import query


class _Number(Struct, frozen=True, array_like=True):
    key: int
    digits: str
    kind: NumberKind
    country: str
    state: NumberState
    sharing: Sharing
    customer_key: int | None
    carriers: str
    join_seconds: int


class _Share(Struct, frozen=True, array_like=True):
    number_key: int
    word: str
    customer_key: int


class _Action(Struct, frozen=True, array_like=True):
    key: int
    customer_key: int
    name: str
    kind: ActionKind
    settings: str
    number_key: int | None
    keyword_key: int | None
    active: bool


class _Keyword(Struct, frozen=True, array_like=True):
    key: int
    customer_key: int
    number_key: int | None
    word: str
    folded: str
    open_end: bool


_NUMBERS = query(_Number, "FROM own_number ORDER BY digits, country")
_SHARES = query(_Share, "FROM number_share ORDER BY word")
_ACTIONS = query(_Action, "FROM inbound_action ORDER BY key")
_KEYWORDS = query(_Keyword, "FROM keyword ORDER BY key")


def load_numbers(tx: Transaction) -> OwnNumbers:
    """Return all our numbers with their shares."""
    shares: dict[int, list[NumberShare]] = defaultdict(list)
    for share in tx.select(_Share, _SHARES):
        shares[share.number_key].append(NumberShare(customer_key=share.customer_key, word=share.word))
    return OwnNumbers(_number(row, shares[row.key]) for row in tx.select(_Number, _NUMBERS))


def load_rules(tx: Transaction) -> InboundRules:
    """Return all actions and keywords."""
    return InboundRules(
        version=read_version(tx),
        actions=map(_action, tx.select(_Action, _ACTIONS)),
        keywords=map(_keyword, tx.select(_Keyword, _KEYWORDS)),
    )


def end_action(tx: Transaction, changes: DirectoryChanges, key: int, problem: str) -> None:
    """Make an action inactive, since its receiver is gone; does nothing where it is so already."""
    rows = tx.rows("SELECT customer_key, name FROM inbound_action WHERE key = ? AND active FOR UPDATE", (key,))
    for customer_key, name in rows:
        tx.execute("UPDATE inbound_action SET active = ?, problem = ? WHERE key = ?", (False, problem, key))
        changes.touch_inbound()
        customer = tx.value("SELECT name FROM customer WHERE key = ?", (customer_key,)) or ""
        changes.audit("action.gone", f"{customer}/{name}", problem)


def write_settings(settings: ActionSettings) -> str:
    """Return an action's settings as they are stored."""
    return msgspec.json.encode(settings).decode()


def _number(row: _Number, shares: Iterable[NumberShare]) -> OwnNumber:
    return OwnNumber(
        key=row.key,
        digits=row.digits,
        kind=row.kind,
        country=row.country,
        state=row.state,
        sharing=row.sharing,
        customer_key=row.customer_key,
        carriers=tuple(word for word in row.carriers.split(",") if word),
        shares=tuple(shares),
        join_within=timedelta(seconds=row.join_seconds),
    )


def _action(row: _Action) -> Action:
    return Action(
        key=row.key,
        customer_key=row.customer_key,
        name=row.name,
        kind=row.kind,
        settings=msgspec.json.decode(row.settings, type=SETTINGS_OF[row.kind]),
        number_key=row.number_key,
        keyword_key=row.keyword_key,
        active=row.active,
    )


def _keyword(row: _Keyword) -> Keyword:
    return Keyword(
        key=row.key,
        customer_key=row.customer_key,
        word=row.word,
        folded=row.folded,
        number_key=row.number_key,
        trailing=row.open_end,
    )
