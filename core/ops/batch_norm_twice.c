/* batch_norm_twice.c - second derivatives of batch norm: the gradients of the ops that its gradient consists of.
 *
 * With d = x - mean, r = 1 / std, n values and a = weight r these are, per channel (batch_norm.c),
 *
 *   S = sum g    Q = sum g d    k1 = a r^2 Q / n    k0 = - a S / n    weight: r Q    bias: S    x: a g + k0 - k1 d
 *
 * Their gradients are put together from ordinary ops, in f64 where they are rows of channels: gradients of gradients
 * are rare, and need no kernels of their own. What goes through a, the mean or r to the images is handed to the ops of
 * coefficients and sums in the form that those take: sums (S, Q), of which Q is the gradient of a, and k, by which the
 * images get k0 - k1 d. */
#include "ops/batch_norm.h"
#include "ops/families.h"

static icl__node *as(icl__gradient *pass, icl__node *x, icl_dtype dtype) {
  if (!x || x->dtype == dtype)
    return x;
  return icl__g(pass, ICL__OP_cast, 1, &x, &(icl_attributes){.i[CAST_DTYPE] = dtype});
}

static icl__node *row(icl__gradient *pass, icl__node *table, int which) {
  return as(pass, icl__g(pass, ICL__OP_bn_row, 1, &table, &(icl_attributes){.i[BN_ROW] = which}), ICL_F64);
}

static icl__node *times(icl__gradient *pass, icl__node *a, icl__node *b) { return icl__g2(pass, ICL__OP_mul, a, b); }

static icl__node *scaled(icl__gradient *pass, icl__node *a, double by) {
  return times(pass, a, icl__g_number(pass, by));
}

static icl__node *over(icl__gradient *pass, icl__node *a, icl__node *b) { return icl__g2(pass, ICL__OP_div, a, b); }
static icl__node *plus(icl__gradient *pass, icl__node *a, icl__node *b) { return icl__g2(pass, ICL__OP_add, a, b); }
static icl__node *minus(icl__gradient *pass, icl__node *a, icl__node *b) { return icl__g2(pass, ICL__OP_sub, a, b); }

/* The dtype that images are computed with. */
static icl_dtype wide(const icl__node *x) { return x->dtype == ICL_F64 ? ICL_F64 : ICL_F32; }

/* x - mean */
static icl__node *deviations(icl__gradient *pass, icl__node *x, icl__node *mean) {
  return minus(pass, as(pass, x, wide(x)), as(pass, mean, wide(x)));
}

static icl__node *sum_of_channels(icl__gradient *pass, icl__node *x) {
  return x ? icl__g_sum_to(pass, as(pass, x, ICL_F64), 1, &x->shape[x->rank - 1]) : NULL;
}

/* A table of `count` rows, of which `which` is `own`, and another one, if it is there, `other`; else zeros. */
static icl__node *table(icl__gradient *pass, int count, icl_dtype dtype, int which, icl__node *own, int another,
                        icl__node *other) {
  icl__node *rows[BN_GRADIENT_ROWS], *zeros = scaled(pass, own, 0);
  for (int i = 0; i < count; i++) {
    icl__node *one = i == which ? own : other && i == another ? other : zeros;
    rows[i] = one ? icl__g_reshape(pass, one, 2, (const int32_t[]){1, one->shape[0]}) : NULL;
  }
  return as(pass, icl__g(pass, ICL__OP_concat, count, rows, &(icl_attributes){.i[CONCAT_DIM] = 0}), dtype);
}

/* k of batch norm, by which images get k0 or - k1 (x - mean). */
static icl__node *only_k(icl__gradient *pass, icl_dtype dtype, int which, icl__node *k) {
  return table(pass, BN_GRADIENT_ROWS, dtype, which, k, 0, NULL);
}

static icl_status refuse(const icl__node *y, const char *what) {
  return icl__fail(ICL_ENOTSUP,
                   "%s: batch norm has no %s; detach() what needs none, or normalise by ordinary ops, such "
                   "as x:mean and x:var",
                   icl__op(y->op)->name, what);
}

/* Statistics of all processes: theirs would have to be summed once more. */
static bool are_joined(const icl__node *sums) { return sums->op == ICL__OP_all_reduce; }
static icl_status refuse_joined(const icl__node *y) {
  return refuse(y, "second derivative with the statistics of all processes");
}

icl_status icl__grad_once(icl__gradient *pass, icl__node *y, icl__node *gy) {
  (void)pass;
  (void)gy;
  return refuse(y, "third derivative");
}

icl_status icl__grad_bn_row(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *k = y->in[0];
  if (k->op != ICL__OP_bn_coefficients_grad)
    return icl__grad_once(pass, y, gy);
  icl__node *rows = table(pass, k->shape[0], (icl_dtype)k->dtype, y->attr.i[BN_ROW], as(pass, gy, ICL_F64), 0, NULL);
  return icl__give(pass, y, 0, rows);
}

/* y = a g */
icl_status icl__grad_bn_scale(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *g = y->in[0], *coefficients = y->in[1];
  if (icl__wants(y, 1)) {
    icl__node *a = sum_of_channels(pass, times(pass, as(pass, gy, wide(gy)), as(pass, g, wide(gy))));
    ICL__TRY(icl__give_packed(pass, y, 1, table(pass, BN_SCALE_ROWS, ICL_F64, BN_SCALE_PRODUCTS, a, 0, NULL)));
  }
  return icl__wants(y, 0) ? icl__give(pass, y, 0, icl__g2(pass, ICL__OP_bn_scale, gy, coefficients)) : ICL_OK;
}

/* y = k0 - k1 d */
icl_status icl__grad_bn_sums_grad(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *x = y->in[0], *k = y->in[1], *sums = y->in[2];
  if (are_joined(sums))
    return refuse_joined(y);
  icl__node *n = row(pass, sums, BN_SUMS_COUNT), *k1 = row(pass, k, BN_K1), *total = sum_of_channels(pass, gy);
  if (icl__wants(y, 0))
    ICL__TRY(icl__give(pass, y, 0, times(pass, as(pass, gy, wide(x)), as(pass, scaled(pass, k1, -1), wide(x)))));
  if (icl__wants(y, 1)) {
    icl__node *d = deviations(pass, x, over(pass, row(pass, sums, BN_SUMS_SUM), n));
    icl__node *products = sum_of_channels(pass, times(pass, as(pass, gy, wide(x)), d));
    ICL__TRY(
        icl__give(pass, y, 1,
                  table(pass, BN_GRADIENT_ROWS, (icl_dtype)k->dtype, BN_K1, scaled(pass, products, -1), BN_K0, total)));
  }
  if (!icl__wants(y, 2))
    return ICL_OK;
  icl__node *of_mean = over(pass, times(pass, k1, total), n);
  return icl__give_packed(pass, y, 2, only_k(pass, (icl_dtype)k->dtype, BN_K0, of_mean));
}

/* y = (S, Q) */
icl_status icl__grad_bn_scale_sums(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *g = y->in[0], *x = y->in[1], *coefficients = y->in[2];
  icl__node *of_sum = row(pass, gy, BN_SCALE_SUM), *of_products = row(pass, gy, BN_SCALE_PRODUCTS);
  icl__node *factor = as(pass, of_products, wide(x));
  if (icl__wants(y, 0)) {
    icl__node *d = deviations(pass, x, row(pass, coefficients, BN_MEAN));
    ICL__TRY(icl__give(pass, y, 0, plus(pass, times(pass, factor, d), as(pass, of_sum, wide(x)))));
  }
  if (icl__wants(y, 1))
    ICL__TRY(icl__give(pass, y, 1, times(pass, factor, as(pass, g, wide(x)))));
  if (!icl__wants(y, 2) || coefficients->op != ICL__OP_bn_coefficients) /* running statistics are constant */
    return ICL_OK;
  icl__node *sums = coefficients->in[0];
  if (are_joined(sums))
    return refuse_joined(y);
  icl__node *of_mean = scaled(pass, times(pass, of_products, row(pass, y, BN_SCALE_SUM)), -1);
  of_mean = over(pass, of_mean, row(pass, sums, BN_SUMS_COUNT));
  return icl__give_packed(pass, coefficients, 0, only_k(pass, (icl_dtype)coefficients->dtype, BN_K0, of_mean));
}

/* y = (k1, k0, gradient of the weight, that of the bias); k1 and k0 are 0 where statistics were constants. */
icl_status icl__grad_bn_coefficients_grad(icl__gradient *pass, icl__node *y, icl__node *gy) {
  icl__node *scale_sums = y->in[0], *coefficients = y->in[1], *sums = y->inputs > 2 ? y->in[2] : NULL;
  if (sums && are_joined(sums))
    return refuse_joined(y);
  icl__node *s = row(pass, scale_sums, BN_SCALE_SUM), *q = row(pass, scale_sums, BN_SCALE_PRODUCTS);
  icl__node *a = row(pass, coefficients, BN_A), *r = row(pass, coefficients, BN_INVERSE_STD);
  icl__node *of_weight = row(pass, gy, BN_WEIGHT_GRADIENT), *of_s = row(pass, gy, BN_BIAS_GRADIENT);
  icl__node *of_q = times(pass, r, of_weight);
  if (sums) {
    icl__node *n = row(pass, sums, BN_SUMS_COUNT), *r2 = times(pass, r, r);
    icl__node *of_k1 = over(pass, row(pass, gy, BN_K1), n), *of_k0 = over(pass, row(pass, gy, BN_K0), n);
    icl__node *ar2 = times(pass, a, r2);
    if (icl__wants(y, 1)) {
      icl__node *of_a = minus(pass, times(pass, times(pass, r2, q), of_k1), times(pass, s, of_k0));
      ICL__TRY(icl__give_packed(pass, y, 1, table(pass, BN_SCALE_ROWS, ICL_F64, BN_SCALE_PRODUCTS, of_a, 0, NULL)));
    }
    if (icl__wants(y, 2)) { /* r^3 / n times the gradient of r, q (2 a r of_k1 + of_weight) */
      icl__node *of_r = times(pass, q, plus(pass, scaled(pass, times(pass, times(pass, a, r), of_k1), 2), of_weight));
      icl__node *k1 = over(pass, times(pass, times(pass, r2, r), of_r), n);
      ICL__TRY(icl__give_packed(pass, y, 2, only_k(pass, (icl_dtype)y->dtype, BN_K1, k1)));
    }
    of_q = plus(pass, of_q, times(pass, ar2, of_k1));
    of_s = minus(pass, of_s, times(pass, a, of_k0));
  }
  if (!icl__wants(y, 0))
    return ICL_OK;
  return icl__give(pass, y, 0, table(pass, BN_SCALE_ROWS, ICL_F64, BN_SCALE_SUM, of_s, BN_SCALE_PRODUCTS, of_q));
}
