"""The client's side of AUTH: the steps of PLAIN, LOGIN and EXTERNAL, and which of them a server offers.

Pure. LOGIN is no standard (draft-murchison-sasl-login), but Exchange offers only LOGIN for a password. Not here: never
sending this in clear (mta.sending.deliver). RFC 4954, RFC 4616, RFC 4422.
"""

import base64
from typing import Final

Steps = tuple[bytes, ...]

# RFC 4422 appendix A: the identity of the certificate.
EXTERNAL: Final[Steps] = (b"AUTH EXTERNAL =",)
# RFC 4954 §4, §6: unknown or too weak there, whatever EHLO offered; another may work.
WRONG_MECHANISM: Final = frozenset({504, 534})


def password_exchanges(offered: str, user: str, password: str) -> tuple[Steps, ...]:
    """Return the password mechanisms that the parameters of AUTH offer, the one to try first at the front.

    The next step of a mechanism follows if the server answers the step before with 334.
    """
    plain = base64.b64encode(f"\0{user}\0{password}".encode())  # RFC 4616 §2
    ways: dict[str, Steps] = {
        # Repeat the secret alone for a server that asks for it again.
        "plain": (b"AUTH PLAIN " + plain, plain),
        "login": (b"AUTH LOGIN", base64.b64encode(user.encode()), base64.b64encode(password.encode())),
    }
    names = offered.lower().split()
    return tuple(steps for name, steps in ways.items() if name in names)
