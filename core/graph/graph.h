/* graph.h - buffers, states and recording: what a program works with. */
#ifndef ICL_GRAPH_GRAPH_H
#define ICL_GRAPH_GRAPH_H

#include "ops/node.h"

/* Device memory of a value, shared by everything that has this value. */
typedef struct icl__buffer {
  int references;
  int pinned; /* how many read `data` on threads of their own: it stays where it is */
  size_t bytes;
  void *data;
  icl_engine *engine;
  bool ranged; /* the integers in it are known to be from least to most */
  int64_t least, most;
} icl__buffer;

icl_status icl__buffer_new(icl_engine *engine, size_t bytes, icl__buffer **result);
icl__buffer *icl__buffer_retain(icl__buffer *buffer);
void icl__buffer_release(icl__buffer *buffer);                         /* NULL is allowed */
icl_status icl__buffer_fill(icl__buffer *buffer, const void *host);    /* with as many bytes as it has */
icl_status icl__buffer_copy(icl__buffer *to, const icl__buffer *from); /* the same */
/* Notes the range of the i64 values that the buffer was filled with. */
void icl__buffer_note_range(icl__buffer *buffer, const void *host);
/* Fails if the value, which `node` reads as its indices, has one outside of their axis. It is looked at once, and not
 * at all if its range was noted. */
icl_status icl__buffer_check_indices(icl__buffer *buffer, const icl__node *node);

struct icl_state {
  icl_engine *engine;
  int references;
  char *name;
  icl_dtype dtype;
  int rank;
  int32_t shape[ICL_MAX_RANK];
  int64_t count;
  bool trainable;
  uint64_t version; /* of the stored value, as no other of the engine has it; a step's writes come on top */
  bool lasts;       /* lasting values of a plan are made of it */
  icl__buffer *stored;
  icl__node *current;       /* what ops recorded now read; NULL: a leaf on the stored value is made when asked for */
  bool current_trains;      /* was the state trainable when that was made? */
  bool written;             /* current is a write of this step, not yet stored */
  const char *write_source; /* where the newest write was recorded */
  int write_line;
  int gradients;
  size_t gradient_capacity;
  icl__node **gradient; /* contributions of backward calls in this step */
  icl__node *given;     /* the gradient that came in place of earlier ones, the same on all ranks; or NULL */
  int summed;           /* how many contributions are in `sum`, over all ranks of a group */
  icl__node *sum;       /* of these and `given`; NULL: it is not there */
  int output;                 /* scratch of an evaluation: which of its outputs is the new version, if one is */
  icl_state *next, *previous; /* the engine's list of states that the step touched */
  bool listed;
};

/* The value of a tensor as memory that stays what it is, for a thread that reads it while steps go on. Nothing is
 * copied where the device's memory is the host's: a step writes a state in place only where nothing else shares the
 * memory, and copies it first otherwise. */
typedef struct {
  const void *data;
  icl__buffer *shared; /* NULL: there is a copy */
  void *copy;
} icl__held;

/* Both belong to the thread that runs the engine. Inside of a step the writes so far are committed, as reading does. */
icl_status icl__hold(icl_tensor *tensor, icl__held *result);
void icl__unhold(icl__held *held); /* zeros are allowed */

/* The node whose value an alias shows; other nodes themselves. */
icl__node *icl__resolve(icl__node *node);

/* Records op(in...). On success *result holds one reference. Inputs must belong to `engine`. */
icl_status icl__record(icl_engine *engine, int op, int inputs, icl__node *const *in, const icl_attributes *attr,
                       icl__node **result);

#endif
