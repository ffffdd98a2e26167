// What the driver's functions share: handles, streams and errors.

#ifndef MEMFORMER_TEST_EMULATOR_DRIVER_STATE_H
#define MEMFORMER_TEST_EMULATOR_DRIVER_STATE_H

#include "test/emulator/cuda_driver.h"
#include "test/emulator/device.h"
#include "test/emulator/program.h"

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>

struct CUctx_st {};

struct CUfunc_st {
  CUmod_st *module;
  size_t kernel; // of the program
  uint64_t maximumDynamic;
};

struct CUmod_st {
  std::shared_ptr<memformer::emulator::Program> program;
  std::vector<uint64_t> variables; // addresses
  std::map<std::string, CUfunc_st> functions;
};

namespace memformer::emulator {

/// A kernel with its arguments.
struct KernelLaunch {
  CUfunction function = nullptr;
  std::array<uint32_t, 3> grid = {}, block = {};
  uint32_t dynamicShared = 0;
  std::vector<uint8_t> parameters;
  std::vector<void *> pointers; // to the parameters, for those who ask
};

/// Work of a stream, or a node of a graph.
struct Operation {
  CUgraphNodeType type;
  KernelLaunch kernel;
  std::function<void()> run; // where it is no kernel
};

} // namespace memformer::emulator

struct CUgraphNode_st {
  memformer::emulator::Operation operation;
};

/// Nodes in the order in which they were captured, which is one that all dependences allow.
struct CUgraph_st {
  std::deque<CUgraphNode_st> nodes;
};

struct CUgraphExec_st {
  CUgraph graph; // whose nodes name those of `operations`; not looked into
  std::vector<CUgraphNode> nodes;
  std::vector<memformer::emulator::Operation> operations;
};

struct CUstream_st {
  bool blocking = true;
  std::deque<memformer::emulator::Operation> queue;
  CUgraph capture = nullptr; // of this stream, or of the one whose event it waits for
  bool began = false;        // the capture
};

struct CUevent_st {
  uint64_t recorded = 0, done = 0; // records asked for, and passed
  CUstream stream = nullptr;
  CUgraph capture = nullptr;
  std::chrono::steady_clock::time_point time;
};

namespace memformer::emulator {

struct DriverState {
  std::recursive_mutex lock;
  Modes modes;
  bool configured = false, initialized = false;
  CUctx_st context;
  CUresult failure = CUDA_SUCCESS; // stays until the context goes
  std::string fault;
  std::set<CUmodule> modules;
  std::set<CUfunction> functions;
  std::set<CUstream> streams;
  std::set<CUevent> events;
  std::set<CUgraph> graphs;
  std::set<CUgraphExec> executables;
  std::map<void *, size_t> hostAllocations;
  unsigned capturing = 0;         // streams
  std::set<std::string> launched; // kernels that the file of launches has already

  /// Reads the settings of the environment, once.
  bool configure();
  CUresult fail(const Fault &fault);
  /// Adds to a stream, or to the graph that it captures.
  CUresult enqueue(CUstream stream, Operation operation);
  /// Runs what a stream has before it; with null, what all streams have.
  void drain(CUstream stream);
  void drainAll();
  void execute(Operation &operation);
  void launch(const KernelLaunch &kernel);
  bool isStream(CUstream stream) const { return !stream || streams.count(stream); }
  /// Clears what belongs to a context.
  void reset();
};

DriverState &driver();

/// Each function of the interface begins with one: it takes the lock, and tells whether the driver
/// can be used at all.
class Call {
public:
  explicit Call(bool needsContext = true);
  CUresult error;
  explicit operator bool() const { return error == CUDA_SUCCESS; }

private:
  std::lock_guard<std::recursive_mutex> guard;
};

/// The thread's contexts, the current one last.
std::vector<CUcontext> &contextStack();

/// The launch of a function, checked.
CUresult makeLaunch(KernelLaunch &launch, CUfunction function, const unsigned grid[3],
                    const unsigned block[3], unsigned sharedBytes, void **parameters, void **extra);

/// Shared memory of a block that a kernel may ask for on an architecture.
uint64_t optInShared(unsigned architecture);

} // namespace memformer::emulator

#endif
