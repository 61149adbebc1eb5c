/* make_ops.c - makers of ops that stay within an image: pointwise ops, reductions, pools, shapes, draws, samples. */
#include "generate.h"

#include <string.h>

/* ---- pointwise ---- */

static const struct {
  const char *name;
  int inputs;
} pointwise[] = {
#define PW(name, inputs, kind, gradient, formula, doc) {#name, inputs},
#include "ops/pointwise.def"
#undef PW
};

/* A value well above 0 made of x. */
static int positive(maker *m, int x) {
  if (m->of[x].least > 0.2)
    return x;
  int square = apply2(m, "mul", x, x);
  return square < 0 ? -1 : apply2(m, "add", square, number(m, 0.5));
}

static int small(maker *m, int x) { return m->of[x].most > 4 ? apply1(m, "tanh", x) : x; }

/* Something that goes with x: of its shape, a number, x itself, or what broadcasts. */
static int partner(maker *m, int x) {
  const instruction *i = at(m, x);
  int32_t shape[ICL_MAX_RANK];
  int like = pick_like(m, x), way = below(m, 100);
  if (way < 50 && like >= 0)
    return like;
  if (way < 65)
    return number(m, (below(m, 31) - 15.5) / 8);
  if (way < 75)
    return x;
  if (way < 85)
    return pick(m, -1);
  if (i->rank == 0)
    return number(m, 0.75);
  if (way < 92)
    return parameter(m, SIGNED, 1, &i->shape[i->rank - 1]);
  for (int axis = 0; axis < i->rank; axis++)
    shape[axis] = chance(m, 50) ? 1 : i->shape[axis];
  return constant(m, ICL_F32, SIGNED, i->rank, shape);
}

/* May rounding decide whether an element is 0? */
static bool is_near_zero(const maker *m, int x) {
  return x >= 0 && m->of[x].nearest < 0.001 && at(m, x)->dtype <= ICL_F64;
}

/* Operands from which the formula gives numbers of use; -1 in in[0] if there are none. */
static void settle(maker *m, const char *name, int *in) {
  if (!strcmp(name, "log") || !strcmp(name, "sqrt") || !strcmp(name, "pow"))
    in[0] = positive(m, in[0]);
  if ((!strcmp(name, "logical_not") || !strcmp(name, "sign")) && is_near_zero(m, in[0]))
    in[0] = positive(m, in[0]);
  if (!strcmp(name, "exp"))
    in[0] = small(m, in[0]);
  if (!strcmp(name, "pow"))
    in[1] = number(m, 0.5 * (1 + below(m, 6)));
  if (!strcmp(name, "div") && in[1] >= 0 && at(m, in[1])->kind != DO_NUMBER && m->of[in[1]].nearest < 0.2)
    in[1] = positive(m, in[1]);
  if (!strcmp(name, "clamp")) {
    in[1] = number(m, -0.8125);
    in[2] = number(m, 1.0625);
  }
  if (!strcmp(name, "where")) {
    int condition = pick_dtype(m, ICL_BOOL, -1);
    in[0] = condition >= 0 ? condition : apply2(m, "gt", in[1], number(m, 0.25));
  }
  if (!strncmp(name, "sgd_", 4))
    for (int j = 3; j < 6; j++)
      in[j] = number(m, 0.125 * (1 + below(m, 6)));
}

void make_pointwise(maker *m) {
  static const icl_dtype whole[] = {ICL_I64, ICL_BOOL, ICL_U8};
  int which = below(m, (int)(sizeof pointwise / sizeof *pointwise)), in[ICL_MAX_INPUTS];
  const char *name = pointwise[which].name;
  if (chance(m, 40))
    name = ((const char *[]){"add", "sub", "mul", "relu"})[below(m, 4)];
  for (size_t i = 0; i < sizeof pointwise / sizeof *pointwise; i++)
    if (!strcmp(pointwise[i].name, name))
      which = (int)i;
  in[0] = chance(m, 10) ? pick_dtype(m, whole[below(m, 3)], -1) : any_value(m);
  for (int j = 1; j < pointwise[which].inputs; j++)
    in[j] = in[0] < 0 ? -1 : partner(m, in[0]);
  if (in[0] < 0)
    return;
  if (pointwise[which].inputs == 2 && chance(m, 20)) {
    int first = in[0];
    in[0] = in[1];
    in[1] = first;
  }
  if (in[0] < 0)
    return;
  settle(m, name, in);
  apply_op(m, name, pointwise[which].inputs, in, NULL);
}

void make_cast(maker *m) {
  static const icl_dtype dtypes[] = {ICL_BF16, ICL_BF16, ICL_F32, ICL_F64, ICL_F16, ICL_I64, ICL_BOOL};
  int x = chance(m, 20) ? pick_dtype(m, ICL_BOOL, -1) : any_value(m);
  icl_dtype dtype = dtypes[below(m, 7)];
  if (x < 0)
    return;
  if (at(m, x)->dtype == ICL_BF16 || at(m, x)->dtype == ICL_F16 || (dtype == ICL_BOOL && is_near_zero(m, x)))
    dtype = ICL_F32;
  icl_attributes attr = attributes_of("cast");
  set_int(&attr, "cast", "dtype", (int32_t)dtype);
  apply_op(m, "cast", 1, &x, &attr);
}

/* A test and what it chooses; a sum of several. */
void make_choice(maker *m) {
  static const char *const tests[] = {"eq", "ne", "lt", "le", "gt", "ge"};
  int x = any_value(m), in[ICL_MAX_INPUTS], inputs = 1 + below(m, 8);
  if (x < 0)
    return;
  if (chance(m, 50)) {
    in[0] = apply2(m, tests[below(m, 6)], x, partner(m, x));
    in[1] = x;
    in[2] = partner(m, x);
    apply_op(m, "where", 3, in, NULL);
    return;
  }
  for (int j = 0; j < inputs; j++)
    in[j] = pick_like(m, x);
  apply_op(m, "add_n", inputs, in, NULL);
}

/* ---- reductions ---- */

static icl_attributes random_axes(maker *m, const char *op, int x) {
  icl_attributes attr = attributes_of(op);
  int32_t axes[ICL_MAX_RANK];
  int count = 0, rank = at(m, x)->rank;
  for (int axis = 0; axis < rank; axis++)
    if (chance(m, 50))
      axes[count++] = axis;
  if (rank && chance(m, 40)) {
    count = 1;
    axes[0] = chance(m, 50) ? 0 : rank - 1;
  }
  set_list(&attr, op, "dims", count, axes);
  set_int(&attr, op, "keepdim", chance(m, 60));
  return attr;
}

void make_sum(maker *m) {
  int x = any_value(m);
  if (x < 0)
    return;
  icl_attributes attr = random_axes(m, "sum", x);
  apply_op(m, "sum", 1, &x, &attr);
}

void make_maximum(maker *m) {
  int x = any_value(m);
  if (x < 0)
    return;
  if (chance(m, 70)) {
    icl_attributes attr = random_axes(m, "max", x);
    apply_op(m, "max", 1, &x, &attr);
    return;
  }
  icl_attributes attr = attributes_of("argmax");
  set_int(&attr, "argmax", "dim", axis_of(m, x));
  apply_op(m, "argmax", 1, &x, &attr);
}

/* x - mean(x), over some axes; perhaps divided by a deviation */
void make_centred(maker *m) {
  int x = any_value(m);
  if (x < 0)
    return;
  icl_attributes attr = random_axes(m, "sum", x);
  set_int(&attr, "sum", "keepdim", 1);
  int sum = apply_op(m, "sum", 1, &x, &attr);
  if (sum < 0)
    return;
  double share = (double)count_of(at(m, sum)) / (double)count_of(at(m, x));
  int centred = apply2(m, "sub", x, apply2(m, "mul", sum, number(m, share)));
  if (centred < 0 || chance(m, 50))
    return;
  int squares = apply2(m, "mul", centred, centred),
      variance = squares < 0 ? -1 : apply_op(m, "sum", 1, &squares, &attr);
  if (variance < 0)
    return;
  apply2(m, "div", centred, apply2(m, "add", variance, number(m, 1)));
}

void make_broadcast(maker *m) {
  int x = any_value(m);
  int32_t shape[ICL_MAX_RANK];
  if (x < 0)
    return;
  const instruction *i = at(m, x);
  bool up = chance(m, 50);
  int rank = i->rank;
  for (int axis = 0; axis < rank; axis++)
    shape[axis] = up && i->shape[axis] == 1 ? 1 + below(m, 5) : !up && chance(m, 40) ? 1 : i->shape[axis];
  if (up && rank && rank < 4 && chance(m, 40)) {
    memmove(shape + 1, shape, sizeof *shape * (size_t)rank++);
    shape[0] = m->n;
  }
  const char *op = up ? "broadcast_to" : "sum_to";
  icl_attributes attr = attributes_of(op);
  if (!up && rank && chance(m, 30))
    set_list(&attr, op, "shape", rank - 1, shape + 1);
  else
    set_list(&attr, op, "shape", rank, shape);
  apply_op(m, op, 1, &x, &attr);
}

/* ---- pools ---- */

void make_pool(maker *m) {
  int x = image(m);
  if (x < 0)
    return;
  if (chance(m, 35)) {
    apply1(m, "global_avg_pool", x);
    return;
  }
  const char *op = chance(m, 60) ? "max_pool2d" : "avg_pool2d";
  const int32_t *shape = at(m, x)->shape;
  int32_t h = 1 + below(m, shape[1] < 3 ? shape[1] : 3), w = 1 + below(m, shape[2] < 3 ? shape[2] : 3);
  icl_attributes attr = attributes_of(op);
  set_pair(&attr, op, "kernel", h, w);
  set_pair(&attr, op, "stride", 1 + below(m, 2), 1 + below(m, 2));
  if (chance(m, 30))
    set_pair(&attr, op, "padding", h / 2, w / 2);
  apply_op(m, op, 1, &x, &attr);
}

/* ---- shapes ---- */

void make_reshape(maker *m) {
  int x = any_value(m), rank = 0;
  int32_t shape[ICL_MAX_RANK];
  if (x < 0)
    return;
  const instruction *i = at(m, x);
  if (i->rank == 0)
    return;
  memcpy(shape, i->shape, sizeof shape);
  int merged = i->rank > 1 ? below(m, i->rank - 1) : 0;
  if (i->rank > 1 && chance(m, 70)) { /* two axes become one */
    for (int axis = 0; axis < i->rank; axis++)
      if (axis == merged)
        shape[rank++] = i->shape[axis] * i->shape[axis + 1];
      else if (axis != merged + 1)
        shape[rank++] = i->shape[axis];
  } else { /* one becomes two */
    for (int axis = 0; axis < i->rank && rank < 5; axis++) {
      int32_t size = i->shape[axis], part = size % 2 == 0 ? 2 : size % 3 == 0 ? 3 : 1;
      shape[rank++] = axis == merged ? part : size;
      if (axis == merged)
        shape[rank++] = size / part;
    }
  }
  icl_attributes attr = attributes_of("reshape");
  set_list(&attr, "reshape", "shape", rank, shape);
  apply_op(m, "reshape", 1, &x, &attr);
}

void make_permute(maker *m) {
  int x = any_value(m);
  int32_t axes[ICL_MAX_RANK] = {0, 1, 2, 3, 4, 5};
  if (x < 0)
    return;
  int rank = at(m, x)->rank;
  for (int i = rank - 1; i > 0; i--) {
    int j = below(m, i + 1);
    int32_t axis = axes[i];
    axes[i] = axes[j];
    axes[j] = axis;
  }
  icl_attributes attr = attributes_of("permute");
  set_list(&attr, "permute", "dims", rank, axes);
  apply_op(m, "permute", 1, &x, &attr);
}

void make_pad(maker *m) {
  int x = any_value(m);
  int32_t low[ICL_MAX_RANK] = {0}, high[ICL_MAX_RANK] = {0};
  if (x < 0)
    return;
  int rank = at(m, x)->rank;
  for (int axis = 0; axis < rank; axis++)
    if (chance(m, 30)) {
      low[axis] = below(m, 3);
      high[axis] = below(m, 2);
    }
  icl_attributes attr = attributes_of("pad");
  set_list(&attr, "pad", "low", rank, low);
  set_list(&attr, "pad", "high", rank, high);
  set_real(&attr, "pad", "value", chance(m, 50) ? 0 : 0.5);
  apply_op(m, "pad", 1, &x, &attr);
}

void make_concat(maker *m) {
  int x = any_value(m), in[ICL_MAX_INPUTS], inputs = 2 + below(m, 3);
  if (x < 0)
    return;
  for (int j = 0; j < inputs; j++)
    in[j] = chance(m, 80) ? pick_like(m, x) : pick(m, at(m, x)->rank);
  in[below(m, inputs)] = x;
  icl_attributes attr = attributes_of("concat");
  set_int(&attr, "concat", "dim", chance(m, 60) && at(m, x)->rank ? at(m, x)->rank - 1 : axis_of(m, x));
  apply_op(m, "concat", inputs, in, &attr);
}

void make_narrow(maker *m) {
  int x = any_value(m);
  if (x < 0 || at(m, x)->rank == 0)
    return;
  int32_t axis = axis_of(m, x), size = at(m, x)->shape[axis], length = 1 + below(m, size);
  icl_attributes attr = attributes_of("narrow");
  set_int(&attr, "narrow", "dim", axis);
  set_int(&attr, "narrow", "length", length);
  int first = integers(m, ICL_I64, (uint32_t)(size - length + 1), 0, NULL);
  apply_op(m, "narrow", 2, (int[]){x, first}, &attr);
}

/* ---- draws ---- */

void make_draw(maker *m) {
  static const char *const ops[] = {"uniform", "normal", "bernoulli", "randint"};
  const char *op = ops[below(m, 4)];
  int like = any_value(m), in[3], inputs = 0;
  if (like < 0)
    return;
  int rank = at(m, like)->rank;
  int32_t shape[ICL_MAX_RANK];
  memcpy(shape, at(m, like)->shape, sizeof shape);
  icl_attributes attr = attributes_of(op);
  set_list(&attr, op, "shape", rank, shape);
  if (!strcmp(op, "randint")) {
    set_int(&attr, op, "low", 0);
    set_int(&attr, op, "high", 1 + below(m, 5));
  }
  in[inputs++] = key(m);
  if (!strcmp(op, "bernoulli"))
    in[inputs++] = full(m, ICL_F32, 0.25 * (1 + below(m, 3)), 0, NULL);
  if (rank && chance(m, 40))
    in[inputs++] = integers(m, ICL_I64, 1000, 1, shape);
  apply_op(m, op, inputs, in, &attr);
}

void make_dropout(maker *m) {
  int x = any_value(m);
  if (x >= 0)
    apply_op(m, "dropout", 3, (int[]){x, key(m), full(m, ICL_F32, 0.25, 0, NULL)}, NULL);
}

/* ---- images of a data set ---- */

static void make_flip(maker *m) {
  int x = image(m);
  if (x >= 0)
    apply2(m, "flip", x, integers(m, ICL_BOOL, 2, 1, at(m, x)->shape));
}

/* Bytes that are warped, perhaps, and adjusted. */
static int make_picture(maker *m, int bytes) {
  if (bytes < 0)
    return bytes;
  const int32_t *shape = at(m, bytes)->shape;
  int32_t n = shape[0], c = shape[3];
  if (chance(m, 40)) {
    icl_attributes attr = attributes_of("warp");
    set_int(&attr, "warp", "bilinear", below(m, 2));
    set_int(&attr, "warp", "fill", below(m, 256));
    int coefficients = constant(m, ICL_F32, WEIGHTS, 2, (const int32_t[]){n, 8});
    int warped = apply_op(m, "warp", 2, (int[]){bytes, coefficients}, &attr);
    bytes = warped >= 0 ? warped : bytes;
  }
  if (c != 1 && c != 3)
    return bytes;
  int amount = constant(m, ICL_F64, POSITIVE, 1, &n), kind = integers(m, ICL_I64, 12, 1, &n);
  int adjusted = apply_op(m, "adjust", 3, (int[]){bytes, amount, kind}, NULL);
  return adjusted >= 0 ? adjusted : bytes;
}

void make_sample(maker *m) {
  if (chance(m, 40)) {
    make_flip(m);
    return;
  }
  int32_t c = m->c[0], n = m->n;
  int bytes = integers(m, ICL_U8, 256, 4, (const int32_t[]){n, m->h, m->w, c});
  if (chance(m, 60)) {
    int32_t padding = below(m, 3);
    icl_attributes attr = attributes_of("crop");
    set_pair(&attr, "crop", "size", 1 + below(m, m->h), 1 + below(m, m->w));
    set_pair(&attr, "crop", "padding", padding, padding);
    set_int(&attr, "crop", "fill", below(m, 256));
    int offset = integers(m, ICL_I64, 1 + 2 * (uint32_t)padding, 2, (const int32_t[]){n, 2});
    int cropped = apply_op(m, "crop", 2, (int[]){bytes, offset}, &attr);
    bytes = cropped >= 0 ? cropped : bytes;
  }
  bytes = make_picture(m, bytes);
  icl_attributes attr = attributes_of("normalize");
  set_int(&attr, "normalize", "dtype", chance(m, 80) ? ICL_F32 : ICL_BF16);
  int mean = constant(m, ICL_F64, WEIGHTS, 1, &c), std = constant(m, ICL_F64, POSITIVE, 1, &c);
  apply_op(m, "normalize", 3, (int[]){bytes, mean, std}, &attr);
}
