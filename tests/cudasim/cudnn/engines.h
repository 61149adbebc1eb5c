/* engines.h - the engines that this double has, and plans: an engine for a convolution. */
#ifndef ICL_TESTS_CUDASIM_CUDNN_ENGINES_H
#define ICL_TESTS_CUDASIM_CUDNN_ENGINES_H

#include "convolution.h"

namespace dnn {

struct engine {
  int64_t number;
  std::vector<cudnnBackendNumericalNote_t> numerical;
  std::vector<cudnnBackendBehaviorNote_t> behaviour;
  size_t workspace, workspace_per_output; /* bytes; sixteenths of a byte for each value of the output */
};
const engine *find_engine(int64_t number);

/* Operands of f32 lose digits. */
bool rounds(const engine &e, const convolution &c);
/* Fails for an engine that must not be used. */
void check_use(const engine &e);

struct plan {
  int64_t engine, tile;
  convolution what;
};
plan plan_of(const descriptor &d);
size_t workspace_of(const plan &p);

} // namespace dnn

#endif
