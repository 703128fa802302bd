"""To whom a signed mail may go: whoever copies it can't send it to another number.

A signature says who wrote; where it covers To and Cc, these say to whom. A recipient whom they do not name is taken
only from an address range of the customer itself, shared or not. The first use of a mail binds it to its recipients
and those that its To and Cc name; others are refused later, wherever it comes from (store.jobs). Not here: how long a
signature counts (mta.verify.signatures).
"""

from collections.abc import Iterable, Sequence

from addressbook.canonical import canonical_address
from gateway.dedup_keys import bound_key
from mta.reading.headers import read_addresses
from mta.verify.signatures import Signature, SignedMail
from sms.job import FirstUse

_TO_WHOM = (b"to", b"cc")


def find_unnamed(mail: SignedMail, signature: Signature, recipients: Sequence[str]) -> tuple[str, ...]:
    """Return the recipients whom no To or Cc names that the signature covers."""
    named = _addresses(value for name in _TO_WHOM for value in signature.covered(mail, name))
    return tuple(address for address in recipients if _canonical(address) not in named)


def first_use(mail: SignedMail, identity: bytes, recipients: Sequence[str]) -> FirstUse:
    """Return what the first use of a mail binds, whatever To and Cc are signed."""
    named = _addresses(value for name in _TO_WHOM for value in mail.values(name))
    wanted = {_canonical(address) for address in recipients}
    return FirstUse(
        marker=bound_key(identity, ""),
        recipients=tuple(bound_key(identity, address) for address in sorted(wanted)),
        named=tuple(bound_key(identity, address) for address in sorted(named - wanted)),
    )


def _addresses(values: Iterable[bytes]) -> set[str]:
    return {_canonical(found.address) for value in values for found in read_addresses(value) if found.address}


def _canonical(address: str) -> str:
    return canonical_address(address) or address.lower()
