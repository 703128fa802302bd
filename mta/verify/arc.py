"""What a sealer on the way has seen of a mail, and whether the chain of seals holds (RFC 8617).

dkimpy walks the chain; the signatures are judged here as strictly as DKIM's, and none by another's key. Not here: which
sealer is believed (addressbook.people).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from dkim import ARC, CV_Pass, DKIMException

from addressbook.canonical import canonical_domain
from mta.verify.keys import ALGORITHMS, DomainKey, NoProof
from mta.verify.signatures import (
    Field,
    Signature,
    SignedMail,
    check_octets,
    check_signature,
    read_signature,
    tags_of,
)

_MOST_SETS: Final = 50  # RFC 8617 §4.2.1
_SET: Final = (b"arc-seal", b"arc-message-signature", b"arc-authentication-results")
_WORD: Final = re.compile(r'([A-Za-z.-]+)\s*=\s*(?:"([^"]*)"|([^\s;"]+))')

Keys = Mapping[str, DomainKey | NoProof]
"""The keys that were asked for, by the name at which each is published."""


class ArcChain:
    """The chain of a mail. `sealer` is the domain of its newest seal, `signature` the newest message signature."""

    def __init__(self, mail: SignedMail, walk: "_Walk", signature: Signature, seals: Mapping[int, str]) -> None:
        self.signature = signature
        self.sealer = signature.domain
        self._mail = mail
        self._walk = walk
        self._seals = seals

    @property
    def first_keys(self) -> set[str]:
        """The names of the keys of its newest set."""
        return {self.signature.key_name, self._seals[max(self._seals)]}

    @property
    def other_keys(self) -> set[str]:
        """The names of the keys of all seals before."""
        return set(self._seals.values()) - self.first_keys

    def check_newest(self, keys: Keys) -> NoProof | None:
        """Return why its newest set does not hold, None if it does; `keys` are the `first_keys`."""
        key = keys[self.signature.key_name]
        if isinstance(key, NoProof):
            return key
        return check_signature(self._mail, self.signature, key) or self._walk.check_newest(keys)

    def check(self, keys: Keys) -> NoProof | None:
        """Return why the chain does not hold, None if it does; `keys` are all of them."""
        return self._walk.check(keys)

    def reported(self, domain: str) -> str | NoProof:
        """Return which proof of this domain the sealer has seen itself, from its results (RFC 8617 §4.1.1)."""
        for result in _results(self._walk.results()):
            words = _WORD.findall(result)
            if not words or (words[0][1] or words[0][2]).lower() != "pass":
                continue
            method = words[0][0].lower()
            said = {name.lower(): (quoted or plain) for name, quoted, plain in words[1:]}
            if any(_domain_of(said[name]) == domain for name in _ALIGNED.get(method, ()) if name in said):
                return f"{method}=pass"
        return NoProof(why=f"its sealer {self.sealer} saw no dkim, spf or dmarc pass of {domain}")


_ALIGNED: Final[Mapping[str, tuple[str, ...]]] = {
    "dkim": ("header.d",),
    "spf": ("smtp.mailfrom",),
    "dmarc": ("header.from",),
}
"""Which property of a result names the domain (RFC 8601 §2.7)."""


def _results(text: str) -> list[str]:
    """Return the results of Authentication-Results one by one without comments; none where quotes or comments are open.

    What a stranger put into a quoted string or a comment is never a result of its own (RFC 8601 §2.2).
    """
    found, depth, quoted, skip = [""], 0, False, False
    for char in text:
        if skip or char == "\\":
            skip = not skip
        elif char == '"' and not depth:
            quoted = not quoted
        elif char in "()" and not quoted:
            depth += 1 if char == "(" else -1
            found[-1] += " "
            continue
        elif char == ";" and not (quoted or depth):
            found.append("")
            continue
        if not depth:
            found[-1] += char
    return [] if depth or quoted else found


def _domain_of(value: str) -> str | None:
    return canonical_domain(value.rpartition("@")[2])


def read_chain(mail: SignedMail, now: datetime) -> ArcChain | NoProof:
    """Return the chain of a mail, not yet checked."""
    seals = _read_seals(mail)
    if isinstance(seals, NoProof):
        return seals
    newest = len(seals)
    signature = _newest_signature(mail, newest, now)
    if isinstance(signature, NoProof):
        return signature
    if not seals[newest].endswith(f"._domainkey.{signature.domain}"):
        return NoProof(why="the newest set is of two domains")
    walk = _Walk(mail)
    return ArcChain(mail, walk, signature, seals) if walk.newest == newest else NoProof(why="the chain has a gap")


def _read_seals(mail: SignedMail) -> dict[int, str] | NoProof:
    """Return the name of the key of each seal, by the number of its set."""
    if not mail.named(b"arc-seal"):
        return NoProof(why="the mail is not sealed")
    if max(len(mail.named(name)) for name in _SET) > _MOST_SETS:
        return NoProof(why=f"the chain has more than {_MOST_SETS} sets")
    seals: dict[int, str] = {}
    for field in mail.named(b"arc-seal"):
        tags = tags_of(field[1])
        if isinstance(tags, NoProof) or not {b"i", b"d", b"s"} <= tags.keys() or not tags[b"i"].isdigit():
            return NoProof(why="a seal can't be read")
        seals[int(tags[b"i"][:3])] = _key_name(tags)
    return seals if set(seals) == set(range(1, len(seals) + 1)) else NoProof(why="the chain has a gap")


def _key_name(tags: Mapping[bytes, bytes]) -> str:
    return (tags[b"s"] + b"._domainkey." + tags[b"d"]).lower().decode("ascii", "replace")


def _newest_signature(mail: SignedMail, newest: int, now: datetime) -> Signature | NoProof:
    for field in mail.named(b"arc-message-signature"):
        tags = tags_of(field[1])
        if not isinstance(tags, NoProof) and tags.get(b"i") == b"%d" % newest:
            return read_signature(mail, field, now, arc=True)
    return NoProof(why="the newest set has no message signature")


class _Walk(ARC):  # type: ignore[misc]  # dkimpy has no types
    """dkimpy's walk over the chain, with our judgement of one signature."""

    def __init__(self, mail: SignedMail) -> None:
        super().__init__()
        self.headers = list(mail.fields)
        self._mail = mail
        self._keys: Keys = {}
        self.newest, self._sets = self.sorted_arc_headers()

    def check_newest(self, keys: Keys) -> NoProof | None:
        """Return why the newest seal does not hold."""
        self._keys = keys
        try:
            found = self.verify_instance(self._sets, self.newest)
        except (DKIMException, LookupError, ValueError) as error:
            return NoProof(why=f"the chain is broken: {error}")
        return None if found["as-valid"] else NoProof(why="the newest seal is false")

    def check(self, keys: Keys) -> NoProof | None:
        """Return why the chain does not hold."""
        self._keys = keys
        try:
            verdict, _, why = self.verify()
        except (DKIMException, LookupError, ValueError) as error:
            return NoProof(why=f"the chain is broken: {error}")
        return None if verdict == CV_Pass else NoProof(why=f"the chain is broken: {why}")

    def results(self) -> str:
        """Return the newest authentication results."""
        name = b"arc-authentication-results"
        found = [value for place, (given, value) in self._sets if place == self.newest and given.lower() == name]
        return str(found[0].decode("utf-8", "replace")) if found else ""

    def verify_sig(
        self, sig: dict[bytes, bytes], include_headers: list[bytes], sig_header: Field, _dnsfunc: Any
    ) -> bool:
        """Return whether a signature of the chain holds."""
        key = self._keys.get(_key_name(sig))
        if not isinstance(key, DomainKey) or b"l" in sig or ALGORITHMS.get(sig[b"a"]) is not key.kind:
            return False
        tags = sig | {b"b": b"".join(sig[b"b"].split())}
        if b"bh" in tags:
            tags[b"bh"] = b"".join(tags[b"bh"].split())
        else:
            tags[b"c"] = b"relaxed/relaxed"  # RFC 8617 §4.1.3
        return check_octets(self._mail, sig_header, tags, include_headers, key) is None
