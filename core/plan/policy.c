/* policy.c - the switches of the planner. */
#include "plan/policy.h"

#include <stdio.h>
#include <string.h>

static const icl__policy standard = {
#define X(name, text) .name = true,
    ICL__POLICY_TABLE(X)
#undef X
        .chunk_bytes = 256 << 10,
    .chunk_limit = 4 << 20,
    .reads = 2,
    .ranks = 1,
    .bucket_bytes = 25 << 20,
    .last_bucket_bytes = 1 << 20,
};

static bool *find_switch(icl__policy *policy, const char *name, size_t length) {
#define X(rule, text)                                                                                                  \
  if (strlen(#rule) == length && !memcmp(#rule, name, length))                                                         \
    return &policy->rule;
  ICL__POLICY_TABLE(X)
#undef X
  return NULL;
}

/* "no-join,no-recompute": switches rules off. NULL and "" leave all on. */
icl_status icl__policy_parse(const char *switches, icl__policy *policy) {
  *policy = standard;
  for (const char *at = switches; at && *at;) {
    size_t length = strcspn(at, ",");
    bool *rule = length > 3 && !memcmp(at, "no-", 3) ? find_switch(policy, at + 3, length - 3) : NULL;
    if (!rule) {
      char names[256] = "";
#define X(name, text) strncat(names, " no-" #name, sizeof names - strlen(names) - 1);
      ICL__POLICY_TABLE(X)
#undef X
      return icl__fail(ICL_EINVAL, "planner: there is no switch '%.*s'; choose among%s, separated by commas",
                       (int)length, at, names);
    }
    *rule = false;
    at += length + (at[length] == ',');
  }
  return ICL_OK;
}
