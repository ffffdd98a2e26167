// The tests' device, and PTX for it.

#include "test/emulator/device_harness.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

namespace memformer::emulator {

std::string ptxModule(const std::string &text, unsigned architecture) {
  return ".version 8.0\n.target sm_" + std::to_string(architecture) +
         (architecture == 90 ? "a" : "") + "\n.address_size 64\n" + text;
}

std::string ptxKernel(unsigned parameters, const std::string &body, const std::string &variables,
                      unsigned architecture) {
  std::string text = variables + "\n.visible .entry k(\n", loads;
  for (unsigned i = 0; i < parameters; ++i) {
    std::string n = std::to_string(i);
    text += (i ? ",\n" : "") + std::string("  .param .u64 p") + n;
    loads += "  ld.param.u64 %a" + n + ", [p" + n + "];\n";
  }
  text += ")\n{\n  .reg .b64 %a<8>, %rd<64>;\n  .reg .b32 %r<64>, %t, %t4;\n"
          "  .reg .f32 %f<64>;\n  .reg .b16 %h<64>;\n  .reg .pred %p<16>;\n" +
          loads + "  mov.u32 %t, %tid.x;\n  shl.b32 %t4, %t, 2;\n" + body + "\n  ret;\n}\n";
  return ptxModule(text, architecture);
}

std::string ptxOfIr(const std::string &ir, const std::string &cpu, const std::string &features) {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
  llvm::LLVMContext context;
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(ir, diagnostic, context);
  if (!module) {
    ADD_FAILURE() << diagnostic.getLineNo() << ": " << diagnostic.getMessage().str();
    return "";
  }
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target) {
    ADD_FAILURE() << message;
    return "";
  }
  std::unique_ptr<llvm::TargetMachine> machine(
      target->createTargetMachine(triple, cpu, features, {}, std::nullopt));
  module->setTargetTriple(triple);
  module->setDataLayout(machine->createDataLayout());
  llvm::SmallString<4096> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  machine->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::AssemblyFile);
  passes.run(*module);
  return text.str().str();
}

Device::Device(const std::string &modes) {
  EXPECT_TRUE(memformerEmulatorConfigure(modes.c_str()));
  CUcontext context;
  EXPECT_EQ(cuInit(0), CUDA_SUCCESS);
  EXPECT_EQ(cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxSetCurrent(context), CUDA_SUCCESS);
}

Device::~Device() {
  EXPECT_EQ(cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS); // forgets failures
  for (CUmodule module : modules)
    EXPECT_EQ(cuModuleUnload(module), CUDA_SUCCESS);
  for (CUdeviceptr address : memory)
    EXPECT_EQ(cuMemFree_v2(address), CUDA_SUCCESS);
}

CUdeviceptr Device::allocate(size_t bytes) {
  CUdeviceptr address = 0;
  EXPECT_EQ(cuMemAlloc_v2(&address, bytes), CUDA_SUCCESS);
  memory.push_back(address);
  return address;
}

CUdeviceptr Device::putBytes(const void *values, size_t bytes) {
  CUdeviceptr address = allocate(bytes);
  EXPECT_EQ(cuMemcpyHtoD_v2(address, values, bytes), CUDA_SUCCESS);
  return address;
}

CUfunction Device::load(const std::string &ptx, const char *kernel) {
  CUmodule module;
  CUfunction function = nullptr;
  char log[1024] = "";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
  CUresult error = cuModuleLoadDataEx(&module, ptx.c_str(), 2, options, values);
  EXPECT_EQ(error, CUDA_SUCCESS) << log << "\n" << ptx;
  if (error != CUDA_SUCCESS)
    return nullptr;
  modules.push_back(module);
  EXPECT_EQ(cuModuleGetFunction(&function, module, kernel), CUDA_SUCCESS);
  return function;
}

std::string Device::refusal(const std::string &ptx, CUresult expected) {
  CUmodule module;
  char log[1024] = "";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
  EXPECT_EQ(cuModuleLoadDataEx(&module, ptx.c_str(), 2, options, values), expected);
  return log;
}

CUresult Device::launch(CUfunction function, unsigned blocks, unsigned threads,
                        const std::vector<CUdeviceptr> &arguments, unsigned sharedBytes) {
  std::vector<CUdeviceptr> copies = arguments;
  std::vector<void *> pointers;
  for (CUdeviceptr &argument : copies)
    pointers.push_back(&argument);
  CUresult error = cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, sharedBytes, nullptr,
                                  pointers.data(), nullptr);
  return error == CUDA_SUCCESS ? cuCtxSynchronize() : error;
}

} // namespace memformer::emulator
