/* pointers.cuh - the pointers inside of parameters, for the simulator's check of arguments. */
#ifndef ICL_BACKEND_CUDA_KERNELS_POINTERS_CUH
#define ICL_BACKEND_CUDA_KERNELS_POINTERS_CUH

#include "cuda.h"
#include "kernels.h"

#if !defined __CUDACC__
template <class Visitor> void each_pointer(const icl__cuda_in &in, Visitor visit) { visit(in.data); }
template <class Visitor> void each_pointer(const icl__cuda_out &out, Visitor visit) { visit(out.data); }
template <class Visitor> void each_pointer(const icl__cuda_axes &, Visitor) {}
template <class Visitor> void each_pointer(const icl__cuda_series &, Visitor) {}
template <class Visitor> void each_pointer(const icl__cuda_pool &, Visitor) {}
template <class Visitor> void each_pointer(const icl__cuda_crop_size &, Visitor) {}
template <class Visitor> void each_pointer(const icl__cuda_move &m, Visitor visit) {
  visit(m.shift);
  visit(m.from);
  visit(m.to);
}
template <class Visitor> void each_pointer(const icl__cuda_bind &b, Visitor visit) {
  visit(b.numbers);
  for (int i = 0; i < b.piece_count; i++) {
    visit(b.piece[i].from);
    visit(b.piece[i].to);
  }
}
template <class Visitor> void each_pointer(const icl__cuda_shares &s, Visitor visit) {
  visit(s.data);
  visit(s.received);
}
template <class Visitor> void each_pointer(const icl__cuda_draw &d, Visitor visit) {
  visit(d.key);
  visit(d.ids);
}
template <class Visitor> void each_pointer(const icl__cuda_bn_finish &f, Visitor visit) {
  for (const float *data : {f.weight, f.bias, (const float *)f.coefficients, (const float *)f.running_mean,
                            (const float *)f.running_variance})
    visit(data);
}
template <class Visitor> void each_pointer(const icl__cuda_bn_finish_grad &f, Visitor visit) {
  visit(f.sums);
  visit(f.k);
}
template <class Visitor> void each_pointer(const icl__cuda_bn &o, Visitor visit) {
  for (const void *data : {o.g.data, o.x.data, o.rest.data, (const void *)o.y.data, (const void *)o.coefficients,
                           (const void *)o.k, (const void *)o.sums})
    visit(data);
}
#endif

#endif
