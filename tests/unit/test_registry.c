/* test_registry.c - the table of ops: attributes and their slots, gradients, lookups. */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "ops/attributes.h"
#include "ops/ops.h"

/* ---- slots ---- */

static const icl_attr_spec *find_spec(const char *op, const char *name) {
  const icl_op *found = icl_op_find(op);
  CHECK(found != NULL);
  const icl_attr_spec *specs;
  for (int i = icl_op_attributes(found, &specs) - 1; i >= 0; i--)
    if (strcmp(specs[i].name, name) == 0)
      return &specs[i];
  return NULL;
}

static const struct {
  const char *op, *name;
  int slot;
} slots[] = {
    {"cast", "dtype", CAST_DTYPE},
    {"sum", "dims", REDUCE_DIMS},
    {"sum", "keepdim", REDUCE_KEEPDIM},
    {"max", "dims", REDUCE_DIMS},
    {"max", "keepdim", REDUCE_KEEPDIM},
    {"argmax", "dim", ARGMAX_DIM},
    {"broadcast_to", "shape", TARGET_SHAPE},
    {"sum_to", "shape", TARGET_SHAPE},
    {"reshape", "shape", TARGET_SHAPE},
    {"uniform", "shape", TARGET_SHAPE},
    {"normal", "shape", TARGET_SHAPE},
    {"bernoulli", "shape", TARGET_SHAPE},
    {"randint", "shape", TARGET_SHAPE},
    {"randint", "low", RANDINT_LOW},
    {"randint", "high", RANDINT_HIGH},
    {"matmul", "transpose_a", MATMUL_TRANSPOSE_A},
    {"matmul", "transpose_b", MATMUL_TRANSPOSE_B},
    {"conv2d", "stride", CONV_STRIDE_H},
    {"conv2d", "padding", CONV_PADDING_H},
    {"conv2d", "groups", CONV_GROUPS},
    {"conv2d_input_grad", "stride", CONV_STRIDE_H},
    {"conv2d_input_grad", "padding", CONV_PADDING_H},
    {"conv2d_input_grad", "groups", CONV_GROUPS},
    {"conv2d_input_grad", "size", CONV_SIZE_H},
    {"conv2d_weight_grad", "stride", CONV_STRIDE_H},
    {"conv2d_weight_grad", "padding", CONV_PADDING_H},
    {"conv2d_weight_grad", "groups", CONV_GROUPS},
    {"conv2d_weight_grad", "kernel", CONV_KERNEL_H},
    {"bn_coefficients", "eps", BN_F_EPS},
    {"bn_inference", "eps", BN_F_EPS},
    {"all_reduce", "join", ALL_REDUCE_JOIN},
    {"all_reduce", "wide", ALL_REDUCE_WIDE},
    {"bn_running", "row", BN_ROW},
    {"bn_running", "momentum", BN_F_MOMENTUM},
    {"bn_running", "factor", BN_F_FACTOR},
    {"scale_shift", "relu", SCALE_SHIFT_RELU},
    {"bn_scale_sums", "mask", BN_MASK},
    {"bn_row", "row", BN_ROW},
    {"bn_input_grad", "mask", BN_MASK},
    {"max_pool2d", "kernel", POOL_KERNEL_H},
    {"max_pool2d", "stride", POOL_STRIDE_H},
    {"max_pool2d", "padding", POOL_PADDING_H},
    {"max_pool2d_positions", "kernel", POOL_KERNEL_H},
    {"max_pool2d_positions", "stride", POOL_STRIDE_H},
    {"max_pool2d_positions", "padding", POOL_PADDING_H},
    {"max_pool2d_grad", "kernel", POOL_KERNEL_H},
    {"max_pool2d_grad", "stride", POOL_STRIDE_H},
    {"max_pool2d_grad", "padding", POOL_PADDING_H},
    {"max_pool2d_grad", "size", POOL_SIZE_H},
    {"max_pool2d_pick", "kernel", POOL_KERNEL_H},
    {"max_pool2d_pick", "stride", POOL_STRIDE_H},
    {"max_pool2d_pick", "padding", POOL_PADDING_H},
    {"avg_pool2d", "kernel", POOL_KERNEL_H},
    {"avg_pool2d", "stride", POOL_STRIDE_H},
    {"avg_pool2d", "padding", POOL_PADDING_H},
    {"avg_pool2d_grad", "kernel", POOL_KERNEL_H},
    {"avg_pool2d_grad", "stride", POOL_STRIDE_H},
    {"avg_pool2d_grad", "padding", POOL_PADDING_H},
    {"avg_pool2d_grad", "size", POOL_SIZE_H},
    {"global_avg_pool_grad", "size", GLOBAL_POOL_SIZE_H},
    {"global_avg_pool_grad", "dtype", GLOBAL_POOL_DTYPE},
    {"permute", "dims", PERMUTE_DIMS},
    {"pad", "low", PAD_LOW},
    {"pad", "high", PAD_HIGH},
    {"pad", "value", PAD_F_VALUE},
    {"concat", "dim", CONCAT_DIM},
    {"concat_part", "dim", PART_DIM},
    {"concat_part", "first", PART_FIRST},
    {"concat_part", "length", PART_LENGTH},
    {"narrow", "dim", NARROW_DIM},
    {"narrow", "length", NARROW_LENGTH},
    {"narrow_grad", "dim", NARROW_DIM},
    {"narrow_grad", "size", NARROW_SIZE},
    {"gather_grad", "size", GATHER_SIZE},
    {"one_hot", "classes", ONE_HOT_CLASSES},
    {"cumsum", "dim", ALONG_DIM},
    {"cumsum", "reverse", CUMSUM_REVERSE},
    {"argsort", "dim", ALONG_DIM},
    {"argsort", "descending", ARGSORT_DESCENDING},
    {"argsort", "length", ARGSORT_LENGTH},
    {"gather_along", "dim", ALONG_DIM},
    {"gather_along_grad", "dim", ALONG_DIM},
    {"gather_along_grad", "size", GATHER_ALONG_SIZE},
    {"crop", "size", CROP_SIZE_H},
    {"crop", "padding", CROP_PADDING_H},
    {"crop", "fill", CROP_FILL},
    {"warp", "bilinear", WARP_BILINEAR},
    {"warp", "fill", WARP_FILL},
    {"normalize", "dtype", NORMALIZE_DTYPE},
};

TEST(slots_are_those_of_the_header) {
  for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
    const icl_attr_spec *spec = find_spec(slots[i].op, slots[i].name);
    if (!spec || spec->slot != slots[i].slot)
      unit_fail(__FILE__, __LINE__, "%s.%s has slot %d, attributes.h says %d", slots[i].op, slots[i].name,
                spec ? spec->slot : -1, slots[i].slot);
  }
}

static bool listed(const char *op, const char *name) {
  for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
    if (strcmp(slots[i].op, op) == 0 && strcmp(slots[i].name, name) == 0)
      return true;
  return false;
}

TEST(every_attribute_has_a_slot_name) {
  for (int i = 0; i < icl_op_count(); i++) {
    const icl_op *op = icl_op_at(i);
    const icl_attr_spec *specs;
    for (int k = icl_op_attributes(op, &specs) - 1; k >= 0; k--)
      if (!listed(icl_op_name(op), specs[k].name))
        unit_fail(__FILE__, __LINE__, "%s.%s is not in the list of this test", icl_op_name(op), specs[k].name);
  }
}

TEST(slots_fit_the_attributes_and_do_not_overlap) {
  static const int sizes[] = {[ICL_ATTR_INT] = 1,
                              [ICL_ATTR_FLAG] = 1,
                              [ICL_ATTR_PAIR] = 2,
                              [ICL_ATTR_DIM] = 1,
                              [ICL_ATTR_DIMS] = ICL__LIST_SLOTS,
                              [ICL_ATTR_SHAPE] = ICL__LIST_SLOTS,
                              [ICL_ATTR_REAL] = 1,
                              [ICL_ATTR_DTYPE] = 1};
  for (int i = 0; i < icl_op_count(); i++) {
    const icl_attr_spec *specs;
    int ints = 0, reals = 0, count = icl_op_attributes(icl_op_at(i), &specs);
    for (int k = 0; k < count; k++) {
      int *next = specs[k].kind == ICL_ATTR_REAL ? &reals : &ints;
      CHECK_EQ(specs[k].slot, *next);
      *next += sizes[specs[k].kind];
    }
    CHECK(ints <= ICL_ATTR_INTS);
    CHECK(reals <= ICL_ATTR_FLOATS);
  }
}

/* ---- parsing ---- */

TEST(kinds_and_defaults) {
  const icl_attr_spec *stride = find_spec("conv2d", "stride"), *size = find_spec("conv2d_input_grad", "size");
  CHECK_EQ(stride->kind, ICL_ATTR_PAIR);
  CHECK_EQ(stride->required, false);
  CHECK_EQ(stride->value, 1.0);
  CHECK_EQ(size->required, true);
  CHECK_EQ(find_spec("bn_coefficients", "eps")->kind, ICL_ATTR_REAL);
  CHECK_EQ(find_spec("bn_coefficients", "eps")->value, 1e-5);
  CHECK_EQ(find_spec("sum", "dims")->kind, ICL_ATTR_DIMS);
  CHECK_EQ(find_spec("sum", "keepdim")->kind, ICL_ATTR_FLAG);
  CHECK_EQ(find_spec("reshape", "shape")->kind, ICL_ATTR_SHAPE);
  CHECK_EQ(find_spec("concat", "dim")->kind, ICL_ATTR_DIM);
  CHECK_EQ(find_spec("cast", "dtype")->kind, ICL_ATTR_DTYPE);
  CHECK_EQ(find_spec("one_hot", "classes")->kind, ICL_ATTR_INT);
}

TEST(defaults_fill_both_sizes_of_a_pair) {
  icl_attributes attributes;
  memset(&attributes, 0xff, sizeof attributes);
  icl_op_defaults(icl_op_find("conv2d"), &attributes);
  CHECK_EQ(attributes.i[CONV_STRIDE_H], 1);
  CHECK_EQ(attributes.i[CONV_STRIDE_W], 1);
  CHECK_EQ(attributes.i[CONV_PADDING_W], 0);
  CHECK_EQ(attributes.i[CONV_GROUPS], 1);
  CHECK_EQ(attributes.i[CONV_SIZE_H], 0);
  icl_op_defaults(icl_op_find("bn_running"), &attributes);
  CHECK_EQ(attributes.f[BN_F_MOMENTUM], 0.1);
  CHECK_EQ(attributes.f[BN_F_FACTOR], 1.0);
}

static void *first_use(void *result) {
  const icl_attr_spec *specs;
  *(int *)result = icl_op_attributes(icl_op_find("max_pool2d_grad"), &specs);
  return NULL;
}

TEST(first_use_by_many_threads) {
  pthread_t threads[8];
  int counts[8];
  for (int i = 0; i < 8; i++)
    CHECK_EQ(pthread_create(&threads[i], NULL, first_use, &counts[i]), 0);
  for (int i = 0; i < 8; i++) {
    pthread_join(threads[i], NULL);
    CHECK_EQ(counts[i], 4);
  }
}

/* ---- the table ---- */

TEST(ops_are_found_by_name_and_number) {
  CHECK_EQ(icl_op_count(), ICL__OP_COUNT);
  for (int i = 0; i < icl_op_count(); i++) {
    CHECK_EQ(icl_op_at(i)->id, i);
    CHECK_EQ(icl_op_find(icl_op_name(icl_op_at(i))), icl_op_at(i));
  }
  CHECK_STR(icl_op_name(icl__op(ICL__OP_conv2d)), "conv2d");
  CHECK(icl_op_find("convolve") == NULL);
  CHECK(icl_op_at(-1) == NULL);
  CHECK(icl_op_at(icl_op_count()) == NULL);
}

TEST(inputs_and_internal_ops) {
  int least, most;
  icl_op_inputs(icl_op_find("uniform"), &least, &most);
  CHECK_EQ(least, 1);
  CHECK_EQ(most, 2);
  CHECK(!icl_op_internal(icl_op_find("conv2d")));
  CHECK(icl_op_internal(icl_op_find("max_pool2d_grad")));
  for (int i = 0; i < icl_op_count(); i++) {
    icl_op_inputs(icl_op_at(i), &least, &most);
    CHECK(0 <= least && least <= most && most <= ICL_MAX_INPUTS);
  }
}

TEST(an_op_without_gradient_says_why) {
  for (int i = 0; i < icl_op_count(); i++) {
    const icl_op *op = icl_op_at(i);
    bool says = strstr(icl_op_doc(op), "no gradient: ") != NULL;
    if (says != !op->grad)
      unit_fail(__FILE__, __LINE__, "%s %s a gradient, but its documentation is \"%s\"", op->name,
                op->grad ? "has" : "has not", op->doc);
    CHECK(op->infer && op->batch);
  }
}

/* ---- dtypes ---- */

TEST(dtypes_by_name) {
  icl_dtype dtype = ICL_F32;
  CHECK_OK(icl_dtype_find("bool", &dtype));
  CHECK_EQ(dtype, ICL_BOOL);
  CHECK_STR(icl_dtype_name(ICL_BF16), "bf16");
  CHECK_EQ(icl_dtype_bytes(ICL_I64), (size_t)8);
  CHECK_ERROR(icl_dtype_find("float", &dtype), ICL_EINVAL, "no dtype 'float'; dtypes are f32");
  CHECK_EQ(icl_dtype_bytes((icl_dtype)99), (size_t)0);
  CHECK_STR(icl_dtype_name((icl_dtype)-1), "unknown dtype");
}
