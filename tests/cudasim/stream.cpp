/* stream.cpp - streams and events: queues that run when the host waits for them (lazy), at once (eager), or in between
 * as the seed has it (random). */
#include "stream.h"
#include "tsan.h"

#include <algorithm>

namespace sim {

static std::vector<cudaStream_t> &streams = *new std::vector<cudaStream_t>;

void check_stream(cudaStream_t stream, const char *call) {
  if (std::find(streams.begin(), streams.end(), stream) == streams.end())
    fail("%s: %p is no stream; the default stream is not used, and one that was destroyed is gone", call,
         (void *)stream);
}

/* ---- running what is on a stream ---- */

static void run_first(cudaStream_t stream) {
  operation o = std::move(stream->operations.front());
  stream->operations.pop_front();
  void *host = tsan_current();
  if (o.kind == operation::RECORD)
    o.event->time = std::chrono::steady_clock::now(); /* the host asks: the stream must not write to its stack */
  tsan_switch(stream->fiber);
  acquire(o.began.get());
  switch (o.kind) {
  case operation::RUN:
    o.run();
    break;
  case operation::RECORD:
    o.event->done = std::max(o.event->done, o.record);
    release(&o.event->end);
    break;
  case operation::WAIT:
    acquire(&o.event->end);
    break;
  }
  o.run = nullptr; /* frees the arguments, which it has read */
  release(&stream->end);
  tsan_switch(host);
}

static bool is_blocked(cudaStream_t stream) {
  const operation &o = stream->operations.front();
  return o.kind == operation::WAIT && o.event->done < o.record;
}

static void run_until_event(cudaEvent_t event, uint64_t record);

/* Runs the stream to its end, or until the event has its record. */
static void run_until(cudaStream_t stream, cudaEvent_t event, uint64_t record) {
  while (!stream->operations.empty() && !(event && event->done >= record)) {
    if (is_blocked(stream)) {
      operation o = stream->operations.front();
      run_until_event(o.event, o.record);
    }
    run_first(stream);
  }
}

static void run_until_event(cudaEvent_t event, uint64_t record) {
  for (cudaStream_t other : streams)
    if (event->done < record && other == event->last)
      run_until(other, event, record);
  if (event->done < record)
    fail("a stream waits for an event that no stream will record");
}

static void run_some() {
  for (size_t i = draw(4); i > 0; i--) {
    cudaStream_t stream = streams[draw(streams.size())];
    if (!stream->operations.empty() && !is_blocked(stream))
      run_first(stream);
  }
}

static void put(cudaStream_t stream, operation o) {
  o.began = std::make_shared<char>();
  release(o.began.get());
  stream->operations.push_back(std::move(o));
  if (setting.streams == LAZY)
    return;
  device_turn turn;
  if (setting.streams == EAGER)
    run_until(stream, nullptr, 0);
  else
    run_some();
}

cudaError_t enqueue(cudaStream_t stream, const char *name, std::function<void()> run) {
  check_stream(stream, name);
  if (stream->graph) {
    stream->graph->nodes.push_back({std::move(run), stream->after, 0});
    stream->after = {stream->graph->nodes.size() - 1};
    return cudaSuccess;
  }
  if (late_error == cudaSuccess)
    put(stream, {operation::RUN, std::move(run), nullptr, 0, nullptr});
  return result(late_error);
}

int device_of(cudaStream_t stream) { return stream->device; }

bool is_captured(cudaStream_t stream) { return stream->graph; }
unsigned capture_of(cudaStream_t stream) { return stream->graph ? stream->graph->number : 0; }

void refuse_captured(cudaStream_t stream) {
  if (stream->graph)
    stream->graph->refused = true;
}

void refuse_in_capture(const char *call) {
  if (is_capturing())
    fail("%s while a stream is captured", call);
}

void finish_streams() {
  {
    device_turn turn;
    for (cudaStream_t stream : streams)
      run_until(stream, nullptr, 0);
  }
  for (cudaStream_t stream : streams)
    acquire(&stream->end);
  trim_pool();
}

void finish_stream(cudaStream_t stream) {
  {
    device_turn turn;
    run_until(stream, nullptr, 0);
  }
  acquire(&stream->end);
  trim_pool();
}

} // namespace sim

using namespace sim;

extern "C" {

/* ---- streams ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
  if (flags != cudaStreamNonBlocking)
    fail("cudaStreamCreateWithFlags: the stream must be cudaStreamNonBlocking");
  *stream = new CUstream_st{};
  (*stream)->fiber = tsan_new();
  (*stream)->device = current_device();
  streams.push_back(*stream);
  live_things++;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  check_stream(stream, "cudaStreamSynchronize");
  refuse_in_capture("cudaStreamSynchronize");
  finish_stream(stream);
  return result(late_error);
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  check_stream(stream, "cudaStreamQuery");
  if (!stream->operations.empty())
    return cudaErrorNotReady;
  acquire(&stream->end);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  cudaStreamSynchronize(stream);
  streams.erase(std::find(streams.begin(), streams.end(), stream));
  tsan_free(stream->fiber);
  delete stream;
  live_things--;
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void) {
  refuse_in_capture("cudaDeviceSynchronize");
  finish_streams();
  return result(late_error);
}

/* ---- events ---- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
  if (flags & ~(unsigned)(cudaEventDisableTiming | cudaEventBlockingSync))
    fail("cudaEventCreateWithFlags: flags %u are not simulated", flags);
  *event = new CUevent_st{};
  (*event)->is_timed = !(flags & cudaEventDisableTiming);
  (*event)->device = current_device();
  live_things++;
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  finish_streams();
  delete event;
  live_things--;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  check_stream(stream, "cudaEventRecord");
  if (event->device != stream->device)
    return result(cudaErrorInvalidResourceHandle);
  event->graph = stream->graph;
  if (stream->graph) {
    event->after = stream->after;
    return cudaSuccess;
  }
  event->last = stream;
  put(stream, {operation::RECORD, nullptr, event, ++event->recorded, nullptr});
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  check_stream(stream, "cudaStreamWaitEvent");
  if (event->graph) {
    if (!stream->graph)
      begin_capture(stream, event->graph);
    if (stream->graph != event->graph)
      fail("cudaStreamWaitEvent: the stream and the event are captured into different graphs");
    stream->after.insert(event->after.begin(), event->after.end());
  } else if (stream->graph) {
    fail("cudaStreamWaitEvent: a captured stream waits for an event that was recorded outside of the capture");
  } else if (event->recorded) {
    put(stream, {operation::WAIT, nullptr, event, event->recorded, nullptr});
  }
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  refuse_in_capture("cudaEventSynchronize");
  if (event->done < event->recorded) {
    device_turn turn;
    run_until_event(event, event->recorded);
  }
  acquire(&event->end);
  trim_pool();
  return result(late_error);
}

/* Who asks again and again is answered some time: each question lets the stream go on by one step. */
cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (event->done < event->recorded) {
    device_turn turn;
    if (!is_blocked(event->last))
      run_first(event->last);
    return cudaErrorNotReady;
  }
  acquire(&event->end);
  return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to) {
  for (cudaEvent_t event : {from, to}) {
    if (!event->is_timed || !event->recorded)
      return result(cudaErrorInvalidResourceHandle);
    if (event->done < event->recorded)
      return cudaErrorNotReady;
  }
  *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
  return cudaSuccess;
}

} // extern "C"
