/* kernels.h - what the vector kernels of the CPU offer to the CPU device.
 *
 * Kernels exist for AVX-512 (with and without bf16 conversion instructions), AVX2 and portable C, all from one source;
 * icl__cpu_select() asks the processor once. */
#ifndef ICL_BACKEND_CPU_KERNELS_H
#define ICL_BACKEND_CPU_KERNELS_H

#include "backend/cpu/kernels/choice.h"
#include "backend/cpu/kernels/conv_kernel.h"
#include "base/status.h"

/* Chooses the instruction set: the best that the processor has, or what ICL_ISA in the environment names. EINVAL for a
 * name that does not exist, ENOTSUP for one that the processor does not have. Called when a device is opened. */
icl_status icl__cpu_select(void);
const char *icl__cpu_isa(void); /* "avx512bf16", "avx512", "avx2", "portable" */

/* The kernel for a prototype. There always is one: what no vector kernel takes (f64, integers, odd layouts) runs
 * through the reference kernel with conversion of its operands, and false is returned. */
bool icl__cpu_choose(const icl__call *prototype, icl__choice *choice);

/* add_n of two or more tensors and the bn_sums of the result in one pass over memory; both prototypes must fit. */
bool icl__cpu_can_add_bn_sums(const icl__call *add, const icl__call *sums);
void icl__cpu_add_bn_sums(const icl__call *add, const icl__call *sums);

/* icl__convert() with vectors where there are any. */
void icl__cpu_convert(icl_dtype from, const void *x, icl_dtype to, void *y, int64_t count);

const icl__conv_kernel *icl__cpu_winograd(void);
const icl__conv_kernel *icl__cpu_winograd_fused(void);
const icl__conv_kernel *icl__cpu_direct(void);
const icl__conv_kernel *icl__cpu_amx(icl__conv_direction direction);
bool icl__cpu_uses_amx(void); /* or do those kernels imitate it? */

#endif
