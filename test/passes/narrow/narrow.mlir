// RUN: memformer-opt %s -kernel-narrow | FileCheck %s
// RUN: sed s/bf16/f16/g %s >%t.mlir && memformer-opt %t.mlir -kernel-narrow | FileCheck %t.mlir --implicit-check-not=bf16

// A value that products alone read, one that a norm reads too, one that another function reads, and one that is returned.
// CHECK-LABEL: func.func @forward(
// CHECK-SAME: -> (tensor<3x4xbf16> {memformer.name = "saved0", memformer.role = "saved"}, tensor<3x4xf32> {memformer.name = "saved1", memformer.role = "saved"}, tensor<3x4xf32> {memformer.name = "memory", memformer.role = "state"})
func.func @forward(%x: tensor<3x4xf32>, %v: tensor<4xf32>, %p: tensor<1x2x16x2xbf16>)
    -> (tensor<3x4xf32> {memformer.name = "saved0", memformer.role = "saved"}, tensor<3x4xf32> {memformer.name = "saved1", memformer.role = "saved"},
        tensor<3x4xf32> {memformer.name = "memory", memformer.role = "state"}) {
  // CHECK: %[[A:.*]] = kernel.layer_norm {{.*}} -> tensor<3x4xbf16>
  %a = kernel.layer_norm %x, %v, %v {epsilon = 1.0e-5 : f64} : (tensor<3x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  // CHECK: %[[B:.*]] = kernel.gemm %[[A]], %{{.*}} : (tensor<3x4xbf16>, tensor<1x2x16x2xbf16>) -> tensor<3x4xf32>
  %b = kernel.gemm %a, %p n 4 packed operands bf16 : (tensor<3x4xf32>, tensor<1x2x16x2xbf16>) -> tensor<3x4xf32> {
  ^bb0(%e: f32, %i: i32):
    kernel.yield %e : f32
  }
  // CHECK: %[[C:.*]] = kernel.layer_norm %[[B]], {{.*}} -> tensor<3x4xbf16>
  %c = kernel.layer_norm %b, %v, %v {epsilon = 1.0e-5 : f64} : (tensor<3x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  // CHECK: %[[D:.*]] = kernel.layer_norm {{.*}} -> tensor<3x4xf32>
  %d = kernel.layer_norm %b, %v, %v {epsilon = 1.0e-4 : f64} : (tensor<3x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  %e = kernel.gemm %c, %p n 4 packed operands bf16 : (tensor<3x4xf32>, tensor<1x2x16x2xbf16>) -> tensor<3x4xf32> {
  ^bb0(%e0: f32, %i: i32):
    kernel.yield %e0 : f32
  }
  return %c, %d, %e : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>
}

// CHECK-LABEL: func.func @replay(
// CHECK-SAME: tensor<3x4xbf16> {memformer.name = "saved0", memformer.role = "saved"}, %{{.*}}: tensor<3x4xf32> {memformer.name = "saved1", memformer.role = "saved"}
func.func @replay(%c: tensor<3x4xf32> {memformer.name = "saved0", memformer.role = "saved"}, %d: tensor<3x4xf32> {memformer.name = "saved1", memformer.role = "saved"}, %v: tensor<4xf32>) -> (tensor<4xf32>, tensor<3x4xf32>) {
  %s = kernel.reduce %c entries 4 operands bf16 : (tensor<3x4xf32>) -> tensor<4xf32>
  %n = kernel.layer_norm %d, %v, %v {epsilon = 1.0e-5 : f64} : (tensor<3x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  return %s, %n : tensor<4xf32>, tensor<3x4xf32>
}

// Attention rounds queries, keys, values and the gradient, not its own result.
// CHECK-LABEL: func.func @attention(
func.func @attention(%x: tensor<2x3x4xf32>, %v: tensor<4xf32>, %w: tensor<4x4xf32>) -> tensor<4xf32> {
  // CHECK: %[[Q:.*]] = kernel.layer_norm {{.*}} -> tensor<2x3x4xbf16>
  %q = kernel.layer_norm %x, %v, %v {epsilon = 1.0e-5 : f64} : (tensor<2x3x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x3x4xf32>
  // CHECK: kernel.attention {{.*}} operands bf16 : (tensor<2x3x4xbf16>, {{.*}}) -> (tensor<2x3x4xf32>, tensor<2x2x3xf32>)
  %o, %l = kernel.attention %q, %q, %q heads 2 scale 0.5 operands bf16 : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x2x3xf32>)
  // CHECK: kernel.attention_gradient %{{.*}}, %[[Q]], {{.*}} -> (tensor<2x3x4xbf16>, tensor<2x3x4xf32>, tensor<2x3x4xf32>)
  %dq, %dk, %dv = kernel.attention_gradient %q, %q, %q, %q, %o, %l heads 2 scale 0.5 operands bf16 {resultSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0>}
    : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x2x3xf32>) -> (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>)
  %s = kernel.reduce %dq entries 4 operands bf16 : (tensor<2x3x4xf32>) -> tensor<4xf32>
  return %s : tensor<4xf32>
}
