/* test_group_steps.c - all_reduce by itself, flags of steps, steps in which a rank fails, and what is told of them. */
#include "rank_threads.h"
#include "trainings.h"

#include <pthread.h>
#include <stdio.h>

#include "graph/engine.h"
#include "unit.h"

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

/* What is summed over ranks has a batch: it lies in rows of a concatenation, and goes on image by image. */
typedef struct {
  icl_config config;
  float loss[2], weights[2][3 * 3 * TRAINING_CHANNELS * 4];
} batched;

static void add_up_images(icl_group *group, void *context) {
  batched *b = context;
  int rank = icl_group_rank(group);
  net *n = net_new(&b->config);
  CHECK_OK(icl_engine_set_group(n->engine, group));
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *x = training_images(n, 0, 6 * rank, 6), *h = net_op1(n, "relu", net_conv(n, x, 3, 4, 1));
  icl_tensor *wide = net_op(n, "concat", 2, (icl_tensor *[]){h, x}, "dim", 3.0, NULL);
  icl_tensor *all = net_conv(n, net_op1(n, "all_reduce", h), 3, 4, 1);
  icl_tensor *loss =
      net_op2(n, "add", net_mean(n, net_op2(n, "mul", all, all)), net_mean(n, net_conv(n, wide, 3, 2, 1)));
  CHECK_OK(icl_tensor_keep(loss));
  net_update(n, loss, 0.1);
  CHECK_OK(icl_step_end(n->engine));
  b->loss[rank] = (float)net_item(loss);
  CHECK_OK(icl_state_get(n->state[0], ICL_F32, b->weights[rank]));
  net_free(n);
}

TEST(images_can_be_added_up_in_the_middle_of_a_network) {
  static const icl_config ways[] = {{.device = "ref"}, {.threads = 2}, {.threads = 2, .chunk = 1}, {.eager = true}};
  batched first, b;
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    b.config = ways[i];
    rank_threads_run(2, add_up_images, &b);
    first = i ? first : b;
    for (size_t k = 0; k < sizeof b.weights[0] / sizeof(float); k++) {
      CHECK_EQ(b.weights[0][k], b.weights[1][k]);
      CHECK_NEAR(b.weights[0][k], first.weights[0][k], 1e-5);
    }
    for (int r = 0; r < 2; r++)
      CHECK_NEAR(b.loss[r], first.loss[r], 1e-5);
  }
}

/* What is summed up is made of states alone, beside few images, in the first step and in those that find what lasts. */
static void add_up_states(icl_group *group, void *context) {
  (void)context;
  net *n = net_open("cpu", false);
  icl_state *a = net_scalar(n, 3, false), *b = net_scalar(n, 4, false);
  CHECK_OK(icl_engine_set_group(n->engine, group));
  for (int step = 0; step < 3; step++) {
    net_rewind(n);
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *y = net_conv(n, net_images(n, 2, 8, 3), 3, 16, 1);
    icl_tensor *product = net_op2(n, "mul", net_read(n, a), net_read(n, b));
    icl_tensor *sum = net_op1(n, "all_reduce", product);
    CHECK_OK(icl_tensor_keep(y));
    CHECK_OK(icl_tensor_keep(sum));
    CHECK_OK(icl_step_end(n->engine));
    CHECK_NEAR(net_item(sum), 2 * 12, 0);
    net_clear(n);
  }
  icl_state_release(b);
  net_close(n, a);
}

TEST(values_of_states_are_added_up) { rank_threads_run(2, add_up_states, NULL); }

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
  icl_tensor *more = NULL;
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
  CHECK_OK(icl_state_set_gradient(w, net_number(n, 7))); /* the same on all ranks, so it counts once */
  CHECK_OK(icl_backward(loss));
  CHECK_OK(icl_state_gradient(w, &more));
  CHECK_NEAR(net_item(more), 7 + 18, 0);
  icl_tensor *shared = net_op1(n, "sum", net_op1(n, "all_reduce", x)); /* each loss depends on it */
  CHECK_OK(icl_gradient(net_op2(n, "mul", shared, net_number(n, 1 + rank)), 1, &x, &gx));
  CHECK_NEAR(net_item(gx), 1 + 2 + 3, 0);
  CHECK_OK(icl_step_end(n->engine));
  icl_tensor *all[] = {g, again, more, gx, gradients[0], gradients[1]};
  for (int i = 0; i < 6; i++)
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
    icl_tensor *x = net_op2(n, "mul", training_images(n, step, 4 * rank, 4),
                            net_op2(n, "add", net_op2(n, "mul", z, net_op1(n, "sqrt", z)), net_number(n, 1)));
    if (step && rank == 1 && f->failure == NAN_IN_INPUT)
      x = net_op1(n, "log", net_op2(n, "mul", x, net_number(n, -1)));
    net_update(n, net_loss(n, net_resnet(n, x, 1, 4), training_labels(n, 4 * rank, 4)), 0.1);
    if (step && rank == 1 && f->failure == INTERRUPT)
      icl_engine_interrupt(n->engine);
    if (!step)
      CHECK_OK(icl_step_end(n->engine));
    else if (rank == 1)
      CHECK_ERROR(icl_step_end(n->engine), f->failure == INTERRUPT ? ICL_EINTERRUPTED : ICL_ENONFINITE, "");
    else
      CHECK_ERROR(icl_step_end(n->engine), ICL_EIO, f->failure == INTERRUPT ? "interrupted" : "made a NaN");
    float weights[3 * 3 * TRAINING_CHANNELS * 4];
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

/* ---- what is told ---- */

static void profile(icl_group *group, void *context) {
  training *t = context;
  net *n = net_new(&t->config);
  n->training = true;
  CHECK_OK(icl_engine_set_group(n->engine, group));
  for (int step = 0; step < 2; step++) {
    CHECK_OK(icl_step_begin(n->engine));
    CHECK_OK(icl_backward(training_loss(n, t, step, icl_group_rank(group), t->parts)));
    net_update(n, training_loss(n, t, step, icl_group_rank(group), t->parts), 0.1); /* a part more, summed here */
    CHECK_OK(icl_step_end(n->engine));
    net_clear(n);
  }
  int trained = 0;
  for (int i = 0; i < n->states; i++)
    trained += icl_state_trainable(n->state[i]);
  char *text = NULL, values[64];
  snprintf(values, sizeof values, "), %d values, on its way", trained);
  CHECK_OK(icl_engine_profile(n->engine, &text));
  CHECK_CONTAINS(text, "group of 2 ranks: 1 bucket of 0.0");
  CHECK_CONTAINS(text, "% of it under computation");
  icl_free(text);
  CHECK_OK(icl_engine_describe_plan(n->engine, &text));
  CHECK_CONTAINS(text, "bucket 1: sums of f32");
  CHECK_CONTAINS(text, values);
  CHECK_CONTAINS(text, "with flags");
  CHECK_CONTAINS(text, "nothing to compute");
  icl_free(text);
  net_free(n);
}

TEST(profiles_and_plans_tell_what_is_sent) {
  training t = {.layers = net_resnet, .blocks = 1, .width = 4, .images = 8, .parts = 2};
  t.config = (icl_config){.threads = 2, .profile = true};
  rank_threads_run(2, profile, &t);
}

/* Gradients of the last layers travel while those of the first are computed; all are waited for at the end. */
static void look_at_buckets(icl_group *group, void *context) {
  const training *t = context;
  net *n = net_new(&t->config);
  n->training = true;
  CHECK_OK(icl_engine_set_group(n->engine, group));
  n->engine->policy.bucket_bytes = n->engine->policy.last_bucket_bytes = 4096;
  CHECK_OK(icl_step_begin(n->engine));
  net_update(n, training_loss(n, t, 0, icl_group_rank(group), t->parts), 0.1);
  CHECK_OK(icl_step_end(n->engine));
  const icl__plan *plan = n->engine->last_plan;
  CHECK(plan->buckets > 4);
  CHECK(plan->bucket[0]->start < plan->phases - 4);
  for (int i = 0; i < plan->buckets; i++) {
    const icl__bucket *b = plan->bucket[i], *before = plan->bucket[i ? i - 1 : 0];
    CHECK(before->start <= b->start && before->ready <= b->ready);
    CHECK_EQ(b->wait, plan->phases);
    CHECK_EQ(b->flags, i == plan->buckets - 1);
  }
  CHECK_EQ(plan->bucket[plan->buckets - 1]->start, plan->phases);
  CHECK_EQ(plan->phase[plan->phases].instructions, 0);
  for (int k = 0; k < plan->outputs; k++) /* states are written where they lie, as by one process */
    CHECK(plan->in_place[k]);
  net_free(n);
}

TEST(buckets_travel_while_the_first_layers_are_computed) {
  training t = {.layers = net_resnet, .blocks = 1, .width = 16, .images = 8, .parts = 2};
  t.config.threads = 2;
  rank_threads_run(2, look_at_buckets, &t);
}
