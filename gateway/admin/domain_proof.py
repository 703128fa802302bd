"""The TXT record by which a customer proves a domain. Not here: claims and proofs (domains)."""

from store.domains import DomainClaim


def proof_name(domain: str) -> str:
    """Return where the TXT record that proves a domain stands."""
    return f"_mail2sms.{domain}"


def proof_value(claim: DomainClaim) -> str:
    """Return what the TXT record that proves a claim says."""
    return f"mail2sms-verify={claim.token}"
