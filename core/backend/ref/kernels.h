/* kernels.h - the reference kernels: plain loops in f64, the truth that other kernels are compared with. */
#ifndef ICL_BACKEND_REF_KERNELS_H
#define ICL_BACKEND_REF_KERNELS_H

#include "backend/kernel.h"

/* Every view must be dense and of dtype f64 (integers and bool too, exact up to 2^53). Every op that is no leaf, no
 * alias and not all_reduce has one, else NULL. `accumulate` and `part` are ignored: it computes the whole output. */
icl__kernel icl__ref_kernel(int op);

#endif
