/* flags.h - bits that every rank can set for all: the or of them is a sum of zeros and ones, which can travel behind
 * other elements that are added up. */
#ifndef ICL_GROUP_FLAGS_H
#define ICL_GROUP_FLAGS_H

#include "base/status.h"

enum { ICL__FLAGS = 32 };

/* As ICL__FLAGS elements of f32, f64 or i64, and what a sum of them says. */
void icl__flags_put(icl_dtype dtype, void *elements, unsigned bits);
unsigned icl__flags_get(icl_dtype dtype, const void *elements);

/* Replaces *bits by those of all ranks. */
icl_status icl__flags_exchange(icl_group *group, unsigned *bits);

#endif
