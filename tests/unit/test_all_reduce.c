/* test_all_reduce.c - one program on the ranks of a group: what they end with is what one process ends with. */
#include "nets.h"
#include "rank_threads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* ---- trainings ---- */

enum { SIZE = 8, CHANNELS = 3, STEPS = 3, MOST_VALUES = 1 << 19 };

typedef icl_tensor *(*layers_fn)(net *n, icl_tensor *x, int blocks, int width);

typedef struct {
  layers_fn layers;
  int blocks, width, images;
  icl_config config;
  int parts; /* ranks, or parts of a subdivided batch; images are shared out as threads share them */
  bool sync;
  int count[RANKS_MOST]; /* of each rank, or of the process as the first */
  float *value[RANKS_MOST];
} training;

/* Numbers that depend on their place alone. */
static float number_at(uint32_t seed, size_t i) {
  uint32_t h = (seed * 2654435761u) ^ (uint32_t)i * 2246822519u;
  h = (h ^ h >> 15) * 2246822519u;
  h = (h ^ h >> 13) * 3266489917u;
  return (float)(h >> 8) * 0x1p-23f - 1;
}

static icl_tensor *images_of(net *n, int step, int first, int count) {
  int32_t shape[] = {count, SIZE, SIZE, CHANNELS};
  size_t each = SIZE * SIZE * CHANNELS;
  float *data = malloc((size_t)count * each * sizeof *data);
  for (size_t i = 0; i < (size_t)count * each; i++)
    data[i] = number_at((uint32_t)step, (size_t)first * each + i);
  icl_tensor *x = NULL;
  CHECK_OK(icl_tensor_new(n->engine, ICL_F32, 4, shape, data, &x));
  free(data);
  n->tensor[n->tensors++] = x;
  return x;
}

static icl_tensor *labels_of(net *n, int first, int count) {
  int64_t data[256];
  for (int i = 0; i < count; i++)
    data[i] = (first + i) * 7 % 10;
  icl_tensor *labels = NULL;
  CHECK_OK(icl_tensor_new(n->engine, ICL_I64, 1, &count, data, &labels));
  n->tensor[n->tensors++] = labels;
  return labels;
}

/* The loss of part `part` of `parts`, weighed by its share of the batch. */
static icl_tensor *loss_of(net *n, const training *t, int step, int part, int parts) {
  int first = t->images * part / parts, count = t->images * (part + 1) / parts - first;
  net_rewind(n);
  icl_tensor *logits = t->layers(n, images_of(n, step, first, count), t->blocks, t->width);
  icl_tensor *loss = net_loss(n, logits, labels_of(n, first, count));
  return parts == 1 ? loss : net_op2(n, "mul", loss, net_number(n, (double)count / t->images));
}

static void take_values(net *n, training *t, int rank) {
  float *values = t->value[rank] = malloc(MOST_VALUES * sizeof *values);
  for (int i = 0; i < n->states; i++) {
    if (!icl_state_trainable(n->state[i]) && !t->sync)
      continue; /* running statistics are each rank's own */
    int64_t count = 1;
    for (int d = 0; d < icl_state_rank(n->state[i]); d++)
      count *= icl_state_shape(n->state[i])[d];
    CHECK(t->count[rank] + count <= MOST_VALUES);
    CHECK_OK(icl_state_get(n->state[i], ICL_F32, values + t->count[rank]));
    t->count[rank] += (int)count;
  }
}

/* `part` -1: all parts, one after another. */
static void train(training *t, icl_group *group, int part) {
  net *n = net_new(&t->config);
  n->training = true;
  n->together = t->sync ? t->images : 0;
  CHECK_OK(icl_engine_set_group(n->engine, group));
  for (int step = 0; step < STEPS; step++) {
    CHECK_OK(icl_step_begin(n->engine));
    for (int p = 0; p < t->parts; p++)
      if (part < 0 || p == part)
        CHECK_OK(icl_backward(loss_of(n, t, step, p, t->parts)));
    net_sgd(n, 0.05);
    CHECK_OK(icl_step_end(n->engine));
    net_clear(n);
  }
  take_values(n, t, part < 0 ? 0 : part);
  net_free(n);
}

static void train_as_rank(icl_group *group, void *context) { train(context, group, icl_group_rank(group)); }

static void expect_same_bytes(const training *a, int x, const training *b, int y) {
  CHECK_EQ(a->count[x], b->count[y]);
  for (int i = 0; i < a->count[x]; i++)
    if (memcmp(&a->value[x][i], &b->value[y][i], sizeof(float)) != 0)
      unit_fail(__FILE__, __LINE__, "value %d of %d of rank %d is %.9g, in the other training %.9g", i, a->count[x], x,
                (double)a->value[x][i], (double)b->value[y][i]);
}

static void forget(training *t) {
  for (int r = 0; r < RANKS_MOST; r++)
    free(t->value[r]);
}

/* All ranks end with the bytes of one process. */
static void compare(training *group, training *one) {
  rank_threads_run(group->parts, train_as_rank, group);
  train(one, NULL, -1);
  for (int r = 0; r < group->parts; r++)
    expect_same_bytes(group, r, one, 0);
  forget(group);
  forget(one);
}

/* ---- a subdivided batch ---- */

static void compare_with_parts(layers_fn layers, int width, int parts, int images, icl_config config) {
  training t = {layers, 1, width, images, config, parts, false, {0}, {0}}, one = t;
  compare(&t, &one);
}

TEST(ranks_train_as_the_parts_of_a_batch) {
  for (int parts = 2; parts <= 4; parts++)
    compare_with_parts(net_resnet, 16, parts, 12, (icl_config){.threads = 1});
}

TEST(ranks_train_as_the_parts_of_a_batch_on_two_threads) {
  compare_with_parts(net_resnet, 6, 2, 10, (icl_config){.threads = 2});
  compare_with_parts(net_densenet, 4, 3, 9, (icl_config){.threads = 2, .chunk = 1});
}

TEST(ranks_with_unequal_shares_train_as_unequal_parts) {
  compare_with_parts(net_resnet, 4, 3, 10, (icl_config){.threads = 1});
  compare_with_parts(net_resnet, 4, 4, 6, (icl_config){.threads = 2});
}

TEST(ranks_train_as_parts_op_by_op_and_on_the_reference) {
  compare_with_parts(net_resnet, 4, 2, 4, (icl_config){.threads = 1, .eager = true});
  compare_with_parts(net_resnet, 4, 3, 6, (icl_config){.device = "ref", .threads = 1});
}

TEST(ranks_train_as_parts_without_rules_of_the_planner) {
  static const char *const without[] = {"no-bucket", "no-sink,no-link", "no-inplace", "no-merge,no-join"};
  for (size_t i = 0; i < sizeof without / sizeof *without; i++)
    compare_with_parts(net_resnet, 4, 2, 6, (icl_config){.threads = 2, .plan = without[i]});
}

/* ---- the op ---- */

static icl_tensor *tensor_of(net *n, icl_dtype dtype, int32_t count, const void *data) {
  CHECK_OK(icl_tensor_new(n->engine, dtype, 1, &count, data, &n->tensor[n->tensors]));
  return n->tensor[n->tensors++];
}

static void expect_values(icl_tensor *x, int count, const double *expected) {
  double values[8];
  CHECK_EQ(icl_tensor_count(x), count);
  CHECK_OK(icl_tensor_read(x, ICL_F64, values));
  for (int i = 0; i < count; i++)
    CHECK_NEAR(values[i], expected[i], 0);
}

static void add_up_values(icl_group *group, void *context) {
  net *n = net_new(context);
  int rank = icl_group_rank(group);
  CHECK_OK(icl_engine_set_group(n->engine, group));
  CHECK_EQ(icl_engine_group(n->engine), group);
  float floats[] = {1, 2, (float)rank};
  double doubles[] = {0x1p-60 + rank};
  int64_t integers[] = {(int64_t)1 << (50 + rank), -1};
  for (int step = 0; step < 2; step++) {
    if (step)
      CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *f = net_op1(n, "all_reduce", tensor_of(n, ICL_F32, 3, floats));
    icl_tensor *d = net_op1(n, "all_reduce", tensor_of(n, ICL_F64, 1, doubles));
    icl_tensor *i = net_op1(n, "all_reduce", tensor_of(n, ICL_I64, 2, integers));
    icl_tensor *twice = net_op1(n, "all_reduce", net_op2(n, "add", f, f));
    icl_tensor *half = net_op(n, "cast", 1, &f, "dtype", (double)ICL_BF16, NULL);
    half = net_op1(n, "all_reduce", half);
    CHECK_EQ(icl_tensor_dtype(half), ICL_BF16);
    expect_values(f, 3, (double[]){3, 6, 3});
    expect_values(twice, 3, (double[]){18, 36, 18});
    expect_values(half, 3, (double[]){9, 18, 9});
    expect_values(d, 1, (double[]){3});
    expect_values(i, 2, (double[]){(double)((int64_t)7 << 50), -3});
    if (step)
      CHECK_OK(icl_step_end(n->engine));
  }
  net_free(n);
}

TEST(values_are_added_up_in_their_dtype) {
  rank_threads_run(3, add_up_values, &(icl_config){.threads = 2});
  rank_threads_run(3, add_up_values, &(icl_config){.threads = 1, .eager = true});
  rank_threads_run(3, add_up_values, &(icl_config){.device = "ref"});
}

TEST(alone_it_is_its_input) {
  net *n = net_open("cpu", false);
  icl_tensor *x = net_images(n, 2, 4, 3), *y = net_op1(n, "all_reduce", x);
  CHECK_EQ(x, y);
  icl_tensor *integers = tensor_of(n, ICL_I32, 1, &(int32_t){1}), *result;
  const icl_op *op = icl_op_find("all_reduce");
  CHECK_ERROR(icl_apply(n->engine, op, 1, &integers, NULL, &result), ICL_EDTYPE, "cast it first");
  CHECK_ERROR(icl_apply(n->engine, op, 1, &x, &(icl_attributes){.i[0] = 1}, &result), ICL_EINVAL,
              "join takes the result of bn_sums");
  net_free(n);
}

/* d/dw of the sum over ranks of rank * w^2 and of w * (sum of all w x) */
static void differentiate(icl_group *group, void *context) {
  (void)context;
  net *n = net_open("cpu", false);
  double rank = icl_group_rank(group);
  icl_state *w = net_scalar(n, 3, true);
  CHECK_OK(icl_engine_set_group(n->engine, group));
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *value = net_read(n, w), *x = tensor_of(n, ICL_F64, 1, &rank), *g = NULL, *again = NULL, *gx = NULL;
  icl_tensor *loss = net_op1(n, "sum", net_op2(n, "mul", x, net_op2(n, "mul", value, value)));
  icl_tensor *both[] = {value, x}, *gradients[2];
  CHECK_OK(icl_gradient(loss, 2, both, gradients));
  CHECK_NEAR(net_item(gradients[0]), 2 * 3 * (0 + 1 + 2), 0); /* of all ranks */
  CHECK_NEAR(net_item(gradients[1]), 9, 0);                   /* of this one: x is its own */
  CHECK_OK(icl_backward(loss));
  CHECK_OK(icl_state_gradient(w, &g));
  CHECK_OK(icl_state_gradient(w, &again));
  CHECK_EQ(g, again); /* asked for once */
  icl_tensor_release(again);
  CHECK_OK(icl_backward(loss));
  CHECK_OK(icl_state_gradient(w, &again));
  CHECK_NEAR(net_item(g), 18, 0);
  CHECK_NEAR(net_item(again), 36, 0);
  icl_tensor *shared = net_op1(n, "sum", net_op1(n, "all_reduce", x)); /* each loss depends on it */
  CHECK_OK(icl_gradient(net_op2(n, "mul", shared, net_number(n, 1 + rank)), 1, &x, &gx));
  CHECK_NEAR(net_item(gx), 1 + 2 + 3, 0);
  CHECK_OK(icl_step_end(n->engine));
  icl_tensor *all[] = {g, again, gx, gradients[0], gradients[1]};
  for (int i = 0; i < 5; i++)
    icl_tensor_release(all[i]);
  net_close(n, w);
}

TEST(gradients_of_states_are_those_of_all_ranks) { rank_threads_run(3, differentiate, NULL); }

static void refuse(icl_group *group, void *context) {
  (void)context;
  net *n = net_open("cpu", false), *far = net_open("far", false);
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_ERROR(icl_engine_set_group(n->engine, group), ICL_EINVAL, "inside a step");
  icl_step_cancel(n->engine);
  CHECK_ERROR(icl_engine_set_group(far->engine, group), ICL_ENOTSUP, "device far cannot work in a group");
  net_free(far);
  net_free(n);
}

TEST(a_group_is_refused_where_it_cannot_be) { rank_threads_run(2, refuse, NULL); }

/* ---- batch norm over all ranks ---- */

/* As many ranks of a thread as one process has threads. */
static void compare_with_threads(layers_fn layers, int width, int threads, int images, icl_config config) {
  config.threads = 1;
  training t = {layers, 1, width, images, config, threads, true, {0}, {0}}, one = t;
  one.config.threads = threads;
  one.parts = 1;
  compare(&t, &one);
}

TEST(ranks_train_as_the_threads_of_a_process) {
  for (int threads = 2; threads <= 4; threads++)
    compare_with_threads(net_resnet, 16, threads, 12, (icl_config){0});
  compare_with_threads(net_resnet, 5, 4, 12, (icl_config){.chunk = 1});
  compare_with_threads(net_densenet, 4, 3, 12, (icl_config){0});
  compare_with_threads(net_resnet, 4, 4, 8, (icl_config){.plan = "no-bucket,no-merge,no-join,no-concat"});
}

/* ---- flags and failures ---- */

/* Ranks set bits in steps that send nothing else, then in steps with a gradient. */
static void raise_flags(icl_group *group, void *context) {
  net *n = net_new(context);
  unsigned rank = (unsigned)icl_group_rank(group);
  icl_state *w = net_scalar(n, 1, true);
  CHECK_OK(icl_engine_set_group(n->engine, group));
  CHECK_ERROR(icl_step_flag(n->engine, 1), ICL_EINVAL, "outside of one");
  for (int sends = 0; sends < 2; sends++)
    for (unsigned step = 0; step < 3; step++) {
      CHECK_OK(icl_step_begin(n->engine));
      if (step != 1)
        CHECK_OK(icl_step_flag(n->engine, (1u << rank | 1u << 31) * (step == 2)));
      icl_tensor *x = net_read(n, w), *g = NULL;
      if (sends) {
        CHECK_OK(icl_backward(net_op2(n, "mul", x, x)));
        CHECK_OK(icl_state_gradient(w, &g));
        CHECK_OK(icl_state_write(w, g, NULL));
      }
      CHECK_OK(icl_step_end(n->engine));
      icl_tensor_release(g);
      CHECK_EQ(icl_step_flags(n->engine), step == 2 ? 7u | 1u << 31 : 0);
    }
  net_close(n, w);
}

TEST(flags_of_a_step_are_those_of_all_ranks) {
  rank_threads_run(3, raise_flags, &(icl_config){.threads = 2});
  rank_threads_run(3, raise_flags, &(icl_config){.threads = 1, .eager = true});
  rank_threads_run(3, raise_flags, &(icl_config){.device = "ref"});
}

TEST(alone_flags_are_those_of_the_process) {
  net *n = net_open("cpu", false);
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_step_flag(n->engine, 5));
  CHECK_OK(icl_step_end(n->engine));
  CHECK_EQ(icl_step_flags(n->engine), 5u);
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_step_end(n->engine));
  CHECK_EQ(icl_step_flags(n->engine), 0u);
  net_free(n);
}

/* In the second step rank 1 fails: it meets a NaN, first of all or in the last gradient, when others are on their way;
 * or it is interrupted. */
typedef struct {
  icl_config config;
  enum { NAN_IN_INPUT, NAN_IN_LAST_GRADIENT, INTERRUPT, FAILURES } failure;
  bool sync;
  pthread_barrier_t stored;
} failing;

static void fail_in_a_step(icl_group *group, void *context) {
  failing *f = context;
  net *n = net_new(&f->config);
  int rank = icl_group_rank(group);
  n->training = true;
  n->together = f->sync ? 3 * 4 : 0;
  CHECK_OK(icl_engine_set_group(n->engine, group));
  float before = 0, after = 0;
  for (int step = 0; step < 2; step++) {
    if (step && rank == 1 && f->failure == NAN_IN_LAST_GRADIENT)
      CHECK_OK(icl_state_set(n->state[0], ICL_F32, &after));
    CHECK_OK(icl_step_begin(n->engine));
    net_rewind(n);
    icl_tensor *z = net_parameter(n, 1, 0, 1, (int32_t[]){1}); /* the gradient of z sqrt(z) is NaN where z is 0 */
    icl_tensor *x = net_op2(n, "mul", images_of(n, step, 4 * rank, 4),
                            net_op2(n, "add", net_op2(n, "mul", z, net_op1(n, "sqrt", z)), net_number(n, 1)));
    if (step && rank == 1 && f->failure == NAN_IN_INPUT)
      x = net_op1(n, "log", net_op2(n, "mul", x, net_number(n, -1)));
    net_update(n, net_loss(n, net_resnet(n, x, 1, 4), labels_of(n, 4 * rank, 4)), 0.1);
    if (step && rank == 1 && f->failure == INTERRUPT)
      icl_engine_interrupt(n->engine);
    if (!step)
      CHECK_OK(icl_step_end(n->engine));
    else if (rank == 1)
      CHECK_ERROR(icl_step_end(n->engine), f->failure == INTERRUPT ? ICL_EINTERRUPTED : ICL_ENONFINITE, "");
    else
      CHECK_ERROR(icl_step_end(n->engine), ICL_EIO, f->failure == INTERRUPT ? "interrupted" : "made a NaN");
    float weights[3 * 3 * CHANNELS * 4];
    CHECK_OK(icl_state_get(n->state[1], ICL_F32, weights));
    *(step ? &after : &before) = weights[0];
    if (!step)
      pthread_barrier_wait(&f->stored); /* or the news of the failure may come before the last of the first step */
    net_clear(n);
  }
  CHECK_EQ(before, after); /* no rank has stored the step */
  CHECK(!icl_in_step(n->engine));
  net_free(n);
}

TEST(where_a_rank_fails_no_rank_stores_the_step) {
  static const icl_config configs[] = {{.device = "ref"}, {.threads = 2, .plan = "no-bucket"}, {.threads = 1}};
  for (int i = 0; i < 3; i++)
    for (int failure = 0; failure < FAILURES; failure++) {
      failing f = {.config = configs[i], .failure = failure, .sync = failure != NAN_IN_INPUT};
      f.config.check_nan = failure != INTERRUPT;
      CHECK_EQ(pthread_barrier_init(&f.stored, NULL, 3), 0);
      rank_threads_run(3, fail_in_a_step, &f);
      pthread_barrier_destroy(&f.stored);
    }
}
