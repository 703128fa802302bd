"""Fragments become texts: joined in any order, by whichever link, carrier or node each came.

Not here: where fragments wait and what a text causes (gateway.inbound), reading their places (smpp.dialect.fragments).
Standard: 3GPP TS 23.040 §9.2.3.24.1 and §9.2.3.24.8 (concatenation).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from inbound.sms import LatePart
from sms.message import InboundFragment

GAP: Final = "[…]"
"""What stands in a text for fragments that did not come in time."""
LATE_WITHIN: Final = timedelta(hours=24)
"""So long a fragment belongs to a text that went out without it."""

TextName = tuple[str, str, int | None, int]
"""The digits of the handset and of our number, the reference, and how many fragments there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFragment:
    """A fragment as it is stored under `key`."""

    key: int
    fragment: InboundFragment
    received_at: datetime

    @property
    def text_name(self) -> TextName:
        """What all fragments of a text have in common; so may those of another text, since references come again."""
        one = self.fragment
        return text_name(one.source, one.destination, one.reference, one.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextWithGap:
    """An SMS that went out without the fragments of the places `awaited`."""

    sms: LatePart
    text_name: TextName
    awaited: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedText:
    """A text that goes out now: its fragments in the order of their places, and the keys of repeated ones.

    `late`: the SMS that went out without these fragments.
    """

    fragments: tuple[KeptFragment, ...]
    repeated: tuple[int, ...] = ()
    late: TextWithGap | None = None

    @property
    def first(self) -> KeptFragment:
        """The fragment that came first."""
        return self.fragments[0] if len(self.fragments) == 1 else min(self.fragments, key=_arrival)

    @property
    def keys(self) -> tuple[int, ...]:
        """The keys of all fragments that it consists of, repeated ones too."""
        return (*(kept.key for kept in self.fragments), *self.repeated)

    @property
    def missing(self) -> tuple[int, ...]:
        """The places of the fragments that did not come in time; of a late one's text nothing counts as missing."""
        if self.late is not None:
            return ()
        there = {kept.fragment.index for kept in self.fragments}
        return tuple(place for place in range(1, self.first.fragment.total + 1) if place not in there)

    @property
    def text(self) -> str:
        """The whole text, with a mark between blanks for each gap."""
        if not self.missing:
            return "".join(kept.fragment.text for kept in self.fragments)
        whole = ""
        expected = 1
        for kept in self.fragments:
            text = kept.fragment.text
            whole = whole + text if kept.fragment.index == expected else _with_gap(whole) + text.lstrip(" ")
            expected = kept.fragment.index + 1
        is_cut = expected <= self.first.fragment.total
        return (_with_gap(whole) if is_cut else whole).strip(" ")

    def repeats(self, earlier: str) -> bool:
        """Return whether an earlier text has all of this one: a carrier delivered some fragments again."""
        return all(kept.fragment.text.strip(" ") in earlier for kept in self.fragments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many fragments may wait for others, from one handset and in all; beyond it the oldest texts go out."""

    of_phone: int = 512
    in_all: int = 10_000


BOUNDS: Final = Bounds()


@dataclass(slots=True)
class _Opened:
    """A text some fragments of which are there."""

    parts: dict[int, KeptFragment] = field(default_factory=dict)
    repeated: list[int] = field(default_factory=list)

    @property
    def began_at(self) -> datetime:
        return min(kept.received_at for kept in self.parts.values())

    def joined(self, late: TextWithGap | None = None) -> JoinedText:
        parts = tuple(self.parts[place] for place in sorted(self.parts))
        return JoinedText(fragments=parts, repeated=tuple(self.repeated), late=late)


def join(  # noqa: PLR0913 - facts and rules
    kept: Iterable[KeptFragment],
    *,
    now: datetime,
    wait_for: Callable[[InboundFragment], timedelta],
    gaps: Mapping[TextName, TextWithGap],
    is_all: bool = True,
    bounds: Bounds = BOUNDS,
) -> list[JoinedText]:
    """Return the texts that go out now, in the order in which they became whole; other fragments wait.

    A text is waited for as long as `wait_for` says of its fragments, from its first one. `gaps` are texts that went out
    before. Where not all stored fragments were given (`is_all`), none goes out with a gap as long as another is whole.
    """
    opened: dict[TextName, list[_Opened]] = {}
    going: list[JoinedText] = []
    for one in sorted(kept, key=_arrival):
        if one.fragment.total == 1:
            going.append(JoinedText(fragments=(one,)))
        else:
            _take(opened.setdefault(one.text_name, []), one)
    waiting: list[tuple[datetime, str, _Opened]] = []
    for name, texts in opened.items():
        gap, total = gaps.get(name), name[3]
        for text in texts:
            if len(text.parts) == total:
                going.append(text.joined())
            elif gap is not None and gap.awaited.issuperset(text.parts):
                going.append(text.joined(gap))
            else:
                waiting.append((text.began_at, name[0], text))
    if is_all or not going:
        waiting.sort(key=lambda item: item[0])
        going += (text.joined() for text in _over(waiting, now, wait_for, bounds))
    going.sort(key=lambda text: max(map(_arrival, text.fragments)))
    return going


def text_name(source: str, destination: str, reference: int | None, total: int) -> TextName:
    """Return what the fragments of a text have in common; a number with and without plus is the same."""
    return source.removeprefix("+"), destination.removeprefix("+"), reference, total


def _with_gap(text: str) -> str:
    """Return a text with a gap behind it."""
    return f"{text.rstrip(' ')} {GAP} "


def _arrival(kept: KeptFragment) -> tuple[datetime, int]:
    return kept.received_at, kept.key


def _take(texts: list[_Opened], one: KeptFragment) -> None:
    """Put a fragment into the first text that lacks it, or into a new one; the same words at the same place repeat."""
    place, words = one.fragment.index, one.fragment.text
    for text in texts:
        if place in text.parts and text.parts[place].fragment.text == words:
            text.repeated.append(one.key)
            return
    for text in texts:
        if place not in text.parts:
            text.parts[place] = one
            return
    texts.append(_Opened(parts={place: one}))


def _over(
    waiting: Sequence[tuple[datetime, str, _Opened]],
    now: datetime,
    wait_for: Callable[[InboundFragment], timedelta],
    bounds: Bounds,
) -> Iterator[_Opened]:
    """Yield what waited long enough, or has no room; `waiting` is in the order of their first fragments."""
    held = Counter[str]()
    for _, phone, text in waiting:
        held[phone] += len(text.parts)
    total = held.total()
    for began_at, phone, text in waiting:
        first = next(iter(text.parts.values())).fragment
        if now - began_at >= wait_for(first) or held[phone] > bounds.of_phone or total > bounds.in_all:
            held[phone] -= len(text.parts)
            total -= len(text.parts)
            yield text
