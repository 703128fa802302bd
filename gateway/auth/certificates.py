"""Whose client certificate: bound by its key, or by a name and the authority that signed it.

The handshake has judged the chain and the time already. They are bound to one authority all the same, since a listener
may trust those of several customers, and each could sign any name. Not here: the handshake (tls.contexts), the
exchange of EXTERNAL (mta.mechanisms).
"""

from addressbook.people import Credential, Directory
from addressbook.proof import Proof, ProofKind
from addressbook.senders import Principal
from gateway.ports import Clock
from tls.client_certificates import ClientCertificateFacts, is_signed_by, read_certificate


def prove_certificate(directory: Directory, der: bytes, clock: Clock) -> Principal | None:
    """Return whose certificate (DER) it is, None for nobody's."""
    facts = read_certificate(der)
    if facts is None or not facts.valid_from <= clock.now() <= facts.valid_until:
        return None
    found = _find(directory, der, facts)
    if found is None or not found.active:
        return None
    return Principal(
        customer_id=found.customer_id,
        user_id=found.user_id,
        login=found.login,
        service=found.service,
        service_by=f"certificate {found.login}" if found.service is not None else "",
        profile_id=found.profile_id,
        proof=Proof(kind=ProofKind.CERTIFICATE, evidence=f"{found.login}, {facts.pin}"),
    )


def _find(directory: Directory, der: bytes, facts: ClientCertificateFacts) -> Credential | None:
    by_key = (item for item in directory.certificates(facts.pin) if item.verifier == facts.pin)
    by_name = (
        item
        for name in facts.names
        for item in directory.certificates(name)
        if is_signed_by(der, item.verifier.split(":", 2)[1])
    )
    return next(iter([*by_key, *by_name]), None)
