// Rollouts of a scheduled model, its functions executed by the reference of every op.

#include "test/schedules/rollout.h"

#include "dialect/memformer/MemformerDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "passes/schedule/Roles.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace memformer;

// Numbers that look random and are the same on every machine.
static double random(uint64_t key, uint64_t index) {
  uint64_t x = key * 0x9E3779B97F4A7C15 + index * 0xD1B54A32D192ED03 + 1;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return double((x ^ (x >> 31)) >> 11) / double(uint64_t(1) << 53);
}

NamedTensors memformer::withRole(const NamedTensors &values, const std::string &role,
                                 const std::string &newRole) {
  NamedTensors result;
  for (const auto &[key, tensor] : values)
    if (key.starts_with(role + " "))
      result.emplace(newRole + key.substr(role.size()), tensor);
  return result;
}

ScheduledModel::ScheduledModel(const ModelBuilder &build, ScheduleKind schedule, bool wide)
    : wide(wide) {
  DialectRegistry registry;
  registry.insert<MemformerDialect, func::FuncDialect>();
  registerExecution(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  OwningOpRef<ModuleOp> module = build(context);
  if (wide)
    widenToF64(*module);
  PassManager manager(&context);
  manager.addPass(createCSEPass());
  manager.addPass(createDifferentiatePass());
  manager.addPass(createSchedulePass(SchedulePassOptions{schedule}));
  manager.addPass(createCSEPass());
  EXPECT_TRUE(succeeded(manager.run(*module)));
  for (auto function : module->getOps<func::FuncOp>()) {
    auto read = [&](Type type, DictionaryAttr attributes) {
      auto bound = attributes.getAs<IntegerAttr>(boundAttribute);
      return TestPort{attributes.getAs<StringAttr>(roleAttribute).str(),
                      attributes.getAs<StringAttr>(nameAttribute).str(),
                      cast<RankedTensorType>(type), bound ? bound.getInt() : 1,
                      attributes.contains(ignoredAttribute)};
    };
    Function &ports = functions[function.getSymName().str()];
    for (auto [index, type] : llvm::enumerate(function.getArgumentTypes()))
      ports.arguments.push_back(read(type, function.getArgAttrDict(index)));
    for (auto [index, type] : llvm::enumerate(function.getResultTypes()))
      ports.results.push_back(read(type, function.getResultAttrDict(index)));
  }
  program = llvm::cantFail(ReferenceProgram::compile(*module, /*optimization=*/0));
  fillParameters();
}

void ScheduledModel::fillParameters() {
  for (const auto &entry : program->parameterTypes()) {
    std::string name = entry.getKey().str();
    if (name.ends_with(".gradient"))
      continue;
    uint64_t key = 0;
    for (char letter : name)
      key = key * 131 + uint64_t(letter);
    auto fill = [&](auto data) {
      for (size_t i = 0; i < data.size(); ++i)
        data[i] = random(key, i) * 1.2 - 0.6;
    };
    if (wide)
      fill(llvm::cantFail(program->parameter<double>(name)));
    else
      fill(llvm::cantFail(program->parameter<float>(name)));
  }
}

NamedTensors ScheduledModel::inputsOf(int64_t segment) const {
  NamedTensors inputs;
  uint64_t key = 1000 * (segment + 1);
  for (const TestPort &port : functions.at("replay").arguments) {
    ++key;
    if (port.role != role::input)
      continue;
    HostTensor tensor(port.type);
    auto entries = tensor.as<int32_t>();
    for (size_t i = 0; i < entries.size(); ++i) {
      double drawn = random(key, i);
      if (port.name == name::reset)
        entries[i] = segment == 0 || (segment == 1 && i % 2 == 1);
      else if (port.name == "dropout_key")
        entries[i] = int32_t(segment * 7 + i);
      else if (port.ignored && drawn < 0.2)
        entries[i] = -1;
      else
        entries[i] = int32_t(random(key + 500, i) * double(port.bound));
    }
    inputs.emplace(port.role + " " + port.name, tensor);
  }
  return inputs;
}

NamedTensors ScheduledModel::run(const std::string &name, const NamedTensors &values) {
  const Function &function = functions.at(name);
  std::vector<HostTensor> arguments;
  for (const TestPort &port : function.arguments)
    arguments.push_back(values.at(port.role + " " + port.name));
  std::vector<HostTensor> results = llvm::cantFail(program->run(name, arguments));
  NamedTensors named;
  for (auto [port, tensor] : llvm::zip_equal(function.results, results))
    named.emplace(port.role + " " + port.name, tensor);
  return named;
}

NamedTensors ScheduledModel::firstStates() const {
  NamedTensors states; // of no consequence: all rows restart
  for (const TestPort &port : functions.at("replay").arguments)
    if (port.role == role::state)
      states.emplace(port.role + " " + port.name, HostTensor(port.type));
  return states;
}

NamedTensors ScheduledModel::forward(int64_t segment, const NamedTensors &states) {
  NamedTensors values = inputsOf(segment);
  values.insert(states.begin(), states.end());
  return run("forward", values);
}

NamedTensors ScheduledModel::observe(const std::string &function, int64_t segment,
                                     const NamedTensors &states) {
  NamedTensors values = inputsOf(segment);
  values.insert(states.begin(), states.end());
  return run(function, values);
}

double ScheduledModel::forwardLoss(int64_t segments) {
  NamedTensors states = firstStates();
  double sum = 0;
  for (int64_t segment = 0; segment < segments; ++segment) {
    NamedTensors results = forward(segment, states);
    for (double entry : std::as_const(results.at("output loss")).as<double>())
      sum += entry;
    states = withRole(results, "state", "state");
  }
  return sum;
}

RolloutResult ScheduledModel::train(int64_t segments) {
  RolloutResult rollout;
  for (const auto &entry : program->parameterTypes())
    if (entry.getKey().ends_with(".gradient")) {
      auto clear = [](auto data) { std::fill(data.begin(), data.end(), 0); };
      wide ? clear(llvm::cantFail(program->parameter<double>(entry.getKey())))
           : clear(llvm::cantFail(program->parameter<float>(entry.getKey())));
    }

  rollout.states.push_back(firstStates());
  rollout.losses.resize(segments);
  std::vector<NamedTensors> saved(segments);
  // Where the replay gives the next state, the forward traversal leaves out the last segment.
  bool replayGoesOn = llvm::any_of(functions.at("replay").results,
                                   [](const TestPort &port) { return port.name == name::loss; });
  for (int64_t segment = 0; segment < segments - (replayGoesOn ? 1 : 0); ++segment) {
    NamedTensors results = forward(segment, rollout.states.back());
    rollout.states.push_back(withRole(results, "state", "state"));
    rollout.losses[segment] = withRole(results, "output", "output");
    saved[segment] = withRole(results, "saved", "saved");
  }
  NamedTensors gradients;
  for (const TestPort &port : functions.at("replay").arguments)
    if (port.role == role::stateGradient)
      gradients.emplace(port.role + " " + port.name, HostTensor(port.type));
    else if (port.role == role::scalar) {
      HostTensor scale(port.type);
      wide ? scale.as<double>()[0] = 1 : scale.as<float>()[0] = 0.0625f;
      gradients.emplace(port.role + " " + port.name, scale);
    }
  for (int64_t segment = segments - 1; segment >= 0; --segment) {
    NamedTensors values = inputsOf(segment);
    values.insert(rollout.states[segment].begin(), rollout.states[segment].end());
    values.insert(saved[segment].begin(), saved[segment].end());
    values.insert(gradients.begin(), gradients.end());
    NamedTensors results = run("replay", values);
    for (auto &[key, tensor] : withRole(results, "state_gradient", "state_gradient"))
      gradients.at(key) = tensor;
    if (!replayGoesOn)
      continue;
    rollout.losses[segment] = withRole(results, "output", "output");
    if (segment == segments - 1)
      rollout.states.push_back(withRole(results, "state", "state"));
  }

  for (const auto &entry : program->parameterTypes())
    if (entry.getKey().ends_with(".gradient")) {
      auto copy = [&](auto data) {
        auto *bytes = reinterpret_cast<const std::byte *>(data.data());
        rollout.gradients[entry.getKey().str()] = {bytes, bytes + data.size() * sizeof(data[0])};
      };
      wide ? copy(llvm::cantFail(program->parameter<double>(entry.getKey())))
           : copy(llvm::cantFail(program->parameter<float>(entry.getKey())));
    }
  return rollout;
}

std::vector<std::pair<std::string, llvm::MutableArrayRef<double>>> ScheduledModel::parameters() {
  std::vector<std::pair<std::string, llvm::MutableArrayRef<double>>> result;
  for (const auto &entry : program->parameterTypes())
    if (!entry.getKey().ends_with(".gradient"))
      result.emplace_back(entry.getKey().str(),
                          llvm::cantFail(program->parameter<double>(entry.getKey())));
  return result;
}

llvm::MutableArrayRef<double> ScheduledModel::gradient(const std::string &name) {
  return llvm::cantFail(program->parameter<double>(name + ".gradient"));
}
