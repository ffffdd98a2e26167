// Registration of dialects, passes and pipelines.

#include "passes/Register.h"

#include "dialect/kernel/KernelDialect.h"
#include "dialect/memformer/MemformerDialect.h"
#include "dialect/program/ProgramDialect.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "passes/reference/Reference.h"

void memformer::registerDialects(mlir::DialectRegistry &registry) {
  registry.insert<MemformerDialect, kernel::KernelDialect, program::ProgramDialect>();
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
}

void memformer::registerPasses() {
  mlir::registerAllPasses();
  registerMemformerPasses();
  registerPipelines();
  registerReferencePipeline();
}
