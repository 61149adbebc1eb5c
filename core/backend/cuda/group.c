/* group.c - see group.h. */
#include "backend/cuda/group.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backend/cuda/host.h"
#include "base/memory.h"
#include "base/threads.h"
#include "group/flags.h"
#include "group/group.h"

enum { PATIENCE = 20000, LONG_PATIENCE = 2 }; /* microseconds between two looks; seconds for a call of NCCL to return */
enum { FLAG_BYTES = ICL__FLAGS * sizeof(double) };

/* FORSAKEN: NCCL still waits for others, and nobody for it. The memory is the thread's then. */
enum { MEETING, MET, FORSAKEN };

struct icl__cuda_group {
  icl_group *group;
  const icl__nccl *nccl;
  int ordinal, rank, size;
  bool fast;
  int32_t captures; /* of all ranks together */
  char *flags;
  ncclUniqueId id;

  pthread_t thread;
  ncclComm_t comm; /* the thread's while it is MEETING */
  ncclResult_t opened;
  atomic_int stage;
  atomic_bool leaves;
  pthread_mutex_t calls; /* of NCCL: held around each, but not by the thread that ends them */
  atomic_bool lost;
};
typedef struct icl__cuda_group cuda_group;

static icl_status nccl_error(const cuda_group *g, ncclResult_t result, const char *what) {
  ICL__TRY(icl__group_check(g->group)); /* which is why, if a rank has failed */
  return icl__fail(ICL_EBACKEND, "cuda: NCCL: %s: %s", what, g->nccl->ncclGetErrorString(result));
}

/* ---- the thread ---- */

static bool pass_on(cuda_group *g, int stage) {
  int meeting = MEETING;
  return atomic_compare_exchange_strong(&g->stage, &meeting, stage);
}

/* What NCCL has begun ends, with any result. It may be that it waits for the others within a call. */
static void end_calls(cuda_group *g) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += LONG_PATIENCE;
  bool locked = pthread_mutex_timedlock(&g->calls, &until) == 0;
  atomic_store(&g->lost, true);
  if (locked)
    pthread_mutex_unlock(&g->calls);
  g->nccl->ncclCommAbort(g->comm); /* returns when no graph has calls of it any more */
}

/* Has a rank, or NCCL, failed? */
static bool has_failed(cuda_group *g) {
  char text[256];
  ncclResult_t result = ncclSuccess;
  if (icl__group_check(g->group) != ICL_OK)
    return true;
  if (g->nccl->ncclCommGetAsyncError(g->comm, &result) != ncclSuccess || result == ncclSuccess)
    return false;
  snprintf(text, sizeof text, "NCCL: %s", g->nccl->ncclGetErrorString(result));
  icl_group_abort(g->group, text);
  return true;
}

static void free_group(cuda_group *g) {
  if (g->flags)
    cudaFreeHost(g->flags);
  pthread_mutex_destroy(&g->calls);
  icl__free(g);
}

static void *look_after(void *argument) {
  cuda_group *g = argument;
  cudaSetDevice(g->ordinal);
  g->opened = g->nccl->ncclCommInitRank(&g->comm, g->size, g->id, g->rank);
  if (!pass_on(g, MET) || g->opened != ncclSuccess)
    return NULL;
  bool failed = false;
  while (!atomic_load(&g->leaves) && !(failed = has_failed(g)))
    usleep(PATIENCE);
  if (failed || icl__group_check(g->group) != ICL_OK)
    end_calls(g);
  else
    g->nccl->ncclCommDestroy(g->comm);
  return NULL;
}

/* ---- meeting ---- */

/* What ranks must know of one another before they ask NCCL. */
typedef struct {
  char gpu[16]; /* the same for nobody else */
  int32_t version;
  bool usable;
} member;

static icl_status check_members(const cuda_group *g, const member *all) {
  for (int r = 0; r < g->size; r++)
    if (!all[r].usable)
      return icl__fail(ICL_ENOTSUP, "cuda: rank %d on %s cannot join the group; it says why", r,
                       icl_group_host(g->group, r));
  for (int r = 0; r < g->size; r++) {
    if (all[r].version != all[0].version)
      return icl__fail(ICL_EINVAL, "cuda: rank 0 on %s has NCCL %d, rank %d on %s has %d; install one version",
                       icl_group_host(g->group, 0), all[0].version, r, icl_group_host(g->group, r), all[r].version);
    for (int q = 0; q < r; q++)
      if (!memcmp(all[q].gpu, all[r].gpu, sizeof all[q].gpu))
        return icl__fail(ICL_EINVAL,
                         "cuda: ranks %d and %d on %s share a GPU; start one process for each GPU, and leave the "
                         "choice to --device cuda",
                         q, r, icl_group_host(g->group, r));
  }
  return ICL_OK;
}

static icl_status describe(cuda_group *g, member *mine) {
  struct cudaDeviceProp properties;
  int version = 0;
  ICL__TRY(icl__cuda_open_nccl(&g->nccl));
  ICL__TRY(icl__cuda_check(cudaGetDeviceProperties(&properties, g->ordinal), "asking for the GPU's properties"));
  memcpy(mine->gpu, properties.uuid.bytes, sizeof mine->gpu);
  g->nccl->ncclGetVersion(&version);
  mine->version = version;
  mine->usable = true;
  return ICL_OK;
}

/* Nobody asks NCCL, which waits for all, before each has what it takes. */
static icl_status check_all(cuda_group *g) {
  member mine = {.usable = false}, *all = icl__calloc((size_t)g->size, sizeof *all);
  char why[512] = "";
  icl_status own = all ? describe(g, &mine) : ICL_ENOMEM;
  if (own != ICL_OK)
    snprintf(why, sizeof why, "%s", icl_message());
  if (!all)
    return ICL_ENOMEM;
  icl_status status = icl_group_gather(g->group, &mine, sizeof mine, all);
  if (own != ICL_OK)
    status = icl__fail(own, "%s", why);
  if (status == ICL_OK)
    status = check_members(g, all);
  icl__free(all);
  return status;
}

/* Rank 0 makes the name by which they find one another; an error of it comes with the name. */
static icl_status share_id(cuda_group *g) {
  struct {
    ncclUniqueId id;
    int32_t result;
  } name = {.result = ncclSuccess};
  if (g->rank == 0)
    name.result = (int32_t)g->nccl->ncclGetUniqueId(&name.id);
  ICL__TRY(icl_group_broadcast(g->group, 0, &name, sizeof name));
  g->id = name.id;
  return name.result == ncclSuccess ? ICL_OK : nccl_error(g, (ncclResult_t)name.result, "meeting the others");
}

/* NCCL waits for all ranks without an end. If one is lost meanwhile the thread is left where it is. */
static icl_status meet(cuda_group *g) {
  int error = icl__thread_start(&g->thread, look_after, g);
  if (error)
    return icl__fail(ICL_EIO, "cuda: cannot start the thread of a group: %s", strerror(error));
  while (atomic_load(&g->stage) == MEETING) {
    icl_status status = icl__group_check(g->group);
    if (status != ICL_OK && pass_on(g, FORSAKEN)) {
      pthread_detach(g->thread);
      return status;
    }
    usleep(1000);
  }
  if (g->opened == ncclSuccess)
    return ICL_OK;
  pthread_join(g->thread, NULL);
  return nccl_error(g, g->opened, "meeting the others");
}

static icl_status open_group(cuda_group *g) {
  void *flags;
  ICL__TRY(check_all(g));
  ICL__TRY(icl__cuda_check(cudaMallocHost(&flags, 2 * FLAG_BYTES), "pinned memory for flags"));
  g->flags = flags;
  ICL__TRY(share_id(g));
  return meet(g);
}

static void leave(icl__cuda_device *device) {
  cuda_group *g = device->group;
  if (!g)
    return;
  device->group = NULL;
  atomic_store(&g->leaves, true);
  pthread_join(g->thread, NULL);
  cudaStreamDestroy(device->talk);
  free_group(g);
}

icl_status icl__cuda_join(void *context, icl_group *group) {
  icl__cuda_device *device = context;
  ICL__TRY(icl__cuda_enter(device));
  leave(device);
  if (!group)
    return ICL_OK;
  cuda_group *g = icl__calloc(1, sizeof *g);
  if (!g)
    return ICL_ENOMEM;
  g->group = group;
  g->ordinal = device->ordinal;
  g->rank = icl_group_rank(group);
  g->size = icl_group_size(group);
  g->fast = icl__group_fast_reduce(group);
  pthread_mutex_init(&g->calls, NULL);
  icl_status status = icl__cuda_check(cudaStreamCreateWithFlags(&device->talk, cudaStreamNonBlocking), "a stream");
  if (status == ICL_OK) {
    status = open_group(g);
    if (status != ICL_OK)
      cudaStreamDestroy(device->talk);
  }
  if (status == ICL_OK)
    device->group = g;
  else if (atomic_load(&g->stage) != FORSAKEN)
    free_group(g);
  return status;
}

/* ---- calls ---- */

static icl_status begin_calls(cuda_group *g) {
  pthread_mutex_lock(&g->calls);
  if (!atomic_load(&g->lost))
    return ICL_OK;
  pthread_mutex_unlock(&g->calls);
  return icl__group_check(g->group);
}

static icl_status end_of_calls(cuda_group *g, ncclResult_t result, const char *what) {
  pthread_mutex_unlock(&g->calls);
  return result == ncclSuccess ? ICL_OK : nccl_error(g, result, what);
}

static ncclDataType_t type_of(icl_dtype dtype) {
  return dtype == ICL_F32 ? ncclFloat32 : dtype == ICL_F64 ? ncclFloat64 : ncclInt64;
}

/* Rank r adds elements r * shard to (r + 1) * shard - 1 of all, and sends them to the others; those behind all shards,
 * the rest, are added by each. What is small is all rest: it takes one exchange in the place of two. */
static icl__cuda_shares shares_of(const cuda_group *g, icl_dtype dtype, size_t count) {
  enum { SMALL = 32 << 10, LINE = 16 };
  size_t most = count / (size_t)g->size / LINE * LINE;
  size_t shard = count * icl_dtype_bytes(dtype) <= SMALL ? 0 : most;
  return (icl__cuda_shares){
      .shard = (int64_t)shard, .rest = (int64_t)(count - (size_t)g->size * shard), .rank = g->rank, .ranks = g->size};
}

/* Sends the shards of others and the rest, and receives those of this rank. */
static ncclResult_t exchange(const cuda_group *g, const icl__cuda_shares *s, icl_dtype dtype, cudaStream_t stream) {
  const icl__nccl *n = g->nccl;
  ncclDataType_t type = type_of(dtype);
  size_t bytes = icl_dtype_bytes(dtype), shard = (size_t)s->shard, rest = (size_t)s->rest;
  char *data = s->data, *received = (char *)(uintptr_t)s->received, *behind = data + (size_t)g->size * shard * bytes;
  ncclResult_t result = n->ncclGroupStart();
  for (int r = 0; r < g->size && result == ncclSuccess; r++) {
    char *from = received + (size_t)r * (shard + rest) * bytes;
    if (r == g->rank)
      continue;
    if (shard)
      result = n->ncclSend(data + (size_t)r * shard * bytes, shard, type, r, g->comm, stream);
    if (shard && result == ncclSuccess)
      result = n->ncclRecv(from, shard, type, r, g->comm, stream);
    if (rest && result == ncclSuccess)
      result = n->ncclSend(behind, rest, type, r, g->comm, stream);
    if (rest && result == ncclSuccess)
      result = n->ncclRecv(from + shard * bytes, rest, type, r, g->comm, stream);
  }
  ncclResult_t end = n->ncclGroupEnd();
  return result == ncclSuccess ? end : result;
}

static ncclResult_t add_in_order(const cuda_group *g, const icl__cuda_shares *s, icl_dtype dtype, cudaStream_t stream) {
  ncclResult_t result = exchange(g, s, dtype, stream);
  if (result == ncclSuccess && icl__cuda_add_shares(s, dtype, stream) != cudaSuccess)
    result = ncclUnhandledCudaError;
  if (result != ncclSuccess || !s->shard)
    return result;
  size_t shard = (size_t)s->shard;
  const char *own = (const char *)s->data + (size_t)g->rank * shard * icl_dtype_bytes(dtype);
  return g->nccl->ncclAllGather(own, s->data, shard, type_of(dtype), g->comm, stream);
}

size_t icl__cuda_sum_room(const icl__cuda_device *device, icl_dtype dtype, size_t count) {
  const cuda_group *g = device->group;
  icl__cuda_shares s = shares_of(g, dtype, count);
  return g->fast ? 0 : (size_t)g->size * (size_t)(s.shard + s.rest) * icl_dtype_bytes(dtype);
}

icl_status icl__cuda_sum(icl__cuda_device *device, icl_dtype dtype, void *data, size_t count, void *received) {
  cuda_group *g = device->group;
  icl__cuda_shares s = shares_of(g, dtype, count);
  s.data = data;
  s.received = received;
  if (!count)
    return ICL_OK;
  ICL__TRY(begin_calls(g));
  ncclResult_t result = g->fast
                            ? g->nccl->ncclAllReduce(data, data, count, type_of(dtype), ncclSum, g->comm, device->talk)
                            : add_in_order(g, &s, dtype, device->talk);
  return end_of_calls(g, result, "a sum over the ranks");
}

icl_status icl__cuda_gather_tables(icl__cuda_device *device, const void *mine, size_t count, void *all) {
  cuda_group *g = device->group;
  if (!count)
    return ICL_OK;
  ICL__TRY(begin_calls(g));
  ncclResult_t result = g->nccl->ncclAllGather(mine, all, count, ncclFloat64, g->comm, device->talk);
  return end_of_calls(g, result, "a table of all ranks");
}

/* ---- around a run ---- */

static icl_status check_ready(const cuda_group *g, const icl__cuda_ready *all) {
  for (int r = 1; r < g->size; r++)
    if (all[r].buckets != all[0].buckets || all[r].elements != all[0].elements || all[r].order != all[0].order)
      return icl__fail(ICL_EIO,
                       "the ranks do not run the same program: rank 0 on %s sums %llu elements in %llu buckets, rank "
                       "%d on %s sums %llu in %llu",
                       icl_group_host(g->group, 0), (unsigned long long)all[0].elements,
                       (unsigned long long)all[0].buckets, r, icl_group_host(g->group, r),
                       (unsigned long long)all[r].elements, (unsigned long long)all[r].buckets);
  return ICL_OK;
}

icl_status icl__cuda_agree(icl__cuda_device *device, const icl__cuda_ready *mine, icl__cuda_way *way,
                           int32_t *capture) {
  cuda_group *g = device->group;
  icl__cuda_ready *all = icl__calloc((size_t)g->size, sizeof *all);
  if (!all)
    return ICL_ENOMEM;
  icl_status status = icl_group_gather(g->group, mine, sizeof *mine, all);
  if (status == ICL_OK)
    status = check_ready(g, all);
  bool ready = status == ICL_OK, same = ready && all[0].capture;
  for (int r = 0; r < g->size && status == ICL_OK; r++) {
    ready = ready && all[r].ready;
    same = same && all[r].capture == all[0].capture;
  }
  icl__free(all);
  *way = !ready ? ICL__CUDA_ONE_BY_ONE : same ? ICL__CUDA_LAUNCH : ICL__CUDA_CAPTURE;
  *capture = *way == ICL__CUDA_CAPTURE ? ++g->captures : 0;
  return status;
}

icl_status icl__cuda_settle(icl__cuda_device *device, cudaStream_t stream) {
  cuda_group *g = device->group;
  icl_status status = icl__cuda_check(cudaStreamSynchronize(stream), "sums over the ranks");
  return atomic_load(&g->lost) ? icl__group_check(g->group) : status;
}

void *icl__cuda_flags(const icl__cuda_device *device, bool received) {
  return device->group->flags + (received ? FLAG_BYTES : 0);
}
