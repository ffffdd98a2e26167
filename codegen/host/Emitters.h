// One emitter for each kind of kernel, all of emitKernel's contract.

#ifndef MEMFORMER_CODEGEN_HOST_EMITTERS_H
#define MEMFORMER_CODEGEN_HOST_EMITTERS_H

#include "codegen/host/Emitter.h"

namespace memformer::host {

#define MEMFORMER_EMITTER(kind)                                                                    \
  mlir::FailureOr<int64_t> emit##kind(mlir::OpBuilder &builder, kernel::kind##Op op,               \
                                      const KernelArguments &arguments, const HostTarget &target);

MEMFORMER_EMITTER(Gemm)
MEMFORMER_EMITTER(Pack)
MEMFORMER_EMITTER(Map)
MEMFORMER_EMITTER(Reduce)
MEMFORMER_EMITTER(LayerNorm)
MEMFORMER_EMITTER(LayerNormGradient)
MEMFORMER_EMITTER(Normalize)
MEMFORMER_EMITTER(NormalizeGradient)
MEMFORMER_EMITTER(Attention)
MEMFORMER_EMITTER(AttentionStep)
MEMFORMER_EMITTER(AttentionGradient)
MEMFORMER_EMITTER(AttentionWeights)
MEMFORMER_EMITTER(AttentionUsage)
MEMFORMER_EMITTER(MostUsed)
MEMFORMER_EMITTER(Lstm)
MEMFORMER_EMITTER(LstmStep)
MEMFORMER_EMITTER(LstmGradient)
MEMFORMER_EMITTER(CrossEntropy)
MEMFORMER_EMITTER(CrossEntropyGradient)
MEMFORMER_EMITTER(Argmax)
MEMFORMER_EMITTER(Gather)
MEMFORMER_EMITTER(ScatterAdd)
MEMFORMER_EMITTER(Concat)
MEMFORMER_EMITTER(Slice)
MEMFORMER_EMITTER(SquaredNorm)
MEMFORMER_EMITTER(AdamW)

#undef MEMFORMER_EMITTER

} // namespace memformer::host

#endif
