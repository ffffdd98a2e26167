// Reads a model: TOML or IR.

#include "dialect/memformer/MemformerDialect.h"
#include "frontend/Model.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

using namespace mlir;
using namespace memformer;

void memformer::loadModelDialects(MLIRContext &context) {
  context.loadDialect<MemformerDialect, arith::ArithDialect, tensor::TensorDialect>();
}

namespace {

LogicalResult fail(MLIRContext &context, const Twine &message) {
  return emitError(UnknownLoc::get(&context)) << message;
}

FailureOr<Model> loadIR(MLIRContext &context, const std::string &path, int64_t batch) {
  Model model;
  model.module = parseSourceFile<ModuleOp>(path, &context);
  if (!model.module)
    return failure();
  auto recurrences = model.module->getOps<RecurrenceOp>();
  if (std::distance(recurrences.begin(), recurrences.end()) != 1)
    return model.module->emitError("expected one memformer.recurrence in a model, but got ")
           << std::distance(recurrences.begin(), recurrences.end());
  RecurrenceOp recurrence = *recurrences.begin();
  for (BlockArgument argument : recurrence.getSegment().getArguments()) {
    auto type = cast<RankedTensorType>(argument.getType());
    if (argument.getArgNumber() >= recurrence.getStates().size()) {
      auto name = cast<StringAttr>(
          recurrence.getInputs()[argument.getArgNumber() - recurrence.getStates().size()]);
      if (name == "dropout_key")
        continue;
    }
    if (type.getRank() == 0)
      return recurrence.emitError(
                 "expected the batch as first dimension of every state and input, but argument ")
             << argument.getArgNumber() << " of the segment has type " << type;
    if (batch && type.getDimSize(0) != batch)
      return recurrence.emitError("expected batch ")
             << batch << " as asked for, but the model is written for batch " << type.getDimSize(0);
    batch = type.getDimSize(0);
  }
  model.configuration.train.batch = batch;
  return model;
}

} // namespace

OwningOpRef<ModuleOp> memformer::buildModel(MLIRContext &context,
                                            const Configuration &configuration, int64_t batch) {
  if (configuration.model.kind == "transformer")
    return buildTransformer(context, configuration, batch);
  if (configuration.model.kind == "lstm")
    return buildLstm(context, configuration, batch);
  if (configuration.model.kind == "transformer-xl" ||
      configuration.model.kind == "compressive-transformer")
    return buildCachedTransformer(context, configuration, batch);
  return buildMemformer(context, configuration, batch);
}

FailureOr<Model> memformer::loadModel(MLIRContext &context, const std::string &path, int64_t batch,
                                      ArrayRef<std::string> overrides) {
  if (StringRef(path).ends_with(".mlir")) {
    if (!overrides.empty())
      return fail(context, path + ": settings are for a configuration, and cannot change a model "
                                  "that is written as IR");
    return loadIR(context, path, batch);
  }
  auto configuration = readConfiguration(path, std::span(overrides.data(), overrides.size()));
  if (!configuration)
    return fail(context, configuration.error().message);
  if (!configuration->hasModel)
    return fail(context, path + ": expected a [model] table, but found none");
  Model model;
  model.configuration = std::move(*configuration);
  if (batch == 0)
    batch = model.configuration.train.batch;
  model.configuration.train.batch = batch;
  model.module = buildModel(context, model.configuration, batch);
  if (failed(verify(*model.module)))
    return failure();
  return model;
}
