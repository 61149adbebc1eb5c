/* program.h - what the GPU makes of a plan: a unit of work for each planned node, and launches of one or of many units.
 */
#ifndef ICL_BACKEND_CUDA_PROGRAM_H
#define ICL_BACKEND_CUDA_PROGRAM_H

#include "backend/cuda/conv.h"
#include "backend/cuda/expression.h"
#include "backend/cuda/group.h"
#include "backend/kernel.h"

enum { ICL__CUDA_ALIGNMENT = 256 }; /* of workspaces */

typedef enum {
  ICL__CUDA_NONE,       /* a leaf, or computed by another unit */
  ICL__CUDA_KERNEL,     /* ops.h */
  ICL__CUDA_CHAIN,      /* an expression */
  ICL__CUDA_CONV,       /* conv.h */
  ICL__CUDA_MATMUL,     /* matmul.h */
  ICL__CUDA_ZERO,       /* a sum of nothing */
  ICL__CUDA_TRANSPOSE,  /* weights to the layout of cuDNN, or their gradient back */
  ICL__CUDA_RECEIVE,    /* an all_reduce whose value does not lie in its bucket */
  ICL__CUDA_BN_FORWARD, /* bn_coefficients with the bn_sums that it reads */
  ICL__CUDA_BN_BACKWARD /* bn_coefficients_grad with the bn_scale_sums that it reads */
} icl__cuda_kind;

typedef struct {
  icl__cuda_kind kind;
  icl__cuda_expression expression; /* CHAIN; its inputs are those of the node */
  icl__cuda_conv *conv;
  size_t workspace;             /* bytes, of CONV */
  bool beside;                  /* on the stream beside: overlap.c */
  const icl__pnode *sums;       /* BN: the sums, by other units not computed */
  const icl__pnode *running[2]; /* BN_FORWARD: mean and variance that it moves in place, or NULL */
} icl__cuda_unit;

static inline icl__cuda_unit *icl__cuda_unit_of(const icl__pnode *v) { return v->kernel; }

/* A step that sends a bucket, or waits for what comes for it, has no nodes. Others have several only where one launch
 * computes them: chains in f32, or transpositions. Their descriptions are in the
 * memory of the program, at `table` the descriptions, at `blocks` which block of the launch does what. */
typedef struct {
  const icl__bucket *sends, *awaits;
  int nodes;
  icl__pnode **node;
  size_t table, blocks;
  int count, slots; /* blocks; of chains */
  bool wide;        /* chains in f64 */
  int phase;
  bool last;           /* in the last section, where states are written */
  bool stores;         /* a state where it lies */
  bool beside;         /* on the stream beside the main one */
  int wait_for[2];     /* steps that have to be done before: one that sends, one beside; -1: none */
  cudaEvent_t before;  /* on the main stream: for profiles, and for a step on another one to begin */
  cudaEvent_t done;    /* on the other stream */
  double milliseconds; /* of all runs */
} icl__cuda_step;

/* Leaves that are elsewhere in every run are copied to a slot of the program, so that its graph stays as it is. */
typedef struct {
  icl__leaf_kind kind;
  size_t bytes;
  const void *at; /* in the run before */
  void *slot;     /* NULL: it is read where it lies */
} icl__cuda_leaf;

typedef struct {
  icl__cuda_device *device;
  icl__plan *plan;
  int steps;
  icl__cuda_step *step;
  int firm; /* steps before it store no states; the others run when no rank can fail any more. `steps` where nothing is
               sent */
  icl__pnode **listed; /* the nodes of all steps */
  icl__cuda_leaf *leaf;
  void **output; /* in the run before */
  char *arena;   /* in the run before */
  bool torn;     /* this run may have stored some states and not others */
  bool stale;    /* tables and graphs have other addresses than these, also behind a run that failed meanwhile */
  int numbers;
  int *number_of_leaf;
  char *received;  /* of the device: room for what ranks send to be added up, or NULL */
  char *workspace; /* of the device: that of steps beside the others, or NULL */
  char *memory;    /* of the device: numbers, flags of NaN by node, tables */
  size_t flags, tables, bytes;
  char *table;                       /* on the host, as `memory` from `tables` on */
  cudaGraphExec_t graph, firm_graph; /* of the steps before `firm`, and from there on */
  int32_t capture;                   /* of all ranks, if something is sent */
  int captures;
  uint64_t runs;
  cudaEvent_t end; /* for profiles */
} icl__cuda_program;

/* ---- join.c, lower.c ---- */

icl_status icl__cuda_rewrite(void *device, icl__plan *plan);
bool icl__cuda_takes_pitch(void *device, const icl__pnode *v, int input);
icl_status icl__cuda_lower(void *device, icl__plan *plan);
void icl__cuda_forget(void *device, icl__plan *plan);

/* ---- overlap.c ---- */

icl_status icl__cuda_overlap(icl__plan *plan);    /* the last part of lower() */
void icl__cuda_place_waits(icl__cuda_program *p); /* when all steps are listed */
/* Around what a step puts on another stream, after all that is on the main one. */
icl_status icl__cuda_fork(icl__cuda_device *device, icl__cuda_step *step, cudaStream_t other);
icl_status icl__cuda_mark_done(icl__cuda_step *step, cudaStream_t other);

/* ---- send.c ---- */

icl_status icl__cuda_send(icl__cuda_program *p, const icl__bindings *b, icl__cuda_step *step);
/* Makes the value of an all_reduce of what came. */
icl_status icl__cuda_receive(const icl__cuda_program *p, const icl__bindings *b, const icl__pnode *v);
/* Before a run and in it: which way all ranks go; the flags that the last bucket takes along and brings. */
icl_status icl__cuda_choose_way(icl__cuda_program *p, const icl__bindings *b, bool moved, icl__cuda_way *way);
icl_status icl__cuda_settle_flags(icl__cuda_program *p, const icl__bindings *b);
size_t icl__cuda_room(const icl__cuda_program *p); /* bytes of `received` */

/* ---- program.c ---- */

icl_status icl__cuda_compile(void *device, icl__plan *plan, void **program);
void icl__cuda_discard(void *device, void *program);

/* ---- launch.c ---- */

/* Where a value lies in this run. */
void *icl__cuda_address(const icl__cuda_program *p, const icl__bindings *b, const icl__pnode *v);
int icl__cuda_chain_blocks(const icl__pnode *v);
icl__cuda_transpose icl__cuda_transpose_of(const icl__pnode *v); /* without addresses */
/* Writes the descriptions of steps with several nodes to the device. */
icl_status icl__cuda_write_tables(icl__cuda_program *p, const icl__bindings *b);
icl_status icl__cuda_launch_step(icl__cuda_program *p, const icl__bindings *b, icl__cuda_step *step);

/* ---- run.c, profile.c ---- */

/* Addresses never come to rest: the program is not worth a graph. */
bool icl__cuda_is_restless(const icl__cuda_program *p);
void icl__cuda_drop_graphs(icl__cuda_program *p);

icl_status icl__cuda_run(void *device, void *program, const icl__bindings *bindings);
icl_status icl__cuda_profile(void *device, void *program, char **text);

#endif
