// RUN: memformer-opt %s -memformer-to-kernels="panel-width=16 products=bf16" | FileCheck %s
// RUN: sed s/bf16/tf32/ %s | memformer-opt -memformer-to-kernels='panel-width=16 products=bf16,tf32' | FileCheck %s --check-prefix=TF32 --implicit-check-not=bf16
// RUN: sed s/bf16/tf32/ %s | memformer-opt -memformer-to-kernels='panel-width=16 products=bf16,f16' | FileCheck %s --check-prefix=F32 --implicit-check-not='operands tf32'
// RUN: memformer-opt %s "-memformer-to-kernels=panel-width=16 products=bf16,tf32 attention=bf16" | FileCheck %s --check-prefixes=CHECK,ROUND
// RUN: sed s/bf16/f16/g %s | memformer-opt '-memformer-to-kernels=panel-width=16 products=bf16,f16 attention=f16' | FileCheck %s --check-prefix=F16 --implicit-check-not=bf16
// RUN: sed s/bf16/f16/g %s | memformer-opt '-memformer-to-kernels=panel-width=16 products=bf16,tf32 attention=bf16' | FileCheck %s --check-prefix=F32 --implicit-check-not='operands f16'
// RUN: not memformer-opt %s '-memformer-to-kernels=products=f32' 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not memformer-opt %s '-memformer-to-kernels=attention=tf32' 2>&1 | FileCheck %s --check-prefix=UNKNOWN-ATTENTION
// UNKNOWN: expected products to be of bf16, f16, tf32, but got 'f32'
// UNKNOWN-ATTENTION: expected attention to be of bf16, f16, but got 'tf32'
// RUN: memformer-opt %s "-memformer-to-kernels=panel-width=64 panel-group=8 products=bf16" | FileCheck %s --check-prefix=EIGHTS
// RUN: not memformer-opt %s "-memformer-to-kernels=panel-group=3 products=bf16" 2>&1 | FileCheck %s --check-prefix=GROUP
// GROUP: expected panel-group of 2 or 8, but got 3

// Products round what they multiply, and the gradient of a bias what it adds; other sums do not.
module attributes {memformer.precision = bf16} {
memformer.param @w : tensor<5x7xf32> = <uniform, 0.5>
memformer.param @b : tensor<5xf32> = <uniform, 0.5>

// CHECK-LABEL: func.func @linear(
// CHECK-SAME: %[[X:.*]]: tensor<2x3x7xf32>, %[[G:.*]]: tensor<2x3x5xf32>
func.func @linear(%x: tensor<2x3x7xf32>, %g: tensor<2x3x5xf32>) -> (tensor<2x3x5xf32>, tensor<3x7xf32>) {
  %w = memformer.load_param @w : tensor<5x7xf32>
  // CHECK: %[[P:.*]] = kernel.pack %{{.*}} transposed : (tensor<5x7xf32>) -> tensor<1x4x16x2xbf16>
  // EIGHTS: kernel.pack %{{.*}} transposed : (tensor<5x7xf32>) -> tensor<1x1x64x8xbf16>
  // CHECK: kernel.gemm %[[X]], %[[P]] n 5 packed operands bf16 : (tensor<2x3x7xf32>, tensor<1x4x16x2xbf16>) -> tensor<2x3x5xf32>
  %y = memformer.linear %x, %w : (tensor<2x3x7xf32>, tensor<5x7xf32>) -> tensor<2x3x5xf32>
  // CHECK: kernel.gemm %[[G]], %[[X]] n 7 transpose_a operands bf16 accumulate @w
  %dw = memformer.weight_gradient %g, %x : (tensor<2x3x5xf32>, tensor<2x3x7xf32>) -> tensor<5x7xf32>
  memformer.accumulate @w, %dw : tensor<5x7xf32>
  // CHECK: kernel.reduce %[[G]] entries 5 operands bf16 accumulate @b
  %db = memformer.sum_leading %g : (tensor<2x3x5xf32>) -> tensor<5xf32>
  memformer.accumulate @b, %db : tensor<5xf32>
  // CHECK: kernel.reduce %{{.*}} entries 15 : (tensor<2x3x5xf32>) -> tensor<3x5xf32>
  %r = memformer.relu %g : (tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %s = memformer.sum_leading %r : (tensor<2x3x5xf32>) -> tensor<3x5xf32>
  %z = memformer.linear %s, %w transposed : (tensor<3x5xf32>, tensor<5x7xf32>) -> tensor<3x7xf32>
  return %y, %z : tensor<2x3x5xf32>, tensor<3x7xf32>
}

// Attention does where the target asks for it.
// CHECK-LABEL: func.func @attention(
func.func @attention(%q: tensor<2x3x4xf32>, %g: tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x2x3x3xf32>) {
  // ROUND: kernel.attention %{{.*}} causal operands bf16 :
  %o, %lse = memformer.attention %q, %q, %q heads 2 scale 0.5 causal : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x2x3xf32>)
  // ROUND: kernel.attention_weights %{{.*}} causal operands bf16 :
  %w = memformer.attention_weights %q, %q, %lse heads 2 scale 0.5 causal : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x2x3xf32>) -> tensor<2x2x3x3xf32>
  return %o, %w : tensor<2x3x4xf32>, tensor<2x2x3x3xf32>
}

// Where scores depend on distances it does not.
// CHECK-LABEL: func.func @distances(
func.func @distances(%q: tensor<2x3x4xf32>, %r: tensor<3x4xf32>) -> tensor<2x3x4xf32> {
  // CHECK: kernel.attention %{{.*}} relative(%{{.*}}, %{{.*}}) heads 2 scale {{[^ ]*}} causal :
  %o, %lse = memformer.attention %q, %q, %q relative(%q, %r) heads 2 scale 0.5 causal : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<3x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x2x3xf32>)
  return %o : tensor<2x3x4xf32>
}
}

// What is multiplied in tf32 is stored in f32, and sums take it as it is.
// TF32-LABEL: func.func @linear(
// TF32: %[[P:.*]] = kernel.pack %{{.*}} transposed : (tensor<5x7xf32>) -> tensor<1x7x16xf32>
// TF32: kernel.gemm %{{.*}}, %[[P]] n 5 packed operands tf32 :
// TF32: kernel.gemm %{{.*}} n 7 transpose_a operands tf32 accumulate @w
// TF32: kernel.reduce %{{.*}} entries 5 accumulate @b

// What is multiplied in f16 lies in pairs, as of bf16.
// F16-LABEL: func.func @linear(
// F16: %[[P:.*]] = kernel.pack %{{.*}} transposed : (tensor<5x7xf32>) -> tensor<1x4x16x2xf16>
// F16: kernel.gemm %{{.*}}, %[[P]] n 5 packed operands f16 :
// F16: kernel.gemm %{{.*}} n 7 transpose_a operands f16 accumulate @w
// F16: kernel.reduce %{{.*}} entries 5 operands f16 accumulate @b
// F16: kernel.attention %{{.*}} causal operands f16 :
// F16: kernel.attention_weights %{{.*}} causal operands f16 :

// Targets without such products multiply f32.
// F32-LABEL: func.func @linear(
// F32: kernel.gemm %{{.*}} n 5 packed :
