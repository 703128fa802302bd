"""Links that are used once: an invitation, a new password, a sign-in by itself.

The link is signed and names its row, which says until when it is good and whether it was used. Not here: what it opens
(sign_in), mail (invitations).
"""

from datetime import timedelta
from types import MappingProxyType
from typing import Final

from itsdangerous import BadSignature, URLSafeSerializer

from addressbook.accounts import LinkKind

GOOD_FOR: Final = MappingProxyType(
    {
        LinkKind.INVITATION: timedelta(days=7),
        LinkKind.RESET: timedelta(hours=1),
        LinkKind.SIGN_IN: timedelta(minutes=30),
    }
)
SECRET: Final = "portal-links"  # noqa: S105 - the name of the secret
_LONGEST: Final = 200


def sign_link(secret: bytes, key: int) -> str:
    """Return the text that a link carries."""
    return str(URLSafeSerializer(secret, salt="link").dumps(key))


def read_link(secret: bytes, text: str) -> int | None:
    """Return the key of a link that we signed, None for any other text."""
    if len(text) > _LONGEST:
        return None
    try:
        key = URLSafeSerializer(secret, salt="link").loads(text)
    except BadSignature:
        return None
    return key if isinstance(key, int) else None
