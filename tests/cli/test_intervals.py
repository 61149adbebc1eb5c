"""Tests of the intervals that the benchmark prints."""

import os
import sys

from harness import ROOT, close, equal, test

sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))
from intervals import LEAST, estimate, ranks  # noqa: E402


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


close(needs_icl=False)
