/* setup.c - from a row of the case table to inputs, attributes and a recorded op. */
#include "ops_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "ops/ops.h"

double noise(uint32_t sequence, int64_t index) {
  uint32_t h = sequence * 0x9e3779b9u ^ (uint32_t)index * 0x85ebca6bu;
  h = (h ^ h >> 16) * 0x7feb352du;
  h = (h ^ h >> 15) * 0x846ca68bu;
  return (double)(h ^ h >> 16) / 2147483648.0 - 1;
}

/* ---- kinds of values: element k of an input; `argument` is what follows the "=" of the kind ---- */

#define KIND(name) static double name(const test_input *in, uint32_t seed, int64_t k, double argument)

static double integer(uint32_t seed, int64_t k, double least, double most) {
  return least + floor((noise(seed, k) + 1) / 2 * (most - least + 1));
}

KIND(any) {
  (void)argument;
  if (icl__is_float(in->dtype))
    return 2 * noise(seed, k);
  return in->dtype == ICL_BOOL ? noise(seed, k) > 0 : integer(seed, k, in->dtype == ICL_U8 ? 0 : -9, 9);
}

KIND(positive) {
  (void)argument;
  return icl__is_float(in->dtype) ? 1.5 + noise(seed, k) : integer(seed, k, 1, 9);
}

/* Not near 0, where formulas have kinks and poles. */
KIND(away) {
  double size = positive(in, seed, k, argument);
  return noise(seed + 1, k) < 0 && in->dtype != ICL_U8 ? -size : size;
}

static int64_t common_factor(int64_t a, int64_t b) { return b ? common_factor(b, a % b) : a; }

/* In disorder, and so far apart that no small step changes their order; exact in bf16 up to 512 elements. Multiples of
 * a step without a factor in common with `count` reach every remainder once. */
KIND(distinct) {
  (void)seed, (void)argument;
  int64_t step = 2;
  while (step * step < in->count || common_factor(in->count, step) != 1)
    step++;
  return (double)(k * step % in->count - in->count / 2) / 16;
}

/* Not near any of them. */
KIND(between) { return distinct(in, seed, k, argument) + 1.0 / 32; }

/* Many equal ones. */
KIND(ties) {
  (void)in, (void)argument;
  return integer(seed, k, -1, 1);
}

KIND(special) {
  static const double numbers[] = {NAN,  INFINITY, -INFINITY, 0.0,   -0.0, 1e30, -1e30, 1e-30, -1e-30, 1,
                                   -1.5, 0.5,      88,        -88.5, -104, 2.5,  -2.5,  3e-39, 100,    -7};
  (void)in, (void)seed, (void)argument;
  return numbers[k % (int64_t)(sizeof numbers / sizeof *numbers)];
}

/* Integers from 0 to argument - 1: labels, indices, bytes. */
KIND(below) {
  (void)in;
  return integer(seed, k, 0, argument - 1);
}

KIND(is) {
  (void)in, (void)seed, (void)k;
  return argument;
}

/* The four words of a Philox key. */
KIND(key) {
  (void)in, (void)argument;
  return floor((noise(seed, k) + 1) / 2 * 4294967296.0);
}

#undef KIND

static const struct {
  const char *name;
  double (*value)(const test_input *in, uint32_t seed, int64_t k, double argument);
} kinds[] = {
    {"any", any},         {"positive", positive},
    {"away", away},       {"distinct", distinct},
    {"between", between}, {"ties", ties},
    {"special", special}, {"below", below},
    {"is", is},           {"distribution", positive},
    {"key", key},
};

/* ---- parsing ---- */

static bool wrong(const test_case *row, const char *what, const char *text) {
  printf("failed: cases.def:%d: %s '%s'\n", row->line, what, text);
  return false;
}

static uint32_t seed_of(const char *text) {
  uint32_t seed = 5381;
  while (*text)
    seed = seed * 33 + (uint8_t)*text++;
  return seed;
}

/* Each row sums to 1. */
static void normalize_rows(test_input *in) {
  int32_t columns = in->shape[in->rank - 1];
  for (int64_t first = 0; first < in->count; first += columns) {
    double sum = 0;
    for (int32_t i = 0; i < columns; i++)
      sum += in->values[first + i];
    for (int32_t i = 0; i < columns; i++)
      in->values[first + i] /= sum;
  }
}

static bool make_values(test_input *in, const test_case *row, const char *kind, double argument, uint32_t seed) {
  in->values = calloc((size_t)in->count + 1, sizeof *in->values);
  in->data = calloc((size_t)in->count + 1, icl_dtype_bytes(in->dtype));
  if (!in->values || !in->data)
    return wrong(row, "no memory for", row->inputs);
  in->whole = !strcmp(kind, "key");
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (!strcmp(kinds[i].name, kind)) {
      for (int64_t k = 0; k < in->count; k++)
        in->values[k] = kinds[i].value(in, seed, k, argument);
      if (!strcmp(kind, "distribution"))
        normalize_rows(in);
      icl__convert(ICL_F64, in->values, in->dtype, in->data, in->count);
      icl__convert(in->dtype, in->data, ICL_F64, in->values, in->count);
      return true;
    }
  return wrong(row, "there is no kind of values", kind);
}

/* "dtype:sizes:kind=argument", after "!" where no gradient is checked; "number=0.5" */
static bool parse_input(test_setup *setup, char *word, icl_dtype wide) {
  test_input *in = &setup->in[setup->inputs++];
  bool real = *word != '!';
  word += !real;
  char *sizes = strchr(word, ':'), *kind = sizes ? strchr(sizes + 1, ':') : NULL, *argument = strchr(word, '=');
  uint32_t seed = seed_of(setup->row->op) + (uint32_t)setup->inputs * 100;
  if (argument)
    *argument++ = '\0';
  if (!sizes) {
    *in = (test_input){.dtype = ICL_F64, .count = 1, .number = true};
    return !strcmp(word, "number") && argument ? make_values(in, setup->row, "is", strtod(argument, NULL), seed)
                                               : wrong(setup->row, "cannot read the input", word);
  }
  *sizes++ = '\0';
  if (kind)
    *kind++ = '\0';
  if (!strcmp(word, "x"))
    in->dtype = setup->x;
  else if (!strcmp(word, "f32"))
    in->dtype = wide;
  else if (icl_dtype_find(word, &in->dtype) != ICL_OK)
    return wrong(setup->row, "there is no dtype", word);
  in->count = 1;
  for (char *end; *sizes; sizes = *end == ',' ? end + 1 : end) {
    in->shape[in->rank] = (int32_t)strtol(sizes, &end, 10);
    if (end == sizes || in->rank == ICL_MAX_RANK)
      return wrong(setup->row, "cannot read the sizes", sizes);
    in->count *= in->shape[in->rank++];
  }
  in->real = real && icl__is_float(in->dtype);
  return make_values(in, setup->row, kind ? kind : "any", argument ? strtod(argument, NULL) : 0, seed);
}

static bool parse_value(test_setup *setup, const icl_attr_spec *spec, char *text) {
  int32_t *slot = &setup->attr.i[spec->slot];
  icl_dtype dtype;
  int count = 0;
  switch (spec->kind) {
  case ICL_ATTR_REAL:
    setup->attr.f[spec->slot] = strtod(text, NULL);
    return true;
  case ICL_ATTR_DTYPE:
    if (icl_dtype_find(text, &dtype) != ICL_OK)
      return wrong(setup->row, "there is no dtype", text);
    *slot = (int32_t)dtype;
    return true;
  case ICL_ATTR_DIMS:
  case ICL_ATTR_SHAPE:
    slot++;
    break;
  default:
    break;
  }
  for (char *end; *text; text = *end == ',' ? end + 1 : end) {
    if (count == ICL_MAX_RANK)
      return wrong(setup->row, "too many numbers at", text);
    slot[count++] = (int32_t)strtol(text, &end, 10);
    if (end == text)
      return wrong(setup->row, "cannot read the numbers", text);
  }
  if (spec->kind == ICL_ATTR_PAIR && count == 1)
    slot[1] = slot[0];
  if (spec->kind == ICL_ATTR_DIMS || spec->kind == ICL_ATTR_SHAPE)
    slot[-1] = count;
  return true;
}

/* "name=value" */
static bool parse_attribute(test_setup *setup, char *word) {
  const icl_attr_spec *specs;
  int count = icl_op_attributes(setup->op, &specs);
  char *value = strchr(word, '=');
  if (!value)
    return wrong(setup->row, "an attribute without value:", word);
  *value++ = '\0';
  for (int i = 0; i < count; i++)
    if (!strcmp(specs[i].name, word))
      return parse_value(setup, &specs[i], value);
  return wrong(setup->row, "there is no attribute", word);
}

bool setup_make(test_setup *setup, const test_case *row, icl_dtype x, icl_dtype wide) {
  char text[300], *rest = text;
  *setup = (test_setup){.row = row, .op = icl_op_find(row->op), .chain = chain_find(row->op), .x = x};
  if (!setup->op == !setup->chain)
    return wrong(row, "there is no op", row->op);
  bool good = true;
  snprintf(text, sizeof text, "%s", row->inputs);
  for (char *word; good && (word = strtok_r(rest, " ", &rest));)
    good = setup->inputs < ICL_MAX_INPUTS ? parse_input(setup, word, wide) : wrong(row, "too many inputs", word);
  if (setup->op)
    icl_op_defaults(setup->op, &setup->attr);
  snprintf(text, sizeof text, "%s", row->attributes);
  rest = text;
  for (char *word; good && setup->op && (word = strtok_r(rest, " ", &rest));)
    good = parse_attribute(setup, word);
  if (!good)
    setup_free(setup);
  return good;
}

void setup_free(test_setup *setup) {
  for (int i = 0; i < setup->inputs; i++) {
    free(setup->in[i].values);
    free(setup->in[i].data);
  }
  setup->inputs = 0;
}

void setup_shift(test_setup *setup, int i, double scale, const double *direction) {
  test_input *in = &setup->in[i];
  for (int64_t k = 0; k < in->count; k++)
    icl__store_f64(in->dtype, in->data, k, in->values[k] + (direction ? scale * direction[k] : 0));
}

/* ---- recording ---- */

void release_tensors(int count, icl_tensor **tensors) {
  for (int i = 0; i < count; i++) {
    icl_tensor_release(tensors[i]);
    tensors[i] = NULL;
  }
}

icl_status setup_tensors(const test_setup *setup, icl_engine *engine, icl_tensor **tensors) {
  for (int i = 0; i < setup->inputs; i++) {
    const test_input *in = &setup->in[i];
    icl_status status = in->number ? icl_number(engine, in->values[0], &tensors[i])
                                   : icl_tensor_new(engine, in->dtype, in->rank, in->shape, in->data, &tensors[i]);
    if (status != ICL_OK) {
      release_tensors(i, tensors);
      return status;
    }
  }
  return ICL_OK;
}

icl_status setup_record(const test_setup *setup, icl_engine *engine, icl_tensor *const *in, icl_tensor **result) {
  if (setup->chain)
    return setup->chain->record(engine, in, result);
  return icl__record(engine, setup->op->id, setup->inputs, in, &setup->attr, result);
}
