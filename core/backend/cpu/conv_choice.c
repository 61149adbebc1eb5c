/* conv_choice.c - which kernel computes a convolution: that which `tests/bench/choice.c` found to be the fastest one on
 * a processor with the same units. */
#include "backend/cpu/conv.h"

#include <stdlib.h>
#include <string.h>

#include "backend/cpu/conv_plain.h"
#include "backend/cpu/kernels.h"

icl_status icl__conv_forced(bool precise, icl__conv_choice *choice) {
  static const char *const names[] = {[ICL__CONV_ONEDNN] = "onednn",
                                      [ICL__CONV_WINOGRAD] = "winograd",
                                      [ICL__CONV_WINOGRAD_FUSED] = "winograd_fused",
                                      [ICL__CONV_AMX] = "amx",
                                      [ICL__CONV_DIRECT] = "direct"};
  const char *text = getenv("ICL_CONV");
  *choice = precise ? ICL__CONV_DIRECT : ICL__CONV_AUTO; /* Winograd's transforms cost a digit */
  if (!text || !*text)
    return ICL_OK;
  if (precise && strcmp(text, names[ICL__CONV_DIRECT]) != 0)
    return icl__fail(ICL_EINVAL, "ICL_CONV is '%s', but precise convolutions are direct ones; leave one of them out",
                     text);
  if (!icl__dnnl_library && !strcmp(text, names[ICL__CONV_ONEDNN]))
    return icl__fail(ICL_EINVAL, "ICL_CONV is '%s', but this build is without oneDNN; use winograd or direct", text);
  for (int i = ICL__CONV_ONEDNN; i <= ICL__CONV_DIRECT; i++)
    if (!strcmp(text, names[i])) {
      *choice = (icl__conv_choice)i;
      return ICL_OK;
    }
  return icl__fail(ICL_EINVAL, "ICL_CONV is '%s'; it must be onednn, winograd, winograd_fused, amx or direct", text);
}

icl__processor icl__conv_processor(void) {
  icl__processor processor = icl__processor_at_hand();
  processor.amx_bf16 = processor.amx_bf16 && icl__cpu_uses_amx();
  processor.dnnl_amx = icl__dnnl_library && icl__dnnl_library->uses_amx();
  processor.dnnl_dot = icl__dnnl_library && icl__dnnl_library->uses_bf16();
  return processor;
}

/* ---- Winograd's or not ---- */

enum { PIXELS = 16 }; /* of a tile */

/* Full tiles of a thread's images from which on Winograd's way pays: `enough` always, `few` where the transformed
 * weights of a group fit a cache. They are four times as large as the weights, and are made or turned back once a step.
 *
 * Ranks, and threads, whose numbers of images differ by one ought to compute with the same kernel: then they are as one
 * process is, to the byte. So the numbers are low. */
typedef struct {
  int32_t few, enough;
} least;

typedef struct {
  least single, half; /* against kernels that multiply f32, and bf16 where there are such */
} rule;

/* Two units of 512 bits a core, beside which memory is slow: Intel, in a virtual machine that has AMX. */
static const rule wide = {{16, 64}, {16, 64}};
/* AMD, EPYC 9004 with AVX-512 and with AVX2 alone. */
static const rule narrow = {{4, 8}, {4, 4}}, narrow_bf16 = {{4, 8}, {8, 8}};

static const rule *rule_of(const icl__processor *p) {
  if (p->amx_bf16 || p->dnnl_amx || (p->avx512 && !p->avx512_bf16))
    return &wide;
  return p->dnnl_dot ? &narrow_bf16 : &narrow;
}

/* Channels are computed in whole slices of 16. What is added to others pays from 12 on, against kernels that multiply
 * bf16 from 48 on, and from 28 on one side where the gradient is that of weights. */
static bool fills_slices(const icl__conv_shape *s, bool against_bf16) {
  enum { SLICE = 16, LEAST = 12, LEAST_BESIDE_BF16 = 48, LARGER_BESIDE_BF16 = 28 };
  int32_t in = s->x[2] / s->groups, out = s->y[2] / s->groups, less = in < out ? in : out;
  if (in % SLICE == 0 && out % SLICE == 0)
    return true;
  if (against_bf16 && s->direction != ICL__CONV_WEIGHT)
    return less >= LEAST_BESIDE_BF16;
  return less >= LEAST && (!against_bf16 || in + out - less >= LARGER_BESIDE_BF16);
}

/* With stride 2 there are half as many products, not a quarter: that is worth the transforms from 64 channels on, of
 * tiles that are nearly full and not few, but not against kernels that multiply bf16. */
static bool strides_well(const icl__conv_shape *s, int64_t images, int64_t pixels, int64_t tiles, bool against_bf16) {
  enum { LEAST = 64, FEWEST = 15 << 10 };
  int32_t in = s->x[2] / s->groups, out = s->y[2] / s->groups;
  return !against_bf16 && in >= LEAST && out >= LEAST && 8 * pixels >= 7 * PIXELS * tiles &&
         images * pixels * (in + out) >= PIXELS * FEWEST;
}

/* Tiles at the right and lower edge are computed as whole ones, so images that fill less than half of theirs do not
 * count. */
static bool prefers_winograd(const icl__conv_kernel *winograd, const icl__conv_shape *s,
                             const icl__processor *processor, int64_t images, bool dnnl) {
  enum { CACHE = 16 << 20 };
  const rule *r = rule_of(processor);
  const least *from = s->dtype == ICL_BF16 ? &r->half : &r->single;
  int64_t pixels = (int64_t)s->y[0] * s->y[1], tiles = (int64_t)((s->y[0] + 3) / 4) * ((s->y[1] + 3) / 4);
  size_t bytes = winograd->weights(s) / (size_t)s->groups * sizeof(float);
  bool against_bf16 = dnnl && s->dtype == ICL_BF16 && processor->dnnl_dot;
  if (2 * pixels < PIXELS * tiles || !fills_slices(s, against_bf16))
    return false;
  if (s->stride[0] > 1 && !strides_well(s, images, pixels, tiles, against_bf16))
    return false;
  return images * pixels >= PIXELS * (bytes <= CACHE ? from->few : from->enough);
}

/* Images of a few tiles come in numbers that make few of them in all, and large gradients are four times larger in the
 * other form; those of narrow convolutions of large images are better turned back at the end. */
static const icl__conv_kernel *winograd_for(const icl__conv_shape *s) {
  enum { FEW = 4, LARGE = 1 << 15 };
  bool few = (int64_t)s->y[0] * s->y[1] <= FEW * PIXELS,
       large = (int64_t)s->x[2] / s->groups * (s->y[2] / s->groups) >= LARGE;
  return (few || large) && s->direction == ICL__CONV_WEIGHT ? icl__cpu_winograd_fused() : icl__cpu_winograd();
}

/* ---- oneDNN or not ---- */

/* oneDNN 2.6 chooses among its kernels itself, and some of those for bf16 images fail. These two functions tell for
 * which shapes it may be trusted; it computes all others in f32, if none of our own takes them. */

/* Does each row (axis 0) or column (axis 1) of the kernel meet the image somewhere, and not only zeros around it? */
static bool all_meet(const icl__conv_shape *s, int axis) {
  for (int32_t k = 0; k < s->kernel[axis]; k++) {
    int64_t first = k - s->padding[axis], last = first + (int64_t)(s->y[axis] - 1) * s->stride[axis], at = first;
    if (first < 0)
      at = first + (-first + s->stride[axis] - 1) / s->stride[axis] * s->stride[axis];
    if (at > last || at >= s->x[axis])
      return false;
  }
  return true;
}

/* Its weight gradients, with AMX and without, leave rows and columns of the kernel that only meet zeros unwritten. Its
 * input gradients of single pixels read output channels in pairs, and of an odd number the last one with what lies
 * behind it. With an odd number of input channels that fill a vector it does so for results of wide kernels too, or
 * calls a kernel that it did not make. */
static bool bf16_suits(const icl__conv_shape *s) {
  enum { VECTOR = 16 };
  int32_t in = s->x[2] / s->groups, out = s->y[2] / s->groups;
  switch (s->direction) {
  case ICL__CONV_WEIGHT:
    return all_meet(s, 0) && all_meet(s, 1);
  case ICL__CONV_INPUT:
    return s->kernel[0] * s->kernel[1] > 1 || out % 2 == 0;
  default:
    return in < VECTOR || in % 2 == 0;
  }
}

/* AMX multiplies tiles of 16 rows of 32 channels. Channels that do not fill them are left to masks and tails, and while
 * oneDNN made such a kernel (8 to 16 channels, kernel 3, stride 2) it read far outside its memory. So it gets full
 * tiles only, of the kernels that networks spend their time in; what else it would do with AMX is rare and little
 * tested. */
static bool amx_suits(const icl__conv_shape *s) {
  enum { TILE = 32 };
  if (s->x[2] / s->groups % TILE || s->y[2] / s->groups % TILE) /* either is read in one direction, made in another */
    return false;
  if (s->kernel[0] != s->kernel[1])
    return false;
  for (int d = 0; d < 2; d++) {
    bool pixel = s->kernel[d] == 1 && s->padding[d] == 0, square = s->kernel[d] == 3 && s->padding[d] == 1;
    bool inside = s->x[d] >= s->kernel[d] && s->x[d] >= s->stride[d]; /* else all it does is borders */
    if (!(pixel || square) || s->stride[d] > 2 || !inside)
      return false;
  }
  return true;
}

/* Groups of two and four channels are faster by shuffles (direct_groups.h) than by any kernel of oneDNN. */
static bool suits_shuffles(const icl__conv_shape *s) {
  int32_t in = s->x[2] / s->groups, out = s->y[2] / s->groups;
  return s->groups > 1 && in == out && (in == 2 || in == 4);
}

/* Where processors of this kind multiply bf16, which is twice as fast as f32, oneDNN takes what Winograd's way does
 * not, but for weight gradients of narrow groups. */
static bool prefers_dnnl(const icl__conv_shape *s, const icl__processor *processor) {
  enum { NARROW = 16 };
  bool thin = s->groups > 1 && s->x[2] / s->groups < NARROW && s->y[2] / s->groups < NARROW;
  return s->dtype == ICL_BF16 && processor->dnnl_dot && !suits_shuffles(s) &&
         !(thin && s->direction == ICL__CONV_WEIGHT);
}

/* oneDNN has kernels for groups of one channel, but no fast ones for gradients of more than 3x3 weights of those; and
 * where AVX-512 counts as `narrow` above, it is the faster one for groups of up to 16, too, but for their weights. */
static bool leaves_groups(const icl__conv_shape *s, const icl__processor *processor) {
  enum { FEW = 16, TAPS = 9 };
  int32_t in = s->x[2] / s->groups, out = s->y[2] / s->groups;
  bool weight = s->direction == ICL__CONV_WEIGHT;
  if (s->groups == 1 || suits_shuffles(s) || !(s->dtype == ICL_BF16 ? processor->dnnl_dot : processor->avx2))
    return false;
  if (in == 1 && out == 1)
    return !weight || s->kernel[0] * s->kernel[1] <= TAPS;
  return processor->avx512 && rule_of(processor) != &wide && in <= FEW && out <= FEW && !weight;
}

/* ---- AMX of our own or not ---- */

/* oneDNN leaves most of the unit idle in weight gradients of bf16 images and in their input gradients with a stride,
 * and does not get what it cannot be trusted with. */
static bool wastes_amx(const icl__conv_shape *s) {
  bool strided = s->stride[0] > 1 || s->stride[1] > 1;
  return s->direction == ICL__CONV_WEIGHT || (strided && s->direction == ICL__CONV_INPUT);
}

/* f32 images it takes only where ICL_CONV asks for it: sums of two bf16 cost a digit more than Winograd's transforms.
 * Registers must not be mostly zeros: of channels, or of pixels between rows. */
static bool prefers_amx(const icl__conv_shape *s, bool dnnl) {
  enum { FEWEST_PIXELS = 16, MOST_ZEROS = 8 };
  bool weight = s->direction == ICL__CONV_WEIGHT;
  size_t weights = (size_t)s->kernel[0] * (size_t)s->kernel[1] * (size_t)(s->x[2] / s->groups) * (size_t)s->y[2],
         floats = weight ? weights : weights / 2;
  if (s->dtype != ICL_BF16 || (dnnl && !wastes_amx(s)))
    return false;
  return s->y[0] * s->y[1] >= FEWEST_PIXELS && icl__cpu_amx(s->direction)->weights(s) <= MOST_ZEROS * floats;
}

/* ---- the choice ---- */

/* NULL: oneDNN. */
static const icl__conv_kernel *fastest(const icl__conv_shape *s, const icl__processor *processor, int64_t images,
                                       bool dnnl) {
  const icl__conv_kernel *winograd = icl__cpu_winograd(), *direct = icl__cpu_direct(),
                         *amx = icl__cpu_amx(s->direction);
  if (processor->amx_bf16 && amx->fits(s) && prefers_amx(s, dnnl))
    return amx;
  if (dnnl && ((s->dtype == ICL_BF16 && processor->dnnl_amx) || leaves_groups(s, processor)))
    return NULL;
  if (winograd->fits(s) && prefers_winograd(winograd, s, processor, images, dnnl))
    return winograd_for(s);
  return direct->fits(s) && !(dnnl && prefers_dnnl(s, processor)) ? direct : NULL;
}

static const icl__conv_kernel *asked_for(icl__conv_choice forced, const icl__conv_shape *s) {
  const icl__conv_kernel *fused = icl__cpu_winograd_fused(), *winograd = icl__cpu_winograd(),
                         *direct = icl__cpu_direct(), *amx = icl__cpu_amx(s->direction);
  if (forced == ICL__CONV_AMX && amx->fits(s))
    return amx;
  if (forced == ICL__CONV_WINOGRAD_FUSED && fused->fits(s))
    return fused;
  if (forced != ICL__CONV_DIRECT && winograd->fits(s))
    return winograd;
  return direct->fits(s) ? direct : NULL;
}

bool icl__conv_suits_dnnl(const icl__conv_shape *s, const icl__processor *processor) {
  return s->dtype != ICL_BF16 || (bf16_suits(s) && (!processor->dnnl_amx || amx_suits(s)));
}

void icl__conv_open(icl__conv *c, const icl__conv_shape *shape, icl__conv_choice forced,
                    const icl__processor *processor, int64_t images) {
  bool suits = icl__conv_suits_dnnl(shape, processor);
  bool dnnl = icl__dnnl_library && suits;
  *c = (icl__conv){.shape = *shape, .widen = !suits};
  c->shape.cache = processor->cache;
  if (forced != ICL__CONV_AUTO && forced != ICL__CONV_ONEDNN)
    c->own = asked_for(forced, shape);
  else if (forced == ICL__CONV_AUTO || !dnnl)
    c->own = fastest(shape, processor, images, dnnl);
  if (!c->own && !icl__dnnl_library)
    c->own = &icl__conv_plain;
}
