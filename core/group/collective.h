/* collective.h - what communicators have in common: shards, memory, sums in the order of ranks, words for messages. */
#ifndef ICL_GROUP_COLLECTIVE_H
#define ICL_GROUP_COLLECTIVE_H

#include "group/communicator.h"

/* What a rank does, for messages: "sums 100 f32". */
enum { ICL__COLLECTIVE_TEXT = 80 };
void icl__collective_text(const icl__collective *what, char text[ICL__COLLECTIVE_TEXT]);

/* EIO: another rank does another thing than this one. */
icl_status icl__collective_check(const icl__roster *roster, const icl__collective *mine, int other,
                                 const icl__collective *theirs);

/* EIO: this rank has left the others, who need it; it gave no sign of life for so many seconds. */
icl_status icl__left(const icl__roster *roster, int rank, const icl__collective *mine);
icl_status icl__silent(const icl__roster *roster, int rank, double seconds);

/* Shard `rank` of `count` elements, which that rank adds: from *first up to the first one of the next rank. */
size_t icl__shard_first(size_t count, int size, int rank);

/* Memory that grows, and then holds nothing of what it held; all 0 at first, `data` is freed at the end. */
typedef struct {
  char *data;
  size_t bytes;
} icl__scratch;

icl_status icl__scratch_reserve(icl__scratch *scratch, size_t bytes);

/* sum = ((source[0] + source[1]) + ...) of `count` elements; `sum` may be one of the sources. */
void icl__add_in_order(icl_dtype dtype, void *sum, int sources, const void *const *source, size_t count);

#endif
