/* backend.h - what a device must provide.
 *
 * A backend is a table of functions; the engine opens one device of it. The planner asks it three times: rewrite()
 * before ops get their time, lower() before values get their place, compile() when both are known. A slot marked
 * (optional) may be NULL; the comment gives what happens then. */
#ifndef ICL_BACKEND_BACKEND_H
#define ICL_BACKEND_BACKEND_H

#include "icl.h"
#include "base/status.h"

enum { ICL__BACKEND_ABI = 1 };

struct icl__plan;
struct icl__pnode;

typedef struct {
  int threads;  /* host threads that may be used */
  bool profile; /* programs keep times */
  bool check_nan;
} icl__device_options;

/* What one evaluation gives a program. Numbers and constants sit on the host or the device as their leaf says. */
typedef struct {
  const void *const *leaf;  /* by the plan's leaf number: value of a constant, an evaluated tensor or a state */
  void *const *output;      /* by the plan's output number: where a kept value or a new state version goes */
  const volatile int *stop; /* not 0: give up between phases with EINTERRUPTED; NULL: never */
} icl__bindings;

typedef struct icl__backend {
  int abi;          /* ICL__BACKEND_ABI */
  const char *name; /* "cpu" */
  bool unplanned;   /* runs the recorded nodes in order: no phases and no storage are planned for it */

  icl_status (*open)(const icl__device_options *options, void **device);
  void (*close)(void *device);
  void (*describe)(void *device, char *text, size_t size); /* processor, instruction set, library versions */

  /* memory; `host` pointers are ordinary memory. (optional, all four: device memory is host memory) */
  icl_status (*allocate)(void *device, size_t bytes, void **memory);
  void (*release)(void *device, void *memory);
  icl_status (*upload)(void *device, void *memory, const void *host, size_t bytes, void *stream);
  icl_status (*download)(void *device, void *host, const void *memory, size_t bytes, void *stream);
  size_t (*available)(void *device); /* bytes that can still be allocated */

  /* adds what the device's kernels need as ordinary nodes, such as weights in another layout
   * (optional: the graph is taken as it is) */
  icl_status (*rewrite)(void *device, struct icl__plan *plan);
  /* may rows of this input of an op, or of its result (-1), lie further apart than they are long?
   * (optional: they may) */
  bool (*takes_pitch)(void *device, const struct icl__pnode *v, int input);
  /* chooses kernels; says the sizes of values in layouts of its own, of partial results and of workspaces, and which
   * global ops may be split (optional: none of these) */
  icl_status (*lower)(void *device, struct icl__plan *plan);
  /* makes the program of a placed plan; the plan stays valid as long as the program */
  icl_status (*compile)(void *device, struct icl__plan *plan, void **program);
  /* runs it on `stream` (NULL: the device's own); returns when the outputs are complete. An error leaves states
   * untouched */
  icl_status (*run)(void *device, void *program, const icl__bindings *bindings, void *stream);
  void (*discard)(void *device, void *program);
  /* records run() once into an object that launches as a whole; scalars and constants are copied into fixed slots
   * before each launch (optional: run() interprets the program) */
  icl_status (*capture)(void *device, void *program, const icl__bindings *bindings);
  /* appends the times that the program kept as text lines (optional: no profile) */
  icl_status (*profile)(void *device, void *program, char **text);

  /* order between streams: all work of `stream` so far happens before what is enqueued on `other` afterwards
   * (optional, all four: there is one stream) */
  icl_status (*stream_new)(void *device, void **stream);
  void (*stream_free)(void *device, void *stream);
  icl_status (*stream_wait)(void *device, void *stream, void *other);
  icl_status (*stream_finish)(void *device, void *stream); /* waits on the host */
} icl__backend;

/* EINVAL with the list of names for one that is not there. */
icl_status icl__backend_find(const char *name, const icl__backend **result);

extern const icl__backend icl__ref_backend, icl__cpu_backend;

#endif
