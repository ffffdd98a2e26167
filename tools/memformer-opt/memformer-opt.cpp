// memformer-opt: reads IR of any level, runs passes and pipelines on it, prints it.

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "passes/Register.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  memformer::registerDialects(registry);
  memformer::registerPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "memformer-opt: passes and pipelines on IR\n", registry));
}
