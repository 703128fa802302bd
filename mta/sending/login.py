"""What a client says to log in: the steps of PLAIN, LOGIN and EXTERNAL, and which of them a server offers.

Pure. LOGIN is no standard (draft-murchison-sasl-login), but all that Exchange offers for a password. Not here: that
nothing of this goes out in clear (mta.sending.deliver). RFC 4954, RFC 4616, RFC 4422.
"""

import base64
from typing import Final

Steps = tuple[bytes, ...]

# RFC 4422 appendix A: the identity that the certificate gives.
EXTERNAL: Final[Steps] = (b"AUTH EXTERNAL =",)
# RFC 4954 §4, §6: not known or too weak there, whatever EHLO said; another may do.
WRONG_MECHANISM: Final = frozenset({504, 534})


def password_exchanges(offered: str, user: str, password: str) -> tuple[Steps, ...]:
    """Return the ways to log in with a password that the parameters of AUTH offer, the one to try first foremost.

    Of each way the next step is said where the server answers the one before with 334.
    """
    plain = base64.b64encode(f"\0{user}\0{password}".encode())  # RFC 4616 §2
    ways: dict[str, Steps] = {
        # The secret alone once more for a server that asks for it although it was given.
        "plain": (b"AUTH PLAIN " + plain, plain),
        "login": (b"AUTH LOGIN", base64.b64encode(user.encode()), base64.b64encode(password.encode())),
    }
    names = offered.lower().split()
    return tuple(steps for name, steps in ways.items() if name in names)
