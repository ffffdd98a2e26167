// The parts of the kernels' text that are written by hand.

#include "dialect/kernel/Assembly.h"
#include "dialect/memformer/MemformerDialect.h"

using namespace mlir;

namespace memformer::kernel {

static ParseResult parseKind(OpAsmParser &parser, SmallVectorImpl<int32_t> &indexing) {
  SMLoc place = parser.getCurrentLocation();
  StringRef keyword;
  if (parser.parseKeyword(&keyword))
    return failure();
  auto kind = symbolizeOperandIndexing(keyword);
  if (!kind)
    return parser.emitError(place, "expected 'trailing', 'leading' or 'whole', but got '")
           << keyword << "'";
  indexing.push_back(int32_t(*kind));
  return success();
}

ParseResult parseIndexed(OpAsmParser &parser,
                         SmallVectorImpl<OpAsmParser::UnresolvedOperand> &operands,
                         DenseI32ArrayAttr &indexing) {
  SmallVector<int32_t> kinds;
  OpAsmParser::UnresolvedOperand first;
  OptionalParseResult any = parser.parseOptionalOperand(first);
  if (any.has_value()) {
    operands.push_back(first);
    if (failed(*any) || parseKind(parser, kinds))
      return failure();
    while (succeeded(parser.parseOptionalComma()))
      if (parser.parseOperand(operands.emplace_back()) || parseKind(parser, kinds))
        return failure();
  }
  indexing = parser.getBuilder().getDenseI32ArrayAttr(kinds);
  return success();
}

void printIndexed(OpAsmPrinter &printer, Operation *, OperandRange operands,
                  DenseI32ArrayAttr indexing) {
  llvm::interleaveComma(llvm::enumerate(operands), printer, [&](auto operand) {
    // Text of an op that does not verify is printed too, for its diagnostic.
    auto kind = operand.index() < size_t(indexing.size())
                    ? symbolizeOperandIndexing(indexing[operand.index()])
                    : std::nullopt;
    printer << operand.value() << " " << (kind ? stringifyOperandIndexing(*kind) : "invalid");
  });
}

ParseResult parseExtras(OpAsmParser &parser,
                        SmallVectorImpl<OpAsmParser::UnresolvedOperand> &operands,
                        DenseI32ArrayAttr &indexing) {
  if (failed(parser.parseOptionalKeyword("extras"))) {
    indexing = parser.getBuilder().getDenseI32ArrayAttr({});
    return success();
  }
  return failure(parser.parseLParen() || parseIndexed(parser, operands, indexing) ||
                 parser.parseRParen());
}

void printExtras(OpAsmPrinter &printer, Operation *op, OperandRange operands,
                 DenseI32ArrayAttr indexing) {
  if (operands.empty())
    return;
  printer << "extras(";
  printIndexed(printer, op, operands, indexing);
  printer << ")";
}

} // namespace memformer::kernel
