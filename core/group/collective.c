/* collective.c - see collective.h. */
#include "group/collective.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

void icl__collective_text(const icl__collective *what, char text[ICL__COLLECTIVE_TEXT]) {
  switch (what->kind) {
  case ICL__SUM:
    snprintf(text, ICL__COLLECTIVE_TEXT, "sums %zu %s", what->count, icl_dtype_name(what->dtype));
    break;
  case ICL__GATHER:
    snprintf(text, ICL__COLLECTIVE_TEXT, "gathers %zu bytes of each", what->count);
    break;
  case ICL__BROADCAST:
    snprintf(text, ICL__COLLECTIVE_TEXT, "broadcasts %zu bytes of rank %d", what->count, what->root);
    break;
  case ICL__BARRIER:
    snprintf(text, ICL__COLLECTIVE_TEXT, "waits at a barrier");
    break;
  }
}

icl_status icl__collective_check(const icl__roster *roster, const icl__collective *mine, int other,
                                 const icl__collective *theirs) {
  if (theirs->kind == mine->kind && theirs->dtype == mine->dtype && theirs->root == mine->root &&
      theirs->count == mine->count)
    return ICL_OK;
  char a[ICL__COLLECTIVE_TEXT], b[ICL__COLLECTIVE_TEXT];
  bool first = roster->rank < other; /* both say the same */
  icl__collective_text(first ? mine : theirs, a);
  icl__collective_text(first ? theirs : mine, b);
  int low = first ? roster->rank : other, high = first ? other : roster->rank;
  return icl__fail(ICL_EIO, "the ranks do not run the same program: rank %d on %s %s, rank %d on %s %s", low,
                   roster->host[low], a, high, roster->host[high], b);
}

icl_status icl__left(const icl__roster *roster, int rank, const icl__collective *mine) {
  char text[ICL__COLLECTIVE_TEXT];
  icl__collective_text(mine, text);
  return icl__fail(ICL_EIO, "rank %d on %s has left the group, and rank %d %s", rank, roster->host[rank], roster->rank,
                   text);
}

icl_status icl__silent(const icl__roster *roster, int rank, double seconds) {
  return icl__fail(ICL_EIO, "rank %d on %s gave no sign of life for %g s; it was stopped, or cannot be reached", rank,
                   roster->host[rank], seconds);
}

size_t icl__shard_first(size_t count, int size, int rank) {
  size_t most = count / (size_t)size, rest = count % (size_t)size;
  return (size_t)rank * most + ((size_t)rank < rest ? (size_t)rank : rest);
}

icl_status icl__scratch_reserve(icl__scratch *scratch, size_t bytes) {
  if (bytes <= scratch->bytes)
    return ICL_OK;
  icl__free(scratch->data);
  scratch->bytes = 0;
  scratch->data = icl__alloc(bytes, 1);
  if (!scratch->data)
    return ICL_ENOMEM;
  scratch->bytes = bytes;
  return ICL_OK;
}

/* Elements that are added at a time, in memory of the stack: `sum` may be a source that is not yet needed. */
enum { BLOCK = 1024 };

#define ADD_TWO(to, a, b, length) _Pragma("omp simd") for (size_t i = 0; i < (length); i++)(to)[i] = (a)[i] + (b)[i]

#define ADD(name, type)                                                                                                \
  static void name(type *sum, int sources, const void *const *source, size_t count) {                                  \
    for (size_t at = 0; at < count; at += BLOCK) {                                                                     \
      type block[BLOCK];                                                                                               \
      const type *so_far = (const type *)source[0] + at;                                                               \
      size_t length = count - at < BLOCK ? count - at : BLOCK;                                                         \
      for (int s = 1; s < sources; s++) {                                                                              \
        const type *more = (const type *)source[s] + at;                                                               \
        type *to = s == sources - 1 ? sum + at : block;                                                                \
        ADD_TWO(to, so_far, more, length);                                                                             \
        so_far = block;                                                                                                \
      }                                                                                                                \
      if (sources == 1 && so_far != sum + at)                                                                          \
        memcpy(sum + at, so_far, length * sizeof *sum);                                                                \
    }                                                                                                                  \
  }

ADD(add_f32, float)
ADD(add_f64, double)
ADD(add_i64, uint64_t) /* which may wrap around */

void icl__add_in_order(icl_dtype dtype, void *sum, int sources, const void *const *source, size_t count) {
  if (dtype == ICL_F32)
    add_f32(sum, sources, source, count);
  else if (dtype == ICL_F64)
    add_f64(sum, sources, source, count);
  else
    add_i64(sum, sources, source, count);
}
