// Entries computed or moved one by one: map, gather, concat, slice, pack.

#include "test/codegen/kernel_harness.h"

#include <cmath>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

using namespace memformer::testing;

namespace {

using Entries = std::vector<double>;
using Compared = std::vector<std::pair<size_t, Expected>>;

TEST(Map, OperandsOfEveryIndexing) {
  struct Size {
    int64_t batch, rows, width;
  };
  for (const Size &s : {Size{1, 1, 1}, Size{2, 3, 7}, Size{3, 5, 16}, Size{2, 9, 17},
                        Size{2, 40, 257}, Size{1, 3, 9001}, Size{70, 13, 1}}) {
    Tensor x = uniform({s.batch, s.rows, s.width}, 1);
    // x, a row for each position, one entry for each row of the batch, a key, and a scalar.
    std::vector<Tensor> operands = {x, uniform({s.rows, s.width}, 2), integers({s.batch}, 3, 0, 2),
                                    integers({2}, 4, -1000, 1000), uniform({}, 5)};
    std::vector<Tensor> results = {x, zeros(x.shape, true)};
    std::string body = "kernel.map %0 trailing, %1 trailing, %2 leading, %3 whole, %4 trailing : (";
    for (size_t i = 0; i < operands.size(); ++i)
      body += (i ? ", " : "") + operands[i].type();
    body += ") -> (" + results[0].type() + ", " + results[1].type() + ") " + R"({
^bb0(%x: f32, %p: f32, %mask: i32, %k0: i32, %k1: i32, %s: f32, %i: i32):
  %zero = arith.constant 0 : i32
  %on = arith.cmpi ne, %mask, %zero : i32
  %sum = arith.addf %x, %p : f32
  %y = arith.select %on, %sum, %s : f32
  %k = arith.xori %k0, %k1 : i32
  %h = arith.muli %i, %k : i32
  %t = arith.addi %h, %k1 : i32
  kernel.yield %y, %t : f32, i32
})";
    check({"map " + x.type(), body, operands, {}, results, [&](const std::vector<Tensor> &a) {
             Entries y, hash;
             for (int64_t i = 0; i < x.entries(); ++i) {
               int64_t perBatch = s.rows * s.width;
               bool on = a[2].ints[size_t(i / perBatch)] != 0;
               y.push_back(on ? double(float(a[0][i]) + float(a[1][i % perBatch])) : a[4][0]);
               uint32_t k0 = uint32_t(a[3].ints[0]), k1 = uint32_t(a[3].ints[1]);
               hash.push_back(double(int32_t(uint32_t(i) * (k0 ^ k1) + k1)));
             }
             // One rounding, the same one.
             return Compared{{5, {y, 0}}, {6, {hash, 0}}};
           }});
  }
}

TEST(Map, FunctionsOfVectors) {
  Tensor x = uniform({3, 23}, 1, 0.1f, 4);
  std::string body = "kernel.map %0 trailing : (" + x.type() + ") -> " + x.type() + R"( {
^bb0(%x: f32, %i: i32):
  %a = math.sqrt %x : f32
  %b = math.rsqrt %x : f32
  %c = math.absf %b : f32
  %d = math.log %x : f32
  %e = math.exp %d : f32
  %f = arith.addf %a, %c : f32
  %g = arith.addf %f, %e : f32
  kernel.yield %g : f32
})";
  check({"functions", body, {x}, {}, {x}, [&](const std::vector<Tensor> &a) {
           Entries y;
           for (int64_t i = 0; i < x.entries(); ++i)
             y.push_back(std::sqrt(a[0][i]) + 1 / std::sqrt(a[0][i]) + a[0][i]);
           return Compared{{1, {y, 16 * 8 * roundoff}}};
         }});
}

TEST(Map, UnsupportedFunctionIsAnError) {
  Tensor x = zeros({4});
  std::string body = "kernel.map %0 trailing : (tensor<4xf32>) -> tensor<4xf32> {\n^bb0(%x: f32, "
                     "%i: i32):\n  %y = math.erf %x : f32\n  kernel.yield %y : f32\n}";
  EXPECT_NONFATAL_FAILURE(Kernel::compile(body, {x}, {x}, "x86-64-v3"),
                          "the host target has no vector form of 'math.erf'");
}

TEST(Gather, RowsWithEpilogue) {
  struct Size {
    int64_t batch, length, table, width;
  };
  for (const Size &s : {Size{1, 1, 1, 1}, Size{2, 5, 9, 7}, Size{3, 17, 11, 17},
                        Size{2, 30, 256, 128}, Size{1, 3, 5, 257}}) {
    std::vector<Tensor> operands = {integers({s.batch, s.length}, 1, 0, int32_t(s.table)),
                                    uniform({s.table, s.width}, 2),
                                    uniform({s.length, s.width}, 3)};
    std::vector<Tensor> results = {zeros({s.batch, s.length, s.width})};
    std::string body = "kernel.gather %0, %1 extras(%2 trailing) : (" + operands[0].type() + ", " +
                       operands[1].type() + ", " + operands[2].type() + ") -> " +
                       results[0].type() +
                       " {\n^bb0(%x: f32, %p: f32, %i: i32):\n  %y = arith.addf %x, %p : f32\n  "
                       "kernel.yield %y : f32\n}";
    check({"gather", body, operands, {}, results, [&](const std::vector<Tensor> &a) {
             Entries y;
             for (int64_t r = 0; r < s.batch * s.length; ++r)
               for (int64_t j = 0; j < s.width; ++j)
                 y.push_back(double(float(a[1][a[0].ints[size_t(r)] * s.width + j]) +
                                    float(a[2][r % s.length * s.width + j])));
             return Compared{{3, {y, 0}}};
           }});
  }
}

// The three extents around an axis.
struct Axis {
  int64_t before, inside, after;
};

TEST(Concat, AlongAnAxis) {
  for (const Axis &s : {Axis{1, 1, 1}, Axis{3, 4, 7}, Axis{2, 56, 17}, Axis{5, 3, 1},
                        Axis{1, 70, 257}, Axis{300, 2, 16}})
    for (int64_t second : {1, 3}) {
      std::vector<Tensor> operands = {uniform({s.before, s.inside, s.after}, 1),
                                      uniform({s.before, second, s.after}, 2)};
      std::vector<Tensor> results = {zeros({s.before, s.inside + second, s.after})};
      std::string body = "kernel.concat %0, %1 axis 1 : (" + operands[0].type() + ", " +
                         operands[1].type() + ") -> " + results[0].type();
      check({"concat " + operands[0].type(),
             body,
             operands,
             {},
             results,
             [&](const std::vector<Tensor> &a) {
               Entries y;
               for (int64_t b = 0; b < s.before; ++b)
                 for (int64_t i = 0; i < s.inside + second; ++i)
                   for (int64_t j = 0; j < s.after; ++j)
                     y.push_back(i < s.inside ? a[0][(b * s.inside + i) * s.after + j]
                                              : a[1][(b * second + i - s.inside) * s.after + j]);
               return Compared{{2, {y, 0}}};
             }});
    }
}

TEST(Slice, AlongAnAxis) {
  for (const Axis &s :
       {Axis{1, 1, 1}, Axis{3, 9, 7}, Axis{2, 56, 17}, Axis{5, 8, 1}, Axis{1, 70, 257}})
    for (int64_t offset : {int64_t(0), s.inside / 2}) {
      int64_t size = std::max<int64_t>(1, (s.inside - offset) / 2);
      std::vector<Tensor> operands = {uniform({s.before, s.inside, s.after}, 1)};
      std::vector<Tensor> results = {zeros({s.before, size, s.after})};
      std::string body = "kernel.slice %0 axis 1 offset " + std::to_string(offset) + " : (" +
                         operands[0].type() + ") -> " + results[0].type();
      check({"slice " + operands[0].type(),
             body,
             operands,
             {},
             results,
             [&](const std::vector<Tensor> &a) {
               Entries y;
               for (int64_t b = 0; b < s.before; ++b)
                 for (int64_t i = 0; i < size; ++i)
                   for (int64_t j = 0; j < s.after; ++j)
                     y.push_back(a[0][(b * s.inside + offset + i) * s.after + j]);
               return Compared{{1, {y, 0}}};
             }});
    }
}

TEST(Pack, Panels) {
  struct Size {
    int64_t depth, columns;
  };
  for (const Size &s : {Size{1, 1}, Size{7, 17}, Size{16, 32}, Size{33, 65}, Size{128, 100}})
    for (int64_t width : {16, 32, 5})
      for (bool transposed : {false, true}) {
        Tensor b = transposed ? uniform({s.columns, s.depth}, 1) : uniform({s.depth, s.columns}, 1);
        int64_t panels = (s.columns + width - 1) / width;
        std::vector<Tensor> results = {zeros({panels, s.depth, width})};
        std::string body = std::string("kernel.pack %0 ") + (transposed ? "transposed " : "") +
                           ": (" + b.type() + ") -> " + results[0].type();
        check({"pack " + b.type(), body, {b}, {}, results, [&](const std::vector<Tensor> &a) {
                 Entries y;
                 for (int64_t p = 0; p < panels; ++p)
                   for (int64_t k = 0; k < s.depth; ++k)
                     for (int64_t j = p * width; j < (p + 1) * width; ++j)
                       y.push_back(j >= s.columns ? 0
                                   : transposed   ? a[0][j * s.depth + k]
                                                  : a[0][k * s.columns + j]);
                 return Compared{{1, {y, 0}}};
               }});
      }
}

} // namespace
