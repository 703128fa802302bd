"""What a benchmark says: samples of one run, a figure with its ratio, and the table of all of them.

Not here: how anything is measured. Ratios only: both sides of a figure were measured alternately in the same run.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


class MissingPeerError(Exception):
    """What a figure is measured against is not here; the text says what, and how to get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement of one side: operations per second of wall time, and CPU microseconds per operation; 0 for none.

    `p50` and `p99` are what half and nearly all of the answers took, in seconds.
    """

    rate: float = 0.0
    cpu: float = 0.0
    p50: float = 0.0
    p99: float = 0.0


@dataclass(frozen=True, slots=True)
class Series:
    """All samples of one side."""

    samples: tuple[Sample, ...]

    @property
    def rate(self) -> float:
        return median(sample.rate for sample in self.samples)

    @property
    def cpu(self) -> float:
        return median(sample.cpu for sample in self.samples)

    @property
    def p50(self) -> float:
        return median(sample.p50 for sample in self.samples)

    @property
    def p99(self) -> float:
        return median(sample.p99 for sample in self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. `goal` is what the ratio must reach: at least, or with `at_most` at most.

    A figure without a ratio tells its value only; one that could not be measured says why in `missing`.
    """

    name: str
    what: str
    ours: str = ""
    peer: str = ""
    ratio: float | None = None
    unit: str = "×"
    goal: float | None = None
    at_most: bool = False
    missing: str = ""

    @property
    def verdict(self) -> str:
        if self.missing:
            return f"not measured: {self.missing}"
        if self.goal is None or self.ratio is None:
            return ""
        met = self.ratio <= self.goal if self.at_most else self.ratio >= self.goal
        return "met" if met else "MISSED"

    @property
    def goal_text(self) -> str:
        if self.goal is None:
            return ""
        return f"{'≤' if self.at_most else '≥'} {short(self.goal)}{self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure: `scale` times the usual number of operations; `full` for G8's 10⁶.

    Each side has `rounds` turns; where that takes longer than `seconds`, no further turn begins, after two at least.
    """

    rounds: int = 5
    seconds: float = 40.0
    scale: float = 1.0
    full: bool = False

    def alternate(self, sides: Mapping[str, Callable[[], Sample]]) -> dict[str, Series]:
        """Measure the sides in turn, A B A B …, so that a busy moment of the machine meets all of them."""
        samples: dict[str, list[Sample]] = {name: [] for name in sides}
        end = time.monotonic() + self.seconds
        for number in range(self.rounds):
            if number >= 2 and time.monotonic() > end:
                break
            for name, measure in sides.items():
                samples[name].append(measure())
        return {name: Series(tuple(taken)) for name, taken in samples.items()}

    def count(self, usual: int, least: int = 20) -> int:
        return max(least, int(usual * self.scale))


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One thing to run: the figures it gives, by name, and what measures them."""

    figures: tuple[str, ...]
    measure: Callable[[Effort], Iterable[Figure]] = field(repr=False)
    seconds: float
    """How long it usually takes; it is left out where less is left of the run, and ended at three times that (20 s at least)."""


def short(value: float) -> str:
    """Return a number with three significant digits and no exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def per_second(series: Series) -> str:
    """Return a side as its rate and its CPU."""
    return f"{short(series.rate)}/s" + (f", {short(series.cpu)} µs" if series.cpu else "")


def answered(series: Series) -> str:
    """Return a side as its rate, its CPU, and what its answers took."""
    return f"{per_second(series)}, p50 {short(series.p50 * 1e3)} ms, p99 {short(series.p99 * 1e3)} ms"


def percentile(values: Sequence[float], share: int) -> float:
    """Return what `share` percent of the values are at most."""
    return sorted(values)[max(0, -(-len(values) * share // 100) - 1)]


def microseconds(series: Series) -> str:
    """Return a side as its CPU."""
    return f"{short(series.cpu)} µs"


def render(figures: Sequence[Figure]) -> str:
    """Return the table."""
    head = ("", "what", "ours", "beside", "ratio", "goal", "")
    lines = [
        (
            figure.name,
            figure.what,
            figure.ours,
            figure.peer,
            "" if figure.ratio is None else f"{short(figure.ratio)}{figure.unit}",
            figure.goal_text,
            figure.verdict,
        )
        for figure in figures
    ]
    widths = [max(len(line[column]) for line in (head, *lines)) for column in range(len(head) - 1)]
    return "\n".join(
        "  ".join((*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1])).rstrip()
        for line in (head, *lines)
    )
