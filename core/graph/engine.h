/* engine.h - the engine: device, current step, plan cache and the few strings that nodes share. */
#ifndef ICL_GRAPH_ENGINE_H
#define ICL_GRAPH_ENGINE_H

#include <stdatomic.h>

#include "graph/graph.h"
#include "plan/cache.h"
#include "plan/make.h"

typedef struct {
  icl__node *node;
  size_t offset; /* where it begins in the key */
} icl__listed;

/* The canonical form of what an evaluation needs: canonical.c. Its arrays are kept for the next one: they are as large
 * each time. */
typedef struct {
  int nodes;
  size_t capacity;
  icl__listed *listed; /* needed nodes, leaves included, in canonical order */
  size_t key_bytes, key_capacity;
  uint8_t *key;
} icl__canonical;

struct icl_engine {
  int references; /* the owner, and every node, buffer and state */
  const icl__backend *backend;
  void *device;
  icl__policy policy;
  icl_group *group;          /* NULL: there is none; that of a single rank is as good as none */
  unsigned flags, all_flags; /* of this rank in this step; of all in the last */
  bool joins;      /* batch norm is that of all ranks: sums over them are to be those of the threads of one process */
  bool uses_flags; /* some were set, if only to 0, in this step */
  bool sent_flags; /* by themselves, for this step */
  bool ending;     /* what is evaluated ends a step */
  int threads;     /* of the host */
  bool eager, check_nan, profile;
  icl_status lost; /* what a device that works late has failed with; nothing can be computed or read any more */
  char lost_message[512];

  uint64_t next_id, next_mark, last_version;
  int no_gradient; /* depth of icl_no_gradient_begin */
  icl__node *free_nodes;

  bool in_step;
  bool used_gradients; /* did anyone ask for a gradient of a state in this step? */
  uint64_t step_id;    /* the last node id before the step */
  int recorded;
  size_t record_capacity;
  icl__node **record; /* nodes of the step in order; one reference each */
  icl_state *touched; /* states with a current node, a write or gradients in this step */

  icl__canonical form; /* memory of the last evaluation's */
  icl__plan_cache plans;
  icl__plan *last_plan;
  bool made_plan; /* in this step */
  int new_plans;  /* steps in a row that had to be planned */
  bool advised;   /* that they had */
  char advice[512];

  const char *layer, *source; /* where the next op comes from */
  int line;
  char **strings; /* interned: sorted by nothing, found by hash */
  size_t string_count, string_capacity;

  atomic_bool stop; /* asked for by icl_engine_interrupt, until an evaluation has stopped for it */
  icl_statistics statistics;
};

void icl__engine_retain(icl_engine *engine);
void icl__engine_release(icl_engine *engine);
uint64_t icl__engine_mark(icl_engine *engine); /* a number no node is marked with */
const char *icl__engine_intern(icl_engine *engine, const char *text);

/* Records the sum over all ranks of a part of a gradient. */
icl_status icl__record_sum_over_ranks(icl_engine *engine, icl__node *part, icl__node **result);

/* A fresh node without op; NULL after an allocation failure. */
icl__node *icl__node_new(icl_engine *engine);
void icl__node_drop_inputs(icl__node *node);
void icl__custom_release(icl__custom *custom); /* NULL is allowed */

/* Evaluates the targets and, with writes, the new version of every written state, which it stores; `nodes` holds what
 * was recorded, in order. An error leaves states and values as they were. */
icl_status icl__evaluate(icl_engine *engine, int count, icl__node *const *nodes, int targets, icl__node *const *target,
                         bool with_writes);
/* Working memory of icl__evaluate() with writes: it is planned, but not run. */
icl_status icl__evaluation_memory(icl_engine *engine, int count, icl__node *const *nodes, int targets,
                                  icl__node *const *target, size_t *bytes);
/* One node whose inputs all have values. */
icl_status icl__evaluate_now(icl__node *node);
/* Where the value of `node` is, aliases followed: its buffer, or that of a state whose version it is; NULL: it has none
 * yet, or has lost it, or is a number. */
icl__buffer *icl__leaf_buffer(const icl__node *node);
/* The same as memory; a number is read from inside its node. */
const void *icl__node_data(const icl__node *node);
/* ENOVALUE for a value that is gone for good, which `user` ("mul", "reading") needs; what is still to be evaluated is
 * fine. */
icl_status icl__expect_value(const icl__node *node, const char *user);

/* To the host, when all that was begun is done. */
icl_status icl__engine_download(icl_engine *engine, void *host, const void *from, size_t bytes);
/* Fails if the engine is lost. */
icl_status icl__engine_check(const icl_engine *engine);
/* Notes an error that came too late to leave states as they were, and passes it on. */
icl_status icl__engine_lose(icl_engine *engine, icl_status status);

/* Lets nothing else share the memory of the stored value, which stays where it is, unless a thread reads it there:
 * whatever shared it has a copy then. */
icl_status icl__state_own_memory(icl_state *state);
void icl__state_changed(icl_state *state); /* has a new stored value: a version of its own */
void icl__state_touch(icl_state *state);
/* Forgets what this step knew of the state; its stored value stays. */
void icl__state_reset(icl_state *state);

#endif
