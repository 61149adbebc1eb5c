/* policy.h - the switches and limits of the planner. */
#ifndef ICL_PLAN_POLICY_H
#define ICL_PLAN_POLICY_H

#include "base/status.h"

/* Each rule can be turned off by name (ICL_PLAN=no-join,no-recompute), and tests run every ablation. */
#define ICL__POLICY_TABLE(X)                                                                                           \
  X(merge, "equal expressions become one")                                                                             \
  X(join, "neighbouring ops become one kernel")                                                                        \
  X(sink, "ops with slack wait for the phase where their inputs are at hand")                                          \
  X(recompute, "cheap values are computed again instead of kept")                                                      \
  X(concat, "a concatenation extends its first input, its parts lie within it, its sums are those of its inputs, its " \
            "gradients are finished in parts")                                                                         \
  X(inplace, "an elementwise result takes over storage that dies")                                                     \
  X(late_prepare, "weights are prepared just before their phase")                                                      \
  X(link, "elementwise global ops of one shape run as one, block by block")                                            \
  X(split, "large global ops are split among threads")                                                                 \
  X(bucket, "what goes to other processes and need not hurry is sent in buckets")                                      \
  X(chunks, "a thread takes its images through a phase in chunks that fit the cache")

typedef struct {
#define X(name, text) bool name;
  ICL__POLICY_TABLE(X)
#undef X
  bool recompute_if_short; /* only where memory would be too small otherwise */
  int threads;
  int shares;          /* of the images, each with partial results of its own: sums depend on them, not on threads */
  int chunk;           /* images; 0: from chunk_bytes */
  size_t chunk_bytes;  /* of the widest value of a phase */
  size_t chunk_limit;  /* the same where weights are larger */
  int reads;           /* a value is computed again if that reads at most so many times its bytes */
  int ranks;           /* processes of the group; 1: there is none */
  size_t bucket_bytes; /* that are sent together */
  size_t last_bucket_bytes; /* the same for those that are sent last */
} icl__policy;

icl_status icl__policy_parse(const char *switches, icl__policy *policy);

#endif
