// Captures, keeps and launches graphs.

#include "runtime/cuda/graphs.h"

namespace memformer::cuda {

namespace {
constexpr size_t mostNodes = 1 << 16; // a node takes a KiB or two of the device
} // namespace

Graphs::~Graphs() {
  for (const auto &[key, graph] : made)
    queue.driver().graphExecDestroy(graph);
}

bool Graphs::launch(const Key &key) {
  const auto found = made.find(key);
  if (found == made.end())
    return false;
  if (!queue.failed())
    queue.check(queue.driver().graphLaunch(found->second, queue.stream()), "launching a graph");
  return true;
}

bool Graphs::begin(size_t nodes) {
  // One thing alone is asked for as quickly.
  if (!enabled || queue.failed() || nodes < 2 || totalNodes + nodes > mostNodes)
    return false;
  enabled = queue.driver().beginCapture(queue.stream(), threadLocalCapture) == Status::Success;
  return enabled;
}

bool Graphs::end(const Key &key, size_t nodes) {
  const Driver &driver = queue.driver();
  Graph graph = nullptr;
  GraphExec exec = nullptr;
  const bool captured = !queue.failed();
  enabled = driver.endCapture(queue.stream(), &graph) == Status::Success && captured && graph &&
            driver.graphInstantiate(&exec, graph, 0) == Status::Success;
  if (graph)
    driver.graphDestroy(graph);
  // What cannot be captured can perhaps be done; if not, its own error says why.
  queue.forgive();
  if (!enabled)
    return false;
  made.emplace(key, exec);
  totalNodes += nodes;
  return launch(key);
}

} // namespace memformer::cuda
