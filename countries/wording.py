"""What the rules of a country want of a text, and what one text breaks.

Pure; a text is looked at before it is encoded (`look_at`) and after (`judge_encoded`). Not here: which rules count
(judge), what links and hints are (contents), encoding and cutting (gateway.encode).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, NamedTuple

from countries.book import Mode, RuleInForce
from countries.contents import Contents, is_shortener
from countries.findings import Effect, Finding
from countries.rules import BY_SENDER_TYPE, KindOfSender, RuleName
from sms.message import Alphabet, EncodedText
from sms.outcome import Refusal, Refused
from sms.parts import payload_of
from sms.settings import UseCase

# From the laxest to the strictest.
_STRICTNESS: Final = ("any", "no-shorteners", "allow-list", "forbidden")
_OF_WORDS: Final = frozenset({RuleName.TEXT_PREFIX, RuleName.TEXT_SUFFIX, RuleName.OPT_OUT})
_REQUIRED: Final = "required"
_FIRST_PART: Final = "first-part"
_USUAL_LENGTH: Final = "160/70"
_HEADER: Final = MappingProxyType({Alphabet.GSM7: 7, Alphabet.UCS2: 3})
"""What the header of a part of several takes, in septets and in units of 16 bits (3GPP TS 23.040 §9.2.3.24.1)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wording:
    """What the rules of a country want of texts, of each name the strictest one; equal to itself alone.

    `brand` and `opt_out` are the customer's; `is_opt_out_due` says that a text ought to have one. What is applied to
    the encoding: the most parts (0: any number), GSM-7 alone, characters that are lacking, and the most septets and
    units that one part alone may have.
    """

    country: str
    rules: Mapping[RuleName, RuleInForce]
    brand: str
    opt_out: str
    is_opt_out_due: bool
    most_parts: int = 0
    gsm7_only: bool = False
    lacking: frozenset[str] = frozenset()
    most_in_part: tuple[int, int] | None = None
    limits_encoding: bool = field(init=False)
    wants_words: bool = field(init=False)
    links: RuleInForce | None = field(init=False)
    phone_numbers: RuleInForce | None = field(init=False)
    bans: RuleInForce | None = field(init=False)
    shapes: tuple["Shape", ...] = field(init=False)

    def __post_init__(self) -> None:
        """Know what each text is asked, since a text is asked in a hot path."""
        limits = self.most_parts or self.gsm7_only or self.lacking or self.most_in_part
        object.__setattr__(self, "limits_encoding", bool(limits))
        object.__setattr__(self, "wants_words", not _OF_WORDS.isdisjoint(self.rules))
        object.__setattr__(self, "links", self.rules.get(RuleName.URLS))
        object.__setattr__(self, "phone_numbers", self.rules.get(RuleName.PHONE_NUMBERS))
        object.__setattr__(self, "bans", self.rules.get(RuleName.CONTENT_BANS))
        shapes = [(rule, _BREAKS[name]) for name, rule in self.rules.items() if name in _BREAKS]
        object.__setattr__(self, "shapes", tuple(Shape(rule, breaks, _is_noted(rule)) for rule, breaks in shapes))


class Shape(NamedTuple):
    """A rule about the shape of a text, what breaks it, and whether it is only noted that a text does."""

    rule: RuleInForce
    breaks: Callable[[EncodedText, str], bool]
    is_noted: bool


class WordingVerdict(NamedTuple):
    """What comes of a text before it is encoded: words to be put around it, or why it can't go."""

    before: str = ""
    after: str = ""
    findings: tuple[Finding, ...] = ()
    refused: Refused | None = None


NOTHING_SEEN: Final = WordingVerdict()


def wording_of(  # noqa: PLR0913 - what a text is judged by
    country: str,
    rules: Mapping[RuleName, Sequence[RuleInForce]],
    kind: KindOfSender | None,
    use_case: UseCase,
    *,
    brand: str,
    opt_out: str,
) -> Wording | None:
    """Return what the rules of a country want of texts from a kind of sender ID, None where they want nothing."""
    is_due = use_case is UseCase.MARKETING or kind is KindOfSender.SHORT
    chosen = {name: rule for name, said in rules.items() if (rule := _about_texts(name, said, kind)) is not None}
    parts = chosen.get(RuleName.CONCATENATION)
    if parts is not None and parts.value == BY_SENDER_TYPE:
        # Nobody says which kinds: it can only be told.
        chosen[RuleName.CONCATENATION] = replace(parts, mode=Mode.NOTE)
    if not is_due:
        chosen.pop(RuleName.OPT_OUT, None)
    if not chosen:
        return None
    applied = {name: rule.value for name, rule in chosen.items() if rule.mode is Mode.APPLY}
    septets, _, units = applied.get(RuleName.MAX_LENGTH, "").partition("/")
    return Wording(
        country=country,
        rules=MappingProxyType(chosen),
        brand=brand,
        opt_out=opt_out,
        is_opt_out_due=is_due,
        most_parts=1 if RuleName.CONCATENATION in applied else _most_parts(applied.get(RuleName.MAX_PARTS, "0")),
        gsm7_only=RuleName.UCS2 in applied,
        lacking=frozenset(applied.get(RuleName.CHARACTERS, "")),
        most_in_part=(int(septets), int(units)) if septets else None,
    )


def _about_texts(name: RuleName, said: Sequence[RuleInForce], kind: KindOfSender | None) -> RuleInForce | None:
    """Return the strictest rule of a name that is about texts and wants something of them."""
    wants = _WANTS.get(name)
    if wants is None:
        return None
    found = [rule for rule in said if wants(rule.value, kind)]
    return min(found, key=lambda rule: (_is_only_told(rule), _laxity(name, rule.value)), default=None)


def _is_only_told(rule: RuleInForce) -> bool:
    return rule.mode is Mode.NOTE or rule.value == BY_SENDER_TYPE


def _laxity(name: RuleName, value: str) -> int:
    if name is RuleName.URLS:
        return -_STRICTNESS.index(value)
    if name is RuleName.MAX_PARTS:
        return _most_parts(value)
    if name is RuleName.CONCATENATION:
        return int(value == BY_SENDER_TYPE)
    return int(value.partition("/")[0]) if name is RuleName.MAX_LENGTH else 0


def _most_parts(value: str) -> int:
    return int(value.rpartition(" ")[2])


def _counts_for(value: str, kind: KindOfSender | None) -> bool:
    """Return whether a rule that may begin with a kind of sender ID is about one of this kind."""
    named = value.rpartition(" ")[0]
    return not named or named == kind


_WANTS: Final[Mapping[RuleName, Callable[[str, KindOfSender | None], bool]]] = MappingProxyType(
    {
        RuleName.TEXT_PREFIX: lambda _value, _kind: True,
        RuleName.TEXT_SUFFIX: lambda _value, _kind: True,
        RuleName.OPT_OUT: lambda _value, _kind: True,
        RuleName.URLS: lambda value, _kind: value != "any",
        RuleName.PHONE_NUMBERS: lambda _value, _kind: True,
        RuleName.CONTENT_BANS: lambda _value, _kind: True,
        RuleName.MAX_PARTS: _counts_for,
        RuleName.CONCATENATION: lambda value, kind: value in {"no", f"not {kind}", BY_SENDER_TYPE},
        RuleName.UCS2: lambda value, _kind: value == "no",
        RuleName.ALPHA_UCS2: lambda value, kind: kind is KindOfSender.NAME and value != "yes",
        RuleName.CHARACTERS: lambda _value, _kind: True,
        RuleName.MAX_LENGTH: lambda value, _kind: value != _USUAL_LENGTH,
        RuleName.RECEIPTS: lambda value, _kind: value == _FIRST_PART,
    }
)


def is_about_text(finding: Finding) -> bool:
    """Return whether it depends on the text of a message what was found."""
    if finding.rule is RuleName.RECEIPTS:
        return finding.value == _FIRST_PART
    return finding.rule in _WANTS


def look_at(contents: Contents, wording: Wording, *, is_fixed: bool = False) -> WordingVerdict:
    """Return what comes of a text before it is encoded.

    One that is fixed, since its sender divided it, is never changed: what it lacks is noted.
    """
    broken = _broken_by(contents, wording)
    if not (broken or wording.wants_words):
        return NOTHING_SEEN
    findings: list[Finding] = []
    refused = None
    for rule, what, refuses in broken:
        is_refused = refuses and rule.mode is Mode.APPLY
        findings.append(Finding(rule.name, Effect.REFUSED if is_refused else Effect.NOTED, f"{rule.value}: {what}"))
        if is_refused and refused is None:
            detail = f"{wording.country}: the country's networks block a text with {what} ({rule.name}: {rule.value})"
            refused = Refused(refusal=Refusal.CONTENT_NOT_ALLOWED, detail=detail)
    before: list[str] = []
    after: list[str] = []
    for rule, words, missing, where in _words_of(contents, wording):
        is_put = rule.mode is Mode.APPLY and not missing and not is_fixed
        if is_put:
            (before if where is RuleName.TEXT_PREFIX else after).append(words)
        is_ours = rule.mode is Mode.APPLY and missing
        value = f"{rule.value} (the setting {missing} is empty)" if is_ours else rule.value
        findings.append(Finding(rule.name, Effect.CHANGED if is_put else Effect.NOTED, value))
    if (opt_out := wording.rules.get(RuleName.OPT_OUT)) is not None and opt_out.value != _REQUIRED:
        findings.append(Finding(opt_out.name, Effect.NOTED, opt_out.value))
    return WordingVerdict(" ".join(before), " ".join(after), tuple(findings), refused)


def _broken_by(contents: Contents, wording: Wording) -> list[tuple[RuleInForce, str, bool]]:
    """Return each rule that a text breaks by what is in it, what that is, and whether the rule can refuse for it."""
    found = []
    if (links := wording.links) is not None and (hosts := contents.links):
        short = [host for host in hosts if is_shortener(host)]
        if links.value == "forbidden":
            found.append((links, f"a link ({hosts[0]})", True))
        elif short:
            found.append((links, f"a shortened link ({short[0]})", True))
        elif links.value == "allow-list":
            # Who is on the list is between the customer and the networks.
            found.append((links, f"a link ({hosts[0]})", False))
    if (phones := wording.phone_numbers) is not None and contents.phone_number:
        found.append((phones, "a telephone number", True))
    if (bans := wording.bans) is not None and (hints := contents.hints(bans.value)):
        found.append((bans, ", ".join(hints), False))
    return found


def _offers_opt_out(contents: Contents, wording: Wording) -> bool:
    """Return whether a text tells how to stop, in the customer's own words or in any."""
    own = wording.opt_out.casefold()
    return bool(own and own in contents.text.casefold()) or contents.tells_to_stop


def _words_of(contents: Contents, wording: Wording) -> Iterator[tuple[RuleInForce, str, str, RuleName]]:
    """Yield each rule whose words a text lacks, the words, the setting that is missing for them, and their place."""
    rules, is_offered = wording.rules, False
    for name in (RuleName.TEXT_PREFIX, RuleName.TEXT_SUFFIX):
        rule = rules.get(name)
        if rule is None:
            continue
        wants_opt_out = "{opt_out}" in rule.value
        if (wants_opt_out and _offers_opt_out(contents, wording)) or _has_words(contents.text, rule, wording):
            continue
        missing = ", ".join(
            setting
            for setting, value in (("brand", wording.brand), ("opt_out_text", wording.opt_out))
            if not value and f"{{{setting.removesuffix('_text')}}}" in rule.value
        )
        words = _filled(rule, wording)
        is_offered |= wants_opt_out or contents.offers_stop(words)
        yield rule, words, missing, name
    opt_out = rules.get(RuleName.OPT_OUT)
    if opt_out is not None and opt_out.value == _REQUIRED and not (is_offered or _offers_opt_out(contents, wording)):
        yield opt_out, wording.opt_out, "" if wording.opt_out else "opt_out_text", RuleName.TEXT_SUFFIX


def _filled(rule: RuleInForce, wording: Wording) -> str:
    filled = rule.value.replace("{brand}", wording.brand).replace("{opt_out}", wording.opt_out)
    return " ".join(filled.split())


def _has_words(text: str, rule: RuleInForce, wording: Wording) -> bool:
    words, said = _filled(rule, wording).casefold(), " ".join(text.casefold().split())
    if not words:
        return False
    return said.startswith(words) if rule.name is RuleName.TEXT_PREFIX else said.rstrip(" .!").endswith(words)


def judge_encoded(plain: EncodedText, encoded: EncodedText, wording: Wording) -> tuple[Finding, ...]:
    """Return what a country does to a text that goes out as `encoded`, and as `plain` where it has no rules."""
    findings = []
    for rule, breaks, is_noted in wording.shapes:
        if is_noted:
            is_broken = breaks(encoded, rule.value)
        elif rule.name in _CUTTING:
            is_broken = len(encoded.cut) > len(plain.cut)
        else:
            is_broken = breaks(plain, rule.value)
        if is_broken:
            findings.append(Finding(rule.name, Effect.NOTED if is_noted else Effect.CHANGED, rule.value))
    return tuple(findings)


def _is_noted(rule: RuleInForce) -> bool:
    return rule.mode is Mode.NOTE or rule.name in _ONLY_TOLD


def judge_joined(wording: Wording) -> tuple[Finding, ...]:
    """Return what a country does to one part of several that its sender divided: nothing but notes."""
    rules = [shape.rule for shape in wording.shapes if shape.rule.name in _OF_SEVERAL]
    return tuple(Finding(rule.name, Effect.NOTED, rule.value) for rule in rules)


def _used(text: EncodedText) -> Iterable[int]:
    """Yield the septets, or units of 16 bits, of each part with its header."""
    start, header = 0, _HEADER[text.alphabet] if len(text.lengths) > 1 else 0
    size = 2 if text.alphabet is Alphabet.UCS2 else 1
    for length in text.lengths:
        piece = text.text[start : start + length]
        start += length
        yield len(payload_of(piece, text.alphabet, text.shifts)) // size + header


def _is_longer(text: EncodedText, value: str) -> bool:
    septets, _, units = value.partition("/")
    most = int(units if text.alphabet is Alphabet.UCS2 else septets)
    return any(used > most for used in _used(text))


def _has_any(text: str, characters: str) -> bool:
    for char in characters:  # noqa: SIM110 - half the time of any() on the way of each text
        if char in text:
            return True
    return False


_ONLY_TOLD: Final = frozenset({RuleName.RECEIPTS, RuleName.ALPHA_UCS2})
_CUTTING: Final = frozenset({RuleName.MAX_PARTS, RuleName.CONCATENATION})
_OF_SEVERAL: Final = frozenset({RuleName.CONCATENATION, RuleName.RECEIPTS})
_BREAKS: Final[Mapping[RuleName, Callable[[EncodedText, str], bool]]] = MappingProxyType(
    {
        RuleName.MAX_PARTS: lambda text, value: len(text.lengths) > _most_parts(value),
        RuleName.CONCATENATION: lambda text, _value: len(text.lengths) > 1,
        RuleName.RECEIPTS: lambda text, _value: len(text.lengths) > 1,
        RuleName.UCS2: lambda text, _value: text.alphabet is Alphabet.UCS2,
        RuleName.ALPHA_UCS2: lambda text, _value: text.alphabet is Alphabet.UCS2,
        RuleName.CHARACTERS: lambda text, value: _has_any(text.text, value),
        RuleName.MAX_LENGTH: _is_longer,
    }
)
