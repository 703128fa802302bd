"""A directory in memory that searches as a server would, with the means of Active Directory or without them."""

import re
import uuid
from collections.abc import Callable, Iterator, Mapping

from dirsync.source import FoundEntry, LdapEntry, ReadFault, ReadFaultCode, SearchAnswer, SearchRequest, SearchScope
from dirsync.strings import is_within, normal_dn

IN_CHAIN = "1.2.840.113556.1.4.1941"
_NODE = re.compile(r"\(([&|!])|\(([^()=:<>~]+)(:[0-9.]+:|[<>~])?=([^()]*)\)|\)")
_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2})")
Values = Mapping[str, tuple[bytes, ...]]


class FakeDirectory:
    """Entries by DN. `values_at_once` cuts attributes into ranges, `knows_chain` evaluates LDAP_MATCHING_RULE_IN_CHAIN.

    `requests` are the searches in their order, `answers` what comes to each in turn that has a control and no pages.
    `root` is the entry of the server itself.
    """

    def __init__(self, *, context: str, values_at_once: int = 0, knows_chain: bool = False) -> None:
        self.context = context
        self.entries: dict[str, dict[str, tuple[bytes, ...]]] = {}
        self.requests: list[SearchRequest] = []
        self.answers: list[SearchAnswer] = []
        self.root: dict[str, tuple[bytes, ...]] = {"namingcontexts": (context.encode(),)}
        self.before_search: Callable[[SearchRequest], None] = lambda request: None
        self._values_at_once = values_at_once
        self._knows_chain = knows_chain

    def add(self, dn: str, **attributes: str | list[str]) -> str:
        """Add an entry; return its anchor."""
        anchor = uuid.uuid5(uuid.NAMESPACE_DNS, normal_dn(dn))
        values = {name.lower(): [value] if isinstance(value, str) else value for name, value in attributes.items()}
        self.entries[dn] = {name: tuple(one.encode() for one in found) for name, found in values.items()}
        self.entries[dn]["objectguid"] = (anchor.bytes_le,)
        return str(anchor)

    def search(self, request: SearchRequest) -> Iterator[list[LdapEntry]]:
        """Yield what matches in one page."""
        self.requests.append(request)
        self.before_search(request)
        base = normal_dn(request.base)
        if request.base and all(normal_dn(dn) != base for dn in self.entries) and base != normal_dn(self.context):
            raise ReadFault(ReadFaultCode.NO_BASE, base=request.base)
        yield [
            LdapEntry(dn=found.dn, anchor=_anchor(found), attributes=found.attributes) for found in self._found(request)
        ]

    def ask(self, request: SearchRequest) -> SearchAnswer:
        """Return the next of the prepared answers to a request with a control, else what matches."""
        self.requests.append(request)
        if request.controls:
            return self.answers.pop(0)
        if not request.base:
            return SearchAnswer(code=0, found=(FoundEntry(dn="", attributes=self.root),))
        return SearchAnswer(code=0, found=tuple(self._found(request)))

    def _found(self, request: SearchRequest) -> Iterator[FoundEntry]:
        base = normal_dn(request.base)
        for dn, values in list(self.entries.items()):
            name = normal_dn(dn)
            is_meant = name == base if request.scope is SearchScope.BASE else is_within(name, base)
            if is_meant and self._matches(request.filter, name, values):
                yield FoundEntry(dn=dn, attributes=self._asked(values, request.attributes))

    def _asked(self, values: Values, attributes: tuple[str, ...]) -> Values:
        asked = {"objectguid": values["objectguid"]}
        for attribute in attributes:
            name, _, wanted = attribute.lower().partition(";range=")
            found, first = values.get(name, ()), int(wanted.partition("-")[0] or 0)
            most = self._values_at_once
            if found and most and (wanted or len(found) > most):
                part, last = found[first : first + most], first + most - 1
                ending = "*" if last >= len(found) - 1 else str(last)
                asked[f"{name};range={first}-{ending}"] = part
            elif found:
                asked[name] = found
        return asked

    def _matches(self, search_filter: str, name: str, values: Values) -> bool:
        """Evaluate a filter; what is not known is false (RFC 4511 §4.5.1.7)."""
        stack: list[tuple[str, list[bool]]] = [("&", [])]
        for operator, attribute, rule, value in _NODE.findall(search_filter):
            if operator:
                stack.append((operator, []))
            elif attribute:
                stack[-1][1].append(self._holds(attribute.lower(), rule, value, name, values))
            else:
                combined, parts = stack.pop()
                stack[-1][1].append(_COMBINED[combined](parts))
        return all(stack[0][1])

    def _holds(self, attribute: str, rule: str, value: str, name: str, values: Values) -> bool:
        if attribute == "memberof":
            return (
                rule == f":{IN_CHAIN}:"
                and self._knows_chain
                and name in self._below(normal_dn(_octets(value).decode()))
            )
        found = values.get(attribute, ())
        if rule == ">":
            return any(int(one) >= int(value) for one in found)
        return bool(found) if value == "*" else _octets(value).lower() in {one.lower() for one in found}

    def _below(self, group: str) -> set[str]:
        by_name = {normal_dn(dn): values for dn, values in self.entries.items()}
        seen, left = set[str](), [group]
        while left:
            members = {normal_dn(one.decode()) for one in by_name.get(left.pop(), {}).get("member", ())} - seen
            seen |= members
            left += members
        return seen


_COMBINED: Mapping[str, Callable[[list[bool]], bool]] = {"&": all, "|": any, "!": lambda parts: not all(parts)}


def _octets(value: str) -> bytes:
    """Return a value of a filter without its escapes (RFC 4515 §3)."""
    return _ESCAPED.sub(lambda octet: bytes.fromhex(octet[1].decode()), value.encode())


def _anchor(found: FoundEntry) -> str:
    return str(uuid.UUID(bytes_le=found.attributes["objectguid"][0]))
