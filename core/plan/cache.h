/* cache.h - plans by the canonical form of what they compute, and the arena they share.
 *
 * Plans are found by hash and compared in full. The least recently used go when all together take more memory than
 * ICL__PLAN_BYTES. */
#ifndef ICL_PLAN_CACHE_H
#define ICL_PLAN_CACHE_H

#include "plan/lasting.h"

enum { ICL__PLAN_BYTES = 256 << 20 };

typedef struct {
  int plans;
  size_t bytes;
  size_t slots; /* a power of two */
  icl__plan **slot;
  icl__plan *newest, *oldest; /* by last use */
  void *arena;                /* shared by all plans */
  size_t arena_bytes;
  icl__lasting lasting;
  const icl__backend *backend; /* whose memory the arena is */
  void *device;
} icl__plan_cache;

/* The plan of this key, as the newest; NULL if there is none. */
icl__plan *icl__plan_find(icl__plan_cache *cache, const uint8_t *key, size_t bytes);
/* Takes a plan over, whatever it returns; `memory`: bytes that it takes without its key. */
icl_status icl__plan_insert(icl__plan_cache *cache, icl__plan *plan, size_t memory, const uint8_t *key, size_t bytes);
size_t icl__plan_memory(const icl__plan *plan); /* bytes of the arena and of the scratch of all threads */
/* Makes the arena large enough for a plan, after comparing it with the memory there is. */
icl_status icl__plan_reserve_arena(icl__plan_cache *cache, const icl__plan *plan);
void icl__plan_cache_clear(icl__plan_cache *cache);

#endif
