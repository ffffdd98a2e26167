// Translates a kernel of a PTX module to LLVM IR: a function of one thread.

#ifndef MEMFORMER_TEST_EMULATOR_TRANSLATOR_H
#define MEMFORMER_TEST_EMULATOR_TRANSLATOR_H

#include "test/emulator/collectives.h"
#include "test/emulator/device_memory.h"
#include "test/emulator/ptx_module.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

#include <deque>
#include <map>
#include <optional>

namespace memformer::emulator {

/// The type of an instruction: "f32", "bf16x2", "tf32", …
struct Type {
  enum class Kind { Predicate, Bits, Unsigned, Signed, Float, Bfloat, Tf32 };
  Kind kind;
  unsigned bits; // of one of the lanes
  unsigned lanes = 1;

  unsigned width() const { return bits * lanes; }
  bool isSigned() const { return kind == Kind::Signed; }
  bool isFloat() const { return kind >= Kind::Float; }
  bool isInteger() const { return !isFloat() && kind != Kind::Predicate; }
  bool isNarrow() const { return isFloat() && bits == 16; }
  bool operator==(const Type &) const = default;
};

std::optional<Type> typeOfName(std::string_view name);

/// Where variables lie: shared ones at offsets, global and constant ones at addresses that the
/// module's table holds, in their order in the module.
struct SharedLayout {
  uint64_t bytes = 0, dynamic = 0;
  std::vector<std::pair<std::string, uint64_t>> offsets;
};
SharedLayout layoutShared(const PtxModule &module, const Kernel &kernel, bool adversarial);

class Translator {
public:
  /// `collectives` keeps what generated code points to; it outlives the code.
  Translator(const PtxModule &module, const Kernel &kernel, const Modes &modes,
             const DeviceMemory &memory, llvm::Module &to, std::deque<Collective> &collectives);

  /// Adds the function; false with `error`, which names line and instruction.
  bool run();

  std::string error;

private:
  using Value = llvm::Value *;
  using Handler = bool (Translator::*)();
  static const std::pair<std::string_view, Handler> handlers[];

  // Control: translator.cpp
  bool translate(size_t index);
  bool fail(const std::string &message);
  bool expectOperands(size_t least, size_t most);
  bool has(std::string_view modifier);
  bool hasAny(std::initializer_list<std::string_view> modifiers);
  std::optional<Type> takeType();
  bool needType(Type &type);
  std::string found() const;
  llvm::BasicBlock *blockOf(size_t index);
  bool branch(), branchIndexed(), leave(), trap(), nothing();

  // Operands: translate_operands.cpp
  Value read(const Operand &operand, unsigned bits, bool relaxed = false);
  Value source(size_t i, unsigned bits) { return read(in->operands[i], bits); }
  Value predicate(const Operand &operand);
  bool write(const Operand &operand, Value value, bool isSigned = false, bool relaxed = false);
  Value special(const std::string &name);
  Value variableAddress(const std::string &name);
  Value constant(unsigned bits, uint64_t value);
  Value threadField(size_t offset, unsigned bits);
  Value threadPointer(size_t offset);
  Value call(void *function, llvm::Type *result, llvm::ArrayRef<Value> arguments);
  Value line() { return constant(32, in->line); }

  // Numbers: translate_operands.cpp
  Value number(Value bits, const Type &type);
  Value bitsOf(Value number, const Type &type);
  Value lane(Value bits, const Type &type, unsigned lane);
  Value joinLanes(llvm::ArrayRef<Value> lanes, const Type &type);
  Value roundToBfloat(Value number, bool towardZero);
  Value flush(Value number);

  // Integers: translate_integer.cpp
  bool move(), convertAddress(), isSpace();
  bool addOrSubtract(), multiply(), multiplyAdd(), divide(), minimum(), absolute(), negate();
  bool logic(), complement(), conditionalNot(), shift(), funnelShift(), extractField(),
      insertField(), count(), findBit(), reverse(), permute(), lookup(), carry(), sumOfDifference();
  Value integerOperation(std::string_view name, const Type &type, Value a, Value b);
  Value product(const Type &type, Value a, Value b, bool &wide);
  Value shifted(Value a, Value amount, bool left, bool isSigned);

  // Floating point: translate_float.cpp
  bool floatOperation(const Type &type);
  Value floatLane(const Type &type, llvm::ArrayRef<Value> bits);
  bool floatModifiers();
  Value mathCall(void *function, Value a);
  Value nanOr(Value number, Value otherwise);
  bool unaryMath(), testNumber(), copySign(), fused();
  Value saturated(Value number);

  // Comparisons and conversions: translate_convert.cpp
  bool setPredicate(), set(), select(), selectBySign();
  Value compare(std::string_view name, const Type &type, Value a, Value b);
  Value compared(const Type &type, unsigned lane);
  bool convert();
  bool convertPair(const Type &to);
  Value convertNumber(const Type &to, const Type &from, Value bits);
  Value toInteger(const Type &to, const Type &from, Value bits);
  Value toNumber(const Type &to, const Type &from, Value bits);
  Value integral(Value number);

  // Memory: translate_memory.cpp
  bool load(), store(), atomic(), asyncCopy(), prefetch();
  std::optional<Space> takeSpace();
  void takeMemoryModifiers();
  unsigned takeVector();
  Value address(const Operand &operand);
  Value hostPointer(Space space, Value address, unsigned bytes, Access access);
  Value parameterPointer(Value from, unsigned bytes);
  void check(Value bad, Value address, unsigned bytes, Access access, Space space);
  bool loadParameter(const Type &type, unsigned count);
  bool writeElements(const Operand &operand, Value loaded, const Type &type, unsigned count);

  // Warps and blocks: translate_warp.cpp
  bool barrier(), fence(), shuffle(), vote(), reduce(), loadMatrix(), storeMatrix(), mma();
  // Asynchronous products and copies: translate_async.cpp
  bool warpgroup(), warpgroupProduct(), mbarrier(), bulkCopy();
  Value registerTable(const Operand &operand);
  Collective &newCollective(Collective::Perform perform, bool needsAllLanes);
  void meet(Collective &collective, Value mask, llvm::ArrayRef<Value> values);
  Value exchanged(unsigned i);
  bool registersOf(size_t operand, unsigned count, llvm::SmallVectorImpl<Value> &values);
  Value matrixAddress(const Operand &operand);

  const PtxModule &module;
  const Kernel &kernel;
  const Modes &modes;
  const DeviceMemory &memory;
  std::deque<Collective> &collectives;
  SharedLayout shared;

  llvm::LLVMContext &context;
  llvm::IRBuilder<> b;
  llvm::Function *function;
  Value thread, parameters;
  llvm::AllocaInst *depot = nullptr; // all `.local` variables
  uint64_t depotBytes = 0;
  llvm::AllocaInst *exchange = nullptr; // what a warp's instructions read and write
  llvm::AllocaInst *carryFlag = nullptr;
  // Addresses of registers that wgmma writes when it is waited for, by their list.
  std::map<std::vector<int>, llvm::AllocaInst *> registerTables;
  std::vector<llvm::AllocaInst *> registers;
  std::vector<llvm::BasicBlock *> blocks; // by instruction, null where nothing jumps to
  const Instruction *in = nullptr;
  std::vector<bool> used; // modifiers of `in` that were looked at
};

} // namespace memformer::emulator

#endif
