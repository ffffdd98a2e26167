// Modules, functions and launches.

#include "test/emulator/driver_state.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace memformer::emulator {

namespace {

constexpr uint64_t defaultShared = 49152;

/// The options that a caller gave to cuModuleLoadDataEx.
struct Options {
  unsigned count;
  CUjit_option *names;
  void **values;

  void **find(CUjit_option name) const {
    for (unsigned i = 0; i < count; ++i)
      if (names[i] == name)
        return &values[i];
    return nullptr;
  }

  /// Writes to the caller's buffer what fits, and tells how much it is.
  void log(const std::string &text) const {
    void **buffer = find(CU_JIT_ERROR_LOG_BUFFER);
    void **size = find(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
    if (!buffer || !size || !*size)
      return;
    size_t length = std::min(text.size(), size_t(*size) - 1);
    std::memcpy(*buffer, text.data(), length);
    static_cast<char *>(*buffer)[length] = 0;
    *size = reinterpret_cast<void *>(length + 1);
  }
};

/// Whether PTX for `module` can run here.
CUresult checkTarget(const PtxModule &module, const Modes &modes, std::string &message) {
  // CUDA 11.0 came with PTX 7.0, 12.0 with 8.0, 13.0 with 9.0.
  unsigned newest = (modes.driver / 1000 - 4) * 10 + modes.driver % 1000 / 10;
  if (module.version > newest) {
    message = "expected PTX up to version " + std::to_string(newest / 10) + "." +
              std::to_string(newest % 10) + ", but got " + std::to_string(module.version / 10) +
              "." + std::to_string(module.version % 10);
    return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
  }
  if (module.architecture > modes.architecture ||
      (module.architectureSpecific && module.architecture != modes.architecture)) {
    message = "expected PTX for sm_" + std::to_string(modes.architecture) + ", but got sm_" +
              std::to_string(module.architecture) + (module.architectureSpecific ? "a" : "");
    return CUDA_ERROR_INVALID_PTX;
  }
  return CUDA_SUCCESS;
}

CUresult load(CUmodule *result, const void *image, const Options &options) {
  Call call;
  if (!call)
    return call.error;
  if (!result || !image)
    return CUDA_ERROR_INVALID_VALUE;
  DriverState &state = driver();
  if (!std::memcmp(image, "\177ELF", 4)) {
    options.log("the emulator takes PTX, but got a binary");
    return CUDA_ERROR_NO_BINARY_FOR_GPU;
  }
  auto program = Program::load(static_cast<const char *>(image), state.modes, deviceMemory());
  if (!program) {
    options.log("ptx: " + program.error());
    return CUDA_ERROR_INVALID_PTX;
  }
  const PtxModule &ptx = (*program)->ptx();
  std::string message;
  if (CUresult error = checkTarget(ptx, state.modes, message); error != CUDA_SUCCESS) {
    options.log("ptx: " + message);
    return error;
  }
  auto module = std::make_unique<CUmod_st>();
  module->program = *program;
  for (const Variable &variable : ptx.variables) {
    uint64_t address = 0;
    if (variable.space != Space::Shared) {
      address = deviceMemory().allocate(std::max<uint64_t>(variable.bytes, 1), UINT64_MAX,
                                        state.modes.adversarialPlacement, 0);
      std::memcpy(reinterpret_cast<void *>(address), variable.initial.data(),
                  variable.initial.size());
    }
    module->variables.push_back(address);
  }
  for (size_t i = 0; i < ptx.kernels.size(); ++i) {
    uint64_t used = (*program)->code(i).declaredShared;
    CUfunc_st function{module.get(), i, defaultShared - std::min(defaultShared, used)};
    auto [place, isNew] = module->functions.emplace(ptx.kernels[i].name, function);
    state.functions.insert(&place->second);
  }
  *result = module.release();
  state.modules.insert(*result);
  return CUDA_SUCCESS;
}

const Kernel &kernelOf(CUfunction function) {
  return function->module->program->ptx().kernels[function->kernel];
}

const KernelCode &codeOf(CUfunction function) {
  return function->module->program->code(function->kernel);
}

} // namespace

CUresult makeLaunch(KernelLaunch &launch, CUfunction function, const unsigned grid[3],
                    const unsigned block[3], unsigned sharedBytes, void **parameters,
                    void **extra) {
  if (!driver().functions.count(function))
    return CUDA_ERROR_INVALID_HANDLE;
  const Kernel &kernel = kernelOf(function);
  uint64_t threads = 1;
  for (unsigned i = 0; i < 3; ++i) {
    if (!grid[i] || !block[i] || grid[i] > (i ? 65535u : 0x7fffffffu) || block[i] > maximumThreads)
      return CUDA_ERROR_INVALID_VALUE;
    threads *= block[i];
    launch.grid[i] = grid[i];
    launch.block[i] = block[i];
  }
  if (threads > maximumThreads || sharedBytes > function->maximumDynamic)
    return CUDA_ERROR_INVALID_VALUE;
  if (threads > kernel.maximumThreads)
    return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
  if (extra || (!parameters && !kernel.parameters.empty()))
    return CUDA_ERROR_INVALID_VALUE;
  launch.function = function;
  launch.dynamicShared = sharedBytes;
  launch.parameters.resize(kernel.parameterBytes);
  for (size_t i = 0; i < kernel.parameters.size(); ++i) {
    const Parameter &parameter = kernel.parameters[i];
    std::memcpy(&launch.parameters[parameter.offset], parameters[i], parameter.bytes);
  }
  return CUDA_SUCCESS;
}

void DriverState::launch(const KernelLaunch &kernel) {
  CUmodule owner = kernel.function->module;
  auto code = owner->program->compile(kernel.function->kernel);
  if (!code) {
    fail({CUDA_ERROR_LAUNCH_FAILED, code.error()});
    return;
  }
  Launch what{*code,
              kernel.grid,
              kernel.block,
              kernel.dynamicShared,
              kernel.parameters.data(),
              owner->variables.data()};
  if (auto found = runGrid(what, modes))
    fail(*found);
  else if (!modes.launches.empty() && launched.insert((*code)->name).second)
    if (std::FILE *file = std::fopen(modes.launches.c_str(), "a")) {
      std::fprintf(file, "%s\n", (*code)->name.c_str());
      // What the compiler says at the head of the text.
      for (const std::string &line : *(*code)->lines)
        if (line.starts_with("// kernel: "))
          std::fprintf(file, "%s\n", line.c_str());
      std::fclose(file);
    }
}

} // namespace memformer::emulator

using namespace memformer::emulator;

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  return load(module, image, {0, nullptr, nullptr});
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count,
                            CUjit_option *options, void **values) {
  return load(module, image, {count, options, values});
}

CUresult cuModuleUnload(CUmodule module) {
  Call call;
  if (!call)
    return call.error;
  DriverState &state = driver();
  if (!state.modules.count(module))
    return CUDA_ERROR_INVALID_HANDLE;
  state.drainAll();
  for (auto &[name, function] : module->functions)
    state.functions.erase(&function);
  for (uint64_t address : module->variables)
    if (address)
      deviceMemory().release(address);
  state.modules.erase(module);
  delete module;
  return state.failure;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  Call call;
  if (!call)
    return call.error;
  if (!driver().modules.count(module))
    return CUDA_ERROR_INVALID_HANDLE;
  auto found = module->functions.find(name);
  if (found == module->functions.end())
    return CUDA_ERROR_NOT_FOUND;
  *function = &found->second;
  return CUDA_SUCCESS;
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes, CUmodule module,
                              const char *name) {
  Call call;
  if (!call)
    return call.error;
  if (!driver().modules.count(module))
    return CUDA_ERROR_INVALID_HANDLE;
  const std::vector<Variable> &variables = module->program->ptx().variables;
  for (size_t i = 0; i < variables.size(); ++i)
    if (variables[i].name == name && module->variables[i]) {
      if (address)
        *address = module->variables[i];
      if (bytes)
        *bytes = variables[i].bytes;
      return CUDA_SUCCESS;
    }
  return CUDA_ERROR_NOT_FOUND;
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
  Call call;
  if (!call)
    return call.error;
  DriverState &state = driver();
  if (!state.functions.count(function))
    return CUDA_ERROR_INVALID_HANDLE;
  if (attribute == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT)
    return CUDA_SUCCESS;
  uint64_t most = optInShared(state.modes.architecture), used = codeOf(function).declaredShared;
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 ||
      uint64_t(value) + used > most)
    return CUDA_ERROR_INVALID_VALUE;
  function->maximumDynamic = uint64_t(value);
  return CUDA_SUCCESS;
}

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function) {
  Call call;
  if (!call)
    return call.error;
  if (!driver().functions.count(function))
    return CUDA_ERROR_INVALID_HANDLE;
  const PtxModule &ptx = function->module->program->ptx();
  const Kernel &kernel = kernelOf(function);
  uint64_t local = 0;
  for (const Variable &variable : kernel.variables)
    local += variable.space == Space::Local ? variable.bytes : 0;
  switch (attribute) {
  case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    *value = int(kernel.maximumThreads);
    return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
    *value = int(codeOf(function).declaredShared);
    return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
    *value = int(local);
    return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
  case CU_FUNC_ATTRIBUTE_NUM_REGS: // not known before machine code is
    *value = 0;
    return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_PTX_VERSION:
    *value = int(ptx.version);
    return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
    *value = int(driver().modes.architecture);
    return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
    *value = int(function->maximumDynamic);
    return CUDA_SUCCESS;
  default:
    return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ,
                        unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,
                        CUstream stream, void **parameters, void **extra) {
  Call call;
  if (!call)
    return call.error;
  const unsigned grid[] = {gridX, gridY, gridZ}, block[] = {blockX, blockY, blockZ};
  Operation operation{CU_GRAPH_NODE_TYPE_KERNEL, {}, {}};
  CUresult error =
      makeLaunch(operation.kernel, function, grid, block, sharedBytes, parameters, extra);
  if (error != CUDA_SUCCESS)
    return error;
  return driver().enqueue(stream, std::move(operation));
}
