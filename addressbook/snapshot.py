"""The address book as of one version: who may send, with which settings, to which lists.

A snapshot never changes, so that its reader in any thread sees one version throughout. It caches a bounded number of
answers, since MAIL, each RCPT, DATA and the next mail ask the same. Not here: following the database
(gateway.directory), the members of lists (store.lists).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache, partial

from addressbook.hierarchy import Constraints, Layer, LayerKey, LayerKind, Layers, Resolved
from addressbook.lists import DistributionList, DistributionLists
from addressbook.numbers import OwnNumbers
from addressbook.options import ALL_OPTIONS, SERVICE_OPTIONS, Option
from addressbook.people import AddressRange, Customer, Directory
from addressbook.proof import ProofKind
from addressbook.registrations import Registrations
from addressbook.senders import (
    Principal,
    Sender,
    bind_to_range,
    choose_sender,
    find_ranges,
    own_range,
    prove_by_address,
    refuse_proof,
)
from addressbook.suspensions import refuse_suspended
from countries.judge import Judge, Judgement
from sms.message import MAIL_SERVICES, Origin
from sms.number import SenderId
from sms.outcome import Refusal, Refused
from sms.settings import Settings

JudgedKey = tuple[int, int, int, str, str]
"""The settings and the sender ID by their identity, the customer, a country and a route."""

Judged = tuple[date, Judgement, Settings, SenderId | None]
"""What the rules of a country did on a day, with the objects that the key names."""

_NO_REJECT = Constraints(kind=LayerKind.SYSTEM, reject=False)
_MOST_CLIENTS = 1_000
_MOST_CUSTOMERS = 1_000
_MOST_SENDERS = 10_000
_MOST_SETTINGS = 5_000


def _prove_by_address(
    directory: Directory, find: Callable[[str], tuple[AddressRange, ...]], client: str
) -> Principal | None:
    return prove_by_address(directory, find(client))


def _find_tls_demands(
    directory: Directory, find: Callable[[str], tuple[AddressRange, ...]], customer_id: int | None, client: str
) -> tuple[str, ...]:
    customer = directory.customer(customer_id) if customer_id is not None else None
    return (
        *([f"customer {customer.name}"] if customer is not None and customer.tls_required else []),
        *(f"range {found.network}" for found in find(client) if found.tls_required),
    )


def _choose_sender(
    directory: Directory, principal: Principal, _proven_by: ProofKind | None, address: str
) -> Sender | Refused:
    # Principals are equal whatever proved them: what is cached for one kind of proof is not for another.
    return refuse_proof(directory, principal) or choose_sender(directory, principal, address)


def _refuse_option(default_options: frozenset[Option], customer: Customer, option: Option) -> Refused | None:
    if not customer.has_option(option, default_options):
        detail = f"{customer.name} has not contracted the option {option}"
        return Refused(refusal=Refusal.NOT_CONTRACTED, detail=detail)
    suspension = customer.suspension_of(option)
    return refuse_suspended(customer.name, suspension) if suspension is not None else None


def _refuse_service(default_options: frozenset[Option], customer: Customer, service: Origin) -> Refused | None:
    option = SERVICE_OPTIONS.get(service)
    return None if option is None else _refuse_option(default_options, customer, option)


def _services_of_mail(
    default_options: frozenset[Option], customer: Customer, named: Origin | None
) -> tuple[Origin, ...]:
    services = MAIL_SERVICES if named is None else (named,)
    return tuple(service for service in services if _refuse_service(default_options, customer, service) is None)


class Snapshot:
    """Directory, layers, lists and our numbers of one `version`; `default_options` are the operator's.

    Without `allow_reject` no mail is refused for its characters. `judge` knows the rules of countries, `registrations`
    the sender IDs that are registered there; `judged` is what was judged by both (gateway.country_rules).
    """

    __slots__ = (
        "_choose_sender",
        "_find_ranges",
        "_find_tls_demands",
        "_limits",
        "_prove_by_address",
        "_refuse_service",
        "_services_of_mail",
        "_stored",
        "default_options",
        "directory",
        "judge",
        "judged",
        "layers",
        "lists",
        "numbers",
        "registrations",
        "version",
    )

    def __init__(  # noqa: PLR0913 - what a version consists of
        self,
        directory: Directory,
        layers: Layers,
        lists: DistributionLists,
        *,
        numbers: OwnNumbers | None = None,
        judge: Judge | None = None,
        registrations: Registrations | None = None,
        default_options: frozenset[Option] = ALL_OPTIONS,
        allow_reject: bool = True,
        most_settings: int = _MOST_SETTINGS,
    ) -> None:
        self.version = directory.version
        self.directory = directory
        self.default_options = default_options
        self.layers = layers = layers.bound_by(self._contracts(), None if allow_reject else _NO_REJECT)
        self.lists = lists
        self.numbers = numbers or OwnNumbers()
        self.judge = judge or Judge()
        self.judged: dict[JudgedKey, Judged] = {}
        self.registrations = registrations or Registrations()
        # No answer refers to a snapshot, so that nothing keeps an old one alive.
        self._find_ranges = lru_cache(_MOST_CLIENTS)(partial(find_ranges, directory))
        self._prove_by_address = lru_cache(_MOST_CLIENTS)(partial(_prove_by_address, directory, self._find_ranges))
        self._find_tls_demands = lru_cache(_MOST_CLIENTS)(partial(_find_tls_demands, directory, self._find_ranges))
        self._choose_sender = lru_cache(_MOST_SENDERS)(partial(_choose_sender, directory))
        self._stored = lru_cache(most_settings)(layers.lay_stored)
        self._limits = lru_cache(most_settings)(layers.limits)
        self._refuse_service = lru_cache(_MOST_CUSTOMERS)(partial(_refuse_service, default_options))
        self._services_of_mail = lru_cache(_MOST_CUSTOMERS)(partial(_services_of_mail, default_options))

    def has_option(self, customer: Customer, option: Option) -> bool:
        """Return whether a customer has contracted an option."""
        return customer.has_option(option, self.default_options)

    def refuse_option(self, customer: Customer, option: Option) -> Refused | None:
        """Return why a customer can't use an option now: it has not contracted it, or it is suspended."""
        return _refuse_option(self.default_options, customer, option)

    def refuse_service(self, customer: Customer, service: Origin) -> Refused | None:
        """Return why a customer can't use a service now."""
        return self._refuse_service(customer, service)

    def services_of_mail(self, customer: Customer, named: Origin | None) -> tuple[Origin, ...]:
        """Return which services a customer's mails may be of: the named one, else those that the mail can name."""
        return self._services_of_mail(customer, named)

    def _contracts(self) -> dict[int, Constraints]:
        """Return what customers have not contracted, as the constraints that follow."""
        return {
            customer.key: rule
            for customer in self.directory.customers()
            if (rule := contract_of(customer, self.default_options)) is not None
        }

    def prove_by_address(self, client: str) -> Principal | None:
        """Return the active customer that is proven by the address range with a client's address."""
        return self._prove_by_address(client)

    def bind_to_range(self, principal: Principal, client: str) -> Principal:
        """Return a principal with the service and profile of the range it comes from, where nothing nearer names one.

        Only a range of its own customer does.
        """
        return bind_to_range(principal, own_range(self._find_ranges(client), principal.customer_id))

    def refuse_clear(self, principal: Principal | None, client: str) -> Refused | None:
        """Return why mail is not taken without TLS: its customer or its client's address range demands it."""
        return Refused(refusal=Refusal.TLS_REQUIRED) if self.find_tls_demands(principal, client) else None

    def find_tls_demands(self, principal: Principal | None, client: str) -> tuple[str, ...]:
        """Return who demands TLS of what a principal sends: its customer, address ranges of its client."""
        return self._find_tls_demands(principal.customer_id if principal is not None else None, client)

    def choose_sender(self, principal: Principal, address: str) -> Sender | Refused:
        """Return the sender with this address, which must belong to the proven customer."""
        proof = principal.proof
        return self._choose_sender(principal, proof.kind if proof is not None else None, address)

    def resolve(self, sender: Sender, service: str, further: Sequence[Layer] = ()) -> Resolved:
        """Return the settings in force for a sender's submission; `further` are its list, message and trial layers.

        Users without own cells share one answer per customer, service and profile.
        """
        user, profile = sender.user, sender.profile
        own = user.key if user is not None and self.layers.has_cells(user.key) else None
        stored = self._stored(sender.customer.key, service, profile.key if profile is not None else None, own)
        return stored.with_further(further) if further else stored.resolved

    def limits(self, sender: Sender) -> tuple[tuple[int, Constraints], ...]:
        """Return by owner the stored constraints that bind a sender: system, customer, profile and user."""
        user, profile = sender.user, sender.profile
        return self._limits(
            sender.customer.key, profile.key if profile is not None else None, user.key if user is not None else None
        )

    def zone_of(self, customer_id: int) -> str:
        """Return the time zone of a customer, 0 for that of the system."""
        return self._stored(customer_id, "", None, None).resolved.settings.time_zone

    def default_country_of(self, customer_id: int) -> str:
        """Return the country of a customer's national numbers."""
        return self._stored(customer_id, "", None, None).resolved.settings.default_country

    def layer_of_list(self, listed: DistributionList) -> Layer | None:
        """Return the settings of a list, None if it has no own ones."""
        layer = self.layers.layer(LayerKey(LayerKind.LIST, listed.key))
        return None if layer is None else replace(layer, owner=listed.name)


def contract_of(customer: Customer, default_options: frozenset[Option]) -> Constraints | None:
    """Return what a customer may not ask for, since it is not contracted or suspended; None where that is nothing."""
    suspended = {option: customer.suspension_of(option) for option in (Option.EXPRESS, Option.PUSH)}
    express, push = (
        customer.has_option(option, default_options) and suspension is None for option, suspension in suspended.items()
    )
    if express and push:
        return None
    why = "; ".join(f"{option} is suspended: {item.reason}" for option, item in suspended.items() if item is not None)
    return Constraints(
        kind=LayerKind.CUSTOMER,
        owner=f"{customer.name} ({why})" if why else customer.name,
        express=express,
        push=push,
        by_contract=True,
    )
