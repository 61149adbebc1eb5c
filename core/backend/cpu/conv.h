/* conv.h - a convolution of a plan: which kernel computes it, its weights in that kernel's form, its gradients.
 *
 * Kernels are oneDNN (any shape, f32 and bf16) and those of our own (kernels/conv_kernel.h); in a build without oneDNN
 * plain loops (conv_plain.h) take what those do not. Which one runs follows from shapes, dtype and processor alone;
 * ICL_CONV in the environment names one that is taken wherever it fits. oneDNN's AMX kernels fit some shapes only:
 * conv_choice.c tells which; those of our own take bf16 images of any shape, and f32 ones as sums of two bf16. */
#ifndef ICL_BACKEND_CPU_CONV_H
#define ICL_BACKEND_CPU_CONV_H

#include "backend/cpu/conv_dnnl.h"
#include "backend/cpu/processor.h"

typedef enum {
  ICL__CONV_AUTO,
  ICL__CONV_ONEDNN,
  ICL__CONV_WINOGRAD,
  ICL__CONV_WINOGRAD_FUSED,
  ICL__CONV_AMX,
  ICL__CONV_DIRECT
} icl__conv_choice;

/* What ICL_CONV asks for; EINVAL for a word that is not known, or that is not `precise` where that is wanted. */
icl_status icl__conv_forced(bool precise, icl__conv_choice *choice);

/* The processor at hand, with the units that kernels for convolutions use. */
icl__processor icl__conv_processor(void);

enum { ICL__CONV_COUNTS = 4 };

/* Some rows of an image that is made: by a convolution of their own, of those rows that it reads. */
typedef struct {
  icl__dnnl_conv *dnnl;
  size_t from, to; /* bytes before the first row that is read, that is made */
} icl__conv_piece;

typedef struct {
  icl__conv_shape shape;
  const icl__conv_kernel *own; /* NULL: oneDNN */
  bool widen;                  /* oneDNN: bf16 images are computed in f32 */
  int counts;                  /* image counts of calls */
  int32_t count[ICL__CONV_COUNTS];
  icl__dnnl_conv *dnnl[ICL__CONV_COUNTS];
  int pieces; /* of oneDNN's, where several threads share the work */
  icl__conv_piece *piece;
  size_t weight_bytes; /* set by the first icl__conv_expect() */
} icl__conv;

/* May oneDNN compute this in the dtype of the images? */
bool icl__conv_suits_dnnl(const icl__conv_shape *shape, const icl__processor *processor);
/* Chooses the kernel for a convolution of shares of about `images` images each in a step. */
void icl__conv_open(icl__conv *conv, const icl__conv_shape *shape, icl__conv_choice forced,
                    const icl__processor *processor, int64_t images);
/* Calls with this many images will come. */
icl_status icl__conv_expect(icl__conv *conv, icl__dnnl *dnnl, int32_t images);
/* Calls of one image, the only number that is expected, may come in parts, by as many threads: forward, and by kernels
 * of our own input gradients. Brings *parts down to how many there can be. */
icl_status icl__conv_share(icl__conv *conv, icl__dnnl *dnnl, const icl__processor *processor, int *parts);
void icl__conv_close(icl__conv *conv);

size_t icl__conv_weight_bytes(const icl__conv *conv);  /* of prepared weights, or of a share's weight gradient */
size_t icl__conv_scratch_bytes(const icl__conv *conv); /* of icl__conv_run() */
bool icl__conv_splits(const icl__conv *conv);          /* do prepare and finish work in parts? */
const char *icl__conv_name(const icl__conv *conv);     /* "onednn", "winograd", ...: for profiles */

/* Forward and input gradients: (x, w) -> y, (gy, w) -> gx; part of parts, which is 0 of 1 or as agreed upon. */
icl_status icl__conv_run(const icl__conv *conv, int thread, int32_t images, const void *from, const void *weights,
                         void *to, void *scratch, int part, int parts);
/* Weight gradients: (x, gy) -> gw, added to what is there with `accumulate`. */
icl_status icl__conv_differentiate(const icl__conv *conv, int thread, int32_t images, const void *x, const void *gy,
                                   void *gradient, bool accumulate, void *scratch);
icl_status icl__conv_prepare(const icl__conv *conv, int thread, const float *hwio, void *weights, int part, int parts);
/* The sum of `count` gradients, `stride` bytes apart. */
icl_status icl__conv_finish(const icl__conv *conv, int thread, const void *gradients, int count, size_t stride,
                            float *hwio, int part, int parts);

#endif
