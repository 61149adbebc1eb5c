/* group.h - a GPU as one of a group of processes, each of which has one.
 *
 * The group itself brings the processes together, and tells of those that fail; NCCL moves what lies in the memory of
 * the GPUs. A thread looks after both: it ends what NCCL waits for when the group has lost a rank. */
#ifndef ICL_BACKEND_CUDA_GROUP_H
#define ICL_BACKEND_CUDA_GROUP_H

#include "backend/cuda/device.h"

/* Of the table of the backend: joins the group, or leaves it. */
icl_status icl__cuda_join(void *device, icl_group *group);

/* ---- on the stream `talk`, in the same order on all ranks; never by several threads at once ---- */

/* `data` becomes the sum over all ranks of its `count` elements, in the order of ranks unless the group allows
 * another. `received` has room for as many bytes as icl__cuda_sum_room() says. */
icl_status icl__cuda_sum(icl__cuda_device *device, icl_dtype dtype, void *data, size_t count, void *received);
size_t icl__cuda_sum_room(const icl__cuda_device *device, icl_dtype dtype, size_t count);
/* `all` gets `count` f64 of each rank, in their order. */
icl_status icl__cuda_gather_tables(icl__cuda_device *device, const void *mine, size_t count, void *all);

/* ---- around a run ---- */

/* What NCCL does may become part of a graph only if it does on all ranks, and such a graph is launched by all of them
 * at the same time. */
typedef enum { ICL__CUDA_ONE_BY_ONE, ICL__CUDA_CAPTURE, ICL__CUDA_LAUNCH } icl__cuda_way;

/* What a rank has of a program. */
typedef struct {
  uint64_t buckets, elements, order; /* that it sends; a hash of their dtypes and sizes */
  int32_t capture;                   /* the number of the captures that its graph is of; 0: it has none that fits */
  bool ready;                        /* a graph can be captured, or launched */
} icl__cuda_ready;

/* Waits until all ranks are about to run, and chooses the way for all. EIO: a rank has failed, or is about to run
 * something else. *capture gets the number of the capture that all begin. */
icl_status icl__cuda_agree(icl__cuda_device *device, const icl__cuda_ready *mine, icl__cuda_way *way, int32_t *capture);

/* Waits for `stream`. EIO: a rank has failed meanwhile, and what was received is worth nothing. */
icl_status icl__cuda_settle(icl__cuda_device *device, cudaStream_t stream);

/* Flags of a step: ICL__FLAGS elements in pinned memory, those that are sent, and those that come. */
void *icl__cuda_flags(const icl__cuda_device *device, bool received);

#endif
