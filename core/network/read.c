/* read.c - a file of weights as a network: its description, and what is known of the data. */
#include <string.h>

#include "base/memory.h"
#include "base/shape.h"
#include "graph/engine.h"
#include "io/safetensors.h"
#include "network/description.h"
#include "network/network.h"
#include "ops/attributes.h"

enum { LARGEST_SIDE = 1 << 16, MOST_CHANNELS = 1 << 10, MOST_NODES = 1 << 20 };

/* ---- what is known of the data ---- */

static icl_status read_integer(const json_t *json, const char *name, int least, int most, int *result) {
  if (!json_is_integer(json) || json_integer_value(json) < least || json_integer_value(json) > most)
    return icl__fail(ICL_EFORMAT, "%s is not an integer from %d to %d", name, least, most);
  *result = (int)json_integer_value(json);
  return ICL_OK;
}

/* One number above or from `least` on for each channel. */
static icl_status read_numbers(const json_t *json, const char *name, const icl_network *network, double *result) {
  size_t channels = (size_t)network->facts.channels;
  bool right = json_is_array(json) && json_array_size(json) == channels;
  for (size_t i = 0; right && i < channels; i++) {
    right = json_is_number(json_array_get(json, i));
    result[i] = json_number_value(json_array_get(json, i));
  }
  return right ? ICL_OK : icl__fail(ICL_EFORMAT, "data: %s is not a list of %zu numbers", name, channels);
}

static icl_status read_statistics(icl_network *network, const json_t *data) {
  const json_t *mean = json_object_get(data, "mean"), *std = json_object_get(data, "std");
  size_t channels = (size_t)network->facts.channels;
  if (!mean || !std)
    return ICL_OK;
  if (!(network->statistics = icl__alloc(2 * channels, sizeof(double))))
    return ICL_ENOMEM;
  ICL__TRY(read_numbers(mean, "mean", network, network->statistics));
  ICL__TRY(read_numbers(std, "std", network, network->statistics + channels));
  network->facts.mean = network->statistics;
  network->facts.std = network->statistics + channels;
  return ICL_OK;
}

/* After the network was checked, so that its classes are known. */
static icl_status read_class_names(icl_network *network, const json_t *data) {
  const json_t *names = json_object_get(data, "class_names");
  size_t classes = (size_t)network->facts.classes;
  if (!names || !json_array_size(names))
    return ICL_OK;
  if (json_array_size(names) != classes)
    return icl__fail(ICL_EFORMAT, "data: class_names is not a list of %zu texts, one for each logit", classes);
  if (!(network->class_names = icl__alloc(classes, sizeof(char *))))
    return ICL_ENOMEM;
  for (size_t i = 0; i < classes; i++)
    if (!(network->class_names[i] = json_string_value(json_array_get(names, i))))
      return icl__fail(ICL_EFORMAT, "data: class name %zu is not a text", i + 1);
  network->facts.class_names = network->class_names;
  return ICL_OK;
}

static icl_status read_evaluation(icl_network *network, const json_t *data) {
  icl_network_facts *facts = &network->facts;
  const json_t *evaluation = json_object_get(data, "evaluation");
  const json_t *resize = json_object_get(evaluation, "resize"), *crop = json_object_get(evaluation, "crop");
  if (resize)
    ICL__TRY(read_integer(resize, "data: evaluation: resize", 0, LARGEST_SIDE, &facts->resize));
  if (!crop)
    return ICL_OK;
  ICL__TRY(read_integer(crop, "data: evaluation: crop", 0, LARGEST_SIDE, &facts->crop));
  if (facts->crop && (facts->crop != facts->height || facts->crop != facts->width))
    return icl__fail(ICL_EFORMAT, "data: evaluation: crop is %d, but images are %d x %d", facts->crop, facts->height,
                     facts->width);
  return ICL_OK;
}

/* ---- the description ---- */

static icl_status read_shape(icl_network *network, const json_t *shape) {
  icl_network_facts *facts = &network->facts;
  if (!json_is_array(shape) || json_array_size(shape) != 3)
    return icl__fail(ICL_EFORMAT, "shape is not a list of height, width and channels");
  ICL__TRY(read_integer(json_array_get(shape, 0), "the height", 1, LARGEST_SIDE, &facts->height));
  ICL__TRY(read_integer(json_array_get(shape, 1), "the width", 1, LARGEST_SIDE, &facts->width));
  return read_integer(json_array_get(shape, 2), "the number of channels", 1, MOST_CHANNELS, &facts->channels);
}

static icl_status read_also(icl_network *network, const json_t *also) {
  if (!also)
    return ICL_OK;
  if (!json_is_array(also) || json_array_size(also) != 2)
    return icl__fail(ICL_EFORMAT, "also is not a list of a height and a width");
  ICL__TRY(read_integer(json_array_get(also, 0), "the other height", 1, network->facts.height, &network->also_height));
  return read_integer(json_array_get(also, 1), "the other width", 1, network->facts.width, &network->also_width);
}

static icl_status read_nodes(icl_network *network, json_t *list, const icl_safetensors *contents) {
  int count = json_is_array(list) && json_array_size(list) <= MOST_NODES ? (int)json_array_size(list) : 0;
  if (!count)
    return icl__fail(ICL_EFORMAT, "it has no list of nodes, or one of more than %d", MOST_NODES);
  network->nodes = icl__calloc((size_t)count, sizeof *network->nodes);
  network->made = icl__calloc((size_t)count, sizeof *network->made);
  if (!network->nodes || !network->made)
    return ICL_ENOMEM;
  network->count = count;
  for (int i = 0; i < count; i++) {
    json_t *entry = json_array_get(list, (size_t)i), *op = json_object_get(entry, "op");
    icl_status status = icl__network_node(network, i, entry, contents, &network->nodes[i]);
    if (status != ICL_OK)
      return icl__wrap(status, "node %d, %.40s", i, json_is_string(op) ? json_string_value(op) : "which has no op");
  }
  return ICL_OK;
}

/* Records it for two images of a size, which finds whatever does not fit, and how many logits there are. */
static icl_status check_size(icl_network *network, int height, int width) {
  int32_t shape[] = {2, height, width, network->facts.channels};
  icl_tensor *images, *logits = NULL;
  char text[ICL__SHAPE_TEXT];
  if (icl__bounded_count(4, shape) > 1 << 28)
    return icl__fail(ICL_EFORMAT, "images of %d x %d x %d are too large", shape[1], shape[2], shape[3]);
  ICL__TRY(icl_step_begin(network->engine));
  float zero = 0;
  icl_tensor *pixel = NULL;
  icl_status status = icl_tensor_new(network->engine, ICL_F32, 0, NULL, &zero, &pixel);
  if (status == ICL_OK) {
    icl_attributes attr = {0};
    icl__set_list(&attr, TARGET_SHAPE, 4, shape);
    status = icl_apply(network->engine, icl_op_find("broadcast_to"), 1, &pixel, &attr, &images);
    icl_tensor_release(pixel);
  }
  if (status == ICL_OK) {
    status = icl_network_apply(network, images, &logits);
    icl_tensor_release(images);
  }
  icl_step_cancel(network->engine);
  if (status != ICL_OK)
    return status;
  if (logits->rank != 2 || logits->shape[0] != 2 || logits->dtype != ICL_F32 || logits->number || !logits->shape[1])
    status = icl__fail(ICL_EFORMAT, "it gives %s for two images, where logits f32 (2, classes) should be",
                       icl__shape_text(text, (icl_dtype)logits->dtype, logits->rank, logits->shape));
  else if (network->facts.classes && network->facts.classes != logits->shape[1])
    status = icl__fail(ICL_EFORMAT, "it gives %d logits for images of %d x %d, and %d for others",
                       (int)logits->shape[1], height, width, network->facts.classes);
  else
    network->facts.classes = logits->shape[1];
  icl_tensor_release(logits);
  return status;
}

static icl_status check_network(icl_network *network) {
  ICL__TRY(check_size(network, network->facts.height, network->facts.width));
  return network->also_height ? check_size(network, network->also_height, network->also_width) : ICL_OK;
}

static icl_status read_description(icl_network *network, json_t *json, const icl_safetensors *contents) {
  int version;
  ICL__TRY(read_integer(json_object_get(json, "version"), "the version", 1, 1 << 30, &version));
  if (version > ICL__DESCRIPTION_VERSION)
    return icl__fail(ICL_ENOTSUP, "it is of version %d, and this icl reads version %d", version,
                     ICL__DESCRIPTION_VERSION);
  ICL__TRY(read_shape(network, json_object_get(json, "shape")));
  ICL__TRY(read_also(network, json_object_get(json, "also")));
  ICL__TRY(read_nodes(network, json_object_get(json, "nodes"), contents));
  ICL__TRY(read_integer(json_object_get(json, "output"), "output", 0, network->count - 1, &network->output));
  return check_network(network);
}

static icl_status read_metadata(icl_network *network, const icl_safetensors *contents) {
  json_t *description = json_object_get(icl__json_value(network->metadata), "network"),
         *data = json_object_get(icl__json_value(network->metadata), "data");
  ICL__TRY(read_description(network, description, contents));
  ICL__TRY(read_statistics(network, data));
  ICL__TRY(read_evaluation(network, data));
  return read_class_names(network, data);
}

icl_status icl__network_parse(icl_engine *engine, const char *what, icl__json *metadata,
                              const icl_safetensors *contents, icl_network **result) {
  bool described = json_is_object(json_object_get(icl__json_value(metadata), "network"));
  icl_network *network = described ? icl__calloc(1, sizeof *network) : NULL;
  if (!network) {
    icl__json_free(metadata);
    return described ? icl__wrap(ICL_ENOMEM, "%s", what)
                     : icl__fail(ICL_EFORMAT,
                                 "%s: "
                                 "the file has weights alone, without a description of the network; runs and "
                                 "icl.network.save() write one, "
                                 "and commands take --model",
                                 what);
  }
  network->engine = engine;
  network->metadata = metadata;
  icl_status status = read_metadata(network, contents);
  if (status == ICL_OK) {
    *result = network;
    return ICL_OK;
  }
  icl_network_free(network);
  if (status != ICL_ENOMEM && status != ICL_ENOTSUP)
    status = ICL_EFORMAT; /* whatever recording found is a fault of the file */
  return icl__wrap(status, "%s: the description of the network", what);
}

static const char *find_metadata(const icl_safetensors *contents) {
  for (int i = 0; i < contents->metadata_count; i++)
    if (!strcmp(contents->metadata[i].key, "icl"))
      return contents->metadata[i].value;
  return "{}";
}

static icl_status parse_metadata(const char *path, const icl_safetensors *contents, icl__json **metadata) {
  const char *text = find_metadata(contents);
  json_error_t error;
  icl_status status = icl__json_parse(text, strlen(text), JSON_REJECT_DUPLICATES, &error, metadata);
  if (status == ICL_EFORMAT)
    return icl__fail(ICL_EFORMAT, "%s: the metadata 'icl' is not JSON: %s", path, error.text);
  return status == ICL_OK ? ICL_OK : icl__wrap(status, "%s", path);
}

icl_status icl_network_read(icl_engine *engine, const char *path, icl_network **result) {
  icl_safetensors *contents;
  icl__json *metadata;
  if (icl_in_step(engine))
    return icl__fail(ICL_EINVAL, "%s: a network is not read inside a step; read it before", path);
  ICL__TRY(icl_safetensors_verify(path));
  ICL__TRY(icl_safetensors_read(path, &contents));
  icl_status status = parse_metadata(path, contents, &metadata);
  if (status == ICL_OK)
    status = icl__network_parse(engine, path, metadata, contents, result);
  icl_safetensors_free(contents);
  return status;
}

void icl_network_free(icl_network *network) {
  if (!network)
    return;
  for (int i = 0; i < network->count; i++) {
    icl_state_release(network->nodes[i].state);
    icl_tensor_release(network->nodes[i].constant);
  }
  icl__free(network->nodes);
  icl__free(network->made);
  icl__free(network->statistics);
  icl__free(network->class_names);
  icl__json_free(network->metadata);
  icl__free(network);
}

const icl_network_facts *icl_network_about(const icl_network *network) { return &network->facts; }
