/* set.c - the families of kernels of one instruction set. */
#include "backend/cpu/kernels/families.h"

typedef bool (*family)(const icl__call *prototype, icl__choice *choice);

/* Every family of this folder, by the name of its file. */
#define FAMILIES(X)

#define DECLARE(name) bool ISA_NAME(icl__choose_##name)(const icl__call *prototype, icl__choice *choice);
FAMILIES(DECLARE)

static const family families[] = {
#define ENTRY(name) ISA_NAME(icl__choose_##name),
    FAMILIES(ENTRY) NULL};

static bool choose(const icl__call *prototype, icl__choice *choice) {
  for (int i = 0; families[i]; i++) {
    *choice = (icl__choice){0};
    if (families[i](prototype, choice))
      return true;
  }
  return false;
}

static bool can_add_bn_sums(const icl__call *add, const icl__call *sums) {
  (void)add, (void)sums;
  return false;
}
static void add_bn_sums(const icl__call *add, const icl__call *sums) { (void)add, (void)sums; }

#define TEXT_(name) #name
#define TEXT(name)  TEXT_(name)
const icl__kernel_set ISA_NAME(icl__kernels) = {TEXT(ICL_ISA), choose, can_add_bn_sums, add_bn_sums};
