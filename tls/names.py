"""Names in DNS and certificates: one spelling per domain, and when a certificate matches a host.

Not here: which names a connection must show (tls.policy) and reading them from a certificate (tls.contexts).
RFC 5890 (A-labels), RFC 9525 (matching by subjectAltName only, never by common name).
"""

import re
from collections.abc import Iterable

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")

# The four characters that IDNA 2003 and 2008 map to different names: a guess could reach another owner's domain.
_DEVIATIONS = frozenset("ßẞς\u200c\u200d")


def parse_domain(text: str) -> str | None:
    """Return the one spelling of a domain (A-labels, lower case, no trailing dot), or None if it is no domain."""
    name = text.strip().removesuffix(".")
    if _DEVIATIONS & set(name):
        return None
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    name = name.lower()
    if not name or len(name) > 253:  # RFC 1035 §2.3.4
        return None
    return name if all(_LABEL.fullmatch(label) for label in name.split(".")) else None


def matches_name(presented: str, reference: str) -> bool:
    """Return whether a presented dNSName matches the reference name.

    A wildcard is the whole left label and matches exactly one label, but no direct child of a top-level domain.
    """
    shown = presented.lower().removesuffix(".")
    wanted = reference.lower().removesuffix(".")
    if shown == wanted:
        return "*" not in shown and bool(shown)
    # RFC 9525 §6.3
    star, _, rest = shown.partition(".")
    if star != "*" or "*" in rest or "." not in rest:
        return False
    first, _, parent = wanted.partition(".")
    return bool(first) and parent == rest


def matches_pattern(presented: str, pattern: str) -> bool:
    """Return whether a presented dNSName matches a configured pattern: a host name, or `.example.com` for all below."""
    if not pattern.startswith("."):
        return matches_name(presented, pattern)
    shown = presented.lower().removesuffix(".")
    below = shown.removeprefix("*.")
    if "*" in below or "\0" in below:
        return False
    # `*.example.com` matches hosts below example.com, so the rest alone suffices for a wildcard.
    return shown.endswith(pattern.lower()) and shown != pattern.lower() and "." in pattern[1:]


def matches_any(presented: Iterable[str], patterns: Iterable[str]) -> bool:
    """Return whether any presented dNSName matches any of the patterns."""
    wanted = tuple(patterns)
    return any(matches_pattern(name, pattern) for name in presented for pattern in wanted)
