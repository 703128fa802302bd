"""What the operator's file allows to single customers, for the server and for commands.

Not here: what is checked with it (gateway.admin.push_actions, web.push).
"""

from collections.abc import Mapping

from addressbook.canonical import canonical_name
from config.push import PushOptions


def networks_of(options: PushOptions) -> Mapping[str, tuple[str, ...]]:
    """Return the networks that each customer's pushes may go to, by its canonical name."""
    networks: dict[str, tuple[str, ...]] = {}
    for allowance in options.allowances:
        name = canonical_name(allowance.customer)
        networks[name] = networks.get(name, ()) + allowance.networks
    return networks
