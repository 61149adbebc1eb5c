/* test_infer.c - shapes, dtypes, errors and batch rules of every op, from one table.
 *
 * Nodes are made by hand, so that nothing but inference is tested. A row gives inputs and attributes as text:
 * "f32 8 8 3" is a shape, "2.5" a number, "= 0 5" an i64 tensor (n) with known values; "stride=2 padding=1,0". */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/ops.h"

typedef struct {
  const char *op, *inputs, *attributes, *expected; /* a shape, or '!' and a part of the message */
} row;

/* ---- nodes from text ---- */

static int64_t known[8]; /* the values after '=' */

static void add_input(icl__node *node, char *text) {
  static icl__node inputs[ICL_MAX_INPUTS];
  int i = node->inputs++;
  icl__node *in = node->in[i] = &inputs[i];
  *in = (icl__node){.op = ICL__OP_constant};
  char *rest = NULL, *word = strtok_r(text, " ", &rest);
  if (strcmp(word, "=") == 0) {
    in->dtype = ICL_I64;
    in->rank = 1;
    while ((word = strtok_r(NULL, " ", &rest)))
      known[in->shape[0]++] = atoi(word);
    return;
  }
  icl_dtype dtype = ICL_F64;
  in->number = icl_dtype_find(word, &dtype) != ICL_OK;
  in->attr.f[0] = in->number ? atof(word) : 0;
  in->dtype = (uint8_t)dtype;
  while ((word = strtok_r(NULL, " ", &rest)))
    in->shape[in->rank++] = atoi(word);
}

static const icl_attr_spec *find_spec(const icl_op *op, const char *name) {
  for (int i = 0; i < op->specs; i++)
    if (strcmp(op->spec[i].name, name) == 0)
      return &op->spec[i];
  unit_fail(__FILE__, __LINE__, "%s has no attribute %s", op->name, name);
}

static int32_t integer(const icl_attr_spec *spec, const char *text) {
  icl_dtype dtype = ICL_F32;
  if (spec->kind == ICL_ATTR_DTYPE && icl_dtype_find(text, &dtype) == ICL_OK)
    return (int32_t)dtype;
  return atoi(text);
}

/* "2,2": lists count their entries, a pair of one number means both. */
static void set_attribute(icl__node *node, const icl_attr_spec *spec, char *text) {
  bool list = spec->kind == ICL_ATTR_DIMS || spec->kind == ICL_ATTR_SHAPE;
  int32_t *slot = &node->attr.i[spec->slot];
  if (spec->kind == ICL_ATTR_REAL) {
    node->attr.f[spec->slot] = atof(text);
    return;
  }
  int count = 0;
  char *rest = NULL;
  for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
    slot[list + count++] = integer(spec, word);
  if (list)
    slot[0] = count;
  else if (spec->kind == ICL_ATTR_PAIR && count == 1)
    slot[1] = slot[0];
}

static icl_status infer(const row *r, icl__node *node) {
  char text[256], *rest = NULL;
  const icl_op *op = icl_op_find(r->op);
  if (!op)
    unit_fail(__FILE__, __LINE__, "there is no op %s", r->op);
  *node = (icl__node){.op = (uint16_t)op->id};
  icl_op_defaults(op, &node->attr);
  snprintf(text, sizeof text, "%s", r->inputs);
  for (char *word = strtok_r(text, ";", &rest); word; word = strtok_r(NULL, ";", &rest))
    add_input(node, word);
  snprintf(text, sizeof text, "%s", r->attributes);
  for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
    char *value = strchr(word, '=');
    *value++ = '\0';
    set_attribute(node, find_spec(op, word), value);
  }
  icl_status status = icl__infer(node);
  if (status == ICL_OK && node->index_limit && strchr(r->inputs, '='))
    status = icl__check_indices(node, known);
  return status;
}

static void check_rows(int count, const row *rows) {
  for (const row *r = rows; r < rows + count; r++) {
    icl__node node;
    char text[ICL__SHAPE_TEXT];
    icl_status status = infer(r, &node);
    const char *result =
        status == ICL_OK ? icl__shape_text(text, (icl_dtype)node.dtype, node.rank, node.shape) : icl_message();
    bool right = r->expected[0] == '!' ? status != ICL_OK && strstr(result, r->expected + 1) != NULL &&
                                             strncmp(result, r->op, strlen(r->op)) == 0
                                       : status == ICL_OK && strcmp(result, r->expected) == 0;
    if (!right)
      unit_fail(__FILE__, __LINE__, "%s of [%s] with [%s]\n  expected: %s\n  result:   %s", r->op, r->inputs,
                r->attributes, r->expected, result);
  }
}

#define ROWS(...)                                                                                                      \
  do {                                                                                                                 \
    static const row rows[] = {__VA_ARGS__};                                                                           \
    check_rows((int)(sizeof rows / sizeof *rows), rows);                                                               \
  } while (0)

/* ---- shapes and errors ---- */

/* clang-format off */
TEST(pointwise) {
  ROWS({"add", "f32 2 3; f32 3", "", "f32 (2, 3)"},
       {"add", "f32 2 1 4; f32 3 1", "", "f32 (2, 3, 4)"},
       {"add", "f32; f32", "", "f32 ()"},
       {"add", "f32 0 3; f32 1 3", "", "f32 (0, 3)"},
       {"add", "f32 2 3; f32 2", "", "!do not broadcast"},
       {"add", "f32 2 3; f32 2", "", "!(inputs: f32 (2, 3), f32 (2))"},
       {"add", "f32 2", "", "!takes 2 inputs, not 1 (input: f32 (2))"},
       {"neg", "f32 2; f32 2", "", "!takes 1 input, not 2"},
       {"where", "bool 4; f32 4; bf16", "", "f32 (4)"},
       {"clamp", "bf16 4;0;6", "", "bf16 (4)"},
       {"eq", "i64 4; f32 4", "", "bool (4)"},
       {"exp", "u8 4", "", "f32 (4)"},
       {"exp", "bf16 4", "", "bf16 (4)"},
       {"sgd_nesterov", "f32 5; f32 5; f32 5; 0.1; 0.9; 1e-4", "", "f32 (5)"},
       {"add_n", "f32 2 3; f32 2 3; f32 2 3", "", "f32 (2, 3)"},
       {"add_n", "f32 2 3; f32 3", "", "!inputs must be of one shape"},
       {"cast", "f32 2 3", "dtype=bf16", "bf16 (2, 3)"},
       {"cast", "f32 2 3", "dtype=77", "!dtype must be a dtype"});
}

TEST(promotion) {
  ROWS({"add", "bool 1; u8 1", "", "u8 (1)"},
       {"add", "u8 1; i32 1", "", "i32 (1)"},
       {"add", "i64 1; i32 1", "", "i64 (1)"},
       {"add", "i64 1; bf16 1", "", "bf16 (1)"},
       {"add", "f16 1; bf16 1", "", "f32 (1)"},
       {"add", "bf16 1; f32 1", "", "f32 (1)"},
       {"add", "f32 1; f64 1", "", "f64 (1)"},
       {"add", "bool 1; bool 1", "", "bool (1)"},
       {"mul", "bf16 1; 0.1", "", "bf16 (1)"},
       {"mul", "u8 1; 2", "", "u8 (1)"},
       {"mul", "u8 1; 2.5", "", "f32 (1)"},
       {"mul", "u8 1; inf", "", "f32 (1)"},
       {"mul", "bool 1; 2", "", "i64 (1)"},
       {"div", "u8 1; 2", "", "f32 (1)"},
       {"mul", "3;4", "", "f32 ()"},
       {"where", "f64 2;1;0", "", "f32 (2)"});
}

TEST(reductions) {
  ROWS({"sum", "f32 2 3 4", "dims=1", "f32 (2, 4)"},
       {"sum", "f32 2 3 4", "dims=-1,0", "f32 (3)"},
       {"sum", "f32 2 3 4", "", "f32 ()"},
       {"sum", "f32", "", "f32 ()"},
       {"sum", "bf16 2 3", "dims=1 keepdim=1", "f32 (2, 1)"},
       {"sum", "u8 2 3", "dims=0", "i64 (3)"},
       {"sum", "bool 2", "", "i64 ()"},
       {"sum", "f32 2 3", "dims=2", "!there is no axis 2; axes go from -2 to 1"},
       {"sum", "f32 2 3", "dims=1,-1", "!axis 1 is given twice"},
       {"sum", "f32", "dims=0", "!x is a scalar"},
       {"sum", "f32 2", "keepdim=2", "!keepdim must be 0 or 1, not 2"},
       {"max", "bf16 2 3", "dims=1", "bf16 (2)"},
       {"max", "f32 2 0", "dims=1", "!axis 1 has no elements"},
       {"max", "f32 2 0", "dims=0", "f32 (0)"},
       {"argmax", "f32 2 3", "dim=-1", "i64 (2)"},
       {"argmax", "f32 2 0", "dim=1", "!axis 1 has no elements"},
       {"broadcast_to", "f32 3 1", "shape=2,3,4", "f32 (2, 3, 4)"},
       {"broadcast_to", "2", "shape=2,3", "f32 (2, 3)"},
       {"broadcast_to", "f32 3", "shape=3,1", "!does not broadcast to f32 (3, 1)"},
       {"broadcast_to", "f32 2 3", "shape=3", "!does not broadcast"},
       {"sum_to", "f32 2 3 4", "shape=4", "f32 (4)"},
       {"sum_to", "bf16 2 3 4", "shape=2,1,4", "f32 (2, 1, 4)"},
       {"sum_to", "f32 2 3 4", "shape=3", "!does not sum to f32 (3)"},
       {"sum_to", "f32 4", "shape=1,4", "!does not sum to"});
}

TEST(matrix_product) {
  ROWS({"matmul", "f32 2 3; f32 3 4", "", "f32 (2, 4)"},
       {"matmul", "f32 3 2; f32 3 4", "transpose_a=1", "f32 (2, 4)"},
       {"matmul", "f32 2 3; f32 4 3", "transpose_b=1", "f32 (2, 4)"},
       {"matmul", "f32 3 2; f32 4 3", "transpose_a=1 transpose_b=1", "f32 (2, 4)"},
       {"matmul", "bf16 2 3; bf16 3 4", "", "f32 (2, 4)"},
       {"matmul", "f64 2 3; f32 3 4", "", "f64 (2, 4)"},
       {"matmul", "f32 2 3; f32 4 3", "", "!a has 3 columns, but b has 4 rows"},
       {"matmul", "f32 2; f32 2 3", "", "!a must be (m, k), not of rank 1"},
       {"matmul", "f32 2 3; u8 3 4", "", "!b must be of a floating-point dtype, not u8; cast it first"});
}

TEST(convolution) {
  ROWS({"conv2d", "f32 2 8 8 3; f32 3 3 3 4", "padding=1", "f32 (2, 8, 8, 4)"},
       {"conv2d", "bf16 2 9 8 4; f32 3 1 2 6", "stride=2,1 padding=1,0 groups=2", "bf16 (2, 5, 8, 6)"},
       {"conv2d", "f64 1 5 5 1; f64 5 5 1 1", "", "f64 (1, 1, 1, 1)"},
       {"conv2d", "f32 0 8 8 3; f32 3 3 3 4", "", "f32 (0, 6, 6, 4)"},
       {"conv2d", "f32 2 8 8 3; f32 3 3 8 4", "", "!x has 3 channels, but w takes 8; w is (kh, kw, in / groups, out)"},
       {"conv2d", "f32 2 8 8 3; f32 3 3 3 4", "groups=2", "!but w takes 6"},
       {"conv2d", "f32 2 8 8 4; f32 3 3 2 5", "groups=2", "!5 output channels cannot be cut into 2 groups"},
       {"conv2d", "f32 2 8 8 4; f32 3 3 2 5", "groups=0", "!groups must be at least 1"},
       {"conv2d", "f32 2 8 8 3; bf16 3 3 3 4", "", "!w must be f32, not bf16"},
       {"conv2d", "u8 2 8 8 3; f32 3 3 3 4", "", "!x must be of a floating-point dtype"},
       {"conv2d", "f32 8 8 3; f32 3 3 3 4", "", "!x must be (n, h, w, c), not of rank 3"},
       {"conv2d", "f32 2 8 8 3; f32 3 3 3 4", "stride=0", "!stride must be at least 1, not (0, 0)"},
       {"conv2d", "f32 2 8 8 3; f32 3 3 3 4", "padding=0,-1", "!padding must be at least 0, not (0, -1)"},
       {"conv2d", "f32 2 4 4 3; f32 7 7 3 4", "padding=1", "!the kernel is 7 x 7, larger than an image of 4 x 4"},
       {"conv2d", "f32 2 8 8 3; f32 3 3 3 4", "padding=2147483647", "!makes the image too large"},
       {"conv2d_input_grad", "f32 2 4 4 4; f32 3 3 3 4", "stride=2 padding=1 size=8", "f32 (2, 8, 8, 3)"},
       {"conv2d_input_grad", "f32 2 4 4 4; f32 3 3 3 4", "stride=2 padding=1 size=7", "f32 (2, 7, 7, 3)"},
       {"conv2d_input_grad", "bf16 2 4 4 4; f32 3 3 3 4", "stride=2 padding=1 size=9", "!conv2d of 9 x 9 pixels gives 5 x 5"},
       {"conv2d_input_grad", "f32 2 4 4 6; f32 3 3 3 4", "stride=2 padding=1 size=8", "!g has 6 channels, but w gives 4"},
       {"conv2d_weight_grad", "bf16 2 8 8 6; bf16 2 8 8 4", "padding=1 groups=2 kernel=3", "f32 (3, 3, 3, 4)"},
       {"conv2d_weight_grad", "f64 2 8 8 6; f64 2 8 8 4", "padding=1 kernel=3", "f64 (3, 3, 6, 4)"},
       {"conv2d_weight_grad", "f32 2 8 8 6; f32 3 8 8 4", "padding=1 kernel=3", "!x has 2 images, but g has 3"},
       {"conv2d_weight_grad", "f32 2 8 8 5; f32 2 8 8 4", "padding=1 groups=2 kernel=3", "!5 input channels cannot be cut"},
       {"conv2d_weight_grad", "f32 2 8 8 6; bf16 2 8 8 4", "padding=1 kernel=3", "!g, like x, must be f32, not bf16"},
       {"conv2d_weight_grad", "f32 2 8 8 6; f32 2 8 8 4", "padding=1 kernel=0", "!kernel's size must be at least 1"});
}

TEST(batch_norm) {
  ROWS({"bn_sums", "bf16 2 8 8 6", "", "f64 (3, 6)"},
       {"bn_sums", "f32 6", "", "!x must be (..., channels), with at least two axes"},
       {"bn_coefficients", "f64 3 6; f32 6; f32 6", "", "f32 (5, 6)"},
       {"bn_coefficients", "f64 3 6; f64 6; f64 6", "", "f64 (5, 6)"},
       {"bn_coefficients", "f64 2 6; f32 6; f32 6", "", "!sums must be (3, 6)"},
       {"bn_coefficients", "f64 3 6; bf16 6; f32 6", "", "!weight must be f32 or f64, not bf16"},
       {"bn_inference", "f32 6; f32 6; f32 6; f32 6", "", "f32 (5, 6)"},
       {"bn_inference", "f32 6; f32 6; f32 6; f32 7", "", "!running_var must be (6)"},
       {"bn_running", "f32 5 6; f32 6", "row=4", "f32 (6)"},
       {"bn_running", "f32 5 6; f32 6", "row=5", "!row must be from 0 to 4, not 5"},
       {"scale_shift", "bf16 2 8 8 6; f32 5 6", "relu=1", "bf16 (2, 8, 8, 6)"},
       {"scale_shift", "f32 2 6; f32 5 7", "", "!coefficients must be (5, 6), one column a channel"},
       {"bn_scale", "f32 2 6; f32 5 6", "", "f32 (2, 6)"},
       {"bn_scale_sums", "bf16 2 6; bf16 2 6; f32 5 6", "", "f64 (2, 6)"},
       {"bn_scale_sums", "f32 2 6; f32 3 6; f32 5 6", "", "!g and x must be of one shape"},
       {"bn_coefficients_grad", "f64 2 6; f32 5 6", "", "f32 (4, 6)"},
       {"bn_coefficients_grad", "f64 2 6; f32 5 6; f64 2 6", "", "!sums must be (3, 6)"},
       {"bn_sums_grad", "bf16 2 6; f32 4 6; f64 3 6", "", "bf16 (2, 6)"},
       {"bn_sums_grad", "f32 2 6; f32 4 6; f64 3 6; f32 3 6", "", "!x and rest must be of one shape"},
       {"bn_row", "f32 4 6", "row=3", "f32 (6)"},
       {"bn_row", "f32 4 6", "row=4", "!row must be from 0 to 3"},
       {"bn_input_grad", "f32 2 6; f32 2 6; f32 5 6; f32 4 6", "", "f32 (2, 6)"},
       {"bn_input_grad", "f32 2 6; f32 2 6; f32 5 6; f32 4 6; f32 3 6", "", "!x and rest must be of one shape"},
       {"bn_scale_mask", "f32 2 6; f32 2 6; f32 5 6; f32 2 6", "", "f32 (2, 6)"},
       {"bn_scale_mask", "f32 2 6; f32 2 7; f32 5 7", "", "!g and x must be of one shape"},
       {"bn_scale_mask", "f32 2 6; f32 2 6; f32 5 6; f32 3 6", "", "!x and rest must be of one shape"});
}

TEST(pooling) {
  ROWS({"max_pool2d", "f32 2 7 8 3", "kernel=3 stride=2 padding=1", "f32 (2, 4, 4, 3)"},
       {"max_pool2d", "f32 2 7 8 3", "kernel=2 stride=2", "f32 (2, 3, 4, 3)"},
       {"max_pool2d", "f32 2 7 8 3", "kernel=2 stride=2 padding=2", "!padding (2, 2) must be at most half"},
       {"max_pool2d", "f32 2 32 32 3", "kernel=17 stride=1", "!a window of 17 x 17 has more than 256 pixels"},
       {"max_pool2d", "f32 2 7 8 3", "kernel=9 stride=1", "!the kernel is 9 x 9, larger than an image of 7 x 8"},
       {"max_pool2d", "f32 2 0 8 3", "kernel=2 padding=1", "!images of 0 x 8 pixels have none to pool"},
       {"max_pool2d_positions", "bf16 2 7 8 3", "kernel=2 stride=2", "u8 (2, 3, 4, 3)"},
       {"max_pool2d_grad", "bf16 2 3 4 3; u8 2 3 4 3", "kernel=2 stride=2 size=7,8", "bf16 (2, 7, 8, 3)"},
       {"max_pool2d_grad", "f32 2 3 4 3; u8 2 3 4 3", "kernel=2 stride=2 size=8", "!an image of 8 x 8 has 4 x 4 windows"},
       {"max_pool2d_grad", "f32 2 3 4 3; u8 2 3 4 4", "kernel=2 stride=2 size=7,8", "!positions must be (2, 3, 4, 3)"},
       {"max_pool2d_pick", "f32 2 7 8 3; u8 2 3 4 3", "kernel=2 stride=2", "f32 (2, 3, 4, 3)"},
       {"max_pool2d_pick", "f32 2 7 8 3; i32 2 3 4 3", "kernel=2 stride=2", "!positions must be u8"},
       {"avg_pool2d", "f32 2 32 32 3", "kernel=32 stride=1", "f32 (2, 1, 1, 3)"},
       {"avg_pool2d_grad", "f32 2 1 1 3", "kernel=32 stride=1 size=32", "f32 (2, 32, 32, 3)"},
       {"global_avg_pool", "bf16 2 7 8 3", "", "f32 (2, 3)"},
       {"global_avg_pool", "f32 2 0 8 3", "", "!0 x 8 pixels have no mean"},
       {"global_avg_pool_grad", "f32 2 3", "size=7,8 dtype=bf16", "bf16 (2, 7, 8, 3)"});
}

TEST(shapes) {
  ROWS({"reshape", "f32 2 3 4", "shape=-1,4", "f32 (6, 4)"},
       {"reshape", "f32 2 3 4", "shape=24", "f32 (24)"},
       {"reshape", "f32 1", "", "f32 ()"},
       {"reshape", "f32 0 4", "shape=-1,4", "f32 (0, 4)"},
       {"reshape", "f32 0 4", "shape=-1,0", "!no size for the -1 makes 0 elements out of 0"},
       {"reshape", "f32 2 3 4", "shape=-1,5", "!no size for the -1 makes 24 elements out of 5"},
       {"reshape", "f32 2 3 4", "shape=-1,-1", "!one of them may be -1"},
       {"reshape", "f32 2 3 4", "shape=5,5", "!x has 24 elements, which do not fill f32 (5, 5)"},
       {"reshape", "f32 0 4", "shape=2147483647,2147483647,2147483647", "!x has 0 elements, which do not fill"},
       {"permute", "f32 2 3 4", "dims=0,-1,1", "f32 (2, 4, 3)"},
       {"permute", "f32 2 3 4", "dims=0,1", "!dims must name each of the 3 axes of x once, not 2"},
       {"permute", "f32 2 3 4", "dims=0,1,1", "!axis 1 is named twice"},
       {"pad", "u8 2 3", "low=0,1 high=0,2", "u8 (2, 6)"},
       {"pad", "f32 2 3", "low=0,1,0 high=0,2,0", "!low and high must have 2 sizes"},
       {"pad", "f32 2 3", "low=0,-1 high=0,2", "!padding of axis 1 must be at least 0"},
       {"concat", "f32 2 3; f32 2 1; f32 2 4", "dim=1", "f32 (2, 8)"},
       {"concat", "f32 2 3; f32 3 3", "dim=-1", "!input 2 must be like the first but for axis 1"},
       {"concat", "f32 2 3; bf16 2 3", "dim=1", "!every input, like the first, must be f32, not bf16"},
       {"concat_part", "f32 2 9", "dim=-1 first=3 length=4", "f32 (2, 4)"},
       {"concat_part", "f32 2 9", "dim=1 first=6 length=4", "!positions 6 to 9 do not lie within axis 1 of size 9"},
       {"narrow", "f32 2 9; i64", "dim=1 length=4", "f32 (2, 4)"},
       {"narrow", "f32 2 9; i64", "dim=1 length=10", "!length must be from 0 to 9"},
       {"narrow", "f32 2 9; i64 2", "dim=1 length=4", "!first must be one element"},
       {"narrow", "f32 2 9; f32", "dim=1 length=4", "!first must be i64"},
       {"narrow_grad", "f32 2 4; i64 1", "dim=1 size=9", "f32 (2, 9)"},
       {"narrow_grad", "f32 2 4; i64", "dim=1 size=3", "!size must be at least 4"});
}

TEST(indices) {
  ROWS({"gather", "u8 50 8 8 3; i64 4", "", "u8 (4, 8, 8, 3)"},
       {"gather", "f32 5; = 0 4", "", "f32 (2)"},
       {"gather", "f32 5 2; = 0 5", "", "!index 5 at position 1 must be from 0 to 4"},
       {"gather", "f32 5 2; = -1", "", "!index -1 at position 0 must be"},
       {"gather", "f32 5 2; i32 4", "", "!index must be i64, not i32"},
       {"gather", "f32; i64 4", "", "!x must have an axis of rows"},
       {"gather", "f32 0 2; i64 4", "", "!x has no rows to choose from"},
       {"gather_grad", "f32 4 2; i64 4", "size=9", "f32 (9, 2)"},
       {"gather_grad", "f32 4 2; i64 5", "size=9", "!g has 4 rows, but index has 5 entries"},
       {"one_hot", "i64 4", "classes=10", "f32 (4, 10)"},
       {"one_hot", "= 3 10", "classes=10", "!index 10 at position 1 must be from 0 to 9"},
       {"one_hot", "i64 4", "classes=0", "!classes must be at least 1"});
}

TEST(along_an_axis) {
  ROWS({"cumsum", "f32 2 3", "dim=-1", "f32 (2, 3)"},
       {"cumsum", "bf16 2 3", "dim=0 reverse=1", "f32 (2, 3)"},
       {"cumsum", "bool 2 3", "dim=0", "i64 (2, 3)"},
       {"cumsum", "f32 2 3", "dim=2", "!there is no axis 2; axes go from -2 to 1"},
       {"cumsum", "f32", "dim=0", "!x is a scalar"},
       {"argsort", "bf16 2 3", "dim=1", "i64 (2, 3)"},
       {"argsort", "u8 2 9 4", "dim=-2 length=3", "i64 (2, 3, 4)"},
       {"argsort", "f32 2 9", "dim=1 length=0", "i64 (2, 0)"},
       {"argsort", "f32 2 9", "dim=1 length=10", "!length must be from 0 to 9, the size of axis 1, or -1 for all"},
       {"argsort", "f32 2 9", "dim=1 length=-2", "!length must be from 0 to 9"},
       {"gather_along", "u8 3 5 7; i64 3 2 7", "dim=1", "u8 (3, 2, 7)"},
       {"gather_along", "f32 5; = 0 4 1", "dim=0", "f32 (3)"},
       {"gather_along", "f32 5; = 0 5", "dim=0", "!index 5 at position 1 must be from 0 to 4"},
       {"gather_along", "f32 3 5; i64 2 5", "dim=1", "!index must be of the shape of x but for axis 1"},
       {"gather_along", "f32 3 5; i64 3", "dim=1", "!index must be of the shape of x but for axis 1"},
       {"gather_along", "f32 3 5; i32 3 5", "dim=1", "!index must be i64, not i32"},
       {"gather_along", "f32 3 0; i64 3 2", "dim=1", "!axis 1 has no positions to choose from"},
       {"gather_along_grad", "f32 3 2; i64 3 2", "dim=1 size=9", "f32 (3, 9)"},
       {"gather_along_grad", "f32 3 2; i64 3 3", "dim=1 size=9", "!index must be of the shape of g"},
       {"gather_along_grad", "i64 3 2; i64 3 2", "dim=1 size=9", "!g must be of a floating-point dtype, not i64"},
       {"gather_along_grad", "f32 3 2; i64 3 2", "dim=1 size=-1", "!size must be at least 0"},
       {"gather_along_grad", "f32 3 2; i64 3 2", "dim=1 size=0", "!axis 1 has no positions"});
}

TEST(losses) {
  ROWS({"softmax", "bf16 2 3", "", "f32 (2, 3)"},
       {"log_softmax", "f64 3", "", "f64 (3)"},
       {"softmax", "f32", "", "!x must have a last axis with elements"},
       {"cross_entropy", "bf16 2 3; f32 2 3", "", "f32 (2)"},
       {"cross_entropy", "f32 2 3; f32 2 4", "", "!logits have 3 classes, but targets 4"},
       {"cross_entropy", "f32 2 3; f32 3 3", "", "!2 rows of logits, but 3 of targets"},
       {"cross_entropy", "f32 2 3; f32 2", "", "!one_hot() makes it from labels"},
       {"cross_entropy", "f32 2 3; i64 2 3", "", "!target must be of a floating-point dtype"});
}

TEST(draws) {
  ROWS({"uniform", "i64 4", "shape=2,3", "f32 (2, 3)"},
       {"normal", "i64 4; i64 2", "shape=2,3", "f32 (2, 3)"},
       {"normal", "i64 4; i64 3", "shape=2,3", "!id must be (n)"},
       {"uniform", "i64 2", "shape=2", "!key must be (4): seed low, seed high, a, b"},
       {"uniform", "f32 4", "shape=2", "!key must be i64"},
       {"uniform", "i64 4", "shape=2,-1", "!a size cannot be below 0"},
       {"uniform", "i64 4", "shape=65536,65536,65536", "!more than 2^40 elements"},
       {"uniform", "i64 4", "shape=2147483647,2147483647,2147483647", "!more than 2^40 elements"},
       {"uniform", "i64 4", "shape=2147483647,2147483647,0", "f32 (2147483647, 2147483647, 0)"},
       {"bernoulli", "i64 4; 0.5; i64 2", "shape=2", "bool (2)"},
       {"bernoulli", "i64 4; f32 2", "shape=2", "!p must be one element"},
       {"randint", "i64 4", "shape=2 low=-3 high=3", "i64 (2)"},
       {"randint", "i64 4", "shape=2 low=4 high=3", "!low must be at most high, but 4 > 3"},
       {"dropout", "bf16 2 3; i64 4; 0.5", "", "bf16 (2, 3)"},
       {"dropout", "f32 2 3; i64 4; 0.5; i64 2", "", "f32 (2, 3)"},
       {"dropout", "f32 2 3; i64 4; 0.5; i64 3", "", "!id must be (n)"},
       {"dropout", "u8 2 3; i64 4; 0.5", "", "!x must be of a floating-point dtype"});
}

TEST(samples) {
  ROWS({"crop", "u8 2 28 28 1; i64 2 2", "size=28 padding=4", "u8 (2, 28, 28, 1)"},
       {"crop", "u8 2 28 28 1; i64 2 2", "size=37,28 padding=4", "!size (37, 28) must be at least 1 and within"},
       {"crop", "u8 2 28 28 1; i64 2 2", "size=28 fill=256", "!fill must be a byte"},
       {"crop", "u8 2 28 28 1; i64 3 2", "size=28", "!there are 2 images, but offset is for 3"},
       {"crop", "u8 2 28 28 1; i64 2 3", "size=28", "!offset must be (n, 2): top and left"},
       {"crop", "f32 2 28 28 1; i64 2 2", "size=28", "!x must be u8, not f32"},
       {"crop", "u8 2 28 28 1; i64 2 2", "size=28 padding=-1", "!padding must be at least 0"},
       {"flip", "bf16 2 4 4 3; bool 2", "", "bf16 (2, 4, 4, 3)"},
       {"flip", "u8 2 4 4 3; u8 2", "", "!which must be bool"},
       {"adjust", "u8 2 4 4 3; f64 2; i64 2", "", "u8 (2, 4, 4, 3)"},
       {"adjust", "u8 2 4 4 2; f64 2; i64 2", "", "!x must have 1 or 3 channels, not 2"},
       {"adjust", "u8 2 4 4 3; f32 2; i64 2", "", "!amount must be f64"},
       {"adjust", "u8 2 4 4 3; f64 3; i64 2", "", "!there are 2 images, but amount is for 3"},
       {"adjust", "u8 2 4 4 3; f64 2; i64 3", "", "!kind must be (n), one for each image"},
       {"warp", "u8 2 4 4 5; f32 2 8", "", "u8 (2, 4, 4, 5)"},
       {"warp", "u8 2 4 4 5; f32 2 6", "", "!coefficients must be (n, 8)"},
       {"warp", "u8 2 4 4 5; f32 3 8", "", "!there are 2 images, but coefficients is for 3"},
       {"warp", "u8 2 4 4 5; f32 2 8", "fill=-1", "!fill must be a byte"},
       {"warp", "f32 2 4 4 5; f32 2 8", "", "!x must be u8, not f32"},
       {"normalize", "u8 2 4 4 3; f64 3; f64 3", "", "f32 (2, 4, 4, 3)"},
       {"normalize", "u8 2 4 4 3; f64 3; f64 3", "dtype=bf16", "bf16 (2, 4, 4, 3)"},
       {"normalize", "u8 2 4 4 3; f64 1; f64 3", "", "!mean must be (3), one value a channel"},
       {"normalize", "u8 2 4 4 3; f64 3; f64 3", "dtype=u8", "!dtype must be a floating-point dtype, not u8"});
}
/* clang-format on */

TEST(attributes_become_canonical) {
  icl__node node;
  CHECK_OK(infer(&(row){"sum", "f32 2 3 4", "dims=-1,0", ""}, &node));
  int32_t settled[] = {2, 0, 2, 0, 0, 0, 0, 0};
  CHECK(memcmp(node.attr.i, settled, sizeof settled) == 0);
  CHECK_OK(infer(&(row){"sum", "f32 2 3 4", "", ""}, &node));
  CHECK_EQ(node.attr.i[0], 3);
  CHECK_OK(infer(&(row){"reshape", "f32 2 3 4", "shape=4,-1", ""}, &node));
  CHECK_EQ(node.attr.i[2], 6);
  CHECK_OK(infer(&(row){"neg", "f32 2", "", ""}, &node));
  node.attr.i[3] = 17; /* of no attribute: must not tell two equal nodes apart */
  CHECK_OK(icl__infer(&node));
  CHECK_EQ(node.attr.i[3], 0);
}

TEST(lists_have_at_most_six_entries) {
  icl__node node;
  CHECK_OK(infer(&(row){"reshape", "f32 8", "shape=8", ""}, &node));
  node.attr.i[0] = 7;
  CHECK_ERROR(icl__infer(&node), ICL_EINVAL, "reshape: shape must have up to 6 entries, not 7");
}

/* ---- batch rules ---- */

static const char *rule_text(const icl__batch_rule *rule, char text[32]) {
  static const char *const names[] = {"global", "map", "reduce"};
  snprintf(text, 32, "%s %x%s", names[rule->behaviour], rule->batched, rule->seed ? " seed" : "");
  return text;
}

/* The facts of a node made by hand. */
static void describe(const icl__node *node, icl__facts *facts) {
  *facts = (icl__facts){node->op, node->inputs, (icl_dtype)node->dtype, node->rank, node->shape, &node->attr, {{0}}};
  for (int i = 0; i < node->inputs; i++)
    facts->in[i] = (struct icl__operand){(icl_dtype)node->in[i]->dtype, node->in[i]->rank, node->in[i]->shape};
}

static void check_rules(int count, const row *rows) {
  for (const row *r = rows; r < rows + count; r++) {
    icl__node node;
    icl__facts facts;
    icl__batch_rule rule;
    char text[32];
    CHECK_OK(infer(r, &node));
    describe(&node, &facts);
    icl__op(node.op)->batch(&facts, &rule);
    if (strcmp(rule_text(&rule, text), r->expected) != 0)
      unit_fail(__FILE__, __LINE__, "rule of %s of [%s] with [%s]\n  expected: %s\n  result:   %s", r->op, r->inputs,
                r->attributes, r->expected, text);
  }
}

#define RULES(...)                                                                                                     \
  do {                                                                                                                 \
    static const row rows[] = {__VA_ARGS__};                                                                           \
    check_rules((int)(sizeof rows / sizeof *rows), rows);                                                              \
  } while (0)

/* Behaviour, batched inputs as bits, seed. */
/* clang-format off */
TEST(batch_rules) {
  RULES({"add", "f32 8 3; f32 8 3", "", "map 3"},
        {"add", "f32 8 3; f32 3", "", "map 1"},
        {"add", "f32 1 3; f32 8 3", "", "map 2"},
        {"add", "f32; f32", "", "global 0"},
        {"add_n", "f32 8 3; f32 8 3; f32 8 3", "", "map 7"},
        {"cast", "f32 8 3", "dtype=bf16", "map 1"},
        {"broadcast_to", "f32 1 3", "shape=8,3", "map 0"},
        {"detach", "f32 8 3", "", "map 1"},
        {"detach", "f32", "", "global 0"},
        {"sum", "f32 8 3", "", "reduce 1"},
        {"sum", "f32 8 3", "dims=1", "map 1"},
        {"sum", "f32", "", "global 0"},
        {"max", "f32 8 3", "dims=0", "global 0"},
        {"max", "f32 8 3", "dims=1", "map 1"},
        {"argmax", "f32 8 3", "dim=1", "map 1"},
        {"argmax", "f32 8 3", "dim=0", "global 0"},
        {"sum_to", "f32 8 3", "shape=3", "reduce 1"},
        {"sum_to", "f32 8 3", "shape=1,3", "reduce 1"},
        {"sum_to", "f32 8 3", "shape=8,1", "map 1"},
        {"matmul", "f32 8 3; f32 3 4", "", "map 1"},
        {"matmul", "f32 8 3; f32 8 4", "transpose_a=1", "reduce 3"},
        {"matmul", "f32 8 3; f32 4 8", "transpose_a=1 transpose_b=1", "global 0"},
        {"conv2d", "f32 8 4 4 3; f32 3 3 3 4", "", "map 1 seed"},
        {"conv2d_input_grad", "f32 8 2 2 4; f32 3 3 3 4", "size=4", "map 1 seed"},
        {"conv2d_weight_grad", "f32 8 4 4 3; f32 8 2 2 4", "kernel=3", "reduce 3 seed"},
        {"bn_sums", "f32 8 3", "", "reduce 1 seed"},
        {"bn_scale_sums", "f32 8 3; f32 8 3; f32 5 3", "", "reduce 3 seed"},
        {"bn_coefficients", "f64 3 3; f32 3; f32 3", "", "global 0"},
        {"scale_shift", "f32 8 3; f32 5 3", "", "map 1 seed"},
        {"bn_input_grad", "f32 8 3; f32 8 3; f32 5 3; f32 4 3; f32 8 3", "", "map 13 seed"},
        {"bn_scale_mask", "f32 8 3; f32 8 3; f32 5 3; f32 8 3", "", "map b seed"},
        {"max_pool2d_grad", "f32 8 2 2 3; u8 8 2 2 3", "kernel=2 stride=2 size=4", "map 3 seed"},
        {"global_avg_pool", "f32 8 4 4 3", "", "map 1 seed"},
        {"reshape", "f32 8 4 3", "shape=8,12", "map 1"},
        {"reshape", "f32 8 4 3", "shape=32,3", "global 0"},
        {"permute", "f32 8 4 3", "dims=0,2,1", "map 1"},
        {"permute", "f32 8 4 3", "dims=1,0,2", "global 0"},
        {"pad", "f32 8 4", "low=0,1 high=0,1", "map 1"},
        {"pad", "f32 8 4", "low=0,1 high=1,1", "global 0"},
        {"concat", "f32 8 4; f32 8 4", "dim=1", "map 3"},
        {"concat", "f32 8 4; f32 8 4", "dim=0", "global 0"},
        {"narrow", "f32 8 4; i64", "dim=1 length=2", "map 1"},
        {"narrow", "f32 8 4; i64", "dim=-2 length=2", "global 0"},
        {"gather", "u8 50 4; i64 8", "", "map 2 seed"},
        {"gather_grad", "f32 8 4; i64 8", "size=50", "global 0"},
        {"cumsum", "f32 8 4", "dim=1", "map 1"},
        {"cumsum", "f32 8 4", "dim=0", "global 0"},
        {"argsort", "f32 8 4", "dim=-1", "map 1"},
        {"gather_along", "f32 8 4; i64 8 2", "dim=1", "map 3"},
        {"gather_along", "f32 8 4; i64 2 4", "dim=0", "global 0"},
        {"gather_along_grad", "f32 8 2; i64 8 2", "dim=1 size=4", "map 3"},
        {"softmax", "f32 8 4", "", "map 1 seed"},
        {"softmax", "f32 8", "", "global 0"},
        {"cross_entropy", "f32 8 4; f32 8 4", "", "map 3 seed"},
        {"uniform", "i64 4", "shape=8,4", "map 0"},
        {"uniform", "i64 4; i64 8", "shape=8,4", "map 2 seed"},
        {"bernoulli", "i64 4; 0.5; i64 8", "shape=8,4", "map 4 seed"},
        {"uniform", "i64 4", "", "global 0"},
        {"dropout", "f32 8 4; i64 4; 0.5", "", "map 1"},
        {"dropout", "f32 8 4; i64 4; 0.5; i64 8", "", "map 9"},
        {"crop", "u8 8 4 4 1; i64 8 2", "size=4", "map 3 seed"},
        {"adjust", "u8 8 4 4 1; f64 8; i64 8", "", "map 7 seed"},
        {"warp", "u8 8 4 4 1; f32 8 8", "", "map 3 seed"},
        {"normalize", "u8 8 4 4 1; f64 1; f64 1", "", "map 1 seed"});
}
/* clang-format on */
