/* ops_pointwise.c - pointwise ops as chains (kernels/chain.h). */
#include "backend/cuda/ops.h"

#include "ops/attributes.h"
#include "ops/ops.h"

enum { ALIGNED = 16 };

static bool is_wide(icl_dtype dtype) { return dtype == ICL_F64 || dtype == ICL_I32 || dtype == ICL_I64; }

/* ---- inputs ---- */

static void set_input(icl__chain_input *in, const icl__view *v, const icl__view *out) {
  *in = (icl__chain_input){.data = v->data, .dtype = (int32_t)v->dtype, .mode = ICL__CHAIN_STRIDED};
  if (icl__view_count(v) == 1)
    in->mode = ICL__CHAIN_SINGLE;
  else if (icl__equal_shapes(v->rank, v->shape, out->rank, out->shape) && (uintptr_t)v->data % ALIGNED == 0)
    in->mode = ICL__CHAIN_DENSE;
}

/* The axes of the result, as few as the strided inputs leave. */
static void set_axes(icl__chain *c, const icl__call *call) {
  int64_t stride[ICL_MAX_INPUTS][ICL_MAX_RANK];
  int strided[ICL_MAX_INPUTS], count = 0;
  c->rank = call->out.rank;
  for (int d = 0; d < c->rank; d++)
    c->size[d] = call->out.shape[d];
  for (int k = 0; k < call->inputs; k++)
    if (c->in[k].mode == ICL__CHAIN_STRIDED) {
      icl__cuda_strides(&call->in[k], c->rank, c->size, stride[count]);
      strided[count++] = k;
    }
  icl__cuda_merge(&c->rank, c->size, count, stride);
  for (int i = 0; i < count; i++)
    for (int d = 0; d < c->rank; d++)
      c->in[strided[i]].stride[d] = (int32_t)stride[i][d];
}

void icl__cuda_begin_chain(icl__chain *c, const icl__call *call) {
  *c = (icl__chain){.count = icl__view_count(&call->out), .wide = is_wide(call->out.dtype)};
  c->out[0] = (icl__chain_output){call->out.data, (int32_t)call->out.dtype};
  for (int k = 0; k < call->inputs; k++) {
    set_input(&c->in[k], &call->in[k], &call->out);
    bool number = call->in[k].dtype == ICL_F64 && c->in[k].mode == ICL__CHAIN_SINGLE;
    c->wide = c->wide || (is_wide(call->in[k].dtype) && !number);
  }
  set_axes(c, call);
}

/* ---- steps ---- */

static icl__chain_step *add_step(icl__chain *c, int code, int out, int in0, int in1) {
  icl__chain_step *step = &c->step[c->steps++];
  *step = (icl__chain_step){.code = (uint8_t)code, .out = (uint8_t)out, .in = {(uint8_t)in0, (uint8_t)in1}};
  c->slots = code != ICL__CHAIN_STORE && out >= c->slots ? out + 1 : c->slots;
  return step;
}

static cudaError_t finish(icl__chain *c, int slot, cudaStream_t stream) {
  add_step(c, ICL__CHAIN_STORE, 0, slot, 0);
  return icl__cuda_chain(c, stream);
}

static const int codes[ICL__OP_COUNT] = {
#define OP(name, least, most, attributes, infer, grad, batch, flags, doc)
#define PW(name, inputs, kind, grad, formula, doc) [ICL__OP_##name] = ICL__CHAIN_##name,
#include "ops/ops.def"
#undef OP
#undef PW
};

/* ---- ops ---- */

ICL__CUDA_OP(pointwise) {
  const icl__call *call = op->call;
  icl__chain c;
  icl__cuda_begin_chain(&c, call);
  for (int k = 0; k < call->inputs; k++)
    add_step(&c, ICL__CHAIN_LOAD, k, k, 0);
  icl__chain_step *step = add_step(&c, codes[call->op], 0, 0, 0);
  for (int k = 0; k < call->inputs; k++)
    step->in[k] = (uint8_t)k;
  return finish(&c, 0, op->stream);
}

ICL__CUDA_OP(add_n) {
  icl__chain c;
  icl__cuda_begin_chain(&c, op->call);
  add_step(&c, ICL__CHAIN_LOAD, 0, 0, 0);
  for (int k = 1; k < op->call->inputs; k++) {
    add_step(&c, ICL__CHAIN_LOAD, 1, k, 0);
    add_step(&c, ICL__CHAIN_add, 0, 0, 1);
  }
  return finish(&c, 0, op->stream);
}

static cudaError_t copy(icl__cuda_op *op) {
  icl__chain c;
  icl__cuda_begin_chain(&c, op->call);
  add_step(&c, ICL__CHAIN_LOAD, 0, 0, 0);
  return finish(&c, 0, op->stream);
}

ICL__CUDA_OP(cast) { return copy(op); }
ICL__CUDA_OP(broadcast_to) { return copy(op); }
