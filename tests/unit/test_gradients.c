/* test_gradients.c - what is asked of gradients, as a C program asks. */
#include "nets.h"

#include <math.h>

#include "unit.h"

TEST(backward_adds_up_within_a_step) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 3, true);
  CHECK_OK(icl_step_begin(n->engine));
  for (int pass = 0; pass < 10; pass++) /* more than one sum takes */
    CHECK_OK(icl_backward(net_op2(n, "mul", net_read(n, s), net_read(n, s))));
  icl_tensor *g = NULL;
  CHECK_OK(icl_state_gradient(s, &g));
  CHECK_OK(icl_tensor_keep(g));
  CHECK_OK(icl_step_end(n->engine));
  CHECK_NEAR(net_item(g), 60, 1e-12);
  icl_tensor_release(g);
  CHECK_OK(icl_state_gradient(s, &g));
  CHECK(g == NULL); /* gone with the step */
  net_close(n, s);
}

TEST(a_scaled_pass_gives_the_same_gradients) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 3, true);
  icl_tensor *x = net_read(n, s), *square = net_op2(n, "mul", x, x), *g = NULL;
  CHECK_OK(icl_backward_scaled(square, net_number(n, 1024)));
  CHECK_OK(icl_state_gradient(s, &g));
  CHECK_NEAR(net_item(g), 6, 1e-12);
  icl_tensor_release(g);
  icl_state_clear_gradient(s);
  CHECK_OK(icl_backward_scaled(square, net_number(n, INFINITY)));
  CHECK_OK(icl_state_gradient(s, &g));
  CHECK(isnan(net_item(g))); /* the scale was there, and divided */
  icl_tensor_release(g);
  net_close(n, s);
}

TEST(the_dtype_of_a_state_changes) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 1 + 0x1p-20, true);
  icl_tensor *x = net_read(n, s), *g = NULL;
  CHECK_OK(icl_backward(net_op2(n, "mul", x, x)));
  CHECK_OK(icl_state_set_dtype(s, ICL_F16));
  CHECK_EQ(icl_state_dtype(s), ICL_F16);
  CHECK_OK(icl_state_gradient(s, &g));
  CHECK(g == NULL);
  CHECK_NEAR(net_item(net_read(n, s)), 1, 0);
  CHECK_NEAR(net_item(x), 1 + 0x1p-20, 0); /* what was read before */
  CHECK_ERROR(icl_state_set_dtype(s, ICL_I64), ICL_EDTYPE, "cannot be trained");
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_ERROR(icl_state_set_dtype(s, ICL_F32), ICL_EINVAL, "inside a step");
  CHECK_OK(icl_step_end(n->engine));
  net_close(n, s);
}

TEST(a_value_used_many_times_gets_every_contribution) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 2, true);
  icl_tensor *x = net_read(n, s), *sum = net_number(n, 0);
  for (int i = 0; i < 20; i++)
    sum = net_op2(n, "add", sum, net_op2(n, "mul", x, net_number(n, i)));
  icl_tensor *g = NULL;
  CHECK_OK(icl_gradient(sum, 1, &x, &g));
  CHECK_NEAR(net_item(g), 190, 1e-12);
  icl_tensor_release(g);
  net_close(n, s);
}

TEST(gradients_can_be_differentiated) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 2, true);
  icl_tensor *x = net_read(n, s), *first = NULL, *second = NULL;
  icl_tensor *cube = net_op2(n, "mul", x, net_op2(n, "mul", x, x));
  CHECK_OK(icl_gradient(cube, 1, &x, &first));
  CHECK_OK(icl_gradient(first, 1, &x, &second));
  CHECK_NEAR(net_item(first), 12, 1e-9);
  CHECK_NEAR(net_item(second), 12, 1e-9);
  icl_tensor_release(first);
  icl_tensor_release(second);
  net_close(n, s);
}

TEST(a_frozen_state_and_a_detached_value_get_none) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 2, true);
  icl_tensor *x = net_read(n, s), *detached = NULL;
  CHECK_OK(icl_detach(x, &detached));
  CHECK(!icl_tensor_needs_gradient(detached));
  CHECK_ERROR(icl_backward(detached), ICL_EINVAL, "nothing that is trained");
  icl_tensor_release(detached);
  icl_state_set_trainable(s, false);
  CHECK(!icl_tensor_needs_gradient(net_read(n, s)));
  net_close(n, s);
}

TEST(inside_a_step_a_gradient_may_be_asked_for_late) {
  for (int eager = 0; eager < 2; eager++) {
    net *n = net_open("cpu", eager);
    icl_state *s = net_scalar(n, 3, true);
    icl_tensor *g[2], *outside = net_op2(n, "add", net_number(n, 1), net_number(n, 1));
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *x = net_op2(n, "add", net_number(n, 2), net_number(n, 3));
    icl_no_gradient_begin(n->engine);
    icl_tensor *plain = net_op2(n, "mul", x, x);
    icl_no_gradient_end(n->engine);
    icl_tensor *product = net_op2(n, "mul", net_op2(n, "mul", x, x), outside);
    icl_tensor *loss = net_op2(n, "mul", net_op2(n, "add", product, plain), net_read(n, s));
    CHECK_OK(icl_gradient(loss, 2, (icl_tensor *[]){x, outside}, g));
    CHECK_NEAR(net_item(g[0]), 60, 1e-12);
    CHECK_NEAR(net_item(g[1]), 75, 1e-12);
    CHECK_OK(icl_step_end(n->engine));
    icl_tensor_release(g[0]);
    icl_tensor_release(g[1]);
    net_close(n, s);
  }
}

static icl_status triple(void *context, icl_tensor *gradient, int inputs, icl_tensor **gradients) {
  icl_tensor *three = NULL;
  (void)inputs;
  ++*(int *)context;
  icl_status status = icl_number(icl_tensor_engine(gradient), 3, &three);
  icl_tensor *in[] = {gradient, three};
  if (status == ICL_OK)
    status = icl_apply(icl_tensor_engine(gradient), icl_op_find("mul"), 2, in, NULL, &gradients[0]);
  icl_tensor_release(three);
  return status;
}

/* What was recorded without gradient is where gradients end, also for those that ask for it or behind it. */
TEST(a_value_recorded_without_gradient_is_an_end) {
  for (int eager = 0; eager < 2; eager++) {
    net *n = net_open("cpu", eager);
    icl_state *s = net_scalar(n, 3, true);
    icl_tensor *own = NULL, *behind = NULL;
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *x = net_read(n, s);
    icl_no_gradient_begin(n->engine);
    icl_tensor *plain = net_op2(n, "mul", x, x);
    icl_no_gradient_end(n->engine);
    CHECK_OK(icl_gradient(plain, 1, &plain, &own));
    CHECK_NEAR(net_item(own), 1, 0);
    CHECK_OK(icl_gradient(plain, 1, &x, &behind));
    CHECK(behind == NULL);
    CHECK_OK(icl_backward(plain));
    CHECK_OK(icl_state_gradient(s, &behind));
    CHECK(behind == NULL);
    CHECK_OK(icl_step_end(n->engine));
    icl_tensor_release(own);
    net_close(n, s);
  }
}

TEST(a_custom_function_recorded_without_gradient_is_an_end) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 3, true);
  icl_tensor *plain = NULL, *g[2];
  int calls = 0;
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *x = net_read(n, s);
  icl_no_gradient_begin(n->engine);
  CHECK_OK(icl_custom(net_op2(n, "mul", x, x), 1, &x, triple, NULL, &calls, &plain));
  icl_no_gradient_end(n->engine);
  CHECK_OK(icl_gradient(plain, 2, (icl_tensor *[]){plain, x}, g));
  CHECK_NEAR(net_item(g[0]), 1, 0);
  CHECK(g[1] == NULL);
  CHECK_EQ(calls, 0);
  CHECK_OK(icl_step_end(n->engine));
  icl_tensor_release(g[0]);
  icl_tensor_release(plain);
  net_close(n, s);
}

TEST(outside_of_a_step_a_late_question_is_refused) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 3, true);
  icl_tensor *x = net_op2(n, "add", net_number(n, 2), net_number(n, 3)), *g = NULL;
  icl_tensor *loss = net_op2(n, "mul", x, net_read(n, s));
  CHECK_ERROR(icl_gradient(loss, 1, &x, &g), ICL_EINVAL, "tensor 1 (add) needed no gradient");
  CHECK_OK(icl_tensor_require_gradient(x));
  CHECK_OK(icl_gradient(net_op2(n, "mul", x, net_read(n, s)), 1, &x, &g));
  CHECK_NEAR(net_item(g), 3, 1e-12);
  icl_tensor_release(g);
  net_close(n, s);
}

TEST(a_loss_of_many_elements_is_refused) {
  net *n = net_open("cpu", false);
  icl_tensor *w = net_parameter(n, 0, 1, 1, (int32_t[]){3});
  CHECK_ERROR(icl_backward(w), ICL_ESHAPE, "f32 (3)");
  net_free(n);
}

TEST(a_custom_function_uses_its_own_gradient) {
  net *n = net_open("cpu", false);
  icl_state *s = net_scalar(n, 2, true);
  icl_tensor *x = net_read(n, s), *inner = NULL, *y = NULL, *g = NULL;
  int calls = 0;
  CHECK_OK(icl_detach(x, &inner));
  CHECK_OK(icl_custom(net_op2(n, "mul", inner, inner), 1, &x, triple, NULL, &calls, &y));
  CHECK_NEAR(net_item(y), 4, 0);
  CHECK_OK(icl_gradient(y, 1, &x, &g));
  CHECK_NEAR(net_item(g), 3, 0);
  CHECK_EQ(calls, 1);
  icl_tensor_release(g);
  icl_tensor_release(y);
  icl_tensor_release(inner);
  net_close(n, s);
}
