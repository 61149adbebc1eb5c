/* buffer.c - memory of values on the engine's device, counted and shared. */
#include "graph/engine.h"

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
  return icl__device_upload(buffer->engine->backend, buffer->engine->device, buffer->data, host, buffer->bytes);
}

icl_status icl__buffer_copy(icl__buffer *to, const icl__buffer *from) {
  return icl__device_copy(to->engine->backend, to->engine->device, to->data, from->data, to->bytes);
}
