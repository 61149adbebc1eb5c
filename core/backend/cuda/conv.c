/* conv.c - see conv.h. */
#include "backend/cuda/conv.h"

#include <stdio.h>
#include <string.h>

#include "backend/cuda/conv_choice.h"
#include "base/memory.h"

struct icl__cuda_conv {
  icl__cuda_conv_shape shape;
  icl__cudnn_plan plan;
  char name[ICL__CUDNN_NAME + 16];
  bool measured; /* its plan was chosen here, and that is to be kept */
  icl__cuda_conv *next;
};

static const char *op_of(icl__cuda_conv_direction direction) {
  switch (direction) {
  case ICL__CUDA_CONV_FORWARD:
    return "conv2d";
  case ICL__CUDA_CONV_INPUT:
    return "conv2d_input_grad";
  default:
    return "conv2d_weight_grad";
  }
}

static icl_status no_engine(const icl__cuda_device *device, const icl__cuda_conv_shape *s) {
  size_t version = device->libraries->cudnn.cudnnGetVersion();
  return icl__fail(ICL_ENOTSUP,
                   "%s: cuDNN %zu.%zu.%zu has no deterministic engine for x (%d, %d, %d, %d) and weights (%d, %d, %d, "
                   "%d) of %s%s, stride %d %d, padding %d %d, groups %d on %s; %s or compute on the device cpu",
                   op_of(s->direction), version / 10000, version / 100 % 100, version % 100, s->x[0], s->x[1], s->x[2],
                   s->x[3], s->kernel[0], s->kernel[1], s->x[3] / s->groups, s->y[3], icl_dtype_name(s->dtype),
                   s->dtype == ICL_F32 && !device->tf32 ? " without TF32" : "", s->stride[0], s->stride[1],
                   s->padding[0], s->padding[1], s->groups, device->name,
                   s->dtype != ICL_F32 ? "use precision f32"
                   : device->tf32      ? "install a newer cuDNN"
                                       : "use precision tf32");
}

static icl_status make(icl__cuda_device *device, const icl__cuda_conv_shape *shape, icl__cuda_conv *conv) {
  icl__cudnn_source source = {.libraries = device->libraries, .handle = device->cudnn};
  icl__cudnn_graph graph;
  conv->shape = *shape;
  icl_status status = icl__cudnn_graph_make(&source, shape, &graph);
  if (status == ICL_OK)
    status = icl__cuda_conv_choose(device, &graph, shape, &conv->plan, &conv->measured);
  icl__cudnn_graph_free(&graph);
  ICL__TRY(status);
  if (!conv->plan.plan)
    return no_engine(device, shape);
  snprintf(conv->name, sizeof conv->name, "cudnn engine %s", conv->plan.name);
  return ICL_OK;
}

icl_status icl__cuda_conv_find(icl__cuda_device *device, const icl__cuda_conv_shape *shape, icl__cuda_conv **result) {
  for (icl__cuda_conv *c = device->convs; c; c = c->next)
    if (!memcmp(&c->shape, shape, sizeof *shape)) {
      *result = c;
      return ICL_OK;
    }
  icl__cuda_conv *conv = icl__calloc(1, sizeof *conv);
  if (!conv)
    return ICL_ENOMEM;
  icl_status status = make(device, shape, conv);
  if (status != ICL_OK) {
    icl__cudnn_plan_free(device->libraries, &conv->plan);
    icl__free(conv);
    return status;
  }
  conv->next = device->convs;
  *result = device->convs = conv;
  return ICL_OK;
}

size_t icl__cuda_conv_workspace(const icl__cuda_conv *conv) { return conv->plan.workspace; }

const char *icl__cuda_conv_name(const icl__cuda_conv *conv) { return conv->name; }

/* All of them at once, when the first is run: by then a network is planned. */
static void keep_choices(icl__cuda_device *device) {
  icl__text lines = {0};
  for (icl__cuda_conv *c = device->convs; c; c = c->next) {
    if (c->measured)
      icl__cuda_conv_say_choice(device, &c->shape, &c->plan, &lines);
    c->measured = false;
  }
  icl__cuda_conv_keep_choices(device, &lines);
  icl__free(lines.text);
}

icl_status icl__cuda_conv_run(icl__cuda_device *device, const icl__cuda_conv *conv, const void *a, const void *b,
                              void *result, void *workspace) {
  if (conv->measured)
    keep_choices(device);
  cudnnStatus_t status = icl__cuda_conv_execute(device, conv->shape.direction, &conv->plan, a, b, result, workspace);
  return status == CUDNN_STATUS_SUCCESS ? ICL_OK
                                        : icl__cudnn_fail(device->libraries, status, op_of(conv->shape.direction));
}

void icl__cuda_conv_free_all(icl__cuda_device *device) {
  if (device->convs) {
    icl__cuda_enter(device);
    cudaStreamSynchronize(device->stream);
    keep_choices(device);
  }
  while (device->convs) {
    icl__cuda_conv *conv = device->convs;
    device->convs = conv->next;
    icl__cudnn_plan_free(device->libraries, &conv->plan);
    icl__free(conv);
  }
}
