/* cudnn_graph.c - graphs; cudnn_plan.c has the rest of cudnn_graph.h. cuDNN names sizes in the order n, c, h, w,
 * whatever the strides say. */
#include "backend/cuda/cudnn_graph.h"

icl_status icl__cudnn_fail(const icl__cuda_libraries *libraries, cudnnStatus_t error, const char *what) {
  char reason[512] = "";
  libraries->cudnn.cudnnGetLastErrorString(reason, sizeof reason);
  return icl__fail(ICL_EBACKEND, "cuda: %s: cuDNN: %s: %s", what, libraries->cudnn.cudnnGetErrorString(error), reason);
}

/* ---- descriptors ---- */

typedef cudnnBackendDescriptor_t descriptor;

static void note(icl__cudnn_graph *g, cudnnStatus_t status) {
  if (g->status == CUDNN_STATUS_SUCCESS)
    g->status = status;
}

static descriptor create(icl__cudnn_graph *g, cudnnBackendDescriptorType_t type) {
  if (g->status != CUDNN_STATUS_SUCCESS)
    return NULL;
  note(g, g->libraries->cudnn.cudnnBackendCreateDescriptor(type, &g->part[g->parts]));
  return g->status == CUDNN_STATUS_SUCCESS ? g->part[g->parts++] : NULL;
}

static void set(icl__cudnn_graph *g, descriptor d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                int64_t count, const void *values) {
  if (g->status == CUDNN_STATUS_SUCCESS)
    note(g, g->libraries->cudnn.cudnnBackendSetAttribute(d, name, type, count, values));
}

static void set_integer(icl__cudnn_graph *g, descriptor d, cudnnBackendAttributeName_t name, int64_t value) {
  set(g, d, name, CUDNN_TYPE_INT64, 1, &value);
}

static void set_pair(icl__cudnn_graph *g, descriptor d, cudnnBackendAttributeName_t name, const int32_t value[2]) {
  int64_t pair[2] = {value[0], value[1]};
  set(g, d, name, CUDNN_TYPE_INT64, 2, pair);
}

static void set_part(icl__cudnn_graph *g, descriptor d, cudnnBackendAttributeName_t name, descriptor part) {
  set(g, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &part);
}

static void set_type(icl__cudnn_graph *g, descriptor d, cudnnBackendAttributeName_t name, cudnnDataType_t type) {
  set(g, d, name, CUDNN_TYPE_DATA_TYPE, 1, &type);
}

static void finalize(icl__cudnn_graph *g, descriptor d) {
  if (g->status == CUDNN_STATUS_SUCCESS)
    note(g, g->libraries->cudnn.cudnnBackendFinalize(d));
}

/* ---- what graphs are made of ---- */

static cudnnDataType_t type_of(icl_dtype dtype) {
  return dtype == ICL_F32 ? CUDNN_DATA_FLOAT : dtype == ICL_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_HALF;
}

/* Of sizes n, h, w, c, packed. */
static descriptor tensor(icl__cudnn_graph *g, int64_t id, const int32_t size[4], icl_dtype dtype) {
  int64_t n = size[0], h = size[1], w = size[2], c = size[3];
  int64_t sizes[4] = {n, c, h, w}, strides[4] = {h * w * c, 1, w * c, c};
  descriptor d = create(g, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  set_type(g, d, CUDNN_ATTR_TENSOR_DATA_TYPE, type_of(dtype));
  set(g, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, sizes);
  set(g, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
  set_integer(g, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, id);
  set_integer(g, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 16);
  finalize(g, d);
  return d;
}

static descriptor window(icl__cudnn_graph *g, const icl__cuda_conv_shape *shape) {
  cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  descriptor d = create(g, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  set_type(g, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  set(g, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
  set_integer(g, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2);
  set_pair(g, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, shape->padding);
  set_pair(g, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, shape->padding);
  set_pair(g, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, shape->stride);
  set_pair(g, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, (const int32_t[2]){1, 1});
  finalize(g, d);
  return d;
}

/* The names that cuDNN has for the same in each direction. */
typedef struct {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t window, x, w, y, alpha, beta;
} operation;
static const operation operations[] = {
    [ICL__CUDA_CONV_FORWARD] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    [ICL__CUDA_CONV_INPUT] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    [ICL__CUDA_CONV_WEIGHT] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
};

static descriptor convolution(icl__cudnn_graph *g, const icl__cuda_conv_shape *shape, descriptor x, descriptor w,
                              descriptor y) {
  const operation *o = &operations[shape->direction];
  float one = 1, zero = 0; /* of the type of sums: a double is taken, and read as a float */
  descriptor in = window(g, shape), d = create(g, o->type);
  set_part(g, d, o->window, in);
  set_part(g, d, o->x, x);
  set_part(g, d, o->w, w);
  set_part(g, d, o->y, y);
  set(g, d, o->alpha, CUDNN_TYPE_FLOAT, 1, &one);
  set(g, d, o->beta, CUDNN_TYPE_FLOAT, 1, &zero);
  finalize(g, d);
  return d;
}

icl_status icl__cudnn_graph_make(const icl__cudnn_source *source, const icl__cuda_conv_shape *shape,
                                 icl__cudnn_graph *g) {
  *g = (icl__cudnn_graph){.libraries = source->libraries};
  int32_t weights[4] = {shape->y[3], shape->kernel[0], shape->kernel[1], shape->x[3] / shape->groups};
  descriptor x = tensor(g, ICL__CUDNN_X, shape->x, shape->dtype);
  descriptor y = tensor(g, ICL__CUDNN_Y, shape->y, shape->dtype);
  descriptor w = tensor(g, ICL__CUDNN_W, weights, shape->dtype);
  descriptor step = convolution(g, shape, x, w, y);
  descriptor graph = create(g, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  set(g, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &step);
  if (!source->properties)
    set(g, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &source->handle);
  finalize(g, graph);
  return g->status == CUDNN_STATUS_SUCCESS ? ICL_OK : icl__cudnn_fail(g->libraries, g->status, "conv2d");
}

void icl__cudnn_graph_free(icl__cudnn_graph *g) {
  while (g->parts)
    g->libraries->cudnn.cudnnBackendDestroyDescriptor(g->part[--g->parts]);
}
