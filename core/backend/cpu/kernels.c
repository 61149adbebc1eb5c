/* kernels.c - which vector kernels run here, and the way to the reference kernels for what they do not take. */
#include "backend/cpu/kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backend/bn_sums.h"
#include "backend/cpu/kernels/families.h"
#include "backend/cpu/processor.h"
#include "backend/ref/kernels.h"
#include "ops/ops.h"

/* ---- instruction sets, best first ---- */

typedef enum { PORTABLE, AVX2, AVX512, AVX512BF16, AMX } level;

/* The highest level whose instructions this processor has. */
static level highest(void) {
  icl__processor p = icl__processor_at_hand();
  return p.amx_bf16 ? AMX : p.avx512_bf16 ? AVX512BF16 : p.avx512 ? AVX512 : p.avx2 ? AVX2 : PORTABLE;
}

typedef struct {
  const icl__kernel_set *set;
  const icl__conv_kernel *winograd, *fused, *direct, *amx_convolve, *amx_gradient;
  level needs;
} instruction_set;

#define SET(isa, amx, needs)                                                                                           \
  {                                                                                                                    \
    &icl__kernels_##isa, &icl__winograd_##isa, &icl__winograd_fused_##isa, &icl__direct_##isa,                         \
        &icl__amx_convolve_##amx, &icl__amx_gradient_##amx, needs                                                      \
  }

static const instruction_set sets[] = {
#if ICL_HAVE_AVX512BF16
#if ICL_HAVE_AMX
    SET(avx512bf16, amx, AMX),
#endif
    SET(avx512bf16, avx512bf16, AVX512BF16),
#endif
#if ICL_HAVE_AVX512
    SET(avx512, avx512, AVX512),
#endif
#if ICL_HAVE_AVX2
    SET(avx2, avx2, AVX2),
#endif
    SET(portable, portable, PORTABLE),
};
#undef SET
enum { SETS = sizeof sets / sizeof *sets };

static _Atomic(const instruction_set *) selected;

static const instruction_set *best(void) {
  level has = highest();
  int i = 0;
  while (sets[i].needs > has)
    i++;
  return &sets[i];
}

icl_status icl__cpu_select(void) {
  const char *name = getenv("ICL_ISA");
  if (!name || !*name) {
    atomic_store(&selected, best());
    return ICL_OK;
  }
  level has = highest();
  bool built = false;
  for (int i = 0; i < SETS; i++) {
    if (strcmp(sets[i].set->name, name) != 0)
      continue;
    built = true;
    if (sets[i].needs > has)
      continue;
    atomic_store(&selected, &sets[i]);
    return ICL_OK;
  }
  if (built)
    return icl__fail(ICL_ENOTSUP, "ICL_ISA is %s, which this processor does not have; the best it has is %s", name,
                     best()->set->name);
  return icl__fail(ICL_EINVAL, "ICL_ISA is '%s'; it must be avx512bf16, avx512, avx2 or portable, and built in", name);
}

static const instruction_set *current(void) {
  const instruction_set *s = atomic_load(&selected);
  return s ? s : best();
}

static const icl__kernel_set *set(void) { return current()->set; }
const char *icl__cpu_isa(void) { return set()->name; }
const icl__conv_kernel *icl__cpu_winograd(void) { return current()->winograd; }
const icl__conv_kernel *icl__cpu_winograd_fused(void) { return current()->fused; }
const icl__conv_kernel *icl__cpu_direct(void) { return current()->direct; }
const icl__conv_kernel *icl__cpu_amx(icl__conv_direction direction) {
  return direction == ICL__CONV_WEIGHT ? current()->amx_gradient : current()->amx_convolve;
}
bool icl__cpu_uses_amx(void) { return current()->needs == AMX; }

/* ---- the reference kernels on operands of any dtype and pitch ---- */

static size_t f64_bytes(const icl__view *v) { return ((size_t)icl__view_count(v) * sizeof(double) + 63) / 64 * 64; }

static size_t fallback_workspace(const icl__call *call) {
  size_t bytes = f64_bytes(&call->out);
  for (int i = 0; i < call->inputs; i++)
    bytes += f64_bytes(&call->in[i]);
  return bytes;
}

static icl__view dense_f64(const icl__view *v, void *data) {
  icl__view dense = *v;
  dense.data = data;
  dense.dtype = ICL_F64;
  dense.pitch = icl__view_columns(v);
  return dense;
}

static void *element(const icl__view *v, int64_t row) {
  return (char *)v->data + (size_t)(row * v->pitch) * icl_dtype_bytes(v->dtype);
}

static void widen(const icl__view *from, double *to) {
  int64_t rows = icl__view_rows(from), columns = icl__view_columns(from);
  for (int64_t i = 0; i < rows; i++)
    icl__convert(from->dtype, element(from, i), ICL_F64, to + i * columns, columns);
}

static void narrow(double *from, const icl__view *to, bool accumulate) {
  int64_t rows = icl__view_rows(to), columns = icl__view_columns(to);
  for (int64_t i = 0; i < rows; i++) {
    double *row = from + i * columns;
    for (int64_t j = 0; accumulate && j < columns; j++)
      row[j] += icl__load_f64(to->dtype, element(to, i), j);
    icl__convert(ICL_F64, row, to->dtype, element(to, i), columns);
  }
}

static void fallback(const icl__call *call) {
  icl__call wide = *call;
  char *at = call->scratch;
  for (int i = 0; i < call->inputs; i++) {
    wide.in[i] = dense_f64(&call->in[i], at);
    widen(&call->in[i], wide.in[i].data);
    at += f64_bytes(&call->in[i]);
  }
  wide.out = dense_f64(&call->out, at);
  icl__ref_kernel(call->op)(&wide);
  if (call->op == ICL__OP_bn_sums && call->accumulate) {
    const icl__bn_sums sums = icl__bn_sums_at(&call->out), more = icl__bn_sums_at(&wide.out);
    icl__bn_sums_add(&sums, &more, 0, icl__view_columns(&call->out));
    return;
  }
  narrow(wide.out.data, &call->out, call->accumulate);
}

/* ---- choosing ---- */

bool icl__cpu_choose(const icl__call *prototype, icl__choice *choice) {
  if (set()->choose(prototype, choice))
    return true;
  *choice = (icl__choice){fallback, fallback_workspace(prototype), false};
  return false;
}

bool icl__cpu_can_add_bn_sums(const icl__call *add, const icl__call *sums) { return set()->can_add_bn_sums(add, sums); }

void icl__cpu_add_bn_sums(const icl__call *add, const icl__call *sums) { set()->add_bn_sums(add, sums); }

void icl__cpu_convert(icl_dtype from, const void *x, icl_dtype to, void *y, int64_t count) {
  set()->convert(from, x, to, y, count);
}
