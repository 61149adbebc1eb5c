/* test_cudnn_plans.c - cuDNN itself is asked for a plan of every convolution that the recipes train with, for GPUs that
 * are not there: it takes a description of a device in the place of one.
 *
 *   test_cudnn_plans SHAPES LIBCUDA [--long]    SHAPES is what conv_shapes.lua prints, LIBCUDA the double of libcuda.c
 *
 * Without --long it asks about some of the shapes, which are sorted: neighbours differ in a size. Graphs, filters and
 * choice are those of the backend. Nothing is computed. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/conv_choice.h"

/* ---- what was asked for, and how it went ---- */

static int passed, failed;
static bool is_long;

static void result(bool good, const char *what) {
  if (!good)
    printf("failed: %s\n", what);
  *(good ? &passed : &failed) += 1;
}

static int finish(const char *skipped) {
  if (skipped)
    printf("skipped: %s\n", skipped);
  printf("%d passed, %d failed%s\n", passed, failed, skipped ? ", 1 skipped" : "");
  return failed > 0;
}

/* ---- devices ---- */

typedef struct {
  const char *name;
  int version, processors, shared_bytes, threads, blocks, gigabytes, cache_megabytes, clock, memory_clock;
  int every, every_long; /* each n-th shape; with --long all on one device */
  bool no_bf16;
} device;

static const device devices[] = {
    {"H100", 900, 132, 232448, 2048, 32, 80, 50, 1980000, 2619000, 5, 1, false},
    {"T4", 750, 40, 65536, 1024, 16, 15, 4, 1590000, 5001000, 23, 11, true},
    {"A100", 800, 108, 166912, 2048, 32, 40, 40, 1410000, 1215000, 23, 11, false},
    {"B200", 1000, 148, 232448, 2048, 32, 180, 126, 1965000, 3996000, 23, 11, false},
    {"RTX 5090", 1200, 170, 101376, 1536, 24, 32, 96, 2407000, 14001000, 23, 11, false},
};

/* False: cuDNN does not take such a description. */
static bool describe(const device *d, icl__cudnn_source *source) {
  char text[1200];
  int length = snprintf(
      text, sizeof text,
      "{\"deviceName\":\"%s\",\"deviceVer\":%d,\"driverVer\":13000,\"cudaDeviceId\":0,"
      "\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],\"regsPerBlock\":65536,"
      "\"multiProcessorCount\":%d,\"warpSize\":32,\"maxSharedMemoryPerBlock\":49152,"
      "\"maxSharedMemoryPerBlockOptin\":%d,\"reservedSharedMemoryPerBlock\":1024,\"maxRegistersPerSM\":65536,"
      "\"maxCtasPerSM\":%d,\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":%d,\"pciDeviceId\":0,\"isTccDriver\":0,"
      "\"supportCoopLaunch\":1,\"totalGlobalMem\":%lld,\"smClockRateKHz\":%d,\"memClockRateKHz\":%d,"
      "\"l2CacheSize\":%lld}",
      d->name, d->version, d->processors, d->shared_bytes, d->blocks, d->threads, (long long)d->gigabytes << 30,
      d->clock, d->memory_clock, (long long)d->cache_megabytes << 20);
  const icl__cuda_libraries *l = source->libraries;
  return l->cudnn.cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &source->properties) ==
             CUDNN_STATUS_SUCCESS &&
         l->cudnn.cudnnBackendSetAttribute(source->properties, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                           CUDNN_TYPE_CHAR, length, text) == CUDNN_STATUS_SUCCESS &&
         l->cudnn.cudnnBackendFinalize(source->properties) == CUDNN_STATUS_SUCCESS;
}

/* ---- shapes ---- */

typedef struct {
  int n, h, w, input, output, kernel[2], stride[2], padding[2], groups;
} line;

enum { LINES = 8192 };
static line lines[LINES];

static int read_lines(const char *path) {
  FILE *file = fopen(path, "r");
  int count = 0;
  for (line *l = lines; file && count < LINES; l = &lines[++count])
    if (fscanf(file, "%d %d %d %d %d %d %d %d %d %d %d %d", &l->n, &l->h, &l->w, &l->input, &l->output, &l->kernel[0],
               &l->kernel[1], &l->stride[0], &l->stride[1], &l->padding[0], &l->padding[1], &l->groups) != 12)
      break;
  if (file)
    fclose(file);
  return count;
}

static icl__cuda_conv_shape shape_of(const line *l, icl__cuda_conv_direction direction, icl_dtype dtype) {
  int y[2], x[2] = {l->h, l->w};
  for (int i = 0; i < 2; i++)
    y[i] = (x[i] + 2 * l->padding[i] - l->kernel[i]) / l->stride[i] + 1;
  return (icl__cuda_conv_shape){direction,
                                dtype,
                                {l->n, l->h, l->w, l->input},
                                {l->n, y[0], y[1], l->output},
                                {l->kernel[0], l->kernel[1]},
                                {l->stride[0], l->stride[1]},
                                {l->padding[0], l->padding[1]},
                                l->groups};
}

/* ---- questions ---- */

static void complain(const char *device_name, const line *l, const icl__cuda_conv_shape *s, const char *what) {
  printf("  %s, %s, direction %d: %d x %d x %d x %d to %d, kernel %d %d, stride %d %d, groups %d: %s\n", device_name,
         icl_dtype_name(s->dtype), (int)s->direction, l->n, l->h, l->w, l->input, l->output, l->kernel[0], l->kernel[1],
         l->stride[0], l->stride[1], l->groups, what);
}

/* NULL, or what is wrong with the first plan. */
static const char *ask(const icl__cudnn_source *source, const icl__cuda_conv_shape *shape, bool tf32, bool precise,
                       icl__cudnn_plan *plan) {
  icl__cudnn_graph graph;
  const char *wrong = NULL;
  icl__cudnn_plan again = {0};
  unsigned refused = icl__cuda_conv_refused(shape, tf32, precise);
  *plan = again;
  if (icl__cudnn_graph_make(source, shape, &graph) != ICL_OK)
    wrong = icl_message();
  else if (!icl__cuda_conv_plans(source, &graph, refused, plan, 1))
    wrong = "no plan, or none whose workspace is bounded";
  else if (plan->numerical & 1u << CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)
    wrong = "the plan is not deterministic";
  else if (shape->dtype == ICL_F32 && !tf32 && plan->numerical & 1u << CUDNN_NUMERICAL_NOTE_TENSOR_CORE)
    wrong = "the plan computes in TF32";
  else if (precise && plan->numerical & 1u << CUDNN_NUMERICAL_NOTE_WINOGRAD)
    wrong = "the plan computes Winograd's way";
  else if (plan->behavior & 1u << CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)
    wrong = "the engine is compiled when it is chosen, though others are there";
  else if (!icl__cudnn_config_named(source, &graph, plan->name, &again) || !icl__cudnn_plan_make(source, &again) ||
           again.workspace != plan->workspace || strcmp(again.name, plan->name) != 0)
    wrong = "the plan cannot be had again by its name";
  icl__cudnn_plan_free(source->libraries, &again);
  icl__cudnn_plan_free(source->libraries, plan);
  icl__cudnn_graph_free(&graph);
  return wrong;
}

/* The convolutions of the recipes in one dtype and direction. */
static void ask_for_all(const icl__cudnn_source *source, const device *d, int count, icl_dtype dtype,
                        icl__cuda_conv_direction direction) {
  static const char *directions[] = {"forward", "gradient of the input", "gradient of the weights"};
  icl__cudnn_plan plan;
  int bad = 0, asked = 0;
  for (int i = 0; i < count; i += is_long ? d->every_long : d->every, asked++) {
    icl__cuda_conv_shape shape = shape_of(&lines[i], direction, dtype);
    const char *wrong = ask(source, &shape, false, true, &plan);
    if (!wrong)
      wrong = ask(source, &shape, false, false, &plan);
    if (wrong && bad++ < 5)
      complain(d->name, &lines[i], &shape, wrong);
  }
  char what[200];
  snprintf(what, sizeof what, "%s %s %s: %d of %d without a plan", d->name, icl_dtype_name(dtype),
           directions[direction], bad, asked);
  result(bad == 0, what);
}

/* Without the filters there would be other plans. */
static void ask_for_less(const icl__cudnn_source *source) {
  line l = {128, 32, 32, 16, 16, {3, 3}, {1, 1}, {1, 1}, 1};
  icl__cuda_conv_shape shape = shape_of(&l, ICL__CUDA_CONV_FORWARD, ICL_F32);
  icl__cudnn_graph graph;
  icl__cudnn_plan plan = {0}, proposal[ICL__CUDNN_CONFIGS];
  bool made = icl__cudnn_graph_make(source, &shape, &graph) == ICL_OK &&
              icl__cuda_conv_plans(source, &graph, icl__cuda_conv_refused(&shape, true, false), &plan, 1) == 1;
  result(made && plan.numerical & 1u << CUDNN_NUMERICAL_NOTE_TENSOR_CORE, "TF32 where it is allowed");
  icl__cudnn_plan_free(source->libraries, &plan);
  unsigned behavior = 0;
  int count = icl__cudnn_configs(source, &graph, CUDNN_HEUR_MODE_FALLBACK, proposal, ICL__CUDNN_CONFIGS);
  for (int i = 0; i < count; i++) {
    behavior |= proposal[i].behavior;
    icl__cudnn_plan_free(source->libraries, &proposal[i]);
  }
  result(behavior & 1u << CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION, "engines to be compiled are among the proposals");
  icl__cudnn_graph_free(&graph);
  shape.y[1]++;
  result(icl__cudnn_graph_make(source, &shape, &graph) == ICL_EBACKEND &&
             strstr(icl_message(), "CUDNN_STATUS_BAD_PARAM"),
         "what cuDNN says about a wrong size");
  icl__cudnn_graph_free(&graph);
}

static void ask_about(const icl__cudnn_source *source, const device *d, int count) {
  static const icl_dtype dtypes[] = {ICL_F32, ICL_BF16, ICL_F16};
  for (int t = 0; t < 3; t++)
    for (int direction = 0; direction < 3 && !(d->no_bf16 && dtypes[t] == ICL_BF16); direction++)
      ask_for_all(source, d, count, dtypes[t], (icl__cuda_conv_direction)direction);
}

int main(int argc, char **argv) {
  is_long = argc == 4 && !strcmp(argv[3], "--long");
  if (argc != 3 && !is_long) {
    fprintf(stderr, "usage: test_cudnn_plans SHAPES LIBCUDA [--long]\n");
    return 2;
  }
  icl__cudnn_source source = {0};
  if (!dlopen(argv[2], RTLD_NOW | RTLD_GLOBAL)) { /* found by its name from now on, in the place of a driver's */
    result(false, dlerror());
    return finish(NULL);
  }
  if (icl__cuda_open_libraries(&source.libraries) != ICL_OK)
    return finish(icl_message());
  int count = read_lines(argv[1]);
  result(count > 100, "there are no shapes");
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
    if (!describe(&devices[i], &source))
      return finish("this cuDNN does not take descriptions of devices");
    ask_about(&source, &devices[i], count);
    if (i == 0)
      ask_for_less(&source);
    source.libraries->cudnn.cudnnBackendDestroyDescriptor(source.properties);
  }
  return finish(NULL);
}
