/* launch.c - one step of a program: addresses, descriptions, and the launch. */
#include "backend/cuda/matmul.h"
#include "backend/cuda/ops.h"
#include "backend/cuda/program.h"

#include <string.h>

/* ---- where values lie ---- */

void *icl__cuda_address(const icl__cuda_program *p, const icl__bindings *b, const icl__pnode *v) {
  char *arena = b->arena;
  if (v->op == ICL__OP_bn_row && v->view)
    return (char *)icl__cuda_address(p, b, v->in[0]) + (size_t)v->attr.i[BN_ROW] * icl__plan_bytes(v);
  switch (v->store) {
  case ICL__STORE_LEAF:
    if (v->kind == ICL__LEAF_NUMBER)
      return p->memory + (size_t)p->number_of_leaf[v->leaf] * sizeof(double);
    return p->leaf[v->leaf].slot ? p->leaf[v->leaf].slot : (void *)(uintptr_t)b->leaf[v->leaf];
  case ICL__STORE_OUTPUT:
    return b->output[v->output];
  case ICL__STORE_CHUNK:
    return arena + p->plan->arena_bytes + v->offset;
  case ICL__STORE_BATCH:
  case ICL__STORE_SHARED:
  case ICL__STORE_PARTIAL:
    return arena + v->offset;
  case ICL__STORE_NONE:
  case ICL__STORE_BLOCK:   /* policy.link is off */
  case ICL__STORE_LASTING: /* no program leaves anything out */
    break;
  }
  return NULL;
}

static void *workspace_of(const icl__cuda_program *p, const icl__bindings *b, const icl__cuda_unit *unit) {
  uintptr_t shared = (uintptr_t)b->arena + p->plan->arena_bytes + p->plan->scratch_bytes;
  uintptr_t at = unit->beside ? (uintptr_t)p->workspace : shared;
  return (void *)((at + ICL__CUDA_ALIGNMENT - 1) / ICL__CUDA_ALIGNMENT * ICL__CUDA_ALIGNMENT);
}

static icl__view view_of(const icl__cuda_program *p, const icl__bindings *b, const icl__pnode *v) {
  icl__view view = {.data = icl__cuda_address(p, b, v), .dtype = v->stored, .rank = v->rank};
  memcpy(view.shape, v->shape, sizeof view.shape);
  view.pitch = icl__view_columns(&view);
  return view;
}

static icl__call call_of(const icl__cuda_program *p, const icl__bindings *b, const icl__pnode *v) {
  icl__call call = {.op = v->op, .attr = &v->attr, .inputs = v->inputs, .out = view_of(p, b, v), .parts = 1};
  for (int j = 0; j < v->inputs; j++)
    call.in[j] = view_of(p, b, v->in[j]);
  return call;
}

/* The inputs are those of the expression, where one that an op has twice is there once; those of a joined chain may
 * have changed since in the plan. */
static icl__chain chain_of(const icl__cuda_program *p, const icl__bindings *b, const icl__pnode *v) {
  const icl__cuda_expression *e = &icl__cuda_unit_of(v)->expression;
  icl__call call = {.op = v->op, .attr = &v->attr, .inputs = e->inputs, .out = view_of(p, b, v), .parts = 1};
  for (int j = 0; j < e->inputs; j++)
    call.in[j] = view_of(p, b, v->op == ICL__PLAN_CHAIN && !e->others ? v->in[j] : e->in[j]);
  icl__chain chain;
  icl__cuda_begin_chain(&chain, &call);
  for (int i = 0; i < e->others; i++)
    chain.out[1 + i] =
        (icl__chain_output){icl__cuda_address(p, b, e->other_node[i]), (int32_t)e->other_node[i]->stored};
  icl__cuda_write_steps(e, &chain);
  return chain;
}

/* Weights (kh, kw, i, o) are a matrix with a column for each o; cuDNN's have a row for each. */
icl__cuda_transpose icl__cuda_transpose_of(const icl__pnode *v) {
  int32_t o = v->shape[3], rest = (int32_t)(icl__count(v->rank, v->shape) / o);
  bool back = v->op == ICL__PLAN_FINISH;
  return (icl__cuda_transpose){.rows = back ? o : rest,
                               .columns = back ? rest : o,
                               .from_dtype = (int32_t)v->in[0]->stored,
                               .to_dtype = (int32_t)v->stored};
}

int icl__cuda_chain_blocks(const icl__pnode *v) {
  int block = icl__cuda_is_wide(v) ? ICL__CHAIN_BLOCK_F64 : ICL__CHAIN_BLOCK_F32;
  return (int)((icl__count(v->rank, v->shape) + block - 1) / block);
}

/* ---- descriptions ---- */

static void write_transpositions(icl__cuda_program *p, const icl__bindings *b, const icl__cuda_step *s) {
  icl__cuda_transpose *matrix = (void *)(p->table + s->table);
  icl__cuda_transpose_tile *tile = (void *)(p->table + s->blocks);
  for (int k = 0; k < s->nodes; k++) {
    const icl__pnode *v = s->node[k];
    matrix[k] = icl__cuda_transpose_of(v);
    matrix[k].from = icl__cuda_address(p, b, v->in[0]);
    matrix[k].to = icl__cuda_address(p, b, v);
    for (int i = 0, tiles = icl__cuda_transpose_tiles(matrix[k].rows, matrix[k].columns); i < tiles; i++)
      *tile++ = (icl__cuda_transpose_tile){k, i};
  }
}

static void write_chains(icl__cuda_program *p, const icl__bindings *b, icl__cuda_step *s) {
  icl__chain *chain = (void *)(p->table + s->table);
  icl__chain_block *block = (void *)(p->table + s->blocks);
  for (int k = 0; k < s->nodes; k++) {
    chain[k] = chain_of(p, b, s->node[k]);
    s->slots = chain[k].slots > s->slots ? chain[k].slots : s->slots;
    for (int i = 0, blocks = icl__cuda_chain_blocks(s->node[k]); i < blocks; i++)
      *block++ = (icl__chain_block){k, i};
  }
}

icl_status icl__cuda_write_tables(icl__cuda_program *p, const icl__bindings *b) {
  for (int i = 0; i < p->steps; i++) {
    icl__cuda_step *s = &p->step[i];
    if (!s->count)
      continue;
    if (icl__cuda_unit_of(s->node[0])->kind == ICL__CUDA_TRANSPOSE)
      write_transpositions(p, b, s);
    else
      write_chains(p, b, s);
  }
  return icl__cuda_upload(p->device, p->memory + p->tables, p->table, p->bytes - p->tables);
}

/* ---- batch norm: sums and what follows from them ---- */

static icl__cuda_in input_of(const icl__cuda_program *p, const icl__bindings *b, const icl__pnode *v) {
  return (icl__cuda_in){icl__cuda_address(p, b, v), (int)v->stored};
}

static icl__cuda_table table_of(const icl__pnode *x) {
  return (icl__cuda_table){icl__count(x->rank - 1, x->shape), x->shape[x->rank - 1]};
}

static cudaError_t launch_bn_forward(const icl__cuda_program *p, const icl__bindings *b, const icl__pnode *v) {
  const icl__cuda_unit *unit = icl__cuda_unit_of(v);
  const icl__pnode *sums = unit->sums, *x = sums->in[0];
  icl__cuda_bn_finish finish = {.weight = icl__cuda_address(p, b, v->in[1]),
                                .bias = icl__cuda_address(p, b, v->in[2]),
                                .eps = (float)v->attr.f[BN_F_EPS],
                                .coefficients = icl__cuda_address(p, b, v)};
  if (unit->running[0]) {
    finish.running_mean = icl__cuda_address(p, b, unit->running[0]);
    finish.running_variance = icl__cuda_address(p, b, unit->running[1]);
    finish.momentum = (float)unit->running[1]->attr.f[BN_F_MOMENTUM];
    finish.variance_factor = (float)unit->running[1]->attr.f[BN_F_FACTOR];
  }
  return icl__cuda_bn_sums(input_of(p, b, x), table_of(x), icl__cuda_address(p, b, sums), &finish, p->device->scratch,
                           p->device->stream);
}

static cudaError_t launch_bn_backward(const icl__cuda_program *p, const icl__bindings *b, const icl__pnode *v) {
  const icl__pnode *sums = icl__cuda_unit_of(v)->sums, *g = sums->in[0];
  icl__cuda_bn_finish_grad finish = {.sums = v->inputs > 2 ? icl__cuda_address(p, b, v->in[2]) : NULL,
                                     .k = icl__cuda_address(p, b, v)};
  return icl__cuda_bn_scale_sums(input_of(p, b, g), input_of(p, b, sums->in[1]), icl__cuda_address(p, b, sums->in[2]),
                                 sums->attr.i[BN_MASK], table_of(g), icl__cuda_address(p, b, sums), &finish,
                                 p->device->scratch, p->device->stream);
}

/* ---- launches ---- */

static icl_status launch_one(const icl__cuda_program *p, const icl__bindings *b, const icl__pnode *v) {
  const icl__cuda_unit *unit = icl__cuda_unit_of(v);
  const char *name = icl__plan_op_name(v->op);
  cudaStream_t stream = p->device->stream;
  icl__call call;
  icl__chain chain;
  switch (unit->kind) {
  case ICL__CUDA_NONE:
  case ICL__CUDA_TRANSPOSE:
    break;
  case ICL__CUDA_KERNEL:
    call = call_of(p, b, v);
    return icl__cuda_launch(&call, p->device->scratch, stream);
  case ICL__CUDA_CHAIN:
    chain = chain_of(p, b, v);
    return icl__cuda_check(icl__cuda_chain(&chain, stream), name);
  case ICL__CUDA_CONV:
    return icl__cuda_conv_run(p->device, unit->conv, icl__cuda_address(p, b, v->in[0]),
                              icl__cuda_address(p, b, v->in[1]), icl__cuda_address(p, b, v), workspace_of(p, b, unit));
  case ICL__CUDA_MATMUL:
    call = call_of(p, b, v);
    return icl__cuda_matmul(p->device, &call);
  case ICL__CUDA_ZERO:
    return icl__cuda_check(cudaMemsetAsync(icl__cuda_address(p, b, v), 0, icl__plan_bytes(v), stream), name);
  case ICL__CUDA_RECEIVE:
    return icl__cuda_receive(p, b, v);
  case ICL__CUDA_BN_FORWARD:
    return icl__cuda_check(launch_bn_forward(p, b, v), name);
  case ICL__CUDA_BN_BACKWARD:
    return icl__cuda_check(launch_bn_backward(p, b, v), name);
  }
  return ICL_OK;
}

static icl_status launch_many(const icl__cuda_program *p, const icl__cuda_step *s) {
  const char *memory = p->memory + p->tables;
  const void *table = memory + s->table, *blocks = memory + s->blocks;
  if (icl__cuda_unit_of(s->node[0])->kind == ICL__CUDA_TRANSPOSE)
    return icl__cuda_check(icl__cuda_transposes(table, blocks, s->count, p->device->stream), "weights");
  return icl__cuda_check(icl__cuda_chains(table, blocks, s->count, s->slots, s->wide, p->device->stream), "chains");
}

icl_status icl__cuda_launch_step(icl__cuda_program *p, const icl__bindings *b, icl__cuda_step *s) {
  icl__cuda_device *device = p->device;
  bool in_order = icl__cuda_in_order(device);
  for (int i = 0; i < 2 && !in_order; i++)
    if (s->wait_for[i] >= 0)
      ICL__TRY(icl__cuda_check(cudaStreamWaitEvent(device->stream, p->step[s->wait_for[i]].done, 0), "gradients"));
  if (s->awaits)
    return ICL_OK;
  if (s->sends) {
    ICL__TRY(icl__cuda_send(p, b, s));
    return in_order ? icl__cuda_check(cudaStreamWaitEvent(device->stream, s->done, 0), "all_reduce") : ICL_OK;
  }
  if (s->count)
    return launch_many(p, s);
  if (!s->beside || in_order)
    return launch_one(p, b, s->node[0]);
  ICL__TRY(icl__cuda_fork(device, s, device->beside));
  ICL__TRY(icl__cuda_use_stream(device, device->beside));
  icl_status status = launch_one(p, b, s->node[0]);
  icl_status back = icl__cuda_use_stream(device, device->stream);
  if (status == ICL_OK)
    status = back;
  return status == ICL_OK ? icl__cuda_mark_done(s, device->beside) : status;
}
