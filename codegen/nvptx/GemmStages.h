// The factors of a matrix product in shared memory: a ring of steps, filled ahead.

#ifndef MEMFORMER_CODEGEN_NVPTX_GEMMSTAGES_H
#define MEMFORMER_CODEGEN_NVPTX_GEMMSTAGES_H

#include "codegen/nvptx/GemmBlock.h"

namespace memformer::nvptx {

/// How the factors of a block [rows, columns] lie in shared memory, a step of the depth at a time.
struct StageForm {
  int64_t rows, columns;
  /// Words of a step along the depth, a multiple of 4.
  int64_t depth;
  /// Entries of a word of 32 bits: 2 of bf16 or f16, or one of f32.
  int64_t entriesOfWord;
  /// Words between one row and the next beyond a row's own, multiples of 4: where words along the
  /// depth are rows, and where rows and columns of C are.
  int64_t innerPadding = 0, outerPadding = 0;
  /// Whether entries are rounded to the type of the product's operands on their way.
  bool rounds = false;
  /// Whether factors lie in core matrices, as warpgroups multiply them: 8 rows of 16 bytes
  /// together.
  bool inCores = false;

  /// Entries of k of a step.
  int64_t entries() const { return depth * entriesOfWord; }
};

class GemmStages {
public:
  /// A factor of one step: rows of words, those of the next step behind them. A word has entries
  /// that follow each other in memory: along the depth where `isDeep`, else along rows or columns
  /// of C.
  struct Stage {
    Buffer buffer; // all steps of the ring
    /// `pitch`: words from one row to the next, or in core matrices from 4 words of all rows to the
    /// 4 next ones.
    int64_t rows, words, pitch;
    bool isDeep;
    /// Copied 16 bytes at a time, without a register; or in bulk, by a copy for each 4 words.
    bool async, inBulk = false;
    bool inCores = false;

    int64_t size() const { return inCores ? words / 4 * pitch : rows * pitch; }
  };

  /// Takes shared memory. A by rows is [rows, depth]; A by columns [entries of k, rows], B [entries
  /// of k, columns], or packed in pairs [depth, columns], in core matrices [columns, depth].
  GemmStages(Emit &e, GemmBlock &block, const StageForm &form);

  /// Sums over all steps, in order: `multiply(slot, sums)` adds the products of the step in a slot
  /// of the ring. Then `bytes` from `begin` on may be written: a barrier is at the end where the
  /// last step lies there.
  Emit::Carried sum(mlir::ValueRange zeros, int64_t bytes,
                    llvm::function_ref<Emit::Carried(mlir::Value, mlir::ValueRange)> multiply);
  /// Gives the shared memory back to those that use it next, behind a barrier since the sum.
  void release();

  Stage a, b;
  /// Of the ring in shared memory, in bytes; it is free after the sum.
  int64_t begin;

private:
  /// Where a word of a row is in a step.
  mlir::Value placeOf(const Stage &stage, mlir::Value row, mlir::Value word);
  void copyStage(const Stage &stage, bool isA, mlir::Value slot, mlir::Value k);
  void copyInBulk(mlir::Value slot, mlir::Value k);
  Emit::Carried fetchStage(const Stage &stage, bool isA, mlir::Value k);
  Emit::Carried fetch(mlir::Value k);
  void keepStage(const Stage &stage, const Buffer &from, mlir::Value slot, mlir::ValueRange words);
  void keep(mlir::Value slot, mlir::ValueRange entries);
  int64_t wordsOf(const Stage &stage) const { return stage.rows * stage.words / e.threads(); }
  bool lastStepIsBelow(int64_t bytes) const;
  bool copies() const { return a.async || b.async; }

  Emit &e;
  GemmBlock &block;
  const GemmShape &shape;
  StageForm form;
  /// Steps of the ring: what is copied is asked for two steps ahead, what is fetched one.
  int64_t ring;
  /// Of each step of the ring 8 bytes, on which copies in bulk complete.
  Buffer mbarriers;
};

} // namespace memformer::nvptx

#endif
