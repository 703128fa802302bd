"""Who asks, where a proxy that the operator trusts says so: X-Forwarded-For and X-Forwarded-Proto, or Forwarded.

A header counts only from the addresses of trusted proxies, and of a chain only what they have added: the client is the
last address that is none of theirs. Where both kinds of header come, one of them may be the client's own, and neither
counts. Not here: the PROXY protocol, which names the client of a connection (gateway.proxied). RFC 7239.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from starlette.datastructures import Headers

from addressbook.people import IpNetwork

_NAMES = ("forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-real-ip")
_HIDDEN = frozenset(name.encode("ascii") for name in _NAMES)
_PAIR = re.compile(r'\s*([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^",;\s]+)\s*(;|,|$)')
_LONGEST_CHAIN = 20

RawHeaders = Sequence[tuple[bytes, bytes]]


def read_forwarded(headers: RawHeaders, peer: str, trusted: Sequence[IpNetwork]) -> tuple[str, str | None]:
    """Return the client's address, and the scheme that it used, None where nobody trusted says it."""
    if not _is_trusted(peer, trusted):
        return peer, None
    read = Headers(raw=list(headers))
    chain, schemes = ",".join(read.getlist("x-forwarded-for")), ",".join(read.getlist("x-forwarded-proto"))
    forwarded = ",".join(read.getlist("forwarded"))
    if forwarded and (chain or schemes):
        return peer, None
    if forwarded:
        steps = _steps(forwarded)
        addresses, said = [step.get("for", "") for step in steps], [step.get("proto", "") for step in steps]
    else:
        addresses, said = chain.split(","), schemes.split(",")
    client = peer
    for text in reversed(addresses[-_LONGEST_CHAIN:]):
        found = _address(text)
        if found is None or not _is_trusted(client, trusted):
            break
        client = found
    scheme = said[-1].strip().lower() if said else ""
    return client, scheme if scheme in {"http", "https"} else None


def without_forwarded(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """Return the headers but for those that say who forwarded: an application never sees who claims to be whom."""
    return [item for item in headers if item[0].lower() not in _HIDDEN]


def _steps(text: str) -> list[dict[str, str]]:
    """Return the elements of Forwarded, the nearest proxy's last; nothing of one that is malformed (RFC 7239 §4)."""
    steps: list[dict[str, str]] = [{}]
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            return []
        steps[-1][pair[1].lower()] = pair[2].strip('"')
        if pair[3] == ",":
            steps.append({})
        at = pair.end()
    return steps


def _address(text: str) -> str | None:
    """Return an address without its port (RFC 7239 §6), None for a name, `unknown`, or anything else."""
    text = text.strip().strip('"')
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](:\d{1,5})?", text)
    if bracketed is not None:
        text = bracketed[1]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _is_trusted(address: str, trusted: Sequence[IpNetwork]) -> bool:
    try:
        read = ip_address(address)
    except ValueError:
        return False
    return any(read in network for network in trusted if network.version == read.version)
