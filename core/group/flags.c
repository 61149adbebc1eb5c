/* flags.c - see flags.h. */
#include "group/flags.h"

#include "base/dtype.h"
#include "group/group.h"

void icl__flags_put(icl_dtype dtype, void *elements, unsigned bits) {
  for (int i = 0; i < ICL__FLAGS; i++)
    icl__store_f64(dtype, elements, i, bits >> i & 1);
}

unsigned icl__flags_get(icl_dtype dtype, const void *elements) {
  unsigned bits = 0;
  for (int i = 0; i < ICL__FLAGS; i++)
    bits |= (unsigned)(icl__load_f64(dtype, elements, i) != 0) << i;
  return bits;
}

icl_status icl__flags_exchange(icl_group *group, unsigned *bits) {
  int64_t counts[ICL__FLAGS];
  icl__request *request;
  icl__flags_put(ICL_I64, counts, *bits);
  ICL__TRY(icl__group_start_sum(group, ICL_I64, counts, counts, ICL__FLAGS, &request));
  ICL__TRY(icl__group_wait(group, request));
  *bits = icl__flags_get(ICL_I64, counts);
  return ICL_OK;
}
