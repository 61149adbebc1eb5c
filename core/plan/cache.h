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
size_t icl__plan_memory(const icl__plan *plan); /* bytes: arena, scratch of all threads, what lasts */
/* Is there as much? */
bool icl__plan_fits(const icl__plan_cache *cache, const icl__plan *plan);
/* Makes the arena, and the memory for what lasts, large enough for a plan. */
icl_status icl__plan_reserve(icl__plan_cache *cache, const icl__plan *plan);
void icl__plan_cache_clear(icl__plan_cache *cache);

#endif
