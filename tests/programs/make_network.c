/* make_network.c - makers of blocks as networks have them, and of the end of a network. */
#include "generate.h"

static int rectify(maker *m, int x) { return x < 0 ? -1 : apply1(m, "relu", x); }

/* Batch norm, ReLU and convolution in one of their orders. */
static int layer(maker *m, int x, int32_t out) {
  int32_t kernel = chance(m, 70) ? 3 : 1;
  if (chance(m, 50))
    return convolve(m, rectify(m, normalize_batch(m, x)), kernel, out, 1);
  return rectify(m, normalize_batch(m, convolve(m, x, kernel, out, 1)));
}

/* x times a factor for each channel of each image (Hu et al. 2018) */
static int excite(maker *m, int x) {
  int32_t n = at(m, x)->shape[0], c = at(m, x)->shape[3];
  int squeezed = apply1(m, "global_avg_pool", x);
  int hidden = squeezed < 0 ? -1 : apply2(m, "matmul", squeezed, parameter(m, WEIGHTS, 2, (const int32_t[]){c, c}));
  int factor = hidden < 0 ? -1 : apply1(m, "sigmoid", hidden);
  icl_attributes attr = attributes_of("reshape");
  set_list(&attr, "reshape", "shape", 4, (const int32_t[]){n, 1, 1, c});
  return factor < 0 ? -1 : apply2(m, "mul", x, apply_op(m, "reshape", 1, &factor, &attr));
}

static int join_channels(maker *m, int a, int b) {
  icl_attributes attr = attributes_of("concat");
  set_int(&attr, "concat", "dim", 3);
  return apply2_with(m, "concat", a, b, &attr);
}

void make_block(maker *m) {
  int x = image(m), y;
  if (x < 0)
    return;
  int32_t c = at(m, x)->shape[3];
  switch (below(m, 5)) {
  case 0: /* residual (He et al. 2016) */
    y = layer(m, x, c);
    y = y >= 0 && chance(m, 50) ? layer(m, y, c) : y;
    y = y >= 0 && chance(m, 20) ? excite(m, y) : y;
    if (y >= 0)
      apply2(m, "add", x, y);
    break;
  case 1: /* dense (Huang et al. 2017) */
    for (int layers = 1 + below(m, 3); layers > 0 && x >= 0 && at(m, x)->shape[3] < 24; layers--) {
      y = layer(m, x, 1 + below(m, 3));
      x = y < 0 ? -1 : join_channels(m, x, y);
    }
    break;
  case 2:
    excite(m, x);
    break;
  default:
    layer(m, x, m->c[below(m, 2)]);
  }
}

void make_head(maker *m) {
  int x = image(m), features = x < 0 ? -1 : apply1(m, "global_avg_pool", x);
  if (features < 0)
    return;
  int32_t n = at(m, x)->shape[0], channels = at(m, x)->shape[3], classes = m->c[1];
  int weight = parameter(m, WEIGHTS, 2, (const int32_t[]){channels, classes});
  int logits = apply2(m, "matmul", features, weight), labels = integers(m, ICL_I64, (uint32_t)classes, 1, &n);
  icl_attributes attr = attributes_of("one_hot");
  set_int(&attr, "one_hot", "classes", classes);
  int losses = logits < 0 ? -1 : apply2(m, "cross_entropy", logits, apply_op(m, "one_hot", 1, &labels, &attr));
  int sum = losses < 0 ? -1 : apply1(m, "sum", losses), loss = apply2(m, "mul", sum, number(m, 1.0 / n));
  if (loss >= 0 && put(m, &(instruction){.kind = DO_BACKWARD, .inputs = 1, .in = {loss}}) >= 0)
    make_update(m);
}
