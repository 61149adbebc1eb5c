/* nets.c - small networks built with the C interface. */
#include "nets.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

net *net_new(const icl_config *config) {
  net *n = calloc(1, sizeof *n);
  CHECK(n != NULL);
  CHECK_OK(icl_engine_new(config, &n->engine));
  n->seed = 1;
  n->beta = 4.5f;
  n->training = true;
  return n;
}

void net_clear(net *n) {
  for (int i = 0; i < n->tensors; i++)
    icl_tensor_release(n->tensor[i]);
  n->tensors = 0;
}

void net_free(net *n) {
  net_clear(n);
  for (int i = 0; i < n->states; i++)
    icl_state_release(n->state[i]);
  icl_engine_free(n->engine);
  free(n);
}

void net_rewind(net *n) { n->next = 0; }

static icl_tensor *own(net *n, icl_tensor *tensor) {
  CHECK(n->tensors < NET_TENSORS);
  return n->tensor[n->tensors++] = tensor;
}

/* ---- ops ---- */

static void set_attribute(const icl_op *op, icl_attributes *attributes, const char *name, double value) {
  const icl_attr_spec *spec;
  int count = icl_op_attributes(op, &spec);
  for (int i = 0; i < count; i++)
    if (!strcmp(spec[i].name, name)) {
      int slot = spec[i].slot;
      if (spec[i].kind == ICL_ATTR_REAL)
        attributes->f[slot] = value;
      else
        attributes->i[slot] = (int32_t)value;
      if (spec[i].kind == ICL_ATTR_PAIR)
        attributes->i[slot + 1] = (int32_t)value;
      if (spec[i].kind == ICL_ATTR_DIMS) { /* one axis */
        attributes->i[slot] = 1;
        attributes->i[slot + 1] = (int32_t)value;
      }
      return;
    }
  CHECK_STR(name, "an attribute of the op");
}

icl_tensor *net_op(net *n, const char *name, int inputs, icl_tensor **input, ...) {
  const icl_op *op = icl_op_find(name);
  CHECK(op != NULL);
  icl_attributes attributes;
  icl_op_defaults(op, &attributes);
  va_list rest;
  va_start(rest, input);
  for (const char *key; (key = va_arg(rest, const char *));)
    set_attribute(op, &attributes, key, va_arg(rest, double));
  va_end(rest);
  icl_tensor *result = NULL;
  CHECK_OK(icl_apply(n->engine, op, inputs, input, &attributes, &result));
  return own(n, result);
}

icl_tensor *net_op1(net *n, const char *name, icl_tensor *x) { return net_op(n, name, 1, &x, NULL); }

icl_tensor *net_op2(net *n, const char *name, icl_tensor *a, icl_tensor *b) {
  return net_op(n, name, 2, (icl_tensor *[]){a, b}, NULL);
}

icl_tensor *net_number(net *n, double value) {
  icl_tensor *result = NULL;
  CHECK_OK(icl_number(n->engine, value, &result));
  return own(n, result);
}

icl_tensor *net_mean(net *n, icl_tensor *x) {
  double count = (double)icl_tensor_count(x);
  return net_op2(n, "mul", net_op1(n, "sum", x), net_number(n, 1 / count));
}

/* ---- parameters ---- */

static float uniform(net *n) {
  n->seed = n->seed * 1664525u + 1013904223u;
  return (float)(n->seed >> 8) * 0x1p-24f;
}

static float normal(net *n) { /* sum of four uniforms, near enough */
  float sum = 0;
  for (int i = 0; i < 4; i++)
    sum += uniform(n) - 0.5f;
  return sum * 1.7320508f;
}

static float *numbers(net *n, size_t count, float mean, float deviation) {
  float *data = malloc(sizeof *data * count);
  CHECK(data != NULL);
  for (size_t i = 0; i < count; i++)
    data[i] = mean + deviation * normal(n);
  return data;
}

static size_t count_of(int rank, const int32_t *shape) {
  size_t count = 1;
  for (int i = 0; i < rank; i++)
    count *= (size_t)shape[i];
  return count;
}

icl_state *net_state(net *n, bool trainable, float mean, float deviation, int rank, const int32_t *shape) {
  CHECK(n->next < NET_STATES);
  if (n->next == n->states) {
    float *data = numbers(n, count_of(rank, shape), mean, deviation);
    CHECK_OK(icl_state_new(n->engine, "p", ICL_F32, rank, shape, data, trainable, &n->state[n->states]));
    free(data);
    n->states++;
  }
  return n->state[n->next++];
}

icl_tensor *net_read(net *n, icl_state *state) {
  icl_tensor *result = NULL;
  CHECK_OK(icl_state_read(state, &result));
  return own(n, result);
}

icl_tensor *net_parameter(net *n, float mean, float deviation, int rank, const int32_t *shape) {
  return net_read(n, net_state(n, true, mean, deviation, rank, shape));
}

/* ---- layers ---- */

icl_tensor *net_conv(net *n, icl_tensor *x, int kernel, int out, int stride) {
  int in = icl_tensor_shape(x)[3];
  float deviation = sqrtf(2.0f / (float)(kernel * kernel * in));
  icl_tensor *w = net_parameter(n, 0, deviation, 4, (int32_t[]){kernel, kernel, in, out});
  return net_op(n, "conv2d", 2, (icl_tensor *[]){x, w}, "stride", (double)stride, "padding", (double)(kernel / 2),
                NULL);
}

static void update_running(net *n, icl_state *state, icl_tensor *coefficients, double row, double factor) {
  icl_tensor *updated = net_op(n, "bn_running", 2, (icl_tensor *[]){coefficients, net_read(n, state)}, "row", row,
                               "factor", factor, NULL);
  CHECK_OK(icl_state_write(state, updated, NULL));
}

icl_tensor *net_batch_norm(net *n, icl_tensor *x) {
  const int32_t *shape = icl_tensor_shape(x);
  int32_t channels[] = {shape[3]};
  double count = (double)(icl_tensor_count(x) / shape[3]);
  icl_tensor *gamma = net_parameter(n, 1, 0.1f, 1, channels), *beta = net_parameter(n, n->beta, 0.1f, 1, channels);
  icl_state *mean = net_state(n, false, 0, 0, 1, channels), *variance = net_state(n, false, 1, 0, 1, channels);
  if (!n->training) {
    icl_tensor *in[] = {gamma, beta, net_read(n, mean), net_read(n, variance)};
    return net_op2(n, "scale_shift", x, net_op(n, "bn_inference", 4, in, NULL));
  }
  icl_tensor *sums = net_op1(n, "bn_sums", x);
  if (n->together) {
    sums = net_op(n, "all_reduce", 1, &sums, "join", 1.0, NULL);
    count = count / shape[0] * n->together;
  }
  icl_tensor *in[] = {sums, gamma, beta}, *coefficients = net_op(n, "bn_coefficients", 3, in, NULL);
  update_running(n, mean, coefficients, 2, 1);
  update_running(n, variance, coefficients, 4, count / (count - 1));
  return net_op2(n, "scale_shift", x, coefficients);
}

icl_tensor *net_linear(net *n, icl_tensor *x, int out) {
  int in = icl_tensor_shape(x)[1];
  icl_tensor *w = net_parameter(n, 0, 1 / sqrtf((float)in), 2, (int32_t[]){in, out});
  icl_tensor *b = net_parameter(n, 0, 0.1f, 1, (int32_t[]){out});
  return net_op2(n, "add", net_op2(n, "matmul", x, w), b);
}

/* ---- networks ---- */

static icl_tensor *relu_bn(net *n, icl_tensor *x) { return net_op1(n, "relu", net_batch_norm(n, x)); }

static icl_tensor *resnet_block(net *n, icl_tensor *x, int out, int stride) {
  icl_tensor *h = relu_bn(n, x);
  icl_tensor *shortcut = icl_tensor_shape(x)[3] == out ? x : net_conv(n, h, 1, out, stride);
  h = relu_bn(n, net_conv(n, h, 3, out, stride));
  return net_op2(n, "add", net_conv(n, h, 3, out, 1), shortcut);
}

icl_tensor *net_resnet(net *n, icl_tensor *x, int blocks, int channels) {
  x = net_conv(n, x, 3, channels, 1);
  for (int stage = 0; stage < 3; stage++)
    for (int i = 0; i < blocks; i++)
      x = resnet_block(n, x, channels << stage, stage && !i ? 2 : 1);
  return net_linear(n, net_op1(n, "global_avg_pool", relu_bn(n, x)), 10);
}

static icl_tensor *shake_block(net *n, icl_tensor *x, int out, int stride) {
  int32_t per_image[] = {icl_tensor_shape(x)[0], 1, 1, 1};
  float *alpha = numbers(n, (size_t)per_image[0], 0.5f, 0.1f);
  icl_tensor *a = NULL, *h = net_op1(n, "relu", x), *branch[2];
  CHECK_OK(icl_tensor_new(n->engine, ICL_F32, 4, per_image, alpha, &a));
  free(alpha);
  own(n, a);
  for (int k = 0; k < 2; k++)
    branch[k] = net_batch_norm(n, net_conv(n, relu_bn(n, net_conv(n, h, 3, out, stride)), 3, out, 1));
  icl_tensor *rest = net_op2(n, "sub", net_number(n, 1), a);
  icl_tensor *mix = net_op2(n, "add", net_op2(n, "mul", branch[0], a), net_op2(n, "mul", branch[1], rest));
  icl_tensor *shortcut = icl_tensor_shape(x)[3] == out ? x : net_batch_norm(n, net_conv(n, h, 1, out, stride));
  return net_op2(n, "add", mix, shortcut);
}

icl_tensor *net_shake(net *n, icl_tensor *x, int blocks, int channels) {
  x = net_batch_norm(n, net_conv(n, x, 3, 16, 1));
  for (int stage = 0; stage < 3; stage++)
    for (int i = 0; i < blocks; i++)
      x = shake_block(n, x, channels << stage, stage && !i ? 2 : 1);
  return net_linear(n, net_op1(n, "global_avg_pool", net_op1(n, "relu", x)), 10);
}

icl_tensor *net_densenet(net *n, icl_tensor *x, int blocks, int growth) {
  x = net_conv(n, x, 3, 2 * growth, 1);
  for (int stage = 0; stage < 3; stage++) {
    for (int i = 0; i < blocks; i++) {
      icl_tensor *h = net_conv(n, relu_bn(n, x), 1, 4 * growth, 1);
      h = net_conv(n, relu_bn(n, h), 3, growth, 1);
      x = net_op(n, "concat", 2, (icl_tensor *[]){x, h}, "dim", 3.0, NULL);
    }
    if (stage == 2)
      break;
    x = net_conv(n, relu_bn(n, x), 1, icl_tensor_shape(x)[3] / 2, 1);
    x = net_op(n, "avg_pool2d", 1, &x, "kernel", 2.0, "stride", 2.0, NULL);
  }
  return net_linear(n, net_op1(n, "global_avg_pool", relu_bn(n, x)), 10);
}

/* ---- data, loss, update ---- */

icl_tensor *net_images(net *n, int images, int size, int channels) {
  int32_t shape[] = {images, size, size, channels};
  float *data = numbers(n, count_of(4, shape), 0, 1);
  icl_tensor *result = NULL;
  CHECK_OK(icl_tensor_new(n->engine, ICL_F32, 4, shape, data, &result));
  free(data);
  return own(n, result);
}

icl_tensor *net_labels(net *n, int images) {
  int64_t *data = malloc(sizeof *data * (size_t)images);
  CHECK(data != NULL);
  for (int i = 0; i < images; i++)
    data[i] = (int64_t)(uniform(n) * 10);
  icl_tensor *result = NULL;
  CHECK_OK(icl_tensor_new(n->engine, ICL_I64, 1, &images, data, &result));
  free(data);
  return own(n, result);
}

icl_tensor *net_loss(net *n, icl_tensor *logits, icl_tensor *labels) {
  icl_tensor *target = net_op(n, "one_hot", 1, &labels, "classes", 10.0, NULL);
  return net_mean(n, net_op2(n, "cross_entropy", logits, target));
}

void net_sgd(net *n, double lr) {
  icl_tensor *rate = net_number(n, lr), *momentum = net_number(n, 0.9), *decay = net_number(n, 1e-4);
  int parameters = n->states;
  for (int i = 0; i < parameters; i++) {
    icl_state *p = n->state[i];
    if (!icl_state_trainable(p))
      continue;
    icl_tensor *g = NULL, *value = net_read(n, p);
    CHECK_OK(icl_state_gradient(p, &g));
    CHECK(g != NULL);
    own(n, g);
    icl_state *velocity = net_state(n, false, 0, 0, icl_tensor_rank(value), icl_tensor_shape(value));
    icl_tensor *v =
        net_op(n, "sgd_momentum", 5, (icl_tensor *[]){g, value, net_read(n, velocity), momentum, decay}, NULL);
    icl_tensor *w = net_op(n, "sgd_nesterov", 6, (icl_tensor *[]){value, g, v, rate, momentum, decay}, NULL);
    CHECK_OK(icl_state_write(velocity, v, NULL));
    CHECK_OK(icl_state_write(p, w, NULL));
  }
}

void net_update(net *n, icl_tensor *loss, double lr) {
  CHECK_OK(icl_backward(loss));
  net_sgd(n, lr);
}

/* ---- single numbers ---- */

net *net_open(const char *device, bool eager) {
  return net_new(&(icl_config){.device = device, .threads = 2, .eager = eager});
}

icl_state *net_scalar(net *n, double value, bool trainable) {
  icl_state *state = NULL;
  CHECK_OK(icl_state_new(n->engine, "s", ICL_F64, 0, NULL, &value, trainable, &state));
  return state;
}

double net_item(icl_tensor *tensor) {
  double value = NAN;
  CHECK_EQ(icl_tensor_count(tensor), 1);
  CHECK_OK(icl_tensor_read(tensor, ICL_F64, &value));
  return value;
}

double net_stored(icl_state *state) {
  double value = NAN;
  CHECK_OK(icl_state_get(state, ICL_F64, &value));
  return value;
}

void net_close(net *n, icl_state *state) {
  icl_state_release(state);
  net_free(n);
}
