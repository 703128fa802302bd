"""Changes to distribution lists, each checked and audited, and views of them.

Members come as a table and are taken as a whole or not at all. Not here: who a mail to a list reaches (mta.recipients),
the settings of a list (settings).
"""

from collections.abc import Callable, Collection, Mapping

from addressbook.lists import DistributionList, ListMember, canonical_author, is_list_name
from addressbook.people import Customer
from gateway.admin.customers import Answer, Change, Changed, Edit, Fault, counted, no_customer, with_customer
from sms.number import parse_number
from sms.outcome import Refused
from sms.personalise import Table
from store.directory import all_customers, find_customer
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

_NAMED = 20


def no_list(name: str, customer: Customer) -> Fault:
    """Return the fault of an unknown list."""
    return Fault(sentence=f"The customer «{customer.name}» has no list «{name}»; «list show» names all.")


def _with_list(customer_name: str, name: str, act: Callable[[Edit, Customer, DistributionList], Answer]) -> Change:
    def run(edit: Edit, customer: Customer) -> Answer:
        found = find_list(edit.tx, customer.id, name)
        return no_list(name, customer) if found is None else act(edit, customer, found)

    return with_customer(customer_name, run)


def make_list(customer_name: str, name: str, authors: Collection[str] = ()) -> Change:
    """Make a list without members; nobody may write to it but the authors."""

    def act(edit: Edit, customer: Customer) -> Answer:
        if not is_list_name(name):
            return Fault(
                sentence=f"«{name}» cannot be a list's name: up to 51 letters, digits, '.', '_' and '-' are expected."
            )
        if find_list(edit.tx, customer.id, name) is not None:
            return Fault(sentence=f"The customer «{customer.name}» already has a list «{name}».")
        permitted = _read_authors(authors)
        if isinstance(permitted, Fault):
            return permitted
        key = edit.stored.new_key()
        add_list(edit.tx, key, customer.id, name)
        put_authors(edit.tx, key, permitted)
        edit.stored.touch_list(key)
        told = ", ".join(sorted(permitted)) or "nobody yet"
        sentence = f"The list «{name}» of «{customer.name}» was added; {told} may write to it."
        return edit.done("list.add", f"{customer.name}/{name}", sentence, told)

    return with_customer(customer_name, act)


def drop_list(customer_name: str, name: str) -> Change:
    """Remove a list with its members; its past jobs stay."""

    def act(edit: Edit, customer: Customer, found: DistributionList) -> Answer:
        members = counted(count_members(edit.tx, found.id), "member")
        remove_list(edit.tx, found.id)
        edit.stored.touch_list(found.id)
        sentence = f"The list «{found.name}» of «{customer.name}» was removed with {members}."
        return edit.done("list.remove", f"{customer.name}/{found.name}", sentence, members)

    return _with_list(customer_name, name, act)


def change_authors(customer_name: str, name: str, add: Collection[str] = (), remove: Collection[str] = ()) -> Change:
    """Let more senders write to a list, or fewer: addresses, `@domain`, or `*` for everybody of the customer."""

    def act(edit: Edit, customer: Customer, found: DistributionList) -> Answer:
        if not add and not remove:
            return Changed(sentence=_spoken_authors(customer, found, found.authors))
        added, removed = _read_authors(add), _read_authors(remove)
        if isinstance(added, Fault):
            return added
        if isinstance(removed, Fault):
            return removed
        strangers = sorted(removed - found.authors)
        if strangers:
            return Fault(sentence=f"{strangers[0]} is no author of the list «{found.name}».")
        authors = (found.authors | added) - removed
        put_authors(edit.tx, found.id, authors)
        edit.stored.touch_list(found.id)
        sentence = _spoken_authors(customer, found, authors)
        return edit.done("list.authors", f"{customer.name}/{found.name}", sentence, ", ".join(sorted(authors)))

    return _with_list(customer_name, name, act)


def _spoken_authors(customer: Customer, found: DistributionList, authors: Collection[str]) -> str:
    told = ", ".join(sorted(authors)) or "nobody"
    return f"To the list «{found.name}» of «{customer.name}» may write: {told}."


def _read_authors(texts: Collection[str]) -> frozenset[str] | Fault:
    authors = {text: canonical_author(text) for text in texts}
    for text, author in authors.items():
        if author is None:
            return Fault(sentence=f"«{text}» is no author: an address, @domain or * is expected.")
    return frozenset(author for author in authors.values() if author is not None)


def import_members(customer_name: str, name: str, table: Table, *, country: str, strict: bool) -> Change:
    """Put the rows of a table in place of a list's members; a single bad row changes nothing.

    Numbers are read with the default country and taken once: of rows with the same number the first counts.
    """

    def act(edit: Edit, customer: Customer, found: DistributionList) -> Answer:
        members: dict[str, ListMember] = {}
        faults: list[str] = []
        twice = 0
        for row in table.rows:
            number = parse_number(row.number, country, strict=strict)
            if isinstance(number, Refused):
                faults.append(f"line {row.line}: «{row.number}»: {number.detail or number.refusal.value}")
            elif number.digits in members:
                twice += 1
            else:
                members[number.digits] = ListMember(number=number.digits, values=row.values)
        if faults:
            more = f"\n{len(faults) - _NAMED} more rows" if len(faults) > _NAMED else ""
            rows = counted(len(faults), "row")
            return Fault(sentence="\n".join(faults[:_NAMED]) + more + f"\n{rows} at fault; nothing was changed.")
        put_members(edit.tx, found.id, table.columns, list(members.values()))
        edit.stored.touch_list(found.id)
        told = counted(len(members), "member") + (f", {counted(twice, 'row')} with a number twice" if twice else "")
        sentence = f"The list «{found.name}» of «{customer.name}» now has {told}."
        return edit.done("list.import", f"{customer.name}/{found.name}", sentence, told)

    return _with_list(customer_name, name, act)


def list_all_lists(tx: Transaction, customer_name: str = "") -> list[Mapping[str, object]] | Fault:
    """Return lists, of one customer if named, as rows."""
    customers = all_customers(tx)
    if customer_name:
        customer = find_customer(tx, customer_name)
        if customer is None:
            return no_customer(customer_name)
        customers = [customer]
    return [
        {
            "list": item.name,
            "customer": customer.name,
            "members": count_members(tx, item.id),
            "columns": list(item.columns),
            "authors": sorted(item.authors),
        }
        for customer in customers
        for item in lists_of(tx, customer.id)
    ]


def show_members(tx: Transaction, customer_name: str, name: str) -> list[Mapping[str, object]] | Fault:
    """Return a list's members with their values as rows, in the order of their file."""
    customer = find_customer(tx, customer_name)
    if customer is None:
        return no_customer(customer_name)
    found = find_list(tx, customer.id, name)
    if found is None:
        return no_list(name, customer)
    return [
        {"member": f"+{member.number}", **{column: member.values.get(column, "") for column in found.columns}}
        for member in read_members(tx, found.id)
    ]
