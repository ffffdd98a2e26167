// RUN: memformer-opt %s -memformer-to-kernels | FileCheck %s

// CHECK-LABEL: func.func @slots(
// CHECK-SAME: %[[Q:.*]]: tensor<2x3x4xf32>, %[[KS:.*]]: tensor<2x3x4xf32>, %[[VS:.*]]: tensor<2x3x4xf32>, %[[K:.*]]: tensor<2x5x4xf32>, %[[V:.*]]: tensor<2x5x4xf32>, %[[G:.*]]: tensor<2x3x4xf32>
func.func @slots(%q: tensor<2x3x4xf32>, %ks: tensor<2x3x4xf32>, %vs: tensor<2x3x4xf32>, %k: tensor<2x5x4xf32>, %v: tensor<2x5x4xf32>, %g: tensor<2x3x4xf32>)
    -> (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>) {
  // CHECK: %[[O:.*]], %[[LSE:.*]] = kernel.attention %[[Q]], %[[K]], %[[V]] self(%[[KS]], %[[VS]]) heads 2 scale 0.69
  %o, %lse = memformer.slot_attention %q self(%ks, %vs), %k, %v heads 2 scale 0.7
    : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x2x3xf32>)
  // CHECK: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]], %[[DKS:.*]], %[[DVS:.*]] = kernel.attention_gradient %[[G]], %[[Q]], %[[K]], %[[V]], %[[O]], %[[LSE]] self(%[[KS]], %[[VS]])
  %dq, %dks, %dvs, %dk, %dv = memformer.slot_attention_gradient %g, %q self(%ks, %vs), %k, %v, %o, %lse heads 2 scale 0.7
    : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x3x4xf32>, tensor<2x2x3xf32>)
    -> (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>)
  // CHECK: return %[[DQ]], %[[DKS]], %[[DVS]], %[[DK]], %[[DV]]
  return %dq, %dks, %dvs, %dk, %dv : tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>
}

// CHECK-LABEL: func.func @causal(
func.func @causal(%q: tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x1x3x3xf32>) {
  // CHECK: kernel.attention %{{.*}}, %{{.*}}, %{{.*}} heads 1 scale 5.000000e-01 causal :
  %o, %lse = memformer.attention %q, %q, %q heads 1 scale 0.5 causal : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x1x3xf32>)
  // CHECK: kernel.attention_weights
  %w = memformer.attention_weights %q, %q, %lse heads 1 scale 0.5 causal : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x1x3xf32>) -> tensor<2x1x3x3xf32>
  return %o, %w : tensor<2x3x4xf32>, tensor<2x1x3x3xf32>
}

// CHECK-LABEL: func.func @usage
func.func @usage(%q: tensor<2x3x4xf32>, %k: tensor<2x5x4xf32>, %r: tensor<5x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x2xi32>) {
  %o, %lse = memformer.attention %q, %k, %k relative(%q, %r) heads 2 scale 0.5 causal
    : (tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x3x4xf32>, tensor<5x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x2x3xf32>)
  // CHECK: %[[usage:.*]] = kernel.attention_usage %{{.*}}, %{{.*}}, %{{.*}} relative(%{{.*}}, %{{.*}}) heads 2 scale 5.000000e-01 causal :
  %u = memformer.attention_usage %q, %k, %lse relative(%q, %r) heads 2 scale 0.5 causal
    : (tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x2x3xf32>, tensor<2x3x4xf32>, tensor<5x4xf32>) -> tensor<2x2x5xf32>
  // CHECK: kernel.most_used %[[usage]] seen 7 :
  %n = memformer.most_used %u seen 7 : (tensor<2x2x5xf32>) -> tensor<2x2xi32>
  return %o, %n : tensor<2x3x4xf32>, tensor<2x2xi32>
}
