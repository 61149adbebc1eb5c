/* convolution.h - what an operation graph computes: a convolution or one of its gradients, and its result in f32 or as
 * it is. */
#ifndef ICL_TESTS_CUDASIM_CUDNN_CONVOLUTION_H
#define ICL_TESTS_CUDASIM_CUDNN_CONVOLUTION_H

#include "descriptor.h"

namespace dnn {

struct tensor {
  int64_t n, c, h, w; /* packed as n, h, w, c */
  int type;           /* a sim::value_type */
  int64_t id, alignment, is_virtual;

  size_t count() const { return (size_t)(n * c * h * w); }
  size_t bytes() const { return count() * sim::bytes_of((sim::value_type)type); }
};

enum direction { FORWARD, DATA, FILTER };
enum { IMAGE, WEIGHTS, OUTPUT, TENSORS }; /* x, w, y of the forward convolution, whatever is computed */

/* Numbers alone, so that a plan can be kept as text. */
struct convolution {
  int64_t what;
  tensor of[TENSORS]; /* the result has its own type here */
  int64_t groups, stride[2], padding[2], dilation[2];
  int64_t is_fused; /* the result is cast by an operation of its own */

  int result() const { return what == FORWARD ? OUTPUT : what == DATA ? IMAGE : WEIGHTS; }
};

/* Of a finalized graph. */
convolution convolution_of(const descriptor &graph);

/* Computes it; addresses by tensor. */
void compute(const convolution &c, void *const address[TENSORS], bool tf32);

} // namespace dnn

#endif
