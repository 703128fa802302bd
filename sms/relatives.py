"""The nearest relative of a character that the alphabet lacks: readers accept it instead, as a for á, " for “.

Not here: the alphabets, and what is done if there is no relative (alphabet).
"""

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from anyascii import anyascii

# ISO 4217 codes for signs that ASCII has nothing like.
_CURRENCIES: Final = ("EUR", "GBP", "JPY", "INR", "RUB", "KRW", "ILS", "VND", "PHP", "UAH", "TRY", "NGN", "THB")

# Relatives that are better than those of decomposition or transliteration.
_RELATIVES: Final = MappingProxyType(
    {
        **dict.fromkeys("“”„‟«»″〝〞", '"'),
        **dict.fromkeys("‘’‚‛′´`ʹʼʻˈ", "'"),  # noqa: RUF001 - the look-alikes are the point
        **dict.fromkeys("‐‑‒–—―−•‣·∙●▪", "-"),  # noqa: RUF001 - as above
        "…": "...",
        "¨": '"',
        "¸": ",",  # noqa: RUF001 - as above
        "°": "o",
        "µ": "u",
        "₤": "£",
        "⁄": "/",  # noqa: RUF001 - as above
        "©": "(C)",
        "®": "(R)",
        "×": "x",  # noqa: RUF001 - as above
        "≠": "<>",
        "‰": "0/00",
        **dict(zip("←→↔⇐⇒⇔", ("<-", "->", "<->") * 2, strict=True)),
        **dict(zip("€£¥₹₽₩₪₫₱₴₺₦฿", _CURRENCIES, strict=True)),
        # Greek capitals that look like Latin ones; GSM-7 has the others.
        **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),  # noqa: RUF001 - as above
    }
)
# Old handsets showed Greek only in capitals: readable, but not what was written.
_WITH_GREEK: Final = MappingProxyType(
    {**_RELATIVES, **dict(zip("αβγδεζηθικλμνξοπρςστυφχψω", "ABΓΔEZHΘIKΛMNΞOΠPΣΣTYΦXΨΩ", strict=True))}
)


def nearest_relative(cluster: str, *, has: frozenset[str], same_script: bool) -> str | None:
    """Return the relatives of the cluster's characters, None if one of them has none, such as an emoji.

    They contain only characters that the alphabet `has`. With `same_script` a letter of another script has none: its
    sound in Latin letters is no relative. Then a symbol that can only be described, such as a flag, has none either.
    """
    relatives = [_relative(char, has, same_script) for char in unicodedata.normalize("NFC", cluster)]
    known = [relative for relative in relatives if relative is not None]
    return "".join(known) if len(known) == len(relatives) and any(known) else None


@lru_cache(maxsize=4096)
def _relative(char: str, has: frozenset[str], same_script: bool) -> str | None:  # noqa: FBT001 - a cache key
    """Return the nearest relative of one character: own table, decomposition, transliteration; empty for marks."""
    if char in has:
        return char
    category = unicodedata.category(char)
    if category == "Zs":
        return " "
    table = _RELATIVES if same_script else _WITH_GREEK
    known = table.get(char)
    if known is not None and has.issuperset(known):
        return known
    relative = _undecorated(char, has, table)
    if not relative and (not same_script or _is_at_home(char, category)):
        relative = _transliterated(char, has)
    if relative:
        return relative
    return "" if category in {"Mn", "Me", "Cf", "Cc"} else None


def _is_at_home(char: str, category: str) -> bool:
    """Return whether Latin letters and ASCII signs can say the same: no other script, no picture."""
    if category[0] == "L":
        return unicodedata.name(char, "").startswith(("LATIN ", "FEMININE ", "MASCULINE "))
    return category[0] in "NP" or category in {"Sc", "Sk", "Sm"}


def _undecorated(char: str, has: frozenset[str], table: Mapping[str, str]) -> str:
    """Return the character's decomposition without its marks if the alphabet has it, empty otherwise."""
    decomposed = unicodedata.normalize("NFKD", char)
    if decomposed.startswith(" "):  # a spacing accent is not a blank
        return ""
    base = "".join(table.get(one, one) for one in decomposed if not unicodedata.combining(one))
    return base if has.issuperset(base) else ""


def _transliterated(char: str, has: frozenset[str]) -> str:
    """Return the character in ASCII letters and signs if the alphabet has them, empty otherwise."""
    relative = anyascii(char).replace("`", "'")
    is_name_of_emoji = len(relative) > 2 and relative.startswith(":") and relative.endswith(":")
    return relative if not is_name_of_emoji and has.issuperset(relative) else ""
