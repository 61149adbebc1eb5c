/* set.c - the families of kernels of one instruction set. */
#include "backend/cpu/kernels/families.h"

typedef bool (*family)(const icl__call *prototype, icl__choice *choice);

static const family families[] = {
#define ENTRY(name) ISA_NAME(icl__choose_##name),
    FAMILIES(ENTRY)};

static bool choose(const icl__call *prototype, icl__choice *choice) {
  for (int i = 0; i < (int)(sizeof families / sizeof *families); i++) {
    *choice = (icl__choice){0};
    if (families[i](prototype, choice))
      return true;
  }
  return false;
}

#define TEXT_(name) #name
#define TEXT(name)  TEXT_(name)
const icl__kernel_set ISA_NAME(icl__kernels) = {TEXT(ICL_ISA), choose, ISA_NAME(icl__can_add_bn_sums),
                                                ISA_NAME(icl__add_bn_sums), ISA_NAME(icl__convert)};
