"""How fast the machine is at each moment, by bench_clock: a turn that was taken while it was slow says little."""

import statistics
from pathlib import Path
from typing import Iterable

from contender import Contender
from lineup import Entry

SLOW = 0.9  # of the best rate seen so far
UNITS = {"vectors": "GFLOP/s", "copies": "GB/s", "tiles": "GFLOP/s"}

Rates = dict[str, float]  # by the names of UNITS


def start(program: Path, threads: int, real_time: bool) -> "Clock":
    """The program stays; with real_time it goes before anything else, as the contenders do."""
    return Clock(Contender(Entry("the clock", [str(program), str(threads)], {}), {}, real_time))


class Clock:
    def __init__(self, process: Contender) -> None:
        self._process = process
        self.best: Rates = {}

    def close(self) -> None:
        self._process.close()

    def read(self) -> Rates:
        with self._process.precedence():
            rates = self._process.numbers("rates")
        for name, rate in rates.items():
            self.best[name] = max(rate, self.best.get(name, 0))
        return rates

    def slow(self, rates: Rates) -> list[str]:
        """The names of those that are far below the best."""
        return [name for name, rate in rates.items() if rate < SLOW * self.best[name]]

    def summary(self, used: Iterable[Rates]) -> str:
        """The best rates, and the median in front of the turns that are used."""
        used = list(used)

        def one(name: str) -> str:
            usual = statistics.median(rates[name] for rates in used)
            return f"{name} {self.best[name]:.1f} {UNITS[name]} ({usual:.1f}, {usual / self.best[name]:.2f})"

        return f"clock ({self._process.description}), best and (median of the turns): " + ", ".join(map(one, self.best))
