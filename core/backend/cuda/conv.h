/* conv.h - convolutions and their gradients by cuDNN.
 *
 * Images are NHWC and packed; weights lie as (o, kh, kw, i / groups), packed, which cuDNN calls KRSC. All addresses are
 * aligned to 16 bytes. Sums are f32; TF32 only where the device has `tf32`. Only engines that are deterministic are
 * ever used. */
#ifndef ICL_BACKEND_CUDA_CONV_H
#define ICL_BACKEND_CUDA_CONV_H

#include "backend/cuda/conv_shape.h"
#include "backend/cuda/device.h"

typedef struct icl__cuda_conv icl__cuda_conv;

/* The convolution of this shape, which is the device's; the same shape again gives the same one. The first time in a
 * process it is chosen: as the cache of the user says, or else by timing what cuDNN proposes, which waits for the
 * stream. With device->deterministic it is the first that works of what cuDNN proposes, the same in every process. Not
 * while capturing. ENOTSUP: cuDNN has no engine for it. */
icl_status icl__cuda_conv_find(icl__cuda_device *device, const icl__cuda_conv_shape *shape, icl__cuda_conv **conv);

size_t icl__cuda_conv_workspace(const icl__cuda_conv *conv); /* bytes */
const char *icl__cuda_conv_name(const icl__cuda_conv *conv); /* of its engine, for profiles */

/* Puts it on the stream; legal while capturing. FORWARD: a is x, b the weights; INPUT: a is the gradient of y, b the
 * weights; WEIGHT: a is x, b the gradient of y. `workspace` is aligned to 256 bytes. */
icl_status icl__cuda_conv_run(icl__cuda_device *device, const icl__cuda_conv *conv, const void *a, const void *b,
                              void *result, void *workspace);

/* Waits for those that run. It comes before the device is closed. */
void icl__cuda_conv_free_all(icl__cuda_device *device);

#endif
