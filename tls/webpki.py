"""Whether a certificate would do for an MTA-STS policy that only tests: judged after a handshake that did not.

Not here: policies that are enforced, whose chain the handshake itself verifies (tls.contexts). RFC 8461 §4.2, §5.
"""

import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509

from tls.dane import leads_to
from tls.names import matches_name
from tls.policy import Demand
from tls.result_types import ResultType


class Authorities:
    """The system's authorities, read once from a file of PEM."""

    def __init__(self, bundle: Path | None) -> None:
        self._bundle = bundle
        self._known: list[x509.Certificate] | None = None

    def find_fault(
        self, demand: Demand, chain: Sequence[bytes], names: Sequence[str], now: datetime
    ) -> ResultType | None:
        """Return what would fail at the host of a demand, None if nothing would, or nobody can tell."""
        if not any(matches_name(pattern, demand.host) for pattern in demand.sts.mx):
            return ResultType.VALIDATION_FAILURE  # RFC 8461 §4.1: not among the policy's hosts
        if not any(matches_name(name, demand.host) for name in names):
            return ResultType.CERTIFICATE_HOST_MISMATCH
        try:
            certificates = [x509.load_der_x509_certificate(der) for der in chain]
            if certificates and certificates[0].not_valid_after_utc < now:
                return ResultType.CERTIFICATE_EXPIRED
            known = self._load()
            good = not known or (certificates and leads_to(known, certificates, now))
        except ValueError:
            good = False
        return None if good else ResultType.CERTIFICATE_NOT_TRUSTED

    def _load(self) -> list[x509.Certificate]:
        if self._known is None:
            self._known = []
            if self._bundle is not None and self._bundle.is_file():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # old roots have serial numbers that are forbidden today
                    self._known = x509.load_pem_x509_certificates(self._bundle.read_bytes())
        return self._known
