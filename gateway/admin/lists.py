"""Changes to distribution lists, and views of them.

Members come as a table and are taken as a whole or not at all. Not here: who a mail to a list reaches (mta.recipients),
the settings of a list (settings).
"""

from collections.abc import Collection, Mapping

from addressbook.lists import canonical_author, is_list_name, members_of_table
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, changed, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer, get_list
from sms.facts import Fact
from sms.personalise import Table
from store.directory_lookup import all_customers
from store.engine.database import Transaction
from store.lists import (
    add_list,
    count_members,
    find_list,
    lists_of,
    put_authors,
    put_members,
    read_members,
    remove_list,
)


def make_list(edit: Edit, customer: str, name: str, authors: Collection[str] = ()) -> Changed:
    """Make a list without members; nobody may write to it but the authors."""
    owner = get_customer(edit.tx, customer)
    if not is_list_name(name):
        raise AdminFault(FaultCode.BAD_LIST_NAME, name=name)
    if find_list(edit.tx, owner.key, name) is not None:
        raise AdminFault(FaultCode.LIST_EXISTS, customer=owner.name, name=name)
    permitted = _read_authors(authors)
    key = edit.stored.new_key()
    add_list(edit.tx, key, owner.key, name)
    put_authors(edit.tx, key, permitted)
    edit.stored.touch_list(key)
    sorted_authors = tuple(sorted(permitted))
    facts: dict[str, Fact] = {"customer": owner.name, "name": name, "authors": sorted_authors}
    values = differences({}, {"authors": sorted_authors or None})
    return edit.done(AuditAction.ADD_LIST, Subject(f"{owner.name}/{name}", owner.key, values=values), **facts)


def drop_list(edit: Edit, customer: str, name: str) -> Changed:
    """Remove a list with its members; its past jobs stay."""
    owner = get_customer(edit.tx, customer)
    found = get_list(edit.tx, owner, name)
    members = count_members(edit.tx, found.key)
    remove_list(edit.tx, found.key)
    edit.stored.touch_list(found.key)
    target, detail = f"{owner.name}/{found.name}", f"members: {members}"
    facts: dict[str, Fact] = {"customer": owner.name, "name": found.name, "members": members}
    return edit.done(AuditAction.REMOVE_LIST, Subject(target, owner.key, detail), **facts)


def change_authors(
    edit: Edit, customer: str, name: str, add: Collection[str] = (), remove: Collection[str] = ()
) -> Changed:
    """Let more senders write to a list, or fewer: addresses, `@domain`, or `*` for everybody of the customer."""
    owner = get_customer(edit.tx, customer)
    found = get_list(edit.tx, owner, name)
    added, removed = _read_authors(add), _read_authors(remove)
    strangers = sorted(removed - found.authors)
    if strangers:
        raise AdminFault(FaultCode.NOT_AN_AUTHOR, author=strangers[0], name=found.name)
    authors = tuple(sorted((found.authors | added) - removed))
    if not added and not removed:
        return changed(AuditAction.SET_AUTHORS, customer=owner.name, name=found.name, authors=authors)
    put_authors(edit.tx, found.key, authors)
    edit.stored.touch_list(found.key)
    facts: dict[str, Fact] = {"customer": owner.name, "name": found.name, "authors": authors}
    values = differences({"authors": tuple(sorted(found.authors))}, {"authors": authors})
    return edit.done(AuditAction.SET_AUTHORS, Subject(f"{owner.name}/{found.name}", owner.key, values=values), **facts)


def _read_authors(texts: Collection[str]) -> frozenset[str]:
    authors = set[str]()
    for text in texts:
        author = canonical_author(text)
        if author is None:
            raise AdminFault(FaultCode.BAD_AUTHOR, given=text)
        authors.add(author)
    return frozenset(authors)


def import_members(  # noqa: PLR0913 - a list is named by two names
    edit: Edit, customer: str, name: str, table: Table, *, country: str, strict: bool
) -> Changed:
    """Put the rows of a table in place of a list's members; a single bad row changes nothing.

    Numbers are read with the default country and taken once: of rows with the same number the first counts.
    """
    owner = get_customer(edit.tx, customer)
    found = get_list(edit.tx, owner, name)
    members, bad = members_of_table(table, country, strict=strict)
    twice = len(table.rows) - len(members)
    if bad:
        raise AdminFault(FaultCode.BAD_MEMBERS, rows=bad)
    put_members(edit.tx, found.key, table.columns, list(members))
    edit.stored.touch_list(found.key)
    target, detail = f"{owner.name}/{found.name}", f"members: {len(members)}, rows with a number twice: {twice}"
    facts: dict[str, Fact] = {"customer": owner.name, "name": found.name, "members": len(members), "twice": twice}
    return edit.done(AuditAction.IMPORT_MEMBERS, Subject(target, owner.key, detail), **facts)


def list_all_lists(tx: Transaction, customer: str = "") -> list[Mapping[str, object]]:
    """Return lists, of one customer if named, as rows."""
    customers = [get_customer(tx, customer)] if customer else all_customers(tx)
    return [
        {
            "list": item.name,
            "customer": owner.name,
            "members": count_members(tx, item.key),
            "columns": list(item.columns),
            "authors": sorted(item.authors),
        }
        for owner in customers
        for item in lists_of(tx, owner.key)
    ]


def show_members(tx: Transaction, customer: str, name: str) -> list[Mapping[str, object]]:
    """Return a list's members with their values as rows, in the order of their file."""
    found = get_list(tx, get_customer(tx, customer), name)
    return [
        {"member": f"+{member.number}", **{column: member.values.get(column, "") for column in found.columns}}
        for member in read_members(tx, found.key)
    ]
