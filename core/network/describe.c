/* describe.c - what the evaluation of a network recorded, as a description.
 *
 * The two traces are walked side by side. They must be the same ops in the same order; where a size is twice something
 * in the first and three times the same in the second, it is the batch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "base/json.h"
#include "base/memory.h"
#include "graph/engine.h"
#include "network/description.h"

enum { INLINE = 64 }; /* the most elements of a constant that is written into the text */

typedef struct {
  const icl__trace *trace;
  int leaves;
  const icl__leaf *leaf;
  size_t capacity[2];
  int count;
  icl__node **nodes[2]; /* what the logits depend on; see collect() */
  int extras;
  size_t extra_capacity;
  icl__node **extra;
  json_t *list;
} walk;

/* ---- the step ---- */

icl_status icl__trace_begin(icl_engine *engine, bool *eager) {
  ICL__TRY(icl_step_begin(engine));
  *eager = engine->eager;
  engine->eager = false;
  return ICL_OK;
}

void icl__trace_end(icl_engine *engine, bool eager) {
  icl_step_cancel(engine);
  engine->eager = eager;
}

/* ---- messages ---- */

static const char *layer_of(const icl__node *node) { return node->layer && *node->layer ? node->layer : "the network"; }

static icl_status refuse(const icl__node *node, const char *reason) {
  return icl__fail(ICL_ENOTSUP, "op %s of %s cannot be described: %s", icl__op(node->op)->name, layer_of(node), reason);
}

static icl_status no_memory(void) { return icl__fail(ICL_ENOMEM, "no memory for the description of a network"); }

/* ---- which nodes ---- */

/* Nodes without a computation: their value is given, not made. */
static bool is_leaf(const icl__node *node) {
  return node->number || node->value || node->op == ICL__OP_constant || node->op == ICL__OP_state;
}

/* The node whose value an alias shows. */
static icl__node *origin(icl__node *node) {
  while (!is_leaf(node) && (icl__op(node->op)->flags & ICL__ALIAS))
    node = node->in[0];
  return node;
}

static icl_status check_leaf(const icl__node *node) {
  if (node->op == ICL__OP_state && node->inputs)
    return icl__fail(ICL_ENOTSUP,
                     "%s writes the state %s in evaluation and reads it again; a description holds no "
                     "writes",
                     layer_of(node), icl_state_name(node->state));
  bool made_before = node->id <= node->engine->step_id;
  if (node->value && !made_before && node->op != ICL__OP_constant && node->op != ICL__OP_state)
    return refuse(node, "its value was read while the network ran (item, print), so what follows may depend on it");
  return ICL_OK;
}

static icl_status check_op(const icl__node *node) {
  const icl_op *op = icl__op(node->op);
  if ((op->flags & ICL__DRAW) || op->id == ICL__OP_dropout)
    return refuse(node, "it is random; in evaluation a network must not draw");
  if (op->flags & (ICL__HIDDEN | ICL__LEAF))
    return refuse(node, "it belongs to a gradient");
  return is_leaf(node) || node->inputs || !op->least ? ICL_OK : refuse(node, "what it was made of is gone");
}

static icl_status add_node(walk *w, int side, icl__node *node, int *count) {
  icl__node **grown = icl__grow(w->nodes[side], &w->capacity[side], (size_t)*count + 1, sizeof *grown);
  if (!grown)
    return no_memory();
  w->nodes[side] = grown;
  grown[(*count)++] = node;
  return ICL_OK;
}

static icl_status add_unseen(walk *w, int side, icl__node *node, int *count, uint64_t mark) {
  if (node->mark == mark)
    return ICL_OK;
  node->mark = mark;
  ICL__TRY(is_leaf(node) ? check_leaf(node) : check_op(node));
  return add_node(w, side, node, count);
}

static int by_id(const void *a, const void *b) {
  uint64_t x = (*(icl__node *const *)a)->id, y = (*(icl__node *const *)b)->id;
  return x < y ? -1 : x > y;
}

/* Takes the leaves out of the list. */
static void keep_ops(icl__node **nodes, int *count) {
  int kept = 0;
  for (int i = 0; i < *count; i++)
    if (!is_leaf(nodes[i]))
      nodes[kept++] = nodes[i];
  *count = kept;
}

/* Appends a node; its place is its slot. */
static icl_status place(walk *w, int side, icl__node *node, int *count, uint64_t mark) {
  if (node->mark == mark)
    return ICL_OK;
  node->mark = mark;
  node->slot = *count;
  return add_node(w, side, node, count);
}

/* Lists what the logits of one trace depend on: the images, then ops in recorded order, each leaf before the first op
 * that uses it, since both traces share leaves. */
static icl_status collect(walk *w, int side, int *count) {
  icl_engine *engine = w->trace[side].logits->engine;
  uint64_t mark = icl__engine_mark(engine);
  int ops = 0;
  ICL__TRY(add_unseen(w, side, origin(w->trace[side].logits), &ops, mark));
  for (int i = 0; i < ops; i++) {
    const icl__node *node = w->nodes[side][i];
    for (int k = 0; k < node->inputs && !is_leaf(node); k++)
      ICL__TRY(add_unseen(w, side, origin(node->in[k]), &ops, mark));
  }
  icl__node **all = w->nodes[side];
  w->nodes[side] = NULL;
  w->capacity[side] = 0;
  keep_ops(all, &ops);
  qsort(all, (size_t)ops, sizeof *all, by_id);
  mark = icl__engine_mark(engine);
  icl_status status = place(w, side, w->trace[side].images, count, mark);
  for (int i = 0; i < ops && status == ICL_OK; i++) {
    for (int k = 0; k < all[i]->inputs && status == ICL_OK; k++)
      if (is_leaf(origin(all[i]->in[k])))
        status = place(w, side, origin(all[i]->in[k]), count, mark);
    if (status == ICL_OK)
      status = place(w, side, all[i], count, mark);
  }
  icl__free(all);
  return status == ICL_OK ? place(w, side, origin(w->trace[side].logits), count, mark) : status;
}

/* ---- sizes ---- */

/* A size that is `two` with 2 images and `three` with 3; NULL if that is neither the same nor the batch. */
static json_t *make_size(int32_t two, int32_t three) {
  if (two == three)
    return json_integer(two);
  int32_t times = three - two;
  return times > 0 && two == 2 * (int64_t)times ? json_pack("{s:i}", "batch", (int)times) : NULL;
}

static icl_status refuse_size(const icl__node *node, const char *name, int32_t two, int32_t three) {
  return icl__fail(ICL_ENOTSUP,
                   "op %s of %s cannot be described: %s is %d with 2 images and %d with 3, which is no "
                   "multiple of their number",
                   icl__op(node->op)->name, layer_of(node), name, (int)two, (int)three);
}

/* As far as they are there: whatever is missing makes the list NULL. */
static json_t *make_sizes(int count, const int32_t *two, const int32_t *three) {
  json_t *list = json_array();
  for (int i = 0; i < count; i++)
    if (json_array_append_new(list, make_size(two[i], three[i])) != 0) {
      json_decref(list);
      return NULL;
    }
  return list;
}

/* The first two sizes that make_sizes() stumbled upon. */
static icl_status refuse_sizes(const icl__node *node, const char *name, int count, const int32_t *two,
                               const int32_t *three) {
  for (int i = 0; i < count; i++)
    if (two[i] != three[i] && (three[i] < two[i] || two[i] != 2 * (int64_t)(three[i] - two[i])))
      return refuse_size(node, name, two[i], three[i]);
  return no_memory();
}

/* ---- attributes ---- */

/* NULL where the two differ in another way than the batch. */
static json_t *make_attribute(const icl_attr_spec *spec, const icl_attributes *two, const icl_attributes *three) {
  const int32_t *a = &two->i[spec->slot], *b = &three->i[spec->slot];
  switch (spec->kind) {
  case ICL_ATTR_INT:
    return make_size(a[0], b[0]);
  case ICL_ATTR_PAIR:
    return make_sizes(2, a, b);
  case ICL_ATTR_SHAPE:
    return a[0] == b[0] ? make_sizes(a[0], a + 1, b + 1) : NULL;
  case ICL_ATTR_DIMS:
    return memcmp(a, b, (size_t)(1 + a[0]) * sizeof *a) == 0 ? make_sizes(a[0], a + 1, b + 1) : NULL;
  case ICL_ATTR_DIM:
    return a[0] == b[0] ? json_integer(a[0]) : NULL;
  case ICL_ATTR_FLAG:
    return a[0] == b[0] ? json_boolean(a[0]) : NULL;
  case ICL_ATTR_DTYPE:
    return a[0] == b[0] ? json_string(icl_dtype_name((icl_dtype)a[0])) : NULL;
  case ICL_ATTR_REAL:
    return two->f[spec->slot] == three->f[spec->slot] ? json_real(two->f[spec->slot]) : NULL;
  }
  return NULL;
}

static icl_status add_attributes(json_t *entry, const icl__node *two, const icl__node *three) {
  const icl_op *op = icl__op(two->op);
  if (!op->specs)
    return ICL_OK;
  json_t *attributes = json_object();
  if (json_object_set_new(entry, "attributes", attributes) != 0)
    return no_memory();
  for (int i = 0; i < op->specs; i++) {
    const icl_attr_spec *spec = &op->spec[i];
    json_t *value = make_attribute(spec, &two->attr, &three->attr);
    if (json_object_set_new(attributes, spec->name, value) == 0)
      continue;
    bool list = spec->kind == ICL_ATTR_SHAPE && two->attr.i[spec->slot] == three->attr.i[spec->slot];
    const int32_t *a = &two->attr.i[spec->slot + list], *b = &three->attr.i[spec->slot + list];
    int count = list ? a[-1] : spec->kind == ICL_ATTR_PAIR ? 2 : 1;
    if (spec->kind == ICL_ATTR_REAL)
      return refuse(two, "an attribute depends on the number of images");
    return refuse_sizes(two, spec->name, count, a, b);
  }
  return ICL_OK;
}

/* ---- leaves ---- */

static icl_status add_state(const walk *w, json_t *entry, const icl__node *node) {
  const icl__leaf *leaf = w->leaf;
  while (leaf < w->leaf + w->leaves && leaf->state != node->state)
    leaf++;
  if (leaf == w->leaf + w->leaves)
    return icl__fail(ICL_ENOTSUP,
                     "the network reads the state '%s', which named_states() does not list: make it a "
                     "field of a layer",
                     icl_state_name(node->state));
  if (json_object_set_new(entry, "name", json_string(leaf->name)) != 0)
    return no_memory();
  if (leaf->axes && json_object_set_new(entry, "axes", make_sizes(node->rank, leaf->axes, leaf->axes)) != 0)
    return no_memory();
  return ICL_OK;
}

static json_t *make_real(double value) {
  if (isfinite(value))
    return json_real(value);
  return json_string(isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

static json_t *make_value(icl_dtype dtype, const void *data, int64_t index) {
  if (dtype == ICL_I64)
    return json_integer(((const int64_t *)data)[index]);
  double value = icl__load_f64(dtype, data, index);
  return icl__is_float(dtype) ? make_real(value) : json_integer((json_int_t)value);
}

static icl_status add_number(json_t *entry, const icl__node *two, const icl__node *three) {
  double a = icl__number_value(two), b = icl__number_value(three);
  if (memcmp(&a, &b, sizeof a) != 0)
    return icl__fail(ICL_ENOTSUP,
                     "%s cannot be described: it computes with a number that depends on the number of "
                     "images: %g with 2 and %g with 3",
                     layer_of(two), a, b);
  return json_object_set_new(entry, "value", make_real(a)) == 0 ? ICL_OK : no_memory();
}

static bool is_filled(const icl__node *node, const char *data) {
  size_t bytes = icl_dtype_bytes((icl_dtype)node->dtype);
  for (int64_t i = 1; i < icl__node_count(node); i++)
    if (memcmp(data, data + (size_t)i * bytes, bytes) != 0)
      return false;
  return icl__node_count(node) > 0;
}

/* Constants are usually one object in both traces; else they are compared. `a` and `b` are their values. */
static icl_status add_values(walk *w, json_t *entry, icl__node *two, const char *a, icl__node *three, const char *b) {
  icl_dtype dtype = (icl_dtype)two->dtype;
  int64_t count = icl__node_count(two);
  size_t bytes = icl_dtype_bytes(dtype);
  bool filled = is_filled(two, a) && is_filled(three, b) && !memcmp(a, b, bytes);
  bool same = icl__same_shape(two, three) && !memcmp(a, b, (size_t)count * bytes);
  if (!filled && !same)
    return icl__fail(ICL_ENOTSUP,
                     "%s cannot be described: it computes with a tensor whose values depend on the number "
                     "of images",
                     layer_of(two));
  if (!filled && count > INLINE) {
    icl__node **grown = icl__grow(w->extra, &w->extra_capacity, (size_t)w->extras + 1, sizeof *grown);
    if (!grown)
      return no_memory();
    w->extra = grown;
    grown[w->extras] = two;
    json_t *name = json_sprintf(ICL__EXTRA_TENSOR "%d", w->extras++);
    return json_object_set_new(entry, "tensor", name) == 0 ? ICL_OK : no_memory();
  }
  if (json_object_set_new(entry, "dtype", json_string(icl_dtype_name(dtype))) != 0)
    return no_memory();
  if (json_object_set_new(entry, "shape", make_sizes(two->rank, two->shape, three->shape)) != 0)
    return refuse_sizes(two, "a size", two->rank, two->shape, three->shape);
  if (filled)
    return json_object_set_new(entry, "fill", make_value(dtype, a, 0)) == 0 ? ICL_OK : no_memory();
  json_t *values = json_array();
  for (int64_t i = 0; i < count; i++)
    json_array_append_new(values, make_value(dtype, a, i));
  return (int64_t)json_array_size(values) == count && json_object_set_new(entry, "values", values) == 0 ? ICL_OK
                                                                                                        : no_memory();
}

/* The values of a constant on the host, for the caller to free. */
static icl_status fetch(icl__node *node, char **values) {
  size_t bytes = (size_t)icl__node_count(node) * icl_dtype_bytes((icl_dtype)node->dtype);
  *values = icl__alloc(bytes, 1);
  return *values ? icl__engine_download(node->engine, *values, icl__node_data(node), bytes) : ICL_ENOMEM;
}

static icl_status add_constant(walk *w, json_t *entry, icl__node *two, icl__node *three) {
  char *a = NULL, *b = NULL;
  icl_status status = fetch(two, &a);
  if (status == ICL_OK)
    status = fetch(three, &b);
  if (status == ICL_OK)
    status = add_values(w, entry, two, a, three, b);
  icl__free(a);
  icl__free(b);
  return status;
}

/* ---- nodes ---- */

static const char *kind_of(const walk *w, const icl__node *node, int side) {
  if (node == w->trace[side].images)
    return "images";
  if (node->number)
    return "number";
  if (node->op == ICL__OP_state)
    return "state";
  return is_leaf(node) ? "constant" : icl__op(node->op)->name;
}

/* Do two nodes have the same op and inputs? */
static bool agree(const walk *w, const icl__node *two, const icl__node *three) {
  if (strcmp(kind_of(w, two, 0), kind_of(w, three, 1)) != 0 || two->dtype != three->dtype || two->rank != three->rank)
    return false;
  if (is_leaf(two))
    return two->op != ICL__OP_state || two->state == three->state;
  if (two->inputs != three->inputs)
    return false;
  for (int i = 0; i < two->inputs; i++) {
    const icl__node *a = origin(two->in[i]), *b = origin(three->in[i]);
    if (w->nodes[0][a->slot] != a || w->nodes[1][b->slot] != b || a->slot != b->slot)
      return false;
  }
  return true;
}

static icl_status add_inputs(json_t *entry, const icl__node *node) {
  json_t *of = json_array();
  for (int i = 0; i < node->inputs; i++)
    json_array_append_new(of, json_integer(origin(node->in[i])->slot));
  bool whole = (int)json_array_size(of) == node->inputs;
  return json_object_set_new(entry, "of", of) == 0 && whole ? ICL_OK : no_memory();
}

static icl_status add_entry(walk *w, json_t *entry, icl__node *two, icl__node *three) {
  const char *kind = kind_of(w, two, 0);
  if (json_object_set_new(entry, "op", json_string(kind)) != 0)
    return no_memory();
  if (!strcmp(kind, "images"))
    return ICL_OK;
  if (two->number)
    return add_number(entry, two, three);
  if (two->op == ICL__OP_state)
    return add_state(w, entry, two);
  if (is_leaf(two))
    return add_constant(w, entry, two, three);
  ICL__TRY(add_inputs(entry, two));
  ICL__TRY(add_attributes(entry, two, three));
  if (two->layer && *two->layer && json_object_set_new(entry, "layer", json_string(two->layer)) != 0)
    return no_memory();
  return ICL_OK;
}

static icl_status add_entries(walk *w) {
  int count[2] = {0};
  for (int side = 0; side < 2; side++)
    ICL__TRY(collect(w, side, &count[side]));
  w->count = count[0] < count[1] ? count[0] : count[1];
  for (int i = 0; i < w->count; i++) {
    icl__node *two = w->nodes[0][i], *three = w->nodes[1][i];
    if (!agree(w, two, three))
      return icl__fail(ICL_ENOTSUP, "the network is another program for 3 images than for 2, from op %s of %s on",
                       icl__op(two->op)->name, layer_of(two));
    json_t *entry = json_object();
    if (json_array_append_new(w->list, entry) != 0)
      return no_memory();
    ICL__TRY(add_entry(w, entry, two, three));
  }
  if (count[0] != count[1])
    return icl__fail(ICL_ENOTSUP, "the network has %d ops for 2 images and %d for 3", count[0], count[1]);
  return ICL_OK;
}

static icl_status check_logits(const icl__trace trace[2]) {
  char text[ICL__SHAPE_TEXT];
  const icl__node *y = trace[0].logits;
  if (y->rank == 2 && y->shape[0] == 2 && trace[1].logits->shape[0] == 3 && y->dtype == ICL_F32)
    return ICL_OK;
  return icl__fail(ICL_ENOTSUP,
                   "the network gives %s for 2 images; a network that can be described gives logits "
                   "f32 (n, classes)",
                   icl__shape_text(text, (icl_dtype)y->dtype, y->rank, y->shape));
}

icl_status icl__describe(const icl__trace trace[2], int leaves, const icl__leaf *leaf, char **text, int *extras,
                         icl_tensor ***extra) {
  ICL__TRY(check_logits(trace));
  walk w = {.trace = trace, .leaves = leaves, .leaf = leaf};
  const int32_t *shape = trace[0].images->shape;
  json_t *whole = json_pack("{s:i, s:[i,i,i], s:[]}", "version", ICL__DESCRIPTION_VERSION, "shape", (int)shape[1],
                            (int)shape[2], (int)shape[3], "nodes");
  w.list = json_object_get(whole, "nodes");
  icl_status status = w.list ? add_entries(&w) : no_memory();
  *text = NULL;
  if (status == ICL_OK) {
    int output = origin(trace[0].logits)->slot;
    size_t bytes;
    if (json_object_set_new(whole, "output", json_integer(output)) != 0 ||
        icl__json_text(whole, JSON_COMPACT | JSON_REAL_PRECISION(17), text, &bytes) != ICL_OK)
      status = no_memory();
  }
  json_decref(whole);
  icl__free(w.nodes[0]);
  icl__free(w.nodes[1]);
  if (status == ICL_OK) {
    *extras = w.extras;
    *extra = w.extra;
  } else {
    icl__free(w.extra);
  }
  return status;
}
