// Kernels compiled and loaded into this process: for tests and measurements.

#include "codegen/host/Load.h"
#include "codegen/host/Compile.h"
#include "codegen/host/Link.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace llvm;

namespace memformer::host {

static std::string programKernel(StringRef body, ArrayRef<std::string> operands,
                                 ArrayRef<std::string> results) {
  std::string text;
  raw_string_ostream stream(text);
  stream << "program.kernel @k attributes {flops = 0 : i64, bytes = 0 : i64} {\n^bb0(";
  for (auto [i, type] : enumerate(operands))
    stream << (i ? ", %" : "%") << i << ": " << type;
  stream << "):\n";
  bool several = results.size() > 1;
  if (several)
    stream << "%r:" << results.size() << " = ";
  else if (!results.empty())
    stream << "%r = ";
  stream << body << "\nprogram.return";
  for (size_t i = 0; i < results.size(); ++i) {
    stream << (i ? ", %r" : " %r");
    if (several)
      stream << '#' << i;
  }
  for (auto [i, type] : enumerate(results))
    stream << (i ? ", " : " : ") << type;
  stream << "\n}\n";
  return text;
}

static Error loadingError() {
  const char *message = ::dlerror();
  return createStringError(message ? message : "a compiled kernel could not be loaded");
}

Expected<LoadedKernel> loadKernel(StringRef body, ArrayRef<std::string> operands,
                                  ArrayRef<std::string> results, const HostTarget &target) {
  std::string text = programKernel(body, operands, results);
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
