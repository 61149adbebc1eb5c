/* dtype.c - names and sizes of dtypes. */
#include "base/status.h"

#include <string.h>

static const struct {
  const char *name;
  size_t bytes;
} dtypes[ICL_DTYPE_COUNT] = {
#define X(name, text, bytes) [ICL_##name] = {text, bytes},
    ICL_DTYPE_TABLE(X)
#undef X
};

static bool known(icl_dtype dtype) { return (unsigned)dtype < ICL_DTYPE_COUNT; }

const char *icl_dtype_name(icl_dtype dtype) { return known(dtype) ? dtypes[dtype].name : "unknown dtype"; }

size_t icl_dtype_bytes(icl_dtype dtype) { return known(dtype) ? dtypes[dtype].bytes : 0; }

icl_status icl_dtype_find(const char *name, icl_dtype *result) {
  for (int i = 0; i < ICL_DTYPE_COUNT; i++)
    if (strcmp(dtypes[i].name, name) == 0) {
      *result = (icl_dtype)i;
      return ICL_OK;
    }
  return icl__fail(ICL_EINVAL, "there is no dtype '%s'; dtypes are f32, bf16, f16, f64, u8, i32, i64 and bool", name);
}
