/* attributes.h - names for the slots of icl_attributes, shared by op families and kernels.
 *
 * The registry gives an op's attributes slots in the order of its string in ops.def: int, flag, dim and dtype take one
 * of .i, pair two (height, width), dims and shape seven (the length, then up to six entries), real one of .f. The names
 * below repeat that by hand, once for all ops of a family that share a beginning; tests/unit/test_registry.c compares
 * them. */
#ifndef ICL_OPS_ATTRIBUTES_H
#define ICL_OPS_ATTRIBUTES_H

#include "icl.h"

enum { ICL__LIST_SLOTS = 1 + ICL_MAX_RANK };

/* cast */
enum { CAST_DTYPE };
/* sum, max: the number of axes, then the axes, rising and from 0 once recorded; argmax */
enum { REDUCE_DIMS, REDUCE_KEEPDIM = ICL__LIST_SLOTS };
enum { ARGMAX_DIM };
/* broadcast_to, sum_to, reshape, uniform, normal, bernoulli, randint: the rank, then the sizes */
enum { TARGET_SHAPE, RANDINT_LOW = ICL__LIST_SLOTS, RANDINT_HIGH };
/* all_reduce */
enum { ALL_REDUCE_JOIN, ALL_REDUCE_WIDE };
/* matmul */
enum { MATMUL_TRANSPOSE_A, MATMUL_TRANSPOSE_B };
/* conv2d and, one slot pair more: size of conv2d_input_grad, kernel of conv2d_weight_grad */
enum { CONV_STRIDE_H, CONV_STRIDE_W, CONV_PADDING_H, CONV_PADDING_W, CONV_GROUPS, CONV_SIZE_H, CONV_SIZE_W };
enum { CONV_KERNEL_H = CONV_SIZE_H, CONV_KERNEL_W };
/* batch norm: row of bn_running and bn_row; relu of scale_shift; mask of bn_scale_sums and bn_input_grad. In .f: eps of
 * bn_coefficients and bn_inference; momentum, factor of bn_running */
enum { BN_ROW };
enum { SCALE_SHIFT_RELU };
enum { BN_MASK };
enum { BN_F_EPS };
enum { BN_F_MOMENTUM, BN_F_FACTOR };
/* max_pool2d*, avg_pool2d*; size only for the gradients */
enum {
  POOL_KERNEL_H,
  POOL_KERNEL_W,
  POOL_STRIDE_H,
  POOL_STRIDE_W,
  POOL_PADDING_H,
  POOL_PADDING_W,
  POOL_SIZE_H,
  POOL_SIZE_W
};
/* global_avg_pool_grad */
enum { GLOBAL_POOL_SIZE_H, GLOBAL_POOL_SIZE_W, GLOBAL_POOL_DTYPE };
/* permute: the rank, then for each axis of the result the axis of x */
enum { PERMUTE_DIMS };
/* pad: rank and sizes, twice; the value in .f */
enum { PAD_LOW, PAD_HIGH = ICL__LIST_SLOTS };
enum { PAD_F_VALUE };
/* concat; concat_part; narrow with length, narrow_grad with size */
enum { CONCAT_DIM };
enum { PART_DIM, PART_FIRST, PART_LENGTH };
enum { NARROW_DIM, NARROW_LENGTH, NARROW_SIZE = NARROW_LENGTH };
/* gather_grad, one_hot */
enum { GATHER_SIZE };
enum { ONE_HOT_CLASSES };
/* cumsum, argsort, gather_along, gather_along_grad */
enum { ALONG_DIM };
enum { CUMSUM_REVERSE = ALONG_DIM + 1 };
enum { ARGSORT_DESCENDING = ALONG_DIM + 1, ARGSORT_LENGTH };
enum { GATHER_ALONG_SIZE = ALONG_DIM + 1 };
/* crop, warp, normalize */
enum { CROP_SIZE_H, CROP_SIZE_W, CROP_PADDING_H, CROP_PADDING_W, CROP_FILL };
enum { WARP_BILINEAR, WARP_FILL };
enum { NORMALIZE_DTYPE };

/* The list attribute in a slot: returns its length. */
static inline int icl__list(const icl_attributes *attr, int slot, const int32_t **entries) {
  *entries = &attr->i[slot + 1];
  return attr->i[slot];
}

static inline void icl__set_list(icl_attributes *attr, int slot, int length, const int32_t *entries) {
  attr->i[slot] = length;
  for (int i = 0; i < ICL_MAX_RANK; i++)
    attr->i[slot + 1 + i] = i < length ? entries[i] : 0;
}

#endif
