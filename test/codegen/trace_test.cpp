// What threads read and write, followed through their code, and what is in order of it.

#include "codegen/nvptx/Hazards.h"
#include "codegen/nvptx/KernelModule.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace memformer;
using nvptx::MemoryAccess;

namespace {

/// Code of threads, with a buffer %p of 4096 bytes and the thread's number %t.
class Code {
public:
  explicit Code(const std::string &body) {
    mlir::DialectRegistry registry;
    nvptx::registerKernelDialects(registry);
    context.appendDialectRegistry(registry);
    std::string text =
        R"(llvm.mlir.global external @shared_memory() {addr_space = 3 : i32} : !llvm.array<0 x i8>
        llvm.func @k(%p: !llvm.ptr<1>) {
          %t = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"() : () -> i32
          %n = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.ctaid.x"() : () -> i32
          %s = llvm.mlir.addressof @shared_memory : !llvm.ptr<3>
          %c0 = arith.constant 0 : i32
          %c1 = arith.constant 1 : i32
          %c2 = arith.constant 2 : i32
          %c3 = arith.constant 3 : i32
          %c4 = arith.constant 4 : i32
          %x = arith.constant 1.0 : f32
    )" + body +
        "\n llvm.return }";
    module = mlir::parseSourceString<mlir::ModuleOp>(text, mlir::ParserConfig(&context));
    if (!module)
      return;
    auto function = *module->getOps<mlir::LLVM::LLVMFuncOp>().begin();
    block = &function.getBody().front();
    arguments[block->getArgument(0)] = {1, 4096};
  }

  bool isThere() const { return bool(module); }
  std::vector<nvptx::Trace> trace(int64_t threads, int64_t blocks = 1, bool isWhole = true) {
    return nvptx::Tracer(*block, threads, arguments, 0, 1024).trace(blocks, isWhole);
  }

private:
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::Block *block = nullptr;
  llvm::DenseMap<mlir::Value, nvptx::Tracer::Memory> arguments;
};

std::string place(const std::string &name, const std::string &index, const char *memory = "%p") {
  const std::string type = memory[1] == 'p' ? "!llvm.ptr<1>" : "!llvm.ptr<3>";
  return "%w" + name + " = arith.extui " + index + " : i32 to i64\n%a" + name +
         " = llvm.getelementptr inbounds " + memory + "[%w" + name + "] : (" + type + ", i64) -> " +
         type + ", f32\n";
}
std::string load(const std::string &name, const std::string &index) {
  return place(name, index) + "%v" + name + " = llvm.load %a" + name + " : !llvm.ptr<1> -> f32\n";
}
std::string store(const std::string &name, const std::string &index, const char *memory = "%p") {
  const char *type = memory[1] == 'p' ? "!llvm.ptr<1>" : "!llvm.ptr<3>";
  return place(name, index, memory) + "llvm.store %x, %a" + name + " : f32, " + type + "\n";
}
const std::string barrier =
    "llvm.call_intrinsic \"llvm.nvvm.barrier.cta.sync.aligned.all\"(%c0) : (i32) -> ()\n";

MemoryAccess each(int32_t first, int32_t last, uint64_t begin, int64_t stride, bool isWrite,
                  uint32_t memory = 1) {
  return {memory, first, last, isWrite, true, begin, 4, stride};
}

TEST(Trace, ThreadsHaveTheirEntries) {
  Code code("%i = arith.muli %t, %c2 : i32\n%j = arith.addi %i, %c3 : i32\n" + store("1", "%j"));
  ASSERT_TRUE(code.isThere());
  std::vector<nvptx::Trace> traces = code.trace(5);
  ASSERT_EQ(traces.size(), 1u);
  EXPECT_FALSE(traces[0].meets);
  EXPECT_EQ(traces[0].first.global, std::vector{each(0, 4, 12, 8, true)});
}

// Loops whose bounds are the thread's, values that they carry, and conditions.
TEST(Trace, FollowsLoopsAndBranches) {
  Code code("%last = scf.for unsigned %i = %t to %c4 step %c3 iter_args(%sum = %c0) -> (i32) : i32 "
            "{\n" +
            store("1", "%i") +
            "%next = arith.addi %sum, %c4 : i32\nscf.yield %next : i32\n}\n"
            "%few = arith.cmpi ult, %t, %c1 : i32\n"
            "%far = scf.if %few -> (i32) {\n" +
            store("2", "%last") + "scf.yield %c2 : i32\n} else {\nscf.yield %c3 : i32\n}\n" +
            store("3", "%far"));
  ASSERT_TRUE(code.isThere());
  // Thread 0 runs twice, threads 1 to 3 once, and the last never.
  std::vector<MemoryAccess> expected = {each(0, 3, 0, 4, true),
                                        each(0, 0, 12, 0, true),
                                        each(0, 0, 32, 0, true),
                                        each(0, 1, 8, 4, true),
                                        {1, 2, 4, true, false, 12, 4, 0}};
  EXPECT_EQ(code.trace(5)[0].first.global, expected);
}

TEST(Trace, WhatDependsOnDataMayBeAnywhere) {
  Code code(load("1", "%t") + "%i = arith.fptoui %v1 : f32 to i32\n" + store("2", "%i") +
            "%some = arith.cmpi ult, %i, %c1 : i32\nscf.if %some {\n" + store("3", "%t") + barrier +
            "}\n");
  ASSERT_TRUE(code.isThere());
  nvptx::Trace trace = code.trace(3)[0];
  EXPECT_FALSE(trace.meets); // a barrier that some data may not reach
  std::vector<MemoryAccess> expected = {
      each(0, 2, 0, 4, false), {1, 0, 2, true, false, 0, 4096, 0}, each(0, 2, 0, 4, true)};
  EXPECT_EQ(trace.first.global, expected);
}

// What lies between barriers concerns only threads that were not there.
TEST(Trace, KeepsWhatIsAroundBarriers) {
  Code code(store("1", "%t") + barrier + "scf.for unsigned %i = %c0 to %c3 step %c1 : i32 {\n" +
            store("2", "%i", "%s") + store("3", "%c2") + barrier + "}\n" + store("4", "%c4"));
  ASSERT_TRUE(code.isThere());
  for (bool isWhole : {true, false}) {
    nvptx::Trace trace = code.trace(2, 1, isWhole)[0];
    EXPECT_TRUE(trace.meets);
    EXPECT_EQ(trace.first.global, std::vector{each(0, 1, 0, 4, true)});
    EXPECT_EQ(trace.last.global, (std::vector<MemoryAccess>{{1, 0, 1, true, false, 16, 4, 0}}));
    EXPECT_EQ(trace.between.global.size(), isWhole ? 0u : 3u);
    EXPECT_EQ(trace.between.shared.size(), isWhole ? 0u : 1u);
  }
}

// Of blocks that do the same with shared memory, two stay that follow each other, and the last.
TEST(Trace, LeavesOutWhatBlocksRepeat) {
  Code code(store("1", "%t", "%s") + barrier + store("2", "%n"));
  ASSERT_TRUE(code.isThere());
  std::vector<nvptx::Trace> traces = code.trace(2, 5);
  ASSERT_EQ(traces.size(), 5u);
  for (size_t i = 0; i < traces.size(); ++i) {
    EXPECT_EQ(traces[i].first.shared.empty(), i == 2 || i == 3) << i;
    EXPECT_EQ(traces[i].last.global.empty(), i < 4) << i;
  }
}

TEST(Hazards, AreOfOtherThreadsAndWrites) {
  nvptx::Hazards hazards;
  hazards.add(each(0, 7, 0, 4, true));
  EXPECT_FALSE(hazards.conflicts(each(0, 7, 0, 4, false)));
  EXPECT_TRUE(hazards.conflicts(each(0, 7, 4, 4, false)));
  EXPECT_FALSE(hazards.conflicts(each(0, 7, 32, 4, true)));
  EXPECT_FALSE(hazards.conflicts(each(0, 7, 4, 4, true, /*memory=*/2)));
  hazards.meet(8);
  EXPECT_FALSE(hazards.conflicts(each(0, 7, 4, 4, true)));
  hazards.add(each(3, 3, 64, 0, false));
  EXPECT_FALSE(hazards.conflicts(each(4, 4, 64, 0, false)));
  EXPECT_TRUE(hazards.conflicts(each(4, 4, 64, 0, true)));
}

// A barrier orders the threads that wait there, and no others.
TEST(Hazards, BarriersOfSomeThreadsOrderThose) {
  nvptx::Hazards hazards;
  hazards.add(each(1, 1, 0, 0, true));
  hazards.add(each(6, 6, 8, 0, true));
  hazards.meet(4);
  EXPECT_FALSE(hazards.conflicts(each(3, 3, 0, 0, false)));
  EXPECT_TRUE(hazards.conflicts(each(4, 4, 0, 0, false)));
  EXPECT_TRUE(hazards.conflicts(each(3, 3, 8, 0, false)));
  EXPECT_FALSE(hazards.conflicts(each(4, 4, 0, 0, false), /*met=*/5));
  hazards.meet(8);
  EXPECT_FALSE(hazards.conflicts(each(7, 7, 0, 0, true)));
}

// Halves of a word are apart, and several readers are remembered as such.
TEST(Hazards, AreOfBytes) {
  nvptx::Hazards hazards;
  hazards.add(each(5, 5, 0, 0, true));
  hazards.add({1, 0, 3, true, true, 8, 2, 2});
  EXPECT_FALSE(hazards.conflicts({1, 0, 3, true, true, 8, 2, 2}));
  EXPECT_TRUE(hazards.conflicts({1, 1, 1, false, true, 8, 2, 0}));
  EXPECT_TRUE(hazards.conflicts(each(1, 1, 8, 0, false)));
  EXPECT_TRUE(hazards.conflicts(each(4, 4, 0, 0, false)));
  hazards.add(each(2, 2, 100, 0, false));
  hazards.add(each(6, 6, 100, 0, false));
  for (int32_t thread : {2, 6, 4})
    EXPECT_TRUE(hazards.conflicts(each(thread, thread, 100, 0, true))) << thread;
}

} // namespace
