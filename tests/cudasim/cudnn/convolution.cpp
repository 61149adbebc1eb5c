/* convolution.cpp - the rules for convolutions: NHWC tensors that are packed, sizes that fit one another, types that
 * engines exist for. */
#include "convolution.h"

namespace dnn {

/* ---- tensors ---- */

static cudnnStatus_t type_of(const descriptor &d, sim::value_type *type) {
  cudnnDataType_t given = d.get<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE);
  switch (given) {
  case CUDNN_DATA_FLOAT:
    *type = sim::FLOAT;
    return CUDNN_STATUS_SUCCESS;
  case CUDNN_DATA_HALF:
    *type = sim::HALF;
    return CUDNN_STATUS_SUCCESS;
  case CUDNN_DATA_BFLOAT16:
    *type = sim::BFLOAT;
    return CUDNN_STATUS_SUCCESS;
  default:
    return refuse(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "tensors of type %d are not simulated", (int)given);
  }
}

cudnnStatus_t finish_tensor(const descriptor &d) {
  std::vector<int64_t> size = d.list<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  std::vector<int64_t> stride = d.list<int64_t>(CUDNN_ATTR_TENSOR_STRIDES);
  int64_t alignment = d.get<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  sim::value_type type = sim::FLOAT;
  DNN_TRY(type_of(d, &type));
  if (size.size() != 4 || stride.size() != 4)
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a tensor has %zu sizes and %zu strides; 4 of both are simulated",
                  size.size(), stride.size());
  for (int64_t s : size)
    if (s < 1)
      return refuse(CUDNN_STATUS_BAD_PARAM, "a tensor has the size %ld", (long)s);
  const int64_t packed[] = {size[1] * size[2] * size[3], 1, size[1] * size[3], size[1]};
  for (size_t i = 0; i < 4; i++)
    if (stride[i] != packed[i])
      return refuse(CUDNN_STATUS_NOT_SUPPORTED_LAYOUT, "stride %zu is %ld; that of packed NHWC is %ld", i,
                    (long)stride[i], (long)packed[i]);
  if (alignment < (int64_t)sim::bytes_of(type) || (alignment & (alignment - 1)))
    return refuse(CUDNN_STATUS_BAD_PARAM, "a tensor has the alignment %ld", (long)alignment);
  return CUDNN_STATUS_SUCCESS;
}

static tensor tensor_of(const descriptor &d) {
  std::vector<int64_t> size = d.list<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  sim::value_type type = sim::FLOAT;
  type_of(d, &type);
  return {size[0],
          size[1],
          size[2],
          size[3],
          type,
          d.get<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID),
          d.get<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT),
          d.get<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL, false)};
}

/* ---- convolutions ---- */

cudnnStatus_t finish_convolution(const descriptor &d) {
  if (d.get<int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS) != 2)
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "convolutions of 2 dimensions are simulated");
  if (d.get<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) != CUDNN_CROSS_CORRELATION)
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "cross-correlation is simulated");
  if (d.get<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE) != CUDNN_DATA_FLOAT)
    return refuse(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "sums in f32 are simulated");
  const struct {
    int name, least;
  } lists[] = {{CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 0},
               {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, 0},
               {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 1},
               {CUDNN_ATTR_CONVOLUTION_DILATIONS, 1}};
  for (const auto &l : lists) {
    std::vector<int64_t> values = d.list<int64_t>(l.name);
    if (values.size() != 2 || values[0] < l.least || values[1] < l.least)
      return refuse(CUDNN_STATUS_BAD_PARAM, "attribute %d must be 2 numbers of at least %d", l.name, l.least);
  }
  if (d.list<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS) != d.list<int64_t>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS))
    return refuse(CUDNN_STATUS_NOT_SUPPORTED_PADDING, "padding that differs before and behind is not simulated");
  return CUDNN_STATUS_SUCCESS;
}

/* Attributes by direction. */
static const struct {
  cudnnBackendDescriptorType_t type;
  int convolution, tensor[TENSORS], alpha, beta;
} operations[] = {
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
     {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y},
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
     {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY},
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
     {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY},
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
};

static int direction_of(const descriptor &d) {
  for (int i = FORWARD; i <= FILTER; i++)
    if (operations[i].type == d.type)
      return i;
  return -1;
}

static convolution operation_of(const descriptor &d) {
  convolution c = {};
  c.what = direction_of(d);
  const auto &names = operations[c.what];
  for (int i = 0; i < TENSORS; i++)
    c.of[i] = tensor_of(d.part(names.tensor[i]));
  const descriptor &parameters = d.part(names.convolution);
  for (size_t i = 0; i < 2; i++) {
    c.stride[i] = parameters.list<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES)[i];
    c.padding[i] = parameters.list<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS)[i];
    c.dilation[i] = parameters.list<int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS)[i];
  }
  c.groups = c.of[IMAGE].c / c.of[WEIGHTS].c;
  return c;
}

static int64_t output_size(const convolution &c, int axis, int64_t image, int64_t kernel) {
  return (image + 2 * c.padding[axis] - c.dilation[axis] * (kernel - 1) - 1) / c.stride[axis] + 1;
}

static cudnnStatus_t check_sizes(const convolution &c) {
  const tensor &x = c.of[IMAGE], &w = c.of[WEIGHTS], &y = c.of[OUTPUT];
  if (x.c % w.c || w.n % c.groups)
    return refuse(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "%ld channels, %ld of a filter, and %ld filters do not fit",
                  (long)x.c, (long)w.c, (long)w.n);
  int64_t h = output_size(c, 0, x.h, w.h), width = output_size(c, 1, x.w, w.w);
  if (y.n != x.n || y.c != w.n || y.h != h || y.w != width)
    return refuse(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "the output is %ld,%ld,%ld,%ld (nchw), not %ld,%ld,%ld,%ld",
                  (long)y.n, (long)y.c, (long)y.h, (long)y.w, (long)x.n, (long)w.n, (long)h, (long)width);
  return CUDNN_STATUS_SUCCESS;
}

static double number(const descriptor &d, int name) {
  bool is_double = d.attributes.at(name).type == CUDNN_TYPE_DOUBLE;
  return is_double ? d.get<double>(name) : (double)d.get<float>(name);
}

cudnnStatus_t finish_operation(const descriptor &d) {
  convolution c = operation_of(d);
  DNN_TRY(check_sizes(c));
  if (number(d, operations[c.what].alpha) != 1 || number(d, operations[c.what].beta) != 0)
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "alpha 1 and beta 0 are simulated");
  for (int i = 0; i < TENSORS; i++) {
    const tensor &t = c.of[i];
    if (t.id == c.of[(i + 1) % TENSORS].id)
      return refuse(CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES, "two tensors have the unique id %ld", (long)t.id);
    if (i != c.result() && t.is_virtual)
      return refuse(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, "an operand is virtual");
    if (t.type != c.of[(c.result() + 1) % TENSORS].type && !(i == c.result() && t.is_virtual && t.type == sim::FLOAT))
      return refuse(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "types are mixed: no engine takes that");
  }
  return CUDNN_STATUS_SUCCESS;
}

/* ---- graphs: one operation, or one whose virtual result another casts ---- */

static cudnnStatus_t check_cast(const tensor &result, const descriptor &cast) {
  if (cast.type != CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR ||
      cast.part(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR).get<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE) !=
          CUDNN_POINTWISE_IDENTITY)
    return refuse(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, "the second operation must be IDENTITY");
  tensor from = tensor_of(cast.part(CUDNN_ATTR_OPERATION_POINTWISE_XDESC));
  tensor to = tensor_of(cast.part(CUDNN_ATTR_OPERATION_POINTWISE_YDESC));
  if (from.id != result.id || !from.is_virtual || to.is_virtual || to.id == from.id)
    return refuse(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, "IDENTITY must go from the virtual result to a real one");
  if (from.n != to.n || from.c != to.c || from.h != to.h || from.w != to.w)
    return refuse(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "IDENTITY changes a size");
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finish_graph(const descriptor &d) {
  const std::vector<reference> &operation = d.parts(CUDNN_ATTR_OPERATIONGRAPH_OPS);
  if (direction_of(*operation[0]) < 0)
    return refuse(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, "the first operation must be a convolution");
  convolution c = operation_of(*operation[0]);
  const tensor &result = c.of[c.result()];
  if (result.is_virtual != (operation.size() == 2))
    return refuse(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, "a result is virtual if another operation takes it");
  return operation.size() == 2 ? check_cast(result, *operation[1]) : CUDNN_STATUS_SUCCESS;
}

convolution convolution_of(const descriptor &graph) {
  const std::vector<reference> &operation = graph.parts(CUDNN_ATTR_OPERATIONGRAPH_OPS);
  convolution c = operation_of(*operation[0]);
  c.is_fused = operation.size() == 2;
  if (c.is_fused)
    c.of[c.result()] = tensor_of(operation[1]->part(CUDNN_ATTR_OPERATION_POINTWISE_YDESC));
  return c;
}

} // namespace dnn
