"""The one form in which domains, addresses, logins and names are compared and stored."""

import re
import unicodedata
from collections.abc import Iterator

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_IDEOGRAPHIC_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")  # RFC 3490 §3.1
_APPLICATION = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"')
_ATOM = r"[^\x00-\x20\x7f()<>\[\]:;@\\,.\"]+"  # RFC 5322 §3.2.3, widened by RFC 6531 §3.3
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")


def canonical_domain(text: str) -> str | None:
    """Return the one form of a domain: lower-case A-labels without the final dot; None if it is no host name.

    Non-transitional, as UTS #46 §4 advises: `ß` and `ss` stay two domains, since they may have two owners.
    """
    given = text.strip().removesuffix(".")
    if given.isascii():
        labels = given.lower().split(".")
    else:
        mapped = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", given).lower()).translate(
            _IDEOGRAPHIC_DOTS
        )
        labels = [_a_label(label) for label in mapped.split(".")]
    domain = ".".join(labels)
    if len(domain) > 253 or not all(_LABEL.fullmatch(label) for label in labels):  # RFC 1035 §2.3.4
        return None
    return domain


def domains_above(domain: str) -> Iterator[str]:
    """Yield a canonical domain and all above it, the nearest first."""
    while domain:
        yield domain
        domain = domain.partition(".")[2]


def _a_label(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")  # RFC 3492


def canonical_address(text: str) -> str | None:
    """Return the one form of a mail address, None if it is none.

    Blanks around it and the `SMTP:` of a proxyAddresses value are removed, the local part is case-folded and loses
    unneeded quotes (RFC 5321 §4.1.2), the domain is canonical.
    """
    given = text.strip()
    if given[:5].lower() == "smtp:":
        given = given[5:].strip()
    local, _, domain_text = given.rpartition("@")
    domain = canonical_domain(domain_text)
    if domain is None or len(given) > 320:
        return None
    local = unicodedata.normalize("NFC", local).casefold()
    if _QUOTED.fullmatch(local):
        bare = re.sub(r"\\(.)", r"\1", local[1:-1])
        local = bare if _DOT_ATOM.fullmatch(bare) else '"' + re.sub(r'(["\\])', r"\\\1", bare) + '"'
    elif not _DOT_ATOM.fullmatch(local):
        return None
    return f"{local}@{domain}"


def canonical_application(text: str) -> str | None:
    """Return the one form of an application's name, None if it is none: it stands where people have an address."""
    name = text.strip().lower()
    return name if _APPLICATION.fullmatch(name) else None


def canonical_login(text: str) -> str:
    """Return the one form of a login name; names that differ only in case or composition are the same login."""
    return unicodedata.normalize("NFC", text.strip()).casefold()


def canonical_name(text: str) -> str:
    """Return the form in which names of customers and profiles are compared; the shown name keeps its spelling."""
    return unicodedata.normalize("NFC", " ".join(text.split())).casefold()
