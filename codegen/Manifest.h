// The manifest of an artifact (docs/artifact.md) from the program level.

#ifndef MEMFORMER_CODEGEN_MANIFEST_H
#define MEMFORMER_CODEGEN_MANIFEST_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <string>

namespace memformer {

/// What the program level does not know.
struct ManifestSettings {
  /// Who compiles: "memformer-compile 0.1.0".
  std::string producer;
  /// The text of the TOML file, or "" for a model given as IR.
  std::string configuration;
  /// `{"kind": "host", "triple": …, "cpu": …, "features": […]}`
  llvm::json::Object target;
  /// Workgroups of each kernel, by symbol.
  llvm::StringMap<int64_t> grids;
  /// Further keys of a kernel's entry, by symbol: what a device's kernels have.
  llvm::StringMap<llvm::json::Object> kernelKeys;
};

/// Everything but `sections`, which whoever lays out the file adds. Fails where the module is not a
/// program or a kernel has no grid.
llvm::Expected<llvm::json::Object> buildManifest(mlir::ModuleOp module,
                                                 const ManifestSettings &settings);

/// One entry of `devices`: the same program planned for another target, without what it shares with
/// the host's (`producer`, `name`, `configuration`, `schedule`, `batch`, `parameters`).
llvm::Expected<llvm::json::Object> buildDeviceManifest(mlir::ModuleOp module,
                                                       const ManifestSettings &settings);

} // namespace memformer

#endif
