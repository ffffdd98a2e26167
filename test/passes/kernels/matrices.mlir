// RUN: memformer-opt %s -memformer-to-kernels=panel-width=8 | FileCheck %s
// RUN: memformer-opt %s -memformer-to-kernels="panel-width=8 row-block=4" | FileCheck %s --check-prefix=BLOCK

memformer.param @w : tensor<5x7xf32> = <uniform, 0.5>
memformer.param @b : tensor<5xf32> = <uniform, 0.5>
memformer.param @table : tensor<11x7xf32> = <normal, 0.5>
memformer.param @scale : tensor<7xf32> = <constant, 1.0>
memformer.param @shift : tensor<7xf32> = <constant, 0.0>

// CHECK-LABEL: func.func @linear(
// CHECK-SAME: %[[X:.*]]: tensor<2x3x7xf32>, %[[G:.*]]: tensor<2x3x5xf32>
func.func @linear(%x: tensor<2x3x7xf32>, %g: tensor<2x3x5xf32>) -> (tensor<2x3x5xf32>, tensor<2x3x7xf32>) {
  // CHECK-DAG: %[[W:.*]] = memformer.load_param @w
  // CHECK-DAG: %[[B:.*]] = memformer.load_param @b
  // CHECK: %[[P:.*]] = kernel.pack %[[W]] transposed : (tensor<5x7xf32>) -> tensor<1x7x8xf32>
  // CHECK: %[[Y:.*]] = kernel.gemm %[[X]], %[[P]] extras(%[[B]] trailing) n 5 packed : (tensor<2x3x7xf32>, tensor<1x7x8xf32>, tensor<5xf32>) -> tensor<2x3x5xf32> {
  // CHECK-NEXT: ^bb0(%[[C:.*]]: f32, %[[E:.*]]: f32, %{{.*}}: i32):
  // CHECK-NEXT: %[[S:.*]] = arith.addf %[[C]], %[[E]] : f32
  // CHECK-NEXT: kernel.yield %[[S]] : f32
  %w = memformer.load_param @w : tensor<5x7xf32>
  %b = memformer.load_param @b : tensor<5xf32>
  %y = memformer.linear %x, %w, %b : (tensor<2x3x7xf32>, tensor<5x7xf32>, tensor<5xf32>) -> tensor<2x3x5xf32>
  // CHECK: %[[Q:.*]] = kernel.pack %[[W]] : (tensor<5x7xf32>) -> tensor<1x5x8xf32>
  // CHECK: %[[DX:.*]] = kernel.gemm %[[G]], %[[Q]] n 7 packed : (tensor<2x3x5xf32>, tensor<1x5x8xf32>) -> tensor<2x3x7xf32>
  %w2 = memformer.load_param @w : tensor<5x7xf32>
  %dx = memformer.linear %g, %w2 transposed : (tensor<2x3x5xf32>, tensor<5x7xf32>) -> tensor<2x3x7xf32>
  // CHECK: return %[[Y]], %[[DX]]
  return %y, %dx : tensor<2x3x5xf32>, tensor<2x3x7xf32>
}

// What only an accumulation reads is added where it is computed, in the order of the accumulations.
// CHECK-LABEL: func.func @accumulate(
func.func @accumulate(%x: tensor<2x3x7xf32>, %g: tensor<2x3x5xf32>, %gx: tensor<2x3x7xf32>, %tokens: tensor<2x3xi32>) -> tensor<5xf32> {
  // A value that is read elsewhere too is computed, then added.
  // CHECK: %[[DB:.*]] = kernel.reduce %{{.*}} entries 5 : (tensor<2x3x5xf32>) -> tensor<5xf32>
  // CHECK: kernel.gemm %{{.*}}, %{{.*}} n 7 transpose_a accumulate @w : (tensor<2x3x5xf32>, tensor<2x3x7xf32>) -> () {
  %dw = memformer.weight_gradient %g, %x : (tensor<2x3x5xf32>, tensor<2x3x7xf32>) -> tensor<5x7xf32>
  %db = memformer.sum_leading %g : (tensor<2x3x5xf32>) -> tensor<5xf32>
  memformer.accumulate @w, %dw : tensor<5x7xf32>
  // CHECK: kernel.reduce %[[DB]] entries 5 accumulate @b : (tensor<5xf32>) -> ()
  memformer.accumulate @b, %db : tensor<5xf32>
  // Tied parameters: two contributions to one gradient.
  // CHECK: kernel.scatter_add %{{.*}}, %{{.*}} rows 11 accumulate @table : (tensor<2x3x7xf32>, tensor<2x3xi32>) -> ()
  // CHECK: kernel.scatter_add %{{.*}}, %{{.*}} rows 11 accumulate @table : (tensor<2x3x7xf32>, tensor<2x3xi32>) -> ()
  %dt = memformer.embedding_gradient %gx, %tokens : (tensor<2x3x7xf32>, tensor<2x3xi32>) -> tensor<11x7xf32>
  memformer.accumulate @table, %dt : tensor<11x7xf32>
  %dt2 = memformer.embedding_gradient %x, %tokens : (tensor<2x3x7xf32>, tensor<2x3xi32>) -> tensor<11x7xf32>
  memformer.accumulate @table, %dt2 : tensor<11x7xf32>
  return %db : tensor<5xf32>
}

// CHECK-LABEL: func.func @norm(
// BLOCK-LABEL: func.func @norm(
func.func @norm(%x: tensor<2x3x7xf32>, %g: tensor<2x3x7xf32>) -> tensor<2x3x7xf32> {
  %scale = memformer.load_param @scale : tensor<7xf32>
  // CHECK: %[[R:.*]]:2 = kernel.layer_norm_gradient {{.*}} -> (tensor<2x3x7xf32>, tensor<2x1x7xf32>)
  // CHECK: %[[S0:.*]] = kernel.slice %[[R]]#1 axis 0 offset 0 : (tensor<2x1x7xf32>) -> tensor<1x1x7xf32>
  // CHECK: %[[S1:.*]] = kernel.slice %[[R]]#1 axis 0 offset 1
  // CHECK: kernel.reduce %[[S1]] entries 7 accumulate @shift
  // CHECK: kernel.reduce %[[S0]] entries 7 accumulate @scale
  // BLOCK: kernel.layer_norm_gradient {{.*}} -> (tensor<2x3x7xf32>, tensor<2x2x7xf32>)
  %dx, %ds, %dt = memformer.layer_norm_gradient %g, %x, %scale : (tensor<2x3x7xf32>, tensor<2x3x7xf32>, tensor<7xf32>) -> (tensor<2x3x7xf32>, tensor<7xf32>, tensor<7xf32>)
  memformer.accumulate @shift, %dt : tensor<7xf32>
  memformer.accumulate @scale, %ds : tensor<7xf32>
  return %dx : tensor<2x3x7xf32>
}

// One scale for all targets stays one entry.
// CHECK-LABEL: func.func @loss(
// CHECK-SAME: %[[SCALE:.*]]: tensor<f32>,
func.func @loss(%s: tensor<f32>, %z: tensor<2x3x11xf32>, %t: tensor<2x3xi32>, %lse: tensor<2x3xf32>) -> tensor<2x3x11xf32> {
  // CHECK-NEXT: kernel.cross_entropy_gradient %[[SCALE]], %{{.*}} : (tensor<f32>, tensor<2x3x11xf32>, tensor<2x3xi32>, tensor<2x3xf32>) -> tensor<2x3x11xf32>
  %g = memformer.broadcast %s : (tensor<f32>) -> tensor<2x3xf32>
  %d = memformer.cross_entropy_gradient %g, %z, %t, %lse : (tensor<2x3xf32>, tensor<2x3x11xf32>, tensor<2x3xi32>, tensor<2x3xf32>) -> tensor<2x3x11xf32>
  return %d : tensor<2x3x11xf32>
}
