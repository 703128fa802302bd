"""When a certificate in a file ends. Not here: what else it says (facts)."""

from datetime import datetime
from pathlib import Path

from cryptography import x509


def certificate_end(file: Path) -> datetime | None:
    """Return when the first certificate of a PEM file ends, None for a file that has none."""
    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None
