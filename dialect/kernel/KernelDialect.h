// The kernel dialect.

#ifndef MEMFORMER_DIALECT_KERNEL_KERNELDIALECT_H
#define MEMFORMER_DIALECT_KERNEL_KERNELDIALECT_H

#include "dialect/memformer/MemformerDialect.h"

#include "dialect/kernel/KernelDialect.h.inc"
#define GET_OP_CLASSES
#include "dialect/kernel/KernelOps.h.inc"

#endif
