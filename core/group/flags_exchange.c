/* flags_exchange.c - see flags.h: flags that travel by themselves. Plug-ins have the rest alone. */
#include "group/flags.h"
#include "group/group.h"

icl_status icl__flags_exchange(icl_group *group, unsigned *bits) {
  int64_t counts[ICL__FLAGS];
  icl__request *request;
  icl__flags_put(ICL_I64, counts, *bits);
  ICL__TRY(icl__group_start_sum(group, ICL_I64, counts, counts, ICL__FLAGS, &request));
  ICL__TRY(icl__group_wait(group, request));
  *bits = icl__flags_get(ICL_I64, counts);
  return ICL_OK;
}
