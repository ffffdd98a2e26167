// Pipelines: sequences of passes with options, as functions and under names.

#include "passes/Pipelines.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace memformer;

void memformer::buildSchedulePipeline(OpPassManager &manager, const ScheduleOptions &options) {
  manager.addPass(createExpandPass());
  // Equal loads and projections become one before the gradient is taken, and so have one gradient.
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  manager.addPass(createMultiplyTablesPass());
  manager.addPass(createDifferentiatePass());
  if (options.generation)
    manager.addPass(createStreamPass());
  manager.addPass(createSchedulePass(SchedulePassOptions{options.schedule, options.training}));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  if (options.generation)
    manager.addPass(createJoinLinearsPass());
}

void memformer::buildKernelPipeline(OpPassManager &manager, const KernelOptions &options) {
  auto listOf = [](const auto &option) {
    return llvm::SmallVector<std::string>(option.begin(), option.end());
  };
  manager.addPass(createToKernelsPass(ToKernelsPassOptions{.panelWidth = options.panelWidth,
                                                           .panelGroup = options.panelGroup,
                                                           .products = listOf(options.products),
                                                           .attention = listOf(options.attention),
                                                           .fewRows = options.fewRows}));
  manager.addPass(createCSEPass());
  manager.addPass(createFusePass(
      FusePassOptions{options.fuseLayerNorm, options.fuseNormalize, options.fewRows}));
  manager.addPass(createNarrowPass());
  manager.addPass(createPreparePass());
  if (options.training)
    manager.addPass(createAddUpdatePass());
}

void memformer::buildProgramPipeline(OpPassManager &manager, const ProgramOptions &options) {
  manager.addPass(createPlanPass(PlanPassOptions{options.merge, options.multiprocessors}));
  if (options.verify)
    manager.addPass(createVerifyProgramPass());
}

void memformer::registerPipelines() {
  PassPipelineRegistration<KernelOptions>(
      "memformer-kernel-pipeline",
      "From the functions of a schedule to fused kernels, with @prepare and @update",
      buildKernelPipeline);
  PassPipelineRegistration<ProgramOptions>("memformer-program-pipeline",
                                           "From fused kernels to the program level",
                                           buildProgramPipeline);
  PassPipelineRegistration<ScheduleOptions>(
      "memformer-schedule-pipeline",
      "From a model to the functions of its schedule: expanded, differentiated, cut",
      buildSchedulePipeline);
}
