/* conv_choice.h - which of cuDNN's engines computes a convolution. */
#ifndef ICL_BACKEND_CUDA_CONV_CHOICE_H
#define ICL_BACKEND_CUDA_CONV_CHOICE_H

#include "backend/cuda/cudnn_graph.h"
#include "backend/cuda/device.h"
#include "base/text.h"

/* What no engine may need more of. */
#define ICL__CUDA_CONV_WORKSPACE_MOST ((size_t)512 << 20)

/* ---- conv_plans.c ---- */

/* The numerical notes that no engine may have which keeps the promises of conv.h. */
unsigned icl__cuda_conv_refused(const icl__cuda_conv_shape *shape, bool tf32, bool precise);

/* Plans that compute the convolution without the notes that are refused, the best first by what cuDNN thinks; at most
 * `most`. Engines that are compiled when a plan is made take a second for that: there is one of these, where there is
 * no other. */
int icl__cuda_conv_plans(const icl__cudnn_source *source, const icl__cudnn_graph *graph, unsigned refused,
                         icl__cudnn_plan *plans, int most);

/* ---- conv_choice.c ---- */

/* The plan for this device, as conv.h says; `measured` if it is new that it is the fastest. The plan is NULL where
 * there is none. */
icl_status icl__cuda_conv_choose(icl__cuda_device *device, const icl__cudnn_graph *graph,
                                 const icl__cuda_conv_shape *shape, icl__cudnn_plan *plan, bool *measured);

/* What is to be kept of a choice, as a line, and keeping such lines for later processes. */
void icl__cuda_conv_say_choice(const icl__cuda_device *device, const icl__cuda_conv_shape *shape,
                               const icl__cudnn_plan *plan, icl__text *lines);
void icl__cuda_conv_keep_choices(const icl__cuda_device *device, const icl__text *lines);

/* Puts a plan on the stream; a, b and the result are those of conv.h. */
cudnnStatus_t icl__cuda_conv_execute(icl__cuda_device *device, icl__cuda_conv_direction direction,
                                     const icl__cudnn_plan *plan, const void *a, const void *b, void *result,
                                     void *workspace);

#endif
