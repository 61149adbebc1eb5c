/* cache.h - plans by the canonical form of what they compute, and the arena they share. */
#ifndef ICL_PLAN_CACHE_H
#define ICL_PLAN_CACHE_H

#include "plan/plan.h"

typedef struct {
  icl__plan *first; /* most recently used first */
  size_t bytes;
  void *arena; /* shared by all plans */
  size_t arena_bytes;
} icl__plan_cache;

icl__plan *icl__plan_find(icl__plan_cache *cache, const uint8_t *key, size_t bytes, uint64_t hash);
icl_status icl__plan_insert(icl__plan_cache *cache, icl__plan *plan, const uint8_t *key, size_t bytes, uint64_t hash);
size_t icl__plan_memory(const icl__plan *plan); /* bytes of the arena and of the scratch of all threads */
/* Lends the arena; a plan that needs a larger one replaces it, after comparing it with the memory there is. */
icl_status icl__plan_bind_arena(icl__plan_cache *cache, icl__plan *plan);
void icl__plan_cache_clear(icl__plan_cache *cache);

#endif
