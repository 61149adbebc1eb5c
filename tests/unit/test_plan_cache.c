/* test_plan_cache.c - plans are found again, and the cache neither grows without bound nor slows down. */
#include "nets.h"

#include <string.h>

#include "base/memory.h"
#include "graph/engine.h"
#include "unit.h"

static icl__plan *insert(icl__plan_cache *cache, int32_t number, size_t memory) {
  icl__plan *plan = icl__calloc(1, sizeof *plan);
  CHECK(plan != NULL);
  CHECK_OK(icl__plan_insert(cache, plan, memory, (const uint8_t *)&number, sizeof number));
  return plan;
}

static icl__plan *find(icl__plan_cache *cache, int32_t number) {
  return icl__plan_find(cache, (const uint8_t *)&number, sizeof number);
}

TEST(a_plan_is_found_by_its_key) {
  icl__plan_cache cache = {0};
  CHECK(find(&cache, 7) == NULL);
  icl__plan *first = insert(&cache, 7, 0);
  for (int32_t i = 100; i < 1100; i++)
    insert(&cache, i, 0);
  CHECK(find(&cache, 7) == first);
  CHECK(find(&cache, 8) == NULL);
  CHECK_EQ(cache.plans, 1001);
  icl__plan_cache_clear(&cache);
  CHECK_EQ(cache.plans, 0);
}

TEST(the_least_recently_used_plans_go) {
  enum { FIT = 16, BYTES = ICL__PLAN_BYTES / FIT - 1024 };
  icl__plan_cache cache = {0};
  for (int32_t i = 0; i < FIT; i++)
    insert(&cache, i, BYTES);
  CHECK_EQ(cache.plans, FIT);
  CHECK(find(&cache, 0) != NULL); /* now the newest */
  for (int32_t i = 0; i < 3; i++)
    insert(&cache, FIT + i, BYTES);
  CHECK_EQ(cache.plans, FIT);
  CHECK(cache.bytes <= ICL__PLAN_BYTES);
  for (int32_t i = 1; i <= 3; i++)
    CHECK(find(&cache, i) == NULL);
  CHECK(find(&cache, 0) != NULL && find(&cache, 4) != NULL && find(&cache, FIT + 2) != NULL);
  icl__plan_cache_clear(&cache);
}

TEST(one_plan_may_be_larger_than_the_cache) {
  icl__plan_cache cache = {0};
  insert(&cache, 1, 0);
  insert(&cache, 2, 2 * (size_t)ICL__PLAN_BYTES);
  CHECK_EQ(cache.plans, 1);
  CHECK(find(&cache, 2) != NULL);
  icl__plan_cache_clear(&cache);
}

TEST(ten_thousand_shapes_are_found_in_few_steps) {
  net *n = net_new(&(icl_config){.threads = 1});
  float data[10000] = {0};
  for (int32_t size = 1; size <= 10000; size++) {
    icl_tensor *x, *y;
    CHECK_OK(icl_tensor_new(n->engine, ICL_F32, 1, &size, data, &x));
    CHECK_OK(icl_apply(n->engine, icl_op_find("neg"), 1, &x, NULL, &y));
    icl_tensor_release(x);
    icl_tensor_release(y);
  }
  const icl__plan_cache *cache = &n->engine->plans;
  CHECK(cache->bytes <= ICL__PLAN_BYTES);
  CHECK(cache->plans <= (int)cache->slots);
  int longest = 0;
  for (size_t i = 0; i < cache->slots; i++) {
    int length = 0;
    for (const icl__plan *plan = cache->slot[i]; plan; plan = plan->next)
      length++;
    longest = length > longest ? length : longest;
  }
  CHECK(longest <= 12); /* as random numbers do */
  net_free(n);
}
