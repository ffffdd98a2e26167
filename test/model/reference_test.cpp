// Whole models by the reference of every op, in f64, against what another framework computed.

#include "dialect/memformer/MemformerDialect.h"
#include "frontend/Model.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Passes.h"
#include "passes/reference/Execute.h"
#include "runtime/safetensors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace memformer;

namespace {

template <typename T> T take(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().message;
    std::abort();
  }
  return std::move(*result);
}

/// A tensor of a file as doubles.
std::vector<double> readDoubles(const SafetensorsFile &file, const std::string &name) {
  const SafetensorsInfo *info = file.find(name);
  if (!info) {
    ADD_FAILURE() << file.path() << " has no " << name;
    return {};
  }
  std::vector<float> values(info->elements());
  EXPECT_TRUE(file.readFloats(*info, values).has_value()) << name;
  return {values.begin(), values.end()};
}

std::vector<int32_t> readIntegers(const SafetensorsFile &file, const std::string &name) {
  const SafetensorsInfo *info = file.find(name);
  std::vector<int32_t> values(info->elements());
  EXPECT_TRUE(file.readIntegers(*info, values).has_value()) << name;
  return values;
}

/// Every entry within 1e-5 of the largest expected one.
void expectClose(const std::string &name, llvm::ArrayRef<double> actual,
                 llvm::ArrayRef<double> expected) {
  ASSERT_EQ(actual.size(), expected.size()) << name;
  double largest = 0, worst = 0;
  for (auto [a, e] : llvm::zip_equal(actual, expected)) {
    largest = std::max(largest, std::abs(e));
    worst = std::max(worst, std::isnan(a) ? INFINITY : std::abs(a - e));
  }
  // A bias of keys has no gradient: only rounding is left of it.
  EXPECT_LE(worst, 1e-5 * std::max(largest, 1e-7))
      << name << ": largest expected entry " << largest;
}

class WholeModel : public testing::TestWithParam<std::string> {
protected:
  /// A model's recurrence as functions @NAME.initial, @NAME.segment, @NAME.replay.
  void compile(const std::string &folder, int64_t batch) {
    DialectRegistry registry;
    registry.insert<MemformerDialect, func::FuncDialect>();
    registerExecution(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    FailureOr<Model> model = loadModel(context, folder + "/model.toml", batch);
    ASSERT_TRUE(succeeded(model));
    ModuleOp module = *model->module;
    widenToF64(module);
    PassManager manager(&context);
    manager.addPass(createDifferentiatePass());
    ASSERT_TRUE(succeeded(manager.run(module)));
    recurrence = *module.getOps<RecurrenceOp>().begin();
    name = recurrence.getSymName().str();
    for (Attribute input : recurrence.getInputs())
      inputs.push_back(cast<StringAttr>(input).str());
    for (Attribute output : recurrence.getOutputs())
      outputs.push_back(cast<StringAttr>(output).str());
    stateful = !recurrence.getStates().empty();
    for (Type type : recurrence.getReplay().front().getArgumentTypes())
      replayTypes.push_back(cast<RankedTensorType>(type));
    auto compiled = ReferenceProgram::compile(module);
    ASSERT_TRUE(bool(compiled)) << llvm::toString(compiled.takeError());
    program = std::move(*compiled);
  }

  std::vector<HostTensor> run(const std::string &function, llvm::ArrayRef<HostTensor> arguments) {
    return llvm::cantFail(program->run(name + "." + function, arguments));
  }

  MLIRContext context;
  RecurrenceOp recurrence;
  std::string name;
  std::vector<std::string> inputs, outputs;
  bool stateful = false;
  std::vector<RankedTensorType> replayTypes;
  std::unique_ptr<ReferenceProgram> program;
};

} // namespace

TEST_P(WholeModel, IsWhatItShouldBe) {
  const std::string folder = std::string(CASES) + "/" + GetParam();
  SafetensorsFile tokens = take(SafetensorsFile::open(folder + "/tokens.safetensors"));
  SafetensorsFile weights = take(SafetensorsFile::open(folder + "/weights.safetensors"));
  SafetensorsFile expected = take(SafetensorsFile::open(folder + "/expected.safetensors"));
  const std::vector<int64_t> shape = tokens.find("targets")->shape; // [T, B, L]
  const int64_t segments = shape[0], batch = shape[1], perSegment = shape[1] * shape[2];
  ASSERT_NO_FATAL_FAILURE(compile(folder, batch));

  size_t loaded = 0;
  for (const SafetensorsInfo &info : weights.header().tensors) {
    auto buffer = llvm::cantFail(program->parameter<double>(info.name));
    std::vector<double> values = readDoubles(weights, info.name);
    ASSERT_EQ(buffer.size(), values.size()) << info.name;
    llvm::copy(values, buffer.begin());
    ++loaded;
  }
  // A value and a gradient for each.
  ASSERT_EQ(program->parameterTypes().size(), 2 * loaded);

  std::map<std::string, std::vector<int32_t>> entries;
  int64_t counted = 0;
  for (const std::string &input : inputs)
    entries[input] = readIntegers(tokens, input);
  for (int32_t target : entries.at("targets"))
    counted += target >= 0;
  auto inputsOf = [&](int64_t segment, std::vector<HostTensor> &arguments) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      HostTensor &tensor = arguments.emplace_back(replayTypes[(stateful ? 1 : 0) + i]);
      auto first = entries.at(inputs[i]).begin() + segment * perSegment;
      std::copy_n(first, perSegment, tensor.as<int32_t>().begin());
    }
  };

  // Forward: what is observed, and the state before each segment.
  std::vector<HostTensor> states;
  std::map<std::string, std::vector<double>> observed;
  auto observe = [&](const std::string &output, const HostTensor &tensor) {
    llvm::append_range(observed[output], tensor.as<double>());
  };
  if (stateful) {
    HostTensor first(replayTypes[0]);
    std::vector<HostTensor> initial = run("initial", {});
    // The initial state is that of one row, or of all.
    for (size_t i = 0; i < first.as<double>().size(); ++i)
      first.as<double>()[i] = initial[0].as<double>()[i % initial[0].as<double>().size()];
    states.push_back(first);
    observe("memory", first);
  }
  for (int64_t segment = 0; segment < segments; ++segment) {
    std::vector<HostTensor> arguments;
    if (stateful)
      arguments.push_back(states.back());
    inputsOf(segment, arguments);
    std::vector<HostTensor> results = run("segment", arguments);
    size_t next = 0;
    if (stateful) {
      states.push_back(results[next++]);
      observe("memory", states.back());
    }
    double loss = 0;
    for (double entry : std::as_const(results[next++]).as<double>())
      loss += entry;
    observed["segment_loss"].push_back(loss);
    observed["loss"].resize(1);
    observed["loss"][0] += loss / counted;
    for (const std::string &output : outputs) {
      if (isa<FloatType>(results[next].type.getElementType()))
        observe(output, results[next]);
      ++next;
    }
  }

  // Backward: each segment again from its state, and the gradient of the state handed on.
  HostTensor scale(RankedTensorType::get({}, Float64Type::get(&context)));
  scale.as<double>()[0] = 1.0 / counted;
  std::vector<HostTensor> stateGradient;
  if (stateful)
    stateGradient.emplace_back(replayTypes[0]);
  for (int64_t segment = segments - 1; segment >= 0; --segment) {
    std::vector<HostTensor> arguments;
    if (stateful)
      arguments.push_back(states[segment]);
    inputsOf(segment, arguments);
    if (stateful) {
      HostTensor &reset =
          arguments.emplace_back(RankedTensorType::get({batch}, IntegerType::get(&context, 32)));
      std::fill_n(reset.as<int32_t>().begin(), batch, segment == 0);
    }
    arguments.push_back(scale);
    llvm::append_range(arguments, stateGradient);
    std::vector<HostTensor> results = run("replay", arguments);
    if (stateful)
      stateGradient[0] = results[0];
  }

  for (const SafetensorsInfo &info : expected.header().tensors) {
    std::vector<double> values = readDoubles(expected, info.name);
    if (StringRef parameter = info.name; parameter.consume_front("grad."))
      expectClose(info.name,
                  llvm::cantFail(program->parameter<double>((parameter + ".gradient").str())),
                  values);
    else
      expectClose(info.name, observed[info.name], values);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, WholeModel,
                         testing::Values("base", "no-memory", "odd-shapes", "projected-post-norm",
                                         "placements", "placements-post-norm", "transformer",
                                         "transformer-post-norm"),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });
