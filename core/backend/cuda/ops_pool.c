/* ops_pool.c - pooling. */
#include "backend/cuda/ops.h"

#include "ops/attributes.h"

/* `image` lies under the windows of `result`. */
static icl__cuda_pool pool_of(const icl__cuda_op *op, const icl__view *image, const icl__view *result) {
  const int32_t *attr = op->call->attr->i;
  return (icl__cuda_pool){
      .n = image->shape[0],
      .h = image->shape[1],
      .w = image->shape[2],
      .c = image->shape[3],
      .out_h = result->shape[1],
      .out_w = result->shape[2],
      .kernel = {attr[POOL_KERNEL_H], attr[POOL_KERNEL_W]},
      .stride = {attr[POOL_STRIDE_H], attr[POOL_STRIDE_W]},
      .padding = {attr[POOL_PADDING_H], attr[POOL_PADDING_W]},
  };
}

static icl__cuda_pool forward(const icl__cuda_op *op) { return pool_of(op, &op->call->in[0], &op->call->out); }
static icl__cuda_pool backward(const icl__cuda_op *op) { return pool_of(op, &op->call->out, &op->call->in[0]); }

ICL__CUDA_OP(max_pool2d) {
  icl__cuda_pool p = forward(op);
  return ICL__CUDA_EITHER(op, max_pool2d)(icl__cuda_input(op, 0), &p, icl__cuda_output(op), op->stream);
}

ICL__CUDA_OP(max_pool2d_positions) {
  icl__cuda_pool p = forward(op);
  return ICL__CUDA_EITHER(op, max_pool2d_positions)(icl__cuda_input(op, 0), &p, op->call->out.data, op->stream);
}

ICL__CUDA_OP(max_pool2d_grad) {
  icl__cuda_pool p = backward(op);
  return ICL__CUDA_EITHER(op, max_pool2d_grad)(icl__cuda_input(op, 0), op->call->in[1].data, &p, icl__cuda_output(op),
                                               op->stream);
}

ICL__CUDA_OP(max_pool2d_pick) {
  icl__cuda_pool p = forward(op);
  return ICL__CUDA_EITHER(op, max_pool2d_pick)(icl__cuda_input(op, 0), op->call->in[1].data, &p, icl__cuda_output(op),
                                               op->stream);
}

ICL__CUDA_OP(avg_pool2d) {
  icl__cuda_pool p = forward(op);
  return ICL__CUDA_EITHER(op, avg_pool2d)(icl__cuda_input(op, 0), &p, icl__cuda_output(op), op->stream);
}

ICL__CUDA_OP(avg_pool2d_grad) {
  icl__cuda_pool p = backward(op);
  return ICL__CUDA_EITHER(op, avg_pool2d_grad)(icl__cuda_input(op, 0), &p, icl__cuda_output(op), op->stream);
}

static int64_t pixels_of(const icl__view *image) { return (int64_t)image->shape[1] * image->shape[2]; }

ICL__CUDA_OP(global_avg_pool) {
  const icl__view *x = &op->call->in[0];
  return ICL__CUDA_EITHER(op, global_avg_pool)(icl__cuda_input(op, 0), x->shape[0], pixels_of(x), x->shape[3],
                                               icl__cuda_output(op), op->stream);
}

ICL__CUDA_OP(global_avg_pool_grad) {
  const icl__view *y = &op->call->out;
  return ICL__CUDA_EITHER(op, global_avg_pool_grad)(icl__cuda_input(op, 0), y->shape[0], pixels_of(y), y->shape[3],
                                                    icl__cuda_output(op), op->stream);
}
