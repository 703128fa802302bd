"""The network that an SMS went to and its price, where a carrier says them: in parameters of its own, or in words.

Not here: which tags those are (dialect), which words (receipts). Standard: ITU-T E.212 (MCC and MNC).
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from smpp.dialect.dialect import Dialect
from smpp.wire.tlv import Tlv, TlvValue

_MOST_PRICE = 40


class Charges(NamedTuple):
    """MCC and MNC as 5 or 6 digits, and the price with its currency; each empty where the carrier does not say it."""

    network: str = ""
    price: str = ""


NO_CHARGES = Charges()


def read_charges(tlvs: Iterable[Tlv], dialect: Dialect, words: Mapping[str, str]) -> Charges:
    """Return what the parameters say, and where they say nothing what the `words` of a receipt say."""
    if not (dialect.network_tags or dialect.price_tags or dialect.receipt_pattern):
        return NO_CHARGES
    network = [words.get("network") or words.get("mcc", "") + words.get("mnc", "")]
    price = [words.get("price", ""), words.get("currency", "")]
    told = dict(reversed(tuple(tlvs)))  # of a parameter that stands twice the first counts
    network = [_digits(told[tag]) for tag in dialect.network_tags if tag in told] or network
    price = [_legible(told[tag]) for tag in dialect.price_tags if tag in told] or price
    return Charges(_network(network), " ".join(" ".join(price).split())[:_MOST_PRICE])


def _network(pieces: list[str]) -> str:
    """Return MCC and MNC as digits; numbers have lost their zeros: an MCC has three digits, an MNC two or three."""
    digits = [re.sub(r"[^0-9]", "", piece) for piece in pieces]
    if len(digits) > 1:
        digits = [digits[0].zfill(3), digits[1].zfill(2)]
    return "".join(digits) if len("".join(digits)) in {5, 6} else ""


def _digits(value: TlvValue) -> str:
    """Return an MCC or MNC as digits: no text of one has a single character, so that one octet is a number."""
    text = _legible(value)
    is_text = len(text) > 1 and text.isdecimal()
    return text if is_text or not isinstance(value, bytes) else str(int.from_bytes(value, "big"))


def _legible(value: TlvValue) -> str:
    """Return the value of a parameter as a text; one that is no text is a number."""
    if not isinstance(value, bytes):
        return str(value)
    text = value.split(b"\0")[0].decode("latin-1")
    is_text = text.isascii() and text.isprintable() and (text or not value)
    return text if is_text else str(int.from_bytes(value, "big"))
