/* test_all_reduce.c - one program on the ranks of a group: what they end with is what one process ends with. */
#include "rank_threads.h"
#include "trainings.h"

#include <math.h>

#include "graph/engine.h"
#include "unit.h"

/* `part` -1: all parts, one after another. */
static void train(training *t, icl_group *group, int part) {
  net *n = net_new(&t->config);
  n->training = true;
  n->together = t->sync ? t->images : 0;
  CHECK_OK(icl_engine_set_group(n->engine, group));
  if (t->bucket)
    n->engine->policy.bucket_bytes = n->engine->policy.last_bucket_bytes = t->bucket;
  for (int step = 0; step < TRAINING_STEPS; step++) {
    CHECK_OK(icl_step_begin(n->engine));
    for (int p = 0; p < t->parts; p++) {
      if (part >= 0 && p != part)
        continue;
      icl_tensor *loss = training_loss(n, t, step, p, t->parts);
      CHECK(!t->reads || isfinite(net_item(loss)));
      CHECK_OK(icl_backward(loss));
    }
    net_sgd(n, 0.05);
    CHECK_OK(icl_step_end(n->engine));
    net_clear(n);
  }
  training_take(n, t, part < 0 ? 0 : part);
  net_free(n);
}

static void train_as_rank(icl_group *group, void *context) { train(context, group, icl_group_rank(group)); }

/* All ranks end with the bytes of one process. */
static void compare(training *group, training *one) {
  rank_threads_run(group->parts, train_as_rank, group);
  train(one, NULL, -1);
  for (int r = 0; r < group->parts; r++)
    training_expect_same_bytes(group, r, one, 0);
  training_forget(group);
  training_forget(one);
}

/* ---- a subdivided batch ---- */

static void compare_with_parts(training_layers layers, int width, int parts, int images, icl_config config) {
  training t = {.layers = layers, .blocks = 1, .width = width, .images = images, .config = config, .parts = parts}, one;
  t.reads = width == 6;
  one = t;
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

TEST(ranks_train_as_parts_with_many_small_buckets) {
  for (size_t bucket = 1 << 10; bucket <= 1 << 14; bucket *= 4) {
    training t = {.layers = net_resnet, .blocks = 1, .width = 8, .images = 6, .parts = 3, .bucket = bucket}, one;
    t.config.threads = 2;
    one = t;
    compare(&t, &one);
  }
}

/* ---- batch norm over all ranks ---- */

/* As many ranks of a thread as one process has threads. */
static void compare_with_threads(training_layers layers, int width, int threads, int images, icl_config config) {
  config.threads = 1;
  training t = {.layers = layers, .blocks = 1, .width = width, .images = images, .config = config, .parts = threads},
           one = t;
  t.sync = one.sync = true;
  t.reads = one.reads = width == 6;
  one.config.threads = threads;
  one.parts = 1;
  compare(&t, &one);
}

TEST(ranks_train_as_the_threads_of_a_process) {
  for (int threads = 2; threads <= 4; threads++)
    compare_with_threads(net_resnet, 16, threads, 12, (icl_config){0});
  compare_with_threads(net_resnet, 5, 4, 12, (icl_config){.chunk = 1});
  compare_with_threads(net_resnet, 6, 3, 12, (icl_config){0});
  compare_with_threads(net_densenet, 4, 3, 12, (icl_config){0});
  compare_with_threads(net_resnet, 4, 4, 8, (icl_config){.plan = "no-bucket,no-merge,no-join,no-concat"});
}

/* Two branches with a batch norm each: the sums of the one that is recorded last are there first. */
static icl_tensor *two_branches(net *n, icl_tensor *x, int blocks, int width) {
  for (int i = 0; i <= blocks; i++) {
    icl_tensor *h = net_conv(n, net_op1(n, "relu", net_batch_norm(n, net_conv(n, x, 3, width, 1))), 3, width, 1);
    icl_tensor *deep = net_batch_norm(n, h), *shallow = net_batch_norm(n, net_conv(n, x, 1, width, 1));
    x = net_op1(n, "relu", net_op2(n, "add", deep, shallow));
  }
  return net_linear(n, net_op1(n, "global_avg_pool", x), 10);
}

TEST(ranks_train_as_threads_where_branches_meet) {
  compare_with_threads(two_branches, 8, 2, 8, (icl_config){0});
  compare_with_threads(two_branches, 4, 4, 8, (icl_config){.plan = "no-sink"});
}

/* ---- sums that need sums ---- */

/* Every gradient is divided by a norm of all of them, which takes another sum over the ranks, and its result a third.
 */
static void train_with_norms(icl_group *group, void *context) {
  training *t = context;
  int rank = icl_group_rank(group);
  net *n = net_new(&t->config);
  n->training = true;
  CHECK_OK(icl_engine_set_group(n->engine, group));
  if (t->bucket)
    n->engine->policy.bucket_bytes = n->engine->policy.last_bucket_bytes = t->bucket;
  for (int step = 0; step < TRAINING_STEPS; step++) {
    CHECK_OK(icl_step_begin(n->engine));
    CHECK_OK(icl_backward(training_loss(n, t, step, rank, t->parts)));
    icl_tensor *norm = net_number(n, 0), *g[NET_STATES];
    for (int i = 0; i < n->states; i++) {
      g[i] = NULL;
      CHECK_OK(icl_state_gradient(n->state[i], &g[i]));
      if (g[i])
        norm = net_op2(n, "add", norm, net_op1(n, "sum", net_op2(n, "mul", g[i], g[i])));
    }
    norm = net_op1(n, "all_reduce", net_op1(n, "sqrt", norm));
    icl_tensor *twice = net_op1(n, "all_reduce", net_op2(n, "add", norm, net_number(n, rank)));
    CHECK_OK(icl_tensor_keep(twice));
    for (int i = 0; i < n->states; i++)
      if (g[i])
        CHECK_OK(icl_state_write(n->state[i],
                                 net_op2(n, "sub", net_read(n, n->state[i]), net_op2(n, "div", g[i], twice)), NULL));
    CHECK_OK(icl_step_end(n->engine));
    CHECK(net_item(twice) > 0 + 1 + 2);
    for (int i = 0; i < n->states; i++)
      icl_tensor_release(g[i]);
    net_clear(n);
  }
  training_take(n, t, rank);
  net_free(n);
}

TEST(sums_may_need_sums) {
  static const char *const plans[] = {"", "no-bucket", "no-link,no-inplace", ""};
  training first = {0};
  for (int i = 0; i < 4; i++) {
    training t = {.layers = net_resnet, .blocks = 1, .width = 4, .images = 6, .parts = 3};
    t.config = (icl_config){.threads = 2, .plan = plans[i]};
    t.bucket = i == 3 ? 2048 : 0;
    rank_threads_run(3, train_with_norms, &t);
    training_expect_same_bytes(&t, 0, &t, 1);
    training_expect_same_bytes(&t, 0, &t, 2);
    if (i)
      training_expect_same_bytes(&t, 0, &first, 0);
    else
      first = t;
    if (i)
      training_forget(&t);
  }
  training_forget(&first);
}
