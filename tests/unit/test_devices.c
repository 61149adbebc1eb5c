/* test_devices.c - devices by name, and what holds for one with a memory of its own that works late (tests/far). */
#include "nets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/engine.h"
#include "unit.h"

/* ---- names ---- */

static void refused(const char *device, icl_status status, const char *part) {
  icl_engine *engine = NULL;
  CHECK_ERROR(icl_engine_new(&(icl_config){.device = device, .threads = 1}, &engine), status, part);
}

TEST(a_name_that_is_none_says_what_there_is) {
  refused("", ICL_EINVAL, "choose cpu, ref");
  refused("../x", ICL_EINVAL, "choose cpu, ref");
  refused("cuda:", ICL_EINVAL, "choose cpu, ref");
  refused("cuda:x", ICL_EINVAL, "choose cpu, ref");
  refused("cuda:-1", ICL_EINVAL, "choose cpu, ref");
  refused("cuda:123456789012345678901", ICL_EINVAL, "choose cpu, ref");
  refused("cpu:0", ICL_EINVAL, "there is one cpu");
}

TEST(a_plug_in_that_is_not_there_says_where_it_was_looked_for) {
  setenv("ICL_PLUGINS", "/nowhere/a:/nowhere/b", 1);
  refused("nothing", ICL_ENOENT, "no libicl_nothing.so in /nowhere/a, /nowhere/b, ");
  refused("nothing:2", ICL_ENOENT, "device 'nothing:2' cannot be used");
}

TEST(a_plug_in_that_cannot_be_used_says_why) {
  setenv("FAR_REFUSE", "there is no driver", 1);
  refused("far", ICL_ENOTSUP, "device 'far' cannot be used; cpu and ref are built in: far: there is no driver");
}

TEST(a_plug_in_of_another_version_is_refused) {
  refused("old", ICL_ENOTSUP, "libicl_old.so was built for another version of icl");
}

TEST(a_file_that_is_no_plug_in_says_so) {
  char folder[] = "/tmp/icl-plugin-XXXXXX", path[64];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/libicl_broken.so", folder);
  FILE *file = fopen(path, "w");
  CHECK(file != NULL);
  fputs("nothing", file);
  fclose(file);
  setenv("ICL_PLUGINS", folder, 1);
  refused("broken", ICL_ENOTSUP, path);
  remove(path);
  remove(folder);
}

static void described(const icl_config *config, const char *part) {
  icl_engine *engine;
  char text[256];
  CHECK_OK(icl_engine_new(config, &engine));
  icl_engine_describe_device(engine, text, sizeof text);
  CHECK_CONTAINS(text, part);
  icl_engine_free(engine);
}

TEST(a_device_gets_its_number_and_its_options) {
  described(&(icl_config){.device = "far"}, "far:0: f32;");
  described(&(icl_config){.device = "far:0"}, "far:0: f32;");
  described(&(icl_config){.device = "far:1", .precision = "tf32"}, "far:1: tf32;");
  described(&(icl_config){.device = "far", .deterministic = true}, "f32, deterministic;");
  described(&(icl_config){.deterministic = true, .precision = "f32"}, "cpu");
  refused("far:2", ICL_ENOENT, "devices 0 and 1, not 2");
}

TEST(a_precision_that_a_device_has_not_is_refused) {
  icl_engine *engine;
  CHECK_ERROR(icl_engine_new(&(icl_config){.precision = "tf32"}, &engine), ICL_ENOTSUP, "cpu has no precision tf32");
  CHECK_ERROR(icl_engine_new(&(icl_config){.precision = "f3"}, &engine), ICL_ENOTSUP, "it has f32");
  CHECK_ERROR(icl_engine_new(&(icl_config){.precision = "", .device = "far"}, &engine), ICL_ENOTSUP, "f32 tf32");
}

/* ---- a memory of its own ---- */

enum { STEPS = 4, IMAGES = 6, SIZE = 8 };

static net *far_net(void) { return net_new(&(icl_config){.device = "far"}); }

/* Some steps of a network with batch norm and momentum; the loss of each is kept. */
static void train(net *n, float losses[STEPS]) {
  icl_tensor *x = net_images(n, IMAGES, SIZE, 3), *labels = net_labels(n, IMAGES);
  for (int i = 0; i < STEPS; i++) {
    net_rewind(n);
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *loss = net_loss(n, net_resnet(n, x, 1, 8), labels);
    net_update(n, loss, 0.1);
    CHECK_OK(icl_tensor_keep(loss));
    CHECK_OK(icl_step_end(n->engine));
    CHECK_OK(icl_tensor_read(loss, ICL_F32, &losses[i]));
  }
  net_clear(n);
}

static void same_states(net *a, net *b) {
  CHECK_EQ(a->states, b->states);
  for (int i = 0; i < a->states; i++) {
    size_t count = 1;
    for (int k = 0; k < icl_state_rank(a->state[i]); k++)
      count *= (size_t)icl_state_shape(a->state[i])[k];
    float *x = calloc(count, sizeof *x), *y = calloc(count, sizeof *y);
    CHECK_OK(icl_state_get(a->state[i], ICL_F32, x));
    CHECK_OK(icl_state_get(b->state[i], ICL_F32, y));
    CHECK(memcmp(x, y, count * sizeof *x) == 0);
    free(x);
    free(y);
  }
}

TEST(training_in_a_memory_of_its_own_gives_the_bytes_of_the_cpu) {
  float losses[2][STEPS];
  net *cpu = net_new(&(icl_config){.threads = 1, .plan = "no-chunks"}), *far = far_net();
  train(cpu, losses[0]);
  train(far, losses[1]);
  CHECK(memcmp(losses[0], losses[1], sizeof losses[0]) == 0);
  same_states(cpu, far);
  net_free(cpu);
  net_free(far);
}

TEST(a_version_that_was_read_stays_what_it_is_there) {
  net *n = far_net();
  icl_state *s = net_scalar(n, 1, false);
  icl_tensor *before = net_read(n, s);
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_state_write(s, net_op2(n, "add", net_read(n, s), net_number(n, 1)), NULL));
  CHECK_OK(icl_step_end(n->engine));
  CHECK_NEAR(net_item(before), 1, 0);
  CHECK_NEAR(net_stored(s), 2, 0);
  net_clear(n);
  net_close(n, s);
}

TEST(the_memory_of_a_device_is_a_limit_of_its_own) {
  net *n = net_new(&(icl_config){.device = "far:1"});
  icl_tensor *x = net_images(n, 1024, 8, 3);
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *y = net_conv(n, x, 3, 512, 1);
  icl_tensor *sum = net_mean(n, net_batch_norm(n, y));
  CHECK_OK(icl_tensor_keep(sum));
  CHECK_ERROR(icl_step_end(n->engine), ICL_ENOMEM, "% of this one fits");
  net_free(n);
}

/* ---- states in place ---- */

static void text_of(net *n, char text[256]) { icl_engine_describe_device(n->engine, text, 256); }

TEST(a_program_finds_states_where_they_were) {
  char text[256];
  float losses[STEPS];
  net *n = far_net();
  train(n, losses);
  text_of(n, text);
  CHECK_CONTAINS(text, " 0 moved");
  net_free(n);
}

/* A step that writes a state, with an old version of it held outside, read inside, or set before. */
TEST(what_shares_the_memory_of_a_state_gives_way) {
  char text[256];
  net *n = far_net();
  icl_state *s = net_scalar(n, 1, false);
  icl_tensor *held[5];
  for (int i = 0; i < 5; i++) {
    if (i == 3)
      CHECK_OK(icl_state_set(s, ICL_F64, &(double){3}));
    CHECK_OK(icl_state_read(s, &held[i]));
    CHECK_OK(icl_step_begin(n->engine));
    CHECK_OK(icl_state_write(s, net_op2(n, "add", net_read(n, s), net_number(n, 1)), NULL));
    CHECK_OK(icl_step_end(n->engine));
  }
  text_of(n, text);
  CHECK_CONTAINS(text, " 0 moved");
  static const double expected[] = {1, 2, 3, 3, 4};
  for (int i = 0; i < 5; i++) {
    CHECK_NEAR(net_item(held[i]), expected[i], 0);
    icl_tensor_release(held[i]);
  }
  CHECK_NEAR(net_stored(s), 5, 0);
  net_clear(n);
  net_close(n, s);
}

/* New versions that cannot be written where the old one lies: another reads that behind them, or it is not elementwise.
 */
static void exchange(const char *device, bool check_nan) {
  net *n = net_new(&(icl_config){.device = device, .threads = 2, .check_nan = check_nan});
  icl_state *a = net_state(n, false, 0, 1, 2, (const int32_t[]){3, 3}), *b = net_scalar(n, 1, false);
  float x[9], y[9];
  CHECK_OK(icl_state_get(a, ICL_F32, x));
  for (int i = 0; i < 3; i++) {
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *old = net_read(n, a);
    CHECK_OK(icl_state_write(a, net_op2(n, "matmul", old, old), NULL));
    CHECK_OK(icl_state_write(b, net_op1(n, "sum", net_op1(n, "neg", old)), NULL));
    CHECK_OK(icl_step_end(n->engine));
    CHECK_OK(icl_state_get(a, ICL_F32, y));
    double sum = 0;
    for (int r = 0; r < 3; r++)
      for (int c = 0; c < 3; c++) {
        CHECK_NEAR(y[3 * r + c], x[3 * r] * x[c] + x[3 * r + 1] * x[3 + c] + x[3 * r + 2] * x[6 + c], 1e-4);
        sum -= (double)x[3 * r + c];
      }
    CHECK_NEAR(net_stored(b), sum, 1e-4);
    memcpy(x, y, sizeof x);
  }
  net_clear(n);
  net_close(n, b);
}

TEST(a_version_that_is_still_read_is_not_written_over) {
  exchange("cpu", false);
  exchange("cpu", true);
  exchange("ref", false);
  exchange("ref", true);
  exchange("far", false);
  exchange("far", true);
}

static const icl__plan *plan_of_batch_norm(net *n) {
  icl_tensor *x = net_images(n, 4, 4, 3);
  for (int i = 0; i < 2; i++) {
    net_rewind(n);
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *y = net_mean(n, net_batch_norm(n, net_batch_norm(n, x)));
    CHECK_OK(icl_tensor_keep(y));
    CHECK_OK(icl_step_end(n->engine));
  }
  return n->engine->last_plan;
}

TEST(running_statistics_are_written_in_place) {
  static const char *const devices[] = {"cpu", "ref", "far"};
  for (int i = 0; i < 3; i++) {
    net *n = net_new(&(icl_config){.device = devices[i], .threads = 2});
    const icl__plan *plan = plan_of_batch_norm(n);
    int states = 0, in_place = 0;
    for (int k = 0; k < plan->nodes; k++)
      if (plan->node[k]->state_output) {
        states++;
        in_place += plan->in_place[plan->node[k]->output];
      }
    CHECK_EQ(states, 4);
    CHECK_EQ(in_place, 4);
    net_free(n);
  }
}

TEST(a_state_that_is_not_read_is_written_in_place) {
  net *n = net_new(&(icl_config){.threads = 2});
  icl_state *s = net_scalar(n, 1, false);
  icl_tensor *x = net_images(n, 2, 2, 1);
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_state_write(s, net_mean(n, x), NULL));
  CHECK_OK(icl_step_end(n->engine));
  CHECK(n->engine->last_plan->in_place[0]);
  CHECK_NEAR(net_stored(s), net_item(net_mean(n, x)), 1e-6);
  net_clear(n);
  net_close(n, s);
}

/* A value that a thread reads beside the training stays where it is, and what it is. */
TEST(a_value_that_is_being_saved_does_not_change) {
  static const char *const devices[] = {"cpu", "ref", "far"};
  for (int i = 0; i < 3; i++) {
    net *n = net_new(&(icl_config){.device = devices[i], .threads = 2});
    icl_state *s = net_scalar(n, 1, false);
    icl__held held;
    CHECK_OK(icl__hold(net_read(n, s), &held));
    const double *data = held.data;
    for (int step = 0; step < 3; step++) {
      CHECK_OK(icl_step_begin(n->engine));
      CHECK_OK(icl_state_write(s, net_op2(n, "add", net_read(n, s), net_number(n, 1)), NULL));
      CHECK_OK(icl_step_end(n->engine));
      CHECK_NEAR(*data, 1, 0);
    }
    CHECK_OK(icl_state_set(s, ICL_F64, &(double){7}));
    CHECK_NEAR(*data, 1, 0);
    icl__unhold(&held);
    CHECK_NEAR(net_stored(s), 7, 0);
    net_clear(n);
    net_close(n, s);
  }
}

/* ---- policy ---- */

TEST(a_device_has_a_policy_of_its_own) {
  net *n = net_new(&(icl_config){.device = "far", .threads = 2, .chunk = 1});
  CHECK_EQ(icl_engine_threads(n->engine), 2);
  const icl__plan *plan = plan_of_batch_norm(n);
  CHECK_EQ(plan->policy.threads, 1);
  for (int p = 1; p <= plan->phases; p++)
    CHECK_EQ(plan->phase[p].chunk, 4);
  net_free(n);
}

/* ---- errors ---- */

TEST(a_late_error_comes_up_at_the_next_wait_and_stays) {
  setenv("FAR_FAIL_RUN", "2", 1);
  net *n = far_net();
  icl_state *s = net_scalar(n, 1, false);
  for (int i = 0; i < 3; i++) {
    CHECK_OK(icl_step_begin(n->engine));
    CHECK_OK(icl_state_write(s, net_op2(n, "add", net_read(n, s), net_number(n, 1)), NULL));
    CHECK_OK(icl_step_end(n->engine)); /* it has only begun */
  }
  double value;
  CHECK_ERROR(icl_engine_wait(n->engine), ICL_EBACKEND, "last checkpoint: far: run 2 failed in conv2d");
  CHECK_ERROR(icl_engine_wait(n->engine), ICL_EBACKEND, "run 2 failed in conv2d");
  CHECK_ERROR(icl_state_get(s, ICL_F64, &value), ICL_EBACKEND, "run 2 failed in conv2d");
  icl_tensor *x = net_number(n, 1), *y;
  CHECK_ERROR(icl_apply(n->engine, icl_op_find("exp"), 1, &x, NULL, &y), ICL_EBACKEND, "run 2 failed in conv2d");
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_state_write(s, net_op2(n, "add", net_read(n, s), x), NULL));
  CHECK_ERROR(icl_step_end(n->engine), ICL_EBACKEND, "run 2 failed in conv2d");
  net_clear(n);
  net_close(n, s);
}

TEST(a_late_error_comes_up_where_a_value_is_read) {
  setenv("FAR_FAIL_RUN", "1", 1);
  net *n = far_net();
  icl_state *s = net_scalar(n, 1, false);
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_state_write(s, net_op2(n, "add", net_read(n, s), net_number(n, 1)), NULL));
  CHECK_OK(icl_step_end(n->engine));
  double value;
  CHECK_ERROR(icl_state_get(s, ICL_F64, &value), ICL_EBACKEND, "run 1 failed in conv2d");
  net_clear(n);
  net_close(n, s);
}

TEST(a_plan_that_does_not_compile_is_forgotten_and_leaves_states_alone) {
  char text[256];
  net *n = far_net();
  icl_state *s = net_scalar(n, 1, false);
  setenv("FAR_FAIL_COMPILE", "1", 1);
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_state_write(s, net_op2(n, "add", net_read(n, s), net_number(n, 1)), NULL));
  CHECK_ERROR(icl_step_end(n->engine), ICL_EBACKEND, "it cannot compile");
  text_of(n, text);
  CHECK_CONTAINS(text, " 0 plans, 0 runs");
  CHECK_NEAR(net_stored(s), 1, 0);
  net_clear(n);
  net_close(n, s);
}

TEST(a_stop_is_taken_before_the_launch_and_does_no_harm) {
  net *n = far_net();
  icl_state *s = net_scalar(n, 1, false);
  for (int stopped = 1; stopped >= 0; stopped--) {
    CHECK_OK(icl_step_begin(n->engine));
    CHECK_OK(icl_state_write(s, net_op2(n, "add", net_read(n, s), net_number(n, 1)), NULL));
    if (stopped)
      icl_engine_interrupt(n->engine);
    CHECK_EQ(icl_step_end(n->engine), stopped ? ICL_EINTERRUPTED : ICL_OK);
    CHECK_NEAR(net_stored(s), stopped ? 1 : 2, 0);
  }
  net_clear(n);
  net_close(n, s);
}

TEST(a_nan_is_found_before_a_device_commits) {
  net *n = net_new(&(icl_config){.device = "far", .check_nan = true});
  icl_state *s = net_scalar(n, -1, false);
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_state_write(s, net_op1(n, "sqrt", net_read(n, s)), NULL));
  CHECK_ERROR(icl_step_end(n->engine), ICL_ENONFINITE, "sqrt");
  CHECK_NEAR(net_stored(s), -1, 0);
  net_clear(n);
  net_close(n, s);
}

TEST(waiting_is_fine_where_nothing_is_late) {
  net *n = net_new(NULL);
  CHECK_OK(icl_engine_wait(n->engine));
  net_free(n);
}

/* ---- indices ---- */

static icl_status gather(net *n, icl_tensor *index, icl_tensor **result) {
  icl_tensor *in[] = {net_images(n, 3, 1, 1), index};
  return icl_apply(n->engine, icl_op_find("gather"), 2, in, NULL, result);
}

TEST(indices_are_looked_at_on_every_device) {
  static const char *const devices[] = {"cpu", "ref", "far"};
  for (int i = 0; i < 3; i++) {
    net *n = net_new(&(icl_config){.device = devices[i], .threads = 2});
    icl_tensor *good, *bad, *result;
    CHECK_OK(icl_tensor_new(n->engine, ICL_I64, 1, (const int32_t[]){3}, (const int64_t[]){0, 2, 1}, &good));
    CHECK_OK(icl_tensor_new(n->engine, ICL_I64, 1, (const int32_t[]){3}, (const int64_t[]){0, 2, 3}, &bad));
    for (int in_step = 0; in_step < 2; in_step++) {
      if (in_step)
        CHECK_OK(icl_step_begin(n->engine));
      CHECK_OK(gather(n, good, &result));
      icl_tensor_release(result);
      CHECK_ERROR(gather(n, bad, &result), ICL_EINVAL, "index 3 at position 2 must be from 0 to 2");
    }
    icl_step_cancel(n->engine);
    icl_tensor *computed = net_op2(n, "add", good, good); /* 0 4 2 */
    CHECK_ERROR(gather(n, computed, &result), ICL_EINVAL, "index 4 at position 1");
    icl_tensor_release(good);
    icl_tensor_release(bad);
    net_free(n);
  }
}

TEST(the_indices_of_a_state_are_looked_at_anew_when_it_changes) {
  static const char *const devices[] = {"cpu", "ref", "far"};
  for (int i = 0; i < 3; i++) {
    net *n = net_new(&(icl_config){.device = devices[i], .threads = 2});
    icl_state *s;
    icl_tensor *result;
    CHECK_OK(icl_state_new(n->engine, "order", ICL_I64, 1, (const int32_t[]){2}, (const int64_t[]){0, 2}, false, &s));
    CHECK_OK(gather(n, net_read(n, s), &result));
    icl_tensor_release(result);
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *old = net_read(n, s);
    CHECK_OK(icl_state_write(s, net_op2(n, "add", old, old), NULL));
    CHECK_OK(icl_step_end(n->engine));
    CHECK_ERROR(gather(n, net_read(n, s), &result), ICL_EINVAL, "index 4 at position 1");
    CHECK_OK(icl_state_set(s, ICL_I64, (const int64_t[]){1, 1}));
    CHECK_OK(gather(n, net_read(n, s), &result));
    icl_tensor_release(result);
    net_clear(n);
    net_close(n, s);
  }
}
