// CUDA graphs: what has been asked of a device once is asked for again in one call.
#pragma once

#include "runtime/cuda/queue.h"

#include <compare>
#include <map>

namespace memformer::cuda {

/// A graph for each thing that is done, made when it is first done and kept up to a bound. Where
/// graphs cannot be had, everything is asked for one by one.
class Graphs {
public:
  /// Addresses depend on the segment, and instructions on whether it is stored and the last.
  struct Key {
    uint32_t function = 0, part = 0;
    int64_t segment = 0;
    bool unstored = false, last = false;
    auto operator<=>(const Key &) const = default;
  };

  Graphs(Queue &queue, bool enabled) : queue(queue), enabled(enabled) {}
  ~Graphs();
  Graphs(const Graphs &) = delete;
  Graphs &operator=(const Graphs &) = delete;

  /// Does what `issue` asks the queue for, of `nodes` things at most: the same for the same key.
  template <class Issue> void run(const Key &key, size_t nodes, Issue &&issue) {
    if (launch(key))
      return;
    if (begin(nodes)) {
      issue();
      if (end(key, nodes))
        return;
    }
    issue();
  }

private:
  bool launch(const Key &key);
  bool begin(size_t nodes);
  bool end(const Key &key, size_t nodes);

  Queue &queue;
  bool enabled;
  size_t totalNodes = 0;
  std::map<Key, GraphExec> made;
};

} // namespace memformer::cuda
