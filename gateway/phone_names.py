"""Who a number is to a customer, by name: its user of this phone, else the member of one of its lists.

Nobody is named to another customer, and no name is written to the log. Not here: which columns hold a name
(addressbook.phones).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from addressbook.phones import NAME_COLUMNS, name_in_values
from sms.report import JobReport
from store.directory_lookup import names_of_users
from store.engine.database import Database, Transaction
from store.lists import read_values

if TYPE_CHECKING:  # names alone cost less than what follows the address book
    from gateway.directory import DirectoryFollower


class PhoneNames:
    """Answers from the address book in force; lists are read only of a customer that has one with names."""

    def __init__(self, book: "DirectoryFollower", database: Database) -> None:
        self._book = book
        self._database = database

    async def find(self, customer_key: int, numbers: Iterable[str]) -> dict[str, str]:
        """Return the names of these numbers (digits) that have one."""
        snapshot = self._book.current
        wanted = set(numbers)
        found = {number: name for number in wanted if (name := snapshot.directory.name_of_phone(customer_key, number))}
        unknown = wanted - found.keys()
        if unknown and snapshot.lists.has_columns(customer_key, NAME_COLUMNS):
            found |= await self._database.read(lambda tx: names_in_lists(tx, customer_key, unknown))
        return found

    async def name(self, report: JobReport) -> JobReport:
        """Return a report whose recipients have their names."""
        customer = self._book.current.directory.customer_named(report.customer)
        if customer is None:
            return report
        return with_names(report, await self.find(customer.key, numbers_of(report)))


def find_names(tx: Transaction, customer_key: int, numbers: Collection[str]) -> dict[str, str]:
    """Return the same from the database, for a command."""
    return names_in_lists(tx, customer_key, numbers) | names_of_users(tx, customer_key, numbers)


def names_in_lists(tx: Transaction, customer_key: int, numbers: Collection[str]) -> dict[str, str]:
    """Return the names that numbers have as members of a customer's lists, the first list's first."""
    found = {
        number: next(filter(None, map(name_in_values, values)), "")
        for number, values in read_values(tx, customer_key, numbers).items()
    }
    return {number: name for number, name in found.items() if name}


def numbers_of(report: JobReport) -> set[str]:
    """Return the digits of a report's recipients."""
    return {message.number.removeprefix("+") for message in report.messages if message.number}


def with_names(report: JobReport, names: Mapping[str, str]) -> JobReport:
    """Return a report whose recipients have these names, by the digits of their numbers."""
    if not names:
        return report
    messages = (replace(message, name=names.get(message.number.removeprefix("+"), "")) for message in report.messages)
    return replace(report, messages=tuple(messages))
