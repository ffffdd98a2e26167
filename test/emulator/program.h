// A PTX module, translated; its kernels are compiled when they are first launched.

#ifndef MEMFORMER_TEST_EMULATOR_PROGRAM_H
#define MEMFORMER_TEST_EMULATOR_PROGRAM_H

#include "test/emulator/device_memory.h"
#include "test/emulator/modes.h"
#include "test/emulator/processor.h"
#include "test/emulator/ptx_module.h"

#include <expected>
#include <memory>

namespace memformer::emulator {

class Program {
public:
  ~Program();

  /// The program of a PTX text; the same text under the same modes gives the same program. Errors
  /// name the line and the instruction.
  static std::expected<std::shared_ptr<Program>, std::string>
  load(std::string_view text, const Modes &modes, const DeviceMemory &memory);

  const PtxModule &ptx() const { return *module; }
  /// What is known of a kernel before it is compiled.
  const KernelCode &code(size_t kernel) const;
  /// Compiles a kernel of `ptx().kernels`, once.
  std::expected<const KernelCode *, std::string> compile(size_t kernel);

private:
  Program();
  struct Parts;
  std::unique_ptr<PtxModule> module;
  std::unique_ptr<Parts> parts;
};

} // namespace memformer::emulator

#endif
