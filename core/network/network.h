/* network.h - a network that was read from its description. */
#ifndef ICL_NETWORK_NETWORK_H
#define ICL_NETWORK_NETWORK_H

#include "base/json.h"
#include "base/status.h"
#include "graph/graph.h"

typedef enum { ICL__NODE_IMAGES, ICL__NODE_STATE, ICL__NODE_NUMBER, ICL__NODE_CONSTANT, ICL__NODE_OP } icl__node_kind;

/* What is recorded for a node. In `batch` bit i says that slot i of .i of the attributes, or size i of a constant, is
 * to be multiplied by the number of images. */
typedef struct {
  icl__node_kind kind;
  const icl_op *op;
  int inputs, in[ICL_MAX_INPUTS];
  icl_attributes attr;
  uint32_t batch;
  icl_state *state;
  icl_tensor *constant; /* a filled one: its one value */
  bool filled;
  int rank;
  int32_t shape[ICL_MAX_RANK]; /* of a filled constant */
  double number;
  const char *layer;    /* interned by the engine */
  icl_dtype made_dtype; /* of the result, and its shape with two images, as the check of the network found them */
  int made_rank;
  int32_t made_shape[ICL_MAX_RANK];
} icl__planned_node;

struct icl_network {
  icl_engine *engine;
  icl_network_facts facts;
  int also_height, also_width; /* of images that it takes besides; 0: none */
  double *statistics;          /* mean, then std, of each channel; or NULL */
  const char **class_names;
  int count, output;
  icl__planned_node *nodes;
  icl_tensor **made;   /* scratch of apply: the result of each node */
  icl__json *metadata; /* of the file: class names are in it */
};

/* Reads a description, and what is known of the data, from `metadata`, which is freed with the network or here; tensors
 * come from `contents`, under their names or "model." and these. `what` begins messages. */
icl_status icl__network_parse(icl_engine *engine, const char *what, icl__json *metadata,
                              const icl_safetensors *contents, icl_network **result);

/* parse.c: one entry of the list of nodes, which is number `place`; network.c calls it. */
icl_status icl__network_node(icl_network *network, int place, json_t *entry, const icl_safetensors *contents,
                             icl__planned_node *node);

#endif
