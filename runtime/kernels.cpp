// Loads a shared object from memory.

#include "runtime/kernels.h"
#include "runtime/file.h"
#include "runtime/machine.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

namespace memformer {

namespace {
// A thread's, about, on what lies in its caches.
constexpr double flopsPerSecond = 5e10, bytesPerSecond = 1e11;
} // namespace

Result<std::unique_ptr<KernelLibrary>> KernelLibrary::load(const Artifact &artifact) {
  const auto &manifest = artifact.manifest();
  MEMFORMER_TRY(checkMachine(manifest.target));
  std::unique_ptr<KernelLibrary> library(new KernelLibrary);
  if (manifest.kernels.empty())
    return library;
  auto section = artifact.section("host");
  if (!section)
    return error("the artifact has no code for the CPU: it was compiled for GPUs alone, or as a "
                 "plan");
  constexpr char elf[] = {0x7f, 'E', 'L', 'F'};
  if (section->size() < 64 || std::memcmp(section->data(), elf, sizeof(elf)) != 0)
    return error("the artifact's section 'host' is not an ELF shared object");

  library->descriptor = ::memfd_create("memformer-kernels", MFD_CLOEXEC);
  if (library->descriptor < 0)
    return error("cannot load kernels: memfd_create: {}", std::strerror(errno));
  FileWriter writer(library->descriptor, "kernels to memory");
  MEMFORMER_TRY(writer.write(*section));
  const auto path = fmt::format("/proc/self/fd/{}", library->descriptor);
  library->handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library->handle)
    return error("cannot load kernels: {}", ::dlerror());

  for (const auto &info : manifest.kernels) {
    auto *kernel = reinterpret_cast<Kernel>(::dlsym(library->handle, info.symbol.c_str()));
    if (!kernel)
      return error("the artifact's code has no kernel '{}'", info.symbol);
    library->kernels.push_back(kernel);
    library->estimates.push_back(double(info.flops) / flopsPerSecond +
                                 double(info.bytes) / bytesPerSecond);
  }
  return library;
}

KernelLibrary::~KernelLibrary() {
  if (handle)
    ::dlclose(handle);
  if (descriptor >= 0)
    ::close(descriptor);
}

} // namespace memformer
