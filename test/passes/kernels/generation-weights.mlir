// RUN: memformer-opt %s -split-input-file -memformer-to-kernels="panel-width=16 few-rows=2 products=bf16" | FileCheck %s

// Products of few rows in @step read whole numbers, which the epilogue scales before the bias is added; all others read f32.
module attributes {memformer.generation_weights = i8} {
memformer.param @w : tensor<5x7xf32> = <uniform, 0.5>
memformer.param @b : tensor<5xf32> = <uniform, 0.5>

// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[X:.*]]: tensor<2x1x7xf32>, %[[Y:.*]]: tensor<3x7xf32>
func.func @step(%x: tensor<2x1x7xf32>, %y: tensor<3x7xf32>) -> (tensor<2x1x5xf32>, tensor<2x1x7xf32>, tensor<3x5xf32>) {
  // CHECK-DAG: %[[W:.*]] = memformer.load_param @w
  // CHECK-DAG: %[[B:.*]] = memformer.load_param @b
  %w = memformer.load_param @w : tensor<5x7xf32>
  %b = memformer.load_param @b : tensor<5xf32>
  // CHECK: %[[P:.*]], %[[S:.*]] = kernel.pack %[[W]] transposed : (tensor<5x7xf32>) -> (tensor<1x7x16xi8>, tensor<5xf32>)
  // CHECK: %[[L:.*]] = kernel.gemm %[[X]], %[[P]] extras(%[[S]] trailing, %[[B]] trailing) n 5 packed :
  // CHECK-NEXT: ^bb0(%[[C:.*]]: f32, %[[SCALE:.*]]: f32, %[[BIAS:.*]]: f32, %{{.*}}: i32):
  // CHECK-NEXT: %[[M:.*]] = arith.mulf %[[C]], %[[SCALE]]
  // CHECK-NEXT: %[[A:.*]] = arith.addf %[[M]], %[[BIAS]]
  // CHECK-NEXT: kernel.yield %[[A]]
  %l = memformer.linear %x, %w, %b : (tensor<2x1x7xf32>, tensor<5x7xf32>, tensor<5xf32>) -> tensor<2x1x5xf32>
  // CHECK: %[[Q:.*]], %[[T:.*]] = kernel.pack %[[W]] : (tensor<5x7xf32>) -> (tensor<1x5x16xi8>, tensor<7xf32>)
  // CHECK: kernel.gemm %[[L]], %[[Q]] extras(%[[T]] trailing) n 7 packed :
  // CHECK-NEXT: ^bb0(%[[C2:.*]]: f32, %[[SCALE2:.*]]: f32, %{{.*}}: i32):
  // CHECK-NEXT: %[[M2:.*]] = arith.mulf %[[C2]], %[[SCALE2]]
  // CHECK-NEXT: kernel.yield %[[M2]]
  %t = memformer.linear %l, %w transposed : (tensor<2x1x5xf32>, tensor<5x7xf32>) -> tensor<2x1x7xf32>
  // CHECK: kernel.pack %[[W]] transposed : (tensor<5x7xf32>) -> tensor<1x7x16xf32>
  %m = memformer.linear %y, %w : (tensor<3x7xf32>, tensor<5x7xf32>) -> tensor<3x5xf32>
  return %l, %t, %m : tensor<2x1x5xf32>, tensor<2x1x7xf32>, tensor<3x5xf32>
}

// CHECK-LABEL: func.func @evaluate(
func.func @evaluate(%x: tensor<2x1x7xf32>) -> tensor<2x1x5xf32> {
  %w = memformer.load_param @w : tensor<5x7xf32>
  // CHECK: kernel.pack %{{.*}} transposed : (tensor<5x7xf32>) -> tensor<1x7x16xf32>
  %l = memformer.linear %x, %w : (tensor<2x1x7xf32>, tensor<5x7xf32>) -> tensor<2x1x5xf32>
  return %l : tensor<2x1x5xf32>
}
}

// -----
// Weights of f32 in products that are trained to round them.
module attributes {memformer.precision = bf16, memformer.generation_weights = f32} {
memformer.param @w : tensor<5x7xf32> = <uniform, 0.5>

// CHECK-LABEL: func.func @step(
func.func @step(%x: tensor<1x1x7xf32>, %y: tensor<3x7xf32>) -> (tensor<1x1x5xf32>, tensor<3x5xf32>) {
  %w = memformer.load_param @w : tensor<5x7xf32>
  // CHECK: kernel.pack %{{.*}} transposed : (tensor<5x7xf32>) -> tensor<1x7x16xf32>
  // CHECK: kernel.gemm %{{.*}}, %{{.*}} n 5 packed : (tensor<1x1x7xf32>
  %l = memformer.linear %x, %w : (tensor<1x1x7xf32>, tensor<5x7xf32>) -> tensor<1x1x5xf32>
  // CHECK: kernel.pack %{{.*}} transposed : (tensor<5x7xf32>) -> tensor<1x4x16x2xbf16>
  %m = memformer.linear %y, %w : (tensor<3x7xf32>, tensor<5x7xf32>) -> tensor<3x5xf32>
  return %l, %m : tensor<1x1x5xf32>, tensor<3x5xf32>
}
}

// -----
module attributes {memformer.generation_weights = bf16} {
memformer.param @w : tensor<5x7xf32> = <uniform, 0.5>

// CHECK-LABEL: func.func @step(
func.func @step(%x: tensor<1x1x7xf32>) -> tensor<1x1x5xf32> {
  %w = memformer.load_param @w : tensor<5x7xf32>
  // CHECK: kernel.pack %{{.*}} transposed : (tensor<5x7xf32>) -> tensor<1x7x16xbf16>
  // CHECK: kernel.gemm %{{.*}}, %{{.*}} n 5 packed : (tensor<1x1x7xf32>, tensor<1x7x16xbf16>)
  %l = memformer.linear %x, %w : (tensor<1x1x7xf32>, tensor<5x7xf32>) -> tensor<1x1x5xf32>
  return %l : tensor<1x1x5xf32>
}
}
