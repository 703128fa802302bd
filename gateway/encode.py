"""The texts of a submission made ready for the air: one for all recipients, one per row of values, or as given.

Strict: a single row without a value, with a text that cannot be encoded, or longer than is allowed refuses all of
them. Not here: the numbers of the rows (accept), the grammar of placeholders (sms.personalise).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from gateway.routing import Repertoire
from sms.message import EncodedText
from sms.outcome import Refusal, Refused
from sms.parts import encode_text
from sms.personalise import RowFault, TextTemplate, parse_template, render, sum_up
from sms.settings import Overlong, Settings

_Fault = tuple[Refused, RowFault]


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What came of it: `shared` or `own` by index of the recipient; `refused` says why there is none."""

    shared: EncodedText | None = None
    own: Mapping[int, EncodedText] = field(default_factory=dict)
    refused: Refused | None = None
    faults: tuple[RowFault, ...] = ()


Repertoires = Mapping[int, Repertoire]
"""By index of the recipient, what the carriers of its route can say; empty where all say GSM-7 and nothing more."""

_ALIKE: Repertoires = MappingProxyType({})
_GSM7 = Repertoire()


def encode_one(
    text: str, settings: Settings, *, wide: bool = False, repertoire: Repertoire = _GSM7
) -> EncodedText | Refused:
    """Return one text for the air under these settings; TOO_MANY_PARTS where it would be cut and must not be.

    `wide` leaves room in each part for a 16-bit reference, which some carrier of the route wants.
    """
    encoded = encode_text(
        text,
        coding=settings.coding,
        unencodable=settings.unencodable,
        max_parts=settings.max_parts,
        wide_reference=wide,
        lacking=repertoire.lacking,
        languages=settings.national_languages if repertoire.national else (),
    )
    if isinstance(encoded, EncodedText) and encoded.cut and settings.overlong is Overlong.REFUSE:
        return refuse_cut(encoded, settings)
    return encoded


def refuse_cut(encoded: EncodedText, settings: Settings) -> Refused:
    """Return that a text would be cut and must not be."""
    beyond = "1 character is" if len(encoded.cut) == 1 else f"{len(encoded.cut)} characters are"
    detail = f"{beyond} beyond {'one part' if settings.max_parts == 1 else f'{settings.max_parts} parts'}"
    return Refused(refusal=Refusal.TOO_MANY_PARTS, detail=detail)


def encode_shared(text: str, settings: Settings, *, wide: bool = False, repertoires: Repertoires = _ALIKE) -> Texts:
    """Return the one text of all recipients, and another for those whose carriers want one."""
    encoded = {}
    for repertoire in dict.fromkeys(repertoires.values()) or (_GSM7,):
        one = encode_one(text, settings, wide=wide, repertoire=repertoire)
        if isinstance(one, Refused):
            return Texts(refused=one)
        encoded[repertoire] = one
    shared = next(iter(encoded.values()))
    return Texts(
        shared=shared, own={index: encoded[one] for index, one in repertoires.items() if encoded[one] != shared}
    )


def encode_own(
    texts: Mapping[int, str], settings: Settings, *, wide: bool = False, repertoires: Repertoires = _ALIKE
) -> Texts:
    """Return the own text of each recipient by its index; one that may not be sent refuses all, and is counted."""
    alike: dict[str, list[int]] = {}
    for index, text in texts.items():
        alike.setdefault(text, []).append(index)
    own: dict[int, EncodedText] = {}
    for count, (text, indexes) in enumerate(alike.items(), 1):
        some = {index: repertoires[index] for index in indexes if index in repertoires}
        same = encode_shared(text, settings, wide=wide, repertoires=some)
        if same.refused is not None:
            return Texts(refused=replace(same.refused, detail=f"text {count} of {len(alike)}: {same.refused.detail}"))
        if same.shared is not None:
            own |= dict.fromkeys(indexes, same.shared)
        own |= same.own
    return Texts(own=own)


def encode_rows(  # noqa: PLR0913 - all that a row's text depends on
    text: str,
    rows: Mapping[int, tuple[str, Mapping[str, str]]],
    settings: Settings,
    bad: Sequence[_Fault],
    *,
    wide: bool = False,
    repertoires: Repertoires = _ALIKE,
) -> Texts:
    """Return a text per row, each of which is its name and values; `bad` are rows that are refused already."""
    template = parse_template(text)
    if isinstance(template, Refused):
        return Texts(refused=template)
    unknown = _find_unknown(template, rows)
    if unknown is not None:
        return Texts(refused=unknown)
    faults = list(bad)
    own: dict[int, EncodedText] = {}
    shared: EncodedText | None = None
    if template.columns:
        for index, (row, values) in rows.items():
            repertoire = repertoires.get(index, _GSM7)
            encoded = _encode_row(template, row, values, settings, wide=wide, repertoire=repertoire)
            if isinstance(encoded, EncodedText):
                own[index] = encoded
            else:
                faults.append(encoded)
    else:
        same = encode_shared(text, settings, wide=wide, repertoires=repertoires)
        if same.refused is not None:
            return same
        shared, own = same.shared, dict(same.own)
    if faults:
        named = tuple(fault for _, fault in faults)
        return Texts(refused=Refused(refusal=faults[0][0].refusal, detail=sum_up(named)), faults=named)
    return Texts(shared=shared, own=own)


def _find_unknown(template: TextTemplate, rows: Mapping[int, tuple[str, Mapping[str, str]]]) -> Refused | None:
    known = {column for _, values in rows.values() for column in values}
    unknown = sorted(template.columns - known)
    if not unknown or not rows:
        return None
    columns = ", ".join(sorted(known)) or "none"
    detail = f"there is no column {', '.join(unknown)}; the columns are {columns}"
    return Refused(refusal=Refusal.TEMPLATE_INCOMPLETE, detail=detail)


def _encode_row(  # noqa: PLR0913 - as above
    template: TextTemplate,
    row: str,
    values: Mapping[str, str],
    settings: Settings,
    *,
    wide: bool,
    repertoire: Repertoire,
) -> EncodedText | _Fault:
    text = render(template, row, values)
    if isinstance(text, RowFault):
        return Refused(refusal=Refusal.TEMPLATE_INCOMPLETE), text
    encoded = encode_one(text, settings, wide=wide, repertoire=repertoire)
    if isinstance(encoded, Refused):
        return encoded, RowFault(row=row, text=encoded.detail)
    return encoded
