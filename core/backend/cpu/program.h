/* program.h - what the CPU makes of a plan: a unit of work for each planned node. */
#ifndef ICL_BACKEND_CPU_PROGRAM_H
#define ICL_BACKEND_CPU_PROGRAM_H

#include <stdatomic.h>

#include "backend/cpu/conv.h"
#include "backend/cpu/kernels.h"
#include "group/group.h"
#include "plan/plan.h"

typedef struct {
  int threads;
  bool profile, check_nan;
  icl__dnnl *dnnl; /* NULL without oneDNN */
  icl__processor processor;
  icl__conv_choice conv; /* forced for every convolution, or AUTO */
} icl__cpu_device;

typedef enum {
  ICL__UNIT_NONE,        /* a leaf, or computed by another unit */
  ICL__UNIT_KERNEL,      /* a vector kernel or the reference */
  ICL__UNIT_ADD_SUMS,    /* add_n with the bn_sums of its result */
  ICL__UNIT_CONV,        /* conv.h */
  ICL__UNIT_PREPARE,     /* weights in the form of a convolution's kernel */
  ICL__UNIT_FINISH,      /* adds the partial results of the shares */
  ICL__UNIT_FINISH_CONV, /* the same in that form, then back to HWIO */
  ICL__UNIT_RECEIVE      /* what came from the other ranks */
} icl__unit_kind;

typedef struct {
  icl__unit_kind kind;
  icl__kernel kernel;
  icl__call call;           /* without data */
  const icl__pnode *second; /* ADD_SUMS: the bn_sums */
  icl__conv *conv;          /* CONV: its own; PREPARE, FINISH_CONV: that of the unit they serve */
  icl__conv own;
  int parts;        /* threads that compute it together, each a part, where they are more than the images */
  double seconds[]; /* by thread, when profiling */
} icl__unit;

typedef struct {
  icl__cpu_device *device;
  icl__plan *plan;
  atomic_int *taken;       /* by share: chunks of the phase that threads have taken */
  atomic_int *added;       /* [share * instructions + instruction]: chunks that have been added to a partial result */
  size_t instructions;     /* of a phase, at most */
  double *waiting;         /* by thread: in phases and at barriers after them, then in sections */
  icl__request **request;  /* by bucket: on its way */
  double sending, blocked; /* seconds that it took to send, and that the first thread waited for the end of it */
  uint64_t runs;
  bool left_out;   /* the last run left out what is settled */
  bool overwrites; /* new versions of states are written over the old ones in the last section */
} icl__cpu_program;

/* Do all threads compute one image after the other? Where there are more of them than images, of which no share has
 * two; but not if several images are summed up, which are better added by a thread each. */
bool icl__cpu_together(const icl__plan *plan, const icl__phase *phase);

static inline icl__unit *icl__unit_of(const icl__pnode *v) { return v->kernel; }

/* Chunk i of k of n images: [begin, end), in sizes that differ by one at most. */
static inline int64_t icl__chunks(int64_t images, int chunk) { return (images + chunk - 1) / chunk; }

void icl__cpu_describe(void *device, char *text, size_t size);
icl_status icl__cpu_rewrite(void *device, icl__plan *plan);
bool icl__cpu_takes_pitch(void *device, const icl__pnode *v, int input);
icl_status icl__cpu_lower(void *device, icl__plan *plan);
void icl__cpu_forget(void *device, icl__plan *plan);
icl_status icl__cpu_run(void *device, void *program, const icl__bindings *bindings);
icl_status icl__cpu_profile(void *device, void *program, char **text);

#endif
