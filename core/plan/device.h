/* device.h - what a device must provide.
 *
 * A backend is a table of functions; the engine opens one device of it. The planner asks it three times: rewrite()
 * before ops get their time, lower() before values get their place, compile() when both are known. A slot marked
 * (optional) may be NULL; the comment gives what happens then. */
#ifndef ICL_PLAN_DEVICE_H
#define ICL_PLAN_DEVICE_H

#include <stdatomic.h>

#include "base/status.h"
#include "plan/policy.h"

struct icl__plan;
struct icl__pnode;

typedef struct {
  int ordinal;  /* which of several devices: 1 of "cuda:1" */
  int threads;  /* host threads that may be used */
  bool profile; /* programs keep times */
  bool check_nan;
  bool precise;          /* kernels that trade digits for speed are out */
  bool deterministic;    /* kernels whose results differ from run to run are out */
  const char *precision; /* of products of f32 values, one of the backend's */
} icl__device_options;

/* What one evaluation gives a program. Where a leaf lies follows from its kind: plan.h. The lists, and numbers, which
 * are the host's, are there until run() returns. States are written where they lie as a rule, so that their addresses
 * are the same in most runs, but for the first after one was written outside of a step; so is that of the arena until a
 * plan needs a larger one. */
typedef struct {
  const void *const *leaf; /* by the plan's leaf number: its value */
  void *const *output;     /* by the plan's output number: where a kept value or a new state version goes; NULL: to the
                              plan's slot */
  void *lasting;           /* where lasting values are, as large as the plan says */
  bool settled;            /* they are there already: what leads to them is left out */
  void *arena;             /* as large as the plan says; what it holds is of no use to the next run */
  const atomic_bool *stop; /* true: give up with EINTERRUPTED, at least before the launch; NULL: never */
  icl_group *group;        /* whose ranks all_reduce adds up; NULL: there is no such op */
  bool *torn;              /* for run() to set if it fails when it has written states: the engine is then lost */
  unsigned *flags;         /* of this rank, to be replaced by those of all if anything is sent; NULL: zeros are sent */
} icl__bindings;

static inline bool icl__stop_wanted(const icl__bindings *bindings) {
  return bindings->stop && atomic_load(bindings->stop);
}

typedef struct icl__backend {
  uint64_t abi;           /* ICL__BACKEND_ABI of host.h */
  const char *name;       /* "cpu" */
  const char *precisions; /* "f32 tf32": what products of f32 values can have */
  bool slow_f16;          /* it computes with f16, but has no kernels for it: trainings are not to store it */
  bool unplanned;         /* runs the recorded nodes in order: no phases and no storage are planned for it, and it
                             writes outputs behind everything else */
  bool groups;            /* it has all_reduce, by the group that a run is given or by means of its own: join() */
  bool leaves_out;        /* runs can leave out what is settled */
  bool slots;             /* addresses are part of its programs: what is not written in place gets a place in the arena,
                             and the engine copies it out */

  icl_status (*open)(const icl__device_options *options, void **device);
  void (*close)(void *device);
  void (*describe)(void *device, char *text, size_t size); /* processor, instruction set, library versions */
  int (*count)(void); /* how many there are, by number from 0 on (optional: one, which has no number) */
  /* changes what the planner is to keep to: threads, among which it splits work and gives each memory of its own (waves
   * are an order for a single one), chunks, what recomputing may cost (optional: it suits) */
  void (*policy)(void *device, icl__policy *policy);

  /* memory of its own, which nothing but these functions and programs looks into; `host` pointers are ordinary memory,
   * which is the caller's again when they return. All but allocate() and download() may be done late, in the order in
   * which they are asked for: memory that is released is in use until what was begun before is done (optional, all six:
   * device memory is host memory) */
  icl_status (*allocate)(void *device, size_t bytes, void **memory);
  void (*release)(void *device, void *memory);
  size_t (*available)(void *device); /* bytes that can still be allocated, in about */
  icl_status (*upload)(void *device, void *memory, const void *host, size_t bytes);
  icl_status (*download)(void *device, void *host, const void *memory, size_t bytes);
  icl_status (*copy)(void *device, void *to, const void *from, size_t bytes);
  /* from now on all_reduce is over the ranks of this group, of which all call it; NULL: there is none. No program is
   * there meanwhile (optional: the group that a run is given is all it needs) */
  icl_status (*join)(void *device, icl_group *group);
  /* until all is done. It and download() fail for what failed meanwhile, with the name of its op; the engine is then of
   * no more use (optional: nothing is done late) */
  icl_status (*wait)(void *device);

  /* adds what the device's kernels need as ordinary nodes, such as weights in another layout
   * (optional: the graph is taken as it is) */
  icl_status (*rewrite)(void *device, struct icl__plan *plan);
  /* may rows of this input of an op, or of its result (-1), lie further apart than they are long?
   * (optional: they may) */
  bool (*takes_pitch)(void *device, const struct icl__pnode *v, int input);
  /* chooses kernels; says the sizes of values in layouts of its own, of partial results and of workspaces, and which
   * global ops may be split. What it computes in one pass it says itself, as companions: both ops keep their time and
   * place (optional: none of these) */
  icl_status (*lower)(void *device, struct icl__plan *plan);
  /* lets go of what lower() has taken for a plan, whose nodes are freed next, `kernel` of each among it. Called for
   * every plan, where rewrite(), lower() or compile() failed as well (optional: it has taken nothing) */
  void (*forget)(void *device, struct icl__plan *plan);
  /* makes the program of a placed plan; the plan stays valid as long as the program */
  icl_status (*compile)(void *device, struct icl__plan *plan, void **program);
  /* runs it, or begins to if there is a wait(). With check_nan outputs are complete when it returns. An error means
   * that nothing was begun, or at least that states are as before, unless `torn` says otherwise */
  icl_status (*run)(void *device, void *program, const icl__bindings *bindings);
  void (*discard)(void *device, void *program);
  /* appends the times that the program kept as text lines (optional: no profile) */
  icl_status (*profile)(void *device, void *program, char **text);
} icl__backend;

#endif
