"""The texts of a submission made ready for the air: one for all recipients, one per row of values, or as given.

Strict: a single row without a value, with a text that cannot be encoded, or longer than is allowed refuses all of
them. What the country of a recipient refuses bars that recipient alone. Not here: the numbers of the rows (accept), the
grammar of placeholders (sms.personalise), what a country wants of a text (countries.wording).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from msgspec import Struct, field, structs

from countries.contents import Contents
from countries.findings import Finding
from countries.wording import Wording, WordingVerdict, judge_encoded, judge_joined, look_at
from gateway.routing import Repertoire
from inbound.words import offers_stop
from smpp.dialect.fragments import read_place
from sms.message import Alphabet, EncodedText
from sms.outcome import Refusal, Refused
from sms.parts import encode_text, graphemes
from sms.personalise import RowFault, TextTemplate, parse_template, render, sum_up
from sms.settings import Overlong, Settings, Unencodable

_Fault = tuple[Refused, RowFault]
_ANY_PARTS = 255


class MadeText(Struct, frozen=True):
    """A text for the air, or why the country refuses it, with what its rules did."""

    text: EncodedText | Refused
    findings: tuple[Finding, ...] = ()


class Texts(Struct, frozen=True, kw_only=True):
    """What came of it: the `shared` text, and what is `apart` from it by index of the recipient.

    Apart is a recipient's own text, or the shared one with what rules of its country did. `refused` says why there is
    none at all.
    """

    shared: EncodedText | None = None
    apart: Mapping[int, MadeText] = field(default_factory=dict)
    refused: Refused | None = None
    faults: tuple[RowFault, ...] = ()


class TextDemand(Struct, frozen=True):
    """What a recipient's text must suit: what the carriers of its route can say, and what its country wants."""

    repertoire: Repertoire = Repertoire()
    wording: Wording | None = None


Demands = Mapping[int, TextDemand]
"""By index of the recipient; empty where all carriers say GSM-7 and nothing more, and no country wants anything."""

_ALIKE: Demands = MappingProxyType({})
_NO_DEMAND = TextDemand()


def encode_one(
    text: str, settings: Settings, *, wide: bool = False, repertoire: Repertoire = _NO_DEMAND.repertoire
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


class _Source:
    """A text to be made ready, encoded once for each repertoire and looked at once, whatever countries it goes to."""

    __slots__ = ("_encoded", "contents", "settings", "wide")

    def __init__(self, text: str, settings: Settings, *, wide: bool) -> None:
        self.contents = Contents(text, offers_stop)
        self.settings = settings
        self.wide = wide
        self._encoded: dict[Repertoire, EncodedText | Refused] = {}

    def encode(self, repertoire: Repertoire) -> EncodedText | Refused:
        """Return the text for the air where no country wants anything."""
        known = self._encoded.get(repertoire)
        if known is None:
            known = encode_one(self.contents.text, self.settings, wide=self.wide, repertoire=repertoire)
            self._encoded[repertoire] = known
        return known


def _make(source: _Source, demand: TextDemand) -> MadeText | Refused:
    """Return a text that suits a demand; Refused where it can go to no country."""
    plain, settings, wording = source.encode(demand.repertoire), source.settings, demand.wording
    if wording is None or isinstance(plain, Refused):
        return plain if isinstance(plain, Refused) else MadeText(plain)
    look = look_at(source.contents, wording)
    if look.refused is not None:
        return MadeText(look.refused, look.findings)
    if not (look.before or look.after or wording.limits_encoding):
        return MadeText(plain, (*look.findings, *judge_encoded(plain, plain, wording)))
    encoded = _encode_worded(source, look, demand.repertoire, wording)
    if isinstance(encoded, EncodedText) and encoded.cut and settings.overlong is Overlong.REFUSE:
        encoded = refuse_cut(encoded, settings)
    if isinstance(encoded, Refused):
        detail = f"{wording.country}: {encoded.detail} (a rule of the country is applied to the text)"
        return MadeText(replace(encoded, detail=detail), look.findings)
    return MadeText(encoded, (*look.findings, *judge_encoded(plain, encoded, wording)))


def _encode_worded(
    source: _Source, look: WordingVerdict, repertoire: Repertoire, wording: Wording
) -> EncodedText | Refused:
    """Return a text between the words of its country, within its limits; the text is cut, its words never are."""
    text, settings = source.contents.text, source.settings
    before = f"{look.before} " if look.before else ""
    after = f" {look.after}" if look.after else ""
    unencodable = settings.unencodable
    if wording.gsm7_only and unencodable in {Unencodable.AUTO, Unencodable.SWITCH}:
        unencodable = Unencodable.SMART
    coding = Alphabet.GSM7 if wording.gsm7_only else settings.coding
    most = min(settings.max_parts, wording.most_parts or _ANY_PARTS)

    def encode(some: str, parts: int = most) -> EncodedText | Refused:
        return encode_text(
            some,
            coding=coding,
            unencodable=unencodable,
            max_parts=parts,
            wide_reference=source.wide,
            lacking=repertoire.lacking | wording.lacking,
            languages=settings.national_languages if repertoire.national else (),
            most_in_part=wording.most_in_part,
        )

    body = text
    encoded = encode(before + body + after)
    while after and isinstance(encoded, EncodedText) and encoded.cut:
        body = _shortened(body, len(body) - len(encoded.cut))
        if not body:
            return Refused(
                refusal=Refusal.TOO_MANY_PARTS, detail=f"the words «{look.after}» leave no room for the text"
            )
        encoded = encode(before + body + after)
    if isinstance(encoded, Refused):
        return encoded
    lost = encode(text[len(body) :], _ANY_PARTS) if len(body) < len(text) else None
    begin = len(before)
    return structs.replace(
        encoded,
        cut=lost.text + lost.cut if isinstance(lost, EncodedText) else encoded.cut,
        replaced=tuple(
            replace(one, index=one.index - begin) for one in encoded.replaced if begin <= one.index < begin + len(body)
        ),
    )


def _shortened(text: str, length: int) -> str:
    """Return the beginning of a text that has at most so many characters and ends with a whole cluster."""
    kept = 0
    for cluster in graphemes(text):
        if kept + len(cluster) > length:
            break
        kept += len(cluster)
    return text[:kept]


def encode_fixed(text: str, encoded: EncodedText, demands: Demands) -> Texts:
    """Return a text that its sender divided, as it is: what countries want of it is only noted, or refused."""
    contents, total = Contents(text, offers_stop), read_place(encoded.udh).total
    apart: dict[int, MadeText] = {}
    for index, demand in demands.items():
        if demand.wording is None:
            continue
        look = look_at(contents, demand.wording, is_fixed=True)
        findings = (*look.findings, *(judge_joined(demand.wording) if total > 1 else ()))
        if look.refused is not None or findings:
            apart[index] = MadeText(look.refused or encoded, findings)
    return Texts(shared=encoded, apart=apart)


def encode_shared(text: str, settings: Settings, *, wide: bool = False, demands: Demands = _ALIKE) -> Texts:
    """Return the one text of all recipients, and another for those whose carriers or country want one."""
    source = _Source(text, settings, wide=wide)
    shared: EncodedText | None = None
    made: dict[int, MadeText] = {}
    for demand in demands.values() or (_NO_DEMAND,):
        if id(demand) in made:
            continue
        one = _make(source, demand)
        if isinstance(one, Refused):
            return Texts(refused=one)
        made[id(demand)] = one
        if shared is None and isinstance(one.text, EncodedText):
            shared = one.text
    apart = {
        index: one for index, demand in demands.items() if (one := made[id(demand)]).findings or one.text != shared
    }
    return Texts(shared=shared, apart=apart)


def encode_own(texts: Mapping[int, str], settings: Settings, *, wide: bool = False, demands: Demands = _ALIKE) -> Texts:
    """Return the own text of each recipient by its index; one that may not be sent refuses all, and is counted."""
    alike: dict[str, list[int]] = {}
    for index, text in texts.items():
        alike.setdefault(text, []).append(index)
    made: dict[int, MadeText] = {}
    for count, (text, indexes) in enumerate(alike.items(), 1):
        source, known = _Source(text, settings, wide=wide), dict[int, MadeText]()
        for index in indexes:
            demand = demands.get(index, _NO_DEMAND)
            one = known.get(id(demand)) or _make(source, demand)
            if isinstance(one, Refused):
                return Texts(refused=replace(one, detail=f"text {count} of {len(alike)}: {one.detail}"))
            known[id(demand)] = made[index] = one
    return Texts(apart=made)


def encode_rows(  # noqa: PLR0913 - all that a row's text depends on
    text: str,
    rows: Mapping[int, tuple[str, Mapping[str, str]]],
    settings: Settings,
    bad: Sequence[_Fault],
    *,
    wide: bool = False,
    demands: Demands = _ALIKE,
) -> Texts:
    """Return a text per row, each of which is its name and values; `bad` are rows that are refused already."""
    template = parse_template(text)
    if isinstance(template, Refused):
        return Texts(refused=template)
    unknown = _find_unknown(template, rows)
    if unknown is not None:
        return Texts(refused=unknown)
    faults = list(bad)
    if template.columns:
        made: dict[int, MadeText] = {}
        for index, (row, values) in rows.items():
            one = _make_row(template, row, values, settings, demands.get(index, _NO_DEMAND), wide=wide)
            if isinstance(one, MadeText):
                made[index] = one
            else:
                faults.append(one)
        texts = Texts(apart=made)
    else:
        texts = encode_shared(text, settings, wide=wide, demands=demands)
        if texts.refused is not None:
            return texts
    if faults:
        named = tuple(fault for _, fault in faults)
        return Texts(refused=Refused(refusal=faults[0][0].refusal, detail=sum_up(named)), faults=named)
    return texts


def _find_unknown(template: TextTemplate, rows: Mapping[int, tuple[str, Mapping[str, str]]]) -> Refused | None:
    known = {column for _, values in rows.values() for column in values}
    unknown = sorted(template.columns - known)
    if not unknown or not rows:
        return None
    columns = ", ".join(sorted(known)) or "none"
    detail = f"there is no column {', '.join(unknown)}; the columns are {columns}"
    return Refused(refusal=Refusal.TEMPLATE_INCOMPLETE, detail=detail)


def _make_row(  # noqa: PLR0913 - as above
    template: TextTemplate,
    row: str,
    values: Mapping[str, str],
    settings: Settings,
    demand: TextDemand,
    *,
    wide: bool,
) -> MadeText | _Fault:
    text = render(template, row, values)
    if isinstance(text, RowFault):
        return Refused(refusal=Refusal.TEMPLATE_INCOMPLETE), text
    made = _make(_Source(text, settings, wide=wide), demand)
    if isinstance(made, Refused):
        return made, RowFault(row=row, text=made.detail)
    return made
