"""The median of measured values, and between which two of them the median of all that could be measured lies."""

import statistics
from dataclasses import dataclass
from math import comb
from typing import Sequence

CONFIDENCE = 0.95
PRECISION = 0.05  # of the median, on either side


def ranks(count: int) -> tuple[int, int] | None:
    """Which of so many sorted values, counted from 0, have the median between them with CONFIDENCE at least. A value is
    below the median as often as a coin falls on one side. None: they are too few."""
    outside = (1 - CONFIDENCE) / 2 * 2**count
    low, ways = 0, 1
    while ways <= outside:
        low += 1
        ways += comb(count, low)
    return (low - 1, count - low) if low > 0 else None


LEAST = next(count for count in range(1, 100) if ranks(count))  # values that have an interval


@dataclass(frozen=True)
class Estimate:
    """A median and its interval; without enough values, all of them lie in it and it is not `known`."""

    median: float
    low: float
    high: float
    known: bool

    @property
    def precise(self) -> bool:
        margin = PRECISION * self.median
        return self.known and self.high - self.median <= margin and self.median - self.low <= margin

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}..{self.high:.2f})"

    @property
    def meaning(self) -> str:
        """What the parentheses are."""
        if not self.known:
            return f"smallest and largest; an interval takes {LEAST} rounds"
        reached = "" if self.precise else "NOT "
        return f"{CONFIDENCE:.0%} interval, {reached}within {PRECISION:.0%} of the median"


def estimate(values: Sequence[float]) -> Estimate:
    ordered, found = sorted(values), ranks(len(values))
    low, high = found or (0, -1)
    return Estimate(statistics.median(ordered), ordered[low], ordered[high], found is not None)
