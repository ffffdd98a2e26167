// The parts of the kernels' text that are written by hand.

#ifndef MEMFORMER_DIALECT_KERNEL_ASSEMBLY_H
#define MEMFORMER_DIALECT_KERNEL_ASSEMBLY_H

#include "mlir/IR/OpImplementation.h"

namespace memformer::kernel {

/// `%a trailing, %b leading`: the operands of a region and how they are indexed.
mlir::ParseResult
parseIndexed(mlir::OpAsmParser &parser,
             llvm::SmallVectorImpl<mlir::OpAsmParser::UnresolvedOperand> &operands,
             mlir::DenseI32ArrayAttr &indexing);
void printIndexed(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::OperandRange operands,
                  mlir::DenseI32ArrayAttr indexing);

/// The same in `extras(…)`, or nothing.
mlir::ParseResult parseExtras(mlir::OpAsmParser &parser,
                              llvm::SmallVectorImpl<mlir::OpAsmParser::UnresolvedOperand> &operands,
                              mlir::DenseI32ArrayAttr &indexing);
void printExtras(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::OperandRange operands,
                 mlir::DenseI32ArrayAttr indexing);

} // namespace memformer::kernel

#endif
