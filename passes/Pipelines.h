// Pipelines: sequences of passes with options, as functions and under names.

#ifndef MEMFORMER_PASSES_PIPELINES_H
#define MEMFORMER_PASSES_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "passes/Passes.h"

namespace memformer {

struct ScheduleOptions : mlir::PassPipelineOptions<ScheduleOptions> {
  Option<ScheduleKind> schedule{
      *this, "schedule", llvm::cl::desc("which values the forward traversal saves"),
      llvm::cl::init(ScheduleKind::Mrbp),
      llvm::cl::values(clEnumValN(ScheduleKind::Bptt, "bptt", "everything the gradient reads"),
                       clEnumValN(ScheduleKind::Checkpoint, "checkpoint", "the state alone"),
                       clEnumValN(ScheduleKind::Mrbp, "mrbp",
                                  "the state alone, with nothing else computed forward"))};
  Option<bool> training{*this, "training", llvm::cl::desc("make the functions that training needs"),
                        llvm::cl::init(true)};
  Option<bool> generation{*this, "generation",
                          llvm::cl::desc("make the functions that generation needs"),
                          llvm::cl::init(false)};
};

/// `memformer-schedule-pipeline`: from a model to the functions of its schedule (docs/levels.md).
void buildSchedulePipeline(mlir::OpPassManager &manager, const ScheduleOptions &options);

struct KernelOptions : mlir::PassPipelineOptions<KernelOptions> {
  Option<int64_t> panelWidth{*this, "panel-width",
                             llvm::cl::desc("columns of a panel of packed weights"),
                             llvm::cl::init(16)};
  Option<int64_t> panelGroup{*this, "panel-group",
                             llvm::cl::desc("rows side by side in a panel of bf16, 2 or 8"),
                             llvm::cl::init(2)};
  Option<bool> fuseLayerNorm{*this, "fuse-layer-norm",
                             llvm::cl::desc("make layer norms the prologue of gemms"),
                             llvm::cl::init(false)};
  Option<bool> fuseNormalize{
      *this, "fuse-normalize",
      llvm::cl::desc("make the normalisation of slots part of their attention"),
      llvm::cl::init(false)};
  ListOption<std::string> products{
      *this, "products",
      llvm::cl::desc("types (bf16, f16, tf32) to which products round what they multiply where the "
                     "module's precision is one of them")};
  ListOption<std::string> attention{
      *this, "attention",
      llvm::cl::desc("types (bf16, f16) to which attention rounds what it multiplies too")};
  Option<int64_t> fewRows{*this, "few-rows",
                          llvm::cl::desc("products of at most so many rows read the weights of a "
                                         "position, and layer norms become their prologue"),
                          llvm::cl::init(0)};
  Option<bool> training{*this, "training", llvm::cl::desc("add the optimizer's step"),
                        llvm::cl::init(true)};
};

/// `memformer-kernel-pipeline`: from the functions of a schedule to fused kernels, with `@prepare`
/// and `@update`.
void buildKernelPipeline(mlir::OpPassManager &manager, const KernelOptions &options);

struct ProgramOptions : mlir::PassPipelineOptions<ProgramOptions> {
  Option<bool> merge{*this, "merge", llvm::cl::desc("make ops that run together one kernel"),
                     llvm::cl::init(false)};
  Option<int64_t> multiprocessors{
      *this, "multiprocessors",
      llvm::cl::desc("blocks that run at a time, for chains of ops; 0 makes none"),
      llvm::cl::init(0)};
  Option<bool> verify{*this, "verify", llvm::cl::desc("check what the plan reads and writes"),
                      llvm::cl::init(true)};
};

/// `memformer-program-pipeline`: from fused kernels to the program level.
void buildProgramPipeline(mlir::OpPassManager &manager, const ProgramOptions &options);

/// Registers every pipeline under its name.
void registerPipelines();

} // namespace memformer

#endif
