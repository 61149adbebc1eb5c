/* conv_dnnl.c - oneDNN convolutions on one thread and a fixed number of images; see conv_dnnl.h.
 *
 * Where bf16 convolutions are not wanted, or the processor has none, there are f32 ones between conversions. */
#include "backend/cpu/conv_dnnl.h"

#include <stdio.h>
#include <string.h>

#include "backend/cpu/dnnl_api.h"
#include "backend/cpu/kernels.h"
#include "base/memory.h"
#include "base/threads.h"

typedef struct {
  dnnl_memory_t x, w, y, scratch, from, to; /* from, to: of the reorders */
} handles;

/* Weights are brought from HWIO into the layout of the primitive, and gradients back, slice by slice: some of the
 * groups, or of the channels that are made. So several threads may do it. */
typedef struct {
  int slices;
  icl__dnnl_md hwio, weights;     /* of the first slice */
  size_t hwio_step, weights_step; /* bytes to the next one */
  dnnl_primitive_t set, add;      /* the second of gradients only: adds to what is there */
} change;

struct icl__dnnl_conv {
  icl__dnnl_conv *next; /* in its slot */
  int references;
  icl__dnnl *dnnl;
  icl__conv_shape shape;
  bool follows; /* the weight layout was taken over from another convolution */
  bool widen;   /* asked for: */
  bool widened; /* f32 inside, bf16 outside */
  bool slow;    /* its reference */
  icl__dnnl_md x, y, weights, hwio;
  size_t scratchpad_bytes;
  dnnl_primitive_t primitive;
  change change;
  handles *handles; /* by thread */
};

enum { SLOTS = 1024 };

struct icl__dnnl {
  int threads;
  dnnl_engine_t engine;
  dnnl_stream_t *stream;       /* by thread */
  icl__dnnl_conv *slot[SLOTS]; /* convolutions in use, by a hash of their shape */
};

#define TRY_DNNL(call, what) ICL__TRY(check((call), what))

static icl_status check(dnnl_status_t status, const char *what) {
  if (status == dnnl_success)
    return ICL_OK;
  if (status == dnnl_out_of_memory)
    return icl__fail(ICL_ENOMEM, "conv2d: oneDNN has no memory to %s", what);
  return icl__fail(ICL_EBACKEND, "conv2d: oneDNN could not %s (status %d)", what, (int)status);
}

/* Sets of instructions are sets of bits, and newer ones hold the older. */
static bool uses(int set) { return ((int)dnnl_get_effective_cpu_isa() & set) == set; }
static bool uses_amx(void) { return uses(dnnl_cpu_isa_avx512_core_amx); }
static bool uses_bf16(void) { return uses(dnnl_cpu_isa_avx512_core_bf16); }

static const char *version(void) {
  static _Thread_local char text[32];
  const dnnl_version_t *v = dnnl_version();
  snprintf(text, sizeof text, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
  return text;
}

/* ---- opening and closing ---- */

static icl_status open_streams(icl__dnnl *dnnl) {
  TRY_DNNL(dnnl_engine_create(&dnnl->engine, dnnl_cpu, 0), "open its engine");
  for (int t = 0; t < dnnl->threads; t++)
    TRY_DNNL(dnnl_stream_create(&dnnl->stream[t], dnnl->engine, dnnl_stream_default_flags), "open a stream");
  return ICL_OK;
}

static void close_engine(icl__dnnl *dnnl) {
  for (int t = 0; dnnl->stream && t < dnnl->threads; t++)
    if (dnnl->stream[t])
      dnnl_stream_destroy(dnnl->stream[t]);
  if (dnnl->engine)
    dnnl_engine_destroy(dnnl->engine);
  icl__free(dnnl->stream);
  icl__free(dnnl);
}

static icl_status open_engine(int threads, icl__dnnl **result) {
  icl__dnnl *dnnl = icl__calloc(1, sizeof *dnnl);
  if (!dnnl)
    return ICL_ENOMEM;
  dnnl->threads = threads;
  dnnl->stream = icl__calloc((size_t)threads, sizeof *dnnl->stream);
  icl_status status = dnnl->stream ? open_streams(dnnl) : ICL_ENOMEM;
  if (status != ICL_OK) {
    close_engine(dnnl);
    return status;
  }
  *result = dnnl;
  return ICL_OK;
}

static void free_handles(handles *h) {
  dnnl_memory_t all[] = {h->x, h->w, h->y, h->scratch, h->from, h->to};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (all[i])
      dnnl_memory_destroy(all[i]);
}

static void free_conv(icl__dnnl_conv *conv) {
  for (int t = 0; conv->handles && t < conv->dnnl->threads; t++)
    free_handles(&conv->handles[t]);
  dnnl_primitive_t primitives[] = {conv->primitive, conv->change.set, conv->change.add};
  for (size_t i = 0; i < sizeof primitives / sizeof *primitives; i++)
    if (primitives[i])
      dnnl_primitive_destroy(primitives[i]);
  icl__dnnl_md mds[] = {conv->x, conv->y, conv->weights, conv->hwio, conv->change.hwio, conv->change.weights};
  for (size_t i = 0; i < sizeof mds / sizeof *mds; i++)
    if (mds[i])
      dnnl_memory_desc_destroy(mds[i]);
  icl__free(conv->handles);
  icl__free(conv);
}

static icl__dnnl_conv **slot_of(icl__dnnl *dnnl, const icl__conv_shape *shape) {
  const unsigned char *byte = (const unsigned char *)shape;
  uint32_t h = 2166136261u; /* FNV-1a */
  for (size_t i = 0; i < sizeof *shape; i++)
    h = (h ^ byte[i]) * 16777619u;
  return &dnnl->slot[h % SLOTS];
}

static void release(icl__dnnl_conv *conv) {
  if (!conv || --conv->references)
    return;
  icl__dnnl_conv **link = slot_of(conv->dnnl, &conv->shape);
  while (*link != conv)
    link = &(*link)->next;
  *link = conv->next;
  free_conv(conv);
}

/* ---- making a convolution ---- */

/* The place of a description, emptied for another. */
static icl__dnnl_md *anew(icl__dnnl_md *place) {
  if (*place)
    dnnl_memory_desc_destroy(*place);
  *place = NULL;
  return place;
}

static icl_status describe_images(const icl__conv_shape *s, const int32_t size[3], dnnl_data_type_t dtype,
                                  icl__dnnl_md *result) {
  dnnl_dims_t dims = {s->images, size[2], size[0], size[1]};
  return check(dnnl_memory_desc_create_with_tag(anew(result), 4, dims, dtype, dnnl_nhwc), "describe images");
}

/* Weights as (groups, out, in, kh, kw), the axis of groups only where there are several. Returns how many axes. */
static int weight_axes(const icl__conv_shape *s, dnnl_dims_t dims) {
  dnnl_dims_t all = {s->groups, s->y[2] / s->groups, s->x[2] / s->groups, s->kernel[0], s->kernel[1]};
  int skip = s->groups == 1;
  memcpy(dims, all + skip, (size_t)(5 - skip) * sizeof *dims);
  return 5 - skip;
}

/* With `hwio` they are in that order, else in whatever order suits the primitive. */
static icl_status describe_weights(const icl__conv_shape *s, dnnl_data_type_t dtype, bool hwio, icl__dnnl_md *result) {
  dnnl_dim_t in = s->x[2] / s->groups, out = s->y[2] / s->groups, kw = s->kernel[1];
  dnnl_dims_t dims, strides = {out, 1, s->y[2], kw * in * s->y[2], in * s->y[2]};
  int axes = weight_axes(s, dims);
  anew(result);
  return check(hwio ? dnnl_memory_desc_create_with_strides(result, axes, dims, dtype, strides + (5 - axes))
                    : dnnl_memory_desc_create_with_tag(result, axes, dims, dtype, dnnl_format_tag_any),
               "describe weights");
}

/* Padding behind the last row and column: what the last window needs, which may be less than in front. */
static void pads(const icl__conv_shape *s, dnnl_dims_t stride, dnnl_dims_t before, dnnl_dims_t after) {
  for (int d = 0; d < 2; d++) {
    stride[d] = s->stride[d];
    before[d] = s->padding[d];
    after[d] = (s->y[d] - 1) * s->stride[d] + s->kernel[d] - s->x[d] - s->padding[d];
  }
}

/* `any`: weights of the forward convolution that a gradient's is described by. */
static dnnl_status_t create_description(const icl__dnnl_conv *c, const_dnnl_primitive_attr_t attr,
                                        icl__dnnl_const_md any, dnnl_primitive_desc_t *result) {
  const icl__conv_shape *s = &c->shape;
  dnnl_engine_t engine = c->dnnl->engine;
  dnnl_dims_t stride, before, after, undilated = {0};
  pads(s, stride, before, after);
  bool forward = s->direction == ICL__CONV_FORWARD;
  dnnl_primitive_desc_t hint = NULL;
  dnnl_status_t status = dnnl_convolution_forward_primitive_desc_create(
      &hint, engine, dnnl_forward_training, dnnl_convolution_direct, c->x, forward ? c->weights : any, NULL, c->y,
      stride, undilated, before, after, attr);
  if (status != dnnl_success)
    return status;
  if (forward) {
    *result = hint;
    return dnnl_success;
  }
  if (s->direction == ICL__CONV_INPUT)
    status = dnnl_convolution_backward_data_primitive_desc_create(
        result, engine, dnnl_convolution_direct, c->x, c->weights, c->y, stride, undilated, before, after, hint, attr);
  else
    status = dnnl_convolution_backward_weights_primitive_desc_create(result, engine, dnnl_convolution_direct, c->x,
                                                                     c->weights, NULL, c->y, stride, undilated, before,
                                                                     after, hint, attr);
  dnnl_primitive_desc_destroy(hint);
  return status;
}

/* Sets the shapes of operands and makes the primitive's description for images of `dtype`. */
static icl_status describe(icl__dnnl_conv *c, const icl__dnnl_conv *like, dnnl_data_type_t dtype,
                           dnnl_primitive_desc_t *result, dnnl_status_t *status) {
  const icl__conv_shape *s = &c->shape;
  bool weight = s->direction == ICL__CONV_WEIGHT;
  ICL__TRY(describe_images(s, s->x, dtype, &c->x));
  ICL__TRY(describe_images(s, s->y, dtype, &c->y));
  ICL__TRY(describe_weights(s, dnnl_f32, true, &c->hwio));
  ICL__TRY(describe_weights(s, weight ? dnnl_f32 : dtype, false, &c->weights));
  if (like)
    TRY_DNNL(dnnl_memory_desc_clone(anew(&c->weights), like->weights), "copy the layout of weights");
  icl__dnnl_md any = NULL;
  ICL__TRY(describe_weights(s, dtype, false, &any));
  dnnl_primitive_attr_t attr = NULL;
  *status = dnnl_primitive_attr_create(&attr);
  if (*status == dnnl_success)
    *status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
  if (*status == dnnl_success)
    *status = create_description(c, attr, any, result);
  if (attr)
    dnnl_primitive_attr_destroy(attr);
  dnnl_memory_desc_destroy(any);
  return ICL_OK;
}

/* One slice of `slices` along the first axis, and where the next one begins; false if the layout has no such slices. */
static bool cut(const icl__conv_shape *s, icl__dnnl_const_md whole, dnnl_data_type_t dtype, int slices,
                icl__dnnl_md *slice, size_t *step) {
  dnnl_dims_t dims, none = {0}, next = {0};
  weight_axes(s, dims);
  if (dims[0] % slices)
    return false;
  next[0] = dims[0] /= slices;
  icl__dnnl_md second;
  if (dnnl_memory_desc_create_submemory(anew(slice), whole, dims, none) != dnnl_success ||
      dnnl_memory_desc_create_submemory(&second, whole, dims, next) != dnnl_success)
    return false;
  *step = (size_t)icl__dnnl_md_offset(second) * dnnl_data_type_size(dtype);
  dnnl_memory_desc_destroy(second);
  return true;
}

/* As many slices as can be; one for small weights. */
static icl_status cut_weights(icl__dnnl_conv *c, dnnl_data_type_t dtype) {
  enum { MOST = 16, SMALL = 1 << 16 };
  const icl__conv_shape *s = &c->shape;
  change *l = &c->change;
  bool large = dnnl_memory_desc_get_size(c->hwio) >= SMALL;
  for (l->slices = large ? MOST : 1; l->slices > 1; l->slices /= 2)
    if (cut(s, c->hwio, dnnl_f32, l->slices, &l->hwio, &l->hwio_step) &&
        cut(s, c->weights, dtype, l->slices, &l->weights, &l->weights_step))
      return ICL_OK;
  TRY_DNNL(dnnl_memory_desc_clone(anew(&l->hwio), c->hwio), "describe weights");
  return check(dnnl_memory_desc_clone(anew(&l->weights), c->weights), "describe weights");
}

/* It must work in the memory it is given: what turns gradients back runs beside the writes of states, where nothing may
 * fail any more. */
static dnnl_status_t create_reorder(const icl__dnnl_conv *c, const_dnnl_primitive_attr_t attr,
                                    dnnl_primitive_t *result) {
  const change *l = &c->change;
  bool back = c->shape.direction == ICL__CONV_WEIGHT;
  dnnl_primitive_desc_t description;
  dnnl_status_t status = dnnl_reorder_primitive_desc_create(&description, back ? l->weights : l->hwio, c->dnnl->engine,
                                                            back ? l->hwio : l->weights, c->dnnl->engine, attr);
  if (status != dnnl_success)
    return status;
  icl__dnnl_const_md scratch = dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
  status = dnnl_memory_desc_get_size(scratch) > 0 ? dnnl_unimplemented : dnnl_primitive_create(result, description);
  dnnl_primitive_desc_destroy(description);
  return status;
}

static dnnl_status_t make_reorder(const icl__dnnl_conv *c, bool adds, dnnl_primitive_t *result) {
  dnnl_primitive_attr_t attr = NULL;
  dnnl_post_ops_t sum = NULL;
  dnnl_status_t status = dnnl_primitive_attr_create(&attr);
  if (status == dnnl_success)
    status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
  if (status == dnnl_success && adds)
    status = dnnl_post_ops_create(&sum);
  if (status == dnnl_success && adds)
    status = icl__dnnl_append_sum(sum);
  if (status == dnnl_success && adds)
    status = dnnl_primitive_attr_set_post_ops(attr, sum);
  if (status == dnnl_success)
    status = create_reorder(c, attr, result);
  if (sum)
    dnnl_post_ops_destroy(sum);
  if (attr)
    dnnl_primitive_attr_destroy(attr);
  return status;
}

static icl_status make_change(icl__dnnl_conv *c) {
  bool half = c->shape.dtype == ICL_BF16 && !c->widened && c->shape.direction != ICL__CONV_WEIGHT;
  ICL__TRY(cut_weights(c, half ? dnnl_bf16 : dnnl_f32));
  TRY_DNNL(make_reorder(c, false, &c->change.set), "make a change of layout");
  if (c->shape.direction == ICL__CONV_WEIGHT)
    TRY_DNNL(make_reorder(c, true, &c->change.add), "make a change of layout that adds");
  return ICL_OK;
}

static icl_status make_handles(icl__dnnl_conv *c, icl__dnnl_const_md scratchpad) {
  c->handles = icl__calloc((size_t)c->dnnl->threads, sizeof *c->handles);
  if (!c->handles)
    return ICL_ENOMEM;
  bool back = c->shape.direction == ICL__CONV_WEIGHT;
  for (int t = 0; t < c->dnnl->threads; t++) {
    handles *h = &c->handles[t];
    struct {
      dnnl_memory_t *memory;
      icl__dnnl_const_md description;
    } all[] = {{&h->x, c->x},
               {&h->w, c->weights},
               {&h->y, c->y},
               {&h->scratch, scratchpad},
               {&h->from, back ? c->change.weights : c->change.hwio},
               {&h->to, back ? c->change.hwio : c->change.weights}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
      TRY_DNNL(dnnl_memory_create(all[i].memory, all[i].description, c->dnnl->engine, DNNL_MEMORY_NONE),
               "make a memory handle");
  }
  return ICL_OK;
}

static bool is_reference(const_dnnl_primitive_desc_t description) {
  const char *name = NULL;
  return dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name) == dnnl_success &&
         !strncmp(name, "ref", 3);
}

static icl_status finish_making(icl__dnnl_conv *c, dnnl_primitive_desc_t description) {
  c->slow = is_reference(description);
  dnnl_query_t what = c->shape.direction == ICL__CONV_WEIGHT ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
  TRY_DNNL(dnnl_memory_desc_clone(anew(&c->weights), dnnl_primitive_desc_query_md(description, what, 0)),
           "keep the layout of weights");
  icl__dnnl_const_md scratchpad = dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
  c->scratchpad_bytes = (dnnl_memory_desc_get_size(scratchpad) + 63) / 64 * 64;
  TRY_DNNL(dnnl_primitive_create(&c->primitive, description), "make a primitive");
  ICL__TRY(make_change(c));
  return make_handles(c, scratchpad);
}

static icl_status make(icl__dnnl_conv *c, const icl__dnnl_conv *like) {
  dnnl_primitive_desc_t description = NULL;
  dnnl_status_t status;
  bool half = c->shape.dtype == ICL_BF16;
  c->widened = like ? like->widened : half && c->widen;
  ICL__TRY(describe(c, like, half && !c->widened ? dnnl_bf16 : dnnl_f32, &description, &status));
  if (status == dnnl_unimplemented && half && !c->widened && !like) {
    c->widened = true;
    ICL__TRY(describe(c, like, dnnl_f32, &description, &status));
  }
  ICL__TRY(check(status, "describe it"));
  icl_status made = finish_making(c, description);
  dnnl_primitive_desc_destroy(description);
  return made;
}

static icl_status get(icl__dnnl *dnnl, const icl__conv_shape *shape, bool widen, const icl__dnnl_conv *like,
                      icl__dnnl_conv **result) {
  icl__dnnl_conv **slot = slot_of(dnnl, shape);
  for (icl__dnnl_conv *c = *slot; c; c = c->next)
    if (!memcmp(&c->shape, shape, sizeof *shape) && c->widen == widen && c->follows == (like != NULL) &&
        (!like || dnnl_memory_desc_equal(c->weights, like->weights))) {
      c->references++;
      *result = c;
      return ICL_OK;
    }
  icl__dnnl_conv *c = icl__calloc(1, sizeof *c);
  if (!c)
    return ICL_ENOMEM;
  c->dnnl = dnnl;
  c->shape = *shape;
  c->widen = widen;
  c->follows = like != NULL;
  int before = icl__one_thread_begin(); /* primitives divide their work when they are made */
  icl_status status = make(c, like);
  icl__one_thread_end(before);
  if (status != ICL_OK) {
    free_conv(c);
    return status;
  }
  c->references = 1;
  c->next = *slot;
  *slot = c;
  *result = c;
  return ICL_OK;
}

/* ---- running ---- */

static bool is_slow(const icl__dnnl_conv *c) { return c->slow; }

static size_t weight_bytes(const icl__dnnl_conv *c) { return dnnl_memory_desc_get_size(c->weights); }

static int64_t elements(const icl__dnnl_conv *c, const int32_t size[3]) {
  return (int64_t)c->shape.images * size[0] * size[1] * size[2];
}

/* f32 bytes of an operand's images, in whole cache lines; 0 where images are used as they are. */
static size_t wide_bytes(const icl__dnnl_conv *c, const int32_t size[3]) {
  return c->widened ? ((size_t)elements(c, size) * sizeof(float) + 63) / 64 * 64 : 0;
}

static size_t scratch_bytes(const icl__dnnl_conv *c) {
  return c->scratchpad_bytes + wide_bytes(c, c->shape.x) + wide_bytes(c, c->shape.y);
}

static void set(dnnl_memory_t memory, const void *data) {
  dnnl_memory_set_data_handle(memory, (void *)(uintptr_t)data);
}

static icl_status execute(const icl__dnnl_conv *c, int thread, const void *x, const void *w, const void *y,
                          void *scratch) {
  const handles *h = &c->handles[thread];
  bool back_x = c->shape.direction == ICL__CONV_INPUT, back_w = c->shape.direction == ICL__CONV_WEIGHT;
  set(h->x, x);
  set(h->w, w);
  set(h->y, y);
  set(h->scratch, scratch);
  dnnl_exec_arg_t arguments[] = {
      {back_x ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, h->x},
      {back_w ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, h->w},
      {back_x || back_w ? DNNL_ARG_DIFF_DST : DNNL_ARG_DST, h->y},
      {DNNL_ARG_SCRATCHPAD, h->scratch},
  };
  return check(dnnl_primitive_execute(c->primitive, c->dnnl->stream[thread], 4, arguments), "run a convolution");
}

/* The images that are read are widened before, those that are written narrowed behind. */
static icl_status execute_widened(const icl__dnnl_conv *c, int thread, const void *x, const void *w, const void *y,
                                  char *scratch) {
  int64_t nx = elements(c, c->shape.x), ny = elements(c, c->shape.y);
  void *wide_x = scratch + c->scratchpad_bytes, *wide_y = scratch + c->scratchpad_bytes + wide_bytes(c, c->shape.x);
  icl__conv_direction direction = c->shape.direction;
  if (direction != ICL__CONV_INPUT)
    icl__cpu_convert(ICL_BF16, x, ICL_F32, wide_x, nx);
  if (direction != ICL__CONV_FORWARD)
    icl__cpu_convert(ICL_BF16, y, ICL_F32, wide_y, ny);
  ICL__TRY(execute(c, thread, wide_x, w, wide_y, scratch));
  if (direction == ICL__CONV_INPUT)
    icl__cpu_convert(ICL_F32, wide_x, ICL_BF16, (void *)(uintptr_t)x, nx);
  if (direction == ICL__CONV_FORWARD)
    icl__cpu_convert(ICL_F32, wide_y, ICL_BF16, (void *)(uintptr_t)y, ny);
  return ICL_OK;
}

static icl_status run(const icl__dnnl_conv *c, int thread, const void *first, const void *second, void *out,
                      void *scratch) {
  const void *x = first, *w = second, *y = out;
  if (c->shape.direction == ICL__CONV_INPUT)
    x = out, y = first;
  else if (c->shape.direction == ICL__CONV_WEIGHT)
    w = out, y = second;
  return c->widened ? execute_widened(c, thread, x, w, y, scratch) : execute(c, thread, x, w, y, scratch);
}

static bool splits(const icl__dnnl_conv *c) { return c->change.slices > 1; }

static icl_status reorder(const icl__dnnl_conv *c, int thread, dnnl_primitive_t primitive, const void *from,
                          const void *to) {
  const handles *h = &c->handles[thread];
  set(h->from, from);
  set(h->to, to);
  dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, h->from}, {DNNL_ARG_TO, h->to}};
  return check(dnnl_primitive_execute(primitive, c->dnnl->stream[thread], 2, arguments), "change a layout");
}

static icl_status prepare(const icl__dnnl_conv *c, int thread, const float *hwio, void *weights, int part, int parts) {
  const change *l = &c->change;
  for (int i = l->slices * part / parts; i < l->slices * (part + 1) / parts; i++)
    ICL__TRY(reorder(c, thread, l->set, (const char *)hwio + (size_t)i * l->hwio_step,
                     (char *)weights + (size_t)i * l->weights_step));
  return ICL_OK;
}

static icl_status finish(const icl__dnnl_conv *c, int thread, const void *gradients, int count, size_t stride,
                         float *hwio, int part, int parts) {
  const change *l = &c->change;
  for (int i = l->slices * part / parts; i < l->slices * (part + 1) / parts; i++)
    for (int t = 0; t < count; t++)
      ICL__TRY(reorder(c, thread, t ? l->add : l->set,
                       (const char *)gradients + (size_t)t * stride + (size_t)i * l->weights_step,
                       (char *)hwio + (size_t)i * l->hwio_step));
  return ICL_OK;
}

static const icl__dnnl_functions functions = {
    .version = version,
    .uses_amx = uses_amx,
    .uses_bf16 = uses_bf16,
    .open = open_engine,
    .close = close_engine,
    .get = get,
    .release = release,
    .is_slow = is_slow,
    .weight_bytes = weight_bytes,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .splits = splits,
    .prepare = prepare,
    .finish = finish,
};
const icl__dnnl_functions *const icl__dnnl_library = &functions;
