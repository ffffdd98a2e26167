// Spaces of a program and what lies in them under a name.

#ifndef MEMFORMER_PASSES_PLAN_SPACES_H
#define MEMFORMER_PASSES_PLAN_SPACES_H

#include "dialect/program/ProgramDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/plan/ParameterLayout.h"
#include "llvm/ADT/MapVector.h"

namespace memformer {

/// A place of a name: an input, an output, a state, a saved or a packed value.
struct NamedPlace {
  mlir::Type type;
  int64_t offset = 0;
  mlir::Location location;
  mlir::IntegerAttr bound = {};
  bool ignored = false;
};

/// Tensors side by side, each at a multiple of 64 bytes, in the order in which they are first seen.
class NamedPlaces {
public:
  NamedPlaces(llvm::StringRef space, llvm::StringRef what) : space(space), what(what) {}

  /// Finds or adds. Fails where the name is taken by another type.
  mlir::FailureOr<NamedPlace *> add(mlir::StringAttr name, mlir::Type type,
                                    mlir::Location location);
  const NamedPlace *find(mlir::StringAttr name) const;

  program::AddressAttr at(mlir::MLIRContext *context, int64_t offset, int64_t stride = 0) const;

  llvm::StringRef space;
  llvm::MapVector<mlir::StringAttr, NamedPlace> entries;
  int64_t bytes = 0;

private:
  llvm::StringRef what;
};

/// Everything that lies at a fixed place, from the signatures of a module's functions.
struct ProgramSpaces {
  explicit ProgramSpaces(mlir::ModuleOp module) : parameters(module) {}

  /// Reads the roles and names of the arguments and results of the functions that there are.
  mlir::LogicalResult read(llvm::ArrayRef<mlir::func::FuncOp> functions);

  /// The place of an argument, and of a result. `carried` is where gradients of states go from
  /// segment to segment in the workspace. Null after a diagnostic.
  program::AddressAttr ofArgument(mlir::func::FuncOp function, unsigned argument) const;
  program::AddressAttr ofResult(mlir::func::FuncOp function, unsigned result) const;

  /// Builds the spaces and the named tensors; those of gradients and moments where the model is
  /// `trained`.
  void build(mlir::OpBuilder &builder, mlir::ModuleOp module, int64_t workspaceBytes,
             bool trained) const;

  ParameterLayout parameters;
  NamedPlaces inputs{"inputs", "input"}, outputs{"outputs", "output"}, scalars{"scalars", "scalar"},
      states{"replay", "state"}, gradients{"workspace", "state's gradient"},
      saved{"saved", "saved value"}, packed{"packed", "packed value"},
      stepInputs{"step_inputs", "input of a position"},
      stepOutputs{"step_outputs", "output of a position"}, stream{"stream", "value of a stream"};

private:
  mlir::LogicalResult readOne(mlir::func::FuncOp function, mlir::DictionaryAttr attributes,
                              mlir::Type type, bool isArgument, unsigned number);
  program::AddressAttr find(mlir::func::FuncOp function, mlir::DictionaryAttr attributes,
                            bool isArgument) const;
};

/// The role and the name of an argument or a result; both null where it has none.
std::pair<mlir::StringAttr, mlir::StringAttr> roleAndName(mlir::DictionaryAttr attributes);

} // namespace memformer

#endif
