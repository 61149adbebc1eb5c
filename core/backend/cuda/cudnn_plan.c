/* cudnn_plan.c - configurations of engines, and plans of them: the second half of cudnn_graph.h. What fails here is a
 * proposal that does not hold, for which there is another one; so nothing leaves a message. */
#include <stdio.h>
#include <string.h>

#include "backend/cuda/cudnn_graph.h"

typedef cudnnBackendDescriptor_t descriptor;

enum { KNOBS = 32 };

/* NULL, or what is to be destroyed. */
static descriptor create(const icl__cuda_libraries *l, cudnnBackendDescriptorType_t type) {
  descriptor d = NULL;
  return l->cudnn.cudnnBackendCreateDescriptor(type, &d) == CUDNN_STATUS_SUCCESS ? d : NULL;
}

static void destroy(const icl__cuda_libraries *l, descriptor d) {
  if (d)
    l->cudnn.cudnnBackendDestroyDescriptor(d);
}

static bool set(const icl__cuda_libraries *l, descriptor d, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values) {
  return d && l->cudnn.cudnnBackendSetAttribute(d, name, type, count, values) == CUDNN_STATUS_SUCCESS;
}

static bool set_part(const icl__cuda_libraries *l, descriptor d, cudnnBackendAttributeName_t name, descriptor part) {
  return set(l, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &part);
}

/* How many values there are, of which at most `most` are taken; descriptors among them must be there before. */
static int get(const icl__cuda_libraries *l, descriptor d, cudnnBackendAttributeName_t name,
               cudnnBackendAttributeType_t type, int most, void *values) {
  int64_t count = 0;
  if (!d || l->cudnn.cudnnBackendGetAttribute(d, name, type, most, &count, values) != CUDNN_STATUS_SUCCESS)
    return 0;
  return most && count > most ? most : (int)count;
}

static bool finalize(const icl__cuda_libraries *l, descriptor d) {
  return d && l->cudnn.cudnnBackendFinalize(d) == CUDNN_STATUS_SUCCESS;
}

static descriptor graph_of(const icl__cudnn_graph *g) { return g->part[g->parts - 1]; }

/* ---- what a configuration is ---- */

static int read_knobs(const icl__cuda_libraries *l, descriptor config, char *name, int used) {
  descriptor knob[KNOBS] = {0};
  for (int i = 0; i < KNOBS; i++)
    knob[i] = create(l, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
  int count = get(l, config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, KNOBS, knob);
  for (int i = 0; i < KNOBS; i++) {
    cudnnBackendKnobType_t type;
    int64_t value;
    if (i < count && used < ICL__CUDNN_NAME &&
        get(l, knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &type) &&
        get(l, knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &value))
      used += snprintf(name + used, (size_t)(ICL__CUDNN_NAME - used), " %d=%lld", (int)type, (long long)value);
    destroy(l, knob[i]);
  }
  return used;
}

static void read_notes(const icl__cuda_libraries *l, descriptor engine, icl__cudnn_plan *plan) {
  cudnnBackendNumericalNote_t numerical[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
  cudnnBackendBehaviorNote_t behavior[CUDNN_BEHAVIOR_NOTE_TYPE_COUNT];
  int count = get(l, engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                  CUDNN_NUMERICAL_NOTE_TYPE_COUNT, numerical);
  for (int i = 0; i < count; i++)
    plan->numerical |= 1u << numerical[i];
  count = get(l, engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE, CUDNN_BEHAVIOR_NOTE_TYPE_COUNT,
              behavior);
  for (int i = 0; i < count; i++)
    plan->behavior |= 1u << behavior[i];
}

/* False: it cannot be told what the configuration is, or its name is too long to be kept. */
static bool read_config(const icl__cuda_libraries *l, icl__cudnn_plan *plan) {
  descriptor engine = create(l, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  int64_t number;
  int used = ICL__CUDNN_NAME;
  if (get(l, plan->config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &engine) &&
      get(l, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &number)) {
    read_notes(l, engine, plan);
    used = snprintf(plan->name, sizeof plan->name, "%lld", (long long)number);
    used = read_knobs(l, plan->config, plan->name, used);
  }
  destroy(l, engine);
  return used < ICL__CUDNN_NAME;
}

/* ---- configurations ---- */

int icl__cudnn_configs(const icl__cudnn_source *source, const icl__cudnn_graph *graph, cudnnBackendHeurMode_t mode,
                       icl__cudnn_plan *plans, int most) {
  const icl__cuda_libraries *l = source->libraries;
  descriptor heuristics = create(l, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR), config[ICL__CUDNN_CONFIGS];
  int count = 0, kept = 0;
  if (set_part(l, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_of(graph)) &&
      set(l, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode) &&
      (!source->properties || set_part(l, heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, source->properties)) &&
      finalize(l, heuristics))
    count = get(l, heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, NULL);
  most = most < ICL__CUDNN_CONFIGS ? most : ICL__CUDNN_CONFIGS;
  int wanted = count < most ? count : most;
  for (int i = 0; i < wanted; i++)
    config[i] = create(l, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  if (wanted)
    count = get(l, heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, wanted, config);
  for (int i = 0; i < wanted; i++) {
    icl__cudnn_plan plan = {.config = config[i]};
    if (i < count && read_config(l, &plan))
      plans[kept++] = plan;
    else
      destroy(l, config[i]);
  }
  destroy(l, heuristics);
  return kept;
}

/* The engine of this number for the graph. */
static descriptor engine_numbered(const icl__cudnn_source *source, const icl__cudnn_graph *graph, int64_t number) {
  const icl__cuda_libraries *l = source->libraries;
  descriptor engine = create(l, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  if (set_part(l, engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph_of(graph)) &&
      set(l, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &number) &&
      (!source->properties || set_part(l, engine, CUDNN_ATTR_ENGINE_DEVICEPROP, source->properties)) &&
      finalize(l, engine))
    return engine;
  destroy(l, engine);
  return NULL;
}

/* " 2=1 25=0" as descriptors; -1: it is no list of settings. */
static int parse_knobs(const icl__cuda_libraries *l, const char *text, descriptor knob[KNOBS]) {
  int count = 0;
  for (int type, used; *text && count < KNOBS; text += used) {
    long long value;
    if (sscanf(text, " %d=%lld%n", &type, &value, &used) != 2)
      return -1;
    cudnnBackendKnobType_t as = (cudnnBackendKnobType_t)type;
    int64_t to = value;
    knob[count] = create(l, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    descriptor d = knob[count++];
    if (!set(l, d, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &as) ||
        !set(l, d, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &to) || !finalize(l, d))
      return -1;
  }
  return count;
}

bool icl__cudnn_config_named(const icl__cudnn_source *source, const icl__cudnn_graph *graph, const char *name,
                             icl__cudnn_plan *plan) {
  const icl__cuda_libraries *l = source->libraries;
  long long number;
  int used;
  *plan = (icl__cudnn_plan){0};
  if (sscanf(name, "%lld%n", &number, &used) != 1)
    return false;
  descriptor knob[KNOBS] = {0}, engine = engine_numbered(source, graph, number);
  int knobs = engine ? parse_knobs(l, name + used, knob) : -1;
  plan->config = knobs < 0 ? NULL : create(l, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  bool done =
      set_part(l, plan->config, CUDNN_ATTR_ENGINECFG_ENGINE, engine) &&
      (!knobs || set(l, plan->config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, knobs, knob)) &&
      finalize(l, plan->config) && read_config(l, plan);
  for (int i = 0; i < KNOBS; i++)
    destroy(l, knob[i]);
  destroy(l, engine);
  if (!done)
    icl__cudnn_plan_free(l, plan);
  return done;
}

/* ---- plans ---- */

bool icl__cudnn_plan_make(const icl__cudnn_source *source, icl__cudnn_plan *plan) {
  const icl__cuda_libraries *l = source->libraries;
  int64_t workspace;
  descriptor d = create(l, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  if (set_part(l, d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, plan->config) &&
      (source->properties ? set_part(l, d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, source->properties)
                          : set(l, d, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &source->handle)) &&
      finalize(l, d) && get(l, d, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &workspace) &&
      workspace >= 0) {
    plan->plan = d;
    plan->workspace = (size_t)workspace;
    return true;
  }
  destroy(l, d);
  return false;
}

void icl__cudnn_plan_free(const icl__cuda_libraries *libraries, icl__cudnn_plan *plan) {
  destroy(libraries, plan->plan);
  destroy(libraries, plan->config);
  *plan = (icl__cudnn_plan){0};
}
