/* engines.cpp - engines, what the heuristics say of them, and plans.
 *
 * There are some of each kind that callers must tell apart: fast ones that round f32, ones whose results change from
 * run to run, ones that are compiled at run time, and ones that the heuristics name but that cannot be finalized.
 * CUDASIM_ENGINES_REFUSED names more of the last kind, by number with a comma before and behind each, or `all`. */
#include "engines.h"

#include <stdio.h>
#include <stdlib.h>

namespace dnn {

enum { COMPILED = 3, CHANGING = 5, FAST = 7, PLAIN = 1, SLOW = 0, BROKEN_TILE = 2 };

static const engine engines[] = {
    {FAST, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS}, {}, 131, 64},
    {CHANGING, {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, {}, 4096, 0},
    {COMPILED, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, {CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION}, 0, 0},
    {PLAIN, {}, {}, 1000, 4},
    {SLOW, {}, {}, 0, 0},
};

const engine *find_engine(int64_t number) {
  for (const engine &e : engines)
    if (e.number == number)
      return &e;
  return nullptr;
}

/* What is proposed, in this order: number and tile. */
struct proposal {
  int64_t engine, tile;
};
static const std::vector<proposal> best = {{FAST, BROKEN_TILE}, {FAST, 0},  {CHANGING, 0},
                                           {COMPILED, 0},       {PLAIN, 1}, {PLAIN, 0}};
static const std::vector<proposal> fallback = {{SLOW, 0}};
static const std::vector<proposal> fused = {{COMPILED, BROKEN_TILE}, {COMPILED, 1}, {COMPILED, 0}};

bool rounds(const engine &e, const convolution &c) {
  return c.of[(c.result() + 1) % TENSORS].type == sim::FLOAT && (e.number == FAST || e.number == COMPILED);
}

static bool changes(const engine &e) { return e.number == CHANGING; }

void check_use(const engine &e) {
  if (changes(e))
    sim::fail("cudnnBackendExecute: engine %ld gives other results in each run", (long)e.number);
}

/* ---- engines and configurations ---- */

cudnnStatus_t finish_engine(descriptor &d) {
  int64_t number = d.get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
  const engine *e = find_engine(number);
  if (!e)
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "there is no engine %ld", (long)number);
  convolution c = convolution_of(d.part(CUDNN_ATTR_ENGINE_OPERATION_GRAPH));
  if (c.is_fused && number != COMPILED)
    return refuse(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, "engine %ld takes one operation", (long)number);
  std::vector<cudnnBackendNumericalNote_t> notes;
  for (cudnnBackendNumericalNote_t note : e->numerical)
    if (note != CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS || rounds(*e, c))
      notes.push_back(note);
  if (number == COMPILED && rounds(*e, c))
    notes.push_back(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS);
  d.set(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, notes);
  d.set(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE, e->behaviour);
  return CUDNN_STATUS_SUCCESS;
}

static reference new_descriptor(cudnnBackendDescriptorType_t type) { return reference(new descriptor{type, true, {}}); }

static reference configuration(const reference &graph, const proposal &p) {
  reference e = new_descriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR),
            knob = new_descriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
  e->set_parts(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, {graph});
  e->set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, std::vector<int64_t>{p.engine});
  finish_engine(*e);
  knob->set(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE,
            std::vector<cudnnBackendKnobType_t>{CUDNN_KNOB_TYPE_TILE_SIZE});
  knob->set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, std::vector<int64_t>{p.tile});
  reference c = new_descriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  c->set_parts(CUDNN_ATTR_ENGINECFG_ENGINE, {e});
  c->set_parts(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, {knob});
  return c;
}

cudnnStatus_t finish_heuristics(descriptor &d) {
  const reference &graph = d.parts(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH)[0];
  if (!graph->has(CUDNN_ATTR_OPERATIONGRAPH_HANDLE) && !d.has(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP))
    return refuse(CUDNN_STATUS_BAD_PARAM, "heuristics without a handle and without properties of a device");
  bool is_fallback = d.get<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE) == CUDNN_HEUR_MODE_FALLBACK;
  const std::vector<proposal> none, &proposals = !convolution_of(*graph).is_fused ? (is_fallback ? fallback : best)
                                                 : is_fallback                    ? none
                                                                                  : fused;
  std::vector<reference> results;
  for (const proposal &p : proposals)
    results.push_back(configuration(graph, p));
  d.set_parts(CUDNN_ATTR_ENGINEHEUR_RESULTS, results);
  return CUDNN_STATUS_SUCCESS;
}

/* ---- plans ---- */

static int64_t tile_of(const descriptor &config) {
  if (!config.has(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES))
    return 0;
  return config.part(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES).get<int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE);
}

static bool is_refused(int64_t number) {
  const char *refused = getenv("CUDASIM_ENGINES_REFUSED");
  char name[32];
  snprintf(name, sizeof name, ",%ld,", (long)number);
  return refused && (!strcmp(refused, "all") || strstr(refused, name));
}

/* All that is in a plan's text behind its engine, tile and workspace is the convolution as numbers. */
enum { NUMBERS = sizeof(convolution) / sizeof(int64_t) };
static_assert(sizeof(convolution) % sizeof(int64_t) == 0);

static std::string text_of(const plan &p) {
  std::string text = "{\"cudnn\": " + std::to_string(CUDNN_VERSION) + ", \"engine\": " + std::to_string(p.engine) +
                     ", \"tile\": " + std::to_string(p.tile) + ", \"convolution\": [";
  int64_t number[NUMBERS];
  memcpy(number, &p.what, sizeof number);
  for (int i = 0; i < NUMBERS; i++)
    text += (i ? ", " : "") + std::to_string(number[i]);
  return text + "]}";
}

static cudnnStatus_t read_plan(const std::string &text, plan *p) {
  int at = 0, version = 0;
  if (sscanf(text.c_str(), "{\"cudnn\": %d, \"engine\": %ld, \"tile\": %ld, \"convolution\": [%n", &version, &p->engine,
             &p->tile, &at) != 3 ||
      !at)
    return refuse(CUDNN_STATUS_BAD_PARAM, "the text is no plan");
  if (version != CUDNN_VERSION)
    return refuse(CUDNN_STATUS_SERIALIZATION_VERSION_MISMATCH, "the plan is of version %d", version);
  int64_t number[NUMBERS];
  for (int i = 0; i < NUMBERS; i++) {
    int length = 0;
    if (sscanf(text.c_str() + at, i ? ", %ld%n" : "%ld%n", &number[i], &length) != 1)
      return refuse(CUDNN_STATUS_BAD_PARAM, "the text of the plan is cut off");
    at += length;
  }
  memcpy(&p->what, number, sizeof number);
  return text.compare((size_t)at, std::string::npos, "]}") ? refuse(CUDNN_STATUS_BAD_PARAM, "the text is no plan")
                                                           : CUDNN_STATUS_SUCCESS;
}

/* An attribute that NVIDIA's library does not have. */
enum { PLAN_ITSELF = -1 };

plan plan_of(const descriptor &d) { return d.get<plan>(PLAN_ITSELF); }

size_t workspace_of(const plan &p) {
  const engine &e = *find_engine(p.engine);
  return e.workspace + e.workspace_per_output * p.what.of[OUTPUT].count() * (size_t)(1 + p.tile) / 16;
}

cudnnStatus_t finish_plan(descriptor &d) {
  plan p = {};
  if (!d.has(CUDNN_ATTR_EXECUTION_PLAN_HANDLE) && !d.has(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP))
    return refuse(CUDNN_STATUS_BAD_PARAM, "a plan without a handle and without properties of a device");
  if (d.has(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION) == d.has(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG))
    return refuse(CUDNN_STATUS_BAD_PARAM, "a plan is made from a configuration or from a text");
  if (d.has(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION)) {
    std::vector<char> text = d.list<char>(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION);
    DNN_TRY(read_plan(std::string(text.begin(), text.end()), &p));
  } else {
    const descriptor &config = d.part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    const descriptor &chosen = config.part(CUDNN_ATTR_ENGINECFG_ENGINE);
    p = {chosen.get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX), tile_of(config),
         convolution_of(chosen.part(CUDNN_ATTR_ENGINE_OPERATION_GRAPH))};
  }
  if (!find_engine(p.engine))
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "there is no engine %ld", (long)p.engine);
  if (p.tile == BROKEN_TILE || is_refused(p.engine))
    return refuse(CUDNN_STATUS_INTERNAL_ERROR_COMPILATION_FAILED, "engine %ld with tile %ld does not compile",
                  (long)p.engine, (long)p.tile);
  std::string text = text_of(p);
  d.set(PLAN_ITSELF, CUDNN_TYPE_INT64, std::vector<plan>{p});
  d.set(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, std::vector<int64_t>{(int64_t)workspace_of(p)});
  d.set(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, std::vector<char>(text.begin(), text.end()));
  return CUDNN_STATUS_SUCCESS;
}

} // namespace dnn
