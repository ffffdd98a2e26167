// References of composite ops: those of the ops that they stand for.

#include "dialect/memformer/MemformerDialect.h"

using namespace mlir;
using namespace memformer;

SmallVector<Value> ReadOp::buildReference(OpBuilder &builder) { return expand(builder); }

SmallVector<Value> WriteOp::buildReference(OpBuilder &builder) { return expand(builder); }
