/* test_plan.c - the promises of the planner, on the plans of five networks. */
#include "nets.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/engine.h"
#include "unit.h"

typedef enum { RESNET, SHAKE, DENSENET, SUBDIVIDED, DUAL, GRAPHS } graph;

static net *open_net(const char *switches, int chunk) {
  icl_config config = {.threads = 2, .chunk = chunk, .plan = switches};
  return net_new(&config);
}

/* Passes of 3 + 3 + 2 images whose gradients add up. */
static void record_subdivided(net *n, int size) {
  static const int images[] = {3, 3, 2};
  for (int i = 0; i < 3; i++) {
    icl_tensor *x = net_images(n, images[i], size, 3), *labels = net_labels(n, images[i]);
    net_rewind(n);
    CHECK_OK(icl_backward(net_loss(n, net_resnet(n, x, 1, 8), labels)));
  }
}

/* Two images a sample: the mean of both losses and the distance of the logits (Dual-Cutout). */
static icl_tensor *record_dual(net *n, int size) {
  icl_tensor *labels = net_labels(n, 8), *x[2] = {net_images(n, 8, size, 3), net_images(n, 8, size, 3)}, *z[2];
  for (int i = 0; i < 2; i++) {
    net_rewind(n);
    z[i] = net_resnet(n, x[i], 1, 8);
  }
  icl_tensor *losses = net_op2(n, "add", net_loss(n, z[0], labels), net_loss(n, z[1], labels));
  icl_tensor *difference = net_op2(n, "sub", z[0], z[1]);
  icl_tensor *distance = net_mean(n, net_op2(n, "mul", difference, difference));
  return net_op2(n, "add", net_op2(n, "mul", losses, net_number(n, 0.5)),
                 net_op2(n, "mul", distance, net_number(n, 0.1)));
}

static void step(net *n, graph which, int size, double lr) {
  n->seed = 5;
  CHECK_OK(icl_step_begin(n->engine));
  if (which == SUBDIVIDED) {
    record_subdivided(n, size);
  } else if (which == DUAL) {
    CHECK_OK(icl_backward(record_dual(n, size)));
  } else {
    icl_tensor *x = net_images(n, 8, size, 3), *labels = net_labels(n, 8);
    net_rewind(n);
    icl_tensor *z = which == RESNET  ? net_resnet(n, x, 3, 16)
                    : which == SHAKE ? net_shake(n, x, 1, 16)
                                     : net_densenet(n, x, 2, 8);
    CHECK_OK(icl_backward(net_loss(n, z, labels)));
  }
  net_sgd(n, lr);
  CHECK_OK(icl_step_end(n->engine));
  net_clear(n);
}

static const icl__plan *plan_of(net *n, graph which) {
  step(n, which, 8, 0.1);
  return n->engine->last_plan;
}

static int count_ops(const icl__plan *plan, int op) {
  int count = 0;
  for (int i = 0; i < plan->nodes; i++)
    count += plan->node[i]->op == op;
  return count;
}

/* ---- leaves ---- */

TEST(a_plan_knows_what_its_leaves_are) {
  net *n = open_net(NULL, 1);
  icl_state *s = net_scalar(n, 1, false);
  icl_tensor *constant = net_images(n, 2, 1, 1), *computed = net_op1(n, "exp", constant), *held = net_read(n, s);
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *sum = net_op2(n, "add", net_op2(n, "mul", constant, net_number(n, 2)), computed);
  CHECK_OK(icl_state_write(s, net_op2(n, "add", net_op2(n, "add", net_mean(n, sum), net_read(n, s)), held), NULL));
  CHECK_OK(icl_step_end(n->engine));
  const icl__plan *plan = n->engine->last_plan;
  int count[ICL__LEAF_STATE + 1] = {0};
  for (int i = 0; i < plan->nodes; i++) {
    CHECK_EQ(plan->node[i]->kind == ICL__LEAF_NONE, plan->node[i]->leaf < 0);
    count[plan->node[i]->kind]++;
  }
  CHECK(count[ICL__LEAF_NUMBER] >= 1);
  CHECK_EQ(count[ICL__LEAF_CONSTANT], 1);
  CHECK_EQ(count[ICL__LEAF_TENSOR], 2); /* the result, and the value of the state from before the step */
  CHECK_EQ(count[ICL__LEAF_STATE], 1);
  net_clear(n);
  net_close(n, s);
}

/* ---- phases, what is kept, what is computed again ---- */

TEST(a_residual_block_takes_four_phases) {
  int phases[2];
  for (int i = 0; i < 2; i++) {
    net *n = open_net(NULL, 2);
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *x = net_images(n, 4, 8, 3), *labels = net_labels(n, 4);
    net_update(n, net_loss(n, net_resnet(n, x, 1 + i, 16), labels), 0.1);
    CHECK_OK(icl_step_end(n->engine));
    phases[i] = n->engine->last_plan->phases;
    net_free(n);
  }
  CHECK_EQ(phases[1] - phases[0], 3 * 4); /* one block more in each of three stages */
}

static bool is_convolution(const icl__pnode *v) {
  return v->op == ICL__OP_conv2d || v->op == ICL__OP_conv2d_input_grad;
}

TEST(only_convolutions_residual_sums_and_gradients_are_kept) {
  net *n = open_net(NULL, 2);
  const icl__plan *plan = plan_of(n, RESNET);
  for (int i = 0; i < plan->nodes; i++) {
    const icl__pnode *v = plan->node[i];
    if (v->store == ICL__STORE_BATCH)
      CHECK(is_convolution(v) || v->op == ICL__OP_add_n || v->op == ICL__OP_bn_input_grad || v->rank == 2);
  }
  CHECK(plan->recomputed > 0);
  net_free(n);
}

/* What lies in chunks moves nothing; a prepared weight is read, and a gradient of it made, by each of two threads. */
TEST(bytes_moved_are_those_of_values_in_memory) {
  net *n = open_net(NULL, 0);
  const icl__plan *plan = plan_of(n, RESNET);
  int convs = 0;
  for (int i = 0; i < plan->nodes; i++) {
    const icl__pnode *v = plan->node[i];
    size_t moved = icl__plan_traffic(plan, v);
    if (v->leaf >= 0)
      CHECK_EQ(moved, icl__plan_bytes(v));
    if (v->op != ICL__OP_conv2d)
      continue;
    convs++;
    const icl__pnode *x = v->in[0], *w = v->in[1];
    size_t images = (x->store == ICL__STORE_CHUNK ? 0 : icl__plan_bytes(x)) +
                    (v->store == ICL__STORE_CHUNK ? 0 : icl__plan_bytes(v));
    CHECK_EQ(moved, images + 2 * w->opaque);
  }
  CHECK(convs > 0);
  net_free(n);
}

TEST(plans_are_what_they_were) {
  static const struct {
    graph which;
    int phases, kept_values, recomputed, joined;
    size_t kept_bytes;
  } expected[] = {
      {RESNET, 39, 38, 21, 66, 747520},     {SHAKE, 15, 24, 23, 34, 458752}, {DENSENET, 31, 22, 34, 45, 591872},
      {SUBDIVIDED, 45, 42, 27, 72, 144384}, {DUAL, 15, 28, 18, 48, 288768},
  };
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    net *n = open_net(NULL, 2);
    const icl__plan *plan = plan_of(n, expected[i].which);
    int kept = 0;
    for (int j = 0; j < plan->nodes; j++)
      kept += plan->node[j]->store == ICL__STORE_BATCH && !plan->node[j]->same;
    CHECK_EQ(plan->phases, expected[i].phases);
    CHECK_EQ(kept, expected[i].kept_values);
    CHECK_EQ(plan->recomputed, expected[i].recomputed);
    CHECK_EQ(plan->joined, expected[i].joined);
    CHECK_EQ(plan->kept_bytes, expected[i].kept_bytes);
    net_free(n);
  }
}

TEST(passes_of_a_subdivided_batch_run_one_after_another) {
  net *n = open_net(NULL, 1);
  const icl__plan *plan = plan_of(n, SUBDIVIDED);
  int changes = 0;
  for (int p = 2; p <= plan->phases; p++)
    changes += plan->phase[p].domain != plan->phase[p - 1].domain;
  CHECK_EQ(plan->domains, 3);
  CHECK_EQ(changes, 2);
  net_free(n);
}

TEST(both_images_of_a_sample_share_a_domain) {
  net *n = open_net(NULL, 1);
  CHECK_EQ(plan_of(n, DUAL)->domains, 1);
  net_free(n);
}

/* ---- storage ---- */

static size_t extent(const icl__plan *plan, const icl__pnode *v) {
  return v->store == ICL__STORE_BATCH     ? v->bytes * (size_t)plan->domain_size[v->domain]
         : v->store == ICL__STORE_PARTIAL ? v->bytes * (size_t)plan->policy.shares
                                          : v->bytes;
}

static bool in_arena(const icl__pnode *v) {
  return v->store == ICL__STORE_BATCH || v->store == ICL__STORE_PARTIAL || v->store == ICL__STORE_SHARED;
}

static int made_at(const icl__pnode *v) { return 2 * v->phase + !icl__plan_runs_in_phase(v); }

/* An output in the arena is in a slot, and is copied from there behind everything else. */
static int last_use(const icl__pnode *v) {
  int last = v->output >= 0 && in_arena(v) ? INT_MAX : made_at(v);
  for (int i = 0; i < v->uses; i++)
    last = made_at(v->use[i]) > last ? made_at(v->use[i]) : last;
  return last;
}

/* Does b show, at its place, what a holds: as an extension of it or as a view? */
static bool shows(const icl__pnode *b, const icl__pnode *a) {
  return b == a || (b->same && (b->view || b->op == ICL__OP_concat) && shows(b->in[0], a));
}

/* May b begin where a ends? Only the op that reads a last may write over it, or over a part of it, and only in place.
 */
static bool hands_over(const icl__pnode *a, const icl__pnode *b) {
  for (int j = 0; j < b->inputs; j++) {
    const icl__pnode *u = b->in[j];
    if (shows(u, a) && u->offset == b->offset && u->column == b->column && last_use(u) == made_at(b))
      return true;
  }
  return false;
}

static bool apart_in_rows(const icl__pnode *a, const icl__pnode *b) {
  return a->column + a->shape[a->rank - 1] <= b->column || b->column + b->shape[b->rank - 1] <= a->column;
}

static const icl__pnode *root_of(const icl__pnode *v) { return v->same ? v->same : v; }

/* May values that are there at the same time share memory? */
static bool may_share(const icl__pnode *a, const icl__pnode *b) {
  return hands_over(a, b) || hands_over(b, a) ||
         (root_of(a) == root_of(b) && (shows(a, b) || shows(b, a) || apart_in_rows(a, b)));
}

static void check_arena(const icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++)
    for (int j = i + 1; j < plan->nodes; j++) {
      const icl__pnode *a = plan->node[i], *b = plan->node[j];
      if (!in_arena(a) || !in_arena(b) || made_at(a) > last_use(b) || made_at(b) > last_use(a))
        continue;
      bool apart = a->offset + extent(plan, a) <= b->offset || b->offset + extent(plan, b) <= a->offset;
      CHECK(apart || may_share(a, b));
    }
}

static void check_scratch(const icl__plan *plan, const icl__phase *phase) {
  for (int i = 0; i < phase->instructions; i++)
    for (int j = i + 1; j < phase->instructions; j++) {
      const icl__pnode *a = phase->instruction[i], *b = phase->instruction[j];
      if (a->store != ICL__STORE_CHUNK || b->store != ICL__STORE_CHUNK)
        continue;
      int last = a->place;
      for (int k = 0; k < a->uses; k++)
        last = a->use[k]->place > last ? a->use[k]->place : last;
      size_t chunk = (size_t)phase->chunk;
      bool apart = a->offset + a->bytes * chunk <= b->offset || b->offset + b->bytes * chunk <= a->offset;
      CHECK(apart || last < b->place || (last >= b->place && may_share(a, b)));
      CHECK(a->offset + a->bytes * chunk <= plan->scratch_bytes);
    }
}

TEST(live_values_do_not_overlap) {
  for (int which = 0; which < GRAPHS; which++) {
    net *n = open_net(NULL, 2);
    const icl__plan *plan = plan_of(n, (graph)which);
    check_arena(plan);
    for (int p = 1; p <= plan->phases; p++)
      check_scratch(plan, &plan->phase[p]);
    net_free(n);
  }
}

TEST(nothing_lies_over_a_slot) {
  for (int which = 0; which < GRAPHS; which++) {
    net *n = net_new(&(icl_config){.device = "far"});
    const icl__plan *plan = plan_of(n, (graph)which);
    check_arena(plan);
    for (int k = 0; k < plan->outputs; k++)
      CHECK_EQ(plan->slot[k] != ICL__NO_SLOT, !plan->in_place[k]);
    net_free(n);
  }
}

static size_t arena_of(int passes) {
  net *n = open_net(NULL, 0);
  CHECK_OK(icl_step_begin(n->engine));
  for (int i = 0; i < passes; i++) {
    icl_tensor *x = net_images(n, 64 / passes, 32, 3), *labels = net_labels(n, 64 / passes);
    net_rewind(n);
    CHECK_OK(icl_backward(net_loss(n, net_resnet(n, x, 3, 16), labels)));
  }
  net_sgd(n, 0.1);
  CHECK_OK(icl_step_end(n->engine));
  size_t bytes = n->engine->last_plan->arena_bytes;
  net_free(n);
  return bytes;
}

TEST(subdivision_saves_memory) { CHECK((double)arena_of(4) <= 0.4 * (double)arena_of(1)); }

TEST(an_arena_beyond_memory_is_refused_with_the_batch_that_fits) {
  net *n = open_net(NULL, 0);
  icl_tensor *one = net_number(n, 1), *y = NULL;
  CHECK_OK(icl_step_begin(n->engine));
  icl_attributes wide = {.i = {4, 20000, 2048, 2048, 3}};
  CHECK_OK(icl_apply(n->engine, icl_op_find("broadcast_to"), 1, &one, &wide, &y));
  icl_tensor *sum = net_op1(n, "sum", y);
  CHECK_OK(icl_tensor_keep(sum));
  CHECK_ERROR(icl_step_end(n->engine), ICL_ENOMEM, "fits");
  icl_tensor_release(y);
  net_free(n);
}

/* ---- dense blocks ---- */

static bool joins_channels(const icl__pnode *v) { return v->op == ICL__OP_concat && v->rank == 4; }

TEST(concatenations_copy_new_channels_only) {
  net *n = open_net(NULL, 2);
  const icl__plan *plan = plan_of(n, DENSENET);
  int extended = 0, copied = 0, views = 0;
  for (int i = 0; i < plan->nodes; i++) {
    const icl__pnode *v = plan->node[i];
    extended += joins_channels(v) && v->same;
    copied += joins_channels(v) && !v->same;
    views += v->view;
  }
  CHECK_EQ(copied, 1); /* the first behind the stem, whose convolution needs dense rows */
  CHECK_EQ(extended, 5);
  CHECK_EQ(views, 18); /* in each layer what it added, and the gradients of that and of what was there before */
  net_free(n);
}

TEST(statistics_of_a_channel_are_taken_once) {
  net *n = open_net(NULL, 2);
  const icl__plan *plan = plan_of(n, DENSENET);
  for (int i = 0; i < plan->nodes; i++) {
    const icl__pnode *v = plan->node[i];
    CHECK(v->op != ICL__OP_bn_sums || !joins_channels(v->in[0]));
    for (int j = 0; j < i; j++)
      CHECK(v->op != ICL__OP_bn_sums || plan->node[j]->op != ICL__OP_bn_sums || plan->node[j]->in[0] != v->in[0]);
  }
  net_free(n);
}

TEST(gradients_of_a_block_are_finished_in_parts) {
  net *n = open_net(NULL, 2);
  const icl__plan *plan = plan_of(n, DENSENET);
  CHECK(count_ops(plan, ICL__OP_bn_scale_mask) > 0);
  for (int i = 0; i < plan->nodes; i++)
    CHECK(plan->node[i]->op != ICL__OP_bn_input_grad || !joins_channels(plan->node[i]->in[1]));
  net_free(n);
}

/* ---- draws ---- */

TEST(no_draw_is_merged_or_repeated) {
  net *n = open_net(NULL, 1);
  int32_t four[] = {4};
  int64_t words[] = {1, 2, 3, 4};
  icl_tensor *key = NULL, *x = net_images(n, 4, 8, 3), *noise[2], *sum = net_number(n, 0);
  CHECK_OK(icl_tensor_new(n->engine, ICL_I64, 1, four, words, &key));
  CHECK_OK(icl_step_begin(n->engine));
  for (int i = 0; i < 2; i++) {
    icl_attributes shape = {.i = {4, 4, 8, 8, 3}};
    CHECK_OK(icl_apply(n->engine, icl_op_find("uniform"), 1, &key, &shape, &noise[i]));
    icl_tensor *y = net_batch_norm(n, net_op2(n, "mul", x, noise[i])); /* the draw is needed on both sides of a cut */
    sum = net_op2(n, "add", sum, net_op1(n, "sum", net_op2(n, "mul", y, noise[i])));
  }
  CHECK_OK(icl_tensor_keep(sum));
  CHECK_OK(icl_step_end(n->engine));
  CHECK_EQ(count_ops(n->engine->last_plan, ICL__OP_uniform), 2);
  icl_tensor_release(key);
  icl_tensor_release(noise[0]);
  icl_tensor_release(noise[1]);
  net_free(n);
}

/* ---- the cache ---- */

TEST(a_step_is_planned_once) {
  net *n = open_net(NULL, 2);
  icl_statistics statistics;
  step(n, RESNET, 8, 0.1);
  icl_engine_statistics(n->engine, &statistics);
  uint64_t plans = statistics.plans_made;
  step(n, RESNET, 8, 0.1);
  step(n, RESNET, 8, 0.05); /* another learning rate */
  icl_engine_statistics(n->engine, &statistics);
  CHECK_EQ(statistics.plans_made, plans);
  net_free(n);
}

static void narrow_step(net *n, icl_tensor *x, int64_t first) {
  icl_tensor *start = NULL;
  CHECK_OK(icl_tensor_new(n->engine, ICL_I64, 0, NULL, &first, &start));
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *box = net_op(n, "narrow", 2, (icl_tensor *[]){x, start}, "dim", 1.0, "length", 3.0, NULL);
  icl_tensor *sum = net_op1(n, "sum", net_op2(n, "mul", box, net_number(n, (double)first)));
  CHECK_OK(icl_tensor_keep(sum));
  CHECK_OK(icl_step_end(n->engine));
  icl_tensor_release(start);
}

TEST(a_changed_box_plans_nothing_and_another_batch_size_once) {
  net *n = open_net(NULL, 2);
  icl_tensor *x = net_images(n, 4, 8, 3), *fewer = net_images(n, 3, 8, 3);
  icl_statistics statistics;
  for (int64_t first = 0; first < 4; first++)
    narrow_step(n, x, first);
  icl_engine_statistics(n->engine, &statistics);
  CHECK_EQ(statistics.plans_made, 1);
  narrow_step(n, fewer, 0);
  narrow_step(n, fewer, 1);
  icl_engine_statistics(n->engine, &statistics);
  CHECK_EQ(statistics.plans_made, 2);
  net_free(n);
}

TEST(steps_that_always_differ_get_advice_once) {
  net *n = open_net(NULL, 2);
  int advices = 0;
  for (int i = 1; i < 24; i++) {
    icl_tensor *x = net_images(n, 2, 4 + i, 3);
    icl_engine_locate(n->engine, "recipe.lua", 7);
    CHECK_OK(icl_step_begin(n->engine));
    CHECK_OK(icl_tensor_keep(net_op1(n, "sum", x)));
    CHECK_OK(icl_step_end(n->engine));
    const char *advice = icl_engine_advice(n->engine);
    advices += advice != NULL;
    if (advice)
      CHECK_CONTAINS(advice, "planned anew");
  }
  CHECK_EQ(advices, 1);
  net_free(n);
}

/* ---- every rule can be switched off, and results stay right ---- */

static double *trained(const char *switches, graph which, int chunk, int *count) {
  net *n = open_net(switches, chunk);
  step(n, which, 8, 0.05);
  step(n, which, 8, 0.05);
  int total = 0;
  double *values = NULL;
  for (int i = 0; i < n->states; i++) {
    icl_tensor *now = NULL;
    CHECK_OK(icl_state_read(n->state[i], &now));
    int size = (int)icl_tensor_count(now);
    icl_tensor_release(now);
    values = realloc(values, sizeof *values * (size_t)(total + size));
    CHECK(values != NULL);
    CHECK_OK(icl_state_get(n->state[i], ICL_F64, values + total));
    total += size;
  }
  net_free(n);
  *count = total;
  return values;
}

static double distance(const double *a, const double *b, int count) {
  double square = 0, difference = 0;
  for (int i = 0; i < count; i++) {
    square += a[i] * a[i];
    difference += (a[i] - b[i]) * (a[i] - b[i]);
  }
  return sqrt(difference / square);
}

TEST(results_do_not_depend_on_any_rule) {
  static const char *switches[] = {
#define X(name, text) "no-" #name,
      ICL__POLICY_TABLE(X)
#undef X
          "no-join,no-recompute,no-inplace",
      "no-merge,no-join,no-sink,no-recompute,no-inplace,no-late_prepare,no-split"};
  for (int which = 0; which < GRAPHS; which++) {
    int count, other;
    double *standard = trained(NULL, (graph)which, 1, &count);
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
      double *ablated = trained(switches[i], (graph)which, i % 2 ? 3 : 0, &other);
      CHECK_EQ(other, count);
      CHECK_NEAR(distance(standard, ablated, count), 0, 2e-5);
      free(ablated);
    }
    free(standard);
  }
}

TEST(the_same_step_gives_the_same_bytes) {
  int count, again;
  double *a = trained(NULL, RESNET, 0, &count), *b = trained(NULL, RESNET, 0, &again);
  CHECK_EQ(count, again);
  CHECK(!memcmp(a, b, sizeof *a * (size_t)count));
  free(a);
  free(b);
}

TEST(what_each_thread_works_in_begins_on_a_cache_line) {
  net *n = open_net(NULL, 0);
  float data[15] = {0};
  icl_tensor *x;
  CHECK_OK(icl_tensor_new(n->engine, ICL_F32, 2, (const int32_t[]){3, 5}, data, &x));
  icl_tensor *half = net_op(n, "cast", 1, &x, "dtype", (double)ICL_BF16, NULL);
  net_op(n, "matmul", 2, (icl_tensor *[]){half, half}, "transpose_b", 1.0, NULL); /* widens 15 numbers */
  const icl__plan *plan = n->engine->last_plan;
  CHECK(plan->workspace_bytes > 0);
  CHECK_EQ(plan->workspace_bytes % 64, 0);
  CHECK_EQ(plan->scratch_bytes % 64, 0);
  CHECK_EQ(plan->arena_bytes % 64, 0);
  icl_tensor_release(x);
  net_clear(n);
  net_free(n);
}

TEST(an_unknown_switch_lists_the_known_ones) {
  icl_config config = {.plan = "no-joins"};
  icl_engine *engine = NULL;
  CHECK_ERROR(icl_engine_new(&config, &engine), ICL_EINVAL, "no-join ");
}
