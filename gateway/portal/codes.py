"""One-time codes of an authenticator (RFC 6238), and the codes that help who has lost it.

A code proves once: its time step is kept, and no code of that step or of an earlier one counts again (§5.2). Not here:
where secrets are kept (store.portal_accounts), how often somebody may try (gateway.auth).
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Final

import pyotp

_STEP: Final = 30
_NEIGHBOURS: Final = (0, -1, 1)
"""The clock of a phone may be half a minute away from ours."""
_ISSUER: Final = "mail2sms"
_RECOVERY_CODES: Final = 10
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"


def new_secret() -> str:
    """Return the secret of a new authenticator: 160 random bits in Base32."""
    return pyotp.random_base32()


def address_of(secret: str, account: str) -> str:
    """Return what the QR code says, the address otpauth: of a secret."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=_ISSUER)


def step_of_code(secret: str, code: str, now: datetime) -> int | None:
    """Return the time step that a code is of, None where it is wrong. RFC 6238 §4."""
    digits = "".join(code.split())
    if not (digits.isascii() and digits.isdigit()):
        return None
    present = int(now.timestamp()) // _STEP
    totp = pyotp.TOTP(secret)
    steps = (present + at for at in _NEIGHBOURS)
    return next((step for step in steps if hmac.compare_digest(totp.generate_otp(step), digits)), None)


def new_recovery_codes() -> list[str]:
    """Return codes to print and keep, of 49 random bits each."""
    halves = ["".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(2 * _RECOVERY_CODES)]
    return [f"{first}-{second}" for first, second in zip(halves[::2], halves[1::2], strict=True)]


def digests_of(codes: Collection[str]) -> str:
    """Return what is kept of recovery codes."""
    return " ".join(map(_digest, codes))


def without_code(kept: str, code: str) -> str | None:
    """Return what is kept once a recovery code was used, None where it is none of them."""
    digests = kept.split()
    used = _digest(code)
    return " ".join(digest for digest in digests if digest != used) if used in digests else None


def _digest(code: str) -> str:
    return hashlib.sha256("".join(char for char in code.lower() if char.isalnum()).encode()).hexdigest()[:32]
