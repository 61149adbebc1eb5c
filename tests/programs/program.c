/* program.c - questions about a program that need no engine. */
#include "program.h"

#include <string.h>

bool gives_value(instruction_kind kind) {
  static const bool gives[] = {
#define X(name, value) value,
      KIND_TABLE(X)
#undef X
  };
  return gives[kind];
}

int64_t count_of(const instruction *i) {
  int64_t count = 1;
  for (int axis = 0; axis < i->rank; axis++)
    count *= i->shape[axis];
  return count;
}

bool is_packed(const char *op) {
  return !strcmp(op, "bn_sums") || !strcmp(op, "bn_coefficients") || !strcmp(op, "bn_inference");
}

static uint32_t hash(uint32_t a, uint32_t b) {
  uint32_t h = a * 0x9e3779b9u ^ b * 0x85ebca6bu;
  h = (h ^ h >> 16) * 0x7feb352du;
  h = (h ^ h >> 15) * 0x846ca68bu;
  return h ^ h >> 16;
}

/* With three digits: short in print, and not exact in binary, so that sums are seldom exactly 0. */
static double between(uint32_t h, double least, double most) {
  int64_t first = (int64_t)(least * 1000), last = (int64_t)(most * 1000);
  return (double)(first + h % (last - first + 1)) / 1000;
}

/* Place k of a permutation: multiples of a step that has no factor in common with the count. */
static double permuted(uint32_t seed, int64_t count, int64_t k) {
  int64_t step = 1 + seed % 7;
  for (;; step++) {
    int64_t a = count, b = step;
    while (b) {
      int64_t rest = a % b;
      a = b;
      b = rest;
    }
    if (a == 1)
      return (double)((k * step + seed / 7 % (uint32_t)count) % count);
  }
}

static double weight_in_row(uint32_t seed, int64_t k) { return 1 + hash(seed, (uint32_t)k) % 4; }

double element_of(const instruction *i, int turn, int64_t k) {
  uint32_t seed = i->seed + (i->varies ? 1000003u * (uint32_t)turn : 0), h = hash(seed, (uint32_t)k);
  double sign = h >> 31 ? -1 : 1, sum = 0;
  switch (i->values) {
  case SIGNED:
    return sign * between(h >> 1, 0.125, 2);
  case POSITIVE:
    return between(h, 0.5, 2);
  case WEIGHTS:
    return sign * between(h >> 1, 0.0625, 0.5);
  case INTEGERS:
    return h % i->most;
  case PERMUTATION:
    return permuted(seed, count_of(i), k);
  case DISTRIBUTION: {
    int32_t columns = i->shape[i->rank - 1];
    for (int32_t j = 0; j < columns; j++)
      sum += weight_in_row(seed, k - k % columns + j);
    return (double)(float)(weight_in_row(seed, k) / sum);
  }
  case KEY:
    return h;
  case EXACTLY:
    return i->number;
  }
  return 0;
}

int end_of(const program *p, int begin) {
  int end = begin;
  while (end < p->count - 1 && p->list[end].kind != DO_END)
    end++;
  return end;
}
