/* description.h - a network as data: the ops that its evaluation records, as a JSON text.
 *
 *   { "version": 1, "shape": [32, 32, 3], "also": [28, 28], "output": 4, "nodes": [
 *       { "op": "images" },
 *       { "op": "state", "name": "conv.weight", "axes": [3, 2, 0, 1] },
 *       { "op": "conv2d", "of": [0, 1], "attributes": { "stride": [1, 1], ... }, "layer": "conv" },
 *       { "op": "number", "value": 0.5 },
 *       { "op": "mul", "of": [2, 3] }, ... ] }
 *
 * `also`, where it is given, is another height and width of images for which the network is the same.
 * A node is what stands under its place in the list; `of` names earlier ones. Everything counts from 0, axes too.
 *
 *   images    f32 (n, height, width, channels), normalised
 *   state     a tensor of the file; `axes`, where they are given, say which axis of ours each axis in the file is
 *   number    takes the dtype of what it meets in arithmetic
 *   constant  "dtype", "shape", and "values": a list; or "fill": one value for all, where a size may be
 *             { "batch": k }, k times the number of images; or "tensor": the name of a tensor of the file, for many
 *   others    ops of ops.def, their attributes as there, { "batch": k } as above; what is not given has its default
 *
 * Values that JSON has not are the texts "inf", "-inf" and "nan". */
#ifndef ICL_NETWORK_DESCRIPTION_H
#define ICL_NETWORK_DESCRIPTION_H

#include "base/status.h"

enum { ICL__DESCRIPTION_VERSION = 1 };

#define ICL__EXTRA_TENSOR "icl.constant." /* and a number: constants that are tensors of the file */

/* A state that the network reads: its name in files, and its layout there or NULL. */
typedef struct {
  const icl_state *state;
  const char *name;
  const int32_t *axes;
} icl__leaf;

/* Two evaluations of one network, recorded in one step, of 2 and of 3 images: what differs is the batch. */
typedef struct {
  icl_tensor *images, *logits;
} icl__trace;

/* A step for that: nothing is evaluated in it. It ends without any of its results. */
icl_status icl__trace_begin(icl_engine *engine, bool *eager);
void icl__trace_end(icl_engine *engine, bool eager);

/* *extra gets a list of the constants that are to be tensors ICL__EXTRA_TENSOR 0, 1, ... of the file; they stay the
 * trace's. The list and *text are freed with icl__free(). ENOTSUP: the network is not a fixed program of
 * ops that draw nothing and write nothing; the message names the op and its layer. */
icl_status icl__describe(const icl__trace trace[2], int leaves, const icl__leaf *leaf, char **text, int *extras,
                         icl_tensor ***extra);

#endif
