/* families.h - vector kernels: one source for every instruction set.
 *
 * Each file of this folder is compiled once for every instruction set, with ICL_ISA as its name; ISA_NAME gives the
 * symbols that files share a suffix. A family looks at a prototype (an icl__call without data) and fills in a choice if
 * it has a kernel for it.
 *
 * Words that all files use alike:
 *   register  LANES numbers, a `vec`; a lane is one of them
 *   row       the elements along the last axis of a view
 *   line      adjacent rows that are whole registers (lines.h)
 *   series    the elements along one axis of a view, at one position of the other axes (along.c)
 *   stretch   adjacent elements that an elementwise kernel is called for (elementwise.h)
 *   share     the rows, or other units, that one of the parts of a call computes (rows.h)
 *   block     what is worked on together, so that it stays in a cache
 *   panel     the columns of a matrix that one or two registers hold, over the whole depth of a product
 *   slice     a few channels that lie together in scratch memory
 *   tile      4x4 results of minimal filtering, or 8x8 pixels of an input gradient of stride 2; a patch is the pixels
 *             that it reads or makes (winograd_tile.h)
 *   window    the pixels of an input that pooling makes one result of
 *   strip     rows of an image that are copied with zeros around them (direct_problem.h)
 *   scan      how a convolution goes along one axis of its images (scan.h)
 *   piece     rows of an image that are copied for Intel's unit; a plane is one of several copies that its taps read
 *   term      one of the bf16 whose sum is a number for that unit (amx_unit.h)
 *   problem   a convolution as its kernel sees it: what is read, what is made, in which portions */
#ifndef ICL_BACKEND_CPU_KERNELS_FAMILIES_H
#define ICL_BACKEND_CPU_KERNELS_FAMILIES_H

#include "backend/cpu/kernels/choice.h"

typedef struct {
  const char *name;
  bool (*choose)(const icl__call *prototype, icl__choice *choice);
  bool (*can_add_bn_sums)(const icl__call *add, const icl__call *sums);
  void (*add_bn_sums)(const icl__call *add, const icl__call *sums);
  void (*convert)(icl_dtype from, const void *x, icl_dtype to, void *y, int64_t count);
} icl__kernel_set;

extern const icl__kernel_set icl__kernels_avx512bf16, icl__kernels_avx512, icl__kernels_avx2, icl__kernels_portable;

#ifdef ICL_ISA
#define ICL__PASTE_(a, b) a##_##b
#define ICL__PASTE(a, b)  ICL__PASTE_(a, b)
#define ISA_NAME(name)    ICL__PASTE(name, ICL_ISA)

/* Every family, by the name of its file. */
#define FAMILIES(X)                                                                                                    \
  X(along)                                                                                                             \
  X(cast)                                                                                                              \
  X(coefficients)                                                                                                      \
  X(loss)                                                                                                              \
  X(matmul) X(norm) X(norm_sums) X(permute) X(picture) X(pointwise) X(pool) X(random) X(reduce) X(sample) X(shape)

#define DECLARE(name) bool ISA_NAME(icl__choose_##name)(const icl__call *prototype, icl__choice *choice);
FAMILIES(DECLARE)
#undef DECLARE

bool ISA_NAME(icl__can_add_bn_sums)(const icl__call *add, const icl__call *sums);
void ISA_NAME(icl__add_bn_sums)(const icl__call *add, const icl__call *sums);
void ISA_NAME(icl__convert)(icl_dtype from, const void *x, icl_dtype to, void *y, int64_t count);
#endif

#endif
