/* plugin.c - device "cuda": the table of its functions, and how the planner is to plan for it. */
#include "backend/cuda/conv.h"
#include "backend/cuda/group.h"
#include "backend/cuda/host.h"
#include "backend/cuda/program.h"

#include <limits.h>

/* The whole batch at once, by one thread that launches. Values are kept while there is memory: to compute one again is
 * a pass over it here, where nothing stays in a cache. Chains are made by rewrite(). */
static void choose_policy(void *device, icl__policy *policy) {
  (void)device;
  policy->threads = policy->shares = 1;
  policy->recompute_if_short = policy->recompute;
  policy->chunks = policy->recompute = policy->late_prepare = policy->link = policy->split = policy->concat = false;
  policy->chunk = INT_MAX;
}

static void close_device(void *device) {
  icl__cuda_conv_free_all(device);
  icl__cuda_close(device);
}

static const icl__backend cuda = {
    .abi = ICL__BACKEND_ABI,
    .name = "cuda",
    .precisions = "f32 tf32",
    .groups = true,
    .slots = true,
    .open = icl__cuda_open,
    .close = close_device,
    .describe = icl__cuda_describe,
    .count = icl__cuda_count,
    .policy = choose_policy,
    .allocate = icl__cuda_allocate,
    .release = icl__cuda_release,
    .available = icl__cuda_available,
    .upload = icl__cuda_upload,
    .download = icl__cuda_download,
    .copy = icl__cuda_copy,
    .join = icl__cuda_join,
    .wait = icl__cuda_wait,
    .rewrite = icl__cuda_rewrite,
    .takes_pitch = icl__cuda_takes_pitch,
    .lower = icl__cuda_lower,
    .forget = icl__cuda_forget,
    .compile = icl__cuda_compile,
    .run = icl__cuda_run,
    .discard = icl__cuda_discard,
    .profile = icl__cuda_profile,
};

icl__plugin_open_fn icl_backend_open;

const icl__backend *icl_backend_open(const icl__host *host) {
  if (host->abi == ICL__BACKEND_ABI)
    icl__cuda_set_host(host);
  return &cuda; /* a host of another version refuses it by its own number */
}
