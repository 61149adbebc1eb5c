/* buffer.c - memory of values on the engine's device, counted and shared. */
#include "graph/engine.h"

#include <string.h>

#include "base/memory.h"
#include "plan/device_memory.h"

/* A kernel that promises more memory than it has ends the process when the memory is used. */
static icl_status check_room(const icl_engine *engine, size_t bytes) {
  const size_t large = (size_t)1 << 30;
  if (bytes < large || bytes <= icl__device_available(engine->backend, engine->device))
    return ICL_OK;
  return icl__fail(ICL_ENOMEM, "a value of %zu MB is more than the memory that is free", bytes >> 20);
}

icl_status icl__buffer_new(icl_engine *engine, size_t bytes, icl__buffer **result) {
  icl__buffer *buffer = icl__alloc(1, sizeof *buffer);
  if (!buffer)
    return icl__fail(ICL_ENOMEM, "no memory for a tensor handle");
  icl_status status = check_room(engine, bytes);
  if (status == ICL_OK)
    status = icl__device_allocate(engine->backend, engine->device, bytes, &buffer->data);
  if (status != ICL_OK) {
    icl__free(buffer);
    return status;
  }
  buffer->references = 1;
  buffer->pinned = 0;
  buffer->ranged = false;
  buffer->bytes = bytes;
  buffer->engine = engine;
  icl__engine_retain(engine);
  engine->statistics.value_bytes += bytes;
  *result = buffer;
  return ICL_OK;
}

icl__buffer *icl__buffer_retain(icl__buffer *buffer) {
  buffer->references++;
  return buffer;
}

void icl__buffer_release(icl__buffer *buffer) {
  if (!buffer || --buffer->references)
    return;
  icl_engine *engine = buffer->engine;
  engine->statistics.value_bytes -= buffer->bytes;
  icl__device_release(engine->backend, engine->device, buffer->data);
  icl__free(buffer);
  icl__engine_release(engine);
}

icl_status icl__buffer_fill(icl__buffer *buffer, const void *host) {
  buffer->ranged = false;
  return icl__device_upload(buffer->engine->backend, buffer->engine->device, buffer->data, host, buffer->bytes);
}

icl_status icl__buffer_copy(icl__buffer *to, const icl__buffer *from) {
  to->ranged = from->ranged;
  to->least = from->least;
  to->most = from->most;
  return icl__device_copy(to->engine->backend, to->engine->device, to->data, from->data, to->bytes);
}

/* ---- indices ---- */

void icl__buffer_note_range(icl__buffer *buffer, const void *host) {
  buffer->least = buffer->most = 0;
  for (size_t at = 0; at < buffer->bytes; at += sizeof(int64_t)) {
    int64_t value; /* in a file values lie at any address */
    memcpy(&value, (const char *)host + at, sizeof value);
    buffer->least = !at || value < buffer->least ? value : buffer->least;
    buffer->most = !at || value > buffer->most ? value : buffer->most;
  }
  buffer->ranged = true;
}

static icl_status look_at(icl__buffer *buffer, const icl__node *node, const int64_t *index) {
  icl__buffer_note_range(buffer, index);
  return icl__check_indices(node, index);
}

icl_status icl__buffer_check_indices(icl__buffer *buffer, const icl__node *node) {
  if (buffer->ranged && buffer->least >= 0 && buffer->most < node->index_limit)
    return ICL_OK;
  if (icl__device_shares_memory(buffer->engine->backend))
    return look_at(buffer, node, buffer->data);
  int64_t *host = icl__alloc(buffer->bytes, 1);
  if (!host)
    return icl__fail(ICL_ENOMEM, "%s: no memory to look at its indices", icl_tensor_op(node));
  icl_status status = icl__engine_download(buffer->engine, host, buffer->data, buffer->bytes);
  if (status == ICL_OK)
    status = look_at(buffer, node, host);
  icl__free(host);
  return status;
}
