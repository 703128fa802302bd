"""Which national tables a text goes out in: those that keep the most of it as it is, in the fewest parts.

Only a text that the default alphabet cannot say as it is goes out in others. Not here: the tables (national), what is
replaced (alphabet), splitting (parts). Standard: 3GPP TS 23.038 §6.2.1.2.4.
"""

from collections.abc import Callable, Collection, Iterator, Sequence

from sms.alphabet import Fitted, fit_gsm7
from sms.message import NO_SHIFTS, NationalLanguage, Shifts
from sms.national import characters_of
from sms.settings import Unencodable


def choose_tables(  # noqa: PLR0913 - what the choice depends on
    clusters: Sequence[str],
    unencodable: Unencodable,
    languages: Collection[NationalLanguage],
    *,
    replaced: int | None,
    reach: int,
    cost_of: Callable[[str, Shifts], tuple[int, int]],
) -> tuple[Fitted, Shifts] | None:
    """Return a text in the tables of these languages, None where they say no more of it than the default alphabet.

    `replaced` is how many characters the default alphabet would replace, None if it cannot have the text at all. Among
    tables that say as much the cheapest by `cost_of` are taken.
    """
    standard = characters_of(NO_SHIFTS)
    strange = {char for cluster in clusters for char in cluster} - standard
    best: tuple[tuple[int, tuple[int, int]], Fitted, Shifts] | None = None
    for shifts in _candidates(languages):
        has = characters_of(shifts)
        if not strange & has:
            continue
        fitted = fit_gsm7(clusters, unencodable, lacking=standard - has, more=has - standard, reach=reach)
        if not isinstance(fitted, Fitted) or (replaced is not None and len(fitted.replaced) >= replaced):
            continue
        rank = len(fitted.replaced), cost_of(fitted.text, shifts)
        if best is None or rank < best[0]:
            best = rank, fitted, shifts
    return best[1:] if best is not None else None


def _candidates(languages: Collection[NationalLanguage]) -> Iterator[Shifts]:
    for language in languages:
        identifier = language.identifier
        yield Shifts(single=identifier)
        yield Shifts(locking=identifier)
        yield Shifts(locking=identifier, single=identifier)
