"""Which turns of a benchmark count, and how well its figures are known; nothing is timed."""

import os
import sys
from contextlib import nullcontext

from harness import ROOT, close, contains, equal, test

sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))
import turns
from clock import Clock
from contender import Turn
from intervals import LEAST, estimate, ranks

turns.PAUSE = 0


@test
def ranks_are_those_of_the_sign_test():
  # Tables of the sign test at 5 %, both sides, have the largest number of the rarer sign: 0 of 6, 1 of 9, 5 of 20, ...
  for count, rarer in (6, 0), (8, 0), (9, 1), (12, 2), (15, 3), (17, 4), (20, 5), (24, 6), (25, 7):
    equal(ranks(count), (rarer, count - 1 - rarer))


@test
def five_values_are_too_few():
  equal([ranks(count) for count in range(6)], [None] * 6)
  equal(LEAST, 6)
  few = estimate([1.2, 1.0, 1.1])
  equal((few.median, few.low, few.high, few.known, few.precise), (1.1, 1.0, 1.2, False, False))


@test
def extreme_values_do_not_widen_an_interval():
  values = [5.0, 2.0, 2.02, 1.98, 2.01, 1.99, 2.0, 2.0, 0.1]
  one = estimate(values)
  equal((one.median, one.low, one.high, one.known), (2.0, 1.98, 2.02, True))
  equal(str(one), "2.00 (1.98..2.02)")


@test
def precise_is_within_five_percent_on_either_side():
  for spread, precise in (0.09, True), (0.11, False):
    equal(estimate([2.0] * 5 + [2 + spread] * 4).precise, precise)
    equal(estimate([2.0] * 5 + [2 - spread] * 4).precise, precise)


class Steps:
  """Stands for a contender: its turns take the seconds and see the other load that are listed, then the last ones."""

  label = "steps"

  def __init__(self, seconds, foreign=(0,)):
    self.seconds, self.foreign, self.loss, self.taken = list(seconds), list(foreign), 9.0, 0

  def steps(self, count):
    self.loss -= 0.01
    if count == 1:  # before the turns and behind them
      return Turn([1.0], self.loss, 0)
    second = self.seconds[min(self.taken, len(self.seconds) - 1)]
    foreign = self.foreign[min(self.taken, len(self.foreign) - 1)]
    self.taken += 1
    return Turn([second] * count, self.loss, foreign)


def clock(*rates):
  """A clock that shows these, then the last one again and again."""
  rates = list(rates)

  class Program:
    description = "none"

    def numbers(self, request):
      equal(request, "rates")
      return {"vectors": rates.pop(0) if len(rates) > 1 else rates[0]}

    def precedence(self):
      return nullcontext()

  return Clock(Program())


def ratios(seconds):
  return [other / own for own, other in zip(*seconds)]


def match(contenders, at, least=8, most=24):
  made = turns.Match(contenders, at)
  made.play(turns.Limits(least, most, 600), ratios if len(contenders) > 1 else None)
  return made


@test
def rounds_go_on_until_the_ratio_is_known():
  steady = match([Steps([1]), Steps([2])], clock(100))
  equal(len(steady.seconds()[0]), 8)
  uneven = match([Steps([1]), Steps([2, 1, 3, 2, 1, 3, 2, 1] + [2])], clock(100))
  count = len(uneven.seconds()[0])
  assert 8 < count < 24, count
  assert estimate(ratios(uneven.seconds())).precise
  never = match([Steps([1]), Steps([1, 2] * 12)], clock(100))
  equal(len(never.seconds()[0]), 24)
  equal(estimate(ratios(never.seconds())).precise, False)


@test
def turns_with_other_load_are_repeated():
  steps = Steps([5, 1], foreign=[0.5, 0])
  contains(match([steps], clock(100), least=1).summary(), "1 of 1", "repeated: 1 for other load;", "to the last: 0")
  equal(steps.taken, 2)


@test
def turns_wait_while_the_clock_is_slow():
  steps = Steps([1])
  made = match([steps], clock(100, 89, 91), least=2)
  equal(steps.taken, 2)
  contains(made.summary(), "fast clock: 2 of 2", "repeated: 1 for slow vectors;")


@test
def a_turn_that_is_never_quiet_is_taken_at_last():
  slow = Steps([1])
  made = match([slow], clock(100, 50), least=2)
  equal(slow.taken, 2)
  contains(made.summary(), "fast clock: 1 of 2", f"repeated: {turns.TRIES - 1} for slow vectors;", "to the last: 1")
  loaded = Steps([7, 6, 5, 4, 3, 2], foreign=[0.9, 0.8, 0.7, 0.1, 0.5, 0.6])
  made = match([loaded], clock(100), least=1)
  equal(made.seconds(), [[4]])
  contains(made.summary(), "fast clock: 0 of 1; too few, so all of them count")


@test
def a_clock_that_was_slow_from_the_beginning_is_found_out_later():
  made = match([Steps([3, 1])], clock(50, 100), least=2)
  equal(made.seconds(), [[1]])


close(needs_icl=False)
