/* ops.h - the registry of ops, made from ops.def, and what an op's family file has to provide.
 *
 * infer: given op, inputs and attributes of a node, sets its rank, shape and dtype, or fails with a message that begins
 *   with the op's name, shows the shapes, and names the fix.
 * grad: given a node y and its gradient, records the gradients of the inputs that need one and hands them over with
 *   icl__give() (formula.h).
 * batch: says what becomes of axis 0. */
#ifndef ICL_OPS_OPS_H
#define ICL_OPS_OPS_H

#include "base/dtype.h"
#include "ops/node.h"

/* POINTWISE: the op is a formula of pointwise.def; ops.def explains the others. */
enum {
  ICL__CHEAP = 1,
  ICL__DRAW = 2,
  ICL__ALIAS = 4,
  ICL__LEAF = 8,
  ICL__HIDDEN = 16,
  ICL__POINTWISE = 32,
  ICL__ELEMENTWISE = 64,
  ICL__WIDE = 128,
  ICL__PACKED = 256,
  ICL__OPAQUE = 512
};

typedef enum {
#define OP(name, least, most, attributes, infer, grad, batch, flags, doc) ICL__OP_##name,
#define PW(name, inputs, kind, grad, formula, doc)                        ICL__OP_##name,
#include "ops/ops.def"
#undef OP
#undef PW
  ICL__OP_COUNT
} icl__op_id;

/* GLOBAL: no batch axis, or images meet. MAP: image n of the output needs only image n of the batched inputs. REDUCE:
 * the output is a sum over the images of the batched inputs, so partial results add up (those of
 * bn_sums are joined). Inputs that are not batched are
 * seen whole. `seed`: axis 0 of this op is a batch by nature; a pointwise op only passes on what its operands are. */
typedef enum { ICL__GLOBAL, ICL__MAP, ICL__REDUCE } icl__behaviour;
typedef struct {
  icl__behaviour behaviour;
  uint32_t batched; /* bit i: input i has the batch on its axis 0 */
  bool seed;
} icl__batch_rule;

/* What inference, gradients and rules may look at of a node: the same for recorded and for planned nodes. */
typedef struct {
  int op, inputs;
  icl_dtype dtype;
  int rank;
  const int32_t *shape;
  const icl_attributes *attr;
  struct icl__operand {
    icl_dtype dtype;
    int rank;
    const int32_t *shape;
  } in[ICL_MAX_INPUTS];
} icl__facts;

typedef struct icl__gradient icl__gradient; /* one backward pass: formula.h */

typedef icl_status (*icl__infer_fn)(icl__node *node);
typedef icl_status (*icl__grad_fn)(icl__gradient *pass, icl__node *y, icl__node *gy);
typedef void (*icl__batch_fn)(const icl__facts *facts, icl__batch_rule *rule);

struct icl_op {
  const char *name, *doc;
  int id, least, most;
  unsigned flags;
  icl__infer_fn infer;
  icl__grad_fn grad; /* NULL: not differentiable */
  icl__batch_fn batch;
  int specs;
  icl_attr_spec spec[6];
};
const icl_op *icl__op(int id);

/* What recording calls: checks the number of inputs and the attributes of a node against the table, then infers. */
icl_status icl__infer(icl__node *node);
/* The same for the values of its last input, where infer found that they are indices and they are known already. */
icl_status icl__check_indices(const icl__node *node, const int64_t *index);

/* ---- helpers for the family files ---- */

/* Errors of inference, one style: "conv2d: <format> (inputs: f32 (2, 8, 8, 3), f32 (3, 3, 4, 8))". */
icl_status icl__shape_error(const icl__node *node, const char *format, ...) ICL__PRINTF(2, 3);
icl_status icl__dtype_error(const icl__node *node, const char *format, ...) ICL__PRINTF(2, 3);
icl_status icl__value_error(const icl__node *node, const char *format, ...) ICL__PRINTF(2, 3);

/* Sets shape; fails for sizes below 0 or more than 2^40 elements. */
icl_status icl__set_shape(icl__node *node, int rank, const int32_t *shape, icl_dtype dtype);
/* The shape of the first input, but for axis `dim`. */
icl_status icl__set_size(icl__node *node, int dim, int32_t size, icl_dtype dtype);
/* f32 unless f64 is among the inputs: the dtype of sums and losses. */
icl_dtype icl__wide_dtype(const icl__node *node);
/* The dtype of sums of elements: f32 for bf16 and f16, i64 for integers and bool. */
icl_dtype icl__sum_dtype(icl_dtype dtype);
/* NumPy-like promotion: bool < u8 < i32 < i64 < bf16, f16 < f32 < f64 (bf16 with f16: f32); numbers count only if there
 * is nothing else, then f32, or turn integers into f32 when they are fractions, and bool into i64 when they are not. */
icl_dtype icl__promote(const icl__node *node, int first_input);

#endif
