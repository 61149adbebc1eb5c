/* cache.c - see cache.h. */
#include "plan/cache.h"

#include <string.h>

#include "base/memory.h"
#include "plan/device_memory.h"
#include "plan/make.h"

static uint64_t hash_bytes(const uint8_t *data, size_t bytes) {
  uint64_t h = 0x9e3779b97f4a7c15u ^ bytes;
  for (; bytes >= 8; data += 8, bytes -= 8) {
    uint64_t v;
    memcpy(&v, data, 8);
    h = (h ^ v) * 0xff51afd7ed558ccdu;
    h ^= h >> 32;
  }
  for (; bytes; data++, bytes--)
    h = (h ^ *data) * 0x100000001b3u;
  return h ^ h >> 29;
}

/* ---- the order of use ---- */

static void unlink_plan(icl__plan_cache *cache, icl__plan *plan) {
  *(plan->newer ? &plan->newer->older : &cache->newest) = plan->older;
  *(plan->older ? &plan->older->newer : &cache->oldest) = plan->newer;
}

static void link_newest(icl__plan_cache *cache, icl__plan *plan) {
  plan->newer = NULL;
  plan->older = cache->newest;
  *(cache->newest ? &cache->newest->newer : &cache->oldest) = plan;
  cache->newest = plan;
}

/* ---- the table ---- */

static icl__plan **slot_of(const icl__plan_cache *cache, uint64_t hash) {
  return &cache->slot[hash & (cache->slots - 1)];
}

icl__plan *icl__plan_find(icl__plan_cache *cache, const uint8_t *key, size_t bytes) {
  uint64_t hash = hash_bytes(key, bytes);
  icl__plan *plan = cache->slots ? *slot_of(cache, hash) : NULL;
  while (plan && (plan->hash != hash || plan->key_bytes != bytes || memcmp(plan->key, key, bytes) != 0))
    plan = plan->next;
  if (plan) {
    unlink_plan(cache, plan);
    link_newest(cache, plan);
  }
  return plan;
}

/* Room for one plan more: at most one a slot on average. */
static icl_status grow_table(icl__plan_cache *cache) {
  if ((size_t)cache->plans < cache->slots)
    return ICL_OK;
  icl__plan_cache larger = {.slots = cache->slots ? 2 * cache->slots : 64};
  if (!(larger.slot = icl__calloc(larger.slots, sizeof *larger.slot)))
    return ICL_ENOMEM;
  for (icl__plan *plan = cache->newest; plan; plan = plan->older) {
    icl__plan **slot = slot_of(&larger, plan->hash);
    plan->next = *slot;
    *slot = plan;
  }
  icl__free(cache->slot);
  cache->slot = larger.slot;
  cache->slots = larger.slots;
  return ICL_OK;
}

static void remove_oldest(icl__plan_cache *cache) {
  icl__plan *plan = cache->oldest, **link = slot_of(cache, plan->hash);
  while (*link != plan)
    link = &(*link)->next;
  *link = plan->next;
  unlink_plan(cache, plan);
  if (cache->lasting.plan == plan)
    icl__lasting_forget(&cache->lasting);
  cache->plans--;
  cache->bytes -= plan->memory;
  icl__plan_free(plan);
}

icl_status icl__plan_insert(icl__plan_cache *cache, icl__plan *plan, size_t memory, const uint8_t *key, size_t bytes) {
  plan->key = icl__alloc(bytes, 1);
  if (!plan->key || grow_table(cache) != ICL_OK) {
    icl__plan_free(plan);
    return ICL_ENOMEM;
  }
  memcpy(plan->key, key, bytes);
  plan->key_bytes = bytes;
  plan->hash = hash_bytes(key, bytes);
  plan->memory = memory + bytes + plan->device_bytes;
  icl__plan **slot = slot_of(cache, plan->hash);
  plan->next = *slot;
  *slot = plan;
  link_newest(cache, plan);
  cache->plans++;
  cache->bytes += plan->memory;
  while (cache->bytes > ICL__PLAN_BYTES && cache->oldest != plan)
    remove_oldest(cache);
  return ICL_OK;
}

/* ---- the arena ---- */

static size_t arena_of(const icl__plan *plan) {
  return plan->arena_bytes + (plan->scratch_bytes + plan->workspace_bytes) * (size_t)plan->policy.threads;
}

size_t icl__plan_memory(const icl__plan *plan) { return arena_of(plan) + plan->lasting_bytes; }

static void release_arena(icl__plan_cache *cache) {
  if (cache->arena)
    icl__device_release(cache->backend, cache->device, cache->arena);
  cache->arena = NULL;
  cache->arena_bytes = 0;
}

static bool has_room(const icl__plan_cache *cache, const icl__plan *plan) {
  return arena_of(plan) <= cache->arena_bytes && plan->lasting_bytes <= cache->lasting.bytes;
}

static size_t available_for(const icl__plan_cache *cache, const icl__plan *plan) {
  return icl__device_available(plan->backend, plan->device) + cache->arena_bytes + cache->lasting.bytes;
}

bool icl__plan_fits(const icl__plan_cache *cache, const icl__plan *plan) {
  return has_room(cache, plan) || icl__plan_memory(plan) <= available_for(cache, plan);
}

/* Lets go of what is too small, and of the rest as well if both together would be more than there is. */
static void make_room(icl__plan_cache *cache, const icl__plan *plan, size_t available) {
  size_t arena = arena_of(plan), lasting = plan->lasting_bytes;
  size_t arena_after = arena > cache->arena_bytes ? arena : cache->arena_bytes,
         lasting_after = lasting > cache->lasting.bytes ? lasting : cache->lasting.bytes;
  bool all = arena_after + lasting_after > available;
  if (all || arena > cache->arena_bytes)
    release_arena(cache);
  if (all || lasting > cache->lasting.bytes)
    icl__lasting_drop(&cache->lasting);
}

icl_status icl__plan_reserve(icl__plan_cache *cache, const icl__plan *plan) {
  size_t need = icl__plan_memory(plan);
  if (has_room(cache, plan))
    return ICL_OK;
  size_t available = available_for(cache, plan);
  if (need > available)
    return icl__fail(
        ICL_ENOMEM,
        "this step needs %.1f GB of working memory and %.1f GB are there; a batch of about %.0f %% of this "
        "one fits, or subdivide it",
        (double)need / 1e9, (double)available / 1e9, 100.0 * (double)available / (double)need);
  make_room(cache, plan, available);
  size_t arena = arena_of(plan);
  if (arena > cache->arena_bytes) {
    if (icl__device_allocate(plan->backend, plan->device, arena, &cache->arena) != ICL_OK)
      return icl__fail(ICL_ENOMEM, "no memory for the %.1f GB that this step works in", (double)need / 1e9);
    cache->arena_bytes = arena;
    cache->backend = plan->backend;
    cache->device = plan->device;
  }
  return icl__lasting_reserve(&cache->lasting, plan);
}

void icl__plan_cache_clear(icl__plan_cache *cache) {
  while (cache->oldest)
    remove_oldest(cache);
  icl__free(cache->slot);
  release_arena(cache);
  icl__lasting_free(&cache->lasting);
  *cache = (icl__plan_cache){0};
}
