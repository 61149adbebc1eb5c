/* processor.h - the units of a processor that there are kernels for. */
#ifndef ICL_BACKEND_CPU_PROCESSOR_H
#define ICL_BACKEND_CPU_PROCESSOR_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  bool avx2;        /* and FMA */
  bool avx512;      /* F, BW, DQ and VL */
  bool avx512_bf16; /* conversion and dot products */
  bool amx_bf16;    /* products of bf16 matrices, and the system lets this program use them */
  bool dnnl_dot;    /* oneDNN's convolutions use products of AVX-512 bf16 */
  bool dnnl_amx;    /* and those of AMX */
  size_t cache;     /* bytes of the second level, which a core has for itself; 0: the system does not say */
} icl__processor;

/* Without what oneDNN uses: icl__conv_processor() of conv.h tells of that, too. */
icl__processor icl__processor_at_hand(void);
/* "AVX2, AVX-512" */
void icl__processor_describe(const icl__processor *processor, char *text, size_t size);

#endif
