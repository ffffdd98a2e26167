// The program dialect.

#ifndef MEMFORMER_DIALECT_PROGRAM_PROGRAMDIALECT_H
#define MEMFORMER_DIALECT_PROGRAM_PROGRAMDIALECT_H

#include "dialect/kernel/KernelDialect.h"

#include "dialect/program/ProgramDialect.h.inc"
#include "dialect/program/ProgramEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/program/ProgramAttributes.h.inc"

#define GET_OP_CLASSES
#include "dialect/program/ProgramOps.h.inc"

#endif
