// Sums over leading dimensions, concatenation and slices.
// Values: numpy in float64 (generate.py).

// RUN: %reference %s | %run | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)
func.func private @printMemrefF64(tensor<*xf64>)

func.func @main() {
  %c0 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf64>
  %r1 = memformer.sum_leading %c0 : (tensor<2x3x5xf64>) -> (tensor<3x5xf64>)
  %r1_0 = tensor.cast %r1 : tensor<3x5xf64> to tensor<*xf64>
  call @printMemrefF64(%r1_0) : (tensor<*xf64>) -> ()
  %c1 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf32>
  %r2 = memformer.sum_leading %c1 : (tensor<2x3x5xf32>) -> (tensor<3x5xf32>)
  %r2_0 = tensor.cast %r2 : tensor<3x5xf32> to tensor<*xf32>
  call @printMemrefF32(%r2_0) : (tensor<*xf32>) -> ()
  %c2 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf64>
  %r3 = memformer.sum_leading %c2 : (tensor<2x3x5xf64>) -> (tensor<5xf64>)
  %r3_0 = tensor.cast %r3 : tensor<5xf64> to tensor<*xf64>
  call @printMemrefF64(%r3_0) : (tensor<*xf64>) -> ()
  %c3 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf32>
  %r4 = memformer.sum_leading %c3 : (tensor<2x3x5xf32>) -> (tensor<5xf32>)
  %r4_0 = tensor.cast %r4 : tensor<5xf32> to tensor<*xf32>
  call @printMemrefF32(%r4_0) : (tensor<*xf32>) -> ()
  %c4 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf64>
  %r5 = memformer.sum_leading %c4 : (tensor<2x3x5xf64>) -> (tensor<f64>)
  %r5_0 = tensor.cast %r5 : tensor<f64> to tensor<*xf64>
  call @printMemrefF64(%r5_0) : (tensor<*xf64>) -> ()
  %c5 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf32>
  %r6 = memformer.sum_leading %c5 : (tensor<2x3x5xf32>) -> (tensor<f32>)
  %r6_0 = tensor.cast %r6 : tensor<f32> to tensor<*xf32>
  call @printMemrefF32(%r6_0) : (tensor<*xf32>) -> ()
  %c6 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf64>
  %c7 = arith.constant dense<[[[0.75, 0.5, -1.0, -1.0, 0.5]], [[0.75, -0.25, 0.25, -0.5, 0.25]]]> : tensor<2x1x5xf64>
  %r8 = memformer.concat %c6, %c7 axis 1 : (tensor<2x3x5xf64>, tensor<2x1x5xf64>) -> (tensor<2x4x5xf64>)
  %r8_0 = tensor.cast %r8 : tensor<2x4x5xf64> to tensor<*xf64>
  call @printMemrefF64(%r8_0) : (tensor<*xf64>) -> ()
  %c8 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf32>
  %c9 = arith.constant dense<[[[0.75, 0.5, -1.0, -1.0, 0.5]], [[0.75, -0.25, 0.25, -0.5, 0.25]]]> : tensor<2x1x5xf32>
  %r10 = memformer.concat %c8, %c9 axis 1 : (tensor<2x3x5xf32>, tensor<2x1x5xf32>) -> (tensor<2x4x5xf32>)
  %r10_0 = tensor.cast %r10 : tensor<2x4x5xf32> to tensor<*xf32>
  call @printMemrefF32(%r10_0) : (tensor<*xf32>) -> ()
  %c10 = arith.constant dense<[-0.5]> : tensor<1xf64>
  %c11 = arith.constant dense<[0.75, 0.5]> : tensor<2xf64>
  %r12 = memformer.concat %c10, %c11 axis 0 : (tensor<1xf64>, tensor<2xf64>) -> (tensor<3xf64>)
  %r12_0 = tensor.cast %r12 : tensor<3xf64> to tensor<*xf64>
  call @printMemrefF64(%r12_0) : (tensor<*xf64>) -> ()
  %c12 = arith.constant dense<[-0.5]> : tensor<1xf32>
  %c13 = arith.constant dense<[0.75, 0.5]> : tensor<2xf32>
  %r14 = memformer.concat %c12, %c13 axis 0 : (tensor<1xf32>, tensor<2xf32>) -> (tensor<3xf32>)
  %r14_0 = tensor.cast %r14 : tensor<3xf32> to tensor<*xf32>
  call @printMemrefF32(%r14_0) : (tensor<*xf32>) -> ()
  %c14 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf64>
  %r15 = memformer.slice %c14 axis 1 offset 1 : (tensor<2x3x5xf64>) -> (tensor<2x2x5xf64>)
  %r15_0 = tensor.cast %r15 : tensor<2x2x5xf64> to tensor<*xf64>
  call @printMemrefF64(%r15_0) : (tensor<*xf64>) -> ()
  %c15 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf32>
  %r16 = memformer.slice %c15 axis 1 offset 1 : (tensor<2x3x5xf32>) -> (tensor<2x2x5xf32>)
  %r16_0 = tensor.cast %r16 : tensor<2x2x5xf32> to tensor<*xf32>
  call @printMemrefF32(%r16_0) : (tensor<*xf32>) -> ()
  %c16 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf64>
  %r17 = memformer.slice %c16 axis 2 offset 4 : (tensor<2x3x5xf64>) -> (tensor<2x3x1xf64>)
  %r17_0 = tensor.cast %r17 : tensor<2x3x1xf64> to tensor<*xf64>
  call @printMemrefF64(%r17_0) : (tensor<*xf64>) -> ()
  %c17 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf32>
  %r18 = memformer.slice %c17 axis 2 offset 4 : (tensor<2x3x5xf32>) -> (tensor<2x3x1xf32>)
  %r18_0 = tensor.cast %r18 : tensor<2x3x1xf32> to tensor<*xf32>
  call @printMemrefF32(%r18_0) : (tensor<*xf32>) -> ()
  return
}

// CHECK: sizes = [3, 5]
// CHECK: [-1.25, -1.25, 1.75, -0.5, 0.25]
// CHECK: [-1.5, 2.5, -1.5, 0.25, -0.5]
// CHECK: [1.75, -1.25, -1.25, 1.75, -0.5]
// CHECK: sizes = [3, 5]
// CHECK: [-1.25, -1.25, 1.75, -0.5, 0.25]
// CHECK: [-1.5, 2.5, -1.5, 0.25, -0.5]
// CHECK: [1.75, -1.25, -1.25, 1.75, -0.5]
// CHECK: sizes = [5]
// CHECK: [-1, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1, 1.5, -0.75]
// CHECK: sizes = [5]
// CHECK: [-1, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1, 1.5, -0.75]
// CHECK: rank = 0
// CHECK: [-1.25]
// CHECK: rank = 0
// CHECK: [-1.25]
// CHECK: sizes = [2, 4, 5]
// CHECK: [-0.5, -0.75, 0.5, 0.5, -0.75]
// CHECK: [-0.5, 1.25, -1, 1, -1]
// CHECK: [1.25, -0.5, -0.75, 0.5, 0.5]
// CHECK: [0.75, 0.5, -1, -1, 0.5]
// CHECK: [-0.75, -0.5, 1.25, -1, 1]
// CHECK: [-1, 1.25, -0.5, -0.75, 0.5]
// CHECK: [0.5, -0.75, -0.5, 1.25, -1]
// CHECK: [0.75, -0.25, 0.25, -0.5, 0.25]
// CHECK: sizes = [2, 4, 5]
// CHECK: [-0.5, -0.75, 0.5, 0.5, -0.75]
// CHECK: [-0.5, 1.25, -1, 1, -1]
// CHECK: [1.25, -0.5, -0.75, 0.5, 0.5]
// CHECK: [0.75, 0.5, -1, -1, 0.5]
// CHECK: [-0.75, -0.5, 1.25, -1, 1]
// CHECK: [-1, 1.25, -0.5, -0.75, 0.5]
// CHECK: [0.5, -0.75, -0.5, 1.25, -1]
// CHECK: [0.75, -0.25, 0.25, -0.5, 0.25]
// CHECK: sizes = [3]
// CHECK: [-0.5, 0.75, 0.5]
// CHECK: sizes = [3]
// CHECK: [-0.5, 0.75, 0.5]
// CHECK: sizes = [2, 2, 5]
// CHECK: [-0.5, 1.25, -1, 1, -1]
// CHECK: [1.25, -0.5, -0.75, 0.5, 0.5]
// CHECK: [-1, 1.25, -0.5, -0.75, 0.5]
// CHECK: [0.5, -0.75, -0.5, 1.25, -1]
// CHECK: sizes = [2, 2, 5]
// CHECK: [-0.5, 1.25, -1, 1, -1]
// CHECK: [1.25, -0.5, -0.75, 0.5, 0.5]
// CHECK: [-1, 1.25, -0.5, -0.75, 0.5]
// CHECK: [0.5, -0.75, -0.5, 1.25, -1]
// CHECK: sizes = [2, 3, 1]
// CHECK: [-0.75]
// CHECK: [-1]
// CHECK: [0.5]
// CHECK: [1]
// CHECK: [0.5]
// CHECK: [-1]
// CHECK: sizes = [2, 3, 1]
// CHECK: [-0.75]
// CHECK: [-1]
// CHECK: [0.5]
// CHECK: [1]
// CHECK: [0.5]
// CHECK: [-1]
