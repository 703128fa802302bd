"""The pages of the room «interfaces», each for what is contracted."""

from collections.abc import Sequence
from typing import Final

from addressbook.options import Option
from web.portal.page import CUSTOMER
from web.portal.visit import Visit

ROOT: Final = f"{CUSTOMER}/interfaces"

LOGINS: Final = frozenset({Option.REST, Option.SOAP, Option.HTTP, Option.SMPP})
BINDS: Final = frozenset({Option.SMPP})
WEBHOOKS: Final = frozenset({Option.PUSH, Option.APPLICATION})

_TABS: Final = (("logins", "", LOGINS), ("smpp", "/smpp", BINDS), ("webhooks", "/webhooks", WEBHOOKS))


def tabs(visit: Visit) -> Sequence[tuple[str, str]]:
    """Return name and path of the pages that the customer has."""
    return [(name, path) for name, path, options in _TABS if any(map(visit.has, options))]
