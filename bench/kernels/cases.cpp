// The kernels that are measured: shapes of the paper's models, and what a library is asked for.

#include "bench/kernels/cases.h"

#include <cmath>
#include <fmt/format.h>

namespace memformer::bench {

int64_t Buffer::entries() const {
  int64_t product = 1;
  for (int64_t extent : shape)
    product *= extent;
  return product;
}

std::string Buffer::type() const {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += fmt::format("{}x", extent);
  return text + (bound ? "i32>" : "f32>");
}

namespace {

using Shape = std::vector<int64_t>;

Buffer tensor(Shape shape, float largest = 1, float center = 0) {
  return {std::move(shape), center, largest};
}

Buffer integers(Shape shape, int32_t bound) { return {std::move(shape), 0, 0, bound}; }

std::string signature(const Case &c) {
  std::string text = " : (";
  for (size_t i = 0; i < c.operands.size(); ++i)
    text += (i ? ", " : "") + c.operands[i].type();
  text += ") -> (";
  for (size_t i = 0; i < c.results.size(); ++i)
    text += (i ? ", " : "") + c.results[i].type();
  return text + ")";
}

double bytesOf(const Case &c) {
  double bytes = 0;
  for (const auto *list : {&c.operands, &c.buffers, &c.results})
    for (const Buffer &buffer : *list)
      bytes += 4.0 * double(buffer.entries());
  return bytes;
}

const char *const plain = " {\n^bb0(%x: f32, %i: i32):\n  kernel.yield %x : f32\n}";

// gelu(x + b), tanh form.
const char *const biasAndGelu = R"( {
^bb0(%x: f32, %b: f32, %i: i32):
  %half = arith.constant 5.000000e-01 : f32
  %one = arith.constant 1.000000e+00 : f32
  %cubic = arith.constant 4.471500e-02 : f32
  %root = arith.constant 0.797884583 : f32
  %y = arith.addf %x, %b : f32
  %square = arith.mulf %y, %y : f32
  %cube = arith.mulf %square, %y : f32
  %term = arith.mulf %cube, %cubic : f32
  %sum = arith.addf %y, %term : f32
  %scaled = arith.mulf %sum, %root : f32
  %tanh = math.tanh %scaled : f32
  %shifted = arith.addf %tanh, %one : f32
  %left = arith.mulf %y, %half : f32
  %z = arith.mulf %left, %shifted : f32
  kernel.yield %z : f32
})";

Buffer panels(int64_t k, int64_t n, int64_t width) {
  return tensor({(n + width - 1) / width, k, width}, 0.1F);
}

class Cases {
public:
  explicit Cases(int64_t panelWidth) : panelWidth(panelWidth) {}

  std::vector<Case> all;

  // x Wᵀ with a packed weight; `data`: g W, the gradient of x, of which only the library's form
  // differs.
  void linear(int64_t m, int64_t n, int64_t k, bool data) {
    Case c;
    c.name = fmt::format("gemm-{}/{}x{}x{}", data ? "data" : "forward", m, n, k);
    c.operands = {tensor({m, k}), panels(k, n, panelWidth)};
    c.results = {tensor({m, n})};
    c.body = fmt::format("kernel.gemm %0, %1 n {} packed", n) + signature(c) + plain;
    c.flops = 2.0 * double(m) * double(n) * double(k);
    c.product = Product{m, n, k, false, !data, false};
    c.wanted = std::max(n, k) <= 256 ? 1.05 : 0.95;
    add(c);
  }

  // W's gradient += gᵀ x.
  void weight(int64_t m, int64_t n, int64_t k) {
    Case c;
    c.name = fmt::format("gemm-weight/{}x{}x{}", m, n, k);
    c.operands = {tensor({k, m}), tensor({k, n})};
    c.buffers = {tensor({m, n})};
    c.body =
        fmt::format("kernel.gemm %0, %1 n {} transpose_a accumulate @p", n) + signature(c) + plain;
    c.flops = 2.0 * double(m) * double(n) * double(k);
    c.product = Product{m, n, k, true, false, true};
    add(c);
  }

  void fused(int64_t m, int64_t n, int64_t k) {
    Case c;
    c.name = fmt::format("norm-gemm-gelu/{}x{}x{}", m, n, k);
    c.operands = {tensor({m, k}), panels(k, n, panelWidth), tensor({k}), tensor({k}), tensor({n})};
    c.results = {tensor({m, n})};
    c.body =
        fmt::format("kernel.gemm %0, %1 normalize(%2, %3) extras(%4 trailing) n {} packed", n) +
        signature(c) + biasAndGelu;
    c.flops = 2.0 * double(m) * double(n) * double(k);
    c.torch = fmt::format(R"({{"op": "norm_linear_gelu", "m": {}, "n": {}, "k": {}}})", m, n, k);
    c.wanted = 1.15;
    add(c);
  }

  void attention(const char *kind, int64_t batch, int64_t heads, int64_t queries, int64_t keys,
                 int64_t width, bool causal) {
    int64_t d = heads * width;
    double pairs =
        double(batch * heads) * double(causal ? queries * (queries + 1) / 2 : queries * keys);
    std::string size = fmt::format("{}x{}x{}x{}x{}", batch, heads, queries, keys, width);
    std::string torch = fmt::format(
        R"("batch": {}, "heads": {}, "queries": {}, "keys": {}, "width": {}, "causal": {}}})",
        batch, heads, queries, keys, width, causal);
    std::string form = fmt::format(" heads {} scale {:.17e}{}", heads, 1 / std::sqrt(double(width)),
                                   causal ? " causal" : "");
    Buffer query = tensor({batch, queries, d}), key = tensor({batch, keys, d});
    // About what the softmax of these entries leaves.
    Buffer lse = tensor({batch, heads, queries}, 0.1F, std::log(float(keys)));

    Case forward;
    forward.name = fmt::format("attention-{}/{}", kind, size);
    forward.operands = {query, key, key};
    forward.results = {query, lse};
    forward.body = "kernel.attention %0, %1, %2" + form + signature(forward);
    forward.flops = 4 * pairs * double(width);
    forward.torch = R"({"op": "attention", )" + torch;
    forward.wanted = 1.5;
    add(forward);

    Case backward;
    backward.name = fmt::format("attention-gradient-{}/{}", kind, size);
    backward.operands = {query, query, key, key, query, lse};
    backward.results = {query, key, key};
    backward.body = "kernel.attention_gradient %0, %1, %2, %3, %4, %5" + form +
                    " {resultSegmentSizes = array<i32: 1, 1, 1, 0, 0>}" + signature(backward);
    backward.flops = 10 * pairs * double(width);
    backward.torch = R"({"op": "attention_gradient", )" + torch;
    backward.wanted = 1.3;
    add(backward);
  }

  void slotWrite(int64_t batch, int64_t heads, int64_t slots, int64_t tokens, int64_t width) {
    int64_t d = heads * width;
    Buffer slot = tensor({batch, slots, d}), token = tensor({batch, tokens, d});
    Case c;
    c.name = fmt::format("slot-write/{}x{}x{}x{}x{}", batch, heads, slots, tokens, width);
    c.operands = {slot, token, token, slot, slot, tensor({slots, d})};
    c.results = {slot, tensor({batch, heads, slots}), slot};
    c.body = fmt::format("kernel.attention %0, %1, %2 self(%3, %4) bias(%5) heads {} scale {:.17e} "
                         "normalize",
                         heads, 4 / std::sqrt(double(width))) +
             signature(c);
    c.flops = 4 * double(batch * heads * slots * (tokens + 1) * width);
    c.torch = fmt::format(
        R"({{"op": "slot_write", "batch": {}, "heads": {}, "slots": {}, "tokens": {}, "width": {}}})",
        batch, heads, slots, tokens, width);
    add(c);
  }

  void layerNorm(int64_t rows, int64_t d) {
    std::string torch = fmt::format(R"("rows": {}, "width": {}}})", rows, d);
    Case forward;
    forward.name = fmt::format("layer-norm/{}x{}", rows, d);
    forward.operands = {tensor({rows, d}), tensor({d}), tensor({d})};
    forward.results = {tensor({rows, d})};
    forward.body = "kernel.layer_norm %0, %1, %2 {epsilon = 1.0e-5 : f64}" + signature(forward);
    forward.torch = R"({"op": "layer_norm", )" + torch;
    add(forward);

    Case backward;
    backward.name = fmt::format("layer-norm-gradient/{}x{}", rows, d);
    backward.operands = {tensor({rows, d}), tensor({rows, d}), tensor({d})};
    backward.results = {tensor({rows, d}), tensor({2, (rows + 15) / 16, d})};
    backward.body = "kernel.layer_norm_gradient %0, %1, %2 {epsilon = 1.0e-5 : f64}" +
                    signature(backward) + plain;
    backward.torch = R"({"op": "layer_norm_gradient", )" + torch;
    add(backward);
  }

  void crossEntropy(int64_t rows, int64_t classes) {
    std::string torch = fmt::format(R"("rows": {}, "width": {}}})", rows, classes);
    Buffer logits = tensor({rows, classes}), targets = integers({rows}, int32_t(classes));
    Buffer lse = tensor({rows}, 0.1F, std::log(float(classes)));
    Case forward;
    forward.name = fmt::format("cross-entropy/{}x{}", rows, classes);
    forward.operands = {logits, targets};
    forward.results = {lse, lse};
    forward.body = "kernel.cross_entropy %0, %1" + signature(forward);
    forward.torch = R"({"op": "cross_entropy", )" + torch;
    add(forward);

    Case backward;
    backward.name = fmt::format("cross-entropy-gradient/{}x{}", rows, classes);
    backward.operands = {tensor({}), logits, targets, lse};
    backward.results = {logits};
    backward.body = "kernel.cross_entropy_gradient %0, %1, %2, %3" + signature(backward);
    backward.torch = R"({"op": "cross_entropy_gradient", )" + torch;
    add(backward);
  }

  void optimizer(int64_t entries) {
    std::string torch = fmt::format(R"("entries": {}}})", entries);
    Case norm;
    norm.name = fmt::format("squared-norm/{}", entries);
    norm.operands = {tensor({entries})};
    norm.results = {tensor({64})};
    norm.body = "kernel.squared_norm %0" + signature(norm);
    norm.torch = R"({"op": "squared_norm", )" + torch;
    add(norm);

    Case step;
    step.name = fmt::format("adamw/{}", entries);
    Buffer vector = tensor({entries}), positive = tensor({entries}, 0.1F, 0.5F);
    step.operands = {
        vector, vector, vector, positive, tensor({64}, 0.1F, 0.5F), tensor({9}, 0.1F, 0.5F)};
    step.results = {tensor({1})};
    step.body = "kernel.adamw %0, %1, %2, %3, %4, %5" + signature(step);
    step.torch = R"({"op": "adamw", )" + torch;
    add(step);
    // Parameters and moments are read and written.
    all.back().bytes += 12.0 * double(entries);
  }

private:
  void add(Case &c) {
    c.bytes = bytesOf(c);
    if (c.product && c.product->accumulate)
      c.bytes += 4.0 * double(c.product->m * c.product->n);
    all.push_back(c);
  }

  int64_t panelWidth;
};

} // namespace

std::vector<Case> allCases(int64_t panelWidth) {
  Cases cases(panelWidth);
  // The MNIST model: 8 · 56 rows, 8 · 64 slots, and a batch of 256.
  for (int64_t m : {56, 448, 3584, 14336})
    for (auto [n, k] :
         {std::pair<int64_t, int64_t>{128, 128}, {256, 128}, {128, 256}, {384, 128}}) {
      cases.linear(m, n, k, false);
      cases.linear(m, k, n, true);
      if (m >= 448)
        cases.weight(n, k, m);
    }
  // The WikiText model.
  for (int64_t m : {256, 512, 2048, 8192})
    for (auto [n, k] : {std::pair<int64_t, int64_t>{512, 512}, {2048, 512}, {512, 2048}}) {
      cases.linear(m, n, k, false);
      cases.linear(m, k, n, true);
      cases.weight(n, k, m);
    }
  for (auto [m, n, k] : {std::tuple<int64_t, int64_t, int64_t>{448, 256, 128},
                         {14336, 256, 128},
                         {256, 2048, 512},
                         {2048, 2048, 512}})
    cases.fused(m, n, k);
  cases.attention("self", 8, 4, 56, 56, 32, false);
  cases.attention("causal", 8, 4, 56, 56, 32, true);
  cases.attention("read", 8, 4, 56, 64, 32, false);
  cases.attention("self", 1, 4, 56, 56, 32, false);
  cases.attention("self", 2, 8, 128, 128, 64, false);
  cases.attention("causal", 2, 8, 128, 128, 64, true);
  cases.attention("read", 2, 8, 128, 1024, 64, false);
  cases.attention("cross", 2, 8, 56, 256, 64, false);
  cases.slotWrite(8, 4, 64, 56, 32);
  cases.slotWrite(2, 8, 1024, 128, 64);
  cases.layerNorm(448, 128);
  cases.layerNorm(14336, 128);
  cases.layerNorm(2048, 512);
  cases.crossEntropy(448, 256);
  cases.crossEntropy(256, 8192);
  cases.optimizer(2'500'000);
  return cases.all;
}

} // namespace memformer::bench
