// Graphs: what a capture recorded, launched as often as one likes.

#include "test/emulator/driver_state.h"

#include <algorithm>
#include <cstring>

using namespace memformer::emulator;

CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph, unsigned long long) {
  Call call;
  if (!call)
    return call.error;
  DriverState &state = driver();
  if (!state.graphs.count(graph) || !executable)
    return CUDA_ERROR_INVALID_HANDLE;
  auto made = std::make_unique<CUgraphExec_st>();
  made->graph = graph;
  for (CUgraphNode_st &node : graph->nodes) {
    made->nodes.push_back(&node);
    made->operations.push_back(node.operation);
  }
  *executable = made.release();
  state.executables.insert(*executable);
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiate_v2(CUgraphExec *executable, CUgraph graph, CUgraphNode *node, char *log,
                               size_t bytes) {
  if (node)
    *node = nullptr;
  if (log && bytes)
    *log = 0;
  return cuGraphInstantiateWithFlags(executable, graph, 0);
}

CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  Call call;
  if (!call)
    return call.error;
  DriverState &state = driver();
  if (!state.executables.count(executable))
    return CUDA_ERROR_INVALID_HANDLE;
  for (const Operation &operation : executable->operations)
    if (CUresult error = state.enqueue(stream, operation); error != CUDA_SUCCESS)
      return error;
  return CUDA_SUCCESS;
}

CUresult cuGraphUpload(CUgraphExec executable, CUstream stream) {
  Call call;
  if (!call)
    return call.error;
  bool known = driver().executables.count(executable) && driver().isStream(stream);
  return known ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuGraphExecDestroy(CUgraphExec executable) {
  Call call;
  if (!call)
    return call.error;
  if (!driver().executables.erase(executable))
    return CUDA_ERROR_INVALID_HANDLE;
  delete executable;
  return CUDA_SUCCESS;
}

CUresult cuGraphDestroy(CUgraph graph) {
  Call call;
  if (!call)
    return call.error;
  if (!driver().graphs.erase(graph))
    return CUDA_ERROR_INVALID_HANDLE;
  delete graph;
  return CUDA_SUCCESS;
}

CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count) {
  Call call;
  if (!call)
    return call.error;
  if (!driver().graphs.count(graph) || !count)
    return CUDA_ERROR_INVALID_HANDLE;
  if (!nodes) {
    *count = graph->nodes.size();
    return CUDA_SUCCESS;
  }
  *count = std::min(*count, graph->nodes.size());
  for (size_t i = 0; i < *count; ++i)
    nodes[i] = &graph->nodes[i];
  return CUDA_SUCCESS;
}

CUresult cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType *type) {
  Call call;
  if (!call)
    return call.error;
  if (!node || !type)
    return CUDA_ERROR_INVALID_VALUE;
  *type = node->operation.type;
  return CUDA_SUCCESS;
}

CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS *parameters) {
  Call call;
  if (!call)
    return call.error;
  if (!node || !parameters || node->operation.type != CU_GRAPH_NODE_TYPE_KERNEL)
    return CUDA_ERROR_INVALID_VALUE;
  KernelLaunch &kernel = node->operation.kernel;
  kernel.pointers.clear();
  const Kernel &ptx = kernel.function->module->program->ptx().kernels[kernel.function->kernel];
  for (const Parameter &parameter : ptx.parameters)
    kernel.pointers.push_back(&kernel.parameters[parameter.offset]);
  *parameters = {kernel.function,        kernel.grid[0],  kernel.grid[1],  kernel.grid[2],
                 kernel.block[0],        kernel.block[1], kernel.block[2], kernel.dynamicShared,
                 kernel.pointers.data(), nullptr,         nullptr,         nullptr};
  return CUDA_SUCCESS;
}

CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec executable, CUgraphNode node,
                                           const CUDA_KERNEL_NODE_PARAMS *parameters) {
  Call call;
  if (!call)
    return call.error;
  if (!driver().executables.count(executable))
    return CUDA_ERROR_INVALID_HANDLE;
  auto found = std::find(executable->nodes.begin(), executable->nodes.end(), node);
  if (found == executable->nodes.end() || !parameters)
    return CUDA_ERROR_INVALID_VALUE;
  Operation &operation = executable->operations[size_t(found - executable->nodes.begin())];
  if (operation.type != CU_GRAPH_NODE_TYPE_KERNEL)
    return CUDA_ERROR_INVALID_VALUE;
  const unsigned grid[] = {parameters->gridDimX, parameters->gridDimY, parameters->gridDimZ};
  const unsigned block[] = {parameters->blockDimX, parameters->blockDimY, parameters->blockDimZ};
  return makeLaunch(operation.kernel, parameters->func, grid, block, parameters->sharedMemBytes,
                    parameters->kernelParams, parameters->extra);
}
