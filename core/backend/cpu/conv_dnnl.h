/* conv_dnnl.h - oneDNN convolutions on one thread and a fixed number of images.
 *
 * Images are dense NHWC f32 or bf16; weights have oneDNN's own layout, made from HWIO f32 by prepare() and, for weight
 * gradients, turned back by finish(). Primitives are found by shape, and live as long as somebody uses them. */
#ifndef ICL_BACKEND_CPU_CONV_DNNL_H
#define ICL_BACKEND_CPU_CONV_DNNL_H

#include "backend/cpu/kernels/conv_kernel.h"
#include "base/status.h"

typedef struct icl__dnnl icl__dnnl;           /* an engine with its cache of primitives; one per device */
typedef struct icl__dnnl_conv icl__dnnl_conv; /* shared by all that asked for it */

typedef struct {
  const char *(*version)(void); /* "oneDNN 2.6.3" */
  bool (*uses_amx)(void);       /* on this processor, and the system lets it */
  bool (*uses_bf16)(void);      /* multiplies bf16 in vectors there */
  icl_status (*open)(int threads, icl__dnnl **result);
  void (*close)(icl__dnnl *dnnl); /* after every convolution was released */

  /* `widen`: bf16 images are computed in f32. `like`: NULL, or a convolution of the same layer with another number
   * of images or rows, whose weight layout is taken over. */
  icl_status (*get)(icl__dnnl *dnnl, const icl__conv_shape *shape, bool widen, const icl__dnnl_conv *like,
                    icl__dnnl_conv **result);
  void (*release)(icl__dnnl_conv *conv);              /* NULL is allowed */
  bool (*is_slow)(const icl__dnnl_conv *conv);        /* by loops of oneDNN's own reference */
  size_t (*weight_bytes)(const icl__dnnl_conv *conv); /* of prepared weights, or of a weight gradient */
  size_t (*scratch_bytes)(const icl__dnnl_conv *conv);
  /* forward: (x, w) -> y; input: (g, w) -> gx; weight: (x, g) -> gw, overwritten. `thread` selects handles of its own.
   */
  icl_status (*run)(const icl__dnnl_conv *conv, int thread, const void *first, const void *second, void *out,
                    void *scratch);
  bool (*splits)(const icl__dnnl_conv *conv); /* can the next two be done in parts? */
  icl_status (*prepare)(const icl__dnnl_conv *conv, int thread, const float *hwio, void *weights, int part, int parts);
  /* The sum of `count` gradients, `stride` bytes apart. */
  icl_status (*finish)(const icl__dnnl_conv *conv, int thread, const void *gradients, int count, size_t stride,
                       float *hwio, int part, int parts);
} icl__dnnl_functions;

/* NULL in a build without oneDNN. */
extern const icl__dnnl_functions *const icl__dnnl_library;

#endif
