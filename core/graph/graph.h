/* graph.h - nodes, buffers, states and the engine: what recording makes and evaluation consumes.
 *
 * A tensor is a node. Recording gives it op, inputs, attributes, shape and dtype; evaluation gives it a value and then
 * cuts what nobody needs any more. Node ids rise in recorded order, so an input's id is always below its user's. */
#ifndef ICL_GRAPH_GRAPH_H
#define ICL_GRAPH_GRAPH_H

#include "icl.h"
#include "base/status.h"

typedef icl_tensor icl__node;

/* Device memory of a value, shared by everything that has this value. */
typedef struct icl__buffer {
  int references;
  size_t bytes;
  void *data;
  icl_engine *engine;
} icl__buffer;

icl_status icl__buffer_new(icl_engine *engine, size_t bytes, icl__buffer **result);
icl__buffer *icl__buffer_retain(icl__buffer *buffer);
void icl__buffer_release(icl__buffer *buffer); /* NULL is allowed */

typedef struct {
  int references;
  icl_backward_fn backward;
  void (*release)(void *);
  void *context;
} icl__custom;

struct icl_tensor {
  icl_engine *engine;
  int references;
  uint16_t op;
  uint8_t dtype, rank, inputs;
  bool needs_grad;
  bool number;  /* takes the dtype of what it meets */
  bool kept;    /* asked to outlive its step */
  bool dropped; /* its step ended without evaluating it */
  int32_t shape[ICL_MAX_RANK];
  uint64_t id;
  icl__node *in[ICL_MAX_INPUTS];
  icl_attributes attr;
  icl_state *state; /* state: the variable; its version is `version` */
  uint64_t version;
  icl__buffer *value; /* NULL: not evaluated */
  icl__custom *custom;
  const char *layer, *source; /* interned by the engine */
  int line;
  uint64_t mark; /* scratch of graph walks: compare with a fresh icl__engine_mark() */
  int32_t slot;  /* scratch of graph walks */
};

struct icl_state {
  icl_engine *engine;
  int references;
  char *name;
  icl_dtype dtype;
  int rank;
  int32_t shape[ICL_MAX_RANK];
  int64_t count;
  bool trainable;
  uint64_t version; /* of the stored value; a step's writes come on top */
  icl__buffer *stored;
  icl__node *current;       /* what ops recorded now read; NULL: a leaf on the stored value is made when asked for */
  bool written;             /* current is a write of this step, not yet stored */
  const char *write_source; /* where the newest write was recorded */
  int write_line;
  int gradients, gradient_capacity;
  icl__node **gradient;       /* contributions of backward calls in this step */
  icl_state *next, *previous; /* the engine's list of states that the step touched */
  bool listed;
};

/* Elements of a shape, overflow-checked by recording: a shape that is too large never becomes a node. */
int64_t icl__count(int rank, const int32_t *shape);
static inline int64_t icl__node_count(const icl__node *node) { return icl__count(node->rank, node->shape); }

/* "f32 (128, 32, 32, 3)" into `text`; returns it. For messages. */
enum { ICL__SHAPE_TEXT = 96 };
const char *icl__shape_text(char text[ICL__SHAPE_TEXT], icl_dtype dtype, int rank, const int32_t *shape);

/* The node whose value an alias shows; other nodes themselves. */
icl__node *icl__resolve(icl__node *node);

/* Records op(in...). On success *result holds one reference. Inputs must belong to `engine`. */
icl_status icl__record(icl_engine *engine, int op, int inputs, icl__node *const *in, const icl_attributes *attr,
                       icl__node **result);

#endif
