// Runs a program by the reference of its ops, in this process.

#include "passes/reference/Execute.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "passes/reference/Reference.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/TargetSelect.h"

#include <cstdlib>
#include <cstring>

using namespace mlir;
using namespace memformer;

static size_t byteSize(RankedTensorType type) {
  return type.getNumElements() * type.getElementTypeBitWidth() / 8;
}

HostTensor::HostTensor(RankedTensorType type) : type(type), bytes(byteSize(type)) {}

void memformer::registerExecution(DialectRegistry &registry) {
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

ReferenceProgram::ReferenceProgram() = default;
ReferenceProgram::~ReferenceProgram() = default;

llvm::Expected<std::unique_ptr<ReferenceProgram>> ReferenceProgram::compile(ModuleOp module,
                                                                            unsigned optimization) {
  auto run = [&](llvm::function_ref<void(OpPassManager &)> build) -> llvm::Error {
    PassManager manager(module.getContext());
    build(manager);
    if (failed(manager.run(module)))
      return llvm::createStringError("the module has no reference: see the diagnostics");
    return llvm::Error::success();
  };
  if (llvm::Error error = run(buildReferenceToLinalg))
    return error;
  std::unique_ptr<ReferenceProgram> program(new ReferenceProgram);
  for (auto function : module.getOps<func::FuncOp>())
    program->functions[function.getName()] = function.getFunctionType();
  for (auto global : module.getOps<memref::GlobalOp>())
    program->parameters[global.getName()] = global.getType();
  if (llvm::Error error = run([](OpPassManager &manager) { buildLinalgToLLVM(manager); }))
    return error;

  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  ExecutionEngineOptions options;
  options.transformer = makeOptimizingTransformer(optimization, 0, nullptr);
  if (optimization == 0)
    options.jitCodeGenOptLevel = llvm::CodeGenOptLevel::None;
  llvm::Expected<std::unique_ptr<ExecutionEngine>> engine =
      ExecutionEngine::create(module, options);
  if (!engine)
    return engine.takeError();
  program->engine = std::move(*engine);
  return program;
}

// A memref descriptor is two pointers, an offset, sizes and strides: 3 + 2 · rank words.
static void appendDescriptor(SmallVectorImpl<intptr_t> &words, RankedTensorType type,
                             const void *data) {
  words.append({reinterpret_cast<intptr_t>(data), reinterpret_cast<intptr_t>(data), 0});
  llvm::append_range(words, type.getShape());
  SmallVector<int64_t> strides(type.getRank(), 1);
  for (int64_t i = type.getRank() - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * type.getDimSize(i + 1);
  llvm::append_range(words, strides);
}

llvm::Expected<std::vector<HostTensor>> ReferenceProgram::run(StringRef name,
                                                              ArrayRef<HostTensor> arguments) {
  auto found = functions.find(name);
  if (found == functions.end())
    return llvm::createStringError("expected a function of the program, but got '" + name + "'");
  FunctionType type = found->second;
  if (type.getNumInputs() != arguments.size())
    return llvm::createStringError("'" + name + "' expects " + llvm::Twine(type.getNumInputs()) +
                                   " arguments, but got " + llvm::Twine(arguments.size()));

  // One array for all descriptors: results first, as the C interface wants them, then one for each
  // argument.
  SmallVector<intptr_t> results;
  for (Type result : type.getResults())
    appendDescriptor(results, cast<RankedTensorType>(result), nullptr);
  SmallVector<SmallVector<intptr_t>> inputs;
  for (auto [index, expected, argument] : llvm::enumerate(type.getInputs(), arguments)) {
    if (argument.type != expected) {
      std::string text;
      llvm::raw_string_ostream(text)
          << "argument " << index << " of '" << name << "' is expected to be " << expected
          << ", but got " << argument.type;
      return llvm::createStringError(text);
    }
    appendDescriptor(inputs.emplace_back(), argument.type, argument.bytes.data());
  }
  // A packed call takes the address of each argument, which here are pointers themselves.
  SmallVector<void *> pointers;
  if (!results.empty())
    pointers.push_back(results.data());
  for (SmallVector<intptr_t> &input : inputs)
    pointers.push_back(input.data());
  SmallVector<void *> packed;
  for (void *&pointer : pointers)
    packed.push_back(&pointer);
  if (llvm::Error error = engine->invokePacked(("_mlir_ciface_" + name).str(), packed))
    return error;

  std::vector<HostTensor> tensors;
  // A value that is returned twice is one allocation.
  llvm::SmallPtrSet<void *, 8> allocations;
  const intptr_t *words = results.data();
  for (Type result : type.getResults()) {
    HostTensor &tensor = tensors.emplace_back(cast<RankedTensorType>(result));
    std::memcpy(tensor.bytes.data(), reinterpret_cast<const void *>(words[1]), tensor.bytes.size());
    allocations.insert(reinterpret_cast<void *>(words[0]));
    words += 3 + 2 * tensor.type.getRank();
  }
  for (void *allocation : allocations)
    std::free(allocation);
  return tensors;
}

llvm::Expected<void *> ReferenceProgram::parameterData(StringRef name, size_t elementBytes) {
  auto found = parameters.find(name);
  if (found == parameters.end())
    return llvm::createStringError("expected a parameter of the program, but got '" + name + "'");
  size_t expected = found->second.getElementTypeBitWidth() / 8;
  if (expected != elementBytes)
    return llvm::createStringError("entries of '" + name + "' have " + llvm::Twine(expected) +
                                   " bytes, but were asked for with " + llvm::Twine(elementBytes));
  return engine->lookup(name);
}
