/* apply.c - a network that was read, on images: its ops are recorded again. */
#include "base/memory.h"
#include "data/crop.h"
#include "graph/engine.h"
#include "network/network.h"
#include "ops/attributes.h"

/* ---- recording ---- */

static icl_status times_batch(int32_t *size, int32_t images) {
  int64_t product = (int64_t)*size * images;
  if (product > INT32_MAX)
    return icl__fail(ICL_ESHAPE, "%d images are too many", (int)images);
  *size = (int32_t)product;
  return ICL_OK;
}

static icl_status record_filled(icl_network *network, const icl__planned_node *node, int32_t images,
                                icl_tensor **result) {
  icl_attributes attr = {0};
  int32_t shape[ICL_MAX_RANK];
  for (int i = 0; i < node->rank; i++) {
    shape[i] = node->shape[i];
    if (node->batch >> i & 1)
      ICL__TRY(times_batch(&shape[i], images));
  }
  icl__set_list(&attr, TARGET_SHAPE, node->rank, shape);
  icl_tensor *value = node->constant;
  return icl__record(network->engine, ICL__OP_broadcast_to, 1, &value, &attr, result);
}

static icl_status record_op(icl_network *network, const icl__planned_node *node, int32_t images, icl_tensor **result) {
  icl_tensor *in[ICL_MAX_INPUTS];
  icl_attributes attr = node->attr;
  for (int i = 0; i < node->inputs; i++)
    in[i] = network->made[node->in[i]];
  for (int i = 0; i < ICL_ATTR_INTS; i++)
    if (node->batch >> i & 1)
      ICL__TRY(times_batch(&attr.i[i], images));
  network->engine->layer = node->layer;
  return icl_apply(network->engine, node->op, node->inputs, in, &attr, result);
}

static icl_status record_node(icl_network *network, const icl__planned_node *node, icl_tensor *images,
                              icl_tensor **result) {
  switch (node->kind) {
  case ICL__NODE_IMAGES:
    *result = icl_tensor_retain(images);
    return ICL_OK;
  case ICL__NODE_STATE:
    return icl_state_read(node->state, result);
  case ICL__NODE_NUMBER:
    return icl_number(network->engine, node->number, result);
  case ICL__NODE_CONSTANT:
    if (node->filled)
      return record_filled(network, node, icl_tensor_shape(images)[0], result);
    *result = icl_tensor_retain(node->constant);
    return ICL_OK;
  case ICL__NODE_OP:
    return record_op(network, node, icl_tensor_shape(images)[0], result);
  }
  return icl__fail(ICL_EINTERNAL, "a node of a network is of no kind");
}

/* While the network is checked, its classes not being known. */
static void note_shape(const icl_network *network, icl__planned_node *node, const icl_tensor *made) {
  if (network->facts.classes)
    return;
  node->made_dtype = icl_tensor_dtype(made);
  node->made_rank = icl_tensor_rank(made);
  for (int i = 0; i < node->made_rank; i++)
    node->made_shape[i] = icl_tensor_shape(made)[i];
}

static icl_status record_nodes(icl_network *network, icl_tensor *images, icl_tensor **logits) {
  icl_engine *engine = network->engine;
  const char *layer = engine->layer;
  icl_status status = ICL_OK;
  int made = 0;
  for (; made < network->count && status == ICL_OK; made++) {
    network->made[made] = NULL;
    status = record_node(network, &network->nodes[made], images, &network->made[made]);
    if (status == ICL_OK)
      note_shape(network, &network->nodes[made], network->made[made]);
    else
      icl__wrap(status, "node %d", made);
  }
  if (status == ICL_OK)
    *logits = icl_tensor_retain(network->made[network->output]);
  while (made--)
    icl_tensor_release(network->made[made]);
  engine->layer = layer;
  return status;
}

/* ---- images ---- */

static bool takes_size(const icl_network *network, int height, int width) {
  return (height == network->facts.height && width == network->facts.width) ||
         (height == network->also_height && width == network->also_width);
}

static icl_status check_images(const icl_network *network, const icl_tensor *images) {
  const icl_network_facts *facts = &network->facts;
  const int32_t *shape = icl_tensor_shape(images);
  icl_dtype dtype = icl_tensor_dtype(images);
  char text[ICL__SHAPE_TEXT];
  if (icl_tensor_engine(images) != network->engine)
    return icl__fail(ICL_EINVAL, "network: the images belong to another engine");
  if (icl_tensor_rank(images) == 4 && takes_size(network, shape[1], shape[2]) && shape[3] == facts->channels &&
      (dtype == ICL_F32 || (dtype == ICL_U8 && facts->mean)))
    return ICL_OK;
  return icl__fail(ICL_ESHAPE, "network: the images are %s; they must be f32%s (n, %d, %d, %d)",
                   icl__shape_text(text, dtype, icl_tensor_rank(images), shape), facts->mean ? " or u8" : "",
                   facts->height, facts->width, facts->channels);
}

/* Images of bytes as the network takes them. */
static icl_status normalize(const icl_network *network, icl_tensor *images, icl_tensor **result) {
  const icl_network_facts *facts = &network->facts;
  int32_t shape[] = {facts->channels};
  icl_tensor *in[3] = {images};
  icl_attributes attr = {0};
  attr.i[NORMALIZE_DTYPE] = ICL_F32;
  ICL__TRY(icl_tensor_new(network->engine, ICL_F64, 1, shape, facts->mean, &in[1]));
  icl_status status = icl_tensor_new(network->engine, ICL_F64, 1, shape, facts->std, &in[2]);
  if (status == ICL_OK)
    status = icl__record(network->engine, ICL__OP_normalize, 3, in, &attr, result);
  icl_tensor_release(in[2]);
  icl_tensor_release(in[1]);
  return status;
}

static icl_status record(icl_network *network, icl_tensor *images, icl_tensor **logits) {
  if (icl_tensor_dtype(images) == ICL_F32)
    return record_nodes(network, images, logits);
  icl_tensor *normalized;
  ICL__TRY(normalize(network, images, &normalized));
  icl_status status = record_nodes(network, normalized, logits);
  icl_tensor_release(normalized);
  return status;
}

static icl_status evaluate(icl_network *network, icl_tensor *images, icl_tensor **logits) {
  ICL__TRY(icl_step_begin(network->engine));
  icl_status status = record(network, images, logits);
  if (status == ICL_OK) {
    status = icl_tensor_keep(*logits);
    if (status == ICL_OK)
      status = icl_step_end(network->engine);
    if (status != ICL_OK)
      icl_tensor_release(*logits);
  }
  icl_step_cancel(network->engine);
  return status;
}

icl_status icl_network_apply(icl_network *network, icl_tensor *images, icl_tensor **logits) {
  ICL__TRY(check_images(network, images));
  icl_no_gradient_begin(network->engine);
  icl_status status =
      icl_in_step(network->engine) ? record(network, images, logits) : evaluate(network, images, logits);
  icl_no_gradient_end(network->engine);
  return status;
}

/* ---- pictures ---- */

/* Red, green and blue to grey in place, as Pillow's convert("L"). */
static void make_grey(uint8_t *pixels, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const uint8_t *p = pixels + 3 * i;
    pixels[i] = (uint8_t)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16);
  }
}

static icl__crop whole(const icl__image *image, const icl_network_facts *facts) {
  return (icl__crop){.height = image->height,
                     .width = image->width,
                     .full_height = facts->height,
                     .full_width = facts->width,
                     .window_height = facts->height,
                     .window_width = facts->width};
}

icl_status icl_network_image(const icl_network *network, const char *path, icl_tensor **result) {
  const icl_network_facts *facts = &network->facts;
  int32_t shape[] = {1, facts->height, facts->width, facts->channels};
  size_t count = (size_t)facts->height * (size_t)facts->width;
  icl__image image = {0};
  if (facts->channels != 1 && facts->channels != 3)
    return icl__fail(ICL_ENOTSUP, "the network takes images of %d channels, which no picture has", facts->channels);
  uint8_t *pixels = icl__alloc(count, 3);
  icl_status status = pixels ? icl__image_read(path, &image) : icl__wrap(ICL_ENOMEM, "%s", path);
  if (status == ICL_OK) {
    icl__crop crop =
        facts->crop ? icl__crop_center(image.height, image.width, facts->resize, facts->crop) : whole(&image, facts);
    status = icl__crop_render(&image, &crop, pixels);
  }
  if (status == ICL_OK && facts->channels == 1)
    make_grey(pixels, count);
  if (status == ICL_OK)
    status = icl_tensor_new(network->engine, ICL_U8, 4, shape, pixels, result);
  icl__free(pixels);
  icl__free(image.pixels);
  return status;
}
