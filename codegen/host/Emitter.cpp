// The emitter of each kind of kernel.

#include "codegen/host/Emitter.h"
#include "codegen/host/Emitters.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace memformer::host {

FailureOr<int64_t> emitKernel(OpBuilder &builder, Operation *op, const KernelArguments &arguments,
                              const HostTarget &target) {
#define MEMFORMER_CASE(kind)                                                                       \
  Case([&](kernel::kind##Op kernel) { return emit##kind(builder, kernel, arguments, target); })
  return TypeSwitch<Operation *, FailureOr<int64_t>>(op)
      .MEMFORMER_CASE(Gemm)
      .MEMFORMER_CASE(Pack)
      .MEMFORMER_CASE(Map)
      .MEMFORMER_CASE(Reduce)
      .MEMFORMER_CASE(LayerNorm)
      .MEMFORMER_CASE(LayerNormGradient)
      .MEMFORMER_CASE(Normalize)
      .MEMFORMER_CASE(NormalizeGradient)
      .MEMFORMER_CASE(Attention)
      .MEMFORMER_CASE(AttentionStep)
      .MEMFORMER_CASE(AttentionGradient)
      .MEMFORMER_CASE(AttentionWeights)
      .MEMFORMER_CASE(AttentionUsage)
      .MEMFORMER_CASE(MostUsed)
      .MEMFORMER_CASE(Lstm)
      .MEMFORMER_CASE(LstmStep)
      .MEMFORMER_CASE(LstmGradient)
      .MEMFORMER_CASE(CrossEntropy)
      .MEMFORMER_CASE(CrossEntropyGradient)
      .MEMFORMER_CASE(Argmax)
      .MEMFORMER_CASE(Gather)
      .MEMFORMER_CASE(ScatterAdd)
      .MEMFORMER_CASE(Concat)
      .MEMFORMER_CASE(Slice)
      .MEMFORMER_CASE(SquaredNorm)
      .MEMFORMER_CASE(AdamW)
      .Default([](Operation *other) {
        return other->emitError("the host target has no kernel '") << other->getName() << "'";
      });
#undef MEMFORMER_CASE
}

} // namespace memformer::host
