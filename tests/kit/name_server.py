"""A name server on a loopback port that answers from a table; tests change it while it runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from tls.nameservers import DnsResolver


class NameServer(asyncio.DatagramProtocol):
    """Answers by UDP. `records` are texts of zone files by name and type; names in `failing` answer SERVFAIL.

    It says nothing about names in `silent`, and that any other name does not exist; `asked` has every question.
    """

    def __init__(self, records: Mapping[tuple[str, str], list[str]]) -> None:
        self.records = dict(records)
        self.failing: set[str] = set()
        self.silent: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.port = 0

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if name in self.silent:
            return
        answer = dns.message.make_response(query)
        if name in self.failing:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif found := self.records.get((name, kind)):
            answer.answer.append(dns.rrset.from_text_list(question.name, 0, "IN", kind, found))
        elif not any(name == known for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)

    def add_text(self, name: str, text: str) -> None:
        """Add a TXT record, in strings of at most 255 octets."""
        pieces = " ".join(f'"{text[start : start + 250]}"' for start in range(0, len(text), 250)) or '""'
        self.records.setdefault((name, "TXT"), []).append(pieces)

    def resolver(self, seconds: float = 60.0) -> DnsResolver:
        """Return a resolver that asks this server and keeps nothing."""
        return DnsResolver([("127.0.0.1", self.port)], deadline_seconds=seconds, cache_size=1)


@contextlib.asynccontextmanager
async def name_server(records: Mapping[tuple[str, str], list[str]] | None = None) -> AsyncIterator[NameServer]:
    """Serve these records on a free port."""
    server = NameServer(records or {})
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, local_addr=("127.0.0.1", 0)
    )
    server.port = transport.get_extra_info("sockname")[1]
    try:
        yield server
    finally:
        transport.close()
