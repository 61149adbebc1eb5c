/* nets.h - small networks built with the C interface, for tests of the graph and the planner.
 *
 * A net creates its parameters when they are first asked for, from a fixed sequence of numbers, and finds them again in
 * the same order in every later pass. Errors end the test. */
#ifndef ICL_TESTS_NETS_H
#define ICL_TESTS_NETS_H

#include "icl.h"

enum { NET_STATES = 512, NET_TENSORS = 65536 };

typedef struct {
  icl_engine *engine;
  int states, next;
  icl_state *state[NET_STATES];
  int tensors;
  icl_tensor *tensor[NET_TENSORS]; /* released by net_clear() */
  uint32_t seed;
  float beta; /* bias of the batch norms: far from 0, no ReLU is near its kink */
  bool training;
  int together; /* images of all ranks, if batch norm is that of all; else 0 */
} net;

net *net_new(const icl_config *config);
void net_free(net *n);
void net_rewind(net *n); /* before another pass through the same layers */
void net_clear(net *n);  /* lets go of the tensors of a step */

/* An op by name with attributes by name: net_op(n, "conv2d", 2, (icl_tensor *[]){x, w}, "stride", 2.0, "padding", 1.0,
 * NULL). Pairs take one number; lists keep their defaults. */
icl_tensor *net_op(net *n, const char *name, int inputs, icl_tensor **input, ...);
icl_tensor *net_op1(net *n, const char *name, icl_tensor *x);
icl_tensor *net_op2(net *n, const char *name, icl_tensor *a, icl_tensor *b);
icl_tensor *net_number(net *n, double value);
icl_tensor *net_mean(net *n, icl_tensor *x);

/* The next state, made of random numbers of this standard deviation around `mean` if it does not exist yet. */
icl_state *net_state(net *n, bool trainable, float mean, float deviation, int rank, const int32_t *shape);
icl_tensor *net_parameter(net *n, float mean, float deviation, int rank, const int32_t *shape);

icl_tensor *net_conv(net *n, icl_tensor *x, int kernel, int out, int stride);
icl_tensor *net_batch_norm(net *n, icl_tensor *x);
icl_tensor *net_linear(net *n, icl_tensor *x, int out);

/* Logits (n, 10) of (n, h, w, c) images. */
icl_tensor *net_resnet(net *n, icl_tensor *x, int blocks,
                       int channels); /* pre-activation, basic blocks, three stages */
icl_tensor *net_shake(net *n, icl_tensor *x, int blocks, int channels);
icl_tensor *net_densenet(net *n, icl_tensor *x, int blocks, int growth);

icl_tensor *net_images(net *n, int images, int size, int channels);   /* normal numbers */
icl_tensor *net_labels(net *n, int images);                           /* i64 in 0 ... 9 */
icl_tensor *net_loss(net *n, icl_tensor *logits, icl_tensor *labels); /* mean cross entropy */

/* Backward, then SGD with Nesterov momentum on every trainable state. */
void net_update(net *n, icl_tensor *loss, double lr);
void net_sgd(net *n, double lr);

/* A net on two threads, and a state of one f64 beside it: its value, and that of a tensor of one element. */
net *net_open(const char *device, bool eager);
icl_state *net_scalar(net *n, double value, bool trainable);
icl_tensor *net_read(net *n, icl_state *state);
double net_item(icl_tensor *tensor);
double net_stored(icl_state *state);
void net_close(net *n, icl_state *state); /* frees both */

#endif
