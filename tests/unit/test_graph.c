/* test_graph.c - recording and memory, as a C program uses them. */
#include "nets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "unit.h"

/* ---- at once ---- */

TEST(ops_outside_a_step_have_values_at_once) {
  net *n = net_open("cpu", false);
  icl_tensor *x = net_op2(n, "mul", net_number(n, 3), net_number(n, 4));
  CHECK(icl_tensor_evaluated(x));
  CHECK_NEAR(net_item(x), 12, 0);
  net_free(n);
}

TEST(values_never_change_when_their_state_does) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 1, false);
  icl_tensor *before = net_read(n, s);
  CHECK_OK(icl_state_write(s, net_op2(n, "add", before, net_number(n, 1)), NULL));
  CHECK_NEAR(net_item(before), 1, 0);
  CHECK_NEAR(net_stored(s), 2, 0);
  net_close(n, s);
}

TEST(a_written_value_may_be_a_number) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 1, false);
  CHECK_OK(icl_state_write(s, net_number(n, 7.5), NULL));
  CHECK_NEAR(net_stored(s), 7.5, 0);
  net_close(n, s);
}

/* ---- moments of evaluation and devices agree ---- */

/* Images 1 to `count` of more: a global op makes what the network reads image by image. */
static icl_tensor *cut_images(net *n, icl_tensor *images, int count) {
  icl_tensor *first = NULL;
  CHECK_OK(icl_tensor_new(n->engine, ICL_I64, 0, NULL, &(int64_t){1}, &first));
  icl_tensor *cut = net_op(n, "narrow", 2, (icl_tensor *[]){images, first}, "dim", 0.0, "length", (double)count, NULL);
  icl_tensor_release(first);
  return cut;
}

static double train(const char *device, bool eager, int which) {
  net *n = net_open(device, eager);
  double loss = NAN;
  for (int step = 0; step < 3; step++) {
    net_rewind(n);
    n->seed = 17;
    icl_tensor *x = net_images(n, 7, 8, 3), *labels = net_labels(n, 5);
    CHECK_OK(icl_step_begin(n->engine));
    x = cut_images(n, x, 5);
    n->seed = 18;
    icl_tensor *logits = which == 0   ? net_resnet(n, x, 1, 4)
                         : which == 1 ? net_shake(n, x, 1, 8)
                                      : net_densenet(n, x, 2, 4);
    icl_tensor *l = net_loss(n, logits, labels);
    CHECK_OK(icl_tensor_keep(l));
    net_update(n, l, 0.02);
    CHECK_OK(icl_step_end(n->engine));
    loss = net_item(l);
    net_clear(n);
  }
  net_free(n);
  return loss;
}

TEST(at_once_recorded_and_reference_agree) {
  for (int which = 0; which < 3; which++) {
    double reference = train("ref", false, which);
    CHECK_NEAR(train("cpu", false, which), reference, 2e-5 * fabs(reference));
    CHECK_NEAR(train("cpu", true, which), reference, 2e-5 * fabs(reference));
  }
}

TEST(sums_of_integers_are_exact_whoever_adds_them) {
  net *n = net_open("cpu", false);
  const int64_t rows[] = {(INT64_C(1) << 53) + 1, 0, 3, 1}, places[] = {0, 1, 2, 3};
  icl_tensor *x, *place;
  int64_t at_once, in_step;
  CHECK_OK(icl_tensor_new(n->engine, ICL_I64, 2, (int32_t[]){4, 1}, rows, &x));
  CHECK_OK(icl_tensor_new(n->engine, ICL_I64, 1, (int32_t[]){4}, places, &place));
  CHECK_OK(icl_tensor_read(net_op1(n, "sum", x), ICL_I64, &at_once));
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *sum = net_op1(n, "sum", net_op2(n, "gather", x, place)); /* gathered rows are a batch of two threads */
  CHECK_OK(icl_tensor_keep(sum));
  CHECK_OK(icl_step_end(n->engine));
  CHECK_OK(icl_tensor_read(sum, ICL_I64, &in_step));
  CHECK_EQ(at_once, (INT64_C(1) << 53) + 5);
  CHECK_EQ(in_step, at_once);
  icl_tensor_release(place);
  icl_tensor_release(x);
  net_free(n);
}

/* ---- memory ---- */

static icl_status one_step(net *n, icl_tensor *x, icl_tensor *labels, int64_t allowed) {
  net_rewind(n);
  CHECK_OK(icl_step_begin(n->engine));
  net_update(n, net_loss(n, net_resnet(n, x, 1, 4), labels), 0.1);
  icl__alloc_fail_after(allowed);
  icl_status status = icl_step_end(n->engine);
  icl__alloc_fail_after(-1);
  CHECK_EQ(icl_in_step(n->engine), status == ICL_ENOMEM);
  icl_step_cancel(n->engine);
  return status;
}

static size_t memory_of_step(net *n, int images) {
  size_t bytes = 0;
  net_rewind(n);
  icl_tensor *x = net_images(n, images, 16, 3), *labels = net_labels(n, images);
  CHECK_OK(icl_step_begin(n->engine));
  net_update(n, net_loss(n, net_resnet(n, x, 1, 8), labels), 0.1);
  CHECK_OK(icl_step_memory(n->engine, &bytes));
  return bytes;
}

TEST(the_memory_of_a_step_is_known_before_it_runs) {
  net *n = net_open("cpu", false);
  icl_statistics s;
  size_t small = memory_of_step(n, 8);
  icl_step_cancel(n->engine);
  net_clear(n);
  size_t large = memory_of_step(n, 32);
  CHECK(large > small);
  icl_engine_statistics(n->engine, &s);
  CHECK_EQ(s.arena_bytes, 0);
  CHECK_OK(icl_step_end(n->engine));
  icl_engine_statistics(n->engine, &s);
  CHECK_EQ(s.arena_bytes, large);
  CHECK_ERROR(icl_step_memory(n->engine, &small), ICL_EINVAL, "outside");
  net_free(n);
}

TEST(running_out_of_memory_is_an_error_and_leaves_states_alone) {
  float before[108], after[108];
  int failures = 0;
  icl_status status = ICL_ENOMEM;
  for (int allowed = 0; status != ICL_OK; allowed += 1 + allowed / 8) { /* a fresh engine: nothing is planned yet */
    net *n = net_open("cpu", false);
    icl_tensor *x = net_images(n, 2, 8, 3), *labels = net_labels(n, 2);
    net_rewind(n);
    net_resnet(n, x, 1, 4); /* makes the parameters */
    CHECK_OK(icl_state_get(n->state[0], ICL_F32, before));
    status = one_step(n, x, labels, allowed);
    CHECK_OK(icl_state_get(n->state[0], ICL_F32, after));
    CHECK_EQ(!memcmp(before, after, sizeof before), status != ICL_OK);
    if (status != ICL_OK)
      CHECK_EQ(status, ICL_ENOMEM);
    failures += status != ICL_OK;
    net_free(n);
  }
  CHECK(failures > 10);
}

/* The first allocations of a step's end are those of its description. */
TEST(a_step_can_be_ended_again_whichever_allocation_failed) {
  size_t before = 0; /* what the library keeps for good */
  for (int allowed = 0; allowed < 48; allowed++) {
    net *n = net_open("cpu", false);
    icl_tensor *x = net_images(n, 2, 8, 3), *labels = net_labels(n, 2);
    net_rewind(n);
    CHECK_OK(icl_step_begin(n->engine));
    net_update(n, net_loss(n, net_resnet(n, x, 1, 4), labels), 0.1);
    icl__alloc_fail_after(allowed);
    CHECK_EQ(icl_step_end(n->engine), ICL_ENOMEM);
    icl__alloc_fail_after(-1);
    CHECK_OK(icl_step_end(n->engine));
    net_free(n);
    if (allowed)
      CHECK_EQ(icl__memory_in_use(), before);
    before = icl__memory_in_use();
  }
}

TEST(a_step_that_ran_out_of_memory_can_be_ended_again) {
  net *n = net_open("cpu", false);
  icl_state *state = NULL;
  icl_tensor *x = net_images(n, 2, 8, 3), *sum = NULL;
  float value = 0;
  CHECK_OK(icl_state_new(n->engine, "sum", ICL_F32, 0, NULL, NULL, false, &state));
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_apply(n->engine, icl_op_find("sum"), 1, &x, NULL, &sum));
  CHECK_OK(icl_state_write(state, sum, NULL));
  icl__alloc_fail_after(0);
  CHECK_EQ(icl_step_end(n->engine), ICL_ENOMEM);
  icl__alloc_fail_after(-1);
  CHECK(icl_in_step(n->engine));
  CHECK_OK(icl_step_end(n->engine));
  CHECK(!icl_in_step(n->engine));
  CHECK_OK(icl_state_get(state, ICL_F32, &value));
  CHECK(value != 0);
  icl_tensor_release(sum);
  icl_state_release(state);
  net_free(n);
}
