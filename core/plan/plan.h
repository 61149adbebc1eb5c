/* plan.h - a plan: what a recorded step becomes.
 *
 * Nodes that share a batch on axis 0 form a domain. Time runs in phases 1..n, each of one domain: every thread walks
 * its own images chunk by chunk through the map ops and partial sums of the phase. After phase p comes section p, where
 * global ops run in waves parted by barriers, split among threads. Section 0 comes before phase 1; the last section
 * holds the writes of states. Times order lifetimes: 2 p is phase p, 2 p + 1 is section p.
 *
 * The planner knows ops only by the table of ops.def; what is special about a device it asks through backend->lower().
 */
#ifndef ICL_PLAN_PLAN_H
#define ICL_PLAN_PLAN_H

#include "backend/backend.h"
#include "backend/kernel.h"
#include "graph/graph.h"
#include "ops/ops.h"

/* Ops that only the planner makes. FINISH turns the partial results of a reduction into its value. PREPARE brings
 * weights into the layout of a kernel. */
enum { ICL__PLAN_FINISH = ICL__OP_COUNT, ICL__PLAN_PREPARE, ICL__PLAN_OP_COUNT };
const char *icl__plan_op_name(int op);

/* Switches: each rule can be turned off by name (ICL_PLAN=no-join,no-recompute), and tests run every ablation. */
#define ICL__POLICY_TABLE(X)                                                                                           \
  X(merge, "equal expressions become one")                                                                             \
  X(join, "neighbouring ops become one kernel")                                                                        \
  X(sink, "ops with slack wait for the phase where their inputs are at hand")                                          \
  X(recompute, "cheap values are computed again instead of kept")                                                      \
  X(concat, "a concatenation extends its first input, its parts lie within it, its sums are those of its inputs, its " \
            "gradients are finished in parts")                                                                         \
  X(inplace, "an elementwise result takes over storage that dies")                                                     \
  X(late_prepare, "weights are prepared just before their phase")                                                      \
  X(link, "elementwise global ops of one shape run as one, block by block")                                            \
  X(split, "large global ops are split among threads")                                                                 \
  X(chunks, "a thread takes its images through a phase in chunks that fit the cache")

typedef struct {
#define X(name, text) bool name;
  ICL__POLICY_TABLE(X)
#undef X
  int threads;
  int chunk;          /* images; 0: from chunk_bytes */
  size_t chunk_bytes; /* of the widest value of a phase */
  size_t chunk_limit; /* the same where weights are larger */
  int chain;          /* a value is computed again if that moves at most so many times its bytes */
} icl__policy;

icl_status icl__policy_parse(const char *switches, icl__policy *policy);

typedef struct icl__pnode icl__pnode;
typedef struct icl__plan icl__plan;

typedef enum {
  ICL__STORE_NONE,    /* no memory of its own: joined into another op */
  ICL__STORE_LEAF,    /* bound at each run */
  ICL__STORE_OUTPUT,  /* bound at each run: kept value or new state version */
  ICL__STORE_BATCH,   /* arena, all images */
  ICL__STORE_CHUNK,   /* scratch of each thread, one chunk of images */
  ICL__STORE_SHARED,  /* arena, one value */
  ICL__STORE_PARTIAL, /* arena, one partial result a thread */
  ICL__STORE_BLOCK    /* scratch of each thread, one block of a chain */
} icl__store;

struct icl__pnode {
  int op, inputs;
  icl_dtype dtype;
  int rank;
  int32_t shape[ICL_MAX_RANK];
  icl_attributes attr;
  icl__pnode *in[ICL_MAX_INPUTS];
  const char *layer;
  int key; /* place in recorded order; made nodes take their user's */

  /* batch */
  icl__behaviour behaviour;
  uint32_t batched; /* inputs read image by image */
  int domain;       /* -1: none */

  int leaf, output;  /* numbers of bindings, or -1 */
  bool state_output; /* the output is a new version of a state */

  /* schedule */
  int index;            /* place in plan->node */
  int phase;            /* phase of map and reduce ops, section of global ones; leaves 0 */
  int pin;              /* not before this phase */
  int waits;            /* operands that have no phase yet */
  int wave, on;         /* global: wave in its section; thread, -1: all */
  int place;            /* position among the phase's instructions */
  int last, last_place; /* time of the last use, and position of the last use in that phase */
  int uses;
  size_t use_capacity;
  icl__pnode **use;           /* an entry an operand: a node that reads this twice is in it twice */
  bool alive, visited, slack; /* slack: nothing in a phase waits for this global op */

  /* chains of global ops */
  icl__pnode *chain, *link; /* the first op of its chain, the next one; alone: itself, NULL */
  int level;                /* within the section: above what its chain reads from outside */
  bool links;               /* may be part of a chain */

  /* storage */
  icl__store store;
  icl__pnode *same;      /* shares the storage of this value, which shares none itself */
  int32_t width, column; /* elements of a row in memory, 0: those of the shape; first of them in the shared row */
  bool rigid;            /* something that uses the storage cannot take rows further apart than they are long */
  bool view;             /* nothing is computed: it lies within `same` */
  icl_dtype stored;      /* dtype in memory; f64 for partial sums of floats */
  size_t offset, bytes;  /* bytes: of one image for BATCH and CHUNK, of one thread for PARTIAL */
  size_t opaque;         /* bytes of a value whose layout is a kernel's own; 0: shape and dtype say it */
  icl__pnode *companion; /* joined into: this node is computed by that one's kernel */

  /* the device's */
  bool splits;        /* global: parts can be computed apart */
  const char *choice; /* which of several kernels runs, for profiles; NULL: there is one */
  size_t scratch;     /* workspace bytes a thread */
  void *kernel;       /* one block of memory, freed with the node */
};

typedef struct {
  icl__pnode *node; /* the first of its chain */
  int part, parts;
} icl__item;

enum { ICL__BLOCK = 4096 }; /* elements of a block of a chain; a part is whole blocks but for the last */

typedef struct {
  int domain, instructions, chunk, waves;
  icl__pnode **instruction;
  int *items; /* [wave * threads + thread] */
  icl__item **item;
} icl__phase;

struct icl__plan {
  int nodes;
  size_t capacity;
  icl__pnode **node;
  int leaves, outputs;
  int domains;
  int32_t *domain_size;
  int phases;
  icl__phase *phase; /* [0..phases] */
  icl__policy policy;
  size_t arena_bytes, scratch_bytes, kept_bytes, recomputed_bytes, workspace_bytes;
  int merged, joined, sunk, recomputed, placed_over;
  void *arena;     /* lent by the cache */
  int *state_leaf; /* by output: leaf with the state's old version, or -1 */
  int *in_place;   /* by output: the same, if the new version may be written over the old one; else -1 */
  void *program;   /* the device's */
  void *device;
  const icl__backend *backend;

  /* cache */
  uint8_t *key;
  size_t key_bytes;
  uint64_t hash;
  icl__plan *next;
};

/* ---- making a plan ---- */

typedef struct {
  int32_t node;       /* index into the nodes given */
  int32_t state_leaf; /* leaf number of the state's old version, or -1 */
  int32_t state;      /* 1: a new state version; 0: a kept value */
} icl__plan_output;

/* From `count` canonical nodes (aliases resolved; in[] of recorded nodes are found by their `slot`). */
icl_status icl__plan_make(const icl__backend *backend, void *device, const icl__policy *policy, int count,
                          icl__node *const *nodes, int outputs, const icl__plan_output *output, icl__plan **result);
void icl__plan_free(icl__plan *plan);
icl_status icl__plan_describe(const icl__plan *plan, char **text);

/* Used by the stages and by backend->lower(). */
icl__pnode *icl__plan_add(icl__plan *plan, int op, const icl__pnode *like, int inputs, icl__pnode *const *in);
void icl__plan_replace(icl__plan *plan, icl__pnode *from, icl__pnode *to, const icl__pnode *except);
icl_status icl__plan_sort(icl__plan *plan);
icl_status icl__plan_uses(icl__plan *plan);
icl_status icl__plan_add_use(icl__pnode *v, icl__pnode *user);
bool icl__plan_runs_in_phase(const icl__pnode *v); /* map and reduce ops */
bool icl__plan_is_global(const icl__pnode *v);     /* global ops; not leaves */
bool icl__plan_cheap(const icl__pnode *v);
bool icl__plan_reads_images(const icl__pnode *v, int input); /* image by image; else it sees the input whole */
bool icl__plan_same_shape(const icl__pnode *a, const icl__pnode *b);
bool icl__plan_pointwise(const icl__pnode *v); /* an element needs only the same element of inputs of its shape */
size_t icl__plan_image_bytes(const icl__pnode *v);
size_t icl__plan_image_stride(const icl__pnode *v); /* bytes from one image to the next in memory */
int64_t icl__plan_pitch(const icl__pnode *v);       /* elements from one row to the next in memory */
size_t icl__plan_bytes(const icl__pnode *v);
bool icl__plan_is_part(const icl__plan *plan, const icl__pnode *v); /* a part of a concatenation that can be a view */
int icl__plan_made_at(const icl__pnode *v);                         /* the time of a value's making */
bool icl__plan_joins_channels(const icl__pnode *v);                 /* a concatenation of images along their channels */
icl__pnode *icl__plan_channels(icl__plan *plan, icl__pnode *values, int32_t first, int32_t length);
void icl__plan_facts(const icl__pnode *v, icl__facts *facts);

/* The stages, in their order. */
void icl__plan_rule(icl__pnode *v);                      /* behaviour and batched inputs, from the op's batch rule */
icl_status icl__plan_domains(icl__plan *plan);           /* domains.c */
icl_status icl__plan_rewrite(icl__plan *plan);           /* rewrite.c */
icl_status icl__plan_statistics(icl__plan *plan);        /* statistics.c */
icl_status icl__plan_dense(icl__plan *plan);             /* dense.c */
icl_status icl__plan_schedule(icl__plan *plan);          /* schedule.c */
icl_status icl__plan_sink(icl__plan *plan, bool *moved); /* sink.c */
icl_status icl__plan_keep_or_recompute(icl__plan *plan); /* recompute.c */
bool icl__plan_can_recompute(const icl__plan *plan, const icl__pnode *v, int phase);
icl_status icl__plan_instructions(icl__plan *plan); /* instructions.c */
void icl__plan_share(icl__plan *plan);              /* share.c */
void icl__plan_chains(icl__plan *plan);             /* chains.c */
icl_status icl__plan_sections(icl__plan *plan);     /* sections.c */
icl_status icl__plan_storage(icl__plan *plan);      /* storage.c */

/* Images of thread t of a domain of n images: [first, end). */
static inline int64_t icl__plan_first_image(int64_t n, int thread, int threads) { return n * thread / threads; }

/* ---- cache ---- */

typedef struct {
  icl__plan *first; /* most recently used first */
  size_t bytes;
  void *arena; /* shared by all plans */
  size_t arena_bytes;
} icl__plan_cache;

icl__plan *icl__plan_find(icl__plan_cache *cache, const uint8_t *key, size_t bytes, uint64_t hash);
icl_status icl__plan_insert(icl__plan_cache *cache, icl__plan *plan, const uint8_t *key, size_t bytes, uint64_t hash);
size_t icl__plan_memory(const icl__plan *plan); /* bytes of the arena and of the scratch of all threads */
icl_status icl__plan_bind_arena(icl__plan_cache *cache, icl__plan *plan);
void icl__plan_cache_clear(icl__plan_cache *cache);

#endif
