"""Proves who wrote a mail where nothing else does: DKIM, SPF, then a sealer whom the customer trusts; the first counts.

Strict: the proof must be of the very domain of From, whatever DMARC records say, and that domain a customer's. What
strangers wrote into the header (Authentication-Results) is never read. DNS that does not answer proves nothing, and
the mail may come again. Work is bounded: in time, in mails at once, in signatures. Not here: each proof (dkim, spf,
arc), what the proven sender may do (addressbook.senders, mta.intake).
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from addressbook.canonical import canonical_domain
from addressbook.people import AddressRange, Customer
from addressbook.proof import Proof, ProofKind
from addressbook.senders import Principal, find_ranges, own_range
from addressbook.snapshot import Snapshot
from gateway.ports import Clock
from mta.reading.headers import is_group, read_fields, split_header
from mta.reading.mime import MailLimits, read_author
from mta.verify.arc import Keys, read_chain
from mta.verify.keys import DomainKey, NoProof, read_key
from mta.verify.replay import find_unnamed, first_use
from mta.verify.signatures import Signature, SignedMail, check_signature, read_signature, read_signed, tags_of
from mta.verify.spf import SpfQuestion
from sms.job import FirstUse
from sms.outcome import Refusal, Refused
from tls.resolver import Lookup, Resolver

DOMAIN_PROOFS: Final = (ProofKind.DKIM, ProofKind.SPF, ProofKind.ARC)
_SECONDS: Final = 20.0  # RFC 7208 §4.6.4
_AT_ONCE: Final = 16
_WAITING: Final = 200
_MOST_FIELDS: Final = 20
_MOST_SIGNATURES: Final = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRequest:
    """A mail with its envelope: `client` is the address that it came from, `reverse_path` is empty for `<>`."""

    raw: bytes
    reverse_path: str
    recipients: tuple[str, ...]
    client: str
    helo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofStep:
    """One proof that was asked for, and what it said."""

    kind: ProofKind
    held: bool
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Who is proven, or why nobody is; `steps` are the proofs asked for, `domain` is that of From.

    `identity` names the mail among all of its author where a signature proves it, `first_use` is what its first use
    binds (mta.verify.replay).
    """

    domain: str = ""
    steps: tuple[ProofStep, ...] = ()
    principal: Principal | None = None
    refused: Refused | None = None
    identity: bytes = b""
    first_use: FirstUse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A proof that holds: the evidence, and by which signature."""

    evidence: str
    signature: Signature | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A mail on trial: `domain` is its author's and one of the customer's, `ranges` are where the client is."""

    request: ProofRequest
    mail: SignedMail
    author: str
    customer: Customer
    domain: str
    ranges: tuple[AddressRange, ...]
    is_own: Callable[[str], bool]
    deadline: float

    @property
    def own_range(self) -> AddressRange | None:
        """The address range of this customer that the client is in."""
        return own_range(self.ranges, self.customer.key)


class Prover:
    """Proves mails of all listeners; `resolver` asks DNS, `clock` says how old a signature is."""

    def __init__(self, resolver: Resolver, clock: Clock, *, seconds: float = _SECONDS) -> None:
        self._resolver = resolver
        self._clock = clock
        self._seconds = seconds
        self._limits = MailLimits()
        self._checking = ThreadPoolExecutor(max_workers=2, thread_name_prefix="prove-mail")
        self._waiting_for_dns = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="spf")
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._here = 0

    def close(self) -> None:
        """End the threads."""
        for threads in (self._checking, self._waiting_for_dns):
            threads.shutdown(wait=False, cancel_futures=True)

    def refuse_envelope(self, reverse_path: str, snapshot: Snapshot) -> Refused | None:
        """Return why no mail with this envelope sender can be proven, whatever it will hold."""
        if not reverse_path:
            return _refused("an empty envelope sender needs a login, a certificate or an address range")
        customer = _owner(snapshot, reverse_path.rpartition("@")[2])
        if isinstance(customer, Customer) and not any(map(customer.takes_proof, DOMAIN_PROOFS)):
            return _refused("this customer takes no proof by the domain of From")
        return customer if isinstance(customer, Refused) else None

    async def prove(self, request: ProofRequest, snapshot: Snapshot) -> Verdict:
        """Return who wrote a mail, proven by the domain of its From, or why nobody is proven."""
        author = self._find_author(request.raw)
        if isinstance(author, Refused):
            return Verdict(refused=author)
        domain = canonical_domain(author.rpartition("@")[2]) or ""
        customer = self._whose(request, snapshot, domain)
        if isinstance(customer, Refused):
            return Verdict(domain=domain, refused=customer)
        if self._here >= _AT_ONCE + _WAITING:
            return Verdict(domain=domain, refused=_later("too many mails wait to be proven"))
        self._here += 1
        try:
            async with asyncio.timeout(self._seconds), self._places:
                return await self._prove(request, snapshot, author, customer)
        except TimeoutError:
            return Verdict(domain=domain, refused=_later("the proof took too long"))
        finally:
            self._here -= 1

    def _find_author(self, raw: bytes) -> str | Refused:
        """Return the one address of the one From."""
        split = split_header(raw, 0, len(raw), self._limits.header_octets)
        fields = read_fields(raw[: split[0]], self._limits.header_fields) if split is not None else None
        if fields is None:
            return _refused("the header is too long")
        author, _, problem = read_author(fields)
        if problem or is_group(fields["from"][0]):
            return _refused(problem or "From holds a group")
        return author

    def _whose(self, request: ProofRequest, snapshot: Snapshot, domain: str) -> Customer | Refused:
        """Return the customer of the domain of From, who must own that of the envelope's sender too."""
        refused = self.refuse_envelope(request.reverse_path, snapshot)
        if refused is not None:
            return refused
        customer = _owner(snapshot, domain)
        if isinstance(customer, Customer) and _owner(snapshot, request.reverse_path.rpartition("@")[2]) != customer:
            return _refused("the envelope sender and From belong to different customers")
        return customer

    async def _prove(self, request: ProofRequest, snapshot: Snapshot, author: str, customer: Customer) -> Verdict:
        domain = canonical_domain(author.rpartition("@")[2]) or ""
        mail = await self._check(lambda: read_signed(request.raw))
        if isinstance(mail, NoProof):
            return Verdict(domain=domain, refused=_refused(mail.why))
        case = _Case(
            request=request,
            mail=mail,
            author=author,
            domain=domain,
            customer=customer,
            ranges=find_ranges(snapshot.directory, request.client),
            is_own=lambda name: snapshot.directory.customer_of_domain(name) == customer,
            deadline=time.monotonic() + self._seconds,
        )
        steps: list[ProofStep] = []
        later = False
        for kind, prove in ((ProofKind.DKIM, self._dkim), (ProofKind.SPF, self._spf), (ProofKind.ARC, self._arc)):
            found = await prove(case) if customer.takes_proof(kind) else NoProof(why="the customer does not take it")
            if isinstance(found, _Held):
                steps.append(ProofStep(kind=kind, held=True, said=found.evidence))
                return self._accept(case, snapshot, kind, found, tuple(steps))
            later = later or found.later
            steps.append(ProofStep(kind=kind, held=False, said=found.why))
        told = ". ".join(f"{step.kind.upper()}: {step.said}" for step in steps)
        refused = (_later if later else _refused)(f"{domain} is not proven. {told}")
        return Verdict(domain=domain, steps=tuple(steps), refused=refused)

    def _accept(
        self, case: _Case, snapshot: Snapshot, kind: ProofKind, held: _Held, steps: tuple[ProofStep, ...]
    ) -> Verdict:
        directory, author, own = snapshot.directory, case.author, case.own_range
        default = directory.profile_in_force(case.customer.key, None)
        if directory.user(author) is None and default is None and (own is None or own.profile_id is None):
            told = f"{author} is no user of {case.customer.name}, which has no default profile for others"
            return Verdict(domain=case.domain, steps=steps, refused=_refused(told))
        principal = Principal(customer_id=case.customer.key, proof=Proof(kind=kind, evidence=held.evidence))
        verdict = Verdict(domain=case.domain, steps=steps, principal=principal)
        if held.signature is None:
            return verdict
        identity = held.signature.identity(case.mail)
        bound = first_use(case.mail, identity, case.request.recipients)
        return replace(verdict, identity=identity, first_use=bound)

    async def _dkim(self, case: _Case) -> _Held | NoProof:
        """RFC 6376 §6.1, for signatures of the very domain of From."""
        fields = case.mail.named(b"dkim-signature")[:_MOST_FIELDS]
        if not fields:
            return NoProof(why="the mail is not signed")
        others: list[str] = []
        failed: list[NoProof] = []
        for field in fields:
            domain = _signing_domain(field[1])
            if domain != case.domain:
                others.append(domain)
                continue
            if len(failed) >= _MOST_SIGNATURES:
                break
            found = await self._check_signature(case, read_signature(case.mail, field, self._clock.now()))
            if isinstance(found, _Held):
                return found
            failed.append(found)
        if not failed:
            return NoProof(why=f"no signature is of {case.domain}, only of {_listed(others)}")
        return NoProof(why=_listed(item.why for item in failed), later=any(item.later for item in failed))

    async def _check_signature(self, case: _Case, signature: Signature | NoProof) -> _Held | NoProof:
        if isinstance(signature, NoProof):
            return signature
        key = (await self._keys([signature.key_name]))[signature.key_name]
        if isinstance(key, NoProof):
            return key
        wrong = await self._check(lambda: check_signature(case.mail, signature, key))
        return wrong or _judge_recipients(case, signature) or _Held(evidence=signature.evidence, signature=signature)

    async def _spf(self, case: _Case) -> _Held | NoProof:
        """RFC 7208 §4, for an envelope sender of the very domain of From."""
        request = case.request
        domain = canonical_domain(request.reverse_path.rpartition("@")[2])
        if domain != case.domain:
            return NoProof(why=f"the envelope sender is of {domain}")
        if not request.client:
            return NoProof(why="the client has no address")
        if case.ranges and case.ranges[0].shared:
            return NoProof(why=f"the client is in {case.ranges[0].network}, which is shared with strangers")
        loop = asyncio.get_running_loop()
        question = SpfQuestion(
            self._resolver,
            loop,
            client=request.client.partition("%")[0],
            sender=f"{request.reverse_path.rpartition('@')[0]}@{domain}",
            helo=request.helo or "unknown",
            is_own=case.is_own,
            deadline=case.deadline,
        )
        try:
            said = await loop.run_in_executor(self._waiting_for_dns, question.judge)
        except asyncio.CancelledError:
            question.cancel()
            raise
        return said if isinstance(said, NoProof) else _Held(evidence=f"{domain}: {said}")

    async def _arc(self, case: _Case) -> _Held | NoProof:
        """RFC 8617 §5.2, where the customer trusts the newest sealer."""
        if not case.customer.arc_sealers:
            return NoProof(why="no sealer is trusted")
        chain = await self._check(lambda: read_chain(case.mail, self._clock.now()))
        if isinstance(chain, NoProof):
            return chain
        if chain.sealer not in case.customer.arc_sealers:
            return NoProof(why=f"the sealer {chain.sealer} is not trusted")
        keys = dict(await self._keys(chain.first_keys))
        broken = _unknown(keys) or await self._check(lambda: chain.check_newest(keys))
        if broken is None and chain.other_keys:
            keys |= await self._keys(chain.other_keys)
            broken = _unknown(keys)
        broken = broken or await self._check(lambda: chain.check(keys))
        if broken is not None:
            return broken
        reported = chain.reported(case.domain)
        if isinstance(reported, NoProof):
            return reported
        unnamed = _judge_recipients(case, chain.signature)
        return unnamed or _Held(evidence=f"{chain.signature.evidence}: {reported}", signature=chain.signature)

    async def _keys(self, names: Iterable[str]) -> Keys:
        ordered = sorted(set(names))
        answers = await asyncio.gather(*(self._resolver.txt(name) for name in ordered))
        found: dict[str, DomainKey | NoProof] = {}
        for name, answer in zip(ordered, answers, strict=True):
            if answer.lookup is Lookup.FAILED:
                found[name] = NoProof(why=f"DNS does not say whether there is a key: {answer.cause}", later=True)
            else:
                found[name] = read_key(answer.values)
        return found

    async def _check(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._checking, work)


def _owner(snapshot: Snapshot, domain: str) -> Customer | Refused:
    customer = snapshot.directory.customer_of_domain(domain)
    if customer is None:
        return _refused(f"{domain} is no customer's domain, and nothing else proves the sender")
    return customer if customer.active else _refused("This customer is not active.")


def _judge_recipients(case: _Case, signature: Signature) -> NoProof | None:
    """Return why a signature does not say to whom, and the client is nobody whose word counts (mta.verify.replay)."""
    if case.own_range is not None or not find_unnamed(case.mail, signature, case.request.recipients):
        return None
    return NoProof(
        why=f"the signature of {signature.domain} does not cover all recipients: To and Cc must be signed and name them"
    )


def _signing_domain(value: bytes) -> str:
    tags = tags_of(value)
    return "" if isinstance(tags, NoProof) else tags.get(b"d", b"").decode("ascii", "replace").lower()


def _unknown(keys: Keys) -> NoProof | None:
    return next((key for key in keys.values() if isinstance(key, NoProof)), None)


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(text for text in texts if text)) or "others"


def _refused(detail: str) -> Refused:
    return Refused(refusal=Refusal.SENDER_NOT_AUTHORISED, detail=detail)


def _later(detail: str) -> Refused:
    return Refused(refusal=Refusal.PROOF_UNAVAILABLE, detail=detail)
