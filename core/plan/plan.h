/* plan.h - a plan: what a recorded step becomes, as its stages and a device see it.
 *
 * Nodes that share a batch on axis 0 form a domain. Time runs in phases 1..n, each of one domain: the images are
 * parted evenly into shares, by default one a thread, and walk chunk by chunk through the map ops and partial sums of
 * the phase. After phase p comes section p, where global ops run in waves parted by barriers, split among threads.
 * Section 0 comes before phase 1; the last section holds the writes of states. Times order lifetimes: 2 p is phase p, 2
 * p + 1 is section p.
 *
 * What an all_reduce sends is on its way during phases: its input is there before one, its value after the same one or
 * a later one. A phase may have nothing else to do; the last one of a plan that sends has not, so that no rank stores
 * anything while another can still fail.
 *
 * The planner knows ops by the table of ops.def. Only the rules that turn one pattern of ops into another (rewrite.c,
 * statistics.c, dense.c) and those for concatenations (share.c) name the ops of their patterns. What is special about a
 * device is asked of the device (device.h). */
#ifndef ICL_PLAN_PLAN_H
#define ICL_PLAN_PLAN_H

#include "ops/attributes.h"
#include "ops/ops.h"
#include "plan/device.h"
#include "plan/policy.h"

/* Ops that only the planner makes. FINISH turns the partial results of a reduction into its value. PREPARE brings
 * weights into the layout of a kernel. CHAIN is several pointwise ops of one shape, which ones its device knows. */
enum { ICL__PLAN_FINISH = ICL__OP_COUNT, ICL__PLAN_PREPARE, ICL__PLAN_CHAIN, ICL__PLAN_OP_COUNT };
const char *icl__plan_op_name(int op);

typedef struct icl__pnode icl__pnode;
typedef struct icl__plan icl__plan;
typedef struct icl__bucket icl__bucket;

/* What a leaf is, and with it where its value lies at a run: a number in the host's memory, everything else in the
 * device's. The value of a state is at the same address in most runs (device.h); that of another leaf is where it came
 * into being. */
typedef enum {
  ICL__LEAF_NONE,     /* computed */
  ICL__LEAF_NUMBER,   /* one f64 */
  ICL__LEAF_CONSTANT, /* given from outside, such as a batch, indices, a key */
  ICL__LEAF_TENSOR,   /* a result of an earlier evaluation */
  ICL__LEAF_STATE     /* the stored version of a state */
} icl__leaf_kind;

typedef enum {
  ICL__STORE_NONE,    /* no memory of its own: joined into another op */
  ICL__STORE_LEAF,    /* bound at each run */
  ICL__STORE_OUTPUT,  /* bound at each run: kept value or new state version */
  ICL__STORE_BATCH,   /* arena, all images */
  ICL__STORE_CHUNK,   /* scratch of each thread, one chunk of images */
  ICL__STORE_SHARED,  /* arena, one value */
  ICL__STORE_PARTIAL, /* arena, one partial result for the images of each thread */
  ICL__STORE_BLOCK,   /* scratch of each thread, one block of a chain */
  ICL__STORE_LASTING  /* memory that the next run finds as it was */
} icl__store;

/* Fields are grouped by the stage that writes them; later stages read them. */
struct icl__pnode {
  /* make.c, edit.c and the rewriting stages: what is computed */
  int op, inputs;
  icl_dtype dtype, stored; /* in memory: f64 for partial sums of floats */
  int rank;
  int32_t shape[ICL_MAX_RANK];
  icl_attributes attr;
  icl__pnode *in[ICL_MAX_INPUTS];
  const char *layer;
  int key;          /* place in recorded order; -1: made by the planner */
  int leaf, output; /* numbers of bindings, or -1 */
  icl__leaf_kind kind;
  bool state_output; /* the output is a new version of a state */

  /* edit.c: order and users */
  int index; /* place in plan->node */
  int uses;
  size_t use_capacity;
  icl__pnode **use; /* an entry an operand: a node that reads this twice is in it twice */
  bool alive;
  bool visited; /* scratch of walks */

  /* domains.c: the batch */
  icl__behaviour behaviour;
  uint32_t batched; /* inputs read image by image */
  bool seed;        /* axis 0 is a batch by nature */
  int domain;       /* -1: none */

  /* buckets.c: of all_reduce, and of its input where that is written into the bucket */
  icl__bucket *bucket;
  size_t element; /* of the bucket, the first that is its own */
  bool inside;    /* the value lies in the bucket */

  /* cuts.c */
  bool cuts; /* a phase begins here, so that the weights of the one before need not stay */

  /* schedule.c, sink.c: time */
  int phase;  /* phase of map and reduce ops, section of global ones; leaves 0 */
  int pinned; /* not before this phase */
  int waits;  /* operands that have no phase yet */
  bool slack; /* nothing in a phase waits for this global op */

  /* recompute.c */
  bool again; /* later phases compute it again */

  /* instructions.c, for global ops chains.c: position among those of the phase, or in the chain */
  int place;

  /* share.c: lifetimes, and what lies in one place */
  int last, last_place; /* time of the last use, and position of the last use in that phase or chain */
  int whole;            /* the last phase in which an op reads it whole, not image by image; 0: none does */
  icl__store store;
  icl__pnode *same;      /* shares the storage of this value, which shares none itself */
  int32_t width, column; /* elements of a row in memory, 0: those of the shape; first of them in the shared row */
  bool rigid;            /* something that uses the storage cannot take rows further apart than they are long */
  bool view;             /* nothing is computed: it lies within `same` */

  /* lasting.c */
  bool settled; /* need not run where the lasting values are there */

  /* the device, when asked to lower() */
  bool splits;           /* parts can be computed apart */
  const char *choice;    /* which of several kernels runs, for profiles; NULL: there is one */
  size_t scratch;        /* workspace bytes a thread */
  size_t opaque;         /* bytes of a value whose layout is a kernel's own; 0: shape and dtype say it */
  icl__pnode *companion; /* this op is computed in one pass with that one; for descriptions */
  void *kernel;          /* the device's own */

  /* chains.c: global ops that run as one */
  icl__pnode *chain, *link; /* the first op of its chain, the next one; alone: itself, NULL */
  int level;                /* within the section: above what its chain reads from outside */
  bool links;               /* may be part of a chain */

  /* sections.c: wave in its section; thread, -1: all */
  int wave, on;

  /* storage.c */
  size_t offset, bytes; /* bytes: of one image for BATCH and CHUNK, of the images of one thread for PARTIAL */
};

typedef struct {
  icl__pnode *node; /* the first of its chain */
  int part, parts;
} icl__item;

/* What is sent to the other ranks at once: the inputs of some all_reduces, one after another. */
struct icl__bucket {
  icl_dtype dtype; /* of the sums: f32, f64, i64 */
  bool join;       /* a single table of bn_sums, and behind it those of all ranks */
  bool flags;      /* flags of the step follow: group/flags.h */
  size_t count;    /* elements that a rank sends, without flags */
  int members;
  size_t capacity;
  icl__pnode **member; /* all_reduces, in recorded order */
  int ready;           /* the place in recorded order of the last op of a phase that it waits for */
  int after;           /* it does not depend on the bucket of this number nor on later ones, as they were made */
  int number, place;   /* in the order in which they were made, and in that in which they are sent */
  int start, wait;     /* it is on its way from the beginning of one phase to the end of another */
  size_t offset;       /* in the arena */
};

enum { ICL__BLOCK = 4096 }; /* elements of a block of a chain; a part is whole blocks but for the last */

/* What one thread does in one wave of a section. */
typedef struct {
  int items;
  size_t capacity;
  icl__item *item;
  size_t load; /* bytes moved */
} icl__lane;

typedef struct {
  int domain, chunk;
  int instructions;
  icl__pnode **instruction;
  int waves;
  size_t lane_capacity;
  icl__lane *lane; /* [wave * threads + thread] */
} icl__phase;

#define ICL__NO_SLOT SIZE_MAX

struct icl__plan {
  icl__policy policy;
  const icl__backend *backend;
  void *device;
  void *program; /* the device's */

  int nodes;
  size_t capacity;
  icl__pnode **node;
  int leaves, outputs;
  int *state_leaf; /* by output: leaf with the state's old version, or -1 */
  bool *in_place;  /* by output: a new version that may be written where the old one lies */
  size_t *slot;    /* by output: its place in the arena, for devices with slots; else ICL__NO_SLOT */
  bool sends;      /* it has all_reduces */
  int buckets;
  size_t bucket_capacity;
  icl__bucket **bucket; /* in the order in which they are sent, which is the same on all ranks */
  int domains;
  int32_t *domain_size;
  int phases;
  icl__phase *phase; /* [0..phases] */
  size_t arena_bytes, scratch_bytes, kept_bytes, recomputed_bytes, workspace_bytes;
  size_t lasting_bytes; /* of the lasting values; 0: there are none */
  int settled_leaves;
  int *settled_leaf;   /* the leaves that those are made of */
  size_t device_bytes; /* memory that the device has taken for it by other means than ours, in about */
  int merged, joined, sunk, recomputed, placed_over; /* how often rules applied */

  /* cache.c */
  uint8_t *key;
  size_t key_bytes;
  uint64_t hash;
  size_t memory;            /* bytes that it takes, with those of the device */
  icl__plan *next;          /* with the same slot of the table */
  icl__plan *newer, *older; /* by last use */
};

/* ---- questions ---- */

bool icl__plan_runs_in_phase(const icl__pnode *v); /* map and reduce ops */
bool icl__plan_is_global(const icl__pnode *v);     /* global ops; not leaves */
bool icl__plan_sends(const icl__pnode *v);         /* all_reduce */
unsigned icl__plan_flags(const icl__pnode *v);     /* of its op in ops.def; 0 for those that only the planner makes */
bool icl__plan_cheap(const icl__pnode *v);
bool icl__plan_elementwise(const icl__pnode *v);
bool icl__plan_reads_images(const icl__pnode *v, int input); /* image by image; else it sees the input whole */
bool icl__plan_same_shape(const icl__pnode *a, const icl__pnode *b);
size_t icl__plan_bytes(const icl__pnode *v);
size_t icl__plan_stored_bytes(const icl__pnode *v); /* the same, or in the layout of a kernel what that takes */
size_t icl__plan_image_bytes(const icl__pnode *v);
size_t icl__plan_image_stride(const icl__pnode *v); /* bytes from one image to the next in memory */
int64_t icl__plan_pitch(const icl__pnode *v);       /* elements from one row to the next in memory */
/* Bytes that v moves to and from memory, when all stores are known: each value once, but once a thread what threads
 * read whole or make partial results of. What stays in chunks and blocks is not moved. */
size_t icl__plan_traffic(const icl__plan *plan, const icl__pnode *v);
icl__pnode *icl__plan_root(const icl__pnode *v);     /* the value in whose place it lies: often itself */
size_t icl__bucket_bytes(const icl__bucket *bucket); /* that a rank sends */

/* The first of n images that belongs to a share. */
static inline int64_t icl__plan_first_image(int64_t n, int share, int shares) { return n * share / shares; }

/* ---- editing, for the stages and for the device's rewrite() ---- */

/* A new node with the shape, dtype, layer and batch of `like`; NULL when memory is out. */
icl__pnode *icl__plan_add(icl__plan *plan, int op, const icl__pnode *like, int inputs, icl__pnode *const *in);
/* Makes v global: what its batch was does not hold for it. */
void icl__plan_make_global(icl__pnode *v);

#endif
