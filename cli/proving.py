"""Proves the sender of a mail for «explain» as the server does; DNS is asked, nothing is kept.

Not here: logins and certificates, which only a connection has.
"""

import asyncio
from dataclasses import replace

from addressbook.proof import ProofKind
from config.model import Config
from mta.envelope import ReceivedEnvelope
from mta.verify.prover import ProofRequest, ProofStep, Prover, Verdict
from process.accept_path import AcceptPath
from process.mail_out import build_resolver


def prove_sender(config: Config, core: AcceptPath, raw: bytes, envelope: ReceivedEnvelope) -> Verdict:
    """Return who is proven to the envelope's client without a login, by its address or by the mail, with each step."""
    client = envelope.client
    snapshot = core.book.current
    principal = snapshot.prove_by_address(client)
    if principal is not None and principal.proof is not None:
        step = ProofStep(kind=ProofKind.RANGE, held=True, said=principal.proof.evidence)
        return Verdict(steps=(step,), principal=principal)
    request = ProofRequest(
        raw=raw,
        reverse_path=envelope.reverse_path,
        recipients=tuple(item.address for item in envelope.recipients),
        client=client,
        helo=envelope.helo,
    )

    async def ask() -> Verdict:
        prover = Prover(build_resolver(config), core.clock)
        try:
            return await prover.prove(request, snapshot)
        finally:
            prover.close()

    step = ProofStep(kind=ProofKind.RANGE, held=False, said=f"{client} is in no range that proves alone")
    verdict = asyncio.run(ask())
    return replace(verdict, steps=(step, *verdict.steps))
