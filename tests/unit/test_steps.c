/* test_steps.c - steps, versions of states, and reading inside of steps. */
#include "nets.h"

#include <math.h>
#include <string.h>

#include "unit.h"

TEST(later_reads_in_a_step_see_the_write) {
  for (int eager = 0; eager < 2; eager++) {
    net *n = net_open("cpu", eager);
    icl_state *s = net_scalar(n, 1, false);
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *old = net_read(n, s);
    CHECK_OK(icl_state_write(s, net_op2(n, "add", old, net_number(n, 10)), NULL));
    icl_tensor *sum = net_op2(n, "add", old, net_read(n, s));
    CHECK_OK(icl_tensor_keep(sum));
    CHECK_OK(icl_step_end(n->engine));
    CHECK_NEAR(net_item(sum), 12, 0);
    CHECK_NEAR(net_stored(s), 11, 0);
    net_close(n, s);
  }
}

TEST(a_predicate_decides_whether_a_write_happens) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 1, false);
  for (int yes = 0; yes < 2; yes++) {
    CHECK_OK(icl_step_begin(n->engine));
    CHECK_OK(icl_state_write(s, net_number(n, 5), net_op2(n, "gt", net_number(n, yes), net_number(n, 0.5))));
    CHECK_OK(icl_step_end(n->engine));
    CHECK_NEAR(net_stored(s), yes ? 5 : 1, 0);
  }
  net_close(n, s);
}

TEST(states_can_swap_values_in_a_step) {
  net *n = net_open("cpu", false);
  icl_state *a = net_scalar(n, 1, false), *b = net_scalar(n, 2, false);
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *va = net_read(n, a), *vb = net_read(n, b);
  CHECK_OK(icl_state_write(a, vb, NULL));
  CHECK_OK(icl_state_write(b, va, NULL));
  CHECK_OK(icl_step_end(n->engine));
  CHECK_NEAR(net_stored(a), 2, 0);
  CHECK_NEAR(net_stored(b), 1, 0);
  net_clear(n);
  icl_state_release(b);
  net_close(n, a);
}

TEST(a_cancelled_step_changes_nothing) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 1, false);
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_state_write(s, net_number(n, 5), NULL));
  icl_step_cancel(n->engine);
  CHECK(!icl_in_step(n->engine));
  CHECK_NEAR(net_stored(s), 1, 0);
  net_close(n, s);
}

TEST(a_copy_of_a_state_commits_nothing) {
  for (int i = 0; i < 4; i++) {
    bool eager = i / 2, cancelled = i % 2;
    net *n = net_open("cpu", eager);
    icl_state *other = net_scalar(n, 1, false), *s = net_scalar(n, 2, true), *before, *behind;
    CHECK_OK(icl_step_begin(n->engine));
    CHECK_OK(icl_state_write(other, net_number(n, 5), NULL));
    CHECK_OK(icl_state_copy(s, &before));
    CHECK_OK(icl_state_write(s, net_number(n, 3), NULL));
    CHECK_OK(icl_state_copy(s, &behind));
    CHECK_OK(icl_state_write(s, net_number(n, 4), NULL));
    if (cancelled)
      icl_step_cancel(n->engine);
    else
      CHECK_OK(icl_step_end(n->engine));
    CHECK_NEAR(net_stored(other), cancelled ? 1 : 5, 0);
    CHECK_NEAR(net_stored(s), cancelled ? 2 : 4, 0);
    CHECK_NEAR(net_stored(before), 2, 0);
    CHECK_NEAR(net_stored(behind), cancelled ? 2 : 3, 0);
    CHECK(!icl_state_trainable(before));
    net_clear(n);
    icl_state_release(before);
    icl_state_release(behind);
    icl_state_release(other);
    net_close(n, s);
  }
}

TEST(steps_do_not_nest) {
  net *n = net_open("cpu", false);
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_ERROR(icl_step_begin(n->engine), ICL_EINVAL, "inside a step");
  icl_step_cancel(n->engine);
  CHECK_ERROR(icl_step_end(n->engine), ICL_EINVAL, "had not begun");
  net_free(n);
}

TEST(a_tensor_that_was_not_kept_says_so) {
  net *n = net_open("cpu", false);
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *x = net_op1(n, "exp", net_number(n, 1));
  CHECK_OK(icl_step_end(n->engine));
  double value;
  CHECK_ERROR(icl_tensor_read(x, ICL_F64, &value), ICL_ENOVALUE, "keep()");
  CHECK_ERROR(icl_tensor_keep(x), ICL_ENOVALUE, "inside the step");
  icl_tensor *y = NULL;
  CHECK_ERROR(icl_apply(n->engine, icl_op_find("exp"), 1, &x, NULL, &y), ICL_ENOVALUE, "keep()");
  net_free(n);
}

TEST(reading_inside_a_step_commits_the_writes_so_far) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 1, false);
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_state_write(s, net_op2(n, "mul", net_read(n, s), net_number(n, 3)), NULL));
  CHECK_NEAR(net_item(net_op2(n, "add", net_read(n, s), net_number(n, 1))), 4, 0);
  CHECK_OK(icl_state_write(s, net_op2(n, "mul", net_read(n, s), net_number(n, 3)), NULL));
  CHECK_OK(icl_step_end(n->engine));
  CHECK_NEAR(net_stored(s), 9, 0);
  net_close(n, s);
}

TEST(what_was_read_inside_a_step_stays_readable_and_nothing_else) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 2, true);
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *shown = net_op1(n, "exp", net_read(n, s)), *next = net_op1(n, "neg", shown);
  CHECK_NEAR(net_item(shown), exp(2), 1e-12);
  CHECK_OK(icl_state_write(s, next, NULL));
  CHECK_OK(icl_step_end(n->engine));
  double value;
  CHECK_NEAR(net_item(shown), exp(2), 1e-12);
  CHECK_ERROR(icl_tensor_read(next, ICL_F64, &value), ICL_ENOVALUE, "not kept");
  CHECK_NEAR(net_stored(s), -exp(2), 1e-12);
  net_close(n, s);
}

TEST(a_loss_read_before_backward_gives_the_same_step) {
  double after[2];
  for (int early = 0; early < 2; early++) {
    net *n = net_open("cpu", false);
    icl_tensor *x = net_images(n, 3, 8, 3), *labels = net_labels(n, 3);
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *loss = net_loss(n, net_resnet(n, x, 1, 4), labels);
    if (early)
      CHECK(isfinite(net_item(loss)));
    net_update(n, loss, 0.1);
    CHECK_OK(icl_step_end(n->engine));
    float w[108];
    CHECK_OK(icl_state_get(n->state[0], ICL_F32, w));
    after[early] = 0;
    for (int i = 0; i < 108; i++)
      after[early] += (double)w[i] * (i + 1);
    net_free(n);
  }
  CHECK_NEAR(after[0], after[1], 1e-4 * fabs(after[0]));
}

TEST(an_overwritten_version_names_the_write) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 1, false);
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *old = net_read(n, s);
  icl_engine_locate(n->engine, "recipe.lua", 42);
  CHECK_OK(icl_state_write(s, net_number(n, 2), NULL));
  CHECK_NEAR(net_item(net_op1(n, "exp", net_number(n, 0))), 1, 1e-6); /* commits the write */
  icl_tensor *late = net_op2(n, "add", old, net_number(n, 1));
  double value;
  CHECK_ERROR(icl_tensor_read(late, ICL_F64, &value), ICL_ENOVALUE, "recipe.lua:42");
  icl_step_cancel(n->engine);
  net_close(n, s);
}

TEST(an_overwritten_version_cannot_be_read_kept_or_written) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 3, false), *other = net_scalar(n, 0, false);
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *old = net_read(n, s);
  icl_engine_locate(n->engine, "recipe.lua", 42);
  CHECK_OK(icl_state_write(s, net_op2(n, "mul", old, net_number(n, 2)), NULL));
  CHECK_NEAR(net_item(net_op1(n, "exp", net_number(n, 0))), 1, 1e-6); /* commits the write */
  double value;
  CHECK_ERROR(icl_tensor_read(old, ICL_F64, &value), ICL_ENOVALUE, "recipe.lua:42");
  CHECK_ERROR(icl_tensor_keep(old), ICL_ENOVALUE, "recipe.lua:42");
  CHECK_ERROR(icl_state_write(other, old, NULL), ICL_ENOVALUE, "recipe.lua:42");
  CHECK_OK(icl_step_end(n->engine));
  CHECK_ERROR(icl_state_write(other, old, NULL), ICL_ENOVALUE, "recipe.lua:42");
  CHECK_NEAR(net_stored(s), 6, 0);
  net_clear(n);
  icl_state_release(other);
  net_close(n, s);
}

TEST(a_version_that_was_read_stays_what_it_is) {
  for (int eager = 0; eager < 2; eager++) {
    net *n = net_open("cpu", eager);
    icl_state *s = net_scalar(n, 3, false);
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *old = net_read(n, s);
    CHECK_NEAR(net_item(old), 3, 0); /* of a state that the step has not written */
    CHECK_OK(icl_state_write(s, net_op2(n, "mul", old, net_number(n, 2)), NULL));
    CHECK_NEAR(net_item(net_op1(n, "neg", net_read(n, s))), -6, 0);
    CHECK_NEAR(net_item(old), 3, 0);
    CHECK_OK(icl_step_end(n->engine));
    CHECK_NEAR(net_item(old), 3, 0);
    net_close(n, s);
  }
}

TEST(a_value_of_an_earlier_step_cannot_be_written) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 3, false);
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *gone = net_op2(n, "mul", net_read(n, s), net_number(n, 2));
  CHECK_OK(icl_step_end(n->engine));
  CHECK_ERROR(icl_state_write(s, gone, NULL), ICL_ENOVALUE, "a mul whose step has ended; call keep()");
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_ERROR(icl_state_write(s, gone, NULL), ICL_ENOVALUE, "a mul whose step has ended; call keep()");
  CHECK_OK(icl_step_end(n->engine));
  CHECK_NEAR(net_stored(s), 3, 0);
  net_close(n, s);
}

TEST(a_read_commits_the_writes_before_it_in_every_mode) {
  static const struct {
    const char *device;
    bool eager;
  } modes[] = {{"cpu", false}, {"cpu", true}, {"ref", false}};
  for (int i = 0; i < 3; i++) {
    net *n = net_open(modes[i].device, modes[i].eager);
    icl_state *s = net_scalar(n, 1, false);
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *early = net_op1(n, "exp", net_number(n, 0));
    CHECK_NEAR(net_item(early), 1, 1e-6);
    CHECK_OK(icl_state_write(s, net_number(n, 5), NULL));
    CHECK_NEAR(net_item(early), 1, 1e-6);
    CHECK_OK(icl_state_write(s, net_number(n, 7), NULL));
    icl_step_cancel(n->engine); /* as an error does */
    CHECK_NEAR(net_stored(s), 5, 0);
    net_close(n, s);
  }
}

TEST(a_detached_number_keeps_its_value) {
  for (int eager = 0; eager < 2; eager++) {
    net *n = net_open("cpu", eager);
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *three = net_op1(n, "detach", net_number(n, 3));
    icl_tensor *power = net_op2(n, "pow", net_images(n, 1, 1, 1), three);
    CHECK_OK(icl_tensor_keep(power));
    CHECK_NEAR(net_item(three), 3, 0);
    CHECK_OK(icl_step_end(n->engine));
    CHECK_NEAR(net_item(three), 3, 0);
    net_free(n);
  }
}

TEST(wrong_dtypes_and_shapes_are_refused) {
  net *n = net_open("cpu", false);
  icl_tensor *t = NULL;
  icl_state *s = NULL;
  double value = 1;
  const int32_t huge[] = {1 << 30, 1 << 30, 1 << 30}, negative[] = {-1};
  const icl_dtype none = (icl_dtype)99;
  CHECK_ERROR(icl_tensor_new(n->engine, none, 0, NULL, &value, &t), ICL_EINVAL, "no dtype of number 99");
  CHECK_ERROR(icl_tensor_new(n->engine, ICL_F64, 7, huge, &value, &t), ICL_EINVAL, "rank 7");
  CHECK_ERROR(icl_state_new(n->engine, "s", none, 0, NULL, &value, false, &s), ICL_EINVAL,
              "state s: there is no dtype");
  CHECK_ERROR(icl_state_new(n->engine, "s", ICL_F32, 3, huge, NULL, false, &s), ICL_ESHAPE, "more than 2^40");
  CHECK_ERROR(icl_state_new(n->engine, "s", ICL_F32, 1, negative, NULL, false, &s), ICL_ESHAPE, "below 0");
  s = net_scalar(n, 3, false);
  CHECK_ERROR(icl_state_set(s, none, &value), ICL_EINVAL, "no dtype");
  CHECK_ERROR(icl_state_get(s, none, &value), ICL_EINVAL, "no dtype");
  CHECK_ERROR(icl_tensor_read(net_number(n, 1), (icl_dtype)-1, &value), ICL_EINVAL, "no dtype");
  icl_tensor *nine[9] = {NULL};
  CHECK_ERROR(icl_apply(n->engine, icl_op_find("add_n"), -1, nine, NULL, &t), ICL_EINVAL, "-1 inputs");
  CHECK_ERROR(icl_apply(n->engine, icl_op_find("add_n"), 9, nine, NULL, &t), ICL_EINVAL, "9 inputs");
  CHECK_ERROR(icl_custom(net_number(n, 1), -1, nine, NULL, NULL, NULL, &t), ICL_EINVAL, "at most 7 tensors");
  net_close(n, s);
}

TEST(a_kept_old_version_stays_readable) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 1, false);
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *old = net_read(n, s);
  CHECK_OK(icl_tensor_keep(old));
  CHECK_OK(icl_state_write(s, net_op2(n, "add", old, net_number(n, 1)), NULL));
  CHECK_OK(icl_step_end(n->engine));
  CHECK_NEAR(net_item(old), 1, 0);
  CHECK_NEAR(net_stored(s), 2, 0);
  net_close(n, s);
}

TEST(a_kept_alias_stays_readable) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 1, false);
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *of_state = net_op1(n, "detach", net_read(n, s)), *two = net_op2(n, "add", of_state, net_number(n, 1));
  icl_tensor *of_value = net_op1(n, "detach", net_op1(n, "detach", two));
  CHECK_OK(icl_tensor_keep(of_state));
  CHECK_OK(icl_tensor_keep(of_value));
  CHECK_OK(icl_state_write(s, net_op2(n, "add", two, net_number(n, 1)), NULL));
  CHECK_OK(icl_step_end(n->engine));
  CHECK_NEAR(net_item(of_state), 1, 0);
  CHECK_NEAR(net_item(of_value), 2, 0);
  CHECK_NEAR(net_item(net_op2(n, "add", of_value, net_number(n, 5))), 7, 0);
  CHECK_NEAR(net_stored(s), 3, 0);
  net_close(n, s);
}

TEST(an_error_while_recording_leaves_the_step_usable) {
  net *n = net_open("cpu", false);
  icl_tensor *x = net_images(n, 2, 4, 3), *bad = NULL;
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *in[] = {x, net_parameter(n, 0, 1, 4, (int32_t[]){3, 3, 5, 2})};
  CHECK_ERROR(icl_apply(n->engine, icl_op_find("conv2d"), 2, in, NULL, &bad), ICL_ESHAPE, "conv2d");
  icl_tensor *sum = net_op1(n, "sum", x);
  CHECK_OK(icl_tensor_keep(sum));
  CHECK_OK(icl_step_end(n->engine));
  CHECK(isfinite(net_item(sum)));
  net_free(n);
}

TEST(indices_that_are_known_are_looked_at_when_recorded) {
  net *n = net_open("cpu", false);
  const int64_t index[] = {0, 5};
  icl_tensor *rows = net_images(n, 3, 2, 1), *at, *result;
  CHECK_OK(icl_tensor_new(n->engine, ICL_I64, 1, (const int32_t[]){2}, index, &at));
  for (int in_step = 0; in_step < 2; in_step++) {
    if (in_step)
      CHECK_OK(icl_step_begin(n->engine));
    CHECK_EQ(icl_apply(n->engine, icl_op_find("gather"), 2, (icl_tensor *[]){rows, at}, NULL, &result), ICL_EINVAL);
    CHECK(strstr(icl_message(), "gather: index 5 at position 1 must be from 0 to 2") != NULL);
  }
  icl_step_cancel(n->engine);
  icl_tensor_release(at);
  net_clear(n);
  net_free(n);
}

TEST(a_nan_is_found_before_the_step_commits) {
  icl_config config = {.threads = 2, .check_nan = true};
  net *n = net_new(&config);
  icl_state *s = net_scalar(n, -1, false);
  icl_engine_layer(n->engine, "stage1.block2");
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_state_write(s, net_op1(n, "log", net_read(n, s)), NULL));
  CHECK_ERROR(icl_step_end(n->engine), ICL_ENONFINITE, "log in stage1.block2");
  CHECK_NEAR(net_stored(s), -1, 0);
  net_close(n, s);
}

TEST(an_index_that_a_step_computes_is_checked_with_the_nans) {
  for (int check = 0; check < 2; check++) {
    icl_config config = {.threads = 2, .check_nan = check};
    net *n = net_new(&config);
    icl_state *s = net_scalar(n, 1, false);
    int64_t last[] = {2};
    icl_tensor *rows = NULL, *at = NULL;
    CHECK_OK(icl_tensor_new(n->engine, ICL_F32, 2, (int32_t[]){3, 2}, (float[6]){0}, &rows));
    CHECK_OK(icl_tensor_new(n->engine, ICL_I64, 1, (int32_t[]){1}, last, &at));
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *row = net_op2(n, "gather", rows, net_op2(n, "add", at, at));
    CHECK_OK(icl_state_write(s, net_op1(n, "sum", row), NULL));
    if (check)
      CHECK_ERROR(icl_step_end(n->engine), ICL_EINVAL, "gather: index 4 at position 0 must be from 0 to 2");
    else
      CHECK_OK(icl_step_end(n->engine));
    CHECK(!check || net_stored(s) == 1);
    icl_tensor_release(rows);
    icl_tensor_release(at);
    net_close(n, s);
  }
}

TEST(an_interrupt_is_taken_by_the_next_evaluation_and_by_no_other) {
  for (int i = 0; i < 2; i++) {
    net *n = net_open(i ? "ref" : "cpu", false);
    icl_tensor *one = net_images(n, 1, 1, 1), *result = NULL;
    icl_engine_interrupt(n->engine);
    CHECK(icl_engine_interrupted(n->engine));
    CHECK_ERROR(icl_apply(n->engine, icl_op_find("exp"), 1, &one, NULL, &result), ICL_EINTERRUPTED, "interrupted");
    CHECK(!icl_engine_interrupted(n->engine));
    net_op1(n, "exp", one);
    icl_engine_interrupt(n->engine);
    icl_engine_resume(n->engine);
    net_op1(n, "exp", one);
    net_free(n);
  }
}

TEST(an_interrupt_drops_the_step) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 1, false);
  icl_tensor *x = net_images(n, 4, 8, 3), *labels = net_labels(n, 4);
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_state_write(s, net_loss(n, net_resnet(n, x, 1, 4), labels), NULL));
  icl_engine_interrupt(n->engine);
  CHECK_ERROR(icl_step_end(n->engine), ICL_EINTERRUPTED, "interrupted");
  CHECK_NEAR(net_stored(s), 1, 0);
  CHECK_NEAR(net_item(net_op2(n, "add", net_number(n, 1), net_number(n, 1))), 2, 0); /* the engine goes on */
  net_close(n, s);
}

/* ---- shares ---- */

enum { STEPS = 4 };

/* Losses of a small training. */
static void train(const icl_config *config, int images, double loss[STEPS]) {
  net *n = net_new(config);
  icl_tensor *x = net_images(n, images, 8, 3), *labels = net_labels(n, images);
  for (int step = 0; step < STEPS; step++) {
    net_rewind(n);
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *y = net_loss(n, net_resnet(n, x, 1, 8), labels);
    CHECK_OK(icl_tensor_keep(y));
    net_update(n, y, 0.1);
    CHECK_OK(icl_step_end(n->engine));
    loss[step] = net_item(y);
  }
  net_free(n);
}

static void expect_same(const double a[STEPS], const double b[STEPS]) {
  for (int step = 0; step < STEPS; step++)
    CHECK_NEAR(a[step], b[step], 0);
}

/* More threads than most machines have cores: some are late, and others take their chunks. */
TEST(it_does_not_show_which_thread_took_a_chunk) {
  enum { TIMES = 5 };
  double first[STEPS], again[STEPS];
  train(&(icl_config){.threads = 7, .chunk = 1}, 40, first);
  for (int time = 1; time < TIMES; time++) {
    train(&(icl_config){.threads = 7, .chunk = 1}, 40, again);
    expect_same(first, again);
  }
}

/* More images than shares, not a multiple of them; fewer, so that shares are empty; one image alone. */
TEST(given_shares_threads_do_not_show) {
  static const int images[] = {40, 19, 3, 1}, shares[] = {1, 4, 9}, threads[] = {2, 3, 7};
  for (size_t i = 0; i < sizeof images / sizeof *images; i++)
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
      double one[STEPS], more[STEPS];
      train(&(icl_config){.threads = 1, .shares = shares[s]}, images[i], one);
      for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        train(&(icl_config){.threads = threads[t], .shares = shares[s]}, images[i], more);
        expect_same(one, more);
      }
    }
}

/* What another order rounds otherwise shows in some of the losses, not in each. */
TEST(sums_begin_anew_in_each_share) {
  double one[STEPS], four[STEPS], by_threads[STEPS];
  bool shows = false;
  for (int images = 40; images < 44; images++) {
    train(&(icl_config){.threads = 4, .shares = 1}, images, one);
    train(&(icl_config){.threads = 1, .shares = 4}, images, four);
    train(&(icl_config){.threads = 4}, images, by_threads);
    expect_same(four, by_threads);
    for (int step = 0; step < STEPS; step++)
      shows = shows || one[step] != four[step];
  }
  CHECK(shows);
}

TEST(shares_that_cannot_be) {
  icl_engine *engine;
  CHECK_EQ(icl_engine_new(&(icl_config){.shares = -1}, &engine), ICL_EINVAL);
  CHECK_EQ(icl_engine_new(&(icl_config){.shares = 1025}, &engine), ICL_EINVAL);
  CHECK_EQ(icl_engine_new(&(icl_config){.shares = 2, .device = "ref"}, &engine), ICL_ENOTSUP);
}
