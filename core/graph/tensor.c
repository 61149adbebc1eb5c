/* tensor.c - values from outside, functions with a gradient of the user's, and what can be asked of a tensor. */
#include "graph/engine.h"

#include "base/dtype.h"
#include "base/memory.h"

/* ---- leaves ---- */

icl_status icl_tensor_new(icl_engine *engine, icl_dtype dtype, int rank, const int32_t *shape, const void *data,
                          icl_tensor **result) {
  ICL__TRY(icl__check_dtype("tensor", dtype));
  ICL__TRY(icl__check_shape("tensor", dtype, rank, shape));
  icl__node *node = icl__node_new(engine);
  if (!node)
    return icl__fail(ICL_ENOMEM, "tensor: no memory for a node");
  node->op = ICL__OP_constant;
  icl_status status = icl__set_shape(node, rank, shape, dtype);
  size_t bytes = (size_t)icl__node_count(node) * icl_dtype_bytes(dtype);
  if (status == ICL_OK)
    status = icl__buffer_new(engine, bytes, &node->value);
  if (status == ICL_OK)
    status = icl__buffer_fill(node->value, data);
  if (status == ICL_OK && dtype == ICL_I64)
    icl__buffer_note_range(node->value, data);
  if (status != ICL_OK) {
    icl_tensor_release(node);
    return status;
  }
  *result = node;
  return ICL_OK;
}

icl_status icl_number(icl_engine *engine, double value, icl_tensor **result) {
  icl__node *node = icl__node_new(engine);
  if (!node)
    return icl__fail(ICL_ENOMEM, "no memory for a number");
  node->op = ICL__OP_constant;
  node->dtype = ICL_F64;
  node->number = true;
  node->attr.f[0] = value;
  *result = node;
  return ICL_OK;
}

icl_status icl_detach(icl_tensor *tensor, icl_tensor **result) {
  return icl__record(tensor->engine, ICL__OP_detach, 1, &tensor, NULL, result);
}

icl_status icl_tensor_require_gradient(icl_tensor *tensor) {
  if (!icl__is_float((icl_dtype)tensor->dtype) || tensor->number)
    return icl__fail(ICL_EDTYPE, "requires_grad: only floats have a gradient; this %s is %s", icl_tensor_op(tensor),
                     icl_dtype_name((icl_dtype)tensor->dtype));
  if (tensor->dropped)
    return icl__fail(ICL_ENOVALUE, "requires_grad: the step that recorded this %s has ended", icl_tensor_op(tensor));
  tensor->needs_grad = true;
  return ICL_OK;
}

icl_status icl_custom(icl_tensor *value, int inputs, icl_tensor *const *input, icl_backward_fn backward,
                      void (*release)(void *), void *context, icl_tensor **result) {
  if (inputs < 0 || inputs + 1 > ICL_MAX_INPUTS)
    return icl__fail(ICL_EINVAL, "autograd: a function of one's own takes at most %d tensors, not %d",
                     ICL_MAX_INPUTS - 1, inputs);
  icl__node *in[ICL_MAX_INPUTS] = {value};
  for (int i = 0; i < inputs; i++)
    in[i + 1] = input[i];
  icl__custom *custom = icl__alloc(1, sizeof *custom);
  if (!custom)
    return icl__fail(ICL_ENOMEM, "autograd: no memory for a function");
  *custom = (icl__custom){1, backward, release, context};
  icl__node *node;
  icl_status status = icl__record(value->engine, ICL__OP_custom, inputs + 1, in, NULL, &node);
  if (status != ICL_OK) {
    icl__free(custom); /* the context stays the caller's after an error */
    return status;
  }
  if (node->inputs && !node->plain) /* a gradient may still be asked for within the step */
    node->custom = custom;
  else
    icl__custom_release(custom);
  *result = node;
  return ICL_OK;
}

void icl_no_gradient_begin(icl_engine *engine) { engine->no_gradient++; }
void icl_no_gradient_end(icl_engine *engine) { engine->no_gradient--; }

/* ---- questions ---- */

icl_engine *icl_tensor_engine(const icl_tensor *tensor) { return tensor->engine; }
icl_dtype icl_tensor_dtype(const icl_tensor *tensor) { return (icl_dtype)tensor->dtype; }
int icl_tensor_rank(const icl_tensor *tensor) { return tensor->rank; }
const int32_t *icl_tensor_shape(const icl_tensor *tensor) { return tensor->shape; }
int64_t icl_tensor_count(const icl_tensor *tensor) { return icl__node_count(tensor); }
const char *icl_tensor_op(const icl_tensor *tensor) { return icl__op(tensor->op)->name; }
bool icl_tensor_evaluated(const icl_tensor *tensor) { return icl__node_data(tensor) != NULL; }
size_t icl_tensor_bytes(const icl_tensor *tensor) {
  return sizeof *tensor + (tensor->value ? tensor->value->bytes : 0);
}
bool icl_tensor_needs_gradient(const icl_tensor *tensor) { return tensor->needs_grad; }
