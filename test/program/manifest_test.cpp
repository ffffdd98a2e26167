// The manifest of programs, read and checked by the runtime.

#include "codegen/Manifest.h"
#include "dialect/program/ProgramDialect.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "passes/Register.h"
#include "runtime/manifest.h"

#include <gtest/gtest.h>

using namespace memformer;

namespace {

struct Case {
  const char *model;
  ScheduleKind schedule;
};

class ManifestTest : public testing::TestWithParam<Case> {
protected:
  void SetUp() override {
    mlir::DialectRegistry registry;
    registerDialects(registry);
    context.appendDialectRegistry(registry);
    module = mlir::parseSourceFile<mlir::ModuleOp>(std::string(MODELS) + "/" + GetParam().model,
                                                   &context);
    ASSERT_TRUE(module);
    mlir::PassManager manager(&context);
    ScheduleOptions schedule;
    schedule.schedule = GetParam().schedule;
    buildSchedulePipeline(manager, schedule);
    buildKernelPipeline(manager, KernelOptions());
    buildProgramPipeline(manager, ProgramOptions());
    ASSERT_TRUE(mlir::succeeded(manager.run(*module)));
  }

  ManifestSettings settings() {
    ManifestSettings settings;
    settings.producer = "test";
    settings.target = llvm::json::Object{{"kind", "host"},
                                         {"triple", "x86_64-unknown-linux-gnu"},
                                         {"cpu", "generic"},
                                         {"features", llvm::json::Array{}}};
    int64_t grid = 0;
    for (auto kernel : module->getOps<program::KernelOp>())
      settings.grids[kernel.getSymName()] = ++grid;
    return settings;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST_P(ManifestTest, RuntimeAcceptsIt) {
  llvm::Expected<llvm::json::Object> built = buildManifest(*module, settings());
  ASSERT_TRUE(bool(built)) << llvm::toString(built.takeError());
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(*built));

  auto json = parseJson(text, 64);
  ASSERT_TRUE(json.has_value()) << json.error().message;
  JsonErrors errors;
  JsonReader reader(*json, "manifest", errors);
  Manifest manifest = readManifest(reader);
  readFunctions(reader.member("functions"), manifest);
  checkManifest(manifest, "manifest", errors);
  ASSERT_TRUE(errors.result().has_value()) << errors.result().error().message;

  EXPECT_EQ(manifest.kernels.size(), size_t(settings().grids.size()));
  const auto &train = manifest.functions[size_t(Function::Train)];
  ASSERT_FALSE(train.empty());
  EXPECT_EQ(train.front().op, Instruction::Op::Fill);
  const Instruction &replay = train.back();
  EXPECT_EQ(replay.op, Instruction::Op::Loop);
  EXPECT_TRUE(replay.descending);
  // The loss comes from the loop that computes it.
  bool lossInReplay = GetParam().schedule == ScheduleKind::Mrbp;
  EXPECT_EQ(replay.outputs.size(), lossInReplay ? 1u : 0u);
  for (const Instruction &instruction : replay.body)
    EXPECT_TRUE(instruction.op != Instruction::Op::Dispatch || instruction.grid >= 1);
}

TEST_P(ManifestTest, KernelWithoutGridIsAnError) {
  ManifestSettings incomplete = settings();
  incomplete.grids.erase("adamw_0");
  llvm::Expected<llvm::json::Object> built = buildManifest(*module, incomplete);
  ASSERT_FALSE(bool(built));
  EXPECT_EQ(llvm::toString(built.takeError()), "expected a grid of kernel 'adamw_0'");
}

constexpr const char *twoStates = "test/passes/schedule/Inputs/two-states.mlir";
constexpr const char *example = "examples/recurrence.mlir";

INSTANTIATE_TEST_SUITE_P(
    Schedules, ManifestTest,
    testing::Values(Case{twoStates, ScheduleKind::Mrbp}, Case{twoStates, ScheduleKind::Checkpoint},
                    Case{twoStates, ScheduleKind::Bptt}, Case{example, ScheduleKind::Mrbp},
                    Case{example, ScheduleKind::Checkpoint}, Case{example, ScheduleKind::Bptt}));

} // namespace
