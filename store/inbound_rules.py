"""Reads and writes our numbers, actions and keywords; what a change touches counts as a change of the directory.

Not here: whether a change is allowed and its audit (gateway.admin). The functions run inside the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

import msgspec
from msgspec import Struct

from addressbook.canonical import canonical_name
from addressbook.numbers import NumberKind, NumberShare, NumberState, OwnNumber, OwnNumbers, Sharing
from inbound.actions import SETTINGS_OF, Action, ActionKind, ActionSettings, InboundRules, Keyword
from store.audit import AuditLine
from store.directory_changes import DirectoryChanges
from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert, Update
from store.inbound_tables import ActionRow, KeywordRow, NumberRow, NumberShareRow

_PUT_NUMBER = Insert(NumberRow, replace=True)
_PUT_SHARE = Insert(NumberShareRow, replace=True)
_PUT_KEYWORD = Insert(KeywordRow, replace=True)
_NEW_ACTION = Insert(ActionRow)
_SET_ACTION = Update(ActionRow, "settings", "number_key", "keyword_key", "active", "problem", "next_at")


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
        changes.audit(
            AuditLine(
                action="action.gone",
                target=f"{customer}/{name}",
                detail=problem,
                customer_key=customer_key,
                field="active",
                before="on",
                after="off",
            )
        )


def keywords_of(tx: Transaction, customer_key: int) -> list[Keyword]:
    """Return a customer's keywords, in their compared order."""
    found = _KEYWORDS.replace("ORDER BY key", "WHERE customer_key = ? ORDER BY folded, key")
    return [_keyword(row) for row in tx.select(_Keyword, found, (customer_key,))]


def actions_of(tx: Transaction, customer_key: int) -> list[Action]:
    """Return a customer's actions, in the order of their making."""
    found = _ACTIONS.replace("ORDER BY key", "WHERE customer_key = ? ORDER BY key")
    return [_action(row) for row in tx.select(_Action, found, (customer_key,))]


def action_problems(tx: Transaction, customer_key: int) -> dict[int, str]:
    """Return why actions of a customer are not active any more, by key."""
    return dict(
        tx.rows("SELECT key, problem FROM inbound_action WHERE customer_key = ? AND problem <> ''", (customer_key,))
    )


def put_number(tx: Transaction, number: OwnNumber) -> None:
    """Store a number of ours, in place of the one of its key; its shares are left as they are."""
    row = _PUT_NUMBER.row(
        key=number.key,
        digits=number.digits,
        kind=number.kind.value,
        country=number.country,
        state=number.state.value,
        sharing=number.sharing.value,
        customer_key=number.customer_key,
        carriers=",".join(number.carriers),
        join_seconds=int(number.join_within.total_seconds()),
    )
    tx.insert(_PUT_NUMBER, [row])


def put_share(tx: Transaction, number_key: int, share: NumberShare) -> None:
    """Give a customer a word of a shared number."""
    row = _PUT_SHARE.row(number_key=number_key, word=share.word, customer_key=share.customer_key)
    tx.insert(_PUT_SHARE, [row])


def remove_share(tx: Transaction, number_key: int, word: str) -> None:
    """Take a word of a shared number from its customer."""
    tx.execute("DELETE FROM number_share WHERE number_key = ? AND word = ?", (number_key, word))


def count_uses(tx: Transaction, number_key: int) -> int:
    """Return how many actions and keywords are for one number."""
    counted = (
        "SELECT (SELECT COUNT(*) FROM inbound_action WHERE number_key = ?)"
        " + (SELECT COUNT(*) FROM keyword WHERE number_key = ?)"
    )
    return int(tx.value(counted, (number_key, number_key)))


def remove_number(tx: Transaction, key: int) -> None:
    """Delete a number with its shares; what came to it stays."""
    tx.execute("DELETE FROM number_share WHERE number_key = ?", (key,))
    tx.execute("DELETE FROM own_number WHERE key = ?", (key,))


def put_keyword(tx: Transaction, keyword: Keyword) -> None:
    """Store a keyword, in place of the one of its key."""
    row = _PUT_KEYWORD.row(
        key=keyword.key,
        customer_key=keyword.customer_key,
        number_key=keyword.number_key,
        word=keyword.word,
        folded=keyword.folded,
        open_end=keyword.trailing,
    )
    tx.insert(_PUT_KEYWORD, [row])


def remove_keyword(tx: Transaction, key: int) -> None:
    """Delete a keyword that no action has."""
    tx.execute("DELETE FROM keyword WHERE key = ?", (key,))


def add_action(tx: Transaction, action: Action) -> None:
    """Store a new action; when a list of it is due is found by whoever mails lists."""
    row = _NEW_ACTION.row(
        key=action.key,
        customer_key=action.customer_key,
        name=action.name,
        canonical=canonical_name(action.name),
        kind=action.kind.value,
        settings=write_settings(action.settings),
        number_key=action.number_key,
        keyword_key=action.keyword_key,
        active=action.active,
    )
    tx.insert(_NEW_ACTION, [row])


def set_action(tx: Transaction, action: Action) -> None:
    """Store what an action does, for which texts, and that nothing is known to be wrong with it."""
    row = _SET_ACTION.row(
        settings=write_settings(action.settings),
        number_key=action.number_key,
        keyword_key=action.keyword_key,
        active=action.active,
        problem="",
        next_at=None,
        key=action.key,
    )
    tx.update(_SET_ACTION, [row])


def remove_action(tx: Transaction, key: int) -> None:
    """Delete an action; what it did stays."""
    tx.execute("DELETE FROM inbound_action WHERE key = ?", (key,))


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
