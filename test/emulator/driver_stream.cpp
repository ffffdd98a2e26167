// Streams, events and capture.

#include "test/emulator/driver_state.h"

namespace memformer::emulator {

void DriverState::execute(Operation &operation) {
  // After a failure nothing runs any more.
  if (failure != CUDA_SUCCESS)
    return;
  if (operation.type == CU_GRAPH_NODE_TYPE_KERNEL)
    launch(operation.kernel);
  else
    operation.run();
}

void DriverState::drain(CUstream stream) {
  if (!stream)
    return drainAll();
  while (!stream->queue.empty()) {
    Operation operation = std::move(stream->queue.front());
    stream->queue.pop_front();
    execute(operation);
  }
}

void DriverState::drainAll() {
  for (CUstream stream : streams)
    drain(stream);
}

CUresult DriverState::enqueue(CUstream stream, Operation operation) {
  if (!isStream(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  if (stream && stream->capture) {
    stream->capture->nodes.push_back({std::move(operation)});
    return CUDA_SUCCESS;
  }
  if (!stream) {
    // The default stream runs after all that was asked for before, and at once.
    if (capturing)
      return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    for (CUstream other : streams)
      if (other->blocking)
        drain(other);
    execute(operation);
    return CUDA_SUCCESS;
  }
  stream->queue.push_back(std::move(operation));
  if (!modes.lazyStreams)
    drain(stream);
  return CUDA_SUCCESS;
}

namespace {

/// Removes a stream, an event or a graph that exists.
template <typename Handle> CUresult destroy(std::set<Handle> &handles, Handle handle) {
  if (!handles.erase(handle))
    return CUDA_ERROR_INVALID_HANDLE;
  delete handle;
  return driver().failure;
}

} // namespace

} // namespace memformer::emulator

using namespace memformer::emulator;

CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
  Call call;
  if (!call)
    return call.error;
  if (!stream || flags > CU_STREAM_NON_BLOCKING)
    return CUDA_ERROR_INVALID_VALUE;
  *stream = new CUstream_st;
  (*stream)->blocking = !(flags & CU_STREAM_NON_BLOCKING);
  driver().streams.insert(*stream);
  return CUDA_SUCCESS;
}

CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int) {
  return cuStreamCreate(stream, flags);
}

CUresult cuStreamDestroy_v2(CUstream stream) {
  Call call;
  if (!call)
    return call.error;
  DriverState &state = driver();
  if (!state.streams.count(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  state.drain(stream);
  for (CUevent event : state.events)
    if (event->stream == stream)
      event->stream = nullptr;
  if (stream->began) {
    --state.capturing;
    for (CUstream other : state.streams)
      if (other != stream && other->capture == stream->capture)
        other->capture = nullptr;
    delete stream->capture;
  }
  return destroy(state.streams, stream);
}

CUresult cuStreamSynchronize(CUstream stream) {
  Call call;
  if (!call)
    return call.error;
  if (!driver().isStream(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  if (stream ? stream->capture != nullptr : driver().capturing > 0)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  driver().drain(stream);
  return driver().failure;
}

CUresult cuStreamQuery(CUstream stream) {
  Call call;
  if (!call)
    return call.error;
  if (!driver().isStream(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  if (!stream || stream->queue.empty())
    return CUDA_SUCCESS;
  // Asked again and again, it ends at some time.
  driver().drain(stream);
  return CUDA_ERROR_NOT_READY;
}

CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
  Call call;
  if (!call)
    return call.error;
  DriverState &state = driver();
  if (!state.isStream(stream) || !state.events.count(event))
    return CUDA_ERROR_INVALID_HANDLE;
  if (event->capture) {
    // The stream joins the capture in which the event was recorded.
    if (!stream || (stream->capture && stream->capture != event->capture))
      return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    stream->capture = event->capture;
    return CUDA_SUCCESS;
  }
  if (stream && stream->capture)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  uint64_t version = event->recorded;
  return state.enqueue(stream, {CU_GRAPH_NODE_TYPE_MEMCPY, {}, [event, version] {
                                  DriverState &state = driver();
                                  if (state.events.count(event) && event->done < version)
                                    state.drain(event->stream);
                                }});
}

CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode) {
  Call call;
  if (!call)
    return call.error;
  DriverState &state = driver();
  if (!state.isStream(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  if (!stream || stream->capture)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  stream->capture = new CUgraph_st;
  stream->began = true;
  ++state.capturing;
  return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  Call call;
  if (!call)
    return call.error;
  DriverState &state = driver();
  if (!state.isStream(stream) || !graph)
    return CUDA_ERROR_INVALID_HANDLE;
  if (!stream || !stream->began)
    return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  *graph = stream->capture;
  for (CUstream other : state.streams)
    if (other->capture == *graph)
      other->capture = nullptr;
  for (CUevent event : state.events)
    if (event->capture == *graph)
      event->capture = nullptr;
  stream->began = false;
  --state.capturing;
  state.graphs.insert(*graph);
  return CUDA_SUCCESS;
}

CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status) {
  Call call;
  if (!call)
    return call.error;
  if (!driver().isStream(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  *status =
      stream && stream->capture ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_NONE;
  return CUDA_SUCCESS;
}

CUresult cuEventCreate(CUevent *event, unsigned) {
  Call call;
  if (!call)
    return call.error;
  *event = new CUevent_st;
  driver().events.insert(*event);
  return CUDA_SUCCESS;
}

CUresult cuEventDestroy_v2(CUevent event) {
  Call call;
  return call ? destroy(driver().events, event) : call.error;
}

CUresult cuEventRecord(CUevent event, CUstream stream) {
  Call call;
  if (!call)
    return call.error;
  DriverState &state = driver();
  if (!state.events.count(event) || !state.isStream(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  if (stream && stream->capture) {
    event->capture = stream->capture;
    return CUDA_SUCCESS;
  }
  event->capture = nullptr;
  event->stream = stream;
  uint64_t version = ++event->recorded;
  return state.enqueue(stream, {CU_GRAPH_NODE_TYPE_MEMCPY, {}, [event, version] {
                                  if (!driver().events.count(event))
                                    return;
                                  event->done = version;
                                  event->time = std::chrono::steady_clock::now();
                                }});
}

CUresult cuEventSynchronize(CUevent event) {
  Call call;
  if (!call)
    return call.error;
  if (!driver().events.count(event))
    return CUDA_ERROR_INVALID_HANDLE;
  if (event->capture)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  if (event->done < event->recorded)
    driver().drain(event->stream);
  return driver().failure;
}

CUresult cuEventQuery(CUevent event) {
  Call call;
  if (!call)
    return call.error;
  if (!driver().events.count(event))
    return CUDA_ERROR_INVALID_HANDLE;
  if (event->done == event->recorded)
    return CUDA_SUCCESS;
  driver().drain(event->stream);
  return CUDA_ERROR_NOT_READY;
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
  Call call;
  if (!call)
    return call.error;
  DriverState &state = driver();
  if (!state.events.count(start) || !state.events.count(end) || !start->recorded || !end->recorded)
    return CUDA_ERROR_INVALID_HANDLE;
  if (start->done < start->recorded || end->done < end->recorded)
    return CUDA_ERROR_NOT_READY;
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return CUDA_SUCCESS;
}
