"""What the operator's file says of the pushes of single customers, for the server and for commands.

Not here: what is checked with it (gateway.admin.push_actions, web.push).
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from addressbook.canonical import canonical_name
from config.push import PushOptions
from gateway.ports import PushCredential, PushNetworks
from tls.contexts import ClientCertificate

T = TypeVar("T")


def networks_of(options: PushOptions) -> Mapping[str, tuple[str, ...]]:
    """Return the networks that each customer's pushes may go to, by its canonical name."""
    return {
        name: tuple(network for allowance in allowances for network in allowance.networks)
        for name, allowances in allowances_of(options).items()
    }


def allowances_of(options: PushOptions) -> Mapping[str, tuple[PushNetworks, ...]]:
    """Return what is allowed to each customer's pushes, by its canonical name."""
    return _grouped(
        (
            each.customer,
            PushNetworks(networks=each.networks, source_address=each.source_address or "", ca_file=each.ca_file),
        )
        for each in options.allowances
    )


def credentials_of(options: PushOptions) -> Mapping[str, tuple[PushCredential, ...]]:
    """Return how each customer's pushes log in, by its canonical name."""
    return _grouped(
        (
            each.customer,
            PushCredential(
                url=each.url,
                login=each.login,
                user=each.user,
                password_file=each.password_file,
                certificate=ClientCertificate(certificate_file=each.certificate_file, key_file=each.key_file)
                if each.certificate_file is not None and each.key_file is not None
                else None,
            ),
        )
        for each in options.logins
    )


def _grouped(items: Iterable[tuple[str, T]]) -> Mapping[str, tuple[T, ...]]:
    grouped: dict[str, tuple[T, ...]] = {}
    for customer, item in items:
        name = canonical_name(customer)
        grouped[name] = (*grouped.get(name, ()), item)
    return grouped
