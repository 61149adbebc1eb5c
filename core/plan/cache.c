/* cache.c - see cache.h.
 *
 * The least recently used plans go when all together take more than LIMIT bytes. */
#include "plan/cache.h"

#include <string.h>

#include "base/memory.h"
#include "plan/make.h"

enum { LIMIT = 256 << 20 };

static size_t plan_bytes(const icl__plan *plan) {
  return sizeof *plan + plan->key_bytes + (size_t)plan->nodes * (sizeof(icl__pnode) + 16 * sizeof(void *));
}

icl__plan *icl__plan_find(icl__plan_cache *cache, const uint8_t *key, size_t bytes, uint64_t hash) {
  icl__plan **link = &cache->first;
  for (icl__plan *plan; (plan = *link); link = &plan->next) {
    if (plan->hash != hash || plan->key_bytes != bytes || memcmp(plan->key, key, bytes))
      continue;
    *link = plan->next; /* to the front */
    plan->next = cache->first;
    cache->first = plan;
    return plan;
  }
  return NULL;
}

static void evict(icl__plan_cache *cache) {
  while (cache->bytes > LIMIT && cache->first && cache->first->next) {
    icl__plan **link = &cache->first;
    while ((*link)->next)
      link = &(*link)->next;
    cache->bytes -= plan_bytes(*link);
    icl__plan_free(*link);
    *link = NULL;
  }
}

icl_status icl__plan_insert(icl__plan_cache *cache, icl__plan *plan, const uint8_t *key, size_t bytes, uint64_t hash) {
  if (!(plan->key = icl__alloc(bytes, 1))) {
    icl__plan_free(plan);
    return ICL_ENOMEM;
  }
  memcpy(plan->key, key, bytes);
  plan->key_bytes = bytes;
  plan->hash = hash;
  plan->next = cache->first;
  cache->first = plan;
  cache->bytes += plan_bytes(plan);
  evict(cache);
  return ICL_OK;
}

size_t icl__plan_memory(const icl__plan *plan) {
  return plan->arena_bytes + (plan->scratch_bytes + plan->workspace_bytes) * (size_t)plan->policy.threads;
}

icl_status icl__plan_bind_arena(icl__plan_cache *cache, icl__plan *plan) {
  size_t need = icl__plan_memory(plan);
  if (need > cache->arena_bytes) {
    size_t available = icl__memory_available();
    if (need > available + cache->arena_bytes)
      return icl__fail(
          ICL_ENOMEM,
          "this step needs %.1f GB of working memory and %.1f GB are there; a batch of about %.0f %% of this "
          "one fits, or subdivide it",
          (double)need / 1e9, (double)(available + cache->arena_bytes) / 1e9,
          100.0 * (double)(available + cache->arena_bytes) / (double)need);
    icl__free(cache->arena);
    cache->arena_bytes = 0;
    if (!(cache->arena = icl__alloc(need, 1)))
      return icl__fail(ICL_ENOMEM, "no memory for the %.1f GB that this step works in", (double)need / 1e9);
    cache->arena_bytes = need;
  }
  plan->arena = cache->arena;
  return ICL_OK;
}

void icl__plan_cache_clear(icl__plan_cache *cache) {
  while (cache->first) {
    icl__plan *plan = cache->first;
    cache->first = plan->next;
    icl__plan_free(plan);
  }
  icl__free(cache->arena);
  *cache = (icl__plan_cache){0};
}
