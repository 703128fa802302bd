"""The header with which a proxy names the client that it speaks for: the PROXY protocol of HAProxy, versions 1 and 2.

Its additions (type-length-value) are skipped: nothing in them proves anybody. Pure. Not here: which peers may send one,
how long it may take (gateway.proxied).
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

_FIRST: Final = b"PROXY "
_SECOND: Final = b"\r\n\r\n\0\r\nQUIT\n"
_FIRST_OCTETS: Final = 107  # the longest line of version 1
_SECOND_OCTETS: Final = 16  # before the addresses of version 2
_LINE: Final = re.compile(
    r"PROXY (?:UNKNOWN(?: .*)?|TCP(?P<family>[46]) (?P<source>[0-9A-Fa-f:.]+) (?P<target>[0-9A-Fa-f:.]+)"
    r" (?P<port>0|[1-9][0-9]{0,4}) (?:0|[1-9][0-9]{0,4}))"
)
_LOCAL, _PROXIED = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_WITHOUT_PORTS: Final = frozenset({0x00, 0x31})  # unspecified, and a stream of the Unix domain


class MalformedHeaderError(ValueError):
    """What a proxy sent is no such header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyHeader:
    """The client's address and port, None where the proxy speaks for itself or names none; the header's octets."""

    client: tuple[str, int] | None
    octets: int


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """Return the header at the start of a connection, None before its end; raises MalformedHeaderError."""
    if data.startswith(_SECOND[: len(data)]):
        return _read_second(data) if len(data) >= _SECOND_OCTETS else None
    if not data.startswith(_FIRST[: len(data)]):
        raise MalformedHeaderError("no header")
    end = data.find(b"\r\n", 0, _FIRST_OCTETS)
    if end >= 0:
        return ProxyHeader(client=_read_line(data[:end].decode("latin-1")), octets=end + 2)
    if len(data) >= _FIRST_OCTETS:
        raise MalformedHeaderError("line too long")
    return None


def _read_line(line: str) -> tuple[str, int] | None:
    found = _LINE.fullmatch(line)
    if found is None:
        raise MalformedHeaderError("bad line")
    if found["family"] is None:
        return None
    address = IPv4Address if found["family"] == "4" else IPv6Address
    try:
        source, _ = address(found["source"]), address(found["target"])
    except ValueError:
        raise MalformedHeaderError("bad address") from None
    return _client(source, int(found["port"]))


def _read_second(data: bytes) -> ProxyHeader | None:
    command, family, length = data[12], data[13], int.from_bytes(data[14:16])
    if command not in {_LOCAL, _PROXIED}:
        raise MalformedHeaderError("unknown version or command")
    octets = _SECOND_OCTETS + length
    if len(data) < octets:
        return None
    addresses = data[_SECOND_OCTETS:octets]
    if command == _LOCAL or family in _WITHOUT_PORTS:
        return ProxyHeader(client=None, octets=octets)
    if family == _TCP4 and length >= 12:
        client = _client(IPv4Address(addresses[:4]), int.from_bytes(addresses[8:10]))
    elif family == _TCP6 and length >= 36:
        client = _client(IPv6Address(addresses[:16]), int.from_bytes(addresses[32:34]))
    else:
        raise MalformedHeaderError("no addresses of TCP")
    return ProxyHeader(client=client, octets=octets)


def _client(address: IPv4Address | IPv6Address, port: int) -> tuple[str, int]:
    if port > 65535:
        raise MalformedHeaderError("bad port")
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address), port
