/* matmul.c - reference kernel of the matrix product. */
#include "backend/ref/ref.h"

void icl__ref_matmul(const icl__call *call) {
  const icl__view *a = &call->in[0], *b = &call->in[1];
  bool transpose_a = call->attr->i[MATMUL_TRANSPOSE_A], transpose_b = call->attr->i[MATMUL_TRANSPOSE_B];
  int64_t m = call->out.shape[0], n = call->out.shape[1], depth = a->shape[transpose_a ? 0 : 1];
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t k = 0; k < depth; k++)
        sum += values(a)[transpose_a ? k * m + i : i * depth + k] * values(b)[transpose_b ? j * depth + k : k * n + j];
      values(&call->out)[i * n + j] = sum;
    }
}
