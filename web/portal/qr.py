"""QR codes as the path of an SVG: one square for each dark module. ISO/IEC 18004."""

from dataclasses import dataclass

import segno

_QUIET = 4


@dataclass(frozen=True, slots=True)
class QrCode:
    """`path` draws the dark modules within a square of `size` with its quiet zone."""

    size: int
    path: str


def draw_qr(text: str) -> QrCode:
    """Return the QR code of a text."""
    rows = list(segno.make(text, error="m", micro=False).matrix)
    squares = (
        f"M{x + _QUIET} {y + _QUIET}h1v1h-1z" for y, row in enumerate(rows) for x, module in enumerate(row) if module
    )
    return QrCode(len(rows) + 2 * _QUIET, "".join(squares))
