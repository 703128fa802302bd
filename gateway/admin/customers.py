"""Changes to customers, profiles, settings and constraints: each checked, audited and in force as one transaction.

A change is a value: a function of this module or of gateway.admin.users makes it, `Administration` carries it out. What
is refused leaves nothing behind, no version and no audit. Not here: users, logins and the address book file (people).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_network

from addressbook.people import Customer, canonical_domain
from store.directory import (
    count_strangers,
    count_users,
    find_customer,
    find_domain_owner,
    find_profile,
    find_range_owner,
)
from store.directory_changes import DirectoryChanges
from store.engine.database import Database, Transaction
from store.engine.keys import Keys, to_stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """It is done, in a sentence; `version` is the directory's since then."""

    sentence: str
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Nothing was changed, and the sentence says why and what would help."""

    sentence: str


Answer = Changed | Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a change works on, inside its transaction: the tables to read, the writer, and who asked."""

    tx: Transaction
    stored: DirectoryChanges
    who: str

    def done(self, action: str, target: str, sentence: str, detail: str = "") -> Changed:
        """Audit an action and return its sentence."""
        self.stored.audit(action, target, detail)
        return Changed(sentence=sentence)


Change = Callable[[Edit], Answer]


class Administration:
    """Carries out changes in the name of `who`; one object per process and person."""

    def __init__(self, database: Database, keys: Keys, who: str, now: Callable[[], datetime]) -> None:
        self._database = database
        self._keys = keys
        self._now = now
        self.who = who

    async def change(self, change: Change) -> Answer:
        """Carry out one change; it is committed when this returns `Changed`."""
        return await self._database.write(self._run, change)

    def change_now(self, change: Change) -> Answer:
        """Do the same for a caller without an event loop."""
        return self._database.write_now(self._run, change)

    def _run(self, tx: Transaction, changes: list[Change]) -> list[Answer]:
        return [self._run_one(tx, change) for change in changes]

    def _run_one(self, tx: Transaction, change: Change) -> Answer:
        tx.execute("SAVEPOINT one_change")
        stored = DirectoryChanges(tx, self._keys, self.who, to_stored(self._now()))
        answer = change(Edit(tx=tx, stored=stored, who=self.who))
        if isinstance(answer, Fault):
            tx.execute("ROLLBACK TO SAVEPOINT one_change")
        else:
            answer = replace(answer, version=stored.finish())
        tx.execute("RELEASE SAVEPOINT one_change")
        return answer


def all_of(*changes: Change) -> Change:
    """Return the change that makes all of these or, if one is refused, none; its sentences stand in lines."""

    def run(edit: Edit) -> Answer:
        sentences = []
        for change in changes:
            answer = change(edit)
            if isinstance(answer, Fault):
                return answer
            sentences.append(answer.sentence)
        return Changed(sentence="\n".join(sentences))

    return run


def counted(number: int, noun: str) -> str:
    """Return `1 user`, `2 users`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def is_name(text: str) -> bool:
    """Tell whether a text can name a customer or profile: 1 to 100 visible characters."""
    return text == text.strip() and 0 < len(text) <= 100 and text.isprintable()


def no_customer(name: str) -> Fault:
    """Return the fault of an unknown customer."""
    return Fault(sentence=f"There is no customer «{name}»; «customer list» names all.")


def no_profile(name: str, customer: Customer) -> Fault:
    """Return the fault of an unknown profile."""
    return Fault(sentence=f"The customer «{customer.name}» has no profile «{name}»; «profile list» names all.")


def with_customer(name: str, act: Callable[[Edit, Customer], Answer]) -> Change:
    """Return the change that acts on the customer of this name, or the fault that there is none."""

    def run(edit: Edit) -> Answer:
        customer = find_customer(edit.tx, name)
        return no_customer(name) if customer is None else act(edit, customer)

    return run


def add_customer(name: str) -> Change:
    """Make a new customer, without domains, ranges and logins."""

    def run(edit: Edit) -> Answer:
        if not is_name(name):
            return Fault(sentence=f"«{name}» cannot be a customer's name: 1 to 100 visible characters are expected.")
        if find_customer(edit.tx, name) is not None:
            return Fault(sentence=f"There is already a customer «{name}».")
        edit.stored.add_customer(name)
        return edit.done("customer.add", name, f"The customer «{name}» was added.")

    return run


def remove_customer(name: str, *, with_users: bool = False) -> Change:
    """Remove a customer; one that has users only where `with_users` says so. Its past jobs stay."""

    def act(edit: Edit, customer: Customer) -> Answer:
        users = count_users(edit.tx, customer_key=customer.id)
        if users and not with_users:
            return Fault(
                sentence=f"The customer «{customer.name}» has {counted(users, 'user')}; --with-users removes them too."
            )
        edit.stored.remove_customer(customer.id)
        sentence = f"The customer «{customer.name}» was removed" + (
            f" with {counted(users, 'user')}." if users else "."
        )
        return edit.done("customer.remove", customer.name, sentence, counted(users, "user"))

    return with_customer(name, act)


def set_customer_active(name: str, *, active: bool) -> Change:
    """Let a customer send, or stop it from sending without removing anything."""

    def act(edit: Edit, customer: Customer) -> Answer:
        edit.stored.set_customer(customer.id, active=active, default_profile=customer.default_profile_id)
        word = "enable" if active else "disable"
        return edit.done(f"customer.{word}", customer.name, f"The customer «{customer.name}» was {word}d.")

    return with_customer(name, act)


def add_domain(customer_name: str, domain_text: str) -> Change:
    """Give a sender domain to a customer; a domain has one owner, and nobody else has users in it."""

    def act(edit: Edit, customer: Customer) -> Answer:
        domain = canonical_domain(domain_text)
        if domain is None or "." not in domain:
            return Fault(sentence=f"«{domain_text}» is not a domain such as example.com.")
        owner = find_domain_owner(edit.tx, domain)
        if owner is not None:
            return Fault(sentence=f"The domain {domain} already belongs to the customer «{owner.name}».")
        strangers = count_strangers(edit.tx, domain, customer.id)
        if strangers:
            users = counted(strangers, "user")
            return Fault(sentence=f"The domain {domain} is in the address of {users} of other customers; move them.")
        edit.stored.add_domain(customer.id, domain)
        sentence = f"The domain {domain} now belongs to «{customer.name}»."
        return edit.done("customer.add-domain", customer.name, sentence, domain)

    return with_customer(customer_name, act)


def remove_domain(customer_name: str, domain_text: str) -> Change:
    """Take a sender domain from a customer."""

    def act(edit: Edit, customer: Customer) -> Answer:
        domain = canonical_domain(domain_text)
        if domain is None or not edit.stored.remove_domain(customer.id, domain):
            return Fault(sentence=f"The customer «{customer.name}» does not have the domain {domain_text}.")
        sentence = f"The domain {domain} no longer belongs to «{customer.name}»."
        return edit.done("customer.remove-domain", customer.name, sentence, domain)

    return with_customer(customer_name, act)


def _parse_range(text: str) -> str | Fault:
    try:
        network = ip_network(text.strip())
    except ValueError as error:
        return Fault(sentence=f"«{text}» is not an address range such as 192.0.2.0/24: {error}.")
    if network.prefixlen == 0:
        return Fault(sentence=f"{network} is everybody; a range that proves a customer must be narrower.")
    return str(network)


def add_range(customer_name: str, range_text: str) -> Change:
    """Let client addresses prove a customer; within a range of somebody else, the narrower range decides."""

    def act(edit: Edit, customer: Customer) -> Answer:
        network = _parse_range(range_text)
        if isinstance(network, Fault):
            return network
        owner = find_range_owner(edit.tx, network)
        if owner is not None:
            return Fault(sentence=f"The address range {network} already proves the customer «{owner.name}».")
        edit.stored.add_range(customer.id, network)
        sentence = f"Clients in {network} are now taken for «{customer.name}»."
        return edit.done("customer.add-range", customer.name, sentence, network)

    return with_customer(customer_name, act)


def remove_range(customer_name: str, range_text: str) -> Change:
    """Let an address range prove nobody any more."""

    def act(edit: Edit, customer: Customer) -> Answer:
        network = _parse_range(range_text)
        if isinstance(network, Fault):
            return network
        if not edit.stored.remove_range(customer.id, network):
            return Fault(sentence=f"The customer «{customer.name}» does not have the address range {network}.")
        sentence = f"Clients in {network} are no longer taken for «{customer.name}»."
        return edit.done("customer.remove-range", customer.name, sentence, network)

    return with_customer(customer_name, act)


def add_profile(customer_name: str, name: str, *, default: bool = False) -> Change:
    """Make a profile of a customer, and with `default` the one of users that have none."""

    def act(edit: Edit, customer: Customer) -> Answer:
        if not is_name(name):
            return Fault(sentence=f"«{name}» cannot be a profile's name: 1 to 100 visible characters are expected.")
        if find_profile(edit.tx, customer.id, name) is not None:
            return Fault(sentence=f"The customer «{customer.name}» already has a profile «{name}».")
        key = edit.stored.add_profile(customer.id, name)
        if default:
            edit.stored.set_customer(customer.id, active=customer.active, default_profile=key)
        sentence = f"The profile «{name}» of «{customer.name}» was added" + (" as its default." if default else ".")
        return edit.done("profile.add", f"{customer.name}/{name}", sentence, "default" if default else "")

    return with_customer(customer_name, act)


def set_default_profile(customer_name: str, name: str) -> Change:
    """Choose the profile of a customer's users that have none; an empty name chooses none."""

    def act(edit: Edit, customer: Customer) -> Answer:
        profile = find_profile(edit.tx, customer.id, name) if name else None
        if name and profile is None:
            return no_profile(name, customer)
        key = profile.id if profile is not None else None
        edit.stored.set_customer(customer.id, active=customer.active, default_profile=key)
        chosen = f"«{profile.name}»" if profile is not None else "none"
        sentence = f"The default profile of «{customer.name}» is now {chosen}."
        return edit.done("profile.default", customer.name, sentence, name)

    return with_customer(customer_name, act)


def remove_profile(customer_name: str, name: str) -> Change:
    """Remove a profile that no user has and that is not the default."""

    def act(edit: Edit, customer: Customer) -> Answer:
        profile = find_profile(edit.tx, customer.id, name)
        if profile is None:
            return no_profile(name, customer)
        users = count_users(edit.tx, profile_key=profile.id)
        if users:
            return Fault(
                sentence=f"The profile «{profile.name}» is that of {counted(users, 'user')}; give them another one."
            )
        if customer.default_profile_id == profile.id:
            return Fault(
                sentence=f"«{profile.name}» is the default profile of «{customer.name}»; choose another first."
            )
        edit.stored.remove_profile(profile.id)
        sentence = f"The profile «{profile.name}» of «{customer.name}» was removed."
        return edit.done("profile.remove", f"{customer.name}/{profile.name}", sentence)

    return with_customer(customer_name, act)
