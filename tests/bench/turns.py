"""Turns that contenders take side by side, a few steps each, so that a drift of the machine hits all of them alike; and
the rounds of turns that count."""

import math
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Callable, Sequence

from clock import Clock, Rates
from contender import Contender, Turn
from intervals import LEAST, estimate

TURN_SECONDS = 0.6  # about; long enough for the ticks of /proc/stat to show 4 % of two cores
MOST_STEPS = 500  # in a turn
FOREIGN_LIMIT = 0.04
TRIES = 6  # at a turn, while other processes take more than FOREIGN_LIMIT of the cores or the clock is slow
PAUSE = 0.5  # seconds between them

Ratios = Callable[[list[list[float]]], list[float]]  # one for each round, from what Match.seconds() returns


@dataclass(frozen=True)
class Limits:
    """How many rounds there are."""

    least: int
    most: int
    seconds: float  # after which no round begins, if there are enough


@dataclass(frozen=True)
class Taken:
    """A turn, and what the clock said in front of it."""

    turn: Turn
    rates: Rates


def few_steps(contender: Contender) -> tuple[float, float]:
    """Mean loss and least seconds of four steps. Labels differ from step to step, so one loss says little."""
    turns = [contender.steps(1) for _ in range(4)]
    return statistics.mean(turn.loss for turn in turns), min(turn.seconds[0] for turn in turns)


class Match:
    def __init__(self, contenders: Sequence[Contender], clock: Clock, evaluates: bool = False) -> None:
        """`evaluates`: a step is a forward pass; otherwise the loss must fall."""
        self._contenders, self._clock, self._evaluates = contenders, clock, evaluates
        self._rounds: list[list[Taken]] = []
        self._repeated: Counter[str] = Counter()  # tries at turns, by what spoilt them

    def play(self, limits: Limits, ratios: Ratios | None = None) -> None:
        """Takes turns until the median of the ratios is known well, if there are any."""
        first_losses, counts = [], []
        for contender in self._contenders:
            loss, seconds = few_steps(contender)
            first_losses.append(loss)
            counts.append(min(MOST_STEPS, max(2, round(TURN_SECONDS / seconds))))
        end = time.monotonic() + limits.seconds
        while len(self._rounds) < limits.least or (
                len(self._rounds) < limits.most and time.monotonic() < end and not self._settled(ratios)):
            self._rounds.append([self._take(c, count) for c, count in zip(self._contenders, counts)])
        for contender, first in zip(self._contenders, first_losses):
            self._check(contender, first)

    def seconds(self) -> list[list[float]]:
        """Of a step, for each contender, in each round that counts."""
        return [[statistics.median(taken.turn.seconds) for taken in turns] for turns in zip(*self._counted())]

    def summary(self) -> str:
        """How quiet the machine was."""
        quiet, counted = len(self._quiet()), self._counted()
        turns = [taken for turns in self._rounds for taken in turns]
        disturbed = sum(not self._undisturbed(taken) for taken in turns)
        repeated = ", ".join(f"{count} for {reason}" for reason, count in self._repeated.most_common())
        return "\n".join([
            f"rounds without other load and with a fast clock: {quiet} of {len(self._rounds)}"
            + ("" if len(counted) == quiet else "; too few, so all of them count"),
            f"turns: {len(turns)}; repeated: {repeated or 'none'}; disturbed to the last: {disturbed}",
            self._clock.summary(taken.rates for turns in counted for taken in turns),
        ])

    def _take(self, contender: Contender, count: int) -> Taken:
        """The first turn that nothing disturbs; if there is none, the one that other processes disturbed least. While
        the clock is slow it is put off, as long as there are tries left."""
        played: list[Taken] = []
        for left in reversed(range(TRIES)):
            rates = self._clock.read()
            slow = self._clock.slow(rates)
            if not slow or (left == 0 and not played):
                played.append(Taken(contender.steps(count), rates))
                if slow or played[-1].turn.foreign <= FOREIGN_LIMIT:
                    break
            if left > 0:
                self._repeated["slow " + " and ".join(slow) if slow else "other load"] += 1
                time.sleep(PAUSE)
        return min(played, key=lambda taken: taken.turn.foreign)

    def _undisturbed(self, taken: Taken) -> bool:
        return taken.turn.foreign <= FOREIGN_LIMIT and not self._clock.slow(taken.rates)

    def _quiet(self) -> list[list[Taken]]:
        return [turns for turns in self._rounds if all(map(self._undisturbed, turns))]

    def _counted(self) -> list[list[Taken]]:
        """The quiet rounds; all where an interval is possible, but not of the quiet ones alone."""
        quiet, needed = self._quiet(), LEAST if len(self._rounds) >= LEAST else 1
        return quiet if len(quiet) >= needed else self._rounds

    def _settled(self, ratios: Ratios | None) -> bool:
        if not ratios:
            return True
        return len(self._quiet()) >= LEAST and estimate(ratios(self.seconds())).precise

    def _check(self, contender: Contender, first: float) -> None:
        last, _ = few_steps(contender)
        if self._evaluates and not math.isfinite(last):
            sys.exit(f"compare.py: {contender.label} computes no numbers: {last}")
        if not self._evaluates and not last < first:
            sys.exit(f"compare.py: {contender.label} does not learn: its loss went from {first} to {last}")
