/* cast.c - conversion between all dtypes. */
#include "backend/cpu/kernels/convert.h"
#include "backend/cpu/kernels/rows.h"
#include "ops/ops.h"

/* Are all its values exact in f32? */
static bool is_narrow(icl_dtype dtype) { return dtype != ICL_F64 && dtype != ICL_I32 && dtype != ICL_I64; }

void ISA_NAME(icl__convert)(icl_dtype from, const void *x, icl_dtype to, void *y, int64_t count) {
  enum { BLOCK = 512 };
  if (to == ICL_F32) {
    widen(from, x, y, count);
  } else if (from == ICL_F32) {
    narrow(x, to, y, count);
  } else if (is_narrow(from)) {
    for (int64_t i = 0; i < count; i += BLOCK) {
      float block[BLOCK];
      int64_t n = count - i < BLOCK ? count - i : BLOCK;
      widen(from, (const char *)x + i * (int64_t)icl_dtype_bytes(from), block, n);
      narrow(block, to, (char *)y + i * (int64_t)icl_dtype_bytes(to), n);
    }
  } else {
    icl__convert(from, x, to, y, count);
  }
}

static void run_cast(const icl__call *call) {
  const icl__view *x = &call->in[0], *y = &call->out;
  int64_t columns = icl__view_columns(x);
  if (is_dense(x) && is_dense(y)) {
    share own = part_of(call, icl__view_count(x));
    ISA_NAME(icl__convert)
    (x->dtype, (char *)x->data + own.begin * (int64_t)icl_dtype_bytes(x->dtype), y->dtype,
     (char *)y->data + own.begin * (int64_t)icl_dtype_bytes(y->dtype), own.end - own.begin);
    return;
  }
  share own = part_of(call, icl__view_rows(x));
  for (int64_t i = own.begin; i < own.end; i++)
    ISA_NAME(icl__convert)(x->dtype, row_at(x, i), y->dtype, row_at(y, i), columns);
}

bool ISA_NAME(icl__choose_cast)(const icl__call *prototype, icl__choice *choice) {
  choice->run = run_cast;
  choice->splits = true;
  return prototype->op == ICL__OP_cast;
}
