/* cudnn_graph.h - a convolution as cuDNN sees it: a graph of operations, configurations of engines that may compute it,
 * and plans made of these.
 *
 * cuDNN is asked about the device of a handle, or about one that a description of its properties stands for; that one
 * need not be there, but its plans cannot be run. */
#ifndef ICL_BACKEND_CUDA_CUDNN_GRAPH_H
#define ICL_BACKEND_CUDA_CUDNN_GRAPH_H

#include "backend/cuda/conv_shape.h"
#include "backend/cuda/libraries.h"

typedef struct {
  const icl__cuda_libraries *libraries;
  cudnnHandle_t handle;
  cudnnBackendDescriptor_t properties; /* NULL: the device is that of the handle */
} icl__cudnn_source;

/* Fails with what cuDNN says about its last error. */
icl_status icl__cudnn_fail(const icl__cuda_libraries *libraries, cudnnStatus_t error, const char *what);

/* ---- graphs ---- */

/* Names of tensors in graphs and in what they are run with. */
enum { ICL__CUDNN_X = 1, ICL__CUDNN_W, ICL__CUDNN_Y };

enum { ICL__CUDNN_PARTS = 8 };
typedef struct {
  const icl__cuda_libraries *libraries;
  cudnnBackendDescriptor_t part[ICL__CUDNN_PARTS]; /* the last is the graph */
  int parts;
  cudnnStatus_t status; /* the first failure; nothing is done after it */
} icl__cudnn_graph;

/* Must be freed, also when it fails. */
icl_status icl__cudnn_graph_make(const icl__cudnn_source *source, const icl__cuda_conv_shape *shape,
                                 icl__cudnn_graph *graph);
void icl__cudnn_graph_free(icl__cudnn_graph *graph);

/* ---- plans ---- */

/* An engine by its number, and its settings: "12 2=1 25=0". */
enum { ICL__CUDNN_NAME = 160 };

/* Notes of an engine are bits, by CUDNN_NUMERICAL_NOTE_ and CUDNN_BEHAVIOR_NOTE_. */
typedef struct {
  cudnnBackendDescriptor_t config, plan; /* a plan is NULL until it is made */
  unsigned numerical, behavior;
  char name[ICL__CUDNN_NAME];
  size_t workspace; /* of the plan */
} icl__cudnn_plan;

/* The configurations that cuDNN proposes, the best first; at most `most`. */
enum { ICL__CUDNN_CONFIGS = 48 };
int icl__cudnn_configs(const icl__cudnn_source *source, const icl__cudnn_graph *graph, cudnnBackendHeurMode_t mode,
                       icl__cudnn_plan *plans, int most);
/* The configuration of a name; false: cuDNN does not know it. */
bool icl__cudnn_config_named(const icl__cudnn_source *source, const icl__cudnn_graph *graph, const char *name,
                             icl__cudnn_plan *plan);
/* False: what was proposed cannot be had. */
bool icl__cudnn_plan_make(const icl__cudnn_source *source, icl__cudnn_plan *plan);
void icl__cudnn_plan_free(const icl__cuda_libraries *libraries, icl__cudnn_plan *plan);

#endif
