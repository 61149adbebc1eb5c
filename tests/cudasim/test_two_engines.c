/* test_two_engines.c - engines on two devices that take turns in one thread. CUDASIM_DEVICES must be 2. */
#include "files.h"
#include "nets.h"
#include "unit.h"

#include <stdlib.h>

static double train(net *n, icl_tensor *x, icl_tensor *labels) {
  CHECK_OK(icl_step_begin(n->engine));
  net_rewind(n);
  icl_tensor *loss = net_loss(n, net_resnet(n, x, 1, 8), labels);
  net_update(n, loss, 0.1);
  CHECK_OK(icl_tensor_keep(loss));
  CHECK_OK(icl_step_end(n->engine));
  return net_item(loss);
}

/* Each is at work when the other is planned, and is replayed between its steps; one outlives the other. */
TEST(two_engines_take_turns) {
  net *n[2];
  icl_tensor *x[2], *labels[2], *weight[2];
  setenv("XDG_CACHE_HOME", file_path("cache"), 1); /* no convolution was chosen before */
  for (int i = 0; i < 2; i++) {
    n[i] = net_new(&(icl_config){.device = i ? "cuda:1" : "cuda:0"});
    x[i] = net_images(n[i], 4, 8, 3);
    labels[i] = net_labels(n[i], 4);
    weight[i] = net_parameter(n[i], 0, 1, 4, (int32_t[]){3, 3, 3, 8});
  }
  double sum[2];
  for (int i = 0; i < 2; i++)
    sum[i] = net_item(net_op1(n[i], "sum", net_op2(n[i], "conv2d", x[i], weight[i])));
  CHECK_NEAR(sum[0], sum[1], 1e-3);
  for (int step = 0; step < 4; step++) {
    int one = step % 2;
    double first = train(n[one], x[one], labels[one]), second = train(n[!one], x[!one], labels[!one]);
    CHECK_NEAR(first, second, 1e-5);
  }
  net_free(n[0]);
  CHECK(train(n[1], x[1], labels[1]) > 0);
  net_free(n[1]);
}
