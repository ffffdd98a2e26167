// The LSTM layer and its gradient.

#include "test/codegen/kernel_harness.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace memformer::testing;

namespace {

struct Size {
  int64_t batch, length, width, panel;
};

// Rows for one workgroup and for several, one past a vector, panels with padding.
const Size sizes[] = {{1, 1, 1, 16},   {1, 5, 7, 16},  {2, 3, 16, 32}, {3, 4, 17, 16},
                      {13, 2, 33, 64}, {7, 6, 40, 32}, {9, 3, 65, 16}};

enum Part { Input, Forget, Candidate, Output };

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// W [rows, columns] in panels of its columns, or of its transpose's.
Tensor packed(const Tensor &weight, int64_t panel, bool transposed) {
  int64_t rows = weight.shape[0], columns = weight.shape[1];
  int64_t depth = transposed ? columns : rows, width = transposed ? rows : columns;
  Tensor result = zeros({(width + panel - 1) / panel, depth, panel});
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t j = 0; j < width; ++j)
      result.floats[size_t((j / panel * depth + k) * panel + j % panel)] =
          weight.floats[size_t(transposed ? j * columns + k : k * columns + j)];
  return result;
}

struct Layer {
  Size size;
  std::vector<double> hiddens, cells, activations;
};

/// The op's definition, in double precision.
Layer run(const Size &size, const Tensor &gates, const Tensor &hidden, const Tensor &cell,
          const Tensor &weight) {
  auto [batch, length, d, panel] = size;
  Layer layer{size, std::vector<double>(size_t(batch * length * d)), {}, {}};
  layer.cells = layer.hiddens;
  layer.activations.resize(size_t(4 * batch * length * d));
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < length; ++t)
      for (int64_t j = 0; j < d; ++j) {
        int64_t at = (b * length + t) * d + j;
        double parts[4];
        for (int64_t part = 0; part < 4; ++part) {
          double sum = gates[(b * length + t) * 4 * d + part * d + j];
          for (int64_t k = 0; k < d; ++k)
            sum += weight[(part * d + j) * d + k] *
                   (t ? layer.hiddens[size_t(at - j - d + k)] : hidden[b * d + k]);
          parts[part] = part == Candidate ? std::tanh(sum) : sigmoid(sum);
          layer.activations[size_t((b * length + t) * 4 * d + part * d + j)] = parts[part];
        }
        double before = t ? layer.cells[size_t(at - d)] : cell[b * d + j];
        layer.cells[size_t(at)] = parts[Forget] * before + parts[Input] * parts[Candidate];
        layer.hiddens[size_t(at)] = parts[Output] * std::tanh(layer.cells[size_t(at)]);
      }
  return layer;
}

std::string types(const std::vector<Tensor> &operands, const std::vector<Tensor> &results) {
  return fmt::format(" : ({}) -> ({})", fmt::join(typesOf(operands), ", "),
                     fmt::join(typesOf(results), ", "));
}

/// Sums of d terms, position after position.
double tolerance(const Size &size, int64_t terms) {
  return double(size.length) * 8 * (double(terms) / 8 + 8) * roundoff;
}

TEST(Lstm, Forward) {
  for (const Size &size : sizes) {
    auto [batch, length, d, panel] = size;
    Tensor weight = uniform({4 * d, d}, 1);
    std::vector<Tensor> operands = {uniform({batch, length, 4 * d}, 2, -2, 2),
                                    uniform({batch, 1, d}, 3), uniform({batch, 1, d}, 4),
                                    packed(weight, panel, /*transposed=*/true)};
    std::vector<Tensor> results = {zeros({batch, length, d}), zeros({batch, length, d}),
                                   zeros({batch, length, 4 * d})};
    check({fmt::format("lstm {}x{}x{} in panels of {}", batch, length, d, panel),
           "kernel.lstm %0, %1, %2, %3" + types(operands, results),
           operands,
           {},
           results,
           [=](const std::vector<Tensor> &arguments) {
             Layer layer = run(size, arguments[0], arguments[1], arguments[2], weight);
             double error = tolerance(size, d);
             return std::vector<std::pair<size_t, Expected>>{{4, {layer.hiddens, error}},
                                                             {5, {layer.cells, error * 4}},
                                                             {6, {layer.activations, error}}};
           }});
  }
}

// From the last position to the first.
void checkGradient(const Size &size, bool hasHiddens, bool hasCells) {
  auto [batch, length, d, panel] = size;
  Tensor weight = uniform({4 * d, d}, 1);
  Tensor cell = uniform({batch, 1, d}, 4);
  Layer layer =
      run(size, uniform({batch, length, 4 * d}, 2, -2, 2), uniform({batch, 1, d}, 3), cell, weight);
  auto tensor = [](std::vector<int64_t> shape, const std::vector<double> &entries) {
    Tensor result = zeros(std::move(shape));
    result.floats.assign(entries.begin(), entries.end());
    return result;
  };
  std::vector<Tensor> operands;
  std::string body = "kernel.lstm_gradient";
  auto operand = [&](Tensor value) {
    operands.push_back(std::move(value));
    return fmt::format("%{}", operands.size() - 1);
  };
  if (hasHiddens)
    body += fmt::format(" hiddens({})", operand(uniform({batch, length, d}, 5)));
  if (hasCells)
    body += fmt::format(" cells({})", operand(uniform({batch, length, d}, 6)));
  size_t first = operands.size();
  body += " " + operand(tensor({batch, length, 4 * d}, layer.activations));
  body += ", " + operand(tensor({batch, length, d}, layer.cells));
  body += ", " + operand(cell);
  body += ", " + operand(packed(weight, panel, /*transposed=*/false));
  std::vector<Tensor> results = {zeros({batch, length, 4 * d}), zeros({batch, 1, d}),
                                 zeros({batch, 1, d})};
  auto expected = [=](const std::vector<Tensor> &arguments) {
    std::vector<double> gates(size_t(batch * length * 4 * d)), dh(size_t(batch * d)), dc = dh;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t t = length - 1; t >= 0; --t) {
        double *slopes = &gates[size_t((b * length + t) * 4 * d)];
        for (int64_t j = 0; j < d; ++j) {
          int64_t at = (b * length + t) * d + j;
          const Tensor &activations = arguments[first], &cells = arguments[first + 1];
          auto part = [&](int64_t p) { return activations[(b * length + t) * 4 * d + p * d + j]; };
          double before = t ? cells[at - d] : arguments[first + 2][b * d + j];
          double tanh = std::tanh(cells[at]);
          double arriving = dh[size_t(b * d + j)] + (hasHiddens ? arguments[0][at] : 0);
          double kept = dc[size_t(b * d + j)] + (hasCells ? arguments[first - 1][at] : 0) +
                        arriving * part(Output) * (1 - tanh * tanh);
          slopes[Input * d + j] = kept * part(Candidate) * part(Input) * (1 - part(Input));
          slopes[Forget * d + j] = kept * before * part(Forget) * (1 - part(Forget));
          slopes[Candidate * d + j] = kept * part(Input) * (1 - part(Candidate) * part(Candidate));
          slopes[Output * d + j] = arriving * tanh * part(Output) * (1 - part(Output));
          dc[size_t(b * d + j)] = kept * part(Forget);
        }
        for (int64_t k = 0; k < d; ++k) {
          double sum = 0;
          for (int64_t n = 0; n < 4 * d; ++n)
            sum += slopes[n] * weight[n * d + k];
          dh[size_t(b * d + k)] = sum;
        }
      }
    size_t result = first + 4;
    // A position's slopes are small, their sums with weights of up to 1 grow with the width.
    double error = tolerance(size, 4 * d) * double(1 + d / 8);
    return std::vector<std::pair<size_t, Expected>>{
        {result, {gates, error}}, {result + 1, {dh, error}}, {result + 2, {dc, error}}};
  };
  check({fmt::format("lstm_gradient {}x{}x{} in panels of {}", batch, length, d, panel),
         body + types(operands, results),
         operands,
         {},
         results,
         expected});
}

TEST(Lstm, Gradient) {
  for (const Size &size : sizes)
    checkGradient(size, /*hasHiddens=*/true, /*hasCells=*/true);
  checkGradient(sizes[3], /*hasHiddens=*/true, /*hasCells=*/false);
  checkGradient(sizes[3], /*hasHiddens=*/false, /*hasCells=*/true);
}

} // namespace
