/* conv_plans.c - which plans compute a convolution as conv.h promises. It runs nothing, so that it can be asked about
 * any device anywhere. */
#include <string.h>

#include "backend/cuda/conv_choice.h"

unsigned icl__cuda_conv_refused(const icl__cuda_conv_shape *shape, bool tf32, bool precise) {
  unsigned refused =
      1u << CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC | 1u << CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION;
  if (shape->dtype == ICL_F32)
    refused |= 1u << CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
  if (shape->dtype == ICL_F32 && !tf32)
    refused |= 1u << CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
  if (precise) /* their transforms cost a digit */
    refused |= 1u << CUDNN_NUMERICAL_NOTE_WINOGRAD | 1u << CUDNN_NUMERICAL_NOTE_FFT;
  return refused;
}

static bool is_compiled(const icl__cudnn_plan *plan) {
  return plan->behavior & 1u << CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
}

static bool is_among(const icl__cudnn_plan *plans, int count, const char *name) {
  for (int i = 0; i < count; i++)
    if (!strcmp(plans[i].name, name))
      return true;
  return false;
}

/* Adds plans of one of the two kinds of engines; those of the others stay among the configurations. */
static int add_plans(const icl__cudnn_source *source, unsigned refused, bool compiled, icl__cudnn_plan *configs,
                     int given, icl__cudnn_plan *plans, int count, int most) {
  for (int i = 0; i < given && count < most; i++) {
    icl__cudnn_plan *c = &configs[i];
    if (!c->config || is_compiled(c) != compiled || c->numerical & refused || is_among(plans, count, c->name) ||
        !icl__cudnn_plan_make(source, c))
      continue;
    if (c->workspace > ICL__CUDA_CONV_WORKSPACE_MOST)
      continue; /* freed with the configurations */
    plans[count++] = *c;
    *c = (icl__cudnn_plan){0};
  }
  return count;
}

int icl__cuda_conv_plans(const icl__cudnn_source *source, const icl__cudnn_graph *graph, unsigned refused,
                         icl__cudnn_plan *plans, int most) {
  icl__cudnn_plan configs[2 * ICL__CUDNN_CONFIGS];
  int given = icl__cudnn_configs(source, graph, CUDNN_HEUR_MODE_A, configs, ICL__CUDNN_CONFIGS);
  int count = add_plans(source, refused, false, configs, given, plans, 0, most);
  if (2 * count < most) { /* the second question takes longer, and what it adds is seldom fast */
    int more = icl__cudnn_configs(source, graph, CUDNN_HEUR_MODE_FALLBACK, configs + given, ICL__CUDNN_CONFIGS);
    count = add_plans(source, refused, false, configs + given, more, plans, count, most);
    given += more;
  }
  if (!count)
    count = add_plans(source, refused, true, configs, given, plans, 0, 1);
  for (int i = 0; i < given; i++)
    icl__cudnn_plan_free(source->libraries, &configs[i]);
  return count;
}
