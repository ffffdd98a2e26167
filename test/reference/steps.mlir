// One position of a segment: rows of tables, and causal attention with what it keeps.
// Values: numpy in float64 (generate.py).

// RUN: %reference %s | %run | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)
func.func private @printMemrefF64(tensor<*xf64>)

func.func @main() {
  %c0 = arith.constant dense<[[-0.5, -0.75, 0.5], [0.5, -0.75, -0.5], [1.25, -1.0, 1.0], [-1.0, 1.25, -0.5], [-0.75, 0.5, 0.5]]> : tensor<5x3xf64>
  %c1 = arith.constant dense<4> : tensor<i32>
  %r2 = memformer.row %c0 axis 0 at %c1 : (tensor<5x3xf64>, tensor<i32>) -> (tensor<1x3xf64>)
  %r2_0 = tensor.cast %r2 : tensor<1x3xf64> to tensor<*xf64>
  call @printMemrefF64(%r2_0) : (tensor<*xf64>) -> ()
  %c2 = arith.constant dense<[[-0.5, -0.75, 0.5], [0.5, -0.75, -0.5], [1.25, -1.0, 1.0], [-1.0, 1.25, -0.5], [-0.75, 0.5, 0.5]]> : tensor<5x3xf32>
  %c3 = arith.constant dense<4> : tensor<i32>
  %r4 = memformer.row %c2 axis 0 at %c3 : (tensor<5x3xf32>, tensor<i32>) -> (tensor<1x3xf32>)
  %r4_0 = tensor.cast %r4 : tensor<1x3xf32> to tensor<*xf32>
  call @printMemrefF32(%r4_0) : (tensor<*xf32>) -> ()
  %c4 = arith.constant dense<[[[-0.5, -0.75, 0.5], [0.5, -0.75, -0.5], [1.25, -1.0, 1.0], [-1.0, 1.25, -0.5], [-0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25], [-1.0, 1.0, -1.0], [1.25, -0.5, -0.75], [0.5, 0.5, -0.75], [-0.5, 1.25, -1.0]]]> : tensor<2x5x3xf64>
  %c5 = arith.constant dense<0> : tensor<i32>
  %r6 = memformer.row %c4 axis 1 at %c5 : (tensor<2x5x3xf64>, tensor<i32>) -> (tensor<2x1x3xf64>)
  %r6_0 = tensor.cast %r6 : tensor<2x1x3xf64> to tensor<*xf64>
  call @printMemrefF64(%r6_0) : (tensor<*xf64>) -> ()
  %c6 = arith.constant dense<[[[-0.5, -0.75, 0.5], [0.5, -0.75, -0.5], [1.25, -1.0, 1.0], [-1.0, 1.25, -0.5], [-0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25], [-1.0, 1.0, -1.0], [1.25, -0.5, -0.75], [0.5, 0.5, -0.75], [-0.5, 1.25, -1.0]]]> : tensor<2x5x3xf32>
  %c7 = arith.constant dense<0> : tensor<i32>
  %r8 = memformer.row %c6 axis 1 at %c7 : (tensor<2x5x3xf32>, tensor<i32>) -> (tensor<2x1x3xf32>)
  %r8_0 = tensor.cast %r8 : tensor<2x1x3xf32> to tensor<*xf32>
  call @printMemrefF32(%r8_0) : (tensor<*xf32>) -> ()
  %c8 = arith.constant dense<[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25]> : tensor<7xf64>
  %c9 = arith.constant dense<3> : tensor<i32>
  %r10 = memformer.row %c8 axis 0 at %c9 : (tensor<7xf64>, tensor<i32>) -> (tensor<1xf64>)
  %r10_0 = tensor.cast %r10 : tensor<1xf64> to tensor<*xf64>
  call @printMemrefF64(%r10_0) : (tensor<*xf64>) -> ()
  %c10 = arith.constant dense<[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25]> : tensor<7xf32>
  %c11 = arith.constant dense<3> : tensor<i32>
  %r12 = memformer.row %c10 axis 0 at %c11 : (tensor<7xf32>, tensor<i32>) -> (tensor<1xf32>)
  %r12_0 = tensor.cast %r12 : tensor<1xf32> to tensor<*xf32>
  call @printMemrefF32(%r12_0) : (tensor<*xf32>) -> ()
  %c12 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0]]]> : tensor<2x1x4xf64>
  %c13 = arith.constant dense<[[[0.75, 0.5, -1.0, -1.0]], [[0.5, 0.75, -0.25, 0.25]]]> : tensor<2x1x4xf64>
  %c14 = arith.constant dense<[[[-0.75, -1.0, 0.25, 0.25]], [[-1.0, -0.75, 1.0, -1.25]]]> : tensor<2x1x4xf64>
  %c15 = arith.constant dense<[[[0.5, 0.25, -1.25, -1.25], [0.25, 0.5, -0.5, 0.0], [-0.75, 0.0, -0.5, 0.5]], [[0.25, -1.25, -1.25, 0.25], [0.5, -0.5, 0.0, -0.75], [0.0, -0.5, 0.5, 0.25]]]> : tensor<2x3x4xf64>
  %c16 = arith.constant dense<[[[-1.0, -1.25, 0.0, 0.0], [-1.25, -1.0, 0.75, 1.25], [0.5, 1.25, 0.75, -1.0]], [[-1.25, 0.0, 0.0, -1.25], [-1.0, 0.75, 1.25, 0.5], [1.25, 0.75, -1.0, -1.25]]]> : tensor<2x3x4xf64>
  %c17 = arith.constant dense<1> : tensor<i32>
  %r18:3 = memformer.attention_step %c12, %c13, %c14 cache(%c15, %c16) at %c17 heads 2 scale 0.75 : (tensor<2x1x4xf64>, tensor<2x1x4xf64>, tensor<2x1x4xf64>, tensor<2x3x4xf64>, tensor<2x3x4xf64>, tensor<i32>) -> (tensor<2x1x4xf64>, tensor<2x3x4xf64>, tensor<2x3x4xf64>)
  %r18_0 = tensor.cast %r18#0 : tensor<2x1x4xf64> to tensor<*xf64>
  call @printMemrefF64(%r18_0) : (tensor<*xf64>) -> ()
  %r18_1 = tensor.cast %r18#1 : tensor<2x3x4xf64> to tensor<*xf64>
  call @printMemrefF64(%r18_1) : (tensor<*xf64>) -> ()
  %r18_2 = tensor.cast %r18#2 : tensor<2x3x4xf64> to tensor<*xf64>
  call @printMemrefF64(%r18_2) : (tensor<*xf64>) -> ()
  %c18 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0]]]> : tensor<2x1x4xf32>
  %c19 = arith.constant dense<[[[0.75, 0.5, -1.0, -1.0]], [[0.5, 0.75, -0.25, 0.25]]]> : tensor<2x1x4xf32>
  %c20 = arith.constant dense<[[[-0.75, -1.0, 0.25, 0.25]], [[-1.0, -0.75, 1.0, -1.25]]]> : tensor<2x1x4xf32>
  %c21 = arith.constant dense<[[[0.5, 0.25, -1.25, -1.25], [0.25, 0.5, -0.5, 0.0], [-0.75, 0.0, -0.5, 0.5]], [[0.25, -1.25, -1.25, 0.25], [0.5, -0.5, 0.0, -0.75], [0.0, -0.5, 0.5, 0.25]]]> : tensor<2x3x4xf32>
  %c22 = arith.constant dense<[[[-1.0, -1.25, 0.0, 0.0], [-1.25, -1.0, 0.75, 1.25], [0.5, 1.25, 0.75, -1.0]], [[-1.25, 0.0, 0.0, -1.25], [-1.0, 0.75, 1.25, 0.5], [1.25, 0.75, -1.0, -1.25]]]> : tensor<2x3x4xf32>
  %c23 = arith.constant dense<1> : tensor<i32>
  %r24:3 = memformer.attention_step %c18, %c19, %c20 cache(%c21, %c22) at %c23 heads 2 scale 0.75 : (tensor<2x1x4xf32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<i32>) -> (tensor<2x1x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>)
  %r24_0 = tensor.cast %r24#0 : tensor<2x1x4xf32> to tensor<*xf32>
  call @printMemrefF32(%r24_0) : (tensor<*xf32>) -> ()
  %r24_1 = tensor.cast %r24#1 : tensor<2x3x4xf32> to tensor<*xf32>
  call @printMemrefF32(%r24_1) : (tensor<*xf32>) -> ()
  %r24_2 = tensor.cast %r24#2 : tensor<2x3x4xf32> to tensor<*xf32>
  call @printMemrefF32(%r24_2) : (tensor<*xf32>) -> ()
  %c24 = arith.constant dense<[[[-0.5, -0.75, 0.5]]]> : tensor<1x1x3xf64>
  %c25 = arith.constant dense<[[[0.75, 0.5, -1.0]]]> : tensor<1x1x3xf64>
  %c26 = arith.constant dense<[[[-0.75, -1.0, 0.25]]]> : tensor<1x1x3xf64>
  %c27 = arith.constant dense<[[[0.5, 0.25, -1.25], [-1.25, 0.25, 0.5], [-0.5, 0.0, -0.75], [0.0, -0.5, 0.5], [0.25, -1.25, -1.25]]]> : tensor<1x5x3xf64>
  %c28 = arith.constant dense<[[[-1.0, -1.25, 0.0], [0.0, -1.25, -1.0], [0.75, 1.25, 0.5], [1.25, 0.75, -1.0], [-1.25, 0.0, 0.0]]]> : tensor<1x5x3xf64>
  %c29 = arith.constant dense<0> : tensor<i32>
  %r30:3 = memformer.attention_step %c24, %c25, %c26 cache(%c27, %c28) at %c29 heads 3 scale 0.75 : (tensor<1x1x3xf64>, tensor<1x1x3xf64>, tensor<1x1x3xf64>, tensor<1x5x3xf64>, tensor<1x5x3xf64>, tensor<i32>) -> (tensor<1x1x3xf64>, tensor<1x5x3xf64>, tensor<1x5x3xf64>)
  %r30_0 = tensor.cast %r30#0 : tensor<1x1x3xf64> to tensor<*xf64>
  call @printMemrefF64(%r30_0) : (tensor<*xf64>) -> ()
  %r30_1 = tensor.cast %r30#1 : tensor<1x5x3xf64> to tensor<*xf64>
  call @printMemrefF64(%r30_1) : (tensor<*xf64>) -> ()
  %r30_2 = tensor.cast %r30#2 : tensor<1x5x3xf64> to tensor<*xf64>
  call @printMemrefF64(%r30_2) : (tensor<*xf64>) -> ()
  %c30 = arith.constant dense<[[[-0.5, -0.75, 0.5]]]> : tensor<1x1x3xf32>
  %c31 = arith.constant dense<[[[0.75, 0.5, -1.0]]]> : tensor<1x1x3xf32>
  %c32 = arith.constant dense<[[[-0.75, -1.0, 0.25]]]> : tensor<1x1x3xf32>
  %c33 = arith.constant dense<[[[0.5, 0.25, -1.25], [-1.25, 0.25, 0.5], [-0.5, 0.0, -0.75], [0.0, -0.5, 0.5], [0.25, -1.25, -1.25]]]> : tensor<1x5x3xf32>
  %c34 = arith.constant dense<[[[-1.0, -1.25, 0.0], [0.0, -1.25, -1.0], [0.75, 1.25, 0.5], [1.25, 0.75, -1.0], [-1.25, 0.0, 0.0]]]> : tensor<1x5x3xf32>
  %c35 = arith.constant dense<0> : tensor<i32>
  %r36:3 = memformer.attention_step %c30, %c31, %c32 cache(%c33, %c34) at %c35 heads 3 scale 0.75 : (tensor<1x1x3xf32>, tensor<1x1x3xf32>, tensor<1x1x3xf32>, tensor<1x5x3xf32>, tensor<1x5x3xf32>, tensor<i32>) -> (tensor<1x1x3xf32>, tensor<1x5x3xf32>, tensor<1x5x3xf32>)
  %r36_0 = tensor.cast %r36#0 : tensor<1x1x3xf32> to tensor<*xf32>
  call @printMemrefF32(%r36_0) : (tensor<*xf32>) -> ()
  %r36_1 = tensor.cast %r36#1 : tensor<1x5x3xf32> to tensor<*xf32>
  call @printMemrefF32(%r36_1) : (tensor<*xf32>) -> ()
  %r36_2 = tensor.cast %r36#2 : tensor<1x5x3xf32> to tensor<*xf32>
  call @printMemrefF32(%r36_2) : (tensor<*xf32>) -> ()
  %c36 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5]]]> : tensor<1x1x6xf64>
  %c37 = arith.constant dense<[[[0.75, 0.5, -1.0, -1.0, 0.5, 0.75]]]> : tensor<1x1x6xf64>
  %c38 = arith.constant dense<[[[-0.75, -1.0, 0.25, 0.25, -1.0, -0.75]]]> : tensor<1x1x6xf64>
  %c39 = arith.constant dense<[[[0.5, 0.25, -1.25, -1.25, 0.25, 0.5], [-0.5, 0.0, -0.75, 0.0, -0.5, 0.5], [0.25, -1.25, -1.25, 0.25, 0.5, -0.5], [0.0, -0.75, 0.0, -0.5, 0.5, 0.25]]]> : tensor<1x4x6xf64>
  %c40 = arith.constant dense<[[[-1.0, -1.25, 0.0, 0.0, -1.25, -1.0], [0.75, 1.25, 0.5, 1.25, 0.75, -1.0], [-1.25, 0.0, 0.0, -1.25, -1.0, 0.75], [1.25, 0.5, 1.25, 0.75, -1.0, -1.25]]]> : tensor<1x4x6xf64>
  %c41 = arith.constant dense<3> : tensor<i32>
  %r42:3 = memformer.attention_step %c36, %c37, %c38 cache(%c39, %c40) at %c41 heads 1 scale 0.75 : (tensor<1x1x6xf64>, tensor<1x1x6xf64>, tensor<1x1x6xf64>, tensor<1x4x6xf64>, tensor<1x4x6xf64>, tensor<i32>) -> (tensor<1x1x6xf64>, tensor<1x4x6xf64>, tensor<1x4x6xf64>)
  %r42_0 = tensor.cast %r42#0 : tensor<1x1x6xf64> to tensor<*xf64>
  call @printMemrefF64(%r42_0) : (tensor<*xf64>) -> ()
  %r42_1 = tensor.cast %r42#1 : tensor<1x4x6xf64> to tensor<*xf64>
  call @printMemrefF64(%r42_1) : (tensor<*xf64>) -> ()
  %r42_2 = tensor.cast %r42#2 : tensor<1x4x6xf64> to tensor<*xf64>
  call @printMemrefF64(%r42_2) : (tensor<*xf64>) -> ()
  %c42 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5]]]> : tensor<1x1x6xf32>
  %c43 = arith.constant dense<[[[0.75, 0.5, -1.0, -1.0, 0.5, 0.75]]]> : tensor<1x1x6xf32>
  %c44 = arith.constant dense<[[[-0.75, -1.0, 0.25, 0.25, -1.0, -0.75]]]> : tensor<1x1x6xf32>
  %c45 = arith.constant dense<[[[0.5, 0.25, -1.25, -1.25, 0.25, 0.5], [-0.5, 0.0, -0.75, 0.0, -0.5, 0.5], [0.25, -1.25, -1.25, 0.25, 0.5, -0.5], [0.0, -0.75, 0.0, -0.5, 0.5, 0.25]]]> : tensor<1x4x6xf32>
  %c46 = arith.constant dense<[[[-1.0, -1.25, 0.0, 0.0, -1.25, -1.0], [0.75, 1.25, 0.5, 1.25, 0.75, -1.0], [-1.25, 0.0, 0.0, -1.25, -1.0, 0.75], [1.25, 0.5, 1.25, 0.75, -1.0, -1.25]]]> : tensor<1x4x6xf32>
  %c47 = arith.constant dense<3> : tensor<i32>
  %r48:3 = memformer.attention_step %c42, %c43, %c44 cache(%c45, %c46) at %c47 heads 1 scale 0.75 : (tensor<1x1x6xf32>, tensor<1x1x6xf32>, tensor<1x1x6xf32>, tensor<1x4x6xf32>, tensor<1x4x6xf32>, tensor<i32>) -> (tensor<1x1x6xf32>, tensor<1x4x6xf32>, tensor<1x4x6xf32>)
  %r48_0 = tensor.cast %r48#0 : tensor<1x1x6xf32> to tensor<*xf32>
  call @printMemrefF32(%r48_0) : (tensor<*xf32>) -> ()
  %r48_1 = tensor.cast %r48#1 : tensor<1x4x6xf32> to tensor<*xf32>
  call @printMemrefF32(%r48_1) : (tensor<*xf32>) -> ()
  %r48_2 = tensor.cast %r48#2 : tensor<1x4x6xf32> to tensor<*xf32>
  call @printMemrefF32(%r48_2) : (tensor<*xf32>) -> ()
  return
}

// CHECK: sizes = [1, 3]
// CHECK: [-0.75, 0.5, 0.5]
// CHECK: sizes = [1, 3]
// CHECK: [-0.75, 0.5, 0.5]
// CHECK: sizes = [2, 1, 3]
// CHECK: [-0.5, -0.75, 0.5]
// CHECK: [-0.75, -0.5, 1.25]
// CHECK: sizes = [2, 1, 3]
// CHECK: [-0.5, -0.75, 0.5]
// CHECK: [-0.75, -0.5, 1.25]
// CHECK: sizes = [1]
// CHECK: [0.5]
// CHECK: sizes = [1]
// CHECK: [0.5]
// CHECK: sizes = [2, 1, 4]
// CHECK: [-0.889582, -1.13958, 0.136685, 0.136685]
// CHECK: [-1.17725, -0.218236, 0.718594, -1.25]
// CHECK: sizes = [2, 3, 4]
// CHECK: [0.5, 0.25, -1.25, -1.25]
// CHECK: [0.75, 0.5, -1, -1]
// CHECK: [-0.75, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.5, 0.5]
// CHECK: [0.25, -1.25, -1.25, 0.25]
// CHECK: [0.5, 0.75, -0.25, 0.25]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.5, 0.5, 0.25]
// CHECK: sizes = [2, 3, 4]
// CHECK: [-1, -1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: [-0.75, -1, 0.25, 0.25]
// CHECK: [0.5, 1.25, 0.75, -1]
// CHECK: [-1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1.25]
// CHECK: [-1, -0.75, 1, -1.25]
// CHECK: [1.25, 0.75, -1, -1.25]
// CHECK: sizes = [2, 1, 4]
// CHECK: [-0.8895{{[0-9.e-]*}}, -1.139{{[0-9.e-]*}}, 0.13668{{[0-9.e-]*}}, 0.13668{{[0-9.e-]*}}]
// CHECK: [-1.177{{[0-9.e-]*}}, -0.21823{{[0-9.e-]*}}, 0.718{{[0-9.e-]*}}, -1.25]
// CHECK: sizes = [2, 3, 4]
// CHECK: [0.5, 0.25, -1.25, -1.25]
// CHECK: [0.75, 0.5, -1, -1]
// CHECK: [-0.75, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.5, 0.5]
// CHECK: [0.25, -1.25, -1.25, 0.25]
// CHECK: [0.5, 0.75, -0.25, 0.25]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.5, 0.5, 0.25]
// CHECK: sizes = [2, 3, 4]
// CHECK: [-1, -1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: [-0.75, -1, 0.25, 0.25]
// CHECK: [0.5, 1.25, 0.75, -1]
// CHECK: [-1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1.25]
// CHECK: [-1, -0.75, 1, -1.25]
// CHECK: [1.25, 0.75, -1, -1.25]
// CHECK: sizes = [1, 1, 3]
// CHECK: [-0.75, -1, 0.25]
// CHECK: sizes = [1, 5, 3]
// CHECK: [0.75, 0.5, -1]
// CHECK: [-1.25, 0.25, 0.5]
// CHECK: [-0.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.75]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.5, 0.5]
// CHECK: [0.25, -1.25, -1.25]
// CHECK: sizes = [1, 5, 3]
// CHECK: [-0.75, -1, 0.25]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1.25, -1]
// CHECK: [0.75, 1.25, 0.5]
// CHECK: [1.25, 0.75, -1]
// CHECK: [-1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: sizes = [1, 1, 3]
// CHECK: [-0.75, -1, 0.25]
// CHECK: sizes = [1, 5, 3]
// CHECK: [0.75, 0.5, -1]
// CHECK: [-1.25, 0.25, 0.5]
// CHECK: [-0.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.75]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.5, 0.5]
// CHECK: [0.25, -1.25, -1.25]
// CHECK: sizes = [1, 5, 3]
// CHECK: [-0.75, -1, 0.25]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1.25, -1]
// CHECK: [0.75, 1.25, 0.5]
// CHECK: [1.25, 0.75, -1]
// CHECK: [-1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: sizes = [1, 1, 6]
// CHECK: [-0.401562, 0.336067, 0.214691, -0.0599808, -0.322352, -0.181429]
// CHECK: sizes = [1, 4, 6]
// CHECK: [0.5, 0.25, -1.25, -1.25, 0.25, 0.5]
// CHECK: [-0.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.75, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.5, 0.5]
// CHECK: [0.25, -1.25, -1.25, 0.25, 0.5, -0.5]
// CHECK: [0.75, 0.5, -1, -1, 0.5, 0.75]
// CHECK: sizes = [1, 4, 6]
// CHECK: [-1, -1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1.25, -1]
// CHECK: [0.75, 1.25, 0.5, 1.25, 0.75, -1]
// CHECK: [-1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1.25, -1, 0.75]
// CHECK: [-0.75, -1, 0.25, 0.25, -1, -0.75]
// CHECK: sizes = [1, 1, 6]
// CHECK: [-0.4015{{[0-9.e-]*}}, 0.3360{{[0-9.e-]*}}, 0.2146{{[0-9.e-]*}}, -0.05998{{[0-9.e-]*}}, -0.3223{{[0-9.e-]*}}, -0.1814{{[0-9.e-]*}}]
// CHECK: sizes = [1, 4, 6]
// CHECK: [0.5, 0.25, -1.25, -1.25, 0.25, 0.5]
// CHECK: [-0.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.75, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.5, 0.5]
// CHECK: [0.25, -1.25, -1.25, 0.25, 0.5, -0.5]
// CHECK: [0.75, 0.5, -1, -1, 0.5, 0.75]
// CHECK: sizes = [1, 4, 6]
// CHECK: [-1, -1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1.25, -1]
// CHECK: [0.75, 1.25, 0.5, 1.25, 0.75, -1]
// CHECK: [-1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1.25, -1, 0.75]
// CHECK: [-0.75, -1, 0.25, 0.25, -1, -0.75]
