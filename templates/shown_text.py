"""What others wrote, made fit to be shown: nothing invisible, nothing that reorders the text around it.

Not here: escaping for HTML (the templates do), characters on the air (sms.alphabet).
"""

import re
from typing import Final

SHOWN_NAME: Final = 60
"""So many characters of a person's name are shown."""

# C0 and C1 (without line feed and tab), the bidirectional embeddings, overrides and isolates (UAX #9 §2), and the
# separators that end a paragraph. A reader must see them, and they must not reorder the text around them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def show(text: str) -> str:
    """Return the text; characters that are invisible or change the direction become their names."""
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    if _INVISIBLE.search(text) is None:
        return text
    return _INVISIBLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)


def show_line(text: str) -> str:
    """Return the text as `show` has it, in one line."""
    if text.isprintable() and " " not in text:
        return text
    return " ".join(show(text).split())
