// Embedding, cross-entropy, their gradients, and argmax.
// Values: numpy in float64 (generate.py).

// RUN: %reference %s | %run | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)
func.func private @printMemrefF64(tensor<*xf64>)
func.func private @printMemrefI32(tensor<*xi32>)

func.func @main() {
  %c0 = arith.constant dense<[[4, 0, 4], [2, 2, 2]]> : tensor<2x3xi32>
  %c1 = arith.constant dense<[[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25], [-1.0, 1.0, -1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5, -0.75, -0.5], [1.25, -1.0, 1.0, -1.0, 1.25, -0.5, -0.75]]> : tensor<5x7xf64>
  %r2 = memformer.embedding %c0, %c1 : (tensor<2x3xi32>, tensor<5x7xf64>) -> (tensor<2x3x7xf64>)
  %r2_0 = tensor.cast %r2 : tensor<2x3x7xf64> to tensor<*xf64>
  call @printMemrefF64(%r2_0) : (tensor<*xf64>) -> ()
  %c2 = arith.constant dense<[[4, 0, 4], [2, 2, 2]]> : tensor<2x3xi32>
  %c3 = arith.constant dense<[[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25], [-1.0, 1.0, -1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5, -0.75, -0.5], [1.25, -1.0, 1.0, -1.0, 1.25, -0.5, -0.75]]> : tensor<5x7xf32>
  %r4 = memformer.embedding %c2, %c3 : (tensor<2x3xi32>, tensor<5x7xf32>) -> (tensor<2x3x7xf32>)
  %r4_0 = tensor.cast %r4 : tensor<2x3x7xf32> to tensor<*xf32>
  call @printMemrefF32(%r4_0) : (tensor<*xf32>) -> ()
  %c4 = arith.constant dense<[[[0.75, 0.5, -1.0, -1.0, 0.5, 0.75, -0.25], [0.25, -0.5, 0.25, -0.25, 0.75, 0.5, -1.0], [-1.0, 0.5, 0.75, -0.25, 0.25, -0.5, 0.25]], [[-0.25, 0.75, 0.5, -1.0, -1.0, 0.5, 0.75], [-0.25, 0.25, -0.5, 0.25, -0.25, 0.75, 0.5], [-1.0, -1.0, 0.5, 0.75, -0.25, 0.25, -0.5]]]> : tensor<2x3x7xf64>
  %c5 = arith.constant dense<[[4, 0, 4], [2, 2, 2]]> : tensor<2x3xi32>
  %r6 = memformer.embedding_gradient %c4, %c5 : (tensor<2x3x7xf64>, tensor<2x3xi32>) -> (tensor<5x7xf64>)
  %r6_0 = tensor.cast %r6 : tensor<5x7xf64> to tensor<*xf64>
  call @printMemrefF64(%r6_0) : (tensor<*xf64>) -> ()
  %c6 = arith.constant dense<[[[0.75, 0.5, -1.0, -1.0, 0.5, 0.75, -0.25], [0.25, -0.5, 0.25, -0.25, 0.75, 0.5, -1.0], [-1.0, 0.5, 0.75, -0.25, 0.25, -0.5, 0.25]], [[-0.25, 0.75, 0.5, -1.0, -1.0, 0.5, 0.75], [-0.25, 0.25, -0.5, 0.25, -0.25, 0.75, 0.5], [-1.0, -1.0, 0.5, 0.75, -0.25, 0.25, -0.5]]]> : tensor<2x3x7xf32>
  %c7 = arith.constant dense<[[4, 0, 4], [2, 2, 2]]> : tensor<2x3xi32>
  %r8 = memformer.embedding_gradient %c6, %c7 : (tensor<2x3x7xf32>, tensor<2x3xi32>) -> (tensor<5x7xf32>)
  %r8_0 = tensor.cast %r8 : tensor<5x7xf32> to tensor<*xf32>
  call @printMemrefF32(%r8_0) : (tensor<*xf32>) -> ()
  %c8 = arith.constant dense<[[[-2.0, -3.0, 2.0, 2.0, -3.0], [-2.0, 5.0, -4.0, 4.0, -4.0], [5.0, -2.0, -3.0, 2.0, 2.0]], [[-3.0, -2.0, 5.0, -4.0, 4.0], [-4.0, 5.0, -2.0, -3.0, 2.0], [2.0, -3.0, -2.0, 5.0, -4.0]]]> : tensor<2x3x5xf64>
  %c9 = arith.constant dense<[[0, -1, 4], [2, -1, 1]]> : tensor<2x3xi32>
  %r10:2 = memformer.cross_entropy %c8, %c9 : (tensor<2x3x5xf64>, tensor<2x3xi32>) -> (tensor<2x3xf64>, tensor<2x3xf64>)
  %r10_0 = tensor.cast %r10#0 : tensor<2x3xf64> to tensor<*xf64>
  call @printMemrefF64(%r10_0) : (tensor<*xf64>) -> ()
  %r10_1 = tensor.cast %r10#1 : tensor<2x3xf64> to tensor<*xf64>
  call @printMemrefF64(%r10_1) : (tensor<*xf64>) -> ()
  %c10 = arith.constant dense<[[[-2.0, -3.0, 2.0, 2.0, -3.0], [-2.0, 5.0, -4.0, 4.0, -4.0], [5.0, -2.0, -3.0, 2.0, 2.0]], [[-3.0, -2.0, 5.0, -4.0, 4.0], [-4.0, 5.0, -2.0, -3.0, 2.0], [2.0, -3.0, -2.0, 5.0, -4.0]]]> : tensor<2x3x5xf32>
  %c11 = arith.constant dense<[[0, -1, 4], [2, -1, 1]]> : tensor<2x3xi32>
  %r12:2 = memformer.cross_entropy %c10, %c11 : (tensor<2x3x5xf32>, tensor<2x3xi32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  %r12_0 = tensor.cast %r12#0 : tensor<2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%r12_0) : (tensor<*xf32>) -> ()
  %r12_1 = tensor.cast %r12#1 : tensor<2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%r12_1) : (tensor<*xf32>) -> ()
  %c12 = arith.constant dense<[[1000.0, 998.0, -1000.0]]> : tensor<1x3xf64>
  %c13 = arith.constant dense<[1]> : tensor<1xi32>
  %r14:2 = memformer.cross_entropy %c12, %c13 : (tensor<1x3xf64>, tensor<1xi32>) -> (tensor<1xf64>, tensor<1xf64>)
  %r14_0 = tensor.cast %r14#0 : tensor<1xf64> to tensor<*xf64>
  call @printMemrefF64(%r14_0) : (tensor<*xf64>) -> ()
  %r14_1 = tensor.cast %r14#1 : tensor<1xf64> to tensor<*xf64>
  call @printMemrefF64(%r14_1) : (tensor<*xf64>) -> ()
  %c14 = arith.constant dense<[[-0.75, -1.0, 0.25], [0.25, -1.0, -0.75]]> : tensor<2x3xf64>
  %c15 = arith.constant dense<[[[-2.0, -3.0, 2.0, 2.0, -3.0], [-2.0, 5.0, -4.0, 4.0, -4.0], [5.0, -2.0, -3.0, 2.0, 2.0]], [[-3.0, -2.0, 5.0, -4.0, 4.0], [-4.0, 5.0, -2.0, -3.0, 2.0], [2.0, -3.0, -2.0, 5.0, -4.0]]]> : tensor<2x3x5xf64>
  %c16 = arith.constant dense<[[0, -1, 4], [2, -1, 1]]> : tensor<2x3xi32>
  %c17 = arith.constant dense<[[2.75, 5.25, 5.0], [5.25, 5.0, 5.0]]> : tensor<2x3xf64>
  %r18 = memformer.cross_entropy_gradient %c14, %c15, %c16, %c17 : (tensor<2x3xf64>, tensor<2x3x5xf64>, tensor<2x3xi32>, tensor<2x3xf64>) -> (tensor<2x3x5xf64>)
  %r18_0 = tensor.cast %r18 : tensor<2x3x5xf64> to tensor<*xf64>
  call @printMemrefF64(%r18_0) : (tensor<*xf64>) -> ()
  %c18 = arith.constant dense<[[-0.75, -1.0, 0.25], [0.25, -1.0, -0.75]]> : tensor<2x3xf32>
  %c19 = arith.constant dense<[[[-2.0, -3.0, 2.0, 2.0, -3.0], [-2.0, 5.0, -4.0, 4.0, -4.0], [5.0, -2.0, -3.0, 2.0, 2.0]], [[-3.0, -2.0, 5.0, -4.0, 4.0], [-4.0, 5.0, -2.0, -3.0, 2.0], [2.0, -3.0, -2.0, 5.0, -4.0]]]> : tensor<2x3x5xf32>
  %c20 = arith.constant dense<[[0, -1, 4], [2, -1, 1]]> : tensor<2x3xi32>
  %c21 = arith.constant dense<[[2.75, 5.25, 5.0], [5.25, 5.0, 5.0]]> : tensor<2x3xf32>
  %r22 = memformer.cross_entropy_gradient %c18, %c19, %c20, %c21 : (tensor<2x3xf32>, tensor<2x3x5xf32>, tensor<2x3xi32>, tensor<2x3xf32>) -> (tensor<2x3x5xf32>)
  %r22_0 = tensor.cast %r22 : tensor<2x3x5xf32> to tensor<*xf32>
  call @printMemrefF32(%r22_0) : (tensor<*xf32>) -> ()
  %c22 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf64>
  %r23 = memformer.argmax %c22 : (tensor<2x3x5xf64>) -> (tensor<2x3xi32>)
  %r23_0 = tensor.cast %r23 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%r23_0) : (tensor<*xi32>) -> ()
  %c23 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf32>
  %r24 = memformer.argmax %c23 : (tensor<2x3x5xf32>) -> (tensor<2x3xi32>)
  %r24_0 = tensor.cast %r24 : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%r24_0) : (tensor<*xi32>) -> ()
  %c24 = arith.constant dense<[1.0, 3.0, -2.0, 3.0, 3.0]> : tensor<5xf64>
  %r25 = memformer.argmax %c24 : (tensor<5xf64>) -> (tensor<i32>)
  %r25_0 = tensor.cast %r25 : tensor<i32> to tensor<*xi32>
  call @printMemrefI32(%r25_0) : (tensor<*xi32>) -> ()
  %c25 = arith.constant dense<[1.0, 3.0, -2.0, 3.0, 3.0]> : tensor<5xf32>
  %r26 = memformer.argmax %c25 : (tensor<5xf32>) -> (tensor<i32>)
  %r26_0 = tensor.cast %r26 : tensor<i32> to tensor<*xi32>
  call @printMemrefI32(%r26_0) : (tensor<*xi32>) -> ()
  %c26 = arith.constant dense<[[-0.5], [-0.75]]> : tensor<2x1xf64>
  %r27 = memformer.argmax %c26 : (tensor<2x1xf64>) -> (tensor<2xi32>)
  %r27_0 = tensor.cast %r27 : tensor<2xi32> to tensor<*xi32>
  call @printMemrefI32(%r27_0) : (tensor<*xi32>) -> ()
  %c27 = arith.constant dense<[[-0.5], [-0.75]]> : tensor<2x1xf32>
  %r28 = memformer.argmax %c27 : (tensor<2x1xf32>) -> (tensor<2xi32>)
  %r28_0 = tensor.cast %r28 : tensor<2xi32> to tensor<*xi32>
  call @printMemrefI32(%r28_0) : (tensor<*xi32>) -> ()
  return
}

// CHECK: sizes = [2, 3, 7]
// CHECK: [1.25, -1, 1, -1, 1.25, -0.5, -0.75]
// CHECK: [-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25]
// CHECK: [1.25, -1, 1, -1, 1.25, -0.5, -0.75]
// CHECK: [0.5, -0.75, -0.5, 1.25, -1, 1, -1]
// CHECK: [0.5, -0.75, -0.5, 1.25, -1, 1, -1]
// CHECK: [0.5, -0.75, -0.5, 1.25, -1, 1, -1]
// CHECK: sizes = [2, 3, 7]
// CHECK: [1.25, -1, 1, -1, 1.25, -0.5, -0.75]
// CHECK: [-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25]
// CHECK: [1.25, -1, 1, -1, 1.25, -0.5, -0.75]
// CHECK: [0.5, -0.75, -0.5, 1.25, -1, 1, -1]
// CHECK: [0.5, -0.75, -0.5, 1.25, -1, 1, -1]
// CHECK: [0.5, -0.75, -0.5, 1.25, -1, 1, -1]
// CHECK: sizes = [5, 7]
// CHECK: [0.25, -0.5, 0.25, -0.25, 0.75, 0.5, -1]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: [-1.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 0.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1.5, 1.5, 0.75]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: [-0.25, 1, -0.25, -1.25, 0.75, 0.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: sizes = [5, 7]
// CHECK: [0.25, -0.5, 0.25, -0.25, 0.75, 0.5, -1]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: [-1.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 0.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1.5, 1.5, 0.75]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: [-0.25, 1, -0.25, -1.25, 0.75, 0.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: sizes = [2, 3]
// CHECK: [4.70892, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 3.09606]
// CHECK: [0.314263, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 8.04989]
// CHECK: sizes = [2, 3]
// CHECK: [2.70892, 5.31411, 5.09606]
// CHECK: [5.31426, 5.04989, 5.04989]
// CHECK: sizes = [2, 3]
// CHECK: [4.708{{[0-9.e-]*}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 3.096{{[0-9.e-]*}}]
// CHECK: [0.31426{{[0-9.e-]*}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 8.049{{[0-9.e-]*}}]
// CHECK: sizes = [2, 3]
// CHECK: [2.708{{[0-9.e-]*}}, 5.314{{[0-9.e-]*}}, 5.096{{[0-9.e-]*}}]
// CHECK: [5.314{{[0-9.e-]*}}, 5.049{{[0-9.e-]*}}, 5.049{{[0-9.e-]*}}]
// CHECK: sizes = [1]
// CHECK: [2.12693]
// CHECK: sizes = [1]
// CHECK: [1000.13]
// CHECK: sizes = [2, 3, 5]
// CHECK: [0.743511, -0.00238709, -0.354275, -0.354275, -0.00238709]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: [0.25, 0.00022797, 8.38657e-05, 0.0124468, -0.237553]
// CHECK: [6.53146e-05, 0.000177544, -0.0552998, 2.40279e-05, 0.0716262]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: [-0.0373403, 0.749748, -0.000683911, -0.75, -9.25574e-05]
// CHECK: sizes = [2, 3, 5]
// CHECK: [0.7435{{[0-9.e-]*}}, -0.002387{{[0-9.e-]*}}, -0.35427{{[0-9.e-]*}}, -0.35427{{[0-9.e-]*}}, -0.002387{{[0-9.e-]*}}]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: [0.25, 0.0002279{{[0-9.e-]*}}, 8.386{{[0-9.e-]*}}, 0.012446{{[0-9.e-]*}}, -0.23755{{[0-9.e-]*}}]
// CHECK: [6.531{{[0-9.e-]*}}, 0.00017754{{[0-9.e-]*}}, -0.055{{[0-9.e-]*}}, 2.402{{[0-9.e-]*}}, 0.07162{{[0-9.e-]*}}]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: [-0.0373{{[0-9.e-]*}}, 0.7497{{[0-9.e-]*}}, -0.0006839{{[0-9.e-]*}}, -0.75, -9.255{{[0-9.e-]*}}]
// CHECK: sizes = [2, 3]
// CHECK: [2, 1, 0]
// CHECK: [2, 1, 3]
// CHECK: sizes = [2, 3]
// CHECK: [2, 1, 0]
// CHECK: [2, 1, 3]
// CHECK: rank = 0
// CHECK: [1]
// CHECK: rank = 0
// CHECK: [1]
// CHECK: sizes = [2]
// CHECK: [0, 0]
// CHECK: sizes = [2]
// CHECK: [0, 0]
