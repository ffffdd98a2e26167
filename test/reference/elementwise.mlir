// Element-wise ops.
// Values: numpy in float64 (generate.py).

// RUN: %reference %s | %run | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)
func.func private @printMemrefF64(tensor<*xf64>)

func.func @main() {
  %c0 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf64>
  %c1 = arith.constant dense<[[0.75, 0.5, -1.0, -1.0, 0.5], [0.75, -0.25, 0.25, -0.5, 0.25], [-0.25, 0.75, 0.5, -1.0, -1.0]]> : tensor<3x5xf64>
  %r2 = memformer.add %c0, %c1 : (tensor<2x3x5xf64>, tensor<3x5xf64>) -> (tensor<2x3x5xf64>)
  %r2_0 = tensor.cast %r2 : tensor<2x3x5xf64> to tensor<*xf64>
  call @printMemrefF64(%r2_0) : (tensor<*xf64>) -> ()
  %c2 = arith.constant dense<[[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]], [[-0.75, -0.5, 1.25, -1.0, 1.0], [-1.0, 1.25, -0.5, -0.75, 0.5], [0.5, -0.75, -0.5, 1.25, -1.0]]]> : tensor<2x3x5xf32>
  %c3 = arith.constant dense<[[0.75, 0.5, -1.0, -1.0, 0.5], [0.75, -0.25, 0.25, -0.5, 0.25], [-0.25, 0.75, 0.5, -1.0, -1.0]]> : tensor<3x5xf32>
  %r4 = memformer.add %c2, %c3 : (tensor<2x3x5xf32>, tensor<3x5xf32>) -> (tensor<2x3x5xf32>)
  %r4_0 = tensor.cast %r4 : tensor<2x3x5xf32> to tensor<*xf32>
  call @printMemrefF32(%r4_0) : (tensor<*xf32>) -> ()
  %c4 = arith.constant dense<[-0.5]> : tensor<1xf64>
  %c5 = arith.constant dense<[0.75]> : tensor<1xf64>
  %r6 = memformer.add %c4, %c5 : (tensor<1xf64>, tensor<1xf64>) -> (tensor<1xf64>)
  %r6_0 = tensor.cast %r6 : tensor<1xf64> to tensor<*xf64>
  call @printMemrefF64(%r6_0) : (tensor<*xf64>) -> ()
  %c6 = arith.constant dense<[-0.5]> : tensor<1xf32>
  %c7 = arith.constant dense<[0.75]> : tensor<1xf32>
  %r8 = memformer.add %c6, %c7 : (tensor<1xf32>, tensor<1xf32>) -> (tensor<1xf32>)
  %r8_0 = tensor.cast %r8 : tensor<1xf32> to tensor<*xf32>
  call @printMemrefF32(%r8_0) : (tensor<*xf32>) -> ()
  %c8 = arith.constant dense<[-0.5, -0.75, 0.5]> : tensor<3xf64>
  %r9 = memformer.broadcast %c8 : (tensor<3xf64>) -> (tensor<2x1x3xf64>)
  %r9_0 = tensor.cast %r9 : tensor<2x1x3xf64> to tensor<*xf64>
  call @printMemrefF64(%r9_0) : (tensor<*xf64>) -> ()
  %c9 = arith.constant dense<[-0.5, -0.75, 0.5]> : tensor<3xf32>
  %r10 = memformer.broadcast %c9 : (tensor<3xf32>) -> (tensor<2x1x3xf32>)
  %r10_0 = tensor.cast %r10 : tensor<2x1x3xf32> to tensor<*xf32>
  call @printMemrefF32(%r10_0) : (tensor<*xf32>) -> ()
  %c10 = arith.constant dense<[0, 1, -7]> : tensor<3xi32>
  %c11 = arith.constant dense<[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]]> : tensor<3x5xf64>
  %c12 = arith.constant dense<[[-0.75, -1.0, 0.25, 0.25, -1.0], [-0.75, 1.0, -1.25, 0.75, -1.25], [1.0, -0.75, -1.0, 0.25, 0.25]]> : tensor<3x5xf64>
  %r13 = memformer.select_rows %c10, %c11, %c12 : (tensor<3xi32>, tensor<3x5xf64>, tensor<3x5xf64>) -> (tensor<3x5xf64>)
  %r13_0 = tensor.cast %r13 : tensor<3x5xf64> to tensor<*xf64>
  call @printMemrefF64(%r13_0) : (tensor<*xf64>) -> ()
  %c13 = arith.constant dense<[0, 1, -7]> : tensor<3xi32>
  %c14 = arith.constant dense<[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0], [1.25, -0.5, -0.75, 0.5, 0.5]]> : tensor<3x5xf32>
  %c15 = arith.constant dense<[[-0.75, -1.0, 0.25, 0.25, -1.0], [-0.75, 1.0, -1.25, 0.75, -1.25], [1.0, -0.75, -1.0, 0.25, 0.25]]> : tensor<3x5xf32>
  %r16 = memformer.select_rows %c13, %c14, %c15 : (tensor<3xi32>, tensor<3x5xf32>, tensor<3x5xf32>) -> (tensor<3x5xf32>)
  %r16_0 = tensor.cast %r16 : tensor<3x5xf32> to tensor<*xf32>
  call @printMemrefF32(%r16_0) : (tensor<*xf32>) -> ()
  %c16 = arith.constant dense<[1, 0]> : tensor<2xi32>
  %c17 = arith.constant dense<[-0.75, -1.0, 0.25, 0.25, -1.0]> : tensor<5xf64>
  %c18 = arith.constant dense<[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0]]> : tensor<2x5xf64>
  %r19 = memformer.select_rows %c16, %c17, %c18 : (tensor<2xi32>, tensor<5xf64>, tensor<2x5xf64>) -> (tensor<2x5xf64>)
  %r19_0 = tensor.cast %r19 : tensor<2x5xf64> to tensor<*xf64>
  call @printMemrefF64(%r19_0) : (tensor<*xf64>) -> ()
  %c19 = arith.constant dense<[1, 0]> : tensor<2xi32>
  %c20 = arith.constant dense<[-0.75, -1.0, 0.25, 0.25, -1.0]> : tensor<5xf32>
  %c21 = arith.constant dense<[[-0.5, -0.75, 0.5, 0.5, -0.75], [-0.5, 1.25, -1.0, 1.0, -1.0]]> : tensor<2x5xf32>
  %r22 = memformer.select_rows %c19, %c20, %c21 : (tensor<2xi32>, tensor<5xf32>, tensor<2x5xf32>) -> (tensor<2x5xf32>)
  %r22_0 = tensor.cast %r22 : tensor<2x5xf32> to tensor<*xf32>
  call @printMemrefF32(%r22_0) : (tensor<*xf32>) -> ()
  %c22 = arith.constant dense<[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25, -1.0, 1.0, -1.0, 1.25, -0.5, -0.75, 0.5, 0.5, -0.75, -0.5]> : tensor<17xf64>
  %r23 = memformer.relu %c22 : (tensor<17xf64>) -> (tensor<17xf64>)
  %r23_0 = tensor.cast %r23 : tensor<17xf64> to tensor<*xf64>
  call @printMemrefF64(%r23_0) : (tensor<*xf64>) -> ()
  %c23 = arith.constant dense<[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25, -1.0, 1.0, -1.0, 1.25, -0.5, -0.75, 0.5, 0.5, -0.75, -0.5]> : tensor<17xf32>
  %r24 = memformer.relu %c23 : (tensor<17xf32>) -> (tensor<17xf32>)
  %r24_0 = tensor.cast %r24 : tensor<17xf32> to tensor<*xf32>
  call @printMemrefF32(%r24_0) : (tensor<*xf32>) -> ()
  %c24 = arith.constant dense<[0.75, 0.5, -1.0, -1.0, 0.5, 0.75, -0.25, 0.25, -0.5, 0.25, -0.25, 0.75, 0.5, -1.0, -1.0, 0.5, 0.75]> : tensor<17xf64>
  %c25 = arith.constant dense<[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25, -1.0, 1.0, -1.0, 1.25, -0.5, -0.75, 0.5, 0.5, -0.75, -0.5]> : tensor<17xf64>
  %r26 = memformer.relu_gradient %c24, %c25 : (tensor<17xf64>, tensor<17xf64>) -> (tensor<17xf64>)
  %r26_0 = tensor.cast %r26 : tensor<17xf64> to tensor<*xf64>
  call @printMemrefF64(%r26_0) : (tensor<*xf64>) -> ()
  %c26 = arith.constant dense<[0.75, 0.5, -1.0, -1.0, 0.5, 0.75, -0.25, 0.25, -0.5, 0.25, -0.25, 0.75, 0.5, -1.0, -1.0, 0.5, 0.75]> : tensor<17xf32>
  %c27 = arith.constant dense<[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25, -1.0, 1.0, -1.0, 1.25, -0.5, -0.75, 0.5, 0.5, -0.75, -0.5]> : tensor<17xf32>
  %r28 = memformer.relu_gradient %c26, %c27 : (tensor<17xf32>, tensor<17xf32>) -> (tensor<17xf32>)
  %r28_0 = tensor.cast %r28 : tensor<17xf32> to tensor<*xf32>
  call @printMemrefF32(%r28_0) : (tensor<*xf32>) -> ()
  %c28 = arith.constant dense<[[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25], [-1.0, 1.0, -1.0, 1.25, -0.5, -0.75, 0.5]]> : tensor<2x7xf64>
  %r29 = memformer.gelu %c28 : (tensor<2x7xf64>) -> (tensor<2x7xf64>)
  %r29_0 = tensor.cast %r29 : tensor<2x7xf64> to tensor<*xf64>
  call @printMemrefF64(%r29_0) : (tensor<*xf64>) -> ()
  %c29 = arith.constant dense<[[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25], [-1.0, 1.0, -1.0, 1.25, -0.5, -0.75, 0.5]]> : tensor<2x7xf32>
  %r30 = memformer.gelu %c29 : (tensor<2x7xf32>) -> (tensor<2x7xf32>)
  %r30_0 = tensor.cast %r30 : tensor<2x7xf32> to tensor<*xf32>
  call @printMemrefF32(%r30_0) : (tensor<*xf32>) -> ()
  %c30 = arith.constant dense<[[0.5, 0.25, -1.25, -1.25, 0.25, 0.5, -0.5], [0.0, -0.75, 0.0, -0.5, 0.5, 0.25, -1.25]]> : tensor<2x7xf64>
  %c31 = arith.constant dense<[[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25], [-1.0, 1.0, -1.0, 1.25, -0.5, -0.75, 0.5]]> : tensor<2x7xf64>
  %r32 = memformer.gelu_gradient %c30, %c31 : (tensor<2x7xf64>, tensor<2x7xf64>) -> (tensor<2x7xf64>)
  %r32_0 = tensor.cast %r32 : tensor<2x7xf64> to tensor<*xf64>
  call @printMemrefF64(%r32_0) : (tensor<*xf64>) -> ()
  %c32 = arith.constant dense<[[0.5, 0.25, -1.25, -1.25, 0.25, 0.5, -0.5], [0.0, -0.75, 0.0, -0.5, 0.5, 0.25, -1.25]]> : tensor<2x7xf32>
  %c33 = arith.constant dense<[[-0.5, -0.75, 0.5, 0.5, -0.75, -0.5, 1.25], [-1.0, 1.0, -1.0, 1.25, -0.5, -0.75, 0.5]]> : tensor<2x7xf32>
  %r34 = memformer.gelu_gradient %c32, %c33 : (tensor<2x7xf32>, tensor<2x7xf32>) -> (tensor<2x7xf32>)
  %r34_0 = tensor.cast %r34 : tensor<2x7xf32> to tensor<*xf32>
  call @printMemrefF32(%r34_0) : (tensor<*xf32>) -> ()
  return
}

// CHECK: sizes = [2, 3, 5]
// CHECK: [0.25, -0.25, -0.5, -0.5, -0.25]
// CHECK: [0.25, 1, -0.75, 0.5, -0.75]
// CHECK: [1, 0.25, -0.25, -0.5, -0.5]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 0.25, -2, 1.5]
// CHECK: [-0.25, 1, -0.25, -1.25, 0.75]
// CHECK: [0.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 0.25, -2]
// CHECK: sizes = [2, 3, 5]
// CHECK: [0.25, -0.25, -0.5, -0.5, -0.25]
// CHECK: [0.25, 1, -0.75, 0.5, -0.75]
// CHECK: [1, 0.25, -0.25, -0.5, -0.5]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 0.25, -2, 1.5]
// CHECK: [-0.25, 1, -0.25, -1.25, 0.75]
// CHECK: [0.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 0.25, -2]
// CHECK: sizes = [1]
// CHECK: [0.25]
// CHECK: sizes = [1]
// CHECK: [0.25]
// CHECK: sizes = [2, 1, 3]
// CHECK: [-0.5, -0.75, 0.5]
// CHECK: [-0.5, -0.75, 0.5]
// CHECK: sizes = [2, 1, 3]
// CHECK: [-0.5, -0.75, 0.5]
// CHECK: [-0.5, -0.75, 0.5]
// CHECK: sizes = [3, 5]
// CHECK: [-0.75, -1, 0.25, 0.25, -1]
// CHECK: [-0.5, 1.25, -1, 1, -1]
// CHECK: [1.25, -0.5, -0.75, 0.5, 0.5]
// CHECK: sizes = [3, 5]
// CHECK: [-0.75, -1, 0.25, 0.25, -1]
// CHECK: [-0.5, 1.25, -1, 1, -1]
// CHECK: [1.25, -0.5, -0.75, 0.5, 0.5]
// CHECK: sizes = [2, 5]
// CHECK: [-0.75, -1, 0.25, 0.25, -1]
// CHECK: [-0.5, 1.25, -1, 1, -1]
// CHECK: sizes = [2, 5]
// CHECK: [-0.75, -1, 0.25, 0.25, -1]
// CHECK: [-0.5, 1.25, -1, 1, -1]
// CHECK: sizes = [17]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 0.5, 0.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 1, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 0.5, 0.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: sizes = [17]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 0.5, 0.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 1, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 1.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, 0.5, 0.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: sizes = [17]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1, -1, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1, -1, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: sizes = [17]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1, -1, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.5, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.25, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -1, -1, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}]
// CHECK: sizes = [2, 7]
// CHECK: [-0.154286, -0.170039, 0.345714, 0.345714, -0.170039, -0.154286, 1.11771]
// CHECK: [-0.158808, 0.841192, -0.158808, 1.11771, -0.154286, -0.170039, 0.345714]
// CHECK: sizes = [2, 7]
// CHECK: [-0.15428{{[0-9.e-]*}}, -0.1700{{[0-9.e-]*}}, 0.34571{{[0-9.e-]*}}, 0.34571{{[0-9.e-]*}}, -0.1700{{[0-9.e-]*}}, -0.15428{{[0-9.e-]*}}, 1.117{{[0-9.e-]*}}]
// CHECK: [-0.1588{{[0-9.e-]*}}, 0.841{{[0-9.e-]*}}, -0.1588{{[0-9.e-]*}}, 1.117{{[0-9.e-]*}}, -0.15428{{[0-9.e-]*}}, -0.1700{{[0-9.e-]*}}, 0.34571{{[0-9.e-]*}}]
// CHECK: sizes = [2, 7]
// CHECK: [0.066315, 0.000265436, -1.08421, -1.08421, 0.000265436, 0.066315, -0.561246]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.812223, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.561246, 0.066315, 0.000265436, -1.08421]
// CHECK: sizes = [2, 7]
// CHECK: [0.06631{{[0-9.e-]*}}, 0.00026543{{[0-9.e-]*}}, -1.084{{[0-9.e-]*}}, -1.084{{[0-9.e-]*}}, 0.00026543{{[0-9.e-]*}}, 0.06631{{[0-9.e-]*}}, -0.5612{{[0-9.e-]*}}]
// CHECK: [{{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.8122{{[0-9.e-]*}}, {{-?0|-?[0-9.]+e-(0[89]|1[0-9])}}, -0.5612{{[0-9.e-]*}}, 0.06631{{[0-9.e-]*}}, 0.00026543{{[0-9.e-]*}}, -1.084{{[0-9.e-]*}}]
