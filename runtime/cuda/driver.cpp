// Finds the CUDA driver.

#include "runtime/cuda/driver.h"

#include <cstdlib>
#include <dlfcn.h>

namespace memformer::cuda {

Result<std::shared_ptr<const Driver>> Driver::load() {
  const char *chosen = std::getenv("MEMFORMER_CUDA_DRIVER");
  const std::string library = chosen && *chosen ? chosen : "libcuda.so.1";
  // Never closed: the driver has threads of its own.
  void *handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return error("cannot load the CUDA driver: {}; install NVIDIA's driver, or use --device cpu",
                 ::dlerror());
  auto driver = std::make_shared<Driver>();
  const char *missing = nullptr;
  auto find = [&](const char *symbol) {
    void *address = ::dlsym(handle, symbol);
    if (!address && !missing)
      missing = symbol;
    return address;
  };
#define MEMFORMER_CUDA_FIND(name, symbol, parameters)                                              \
  driver->name = reinterpret_cast<decltype(driver->name)>(find(symbol));
  MEMFORMER_CUDA_FUNCTIONS(MEMFORMER_CUDA_FIND)
  if (missing)
    return error("expected the CUDA driver {} to have the function {}, but it has not: install a "
                 "driver of CUDA 11.4 or later",
                 library, missing);
  MEMFORMER_CUDA_GRAPH_FUNCTIONS(MEMFORMER_CUDA_FIND)
#undef MEMFORMER_CUDA_FIND
  driver->hasGraphs = !missing;

  if (auto status = driver->init(0); status == Status::NoDevice)
    return error("the CUDA driver {} finds no device; use --device cpu", library);
  else if (status != Status::Success)
    return error("cannot initialise the CUDA driver {}: {}", library, driver->describe(status));
  if (auto status = driver->driverGetVersion(&driver->version); status != Status::Success)
    return error("cannot ask the CUDA driver {} for its version: {}", library,
                 driver->describe(status));
  return driver;
}

std::string Driver::describe(Status status) const {
  const char *name = nullptr, *text = nullptr;
  if (getErrorName(status, &name) != Status::Success || !name)
    return fmt::format("CUDA error {}", int(status));
  if (getErrorString(status, &text) != Status::Success || !text)
    return name;
  return fmt::format("{} ({})", name, text);
}

std::string Driver::versionText() const {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

} // namespace memformer::cuda
