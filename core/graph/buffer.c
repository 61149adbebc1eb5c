/* buffer.c - memory of values on the engine's device, counted and shared. */
#include "graph/engine.h"

#include <string.h>

#include "base/memory.h"

/* A kernel that promises more memory than it has ends the process when the memory is used. */
static icl_status check_room(size_t bytes) {
  const size_t large = (size_t)1 << 30;
  if (bytes < large || bytes <= icl__memory_available())
    return ICL_OK;
  return icl__fail(ICL_ENOMEM, "a value of %zu MB is more than the memory that is free", bytes >> 20);
}

icl_status icl__buffer_new(icl_engine *engine, size_t bytes, icl__buffer **result) {
  icl__buffer *buffer = icl__alloc(1, sizeof *buffer);
  if (!buffer)
    return icl__fail(ICL_ENOMEM, "no memory for a tensor handle");
  size_t size = bytes ? bytes : 1;
  icl_status status = engine->backend->allocate ? ICL_OK : check_room(bytes);
  if (engine->backend->allocate)
    status = engine->backend->allocate(engine->device, size, &buffer->data);
  else if (status == ICL_OK && !(buffer->data = icl__alloc(size, 1)))
    status = icl__fail(ICL_ENOMEM, "no memory for a value of %zu bytes", bytes);
  if (status != ICL_OK) {
    icl__free(buffer);
    return status;
  }
  buffer->references = 1;
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
  if (engine->backend->release)
    engine->backend->release(engine->device, buffer->data);
  else
    icl__free(buffer->data);
  icl__free(buffer);
  icl__engine_release(engine);
}

icl_status icl__buffer_fill(icl__buffer *buffer, const void *host) {
  const icl__backend *backend = buffer->engine->backend;
  if (backend->upload)
    return backend->upload(buffer->engine->device, buffer->data, host, buffer->bytes);
  if (buffer->bytes)
    memcpy(buffer->data, host, buffer->bytes);
  return ICL_OK;
}
