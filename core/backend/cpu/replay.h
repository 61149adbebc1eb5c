/* replay.h - one run of a program, as its threads see it. */
#ifndef ICL_BACKEND_CPU_REPLAY_H
#define ICL_BACKEND_CPU_REPLAY_H

#include "backend/cpu/program.h"

typedef struct {
  icl__cpu_program *program;
  const icl__bindings *bindings;
  atomic_int status; /* the first error */
  char message[512]; /* its sentence: the slot of the thread that met it is not the caller's */
  atomic_int leave;  /* decided by thread 0 before a barrier */
} icl__cpu_replay;

typedef struct {
  icl__cpu_replay *run;
  const icl__plan *plan;
  int thread;
  char *arena, *scratch, *workspace;
  int64_t first, images; /* the chunk */
  int share;             /* of the phase's images: that which the chunk is part of */
  bool first_chunk;      /* of that share */
  bool firm;             /* nothing stops the run any more: the other ranks count on it */
} icl__cpu_worker;

/* Where a value lies. `images`: read or written image by image, so from the first of the chunk on. */
void *icl__cpu_address(const icl__cpu_worker *w, const icl__pnode *v, bool images);

#endif
