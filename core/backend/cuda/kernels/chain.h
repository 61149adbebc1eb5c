/* chain.h - a chain of pointwise ops as one kernel runs it: a short program over slots of a few elements a thread.
 *
 * A step reads slots and writes one. LOAD brings an input into a slot, in any dtype and broadcast; STORE writes a slot
 * to an output; ROUND cuts a slot down to a dtype of 16 bits, as a value that is stored in between would be. All others
 * are the formulas of pointwise.def. */
#ifndef ICL_BACKEND_CUDA_KERNELS_CHAIN_H
#define ICL_BACKEND_CUDA_KERNELS_CHAIN_H

#include "icl.h"

enum {
  ICL__CHAIN_OUTPUTS = 4,
  ICL__CHAIN_SLOTS = 12,
  ICL__CHAIN_STEPS = 40,
  ICL__CHAIN_OPERANDS = 6,
  ICL__CHAIN_BLOCK_F32 = 1024, /* elements that a block of threads computes */
  ICL__CHAIN_BLOCK_F64 = 512
};

typedef enum {
#define PW(name, inputs, kind, grad, formula, doc) ICL__CHAIN_##name,
#include "ops/pointwise.def"
#undef PW
  ICL__CHAIN_LOAD,  /* in[0]: an input */
  ICL__CHAIN_STORE, /* in[0]: a slot; out: an output */
  ICL__CHAIN_ROUND  /* in[0]: a slot; in[1]: a dtype */
} icl__chain_code;

typedef struct {
  uint8_t code, out, in[ICL__CHAIN_OPERANDS];
} icl__chain_step;

/* DENSE: of the shape of the chain and aligned to 16 bytes. SINGLE: one element. STRIDED: strides in elements, of a
 * chain of less than 2^32 (lower.c). */
typedef enum { ICL__CHAIN_DENSE, ICL__CHAIN_SINGLE, ICL__CHAIN_STRIDED } icl__chain_mode;

typedef struct {
  const void *data;
  int32_t dtype, mode;
  int32_t stride[ICL_MAX_RANK];
} icl__chain_input;

typedef struct {
  void *data; /* aligned to 16 bytes */
  int32_t dtype;
} icl__chain_output;

typedef struct {
  int32_t steps, slots, rank;
  int32_t size[ICL_MAX_RANK];
  int64_t count;
  int32_t wide; /* computes in f64: some integer of more than 8 bits, or f64 itself, is no single number */
  icl__chain_input in[ICL_MAX_INPUTS];
  icl__chain_output out[ICL__CHAIN_OUTPUTS];
  icl__chain_step step[ICL__CHAIN_STEPS];
} icl__chain;

/* Block number `block` of chain number `chain`. */
typedef struct {
  int32_t chain, block;
} icl__chain_block;

#endif
