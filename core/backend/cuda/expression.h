/* expression.h - pointwise ops of one shape as one expression, and the program of a chain that computes it. */
#ifndef ICL_BACKEND_CUDA_EXPRESSION_H
#define ICL_BACKEND_CUDA_EXPRESSION_H

#include "backend/cuda/kernels/chain.h"
#include "plan/plan.h"

/* A value: of term number n, or for ~n input number n. */
typedef int8_t icl__cuda_value;

typedef struct {
  uint8_t code;  /* of chain.h; a formula or ROUND */
  uint8_t dtype; /* ROUND: to what */
  uint8_t operands;
  icl__cuda_value operand[ICL__CHAIN_OPERANDS];
} icl__cuda_term;

typedef struct {
  int terms, inputs;
  icl__cuda_value result;
  int others; /* values that are stored as well, for the nodes that they were the results of */
  icl__cuda_value other[ICL__CHAIN_OUTPUTS - 1];
  const icl__pnode *other_node[ICL__CHAIN_OUTPUTS - 1];
  icl__cuda_term term[ICL__CHAIN_STEPS];
  icl__pnode *in[ICL_MAX_INPUTS];
  uint32_t batched; /* inputs read image by image */
} icl__cuda_expression;

/* Is the op one that an expression is made of: a formula, add_n, cast, or broadcast_to? */
bool icl__cuda_is_pointwise(const icl__pnode *v);

/* Is it computed in f64? Where its value, or an input that is not a single number, is f64 or an integer of more than 8
 * bits. */
bool icl__cuda_is_wide(const icl__pnode *v);

/* The expression of v, with those of the inputs that are `absorbed` (by index of node) in their place. False: it does
 * not fit into one chain. */
bool icl__cuda_express(icl__pnode *v, const bool *absorbed, icl__cuda_expression *e);

/* Puts the expression of u, an input of e, in the place where u is read; its value is stored all the same. False: it
 * does not fit, and e is as before. */
bool icl__cuda_take_in(icl__cuda_expression *e, icl__pnode *u, const icl__cuda_expression *of_u);

/* Writes the steps of a chain; false: there are too many. */
bool icl__cuda_write_steps(const icl__cuda_expression *e, icl__chain *chain);

#endif
