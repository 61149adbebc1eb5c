/* conv_choice.c - see conv_choice.h. The fastest plan is found by running each of a few; what was found is kept in the
 * user's cache, by version of cuDNN and device. */
#include "backend/cuda/conv_choice.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "backend/cuda/choices.h"

/* ---- running ---- */

cudnnStatus_t icl__cuda_conv_execute(icl__cuda_device *device, icl__cuda_conv_direction direction,
                                     const icl__cudnn_plan *plan, const void *a, const void *b, void *result,
                                     void *workspace) {
  static const int64_t names[][3] = {
      [ICL__CUDA_CONV_FORWARD] = {ICL__CUDNN_X, ICL__CUDNN_W, ICL__CUDNN_Y},
      [ICL__CUDA_CONV_INPUT] = {ICL__CUDNN_Y, ICL__CUDNN_W, ICL__CUDNN_X},
      [ICL__CUDA_CONV_WEIGHT] = {ICL__CUDNN_X, ICL__CUDNN_Y, ICL__CUDNN_W},
  };
  const icl__cuda_libraries *l = device->libraries;
  const void *values[] = {a, b, result};
  cudnnBackendDescriptor_t pack;
  cudnnStatus_t status = l->cudnn.cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
  if (status != CUDNN_STATUS_SUCCESS)
    return status;
  status = l->cudnn.cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3,
                                             names[direction]);
  if (status == CUDNN_STATUS_SUCCESS)
    status =
        l->cudnn.cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, values);
  if (status == CUDNN_STATUS_SUCCESS)
    status =
        l->cudnn.cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
  if (status == CUDNN_STATUS_SUCCESS)
    status = l->cudnn.cudnnBackendFinalize(pack);
  if (status == CUDNN_STATUS_SUCCESS)
    status = l->cudnn.cudnnBackendExecute(device->cudnn, plan->plan, pack);
  l->cudnn.cudnnBackendDestroyDescriptor(pack);
  return status;
}

/* ---- measuring ---- */

typedef struct {
  icl__cuda_device *device;
  icl__cuda_conv_direction direction;
  char *memory; /* one block */
  const void *a, *b;
  void *result, *workspace;
  cudaEvent_t begin, end;
} bench;

static size_t rounded(size_t bytes) { return (bytes + 255) / 256 * 256; }

static size_t bytes_of(const int32_t size[4], icl_dtype dtype) {
  return rounded((size_t)size[0] * (size_t)size[1] * (size_t)size[2] * (size_t)size[3] * icl_dtype_bytes(dtype));
}

/* A block for all three tensors and for the largest workspace, filled with NaN. */
static cudaError_t bench_open(bench *t, const icl__cuda_conv_shape *shape, size_t workspace) {
  int32_t weights[4] = {shape->y[3], shape->kernel[0], shape->kernel[1], shape->x[3] / shape->groups};
  size_t x = bytes_of(shape->x, shape->dtype), y = bytes_of(shape->y, shape->dtype),
         w = bytes_of(weights, shape->dtype);
  size_t total = x + y + w + workspace;
  cudaStream_t stream = t->device->stream;
  cudaError_t error = cudaEventCreate(&t->begin);
  if (error == cudaSuccess)
    error = cudaEventCreate(&t->end);
  if (error == cudaSuccess)
    error = cudaMallocAsync((void **)&t->memory, total, stream);
  if (error == cudaSuccess)
    error = cudaMemsetAsync(t->memory, 0xff, total, stream);
  void *part[3] = {t->memory, t->memory + x, t->memory + x + y}; /* x, y, w */
  t->direction = shape->direction;
  t->a = part[shape->direction == ICL__CUDA_CONV_INPUT ? 1 : 0];
  t->b = part[shape->direction == ICL__CUDA_CONV_WEIGHT ? 1 : 2];
  t->result = part[shape->direction == ICL__CUDA_CONV_FORWARD ? 1 : shape->direction == ICL__CUDA_CONV_INPUT ? 0 : 2];
  t->workspace = t->memory + x + y + w;
  return error;
}

/* Plans may be freed behind it. */
static cudaError_t bench_close(bench *t) {
  if (t->memory)
    cudaFreeAsync(t->memory, t->device->stream);
  cudaError_t error = cudaStreamSynchronize(t->device->stream);
  if (t->begin)
    cudaEventDestroy(t->begin);
  if (t->end)
    cudaEventDestroy(t->end);
  return error;
}

/* Milliseconds of a run, on average of `runs`; negative: it cannot be run. */
static float time_runs(bench *t, const icl__cudnn_plan *plan, int runs) {
  float time;
  cudaError_t error = cudaEventRecord(t->begin, t->device->stream);
  for (int i = 0; i < runs && error == cudaSuccess; i++)
    if (icl__cuda_conv_execute(t->device, t->direction, plan, t->a, t->b, t->result, t->workspace) !=
        CUDNN_STATUS_SUCCESS)
      return -1;
  if (error == cudaSuccess)
    error = cudaEventRecord(t->end, t->device->stream);
  if (error == cudaSuccess)
    error = cudaEventSynchronize(t->end);
  if (error == cudaSuccess)
    error = cudaEventElapsedTime(&time, t->begin, t->end);
  return error == cudaSuccess ? time / (float)runs : -1;
}

/* The same, as the least of a few tries; those that are far behind the best so far get one. */
static float time_plan(bench *t, const icl__cudnn_plan *plan, float best) {
  enum { TRIES = 3, MOST_RUNS = 10 };
  const float enough = 0.3f;
  if (time_runs(t, plan, 1) < 0) /* loads the kernel */
    return -1;
  float time = time_runs(t, plan, 1);
  if (time < 0 || (best >= 0 && time > 2 * best))
    return time;
  int runs = time * MOST_RUNS > enough ? (int)(enough / time) + 1 : MOST_RUNS;
  for (int i = 0; i < TRIES; i++) {
    float next = time_runs(t, plan, runs);
    if (next < 0)
      return -1;
    time = next < time ? next : time;
  }
  return time;
}

/* Times differ by a hundredth or two from try to try: among plans that are as fast it is the one with less workspace,
 * and then the one that cuDNN thinks is better. */
static bool is_better(float time, const icl__cudnn_plan *plan, float least, const icl__cudnn_plan *best) {
  const float noise = 0.02f;
  return time < (1 - noise) * least || (time < (1 + noise) * least && plan->workspace < best->workspace);
}

/* The place of the fastest plan; -1: none can be run. Where there is no memory to run them it is the first, and nothing
 * was measured. */
static icl_status fastest(icl__cuda_device *device, const icl__cuda_conv_shape *shape, const icl__cudnn_plan *plans,
                          int count, int *best, bool *measured) {
  bench t = {.device = device};
  size_t workspace = 0;
  for (int i = 0; i < count; i++)
    workspace = plans[i].workspace > workspace ? plans[i].workspace : workspace;
  cudaError_t error = bench_open(&t, shape, workspace);
  float least = -1;
  *best = error == cudaSuccess ? -1 : 0;
  for (int i = 0; i < count && error == cudaSuccess; i++) {
    float time = time_plan(&t, &plans[i], least);
    if (time < 0 || (*best >= 0 && !is_better(time, &plans[i], least, &plans[*best])))
      continue;
    *best = i;
    least = time;
  }
  *measured = error == cudaSuccess;
  cudaError_t late = bench_close(&t);
  (void)cudaGetLastError(); /* of memory that there was not, and of plans that did not run */
  if (error == cudaSuccess || error == cudaErrorMemoryAllocation)
    error = late;
  return icl__cuda_check(error, "conv2d: running engines to choose one");
}

/* ---- choosing ---- */

enum { FILE_NAME = 400, KEY = 200 };

/* The file of the cache for this version of cuDNN and this device. */
static void name_file(const icl__cuda_device *device, char name[FILE_NAME]) {
  snprintf(name, FILE_NAME, "cudnn-%zu-%s-sm%d", device->libraries->cudnn.cudnnGetVersion(), device->name,
           device->capability);
  for (char *c = name; *c; c++)
    if (!isalnum((unsigned char)*c) && *c != '-')
      *c = '-';
}

static void name_shape(const icl__cuda_device *device, const icl__cuda_conv_shape *s, char name[KEY]) {
  static const char *directions[] = {
      [ICL__CUDA_CONV_FORWARD] = "forward", [ICL__CUDA_CONV_INPUT] = "input", [ICL__CUDA_CONV_WEIGHT] = "weight"};
  snprintf(name, KEY, "%s%s %s x %d %d %d %d y %d %d %d %d w %d %d stride %d %d padding %d %d groups %d",
           device->precise ? "precise " : "", directions[s->direction],
           device->tf32 && s->dtype == ICL_F32 ? "tf32" : icl_dtype_name(s->dtype), s->x[0], s->x[1], s->x[2], s->x[3],
           s->y[0], s->y[1], s->y[2], s->y[3], s->kernel[0], s->kernel[1], s->stride[0], s->stride[1], s->padding[0],
           s->padding[1], s->groups);
}

void icl__cuda_conv_say_choice(const icl__cuda_device *device, const icl__cuda_conv_shape *shape,
                               const icl__cudnn_plan *plan, icl__text *lines) {
  char key[KEY];
  name_shape(device, shape, key);
  icl__say(lines, "%s: %s\n", key, plan->name);
}

void icl__cuda_conv_keep_choices(const icl__cuda_device *device, const icl__text *lines) {
  char file[FILE_NAME];
  name_file(device, file);
  if (lines->text && lines->status == ICL_OK)
    icl__choices_add(file, lines->text);
}

/* The plan that was the fastest in another process. */
static bool choose_kept(const icl__cuda_device *device, const icl__cudnn_source *source, const icl__cudnn_graph *graph,
                        const icl__cuda_conv_shape *shape, icl__cudnn_plan *plan) {
  char file[FILE_NAME], key[KEY], name[ICL__CUDNN_NAME];
  name_file(device, file);
  name_shape(device, shape, key);
  if (!icl__choice_read(file, key, name, sizeof name) || !icl__cudnn_config_named(source, graph, name, plan))
    return false;
  unsigned refused = icl__cuda_conv_refused(shape, device->tf32, device->precise);
  if (!(plan->numerical & refused) && icl__cudnn_plan_make(source, plan) &&
      plan->workspace <= ICL__CUDA_CONV_WORKSPACE_MOST)
    return true;
  icl__cudnn_plan_free(source->libraries, plan);
  return false;
}

icl_status icl__cuda_conv_choose(icl__cuda_device *device, const icl__cudnn_graph *graph,
                                 const icl__cuda_conv_shape *shape, icl__cudnn_plan *plan, bool *measured) {
  enum { MOST = 20 };
  icl__cudnn_source source = {.libraries = device->libraries, .handle = device->cudnn};
  icl__cudnn_plan plans[MOST];
  *plan = (icl__cudnn_plan){0};
  *measured = false;
  if (!device->deterministic && choose_kept(device, &source, graph, shape, plan))
    return ICL_OK;
  unsigned refused = icl__cuda_conv_refused(shape, device->tf32, device->precise);
  int count = icl__cuda_conv_plans(&source, graph, refused, plans, device->deterministic ? 1 : MOST);
  int best = count - 1;
  icl_status status = count > 1 ? fastest(device, shape, plans, count, &best, measured) : ICL_OK;
  for (int i = 0; i < count; i++) {
    if (i == best && status == ICL_OK)
      *plan = plans[i];
    else
      icl__cudnn_plan_free(device->libraries, &plans[i]);
  }
  return status;
}
