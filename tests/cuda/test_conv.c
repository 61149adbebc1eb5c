/* test_conv.c - convolutions on a GPU, or on the simulator, against their definition; and what chooses their engines.
 */
#include "unit.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/cuda/conv.h"
#include "backend/cuda/conv_choice.h"
#include "base/dtype.h"
#include "base/file.h"
#include "base/memory.h"
#include "files.h"

/* ---- devices ---- */

static icl__cuda_device *open_device(const char *precision, bool deterministic) {
  icl__device_options options = {.threads = 1, .precision = precision, .deterministic = deterministic};
  void *device;
  CHECK_OK(icl__cuda_open(&options, &device));
  return device;
}

static void close_device(icl__cuda_device *device) {
  icl__cuda_conv_free_all(device);
  icl__cuda_close(device);
}

/* Choices of this test alone. */
static void use_new_cache(void) { CHECK_EQ(setenv("XDG_CACHE_HOME", file_path("cache"), 1), 0); }

/* ---- what a convolution is ---- */

/* n, h, w and channels of x, channels of y, kernel, stride, padding, groups */
typedef struct {
  int n, h, w, input, output, kernel[2], stride[2], padding[2], groups;
} geometry;

static icl__cuda_conv_shape shape_of(const geometry *g, icl__cuda_conv_direction direction, icl_dtype dtype) {
  int h = (g->h + 2 * g->padding[0] - g->kernel[0]) / g->stride[0] + 1;
  int w = (g->w + 2 * g->padding[1] - g->kernel[1]) / g->stride[1] + 1;
  return (icl__cuda_conv_shape){direction,
                                dtype,
                                {g->n, g->h, g->w, g->input},
                                {g->n, h, w, g->output},
                                {g->kernel[0], g->kernel[1]},
                                {g->stride[0], g->stride[1]},
                                {g->padding[0], g->padding[1]},
                                g->groups};
}

enum { X, W, Y };
typedef struct {
  int64_t count[3]; /* elements of x, w and y */
  int in[2], out;   /* which of them are a, b and the result */
} roles;

static roles roles_of(const icl__cuda_conv_shape *s) {
  static const int in[3][3] = {{X, W, Y}, {Y, W, X}, {X, Y, W}};
  const int *r = in[s->direction];
  return (roles){{(int64_t)s->x[0] * s->x[1] * s->x[2] * s->x[3],
                  (int64_t)s->y[3] * s->kernel[0] * s->kernel[1] * (s->x[3] / s->groups),
                  (int64_t)s->y[0] * s->y[1] * s->y[2] * s->y[3]},
                 {r[0], r[1]},
                 r[2]};
}

/* One pass over all products x w y of the form that all three directions are derivatives of. */
static void define(const icl__cuda_conv_shape *s, const roles *r, double *const value[3], double *sizes) {
  int channels = s->x[3] / s->groups, outputs = s->y[3] / s->groups;
  for (int n = 0; n < s->y[0]; n++)
    for (int oh = 0; oh < s->y[1]; oh++)
      for (int ow = 0; ow < s->y[2]; ow++)
        for (int kh = 0; kh < s->kernel[0]; kh++)
          for (int kw = 0; kw < s->kernel[1]; kw++) {
            int h = oh * s->stride[0] - s->padding[0] + kh, w = ow * s->stride[1] - s->padding[1] + kw;
            if (h < 0 || h >= s->x[1] || w < 0 || w >= s->x[2])
              continue;
            for (int o = 0; o < s->y[3]; o++)
              for (int i = 0; i < channels; i++) {
                int64_t at[3] = {
                    (((int64_t)n * s->x[1] + h) * s->x[2] + w) * s->x[3] + o / outputs * channels + i,
                    (((int64_t)o * s->kernel[0] + kh) * s->kernel[1] + kw) * channels + i,
                    (((int64_t)n * s->y[1] + oh) * s->y[2] + ow) * s->y[3] + o,
                };
                double product = value[r->in[0]][at[r->in[0]]] * value[r->in[1]][at[r->in[1]]];
                value[r->out][at[r->out]] += product;
                sizes[at[r->out]] += fabs(product);
              }
          }
}

/* ---- running one ---- */

/* Values of -1..1 that look random, rounded to the dtype; also as f64. */
static void *fill(icl_dtype dtype, int64_t count, double *values, uint32_t seed) {
  char *data = icl__alloc((size_t)count, icl_dtype_bytes(dtype));
  CHECK(data != NULL);
  for (int64_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    icl__store_f64(dtype, data, i, (double)(seed >> 8) / (1 << 23) - 1);
    values[i] = icl__load_f64(dtype, data, i);
  }
  return data;
}

static void *to_device(icl__cuda_device *device, const void *data, size_t bytes) {
  void *memory;
  CHECK_OK(icl__cuda_allocate(device, bytes, &memory));
  if (data)
    CHECK_OK(icl__cuda_upload(device, memory, data, bytes));
  return memory;
}

static void check_convolution(icl__cuda_device *device, const geometry *g, const icl__cuda_conv_shape *s) {
  roles r = roles_of(s);
  double *value[3], *sizes = icl__calloc((size_t)r.count[r.out], sizeof *sizes);
  for (int i = 0; i < 3; i++)
    value[i] = icl__calloc((size_t)r.count[i], sizeof(double));
  void *host[2], *memory[2];
  for (int i = 0; i < 2; i++) {
    host[i] = fill(s->dtype, r.count[r.in[i]], value[r.in[i]], (uint32_t)(i + 1));
    memory[i] = to_device(device, host[i], (size_t)r.count[r.in[i]] * icl_dtype_bytes(s->dtype));
  }
  define(s, &r, value, sizes);

  icl__cuda_conv *conv;
  CHECK_OK(icl__cuda_conv_find(device, s, &conv));
  size_t bytes = (size_t)r.count[r.out] * icl_dtype_bytes(s->dtype), workspace_bytes = icl__cuda_conv_workspace(conv);
  void *result = to_device(device, NULL, bytes), *back = icl__alloc(bytes, 1);
  void *workspace = to_device(device, NULL, workspace_bytes ? workspace_bytes : 1);
  CHECK_OK(icl__cuda_conv_run(device, conv, memory[0], memory[1], result, workspace));
  CHECK_OK(icl__cuda_download(device, back, result, bytes));

  double unit = s->dtype == ICL_F32 ? 1.0 / (1 << 24) : s->dtype == ICL_F16 ? 1.0 / (1 << 11) : 1.0 / (1 << 8);
  for (int64_t i = 0; i < r.count[r.out]; i++) {
    double own = icl__load_f64(s->dtype, back, i), right = value[r.out][i];
    double most = unit * fabs(right) + sizes[i] * 64.0 / (1 << 24) + 1e-30;
    if (!(fabs(own - right) <= most))
      unit_fail(__FILE__, __LINE__, "%s, direction %d, %d x %d x %d x %d to %d, groups %d, %s: %g at %lld, not %g",
                icl_dtype_name(s->dtype), (int)s->direction, g->n, g->h, g->w, g->input, g->output, g->groups,
                icl__cuda_conv_name(conv), own, (long long)i, right);
  }
  for (int i = 0; i < 2; i++) {
    icl__cuda_release(device, memory[i]);
    icl__free(host[i]);
  }
  icl__cuda_release(device, result);
  icl__cuda_release(device, workspace);
  icl__free(back);
  icl__free(sizes);
  for (int i = 0; i < 3; i++)
    icl__free(value[i]);
}

static const geometry geometries[] = {
    {2, 8, 8, 16, 16, {3, 3}, {1, 1}, {1, 1}, 1}, {2, 8, 8, 3, 16, {3, 3}, {1, 1}, {1, 1}, 1},
    {1, 7, 9, 41, 41, {3, 3}, {1, 1}, {1, 1}, 1}, {2, 7, 6, 41, 43, {1, 1}, {2, 2}, {0, 0}, 1},
    {2, 8, 8, 16, 32, {3, 3}, {2, 2}, {1, 1}, 1}, {1, 13, 13, 3, 8, {7, 7}, {2, 2}, {3, 3}, 1},
    {2, 8, 8, 32, 32, {3, 3}, {1, 1}, {1, 1}, 4}, {2, 8, 8, 24, 24, {3, 3}, {1, 1}, {1, 1}, 24},
    {2, 9, 8, 8, 12, {3, 1}, {2, 1}, {0, 1}, 1},  {1, 1, 1, 8, 8, {1, 1}, {1, 1}, {0, 0}, 1},
    {5, 6, 5, 1, 4, {3, 3}, {1, 1}, {1, 1}, 1},
};
enum { GEOMETRIES = sizeof geometries / sizeof *geometries };

static void check_dtype(icl_dtype dtype) {
  use_new_cache();
  icl__cuda_device *device = open_device("f32", false);
  for (int i = 0; i < GEOMETRIES; i++)
    for (int direction = 0; direction < 3; direction++) {
      icl__cuda_conv_shape shape = shape_of(&geometries[i], (icl__cuda_conv_direction)direction, dtype);
      check_convolution(device, &geometries[i], &shape);
    }
  close_device(device);
}

TEST(f32_is_exact) { check_dtype(ICL_F32); }
TEST(bf16) { check_dtype(ICL_BF16); }
TEST(f16) { check_dtype(ICL_F16); }

/* ---- choosing ---- */

/* The name of what a new device chooses, whose choices are kept when it is closed. */
static const char *chosen(bool deterministic, const icl__cuda_conv_shape *shape) {
  static char name[ICL__CUDNN_NAME + 16];
  icl__cuda_device *device = open_device("f32", deterministic);
  icl__cuda_conv *conv, *again;
  CHECK_OK(icl__cuda_conv_find(device, shape, &conv));
  CHECK_OK(icl__cuda_conv_find(device, shape, &again));
  CHECK(conv == again);
  snprintf(name, sizeof name, "%s", icl__cuda_conv_name(conv));
  close_device(device);
  return name;
}

/* The file of choices, of which there is one, and what is in it; NULL: there is none. */
static char *read_choices(char path[ICL__PATH]) {
  glob_t found;
  char *text = NULL;
  size_t bytes;
  int error = glob(file_path("cache/icl/cudnn-*"), 0, NULL, &found);
  if (!error) {
    CHECK_EQ(found.gl_pathc, 1);
    snprintf(path, ICL__PATH, "%s", found.gl_pathv[0]);
    CHECK_OK(icl__file_read_all(path, 1 << 20, &text, &bytes));
  }
  globfree(&found);
  return text;
}

static void write_choices(const char *path, const char *title, const char *key, const char *name) {
  char text[1000];
  int length = snprintf(text, sizeof text, "%s%s: %s\n", title, key, name);
  CHECK_OK(icl__file_write(path, text, (size_t)length));
}

/* The last plan that could be chosen; there are several. */
static void name_last_plan(const icl__cuda_conv_shape *shape, char *name, size_t size) {
  icl__cuda_device *device = open_device("f32", false);
  icl__cudnn_source source = {.libraries = device->libraries, .handle = device->cudnn};
  icl__cudnn_graph graph;
  icl__cudnn_plan plans[8];
  CHECK_OK(icl__cudnn_graph_make(&source, shape, &graph));
  unsigned refused = icl__cuda_conv_refused(shape, false, false);
  int count = icl__cuda_conv_plans(&source, &graph, refused, plans, 8);
  CHECK(count > 1);
  snprintf(name, size, "%s", plans[count - 1].name);
  for (int i = 0; i < count; i++)
    icl__cudnn_plan_free(device->libraries, &plans[i]);
  icl__cudnn_graph_free(&graph);
  close_device(device);
}

#define TITLE "icl choices 1\n"

/* The key of the one line that a choice leaves, whose value is the engine; where it is. */
static void keep_choice(const icl__cuda_conv_shape *shape, char key[500], char path[ICL__PATH]) {
  const char *name = chosen(false, shape);
  char *text = read_choices(path);
  CHECK_EQ(strncmp(text, TITLE, strlen(TITLE)), 0);
  const char *line = text + strlen(TITLE);
  snprintf(key, 500, "%.*s", (int)strcspn(line, ":"), line);
  CHECK_CONTAINS(line, name + strlen("cudnn engine "));
  CHECK(strchr(line, '\n')[1] == '\0');
  icl__free(text);
}

TEST(choices_are_kept) {
  char path[ICL__PATH], key[500], last[ICL__CUDNN_NAME], first[ICL__CUDNN_NAME + 16];
  icl__cuda_conv_shape shape = shape_of(&geometries[0], ICL__CUDA_CONV_FORWARD, ICL_F32);
  use_new_cache();
  keep_choice(&shape, key, path);
  name_last_plan(&shape, last, sizeof last);
  write_choices(path, TITLE, key, last); /* as if it had been the fastest */
  CHECK_CONTAINS(chosen(false, &shape), last);

  snprintf(first, sizeof first, "%s", chosen(true, &shape)); /* whatever was measured */
  unlink(path);
  CHECK_STR(chosen(true, &shape), first);
  CHECK(read_choices(path) == NULL);
}

TEST(choices_are_kept_when_the_first_convolution_runs) {
  char path[ICL__PATH];
  use_new_cache();
  icl__cuda_device *device = open_device("f32", false);
  icl__cuda_conv_shape shape = shape_of(&geometries[0], ICL__CUDA_CONV_FORWARD, ICL_F32);
  icl__cuda_conv *conv;
  CHECK_OK(icl__cuda_conv_find(device, &shape, &conv));
  CHECK(read_choices(path) == NULL);
  check_convolution(device, &geometries[0], &shape);
  char *text = read_choices(path);
  CHECK_CONTAINS(text, TITLE "forward f32");
  icl__free(text);
  close_device(device);
}

TEST(a_damaged_file_of_choices_is_replaced) {
  static const struct {
    const char *title, *name;
  } damaged[] = {{"something else\n", "1"}, {TITLE, "no engine"}, {TITLE, "99999 2=0"}, {TITLE, "-1"}, {TITLE, ""},
                 {"", "\xff\xfe"}};
  char path[ICL__PATH], key[500];
  icl__cuda_conv_shape shape = shape_of(&geometries[0], ICL__CUDA_CONV_WEIGHT, ICL_F32);
  use_new_cache();
  keep_choice(&shape, key, path);
  for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
    write_choices(path, damaged[i].title, key, damaged[i].name);
    keep_choice(&shape, key, path);
  }
}

TEST(choices_of_other_shapes_stay) {
  char path[ICL__PATH], key[500];
  icl__cuda_conv_shape shape = shape_of(&geometries[0], ICL__CUDA_CONV_WEIGHT, ICL_F32);
  use_new_cache();
  keep_choice(&shape, key, path);
  write_choices(path, TITLE, "another shape", "1");
  chosen(false, &shape);
  char *text = read_choices(path);
  CHECK_CONTAINS(text, TITLE "another shape: 1\n");
  CHECK_CONTAINS(text, key);
  icl__free(text);
}

/* Without a folder for the cache all is measured anew. */
TEST(there_need_be_no_cache) {
  CHECK_EQ(setenv("XDG_CACHE_HOME", "/proc/none", 1), 0);
  icl__cuda_conv_shape shape = shape_of(&geometries[0], ICL__CUDA_CONV_INPUT, ICL_F32);
  chosen(false, &shape);
}
