"""The header by which an answer is a file to keep, and never a page.

Not here: the files themselves.
"""

import unicodedata
from typing import Final
from urllib.parse import quote

_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")
_OF_ATTRIBUTES: Final = "!#$&+-.^_`|~"
"""What needs no escape in `filename*` beside letters and digits (`attr-char`)."""


def attachment_headers(name: str) -> dict[str, str]:
    """Return the headers of a file of this name, which nobody keeps on the way.

    Folders, controls and signs that turn the direction of a name become `_`, since a browser keeps the file under it
    (RFC 6266 §4.3).
    """
    shown = "".join("_" if _is_unnameable(sign) else sign for sign in name)
    if _PLAIN.issuperset(shown):
        named = f'filename="{shown}"'
    else:
        named = f"filename*=UTF-8''{quote(shown, safe=_OF_ATTRIBUTES)}"  # RFC 8187 §3.2
    return {"Content-Disposition": f"attachment; {named}", "Cache-Control": "no-store"}


def _is_unnameable(sign: str) -> bool:
    return sign in '/\\"' or unicodedata.category(sign).startswith("C")
