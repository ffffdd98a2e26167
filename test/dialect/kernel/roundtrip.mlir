// RUN: memformer-opt %s | memformer-opt | FileCheck %s
// RUN: memformer-opt %s -mlir-print-op-generic | memformer-opt | FileCheck %s

// CHECK-LABEL: func.func @matrix
func.func @matrix(%a: tensor<2x3x4xf32>, %w: tensor<5x4xf32>, %v: tensor<4xf32>, %b: tensor<5xf32>) -> tensor<2x3x5xf32> {
  // CHECK: %[[PANELS:.*]] = kernel.pack %{{.*}} transposed : (tensor<5x4xf32>) -> tensor<1x4x16xf32>
  %p = kernel.pack %w transposed : (tensor<5x4xf32>) -> tensor<1x4x16xf32>
  // CHECK: kernel.gemm %{{.*}}, %[[PANELS]] normalize(%{{.*}}, %{{.*}}) extras(%{{.*}} trailing) n 5 packed store_normalized {epsilon = 1.000000e-03 : f64} :
  // CHECK-NEXT: ^bb0(%[[C:.*]]: f32, %[[B:.*]]: f32, %{{.*}}: i32):
  // CHECK-NEXT: arith.addf %[[C]], %[[B]] : f32
  // CHECK-NEXT: kernel.yield %{{.*}} : f32
  %c, %n = kernel.gemm %a, %p normalize(%v, %v) extras(%b trailing) n 5 packed store_normalized {epsilon = 1.0e-3 : f64}
    : (tensor<2x3x4xf32>, tensor<1x4x16xf32>, tensor<4xf32>, tensor<4xf32>, tensor<5xf32>) -> (tensor<2x3x5xf32>, tensor<2x3x4xf32>) {
  ^bb0(%x: f32, %y: f32, %i: i32):
    %z = arith.addf %x, %y : f32
    kernel.yield %z : f32
  }
  // CHECK: kernel.gemm %{{.*}}, %{{.*}} n 5 transpose_a accumulate @w : (tensor<2x3x4xf32>, tensor<2x3x5xf32>) -> () {
  kernel.gemm %a, %c n 5 transpose_a accumulate @w : (tensor<2x3x4xf32>, tensor<2x3x5xf32>) -> () {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c : tensor<2x3x5xf32>
}

// CHECK-LABEL: func.func @entries
func.func @entries(%x: tensor<2x3x4xf32>, %m: tensor<2xi32>, %k: tensor<2xi32>, %t: tensor<9x4xf32>, %i: tensor<2x3xi32>) -> tensor<2x3x4xf32> {
  // CHECK: kernel.map %{{.*}} trailing, %{{.*}} leading, %{{.*}} whole : (tensor<2x3x4xf32>, tensor<2xi32>, tensor<2xi32>) -> tensor<2x3x4xf32> {
  %y = kernel.map %x trailing, %m leading, %k whole : (tensor<2x3x4xf32>, tensor<2xi32>, tensor<2xi32>) -> tensor<2x3x4xf32> {
  ^bb0(%a: f32, %b: i32, %k0: i32, %k1: i32, %j: i32):
    kernel.yield %a : f32
  }
  // CHECK: kernel.gather %{{.*}}, %{{.*}} : (tensor<2x3xi32>, tensor<9x4xf32>) -> tensor<2x3x4xf32> {
  %g = kernel.gather %i, %t : (tensor<2x3xi32>, tensor<9x4xf32>) -> tensor<2x3x4xf32> {
  ^bb0(%a: f32, %j: i32):
    kernel.yield %a : f32
  }
  // CHECK: kernel.concat %{{.*}}, %{{.*}} axis 1 :
  %c = kernel.concat %y, %g axis 1 : (tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x6x4xf32>
  // CHECK: kernel.slice %{{.*}} axis 1 offset 2 :
  %s = kernel.slice %c axis 1 offset 2 : (tensor<2x6x4xf32>) -> tensor<2x3x4xf32>
  return %s : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @sums
func.func @sums(%x: tensor<2x3x4xf32>, %i: tensor<2x3xi32>, %v: tensor<24xf32>, %s: tensor<9xf32>) -> tensor<1xf32> {
  // CHECK: kernel.reduce %{{.*}} entries 12 : (tensor<2x3x4xf32>) -> tensor<3x4xf32>
  %r = kernel.reduce %x entries 12 : (tensor<2x3x4xf32>) -> tensor<3x4xf32>
  // CHECK: kernel.reduce %{{.*}} entries 4 accumulate @b : (tensor<2x3x4xf32>) -> ()
  kernel.reduce %x entries 4 accumulate @b : (tensor<2x3x4xf32>) -> ()
  // CHECK: kernel.scatter_add %{{.*}}, %{{.*}} rows 9 accumulate @t : (tensor<2x3x4xf32>, tensor<2x3xi32>) -> ()
  kernel.scatter_add %x, %i rows 9 accumulate @t : (tensor<2x3x4xf32>, tensor<2x3xi32>) -> ()
  // CHECK: kernel.scatter_add %{{.*}}, %{{.*}} rows 9 : (tensor<2x3x4xf32>, tensor<2x3xi32>) -> tensor<9x4xf32>
  %t = kernel.scatter_add %x, %i rows 9 : (tensor<2x3x4xf32>, tensor<2x3xi32>) -> tensor<9x4xf32>
  // CHECK: kernel.squared_norm %{{.*}} : (tensor<24xf32>) -> tensor<3xf32>
  %q = kernel.squared_norm %v : (tensor<24xf32>) -> tensor<3xf32>
  // CHECK: kernel.adamw %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} :
  %n = kernel.adamw %v, %v, %v, %v, %q, %s : (tensor<24xf32>, tensor<24xf32>, tensor<24xf32>, tensor<24xf32>, tensor<3xf32>, tensor<9xf32>) -> tensor<1xf32>
  return %n : tensor<1xf32>
}

// CHECK-LABEL: func.func @rows
func.func @rows(%x: tensor<2x3x4xf32>, %v: tensor<4xf32>, %b: tensor<3x4xf32>, %t: tensor<2x3xi32>, %g: tensor<f32>) -> tensor<2x3xi32> {
  // CHECK: kernel.layer_norm %{{.*}}, %{{.*}}, %{{.*}} {epsilon = 1.000000e-05 : f64} :
  %n = kernel.layer_norm %x, %v, %v {epsilon = 1.0e-5 : f64} : (tensor<2x3x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x3x4xf32>
  // CHECK: kernel.layer_norm_gradient %{{.*}}, %{{.*}}, %{{.*}} extras(%{{.*}} trailing) {epsilon = 1.000000e-05 : f64} :
  %d:2 = kernel.layer_norm_gradient %x, %n, %v extras(%x trailing) {epsilon = 1.0e-5 : f64}
    : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<4xf32>, tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x2x4xf32>) {
  ^bb0(%a: f32, %r: f32, %j: i32):
    %s = arith.addf %a, %r : f32
    kernel.yield %s : f32
  }
  // CHECK: kernel.normalize %{{.*}}, %{{.*}} : (tensor<2x3x4xf32>, tensor<3x4xf32>) -> tensor<2x3x4xf32>
  %u = kernel.normalize %d#0, %b : (tensor<2x3x4xf32>, tensor<3x4xf32>) -> tensor<2x3x4xf32>
  // CHECK: kernel.normalize_gradient %{{.*}}, %{{.*}} : (tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %h = kernel.normalize_gradient %u, %x : (tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  // CHECK: kernel.cross_entropy %{{.*}}, %{{.*}} :
  %loss, %lse = kernel.cross_entropy %h, %t : (tensor<2x3x4xf32>, tensor<2x3xi32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  // CHECK: kernel.cross_entropy_gradient %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : (tensor<f32>,
  %z = kernel.cross_entropy_gradient %g, %h, %t, %lse : (tensor<f32>, tensor<2x3x4xf32>, tensor<2x3xi32>, tensor<2x3xf32>) -> tensor<2x3x4xf32>
  // CHECK: kernel.argmax %{{.*}} : (tensor<2x3x4xf32>) -> tensor<2x3xi32>
  %best = kernel.argmax %z : (tensor<2x3x4xf32>) -> tensor<2x3xi32>
  return %best : tensor<2x3xi32>
}

// CHECK-LABEL: func.func @attention
func.func @attention(%q: tensor<2x3x4xf32>, %k: tensor<2x5x4xf32>, %b: tensor<3x4xf32>, %key: tensor<2xi32>) -> tensor<2x2x3x6xf32> {
  // CHECK: kernel.attention %{{.*}}, %{{.*}}, %{{.*}} dropout %{{.*}} heads 2 scale 5.000000e-01 causal {probability = 1.000000e-01 : f64} :
  %o, %l = kernel.attention %q, %k, %k dropout %key heads 2 scale 0.5 causal {probability = 0.1 : f64}
    : (tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2xi32>) -> (tensor<2x3x4xf32>, tensor<2x2x3xf32>)
  // CHECK: kernel.attention %{{.*}}, %{{.*}}, %{{.*}} self(%{{.*}}, %{{.*}}) bias(%{{.*}}) heads 2 scale 5.000000e-01 normalize :
  %s, %m, %y = kernel.attention %q, %k, %k self(%q, %o) bias(%b) heads 2 scale 0.5 normalize
    : (tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<3x4xf32>)
    -> (tensor<2x3x4xf32>, tensor<2x2x3xf32>, tensor<2x3x4xf32>)
  // CHECK: kernel.attention_gradient %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} self(%{{.*}}, %{{.*}}) heads 2 scale 5.000000e-01 {
  %g:5 = kernel.attention_gradient %y, %q, %k, %k, %s, %m self(%q, %o) heads 2 scale 0.5 {resultSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0, 0>}
    : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x3x4xf32>, tensor<2x2x3xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>)
    -> (tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>)
  // CHECK: kernel.attention_weights %{{.*}} self(%{{.*}}), %{{.*}}, %{{.*}} heads 2 scale 5.000000e-01 :
  %w = kernel.attention_weights %g#0 self(%q), %k, %m heads 2 scale 0.5
    : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x2x3xf32>) -> tensor<2x2x3x6xf32>
  return %w : tensor<2x2x3x6xf32>
}

// CHECK-LABEL: func.func @usage
func.func @usage(%q: tensor<2x3x4xf32>, %k: tensor<2x5x4xf32>, %l: tensor<2x2x3xf32>, %r: tensor<5x4xf32>) -> tensor<2x2xi32> {
  // CHECK: kernel.attention_usage %{{.*}}, %{{.*}}, %{{.*}} relative(%{{.*}}, %{{.*}}) heads 2 scale 5.000000e-01 causal :
  %u = kernel.attention_usage %q, %k, %l relative(%q, %r) heads 2 scale 0.5 causal : (tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x2x3xf32>, tensor<2x3x4xf32>, tensor<5x4xf32>) -> tensor<2x2x5xf32>
  // CHECK: kernel.most_used %{{.*}} seen 5 : (tensor<2x2x5xf32>) -> tensor<2x2xi32>
  %n = kernel.most_used %u seen 5 : (tensor<2x2x5xf32>) -> tensor<2x2xi32>
  return %n : tensor<2x2xi32>
}

// CHECK-LABEL: func.func @lstm
func.func @lstm(%g: tensor<2x5x12xf32>, %f: tensor<2x1x12xf32>, %p: tensor<i32>, %h: tensor<2x1x3xf32>, %w: tensor<1x3x16xf32>, %u: tensor<1x12x16xf32>) -> tensor<2x5x12xf32> {
  // CHECK: kernel.lstm %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} :
  %hs, %cs, %a = kernel.lstm %g, %h, %h, %w : (tensor<2x5x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<1x3x16xf32>) -> (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x5x12xf32>)
  // CHECK: kernel.lstm_step %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} cache(%{{.*}}, %{{.*}}) at %{{.*}} :
  %n, %m, %ns, %ms = kernel.lstm_step %f, %h, %h, %w cache(%hs, %cs) at %p
    : (tensor<2x1x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<1x3x16xf32>, tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<i32>) -> (tensor<2x1x3xf32>, tensor<2x1x3xf32>, tensor<2x5x3xf32>, tensor<2x5x3xf32>)
  // CHECK: kernel.lstm_gradient hiddens(%{{.*}}) cells(%{{.*}}) %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} :
  %x:3 = kernel.lstm_gradient hiddens(%hs) cells(%cs) %a, %cs, %h, %u
    : (tensor<2x5x3xf32>, tensor<2x5x3xf32>, tensor<2x5x12xf32>, tensor<2x5x3xf32>, tensor<2x1x3xf32>, tensor<1x12x16xf32>) -> (tensor<2x5x12xf32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>)
  return %x#0 : tensor<2x5x12xf32>
}

// CHECK-LABEL: func.func @narrow_attention
func.func @narrow_attention(%g: tensor<2x3x4xbf16>, %q: tensor<2x3x4xbf16>, %k: tensor<2x5x4xf32>) -> (tensor<2x3x4xbf16>, tensor<2x2x3x5xf32>) {
  // CHECK: kernel.attention %{{.*}}, %{{.*}}, %{{.*}} heads 2 scale 5.000000e-01 causal operands bf16 : (tensor<2x3x4xbf16>, tensor<2x5x4xf32>, tensor<2x5x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x2x3xf32>)
  %o, %l = kernel.attention %q, %k, %k heads 2 scale 0.5 causal operands bf16 : (tensor<2x3x4xbf16>, tensor<2x5x4xf32>, tensor<2x5x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x2x3xf32>)
  // CHECK: kernel.attention_gradient %{{.*}} heads 2 scale 5.000000e-01 causal operands bf16 {{{.*}}} : (tensor<2x3x4xbf16>, tensor<2x3x4xbf16>, {{.*}}) -> (tensor<2x3x4xbf16>, tensor<2x5x4xf32>, tensor<2x5x4xbf16>)
  %dq, %dk, %dv = kernel.attention_gradient %g, %q, %k, %k, %o, %l heads 2 scale 0.5 causal operands bf16 {resultSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0>}
    : (tensor<2x3x4xbf16>, tensor<2x3x4xbf16>, tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x3x4xf32>, tensor<2x2x3xf32>) -> (tensor<2x3x4xbf16>, tensor<2x5x4xf32>, tensor<2x5x4xbf16>)
  // CHECK: kernel.attention_weights %{{.*}}, %{{.*}}, %{{.*}} heads 2 scale 5.000000e-01 causal operands bf16 : (tensor<2x3x4xbf16>,
  %w = kernel.attention_weights %q, %k, %l heads 2 scale 0.5 causal operands bf16 : (tensor<2x3x4xbf16>, tensor<2x5x4xf32>, tensor<2x2x3xf32>) -> tensor<2x2x3x5xf32>
  return %dq, %w : tensor<2x3x4xbf16>, tensor<2x2x3x5xf32>
}

// CHECK-LABEL: func.func @step
func.func @step(%q: tensor<2x1x4xf32>, %c: tensor<2x5x4xf32>, %p: tensor<i32>) -> tensor<2x1x4xf32> {
  // CHECK: kernel.slice %{{.*}} axis 1 offset 0 at %{{.*}} : (tensor<2x5x4xf32>, tensor<i32>) -> tensor<2x1x4xf32>
  %r = kernel.slice %c axis 1 offset 0 at %p : (tensor<2x5x4xf32>, tensor<i32>) -> tensor<2x1x4xf32>
  // CHECK: kernel.attention_step %{{.*}}, %{{.*}}, %{{.*}} cache(%{{.*}}, %{{.*}}) at %{{.*}} heads 2 scale 5.000000e-01 :
  %o, %k, %v = kernel.attention_step %q, %r, %r cache(%c, %c) at %p heads 2 scale 0.5
    : (tensor<2x1x4xf32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<i32>) -> (tensor<2x1x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>)
  return %o : tensor<2x1x4xf32>
}

// Weights that are read as f32, of whatever type they are stored in.
// CHECK-LABEL: func.func @stored_weights(
func.func @stored_weights(%a: tensor<1x5xf32>, %w: tensor<6x5xf32>) -> (tensor<1x6xf32>, tensor<1x6xf32>) {
  // CHECK: %[[Q:.*]], %[[S:.*]] = kernel.pack %{{.*}} transposed : (tensor<6x5xf32>) -> (tensor<1x5x16xi8>, tensor<6xf32>)
  %q, %s = kernel.pack %w transposed : (tensor<6x5xf32>) -> (tensor<1x5x16xi8>, tensor<6xf32>)
  // CHECK: kernel.gemm %{{.*}}, %[[Q]] extras(%[[S]] trailing) n 6 packed : (tensor<1x5xf32>, tensor<1x5x16xi8>, tensor<6xf32>) -> tensor<1x6xf32> {
  %c = kernel.gemm %a, %q extras(%s trailing) n 6 packed : (tensor<1x5xf32>, tensor<1x5x16xi8>, tensor<6xf32>) -> tensor<1x6xf32> {
  ^bb0(%x: f32, %scale: f32, %i: i32):
    %y = arith.mulf %x, %scale : f32
    kernel.yield %y : f32
  }
  // CHECK: %[[H:.*]] = kernel.pack %{{.*}} transposed : (tensor<6x5xf32>) -> tensor<1x5x16xbf16>
  %h = kernel.pack %w transposed : (tensor<6x5xf32>) -> tensor<1x5x16xbf16>
  // CHECK: kernel.gemm %{{.*}}, %[[H]] n 6 packed : (tensor<1x5xf32>, tensor<1x5x16xbf16>) -> tensor<1x6xf32> {
  %d = kernel.gemm %a, %h n 6 packed : (tensor<1x5xf32>, tensor<1x5x16xbf16>) -> tensor<1x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c, %d : tensor<1x6xf32>, tensor<1x6xf32>
}

// Nothing is stored in tf32.
// CHECK-LABEL: func.func @tf32(
func.func @tf32(%a: tensor<3x5xf32>, %p: tensor<1x5x16xf32>) -> tensor<3x6xf32> {
  // CHECK: kernel.gemm %{{.*}}, %{{.*}} n 6 packed operands tf32 : (tensor<3x5xf32>, tensor<1x5x16xf32>) -> tensor<3x6xf32> {
  %c = kernel.gemm %a, %p n 6 packed operands tf32 : (tensor<3x5xf32>, tensor<1x5x16xf32>) -> tensor<3x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  return %c : tensor<3x6xf32>
}

// In f16 as in bf16.
// CHECK-LABEL: func.func @halves(
func.func @halves(%q: tensor<2x3x4xf16>, %w: tensor<6x4xf32>) -> (tensor<2x3x6xf16>, tensor<6xf32>) {
  // CHECK: %[[P:.*]] = kernel.pack %{{.*}} transposed : (tensor<6x4xf32>) -> tensor<1x2x16x2xf16>
  %p = kernel.pack %w transposed : (tensor<6x4xf32>) -> tensor<1x2x16x2xf16>
  // CHECK: %[[O:.*]], %{{.*}} = kernel.attention %{{.*}} heads 2 scale 5.000000e-01 operands f16 : (tensor<2x3x4xf16>, tensor<2x3x4xf16>, tensor<2x3x4xf16>) -> (tensor<2x3x4xf16>, tensor<2x2x3xf32>)
  %o, %l = kernel.attention %q, %q, %q heads 2 scale 0.5 operands f16 : (tensor<2x3x4xf16>, tensor<2x3x4xf16>, tensor<2x3x4xf16>) -> (tensor<2x3x4xf16>, tensor<2x2x3xf32>)
  // CHECK: %[[C:.*]] = kernel.gemm %[[O]], %[[P]] n 6 packed operands f16 : (tensor<2x3x4xf16>, tensor<1x2x16x2xf16>) -> tensor<2x3x6xf16> {
  %c = kernel.gemm %o, %p n 6 packed operands f16 : (tensor<2x3x4xf16>, tensor<1x2x16x2xf16>) -> tensor<2x3x6xf16> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  // CHECK: kernel.reduce %[[C]] entries 6 operands f16 : (tensor<2x3x6xf16>) -> tensor<6xf32>
  %s = kernel.reduce %c entries 6 operands f16 : (tensor<2x3x6xf16>) -> tensor<6xf32>
  return %c, %s : tensor<2x3x6xf16>, tensor<6xf32>
}

// What is rounded, and what is stored so.
// CHECK-LABEL: func.func @pairs(
func.func @pairs(%a: tensor<3x5xf32>, %w: tensor<6x5xf32>, %v: tensor<5xf32>) -> tensor<6xf32> {
  // CHECK: %[[P:.*]] = kernel.pack %{{.*}} transposed : (tensor<6x5xf32>) -> tensor<1x3x16x2xbf16>
  %p = kernel.pack %w transposed : (tensor<6x5xf32>) -> tensor<1x3x16x2xbf16>
  // CHECK: %[[N:.*]] = kernel.layer_norm {{.*}} -> tensor<3x5xbf16>
  %n = kernel.layer_norm %a, %v, %v {epsilon = 1.0e-5 : f64} : (tensor<3x5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<3x5xbf16>
  // CHECK: %[[C:.*]] = kernel.gemm %[[N]], %[[P]] n 6 packed operands bf16 : (tensor<3x5xbf16>, tensor<1x3x16x2xbf16>) -> tensor<3x6xbf16> {
  %c = kernel.gemm %n, %p n 6 packed operands bf16 : (tensor<3x5xbf16>, tensor<1x3x16x2xbf16>) -> tensor<3x6xbf16> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  // CHECK: %[[E:.*]] = kernel.pack %{{.*}} transposed : (tensor<6x5xf32>) -> tensor<1x1x64x8xbf16>
  %e = kernel.pack %w transposed : (tensor<6x5xf32>) -> tensor<1x1x64x8xbf16>
  // CHECK: kernel.gemm %{{.*}}, %[[E]] n 6 packed operands bf16 :
  %d = kernel.gemm %a, %e n 6 packed operands bf16 : (tensor<3x5xf32>, tensor<1x1x64x8xbf16>) -> tensor<3x6xf32> {
  ^bb0(%x: f32, %i: i32):
    kernel.yield %x : f32
  }
  // CHECK: kernel.reduce %[[C]] entries 6 operands bf16 : (tensor<3x6xbf16>) -> tensor<6xf32>
  %s = kernel.reduce %c entries 6 operands bf16 : (tensor<3x6xbf16>) -> tensor<6xf32>
  return %s : tensor<6xf32>
}
