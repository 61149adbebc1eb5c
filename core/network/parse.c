/* parse.c - a node of a description, checked: what network_node() accepts can be recorded, or recording says why not.
 */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/memory.h"
#include "base/shape.h"
#include "graph/engine.h"
#include "io/safetensors.h"
#include "network/description.h"
#include "network/network.h"

/* ---- numbers ---- */

static icl_status read_integer(const json_t *json, const char *name, int64_t least, int64_t most, int32_t *result) {
  if (!json_is_integer(json) || json_integer_value(json) < least || json_integer_value(json) > most)
    return icl__fail(ICL_EFORMAT, "%.40s is not an integer from %lld to %lld", name, (long long)least, (long long)most);
  *result = (int32_t)json_integer_value(json);
  return ICL_OK;
}

/* An integer, or { "batch": k }. */
static icl_status read_size(const json_t *json, const char *name, int32_t *result, bool *batch) {
  const json_t *times = json_is_object(json) && json_object_size(json) == 1 ? json_object_get(json, "batch") : NULL;
  *batch = times != NULL;
  return times ? read_integer(times, name, 1, 1 << 24, result) : read_integer(json, name, INT32_MIN, INT32_MAX, result);
}

static icl_status read_real(const json_t *json, const char *name, double *result) {
  static const struct {
    const char *text;
    double value;
  } others[] = {{"inf", HUGE_VAL}, {"-inf", -HUGE_VAL}, {"nan", (double)NAN}};
  if (json_is_number(json)) {
    *result = json_number_value(json);
    return ICL_OK;
  }
  for (size_t i = 0; json_is_string(json) && i < sizeof others / sizeof *others; i++)
    if (!strcmp(others[i].text, json_string_value(json))) {
      *result = others[i].value;
      return ICL_OK;
    }
  return icl__fail(ICL_EFORMAT, "%.40s is not a number", name);
}

static icl_status read_dtype(const json_t *json, icl_dtype *result) {
  if (json_is_string(json) && icl_dtype_find(json_string_value(json), result) == ICL_OK)
    return ICL_OK;
  return icl__fail(ICL_EFORMAT, "dtype is not the name of a dtype");
}

/* A list of up to ICL_MAX_RANK sizes; bit i of *batch is set where size i goes with the batch. */
static icl_status read_sizes(const json_t *json, const char *name, int *count, int32_t *sizes, uint32_t *batch) {
  if (!json_is_array(json) || json_array_size(json) > ICL_MAX_RANK)
    return icl__fail(ICL_EFORMAT, "%.40s is not a list of up to %d integers", name, ICL_MAX_RANK);
  *count = (int)json_array_size(json);
  *batch = 0;
  for (int i = 0; i < *count; i++) {
    bool with_batch;
    ICL__TRY(read_size(json_array_get(json, (size_t)i), name, &sizes[i], &with_batch));
    *batch |= (uint32_t)with_batch << i;
  }
  return ICL_OK;
}

/* ---- attributes ---- */

/* A list into the slots of an attribute; `length`: what it must have, or -1. */
static icl_status read_list(const json_t *json, const icl_attr_spec *spec, int length, icl__planned_node *node) {
  int32_t sizes[ICL_MAX_RANK] = {0}, *slot = &node->attr.i[spec->slot];
  int count, first = length < 0;
  uint32_t batch;
  ICL__TRY(read_sizes(json, spec->name, &count, sizes, &batch));
  if (length >= 0 && count != length)
    return icl__fail(ICL_EFORMAT, "%s has %d entries, not %d", spec->name, count, length);
  if (first)
    slot[0] = count;
  for (int i = 0; i < count; i++)
    slot[first + i] = sizes[i];
  node->batch |= batch << (spec->slot + first);
  return ICL_OK;
}

static icl_status read_attribute(const json_t *json, const icl_attr_spec *spec, icl__planned_node *node) {
  int32_t *slot = &node->attr.i[spec->slot];
  bool batch = false;
  icl_dtype dtype;
  switch (spec->kind) {
  case ICL_ATTR_INT:
    ICL__TRY(read_size(json, spec->name, slot, &batch));
    node->batch |= (uint32_t)batch << spec->slot;
    return ICL_OK;
  case ICL_ATTR_DIM:
    return read_integer(json, spec->name, -ICL_MAX_RANK, ICL_MAX_RANK, slot);
  case ICL_ATTR_FLAG:
    if (!json_is_boolean(json))
      return icl__fail(ICL_EFORMAT, "%s is neither true nor false", spec->name);
    *slot = json_is_true(json);
    return ICL_OK;
  case ICL_ATTR_PAIR:
    return read_list(json, spec, 2, node);
  case ICL_ATTR_DIMS:
  case ICL_ATTR_SHAPE:
    return read_list(json, spec, -1, node);
  case ICL_ATTR_REAL:
    return read_real(json, spec->name, &node->attr.f[spec->slot]);
  case ICL_ATTR_DTYPE:
    ICL__TRY(read_dtype(json, &dtype));
    *slot = (int32_t)dtype;
    return ICL_OK;
  }
  return icl__fail(ICL_EFORMAT, "%s is of no kind", spec->name);
}

static icl_status read_attributes(json_t *json, icl__planned_node *node) {
  const icl_attr_spec *spec;
  int specs = icl_op_attributes(node->op, &spec);
  icl_op_defaults(node->op, &node->attr);
  if (json && !json_is_object(json))
    return icl__fail(ICL_EFORMAT, "the attributes are not an object");
  for (int i = 0; i < specs; i++) {
    json_t *value = json_object_get(json, spec[i].name);
    if (!value && spec[i].required)
      return icl__fail(ICL_EFORMAT, "attribute %s is missing", spec[i].name);
    if (value)
      ICL__TRY(read_attribute(value, &spec[i], node));
  }
  const char *name;
  json_t *value;
  json_object_foreach(json, name, value) {
    int i = 0;
    while (i < specs && strcmp(spec[i].name, name) != 0)
      i++;
    if (i == specs)
      return icl__fail(ICL_EFORMAT, "there is no attribute '%.40s'", name);
  }
  return ICL_OK;
}

/* ---- ops ---- */

static icl_status read_op(icl_network *network, int place, json_t *entry, icl__planned_node *node) {
  node->kind = ICL__NODE_OP;
  json_t *of = json_object_get(entry, "of"), *layer = json_object_get(entry, "layer");
  if (icl_op_internal(node->op))
    return icl__fail(ICL_EFORMAT, "this op is no part of networks");
  if (!json_is_array(of) || json_array_size(of) > ICL_MAX_INPUTS)
    return icl__fail(ICL_EFORMAT, "'of' is not a list of up to %d nodes", ICL_MAX_INPUTS);
  node->inputs = (int)json_array_size(of);
  for (int i = 0; i < node->inputs; i++)
    ICL__TRY(read_integer(json_array_get(of, (size_t)i), "an entry of 'of'", 0, place - 1, &node->in[i]));
  if (layer && !json_is_string(layer))
    return icl__fail(ICL_EFORMAT, "the layer is not a text");
  node->layer = layer ? icl__engine_intern(network->engine, json_string_value(layer)) : NULL;
  return read_attributes(json_object_get(entry, "attributes"), node);
}

/* ---- tensors of the file ---- */

static icl_status find_array(const icl_safetensors *contents, const json_t *json, const icl_array **result) {
  static const char prefix[] = "model."; /* in checkpoints */
  if (!json_is_string(json))
    return icl__fail(ICL_EFORMAT, "the name of its tensor is not a text");
  const char *name = json_string_value(json);
  *result = NULL;
  for (int i = 0; i < contents->count; i++) {
    const char *other = contents->arrays[i].name;
    if (!strcmp(other, name))
      *result = &contents->arrays[i];
    else if (!*result && !strncmp(other, prefix, sizeof prefix - 1) && !strcmp(other + sizeof prefix - 1, name))
      *result = &contents->arrays[i];
  }
  if (!*result)
    return icl__fail(ICL_EFORMAT, "the file has no tensor '%.80s'", name);
  if ((*result)->problem)
    return icl__fail(ICL_EFORMAT, "tensor '%.80s' cannot be read: %s", name, (*result)->problem);
  return ICL_OK;
}

/* Puts the elements of an array whose axis i is axis axes[i] of the result in the order of that. */
static void rearrange(const icl_array *from, const int32_t *axes, const int32_t *shape, char *to) {
  size_t bytes = icl_dtype_bytes(from->dtype);
  int64_t step[ICL_MAX_RANK], at[ICL_MAX_RANK] = {0}, stride = 1;
  for (int i = from->rank - 1; i >= 0; i--) {
    step[axes[i]] = stride;
    stride *= from->shape[i];
  }
  int64_t count = icl__count(from->rank, shape), offset = 0;
  for (int64_t n = 0; n < count; n++) {
    memcpy(to + (size_t)n * bytes, (const char *)from->data + (size_t)offset * bytes, bytes);
    for (int axis = from->rank - 1; axis >= 0; axis--) {
      offset += step[axis];
      if (++at[axis] < shape[axis])
        break;
      offset -= step[axis] * shape[axis];
      at[axis] = 0;
    }
  }
}

static icl_status read_axes(const json_t *json, const icl_array *array, int32_t axes[ICL_MAX_RANK],
                            int32_t shape[ICL_MAX_RANK]) {
  int count;
  uint32_t batch, used = 0;
  ICL__TRY(read_sizes(json, "axes", &count, axes, &batch));
  for (int i = 0; i < count; i++)
    if (axes[i] >= 0 && axes[i] < count)
      used |= 1u << axes[i];
  if (batch || count != array->rank || used != (1u << count) - 1)
    return icl__fail(ICL_EFORMAT, "axes do not name each of the %d axes of '%.80s' once", array->rank, array->name);
  for (int i = 0; i < count; i++)
    shape[axes[i]] = array->shape[i];
  return ICL_OK;
}

static icl_status read_state(icl_network *network, json_t *entry, const icl_safetensors *contents,
                             icl__planned_node *node) {
  const icl_array *array;
  json_t *layout = json_object_get(entry, "axes");
  int32_t axes[ICL_MAX_RANK], shape[ICL_MAX_RANK];
  node->kind = ICL__NODE_STATE;
  ICL__TRY(find_array(contents, json_object_get(entry, "name"), &array));
  const char *name = json_string_value(json_object_get(entry, "name"));
  if (!layout)
    return icl_state_new(network->engine, name, array->dtype, array->rank, array->shape, array->data, false,
                         &node->state);
  ICL__TRY(read_axes(layout, array, axes, shape));
  char *moved = icl__alloc(icl__array_bytes(array), 1);
  if (!moved)
    return ICL_ENOMEM;
  rearrange(array, axes, shape, moved);
  icl_status status =
      icl_state_new(network->engine, name, array->dtype, array->rank, shape, moved, false, &node->state);
  icl__free(moved);
  return status;
}

/* ---- constants ---- */

static icl_status store_value(const json_t *json, icl_dtype dtype, void *data, int64_t index) {
  double value;
  if (dtype == ICL_I64) {
    if (!json_is_integer(json))
      return icl__fail(ICL_EFORMAT, "a value of the constant is not an integer");
    ((int64_t *)data)[index] = json_integer_value(json);
    return ICL_OK;
  }
  ICL__TRY(read_real(json, "a value of the constant", &value));
  double most = dtype == ICL_U8    ? UINT8_MAX
                : dtype == ICL_I32 ? INT32_MAX
                                   : 1,
         least = dtype == ICL_I32 ? INT32_MIN : 0;
  if (!icl__is_float(dtype) && !(value >= least && value <= most))
    return icl__fail(ICL_EFORMAT, "%g is no value of %s", value, icl_dtype_name(dtype));
  icl__store_f64(dtype, data, index, value);
  return ICL_OK;
}

static icl_status make_filled(icl_network *network, const json_t *fill, icl_dtype dtype, icl__planned_node *node) {
  int64_t value[1];
  node->filled = true;
  ICL__TRY(store_value(fill, dtype, value, 0));
  return icl_tensor_new(network->engine, dtype, 0, NULL, value, &node->constant);
}

static icl_status make_listed(icl_network *network, json_t *values, icl_dtype dtype, icl__planned_node *node) {
  if (node->batch)
    return icl__fail(ICL_EFORMAT, "a constant with values goes with the batch");
  for (int i = 0; i < node->rank; i++)
    if (node->shape[i] < 0)
      return icl__fail(ICL_EFORMAT, "a size of the constant is below 0");
  size_t count = json_is_array(values) ? json_array_size(values) : 0;
  if (!json_is_array(values) || (int64_t)count != icl__bounded_count(node->rank, node->shape))
    return icl__fail(ICL_EFORMAT, "the values of the constant are not as many as its shape says");
  void *data = icl__alloc(count, icl_dtype_bytes(dtype));
  icl_status status = data ? ICL_OK : ICL_ENOMEM;
  for (size_t i = 0; i < count && status == ICL_OK; i++)
    status = store_value(json_array_get(values, i), dtype, data, (int64_t)i);
  if (status == ICL_OK)
    status = icl_tensor_new(network->engine, dtype, node->rank, node->shape, data, &node->constant);
  icl__free(data);
  return status;
}

static icl_status read_constant(icl_network *network, json_t *entry, const icl_safetensors *contents,
                                icl__planned_node *node) {
  const icl_array *array;
  icl_dtype dtype;
  json_t *fill = json_object_get(entry, "fill"), *tensor = json_object_get(entry, "tensor");
  node->kind = ICL__NODE_CONSTANT;
  if (tensor) {
    ICL__TRY(find_array(contents, tensor, &array));
    return icl_tensor_new(network->engine, array->dtype, array->rank, array->shape, array->data, &node->constant);
  }
  ICL__TRY(read_dtype(json_object_get(entry, "dtype"), &dtype));
  ICL__TRY(read_sizes(json_object_get(entry, "shape"), "shape", &node->rank, node->shape, &node->batch));
  return fill ? make_filled(network, fill, dtype, node)
              : make_listed(network, json_object_get(entry, "values"), dtype, node);
}

icl_status icl__network_node(icl_network *network, int place, json_t *entry, const icl_safetensors *contents,
                             icl__planned_node *node) {
  json_t *op = json_object_get(entry, "op");
  if (!json_is_string(op))
    return icl__fail(ICL_EFORMAT, "it has no op");
  const char *kind = json_string_value(op);
  if (!strcmp(kind, "images"))
    return ICL_OK;
  if (!strcmp(kind, "state"))
    return read_state(network, entry, contents, node);
  if (!strcmp(kind, "constant"))
    return read_constant(network, entry, contents, node);
  if (!strcmp(kind, "number")) {
    node->kind = ICL__NODE_NUMBER;
    return read_real(json_object_get(entry, "value"), "value", &node->number);
  }
  if (!(node->op = icl_op_find(kind)))
    return icl__fail(ICL_EFORMAT, "there is no op '%.40s'", kind);
  return read_op(network, place, entry, node);
}
