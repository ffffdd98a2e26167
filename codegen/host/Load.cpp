// Kernels compiled and loaded into this process: for tests and measurements.

#include "codegen/host/Load.h"
#include "codegen/EachKernel.h"
#include "codegen/host/Compile.h"
#include "codegen/host/Link.h"
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace llvm;

namespace memformer::host {

static Error loadingError() {
  const char *message = ::dlerror();
  return createStringError(message ? message : "a compiled kernel could not be loaded");
}

Expected<LoadedKernel> loadKernel(StringRef body, ArrayRef<std::string> operands,
                                  ArrayRef<std::string> results, const HostTarget &target) {
  std::string text = textOfKernel(body, operands, results);
  Expected<CompiledKernel> compiled = compileKernel(text, target);
  if (!compiled)
    return createStringError(toString(compiled.takeError()) + "\nin\n" + text);
  Expected<std::string> linked = linkSharedObject({compiled->code});
  if (!linked)
    return linked.takeError();
  int file = ::memfd_create("kernel", MFD_CLOEXEC);
  if (file < 0 || ::write(file, linked->data(), linked->size()) != ssize_t(linked->size()))
    return createStringError("no memory for a compiled kernel");
  void *library =
      ::dlopen(("/proc/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return loadingError();
  void *symbol = ::dlsym(library, "k");
  if (!symbol)
    return loadingError();
  return LoadedKernel{reinterpret_cast<LoadedKernel::Function>(symbol), compiled->grid};
}

} // namespace memformer::host
