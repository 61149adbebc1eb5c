/* pointwise.c - ops that take each element by itself, with NumPy's broadcasting: the formulas of pointwise.def, sums of
 * many tensors, dtype conversion. Gradients are given in the broadcast shape; icl__give() sums them to the input's. */
#include "ops/families.h"

/* ---- shapes and dtypes ---- */

typedef enum { ARITH, FLOAT, TEST, SELECT } result_kind;

static const uint8_t kind_of[ICL__OP_COUNT] = {
#define OP(name, least, most, attributes, infer, grad, batch, flags, doc)
#define PW(name, inputs, kind, grad, formula, doc) [ICL__OP_##name] = kind,
#include "ops/ops.def"
#undef OP
#undef PW
};

static icl_dtype result_dtype(const icl__node *node) {
  result_kind kind = (result_kind)kind_of[node->op];
  if (kind == TEST)
    return ICL_BOOL;
  icl_dtype dtype = icl__promote(node, kind == SELECT);
  return kind == FLOAT && !icl__is_float(dtype) ? ICL_F32 : dtype;
}

icl_status icl__infer_pointwise(icl__node *node) {
  int rank = 0;
  int32_t shape[ICL_MAX_RANK];
  for (int i = 0; i < node->inputs; i++)
    if (!icl__broadcast(&rank, shape, node->in[i]->rank, node->in[i]->shape))
      return icl__shape_error(node, "shapes do not broadcast: sizes must be equal or 1, counted from the last axis");
  return icl__set_shape(node, rank, shape, result_dtype(node));
}

icl_status icl__infer_add_n(icl__node *node) {
  const icl__node *first = node->in[0];
  for (int i = 1; i < node->inputs; i++)
    if (!icl__same_shape(node->in[i], first))
      return icl__shape_error(node, "inputs must be of one shape; add() broadcasts");
  return icl__set_shape(node, first->rank, first->shape, icl__promote(node, 0));
}

icl_status icl__infer_cast(icl__node *node) {
  const icl__node *x = node->in[0];
  return icl__set_shape(node, x->rank, x->shape, (icl_dtype)node->attr.i[CAST_DTYPE]);
}

void icl__batch_pointwise(const icl__facts *facts, icl__batch_rule *rule) {
  if (facts->rank == 0) {
    icl__rule_global(rule);
    return;
  }
  uint32_t batched = 0;
  for (int i = 0; i < facts->inputs; i++)
    if (facts->in[i].rank == facts->rank && facts->in[i].shape[0] == facts->shape[0])
      batched |= 1u << i;
  icl__rule_map(rule, batched, false);
}

/* ---- gradients ---- */

#define G1(op, a)              icl__g1(pass, ICL__OP_##op, a)
#define G2(op, a, b)           icl__g2(pass, ICL__OP_##op, a, b)
#define G3(op, a, b, c)        icl__g3(pass, ICL__OP_##op, a, b, c)
#define NUMBER(value)          icl__g_number(pass, value)
#define WHERE(condition, a, b) G3(where, condition, a, b)

/* Gives input i of y a gradient, if it needs one. */
#define GIVE(i, formula)                                                                                               \
  do {                                                                                                                 \
    if (icl__wants(y, i))                                                                                              \
      ICL__TRY(icl__give(pass, y, i, formula));                                                                        \
  } while (0)

#define GRADIENT(name) icl_status icl__grad_##name(icl__gradient *pass, icl__node *y, icl__node *gy)

/* The gradient of an op of one input, as a formula of g and y, or of g and x. */
#define UNARY_OF_Y(name, formula)                                                                                      \
  GRADIENT(name) { return icl__give(pass, y, 0, formula); }
#define UNARY_OF_X(name, formula)                                                                                      \
  GRADIENT(name) {                                                                                                     \
    icl__node *x = y->in[0];                                                                                           \
    return icl__give(pass, y, 0, formula);                                                                             \
  }

UNARY_OF_Y(cast, gy)
UNARY_OF_Y(neg, G1(neg, gy))
UNARY_OF_Y(zero, icl__g_broadcast(pass, NUMBER(0), gy->rank, gy->shape))
UNARY_OF_Y(exp, G2(mul, gy, y))
UNARY_OF_Y(sqrt, G2(div, gy, G2(mul, NUMBER(2), y)))
UNARY_OF_Y(tanh, G2(mul, gy, G2(sub, NUMBER(1), G2(mul, y, y))))
UNARY_OF_Y(sigmoid, G2(mul, gy, G2(mul, y, G2(sub, NUMBER(1), y))))
UNARY_OF_Y(relu, G2(relu_grad, gy, y))
UNARY_OF_X(abs, G2(mul, gy, G1(sign, x)))
UNARY_OF_X(log, G2(div, gy, x))
UNARY_OF_X(erf, G2(mul, gy, G2(mul, NUMBER(1.1283791670955126), G1(exp, G1(neg, G2(mul, x, x))))))
UNARY_OF_X(gelu, G2(mul, gy, G1(gelu_slope, x)))
UNARY_OF_X(silu, G2(mul, gy, G1(silu_slope, x)))
UNARY_OF_X(softplus, G2(mul, gy, G1(sigmoid, x)))

/* With the density p of the normal distribution: 2 p + x p', p' = -x p. */
GRADIENT(gelu_slope) {
  icl__node *x = y->in[0], *square = G2(mul, x, x);
  icl__node *density = G2(mul, NUMBER(0.39894228040143268), G1(exp, G2(mul, NUMBER(-0.5), square)));
  return icl__give(pass, y, 0, G2(mul, gy, G2(mul, density, G2(sub, NUMBER(2), square))));
}

/* With s = sigmoid(x): 2 s' + x s'', where s' = s (1 - s) and s'' = s' (1 - 2 s). */
GRADIENT(silu_slope) {
  icl__node *x = y->in[0], *s = G1(sigmoid, x), *rest = G2(sub, NUMBER(1), s);
  icl__node *factor = G2(add, NUMBER(2), G2(mul, x, G2(sub, rest, s)));
  return icl__give(pass, y, 0, G2(mul, gy, G2(mul, G2(mul, s, rest), factor)));
}

GRADIENT(hardswish) {
  icl__node *x = y->in[0], *inside = G2(mul, gy, G2(add, G2(div, x, NUMBER(3)), NUMBER(0.5)));
  icl__node *above = WHERE(G2(gt, x, NUMBER(3)), gy, inside);
  return icl__give(pass, y, 0, WHERE(G2(lt, x, NUMBER(-3)), NUMBER(0), above));
}

GRADIENT(leaky_relu) {
  icl__node *x = y->in[0], *positive = G2(gt, x, NUMBER(0));
  GIVE(0, WHERE(positive, gy, G2(mul, gy, y->in[1])));
  GIVE(1, WHERE(positive, NUMBER(0), G2(mul, gy, x)));
  return ICL_OK;
}

/* alpha e^x below 0; y + alpha is the same, but has no digits left where y is almost -alpha. */
GRADIENT(elu) {
  icl__node *x = y->in[0], *positive = G2(gt, x, NUMBER(0));
  icl__node *slope = G2(mul, y->in[1], G1(exp, G2(minimum, x, NUMBER(0))));
  GIVE(0, WHERE(positive, gy, G2(mul, gy, slope)));
  GIVE(1, WHERE(positive, NUMBER(0), G2(mul, gy, G2(elu, x, NUMBER(1)))));
  return ICL_OK;
}

/* relu_grad(g, y) = g where y > 0: linear in g, constant in y almost everywhere. */
GRADIENT(relu_grad) {
  GIVE(0, G2(relu_grad, gy, y->in[1]));
  return ICL_OK;
}

GRADIENT(add_n) {
  for (int i = 0; i < y->inputs; i++)
    GIVE(i, gy);
  return ICL_OK;
}

GRADIENT(add) { return icl__grad_add_n(pass, y, gy); }

GRADIENT(sub) {
  GIVE(0, gy);
  GIVE(1, G1(neg, gy));
  return ICL_OK;
}

GRADIENT(mul) {
  GIVE(0, G2(mul, gy, y->in[1]));
  GIVE(1, G2(mul, gy, y->in[0]));
  return ICL_OK;
}

GRADIENT(div) {
  GIVE(0, G2(div, gy, y->in[1]));
  GIVE(1, G1(neg, G2(mul, gy, G2(div, y, y->in[1]))));
  return ICL_OK;
}

/* d x^n / dx = n x^(n - 1), which is 0 for n = 0 at x = 0 too. */
static icl__node *pow_base(icl__gradient *pass, icl__node *x, icl__node *n, icl__node *gy) {
  if (!n->number) {
    icl__node *power = G2(pow, x, G2(sub, n, NUMBER(1)));
    return WHERE(G2(eq, n, NUMBER(0)), NUMBER(0), G2(mul, gy, G2(mul, n, power)));
  }
  double exponent = icl__number_value(n);
  if (exponent == 0)
    return icl__g_broadcast(pass, NUMBER(0), gy->rank, gy->shape);
  icl__node *power = exponent == 2 ? x : G2(pow, x, NUMBER(exponent - 1));
  return G2(mul, gy, G2(mul, n, power));
}

/* d x^n / dn = x^n log x, with its limit 0 at x = 0. */
GRADIENT(pow) {
  icl__node *x = y->in[0], *n = y->in[1];
  GIVE(0, pow_base(pass, x, n, gy));
  GIVE(1, WHERE(G2(eq, x, NUMBER(0)), NUMBER(0), G2(mul, gy, G2(mul, y, G1(log, x)))));
  return ICL_OK;
}

/* The share of g that goes to `winner`: all where it is larger, half where both are equal. */
static icl__node *share(icl__gradient *pass, icl__node *winner, icl__node *loser, icl__node *gy) {
  icl__node *unequal = WHERE(G2(gt, winner, loser), gy, NUMBER(0));
  return WHERE(G2(eq, winner, loser), G2(mul, gy, NUMBER(0.5)), unequal);
}

GRADIENT(maximum) {
  GIVE(0, share(pass, y->in[0], y->in[1], gy));
  GIVE(1, share(pass, y->in[1], y->in[0], gy));
  return ICL_OK;
}

GRADIENT(minimum) {
  GIVE(0, share(pass, y->in[1], y->in[0], gy));
  GIVE(1, share(pass, y->in[0], y->in[1], gy));
  return ICL_OK;
}

GRADIENT(clamp) {
  icl__node *x = y->in[0], *below = G2(lt, x, y->in[1]), *above = G2(gt, x, y->in[2]);
  GIVE(0, WHERE(below, NUMBER(0), WHERE(above, NUMBER(0), gy)));
  GIVE(1, WHERE(below, gy, NUMBER(0)));
  GIVE(2, WHERE(below, NUMBER(0), WHERE(above, gy, NUMBER(0))));
  return ICL_OK;
}

GRADIENT(where) {
  GIVE(1, WHERE(y->in[0], gy, NUMBER(0)));
  GIVE(2, WHERE(y->in[0], NUMBER(0), gy));
  return ICL_OK;
}
